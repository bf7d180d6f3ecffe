import { type ComplexJson, checkInteger, InputError, toComplexJson } from "../core/index.ts";

/** A complex matrix: row-major, interleaved (re, im), `data.length = 2 * rows * cols`. */
export interface ComplexMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/**
 * Equal-shaped complex matrices on one buffer. `shape` is `[...leading, rows, cols]`, for example
 * `[K, M, Nr, Nt]` for a channel; `at(k, m)` is a zero-copy view of one matrix.
 */
export class ComplexStack {
  readonly shape: readonly number[];
  /** Interleaved (re, im), row-major over the whole shape. */
  readonly data: Float64Array;
  readonly rows: number;
  readonly cols: number;
  /** Number of matrices. */
  readonly count: number;

  /** @throws InputError if the shape has fewer than two entries or does not fit the data. */
  constructor(shape: readonly number[], data?: Float64Array) {
    if (shape.length < 2) {
      throw new InputError("shape", `${shape.length} dimensions`, "at least two: [..., rows, cols]");
    }
    for (let i = 0; i < shape.length; i++) checkInteger(shape[i], `shape[${i}]`, 0);
    const size = 2 * shape.reduce((product, n) => product * n, 1);
    if (data !== undefined && data.length !== size) {
      throw new InputError(
        "data",
        `${data.length} numbers`,
        `${size} numbers for shape [${shape.join(", ")}]`,
      );
    }
    this.shape = Object.freeze([...shape]);
    this.data = data ?? new Float64Array(size);
    this.rows = shape[shape.length - 2]!;
    this.cols = shape[shape.length - 1]!;
    this.count = shape.slice(0, -2).reduce((product, n) => product * n, 1);
  }

  /** Zero-copy view of the matrix at the leading indices. @throws InputError outside the shape. */
  at(...index: readonly number[]): ComplexMatrix {
    const leading = this.shape.length - 2;
    if (index.length !== leading) {
      throw new InputError("index", `${index.length} indices`, `${leading}, one per leading dimension`);
    }
    let position = 0;
    for (let i = 0; i < leading; i++) {
      position = position * this.shape[i]! + checkInteger(index[i], `index[${i}]`, 0, this.shape[i]! - 1);
    }
    const size = 2 * this.rows * this.cols;
    return {
      rows: this.rows,
      cols: this.cols,
      data: this.data.subarray(position * size, (position + 1) * size),
    };
  }

  /** The JSON form of complex arrays: { shape, re, im }, flat and row-major. */
  toJSON(): ComplexJson {
    return toComplexJson(this);
  }

  /** A deep copy. */
  clone(): ComplexStack {
    return new ComplexStack(this.shape, this.data.slice());
  }
}
