import { InputError } from "../errors.ts";
import type { ComplexArray } from "./complex-array.ts";

/** A variable that is no complex array. It is only complained about when it is the one wanted. */
export interface RefusedVariable {
  /** What the variable is, in words. */
  readonly found: string;
  /** What would have been accepted, in words. */
  readonly expected: string;
}

/** The variables of a .npz or .mat file by name, in the order of the file. */
export type ComplexArchive = ReadonlyMap<string, ComplexArray | RefusedVariable>;

/**
 * The array of the given name or, without a name, the only complex array there is.
 * @throws InputError on `field` if there is no such variable, if it is not complex, or if there are several
 * and no name was given; the message lists the names.
 */
export function pickComplexArray(
  entries: ComplexArchive,
  name: string | undefined,
  field: string,
): ComplexArray {
  if (name !== undefined) {
    const entry = entries.get(name);
    if (entry === undefined) throw new InputError(field, `no variable "${name}"`, oneOf([...entries.keys()]));
    return accept(entry, name, field);
  }
  const complex = [...entries].filter(([, entry]) => "data" in entry).map(([key]) => key);
  if (complex.length > 1) {
    throw new InputError(field, `${complex.length} complex arrays and no variable named`, oneOf(complex));
  }
  // Without any complex array the first variable says why it is not one.
  const [first] = complex.length === 1 ? complex : entries.keys();
  if (first === undefined) throw new InputError(field, "a file without variables", "a complex array");
  return accept(entries.get(first)!, first, field);
}

/** Adds a variable to an archive under construction; a name can only be used once. */
export function addVariable(
  archive: Map<string, ComplexArray | RefusedVariable>,
  name: string,
  entry: ComplexArray | RefusedVariable,
  field: string,
): void {
  if (archive.has(name)) throw new InputError(field, `two variables named "${name}"`, "each name once");
  archive.set(name, entry);
}

function accept(entry: ComplexArray | RefusedVariable, name: string, field: string): ComplexArray {
  if ("data" in entry) return entry;
  throw new InputError(field, `${entry.found} in variable "${name}"`, entry.expected);
}

function oneOf(names: readonly string[]): string {
  return names.length === 0
    ? "a file with variables"
    : `one of ${names.map((name) => `"${name}"`).join(", ")}`;
}
