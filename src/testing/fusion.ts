import {
  type FusionOptions,
  fuse,
  type JammingObjective,
  type MmseSicErrors,
  maskedNames,
  type NamePatterns,
  type ParameterSet,
  type WorstCaseNoise,
} from "../fusion/index.ts";
import {
  add,
  type ComplexMatrix,
  choleskySolve,
  conjugateTranspose,
  eigHermitian,
  frobeniusNorm,
  hermitianPart,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  scale,
  subtract,
} from "../linalg/index.ts";

/** What the jammer of a {@link WorstCaseNoise} was given. */
export interface JammerBudget {
  /** tr J, or tr Z - n floor. */
  readonly power: number;
  /** Thermal noise per antenna; default 0. */
  readonly floor?: number;
  /** G_J, n x m; default identity. */
  readonly jammerChannel?: ComplexMatrix;
}

/**
 * How far a noise covariance is from what its jammer can make: the largest of |tr J - power| / power, ||Z - floor I -
 * G_J J G_J^H||_F / ||Z||_F, and the most negative eigenvalue of J over the power. A power of 0 counts as 1.
 */
export function jammerBudgetResidual(
  { covariance, jamming }: Pick<WorstCaseNoise, "covariance" | "jamming">,
  { power, floor = 0, jammerChannel }: JammerBudget,
): number {
  const unit = power > 0 ? power : 1;
  const values = Array.from(eigHermitian(hermitianPart(jamming)).values);
  const spent = values.reduce((sum, value) => sum + value, 0);
  const arrives = jammerChannel === undefined ? jamming : congruence(jammerChannel, jamming);
  const expected = add(arrives, scale(identity(covariance.rows), floor));
  return Math.max(
    Math.abs(spent - power) / unit,
    frobeniusNorm(subtract(covariance, expected)) / (frobeniusNorm(covariance) || 1),
    -Math.min(0, ...values) / unit,
  );
}

/**
 * Karush-Kuhn-Tucker residual of a worst-case noise, in [0, 1]: 1 - tr RJ / (power lambda_max(R)), R = G_J^H D G_J, with
 * D = Z^-1 - (Z + Gamma)^-1 of the sum rate or D = (Z + Gamma)^-1 Gamma (Z + Gamma)^-1 of the errors. 0 where the jammer
 * spends all its power in the directions that cost most (docs/worst-case-noise.md, section 3). Z must be positive
 * definite.
 *
 * @param signal Gamma, n x n: the sum of the signal covariances
 */
export function jammerOptimalityResidual(
  { covariance, jamming }: Pick<WorstCaseNoise, "covariance" | "jamming">,
  signal: ComplexMatrix,
  { power, jammerChannel }: JammerBudget,
  objective: Exclude<JammingObjective, "strongest-user"> = "sum-rate",
): number {
  const total = hermitianPart(add(covariance, signal));
  // D = Z^-1 Gamma (Z + Gamma)^-1, without the cancellation of the difference
  const right = choleskySolve(total, signal);
  const weights = choleskySolve(objective === "mse" ? total : covariance, conjugateTranspose(right));
  const gradient = hermitianPart(
    jammerChannel === undefined
      ? weights
      : multiplyConjugateLeft(jammerChannel, multiply(weights, jammerChannel)),
  );
  const values = eigHermitian(gradient).values;
  const best = power * values[values.length - 1]!;
  if (!(best > 0)) return 0;
  let spent = 0;
  for (let i = 0; i < gradient.data.length; i++) spent += gradient.data[i]! * jamming.data[i]!;
  return Math.max(0, 1 - spent / best);
}

/**
 * How far errors and rates of successive cancellation are from R_q = -log det E_q and tr(E_q) / s_q >= exp(-R_q / s_q):
 * the largest of |R_q + log det E_q| / (1 + R_q) and of what the mean is below its bound, relative.
 */
export function errorRateResidual({ errors, rates }: Pick<MmseSicErrors, "errors" | "rates">): number {
  let worst = 0;
  for (const [q, error] of errors.entries()) {
    const values = Array.from(eigHermitian(hermitianPart(error)).values);
    const logDet = values.reduce((sum, value) => sum + Math.log(value), 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const bound = Math.exp(-rates[q]! / values.length);
    worst = Math.max(worst, Math.abs(rates[q]! + logDet) / (1 + rates[q]!), (bound - mean) / bound);
  }
  return worst;
}

/**
 * How far fusion is from linear in its coefficients: the largest entry of fuse(a) + fuse(b) - base - fuse(a + b) over
 * what is not frozen, relative to the largest entry of its terms. At the rounding of the array types of the base.
 *
 * @param other b, one per task; `coefficients` is a
 */
export function fusionLinearityResidual(options: FusionOptions, other: ArrayLike<number>): number {
  const first = Array.from(other, (_, t) =>
    typeof options.coefficients === "number" ? options.coefficients : options.coefficients[t]!,
  );
  const at = (coefficients: readonly number[]): ParameterSet => fuse({ ...options, coefficients });
  const [a, b, base] = [at(first), at(Array.from(other)), at(first.map(() => 0))];
  const sum = at(first.map((x, t) => x + other[t]!));
  const frozen = new Set(options.frozen === undefined ? [] : maskedNames(base, options.frozen));
  let [worst, largest] = [0, 0];
  for (const name of Object.keys(base)) {
    if (frozen.has(name)) continue;
    for (let i = 0; i < base[name]!.length; i++) {
      const terms = [a[name]![i]!, b[name]![i]!, base[name]![i]!, sum[name]![i]!] as const;
      worst = Math.max(worst, Math.abs(terms[0] + terms[1] - terms[2] - terms[3]));
      largest = Math.max(largest, ...terms.map(Math.abs));
    }
  }
  return largest === 0 ? 0 : worst / largest;
}

/** Bytes of the tensors that the patterns match which are not the same in both sets; missing ones count in full. */
export function changedBytes(before: ParameterSet, after: ParameterSet, frozen: NamePatterns): number {
  let changed = 0;
  for (const name of maskedNames(before, frozen)) {
    const [a, b] = [bytes(before[name]), bytes(after[name])];
    for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) changed++;
  }
  return changed;
}

function bytes(tensor: ParameterSet[string] | undefined): Uint8Array {
  if (tensor === undefined) return new Uint8Array(0);
  return new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength);
}

/** g j g^H */
function congruence(g: ComplexMatrix, j: ComplexMatrix): ComplexMatrix {
  return hermitianPart(multiplyConjugateRight(multiply(g, j), g));
}
