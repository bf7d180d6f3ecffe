/** What the jammer's problem is worth at a given J, and a bound on what is left to gain that holds at every J. */
import { InputError } from "../core/index.ts";
import {
  type ComplexMatrix,
  choleskySolve,
  conjugateTranspose,
  eigHermitian,
  frobeniusNorm,
  hermitianPart,
  identity,
  logDet,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
} from "../linalg/index.ts";
import { addDiagonal, columnsFrom, innerProduct, realTrace } from "./covariance.ts";
import { combine } from "./worst-case-newton.ts";

/**
 * min f(J) over J >= 0 (r x r), tr J = power, with N = base + channel J channel^H and signal = factor factor^H:
 * "rate": log det(I + N^-1 signal); "error": -tr (I + factor^H N^-1 factor)^-1.
 */
export interface JammingProblem {
  readonly kind: "rate" | "error";
  /** n x n, positive semidefinite; base + channel channel^H positive definite. */
  readonly base: ComplexMatrix;
  /** n x r of full column rank. */
  readonly channel: ComplexMatrix;
  /** n x k. */
  readonly factor: ComplexMatrix;
  /** > 0. */
  readonly power: number;
}

/** f, and R and S of the second-order model in the coordinates of a factor. */
export interface Model {
  readonly objective: number;
  /** -gradient: C^H channel^H D channel C. */
  readonly descent: ComplexMatrix;
  /** The Hessian is D -> R D S + S D R. */
  readonly curvature: ComplexMatrix;
  /** About what the rounding of N to doubles changes in f, to first order: 2^-52 ||N||_F tr D. */
  rounding(): number;
}

const unitRoundoff = 2 ** -52;

export interface Certificate {
  readonly objective: number;
  readonly gap: number;
  readonly multiplier: number;
}

/**
 * objective at J = C C^H and what it may lie above the minimum, for tr J = problem.power. f is convex, so f(J')
 * >= f(J) - tr R (J' - J) with R = channel^H D channel, and tr R J' <= power lambda_max(R): the gap is power
 * lambda_max(R) - tr R J, and what rounding may have done to f itself: where N is far from white, that is more.
 */
export function certify(problem: JammingProblem, factor: ComplexMatrix, objective: number): Certificate {
  const full = evaluate(problem, factor, identity(problem.channel.cols));
  if (full === undefined) return { objective, gap: Number.POSITIVE_INFINITY, multiplier: 0 };
  const { values } = eigHermitian(full.descent);
  const multiplier = Math.max(0, values[values.length - 1]!);
  const spent = innerProduct(full.descent, hermitianPart(multiplyConjugateRight(factor, factor)));
  const left = Math.max(0, problem.power * multiplier - spent);
  return { objective, gap: left + full.rounding(), multiplier };
}

/** f at J = C C^H with R and S in the coordinates of `frame`; undefined if N is singular. */
export function evaluate(
  problem: JammingProblem,
  factor: ComplexMatrix,
  frame: ComplexMatrix,
): Model | undefined {
  const { kind, base, channel, factor: signal } = problem;
  const received = multiply(channel, factor);
  const seen = multiply(channel, frame);
  const noise = hermitianPart(sum(base, multiplyConjugateRight(received, received)));
  const weights = (matrix: ComplexMatrix): [ComplexMatrix, ComplexMatrix] => {
    const solved = choleskySolve(matrix, beside(seen, signal));
    return [columnsFrom(solved, 0, seen.cols), columnsFrom(solved, seen.cols)];
  };
  try {
    const [whiteSeen, whiteSignal] = weights(noise);
    const gain = hermitianPart(multiplyConjugateLeft(signal, whiteSignal));
    addDiagonal(gain, 1);
    if (kind === "rate") {
      const cross = multiplyConjugateLeft(seen, whiteSignal);
      const descent = hermitianPart(multiply(cross, choleskySolve(gain, conjugateTranspose(cross))));
      const all = hermitianPart(multiplyConjugateLeft(seen, whiteSeen));
      return {
        objective: logDet(gain),
        descent,
        curvature: combine(all, descent, -0.5),
        rounding: () => {
          const inner = multiplyConjugateLeft(whiteSignal, whiteSignal);
          return unitRoundoff * frobeniusNorm(noise) * realTrace(choleskySolve(gain, inner));
        },
      };
    }
    const total = hermitianPart(sum(noise, multiplyConjugateRight(signal, signal)));
    const [totalSeen, totalSignal] = weights(total);
    const cross = multiplyConjugateLeft(seen, totalSignal);
    return {
      objective: -realTrace(choleskySolve(gain, identity(gain.rows))),
      descent: hermitianPart(multiplyConjugateRight(cross, cross)),
      curvature: hermitianPart(multiplyConjugateLeft(seen, totalSeen)),
      rounding: () => unitRoundoff * frobeniusNorm(noise) * frobeniusNorm(totalSignal) ** 2,
    };
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function sum(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  return combine(a, b, 1);
}

/** [a b] */
function beside(a: ComplexMatrix, b: ComplexMatrix): ComplexMatrix {
  const cols = a.cols + b.cols;
  const data = new Float64Array(2 * a.rows * cols);
  for (let i = 0; i < a.rows; i++) {
    data.set(a.data.subarray(2 * i * a.cols, 2 * (i + 1) * a.cols), 2 * i * cols);
    data.set(b.data.subarray(2 * i * b.cols, 2 * (i + 1) * b.cols), 2 * i * cols + 2 * a.cols);
  }
  return { rows: a.rows, cols, data };
}
