/**
 * Thrown at once for bad input: it names the field, says what was found and what was expected.
 * Numerical failure is never thrown; solvers return a reason instead.
 */
export class InputError extends Error {
  override readonly name = "InputError";
  /** Path of the offending argument, for example `link.streams` or `a`. */
  readonly field: string;
  /** What was found there, in words. */
  readonly found: string;
  /** What would have been accepted, in words. */
  readonly expected: string;

  constructor(field: string, found: string, expected: string) {
    const [where, what, wanted] = [printable(field, 120), printable(found, 400), printable(expected, 400)];
    super(`${where}: found ${what}, expected ${wanted}`);
    this.field = where;
    this.found = what;
    this.expected = wanted;
  }
}

/** One line of at most `most` characters: names and values come from outside. */
function printable(text: string, most: number): string {
  const escaped = text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return escaped.length > most ? `${escaped.slice(0, most - 3)}...` : escaped;
}

/** A short description of any value for the `found` part of an {@link InputError}. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return value.length > 60 ? `"${value.slice(0, 57)}..."` : `"${value}"`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const length = (value as ArrayLike<unknown>).length ?? (value as ArrayBufferView).byteLength;
    return length === 1 ? "an array of 1 entry" : `an array of ${length} entries`;
  }
  if (typeof value === "function") return "a function";
  if (typeof value === "object") return "an object";
  return typeof value === "bigint" ? `${value}n` : String(value);
}

/** Runs `check`; an {@link InputError} that it throws names the field that `rename` makes of its own. */
export function renameField<T>(rename: (field: string) => string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(rename(error.field), error.found, error.expected);
  }
}
