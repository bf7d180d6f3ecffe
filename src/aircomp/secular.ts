/**
 * The multiplier of a power budget: the root nu >= 0 of
 *
 *   f(nu) = weight^2 sum_i c_i / (x_i + nu)^2 = budget,
 *
 * or 0 where f(0) <= budget (modes with c_i = 0 carry no power). Newton on 1/sqrt(f), which is concave and
 * increasing, so that every iterate stays left of the root; a bracket guards against rounding.
 *
 * @param c the count numerators c_i >= 0: the eigenvalues l_i of G^H G, times what the mode has to carry
 * @param x the offsets, x_i > 0 where c_i > 0: l_i, plus what an estimation error adds; in units of the channel gain
 * @returns nu in the unit of x; +Infinity for a budget of 0 (nothing may be sent)
 */
export function powerMultiplier(
  c: Float64Array,
  x: Float64Array,
  count: number,
  weight: number,
  budget: number,
): number {
  if (budget <= 0) return Number.POSITIVE_INFINITY;
  if (weight === 0) return 0;
  // each term alone is below f, so its own root is left of the root of f; all over nu^2 is above f
  const root = Math.sqrt(budget);
  let unconstrained = 0;
  let total = 0;
  let low = 0;
  for (let i = 0; i < count; i++) {
    const ci = c[i]!;
    if (ci <= 0) continue;
    const xi = x[i]!;
    unconstrained += ci / xi / xi;
    total += ci;
    low = Math.max(low, (weight * Math.sqrt(ci)) / root - xi);
  }
  if (weight * weight * unconstrained <= budget) return 0;
  let high = (weight * Math.sqrt(total)) / root;
  let nu = low;
  for (let iteration = 0; iteration < 100; iteration++) {
    let f = 0;
    let slope = 0;
    for (let i = 0; i < count; i++) {
      const ci = c[i]!;
      if (ci <= 0) continue;
      const inverse = 1 / (x[i]! + nu);
      const term = ci * inverse * inverse;
      f += term;
      slope += term * inverse;
    }
    const excess = (weight * Math.sqrt(f)) / root - 1;
    if (Math.abs(excess) <= 4e-16) return nu;
    if (excess > 0) low = Math.max(low, nu);
    else high = Math.min(high, nu);
    let next = nu + (f / slope) * excess;
    if (!(next > low && next < high)) next = low + (high - low) / 2;
    if (next === nu || !(high - low > 2e-16 * high)) return high;
    nu = next;
  }
  return high;
}
