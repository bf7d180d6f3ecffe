import { checkNumber, checkNumbers, describe, InputError, renameField } from "../core/index.ts";
import { type Layout, readParameters, type Tensors, tensorField } from "../core/parameters.ts";
import { type ComplexMatrix, cholesky } from "../linalg/index.ts";

/**
 * Covariance of the noise on the entries that are not frozen: one variance; one per tensor; one per entry; or a full
 * real symmetric positive definite matrix, row-major, entries in the order of the base and of its tensors.
 */
export type EntryCovariance =
  | number
  | { readonly perTensor: Readonly<Record<string, number>> }
  | { readonly diagonal: Readonly<Record<string, Float32Array | Float64Array>> }
  | { readonly full: ArrayLike<number> };

/** Sigma = diag(variances), or lower lower^T. */
export type Factored =
  | { readonly kind: "diagonal"; readonly variances: Float64Array }
  | { readonly kind: "full"; readonly lower: Float64Array };

/**
 * @param positive refuse variances of 0, where the inverse is needed
 * @throws InputError naming tensor and entry; on a full matrix that is not symmetric positive definite.
 */
export function readCovariance(
  value: EntryCovariance,
  field: string,
  layout: Layout,
  positive: boolean,
): Factored {
  if (typeof value === "number") {
    return {
      kind: "diagonal",
      variances: new Float64Array(layout.size).fill(variance(value, field, positive)),
    };
  }
  if (value === null || typeof value !== "object" || Object.keys(value).length !== 1) {
    throw unknownForm(value, field);
  }
  if ("full" in value) return { kind: "full", lower: realCholesky(value.full, layout.size, `${field}.full`) };
  const variances = new Float64Array(layout.size);
  if ("perTensor" in value) {
    const scalars = value.perTensor;
    if (scalars === null || typeof scalars !== "object") throw unknownForm(value, field);
    checkNames(Object.keys(scalars), layout, `${field}.perTensor`);
    for (const { name, offset, length } of layout.segments) {
      const own = Object.hasOwn(scalars, name) ? scalars[name] : undefined;
      variances.fill(
        variance(own, tensorField(`${field}.perTensor`, name), positive),
        offset,
        offset + length,
      );
    }
  } else if ("diagonal" in value) {
    const tensors: Tensors = readParameters(value.diagonal, `${field}.diagonal`);
    checkNames(tensors.keys(), layout, `${field}.diagonal`);
    for (const { name, offset, length } of layout.segments) {
      const where = tensorField(`${field}.diagonal`, name);
      const list = checkNumbers(tensors.get(name), where, length);
      for (let i = 0; i < length; i++) variances[offset + i] = variance(list[i], `${where}[${i}]`, positive);
    }
  } else throw unknownForm(value, field);
  return { kind: "diagonal", variances };
}

/** x^T Sigma^{-1} y. */
export function innerInverse(covariance: Factored, x: Float64Array, y: Float64Array): number {
  let sum = 0;
  if (covariance.kind === "diagonal") {
    for (let i = 0; i < x.length; i++) sum += (x[i]! * y[i]!) / covariance.variances[i]!;
    return sum;
  }
  const [u, v] = [whiten(covariance.lower, x), whiten(covariance.lower, y)];
  for (let i = 0; i < u.length; i++) sum += u[i]! * v[i]!;
  return sum;
}

/** lower^{-1} x by forward substitution. */
function whiten(lower: Float64Array, x: Float64Array): Float64Array {
  const n = x.length;
  const out = x.slice();
  for (let i = 0; i < n; i++) {
    let sum = out[i]!;
    for (let j = 0; j < i; j++) sum -= lower[i * n + j]! * out[j]!;
    out[i] = sum / lower[i * n + i]!;
  }
  return out;
}

/** Lower factor of a real symmetric positive definite matrix, through the complex one of linalg. */
export function realCholesky(value: ArrayLike<number>, size: number, field: string): Float64Array {
  const list = checkNumbers(value, field, size * size);
  const data = new Float64Array(2 * size * size);
  for (let i = 0; i < size * size; i++) data[2 * i] = list[i]!;
  const matrix: ComplexMatrix = { rows: size, cols: size, data };
  const lower = renameField(
    () => field,
    () => cholesky(matrix),
  );
  return Float64Array.from({ length: size * size }, (_, i) => lower.data[2 * i]!);
}

function variance(value: unknown, field: string, positive: boolean): number {
  const checked = checkNumber(value, field, 0);
  if (positive && checked === 0) throw new InputError(field, "0", "a variance > 0");
  return checked;
}

/** Names of frozen tensors are refused as well: their noise would be left out in silence. */
function checkNames(names: Iterable<string>, layout: Layout, field: string): void {
  const known = new Set(layout.segments.map(({ name }) => name));
  for (const name of names) {
    if (!known.has(name)) {
      throw new InputError(tensorField(field, name), "a tensor", "names of tensors that are not frozen");
    }
  }
}

function unknownForm(value: unknown, field: string): InputError {
  const expected = "a variance, or one of { perTensor }, { diagonal }, { full }";
  return new InputError(field, describe(value), expected);
}
