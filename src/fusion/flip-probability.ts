import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkSeed,
  InputError,
  randomStream,
  renameField,
} from "../core/index.ts";
import { qfunc } from "../core/qfunc.ts";
import { type ComplexMatrix, eigHermitian } from "../linalg/index.ts";
import { argMax } from "./model-outputs.ts";

export interface FlipOptions {
  /** Outputs of one sample without noise, at least two. */
  readonly outputs: ArrayLike<number>;
  /**
   * Covariance of their normal noise: one variance, one per output, or the full symmetric positive semidefinite matrix,
   * row-major (J Sigma J^T, as `outputCovariances` gives it).
   */
  readonly covariance: number | ArrayLike<number>;
  /** "bounds" (default) gives bounds, which meet for two outputs; "monte-carlo" draws besides. */
  readonly method?: "bounds" | "monte-carlo";
  /** Draws, default 10000. */
  readonly draws?: number;
  /** For the draws; default 0. */
  readonly seed?: number;
}

export interface FlipProbability {
  /** Exact, the upper bound, or the share of the draws, as `kind` says. */
  readonly probability: number;
  readonly kind: "exact" | "upper-bound" | "monte-carlo";
  /** max_j Q(d_j/s_j): at least one of the others wins. */
  readonly lower: number;
  /** min(1, sum_j Q(d_j/s_j)): union bound. */
  readonly upper: number;
  /** Of the draws; 0 otherwise. */
  readonly standardError: number;
}

/**
 * Probability that normal noise on the outputs changes their arg max. With the winner w, d_j = o_w - o_j and
 * s_j^2 = C_ww + C_jj - 2 C_wj the noise lets j pass w with probability Q(d_j/s_j), which is exact for two outputs.
 *
 * @throws InputError on sizes that do not fit, or a matrix that is not symmetric positive semidefinite (to 1e-8).
 */
export function flipProbability(options: FlipOptions): FlipProbability {
  checkOptions(options, "flipProbability", ["outputs", "covariance", "method", "draws", "seed"]);
  const outputs = checkNumbers(options.outputs, "outputs");
  const n = outputs.length;
  if (n < 2) throw new InputError("outputs", `${n}`, "two outputs at least");
  const covariance = readMatrix(options.covariance, n);
  const method = checkChoice(options.method ?? "bounds", "method", ["bounds", "monte-carlo"]);
  const draws = checkInteger(options.draws ?? 10_000, "draws", 2);
  const seed = checkSeed(options.seed ?? 0);
  const winner = argMax(outputs);
  let [lower, sum] = [0, 0];
  for (let j = 0; j < n; j++) {
    if (j === winner) continue;
    const own = covariance[winner * n + winner]! + covariance[j * n + j]!;
    const variance = own - covariance[winner * n + j]! - covariance[j * n + winner]!;
    // a difference without noise but for rounding never changes
    if (variance <= 1e-14 * own) continue;
    const passes = qfunc((outputs[winner]! - outputs[j]!) / Math.sqrt(variance));
    lower = Math.max(lower, passes);
    sum += passes;
  }
  const upper = Math.min(1, sum);
  const factor = squareRoot(covariance, n);
  if (n === 2) return { probability: upper, kind: "exact", lower, upper, standardError: 0 };
  if (method === "bounds") return { probability: upper, kind: "upper-bound", lower, upper, standardError: 0 };
  const probability = drawFlips(outputs, factor, winner, draws, seed);
  const standardError = Math.sqrt((probability * (1 - probability)) / (draws - 1));
  return { probability, kind: "monte-carlo", lower, upper, standardError };
}

function drawFlips(
  outputs: ArrayLike<number>,
  factor: Float64Array,
  winner: number,
  draws: number,
  seed: number,
): number {
  const n = outputs.length;
  const stream = randomStream(seed, "flips");
  const normals = new Float64Array(n);
  const noisy = new Float64Array(n);
  let flips = 0;
  for (let draw = 0; draw < draws; draw++) {
    for (let i = 0; i < n; i++) normals[i] = stream.normal();
    for (let i = 0; i < n; i++) {
      noisy[i] = outputs[i]!;
      for (let j = 0; j < n; j++) noisy[i]! += factor[i * n + j]! * normals[j]!;
    }
    if (argMax(noisy) !== winner) flips++;
  }
  return flips / draws;
}

function readMatrix(value: number | ArrayLike<number>, n: number): Float64Array {
  const matrix = new Float64Array(n * n);
  if (typeof value === "number") {
    checkNumber(value, "covariance", 0);
    for (let i = 0; i < n; i++) matrix[i * (n + 1)] = value;
    return matrix;
  }
  const list = checkNumbers(value, "covariance");
  if (list.length === n) {
    checkNumbers(value, "covariance", n, 0);
    for (let i = 0; i < n; i++) matrix[i * (n + 1)] = list[i]!;
    return matrix;
  }
  if (list.length !== n * n) {
    throw new InputError("covariance", `${list.length} numbers`, `1, ${n} or ${n * n} of them`);
  }
  matrix.set(list);
  return matrix;
}

/** V diag(sqrt(values)) V^H, which is real: its product with white normals has the matrix as covariance. */
function squareRoot(matrix: Float64Array, n: number): Float64Array {
  const data = new Float64Array(2 * n * n);
  for (let i = 0; i < n * n; i++) data[2 * i] = matrix[i]!;
  const whole: ComplexMatrix = { rows: n, cols: n, data };
  const { values, vectors } = renameField(
    () => "covariance",
    () => eigHermitian(whole),
  );
  const largest = Math.max(0, values[n - 1]!);
  if (values[0]! < -1e-8 * largest) {
    throw new InputError("covariance", `an eigenvalue ${values[0]}`, "a positive semidefinite matrix");
  }
  const out = new Float64Array(n * n);
  for (let s = 0; s < n; s++) {
    const root = Math.sqrt(Math.max(0, values[s]!));
    for (let i = 0; i < n; i++) {
      const [re, im] = [vectors.data[2 * (i * n + s)]!, vectors.data[2 * (i * n + s) + 1]!];
      for (let j = 0; j < n; j++) {
        const at = 2 * (j * n + s);
        out[i * n + j]! += root * (re * vectors.data[at]! + im * vectors.data[at + 1]!);
      }
    }
  }
  return out;
}
