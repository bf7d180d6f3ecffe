import { Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import { checkInteger, checkOptions, checkSeed, InputError, randomStream } from "../core/index.ts";
import { energyOf, largestEntry, type RealMatrix, toMatrix } from "./real-matrix.ts";
import type { Spectrum } from "./spectrum.ts";

export interface EstimateSpectrumOptions {
  /** How many singular values are listed. Default: all for small matrices, 64 for large ones. */
  readonly rank?: number;
  /** Additional random directions of the range finder. Default 10. */
  readonly oversampling?: number;
  /** Multiplications by M M^T that sharpen the range. Default 2. */
  readonly powerIterations?: number;
  /** Default 1. */
  readonly seed?: number;
}

/** Up to this smaller dimension all singular values are computed. */
const SMALL = 256;
const LISTED_OF_LARGE = 64;

/**
 * The spectrum of a matrix such as a weight difference or a gradient: its largest singular values and the energy of the
 * others. Small matrices are decomposed completely; of large ones a seeded randomised range finder keeps the range of
 * rank + oversampling random directions (Halko, Martinsson, Tropp, SIAM Review 53(2):217-288, 2011, algorithms 4.4 and
 * 5.1). The values of those are never above the true ones and the listed values and the tail have exactly the energy of
 * the matrix, so a rank residual from them is never below the true one (docs/theory.md, section 2).
 *
 * @returns a spectrum of kind `values`, with `tail` where not all are listed
 * @throws InputError on an empty or ragged matrix, entries that are not finite or whose squares overflow, or options out of range.
 */
export function estimateSpectrum(
  matrix: RealMatrix,
  options: EstimateSpectrumOptions = {},
): Extract<Spectrum, { kind: "values" }> {
  checkOptions(options, "estimateSpectrum", ["rank", "oversampling", "powerIterations", "seed"]);
  const seed = checkSeed(options.seed ?? 1);
  const oversampling = checkInteger(options.oversampling ?? 10, "oversampling", 0, 1024);
  const powerIterations = checkInteger(options.powerIterations ?? 2, "powerIterations", 0, 100);
  const given = toMatrix(matrix, "matrix");
  const smaller = Math.min(given.rows, given.columns);
  const rank = checkInteger(
    options.rank ?? (smaller <= SMALL ? smaller : LISTED_OF_LARGE),
    "rank",
    1,
    smaller,
  );
  const scale = largestEntry(given);
  if (scale === 0) return { kind: "values", values: new Array<number>(rank).fill(0), tail: 0 };
  // the reciprocal of a subnormal number overflows
  if (Number.isFinite(1 / scale)) given.mul(1 / scale);
  else given.div(scale);
  if (!Number.isFinite(scale * Math.sqrt(energyOf(given)) * scale * Math.sqrt(energyOf(given)))) {
    throw new InputError("matrix", `entries up to ${scale}`, "entries whose sum of squares is below 1.8e308");
  }
  const directions = rank + oversampling;
  const isSmall = smaller <= SMALL || directions >= smaller;
  const { values, missed } = isSmall
    ? { values: decompose(given), missed: 0 }
    : sketched(given, directions, powerIterations, seed);
  return listed(values, missed, rank, scale, smaller);
}

/** The first values and the energy of the rest; fewer values where the rest would not fit below the last of them. */
function listed(
  values: readonly number[],
  missed: number,
  rank: number,
  scale: number,
  smaller: number,
): Extract<Spectrum, { kind: "values" }> {
  let tail = missed;
  for (let i = values.length - 1; i >= rank; i--) tail += values[i]! ** 2;
  let count = Math.min(rank, values.length);
  while (count > 0 && count < smaller && tail > (smaller - count) * values[count - 1]! ** 2) {
    count--;
    tail += values[count]! ** 2;
  }
  const result = values.slice(0, count).map((value) => scale * value);
  return count === smaller
    ? { kind: "values", values: result }
    : { kind: "values", values: result, tail: scale * (scale * tail) };
}

/** All singular values, descending. */
function decompose(matrix: Matrix): readonly number[] {
  return new SingularValueDecomposition(matrix, {
    computeLeftSingularVectors: false,
    computeRightSingularVectors: false,
    autoTranspose: true,
  }).diagonal;
}

/** Singular values of Q^T M, Q an orthonormal basis of (M M^T)^q M Omega, and ||M - Q Q^T M||^2. */
function sketched(
  matrix: Matrix,
  directions: number,
  powerIterations: number,
  seed: number,
): { readonly values: readonly number[]; readonly missed: number } {
  const stream = randomStream(seed, "spectrum");
  const start = new Matrix(matrix.columns, directions);
  for (let i = 0; i < matrix.columns; i++) {
    for (let j = 0; j < directions; j++) start.set(i, j, stream.normal());
  }
  const transposed = matrix.transpose();
  let range = orthonormal(matrix.mmul(start));
  for (let i = 0; i < powerIterations; i++)
    range = orthonormal(matrix.mmul(orthonormal(transposed.mmul(range))));
  const small = range.transpose().mmul(matrix);
  // the energy outside Q from the difference itself: ||M||^2 - ||Q^T M||^2 would cancel
  const missed = energyOf(Matrix.sub(matrix, range.mmul(small)));
  return { values: decompose(small), missed };
}

function orthonormal(tall: Matrix): Matrix {
  return new QrDecomposition(tall).orthogonalMatrix;
}
