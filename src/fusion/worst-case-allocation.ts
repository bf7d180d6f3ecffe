/**
 * The closed forms: how the worst jammer spreads its power over the eigenvalues of the signal covariance, which it
 * shares eigenvectors with. All quantities are first divided by the jammer's power, so that any scale is safe.
 */

/** Power above the floor per eigenvalue, and what it does. */
export interface NoiseAllocation {
  /** z_i - floor >= 0, sum = power. */
  readonly excess: Float64Array;
  /** sum log(1 + g_i / z_i) in nats, or sum z_i / (z_i + g_i). */
  readonly value: number;
  /** t: what a unit more of power takes from the rate, or adds to the error. */
  readonly multiplier: number;
  /** power max_i d_i - sum d_i excess_i with d_i the marginal effect of noise on eigenvalue i. */
  readonly gap: number;
}

const largestIterations = 200;

/**
 * min sum_i log(1 + g_i / z_i) over z_i >= floor, sum (z_i - floor) = power. KKT: g_i / (z_i (z_i + g_i)) = t above
 * the floor (Diggavi and Cover, "The worst additive noise under a covariance constraint", IEEE Trans. Inf. Theory
 * 47(7), 2001). With y = 1 / t the excess w_i is the root of w^2 + (2 floor + g_i) w = g_i (y - y_i), where y_i =
 * floor (1 + floor / g_i) is where eigenvalue i joins. The unknown is x = y - min y_i > 0, in log x: a bracket of
 * ratio n^2 is known, Newton on log sum w_i inside it. Written in x nothing cancels, however small the power.
 *
 * @param g eigenvalues >= 0, at least one > 0; zeros get no power (and count no rate)
 * @param power > 0
 */
export function rateAllocation(g: Float64Array, floor: number, power: number): NoiseAllocation {
  const n = g.length;
  let strongest = 0;
  let support = 0;
  for (const value of g) {
    strongest = Math.max(strongest, value);
    if (value > 0) support++;
  }
  const s = floor / power;
  const top = strongest / power;
  const excess = new Float64Array(n);
  const delays = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const a = g[i]! / strongest;
    delays[i] = a > 0 && a < 1 ? s * (s / top) * ((1 - a) / a) : 0;
  }

  const b1 = 2 * s + top;
  let low = Math.log(1 / support) + Math.log((1 / support + b1) / top);
  let high = Math.log((1 + b1) / top);
  let u = high;
  let total = 0;
  for (let iteration = 0; iteration < largestIterations; iteration++) {
    const x = Math.exp(u);
    total = 0;
    let slope = 0;
    for (let i = 0; i < n; i++) {
      const gain = g[i]! / power;
      const c = gain > 0 ? gain * (x - delays[i]!) : 0;
      if (!(c > 0)) {
        excess[i] = 0;
        continue;
      }
      const root = Math.hypot(2 * s + gain, 2 * Math.sqrt(c));
      excess[i] = (2 * c) / (2 * s + gain + root);
      total += excess[i]!;
      slope += gain / root;
    }
    if (Math.abs(total - 1) <= 4e-16) break;
    if (total > 1) high = u;
    else low = u;
    // Newton lands outside the bracket only near kinks; after 30 steps halving finishes within rounding.
    let next = u - (total * Math.log(total)) / (x * slope);
    if (!(next > low && next < high) || iteration > 30) next = low + (high - low) / 2;
    if (next === u || next === low || next === high) break;
    u = next;
  }
  let value = 0;
  let largest = 0;
  const marginal = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    excess[i] = excess[i]! / total;
    const gain = g[i]! / power;
    if (gain === 0) continue;
    const z = s + excess[i]!;
    value += Math.log1p(gain / z);
    marginal[i] = 1 / (z * (1 + z / gain));
    largest = Math.max(largest, marginal[i]!);
  }
  const t = 1 / (s * (1 + s / top) + Math.exp(u));
  return {
    excess: scaled(excess, power),
    value,
    multiplier: t / power,
    gap: slack(marginal, excess, largest),
  };
}

/**
 * max sum_i z_i / (z_i + g_i) under the same constraints: z_i = max(floor, sqrt(g_i / t) - g_i). With q = 1 /
 * sqrt(t) the excess is sqrt(g_i) (q - q_i), q_i = (g_i + floor) / sqrt(g_i), which is filled like water,
 * exactly. Eigenvalues of 0 count 1 each whatever their noise.
 *
 * @param g as for {@link rateAllocation}
 */
export function errorAllocation(g: Float64Array, floor: number, power: number): NoiseAllocation {
  const n = g.length;
  const s = floor / power;
  const roots = g.map((value) => Math.sqrt(value / power));
  const supported = Array.from(roots.keys()).filter((i) => roots[i]! > 0);
  const order = supported.sort((i, j) => threshold(roots[i]!, s) - threshold(roots[j]!, s));
  const first = roots[order[0]!]!;
  // q_i - q_first, written so that nothing cancels but the roots themselves
  const delay = (root: number): number => (root === first ? 0 : (root - first) * (1 - s / first / root));

  let weights = 0;
  let moments = 1;
  let level = 0;
  for (const [position, i] of order.entries()) {
    const root = roots[i]!;
    weights += root;
    moments += root * delay(root);
    level = moments / weights;
    const next = order[position + 1];
    if (next === undefined || delay(roots[next]!) >= level) break;
  }
  const excess = new Float64Array(n);
  let total = 0;
  for (const i of order) {
    excess[i] = Math.max(0, roots[i]! * (level - delay(roots[i]!)));
    total += excess[i]!;
  }
  let value = n - order.length;
  let largest = 0;
  const marginal = new Float64Array(n);
  for (const i of order) {
    excess[i] = excess[i]! / total;
    const gain = roots[i]! ** 2;
    const z = s + excess[i]!;
    value += z / (z + gain);
    marginal[i] = gain / (z + gain) / (z + gain);
    largest = Math.max(largest, marginal[i]!);
  }
  const q = threshold(first, s) + level;
  return {
    excess: scaled(excess, power),
    value,
    multiplier: 1 / q / q / power,
    gap: slack(marginal, excess, largest),
  };
}

function threshold(root: number, s: number): number {
  return root + s / root;
}

function scaled(values: Float64Array, factor: number): Float64Array {
  return values.map((value) => value * factor);
}

/** largest - sum d_i w_i for sum w_i = 1, as a sum of terms >= 0. */
function slack(marginal: Float64Array, excess: Float64Array, largest: number): number {
  let sum = 0;
  for (let i = 0; i < excess.length; i++) sum += (largest - marginal[i]!) * excess[i]!;
  return sum;
}
