/**
 * A device alone with its share of the noise, in scalars (docs/certificates-mmse.md, section 2). Its modes have gains
 * l_i, and it spends a power of 1 on them.
 */

/**
 * A lower bound, in floating point too, on what is left of the symbols of the device when it spends its power in the
 * best way,
 *
 *   min over p >= 0, sum p_i <= 1 of   sum_i 1 / (1 + p_i l_i).
 *
 * It is the dual value at one multiplier v, sum_i q(v / l_i) - v with q(x) = 2 sqrt(x) - x for x <= 1 and 1 beyond.
 * Every v >= 0 gives a bound; the one used, v = 1 / u^2, makes the minimiser p_i = (u / sqrt(l_i) - 1 / l_i)_+ meet
 * the budget. The last line takes off more than what rounding can have added.
 *
 * @param inverse 1 / l_i of the first `count` modes, 0 (no noise) to +Infinity (not heard); sorted in place
 */
export function waterFillingBound(inverse: Float64Array, count: number): number {
  const ascending = inverse.subarray(0, count).sort();
  let level = Number.POSITIVE_INFINITY;
  let power = 1;
  let roots = 0;
  for (let n = 0; n < count && Math.sqrt(ascending[n]!) < level; n++) {
    power += ascending[n]!;
    roots += Math.sqrt(ascending[n]!);
    level = power / roots;
  }
  const v = 1 / (level * level);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const root = ascending[i] === Number.POSITIVE_INFINITY ? 1 : Math.min(1, Math.sqrt(v * ascending[i]!));
    sum += root * (2 - root);
  }
  return Math.max(0, sum - v - (count + 16) * Number.EPSILON * (sum + v));
}

/**
 * The multiplier of a budget of 1 that is held near an anchor: the root v > 0 of
 *
 *   softness log(v / anchor) = gain sum_i t_i / (t_i + v)^2 - 1,
 *
 * by Newton in log v with a bracket. The right side is the power beyond the budget.
 *
 * @param t the `count` eigenvalues t_i >= 0
 */
export function anchoredMultiplier(
  t: Float64Array,
  count: number,
  gain: number,
  anchor: number,
  softness: number,
): number {
  // the right side is at least -1
  let low = -1 / softness - 1;
  let high = Number.POSITIVE_INFINITY;
  let x = 0;
  for (let iteration = 0; iteration < 100; iteration++) {
    const v = anchor * Math.exp(x);
    let power = 0;
    let slope = softness;
    for (let i = 0; i < count; i++) {
      const ti = t[i]!;
      if (ti <= 0) continue;
      const term = (gain * (ti / (ti + v))) / (ti + v);
      power += term;
      slope += (2 * term * v) / (ti + v);
    }
    const excess = softness * x - power + 1;
    if (excess < 0) low = x;
    else high = x;
    let next = x - excess / slope;
    if (!(next > low && next < high)) {
      next = high < Number.POSITIVE_INFINITY ? 0.5 * (low + high) : 2 * Math.abs(low) + 1;
    }
    if (Math.abs(next - x) <= 4e-16 * (1 + Math.abs(x))) break;
    x = next;
  }
  return anchor * Math.exp(x);
}
