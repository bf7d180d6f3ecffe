import { checkNumber } from "../checks.ts";
import { describe, InputError } from "../errors.ts";
import {
  type ComplexArray,
  checkComplexArray,
  checkFinite,
  checkShape,
  entryCount,
} from "./complex-array.ts";

/** The JSON form of a complex array: `re` and `im` are flat, row-major, of length product(shape). */
export interface ComplexJson {
  readonly shape: readonly number[];
  readonly re: readonly number[];
  readonly im: readonly number[];
}

const keys = ["shape", "re", "im"] as const;

/**
 * The JSON form of a complex array, in plain arrays of its own.
 * @throws InputError if shape and data disagree or an entry is not finite: JSON has no NaN or Infinity.
 */
export function toComplexJson(array: ComplexArray): ComplexJson {
  const { shape, data } = checkFinite(checkComplexArray(array, "array"), "array");
  const count = data.length / 2;
  const part = (offset: number): number[] => Array.from({ length: count }, (_, i) => data[2 * i + offset]!);
  return { shape: [...shape], re: part(0), im: part(1) };
}

/**
 * Reads the JSON form; `re` and `im` may also be typed arrays. Every part is required, nothing else is allowed.
 * @throws InputError on `field`, `field.shape[i]`, `field.re[i]`, `field.im[i]` or the unknown key.
 */
export function fromComplexJson(value: unknown, field: string): ComplexArray {
  if (value === null || typeof value !== "object" || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw new InputError(field, describe(value), "an object { shape, re, im }");
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key as (typeof keys)[number])) {
      throw new InputError(`${field}.${key}`, "an unknown key", "only shape, re and im");
    }
  }
  const parts = value as Record<string, unknown>;
  for (const key of keys) {
    if (!Object.hasOwn(parts, key) || parts[key] === undefined) {
      throw new InputError(`${field}.${key}`, "nothing", "an array: shape, re and im are all required");
    }
  }
  const shape = checkShape(parts["shape"], `${field}.shape`);
  const count = entryCount(shape);
  const re = checkPart(parts["re"], `${field}.re`, count);
  const im = checkPart(parts["im"], `${field}.im`, count);
  const data = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    data[2 * i] = re[i]!;
    data[2 * i + 1] = im[i]!;
  }
  return { shape, data };
}

function checkPart(value: unknown, field: string, count: number): ArrayLike<number> {
  const expected = `an array of ${count} numbers, the product of the shape`;
  const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  if (!isList) throw new InputError(field, describe(value), expected);
  const list = value as ArrayLike<unknown>;
  if (list.length !== count) throw new InputError(field, describe(value), expected);
  // The name of an entry is only built for the one that is refused: parts may hold millions.
  for (let i = 0; i < count; i++) if (!Number.isFinite(list[i])) checkNumber(list[i], `${field}[${i}]`);
  return list as ArrayLike<number>;
}
