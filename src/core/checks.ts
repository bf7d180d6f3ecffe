import { describe, InputError } from "./errors.ts";

/** A finite number within [minimum, maximum]; throws {@link InputError} naming `field` otherwise. */
export function checkNumber(
  value: unknown,
  field: string,
  minimum: number = Number.NEGATIVE_INFINITY,
  maximum: number = Number.POSITIVE_INFINITY,
): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= minimum && value <= maximum)
    return value;
  throw new InputError(field, describe(value), `a finite number${range(minimum, maximum)}`);
}

/** A finite number above zero. */
export function checkPositive(value: unknown, field: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new InputError(field, describe(value), "a finite number > 0");
}

/** A whole number within [minimum, maximum]. */
export function checkInteger(
  value: unknown,
  field: string,
  minimum = 0,
  maximum: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum) {
    return value as number;
  }
  throw new InputError(field, describe(value), `a whole number${range(minimum, maximum)}`);
}

/** A seed: a whole number from 0 to 2^53 - 1. */
export function checkSeed(value: unknown, field = "seed"): number {
  return checkInteger(value, field, 0);
}

/** An array-like of finite numbers, each within [minimum, maximum], of the given length if one is given. */
export function checkNumbers(
  value: unknown,
  field: string,
  length?: number,
  minimum: number = Number.NEGATIVE_INFINITY,
  maximum: number = Number.POSITIVE_INFINITY,
): ArrayLike<number> {
  const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  const expected = length === undefined ? "an array of numbers" : `an array of ${length} numbers`;
  if (!isList) throw new InputError(field, describe(value), expected);
  const list = value as ArrayLike<number>;
  if (length !== undefined && list.length !== length) throw new InputError(field, describe(value), expected);
  for (let i = 0; i < list.length; i++) checkNumber(list[i], `${field}[${i}]`, minimum, maximum);
  return list;
}

/** One of the given names. */
export function checkChoice<T extends string>(value: unknown, field: string, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  throw new InputError(field, describe(value), `one of ${choices.map((c) => `"${c}"`).join(", ")}`);
}

/** Refuses option names that are not known: plain JavaScript callers bypass the compiler. */
export function checkOptions(options: unknown, field: string, known: readonly string[]): void {
  if (options === null || typeof options !== "object" || Array.isArray(options)) {
    throw new InputError(field, describe(options), "an object");
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new InputError(`${field}.${name}`, "an unknown option", `one of ${known.join(", ")}`);
    }
  }
}

function range(minimum: number, maximum: number): string {
  const low = Number.isFinite(minimum) && minimum > Number.MIN_SAFE_INTEGER;
  const high = Number.isFinite(maximum) && maximum !== Number.MAX_SAFE_INTEGER;
  if (low && high) return ` from ${minimum} to ${maximum}`;
  if (low) return ` >= ${minimum}`;
  if (high) return ` <= ${maximum}`;
  return "";
}
