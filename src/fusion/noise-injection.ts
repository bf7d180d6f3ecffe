import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkSeed,
  describe,
  InputError,
  randomStream,
} from "../core/index.ts";
import {
  checkFinite,
  firstNonFinite,
  matchNames,
  type NamePatterns,
  type ParameterInput,
  type ParameterSet,
  readParameters,
  type Tensors,
} from "../core/parameters.ts";
import type { ComplexMatrix } from "../linalg/index.ts";

export interface NoiseInjectionOptions {
  /** tau_t, one per user. */
  readonly taskVectors: readonly ParameterInput[];
  /** MSE_t >= 0 of a symbol of unit power: one per user, or one for all. */
  readonly mse: number | ArrayLike<number>;
  /**
   * c_t: "relative" (default) the mean square of tau_t over the entries that get noise, as a link sends them at unit
   * power; "absolute" 1.
   */
  readonly scale?: "relative" | "absolute";
  /** Tensors without noise; they may be missing already. */
  readonly frozen?: NamePatterns;
  readonly seed: number;
}

export interface NoisyTaskVectors {
  /** tau_t + n_t, in the array types of tau_t. */
  readonly taskVectors: readonly ParameterSet[];
  /** c_t MSE_t: the variance of every entry of n_t. */
  readonly variances: Float64Array;
}

/**
 * Task vectors as received: tau_t + n_t, n_t normal of variance c_t MSE_t per entry, independent over users, tensors and
 * entries (model: docs/task-fusion.md, section 2). The numbers of a tensor depend on seed, user and name only.
 *
 * @throws InputError on tensors that are not finite, an MSE below 0, or noise that overflows.
 */
export function injectNoise(options: NoiseInjectionOptions): NoisyTaskVectors {
  checkOptions(options, "injectNoise", ["taskVectors", "mse", "scale", "frozen", "seed"]);
  const relative = checkChoice(options.scale ?? "relative", "scale", ["relative", "absolute"]) === "relative";
  const seed = checkSeed(options.seed);
  const list: unknown = options.taskVectors;
  if (!Array.isArray(list) || list.length === 0) {
    throw new InputError("taskVectors", describe(list), "an array of task vectors, at least one");
  }
  const mse = checkMse(options.mse, list.length);
  const variances = new Float64Array(list.length);
  const taskVectors = Array.from(list, (vector: unknown, t) => {
    const tensors = readParameters(vector, `taskVectors[${t}]`);
    const masked = matchNames(tensors, options.frozen, "frozen", true);
    checkFinite(tensors, `taskVectors[${t}]`, masked);
    variances[t] = mse[t]! * (relative ? meanSquare(tensors, masked) : 1);
    return addNoise(tensors, masked, variances[t]!, seed, t);
  });
  return { taskVectors, variances };
}

/**
 * MSE per symbol of an error covariance E_q (N_s x N_s, Hermitian, of symbols of unit power): tr(E_q) / N_s; a number
 * is taken for that mean itself. `unbiased`: of the estimates scaled so that they hold the symbol with factor 1, mean of
 * e_i / (1 - e_i) over the diagonal, which is what is left as noise when the shrinkage of the MMSE receiver is undone.
 *
 * @throws InputError unless the diagonal is finite and >= 0, with `unbiased` < 1.
 */
export function mseFromErrorCovariance(
  covariance: ComplexMatrix | number,
  options: { readonly unbiased?: boolean } = {},
): number {
  checkOptions(options, "mseFromErrorCovariance", ["unbiased"]);
  const unbiased: unknown = options.unbiased ?? false;
  if (typeof unbiased !== "boolean") throw new InputError("unbiased", describe(unbiased), "true or false");
  const diagonal = typeof covariance === "number" ? [covariance] : diagonalOf(covariance);
  let sum = 0;
  diagonal.forEach((e, i) => {
    const field = typeof covariance === "number" ? "covariance" : `covariance[${i}, ${i}]`;
    checkNumber(e, field, 0);
    if (unbiased && e >= 1) {
      throw new InputError(field, String(e), "an error below 1: nothing of the symbol is left to scale");
    }
    sum += unbiased ? e / (1 - e) : e;
  });
  return sum / diagonal.length;
}

/**
 * exp(-R_q / N_s): the smallest MSE per symbol that a rate of R_q nats over N_s streams allows, because
 * R_q = -log det E_q and tr(E)/N_s >= (det E)^(1/N_s); reached where all streams have the same error.
 *
 * @throws InputError on a rate below 0 or a number of streams that is not whole.
 */
export function mseFromRate(rate: number, streams: number): number {
  return Math.exp(-checkNumber(rate, "rate", 0) / checkInteger(streams, "streams", 1));
}

function diagonalOf(matrix: ComplexMatrix): number[] {
  const { rows, cols, data } = matrix ?? {};
  if (!(rows > 0) || rows !== cols || data?.length !== 2 * rows * cols) {
    throw new InputError("covariance", describe(matrix), "a square complex matrix, or a number");
  }
  return Array.from({ length: rows }, (_, i) => data[2 * i * (rows + 1)]!);
}

function addNoise(
  tensors: Tensors,
  masked: ReadonlySet<string>,
  variance: number,
  seed: number,
  user: number,
): ParameterSet {
  const deviation = Math.sqrt(variance);
  return Object.fromEntries(
    [...tensors].map(([name, tensor]) => {
      const out = tensor.slice();
      if (masked.has(name) || deviation === 0) return [name, out];
      const stream = randomStream(seed, "task-noise", user, name);
      for (let i = 0; i < out.length; i++) out[i]! += deviation * stream.normal();
      if (firstNonFinite(out) >= 0) {
        throw new InputError("mse", `noise that overflows "${name}" of user ${user}`, "finite results");
      }
      return [name, out];
    }),
  );
}

function checkMse(value: number | ArrayLike<number>, users: number): ArrayLike<number> {
  if (typeof value === "number") return new Float64Array(users).fill(checkNumber(value, "mse", 0));
  return checkNumbers(value, "mse", users, 0);
}

function meanSquare(tensors: Tensors, masked: ReadonlySet<string>): number {
  let [sum, count] = [0, 0];
  for (const [name, tensor] of tensors) {
    if (masked.has(name)) continue;
    for (let i = 0; i < tensor.length; i++) sum += tensor[i]! ** 2;
    count += tensor.length;
  }
  return count === 0 ? 0 : sum / count;
}
