/** Reference forward and backward maps of the two trained modules of PFTT, to check a training stack against. */
import { Matrix } from "ml-matrix";
import type { RealMatrix } from "../bounds/index.ts";
import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  describe,
  InputError,
} from "../core/index.ts";
import { type Activation, activations } from "./activations.ts";

export interface LoraForwardOptions {
  /** x, dIn x n: a column per sample. */
  readonly input: RealMatrix;
  /** W, dOut x dIn, frozen. */
  readonly weight: RealMatrix;
  /** B, dOut x r. */
  readonly loraB: RealMatrix;
  /** A, r x dIn. */
  readonly loraA: RealMatrix;
  /** Numerator of the scale alpha/r. Default r: scale 1. */
  readonly alpha?: number;
}

export interface LoraBackwardOptions extends LoraForwardOptions {
  /** dL/dy, dOut x n. */
  readonly outputGradient: RealMatrix;
}

/** Derivatives of the loss. */
export interface LoraGradients {
  readonly input: Matrix;
  readonly loraB: Matrix;
  readonly loraA: Matrix;
}

export interface AdapterForwardOptions {
  /** h, d x n: a column per sample. */
  readonly input: RealMatrix;
  /** W_down, m x d. */
  readonly down: RealMatrix;
  /** W_up, d x m. */
  readonly up: RealMatrix;
  /** b_down, m numbers. Default 0. */
  readonly downBias?: ArrayLike<number>;
  /** b_up, d numbers. Default 0. */
  readonly upBias?: ArrayLike<number>;
  /** sigma; default "gelu". */
  readonly activation?: Activation;
}

export interface AdapterBackwardOptions extends AdapterForwardOptions {
  /** dL/dy, d x n. */
  readonly outputGradient: RealMatrix;
}

/** Derivatives of the loss. */
export interface AdapterGradients {
  readonly input: Matrix;
  readonly down: Matrix;
  readonly up: Matrix;
  readonly downBias: Float64Array;
  readonly upBias: Float64Array;
}

const loraNames = ["input", "weight", "loraB", "loraA", "alpha"];
const adapterNames = ["input", "down", "up", "downBias", "upBias", "activation"];
/** Products of four such numbers stay within double precision. */
const LARGEST = 1e75;
const activationNames: readonly Activation[] = ["relu", "gelu", "tanh"];

/**
 * y = W x + (alpha/r) B A x, dOut x n (Hu et al., "LoRA: low-rank adaptation of large language models", arXiv:2106.09685).
 *
 * @throws InputError on shapes that do not fit, or entries that are not finite or above 1e75 in modulus.
 */
export function loraForward(options: LoraForwardOptions): Matrix {
  checkOptions(options, "loraForward", loraNames);
  const { input, weight, loraB, loraA, scale } = readLora(options);
  return weight.mmul(input).add(loraB.mmul(loraA.mmul(input)).mul(scale));
}

/**
 * Derivatives of the loss with respect to x, B and A, from that with respect to y: with s = alpha/r,
 *
 *   dx = W^T dy + s A^T B^T dy,   dB = s dy (A x)^T,   dA = s B^T dy x^T.
 *
 * @throws InputError on shapes that do not fit, or entries that are not finite or above 1e75 in modulus.
 */
export function loraBackward(options: LoraBackwardOptions): LoraGradients {
  checkOptions(options, "loraBackward", [...loraNames, "outputGradient"]);
  const { input, weight, loraB, loraA, scale } = readLora(options);
  const gradient = readMatrix(options.outputGradient, "outputGradient", weight.rows, input.columns);
  const inner = loraB.transpose().mmul(gradient).mul(scale);
  return {
    input: weight.transpose().mmul(gradient).add(loraA.transpose().mmul(inner)),
    loraB: gradient.mmul(loraA.mmul(input).transpose()).mul(scale),
    loraA: inner.mmul(input.transpose()),
  };
}

/**
 * The bottleneck adapter y = h + W_up sigma(W_down h + b_down) + b_up, d x n (Houlsby et al., "Parameter-efficient transfer
 * learning for NLP", ICML 2019).
 *
 * @throws InputError on shapes that do not fit, or entries that are not finite or above 1e75 in modulus.
 */
export function adapterForward(options: AdapterForwardOptions): Matrix {
  checkOptions(options, "adapterForward", adapterNames);
  const { input, up, upBias, bottleneck, activation } = readAdapter(options);
  const hidden = mapped(bottleneck, activations[activation].value);
  return addToColumns(up.mmul(hidden), upBias).add(input);
}

/**
 * Derivatives of the loss with respect to h, the matrices and the biases, from that with respect to y: with
 * z = W_down h + b_down and dz = sigma'(z) * (W_up^T dy),
 *
 *   dh = dy + W_down^T dz,   dW_up = dy sigma(z)^T,   dW_down = dz h^T,   db = row sums of dz and of dy.
 *
 * @throws InputError on shapes that do not fit, or entries that are not finite or above 1e75 in modulus.
 */
