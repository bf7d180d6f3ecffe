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
    super(`${field}: found ${found}, expected ${expected}`);
    this.field = field;
    this.found = found;
    this.expected = expected;
  }
}

/** A short description of any value for the `found` part of an {@link InputError}. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return value.length > 60 ? `"${value.slice(0, 57)}..."` : `"${value}"`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const length = (value as ArrayLike<unknown>).length ?? (value as ArrayBufferView).byteLength;
    return `an array of ${length} entries`;
  }
  if (typeof value === "function") return "a function";
  if (typeof value === "object") return "an object";
  return String(value);
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