export function adapterBackward(options: AdapterBackwardOptions): AdapterGradients {
  checkOptions(options, "adapterBackward", [...adapterNames, "outputGradient"]);
  const { input, down, up, bottleneck, activation } = readAdapter(options);
  const gradient = readMatrix(options.outputGradient, "outputGradient", input.rows, input.columns);
  const { value, slope } = activations[activation];
  const inner = up.transpose().mmul(gradient).mul(mapped(bottleneck, slope));
  return {
    input: down.transpose().mmul(inner).add(gradient),
    down: inner.mmul(input.transpose()),
    up: gradient.mmul(mapped(bottleneck, value).transpose()),
    downBias: Float64Array.from(inner.sum("row")),
    upBias: Float64Array.from(gradient.sum("row")),
  };
}

function readLora(options: LoraForwardOptions): {
  readonly input: Matrix;
  readonly weight: Matrix;
  readonly loraB: Matrix;
  readonly loraA: Matrix;
  readonly scale: number;
} {
  const weight = readMatrix(options.weight, "weight");
  const loraA = readMatrix(options.loraA, "loraA", undefined, weight.columns);
  const loraB = readMatrix(options.loraB, "loraB", weight.rows, loraA.rows);
  const input = readMatrix(options.input, "input", weight.columns);
  const scale = checkNumber(options.alpha ?? loraA.rows, "alpha", -LARGEST, LARGEST) / loraA.rows;
  return { input, weight, loraB, loraA, scale };
}

function readAdapter(options: AdapterForwardOptions): {
  readonly input: Matrix;
  readonly down: Matrix;
  readonly up: Matrix;
  readonly upBias: ArrayLike<number>;
  /** W_down h + b_down */
  readonly bottleneck: Matrix;
  readonly activation: Activation;
} {
  const down = readMatrix(options.down, "down");
  const { rows: width, columns: size } = down;
  const up = readMatrix(options.up, "up", size, width);
  const input = readMatrix(options.input, "input", size);
  const downBias = checkNumbers(
    options.downBias ?? new Float64Array(width),
    "downBias",
    width,
    -LARGEST,
    LARGEST,
  );
  const upBias = checkNumbers(options.upBias ?? new Float64Array(size), "upBias", size, -LARGEST, LARGEST);
  const activation = checkChoice(options.activation ?? "gelu", "activation", activationNames);
  return { input, down, up, upBias, bottleneck: addToColumns(down.mmul(input), downBias), activation };
}

/** A copy. @throws InputError on other shapes than the one asked for, or entries that are not finite or above 1e75. */
function readMatrix(value: RealMatrix, field: string, rows?: number, columns?: number): Matrix {
  const wanted = `a matrix of ${rows ?? "any number of"} rows and ${columns ?? "any number of"} columns`;
  if (value === null || typeof value !== "object") throw new InputError(field, describe(value), wanted);
  const isRows = Array.isArray(value);
  const source = value as Exclude<RealMatrix, readonly ArrayLike<number>[]>;
  const lines = value as readonly ArrayLike<number>[];
  if (!isRows && typeof source.get !== "function") throw new InputError(field, describe(value), wanted);
  const height = isRows ? lines.length : checkInteger(source.rows, `${field}.rows`);
  const width = isRows ? (lines[0]?.length ?? 0) : checkInteger(source.columns, `${field}.columns`);
  if (!(height > 0 && width > 0) || height !== (rows ?? height) || width !== (columns ?? width)) {
    throw new InputError(field, `${height} x ${width}`, wanted);
  }
  const out = new Matrix(height, width);
  for (let i = 0; i < height; i++) {
    if (isRows) checkNumbers(lines[i], `${field}[${i}]`, width, -LARGEST, LARGEST);
    for (let j = 0; j < width; j++) {
      const entry = isRows ? lines[i]![j]! : source.get(i, j);
      checkNumber(entry, `${field}[${i}][${j}]`, -LARGEST, LARGEST);
      out.set(i, j, entry);
    }
  }
  return out;
}

function mapped(matrix: Matrix, of: (x: number) => number): Matrix {
  const out = new Matrix(matrix.rows, matrix.columns);
  for (let i = 0; i < out.rows; i++) {
    for (let j = 0; j < out.columns; j++) out.set(i, j, of(matrix.get(i, j)));
  }
  return out;
}

/** In place. */
function addToColumns(matrix: Matrix, vector: ArrayLike<number>): Matrix {
  for (let i = 0; i < matrix.rows; i++) {
    for (let j = 0; j < matrix.columns; j++) matrix.set(i, j, matrix.get(i, j) + vector[i]!);
  }
  return matrix;
}
