import { InputError } from "../errors.ts";
import { pickComplexArray } from "./archive.ts";
import { type ComplexArray, checkFinite } from "./complex-array.ts";
import { fromComplexJson } from "./json.ts";
import { decodeMat } from "./mat.ts";
import { decodeNpy } from "./npy.ts";
import { decodeNpz } from "./npz.ts";

/** How to read a file of complex numbers. */
export interface ComplexFileOptions {
  /** The variable to take from a .npz or .mat file; it may be left out where there is only one complex array. */
  readonly variable?: string | undefined;
  /** The argument to blame in errors, for example `channel.file`. */
  readonly field: string;
}

/**
 * One complex array of finite numbers out of the bytes of a file; the ending of its name tells the format:
 * .json, .npy, .npz or .mat, in either case.
 * @throws InputError on `field` (or a path below it) for other endings, damaged files, arrays that are not complex,
 * an unknown or missing variable, and entries that are NaN or infinite.
 */
export function decodeComplexFile(
  name: string,
  bytes: Uint8Array,
  options: ComplexFileOptions,
): ComplexArray {
  const { variable, field } = options;
  const ending = /\.(json|npy|npz|mat)$/i.exec(name)?.[1]?.toLowerCase();
  if (variable !== undefined && (ending === "json" || ending === "npy")) {
    throw new InputError(
      field,
      `a variable "${variable}" to take from a .${ending} file`,
      "no variable: it has one",
    );
  }
  switch (ending) {
    case "json":
      return fromComplexJson(parseJson(bytes, field), field);
    case "npy":
      return checkFinite(decodeNpy(bytes, field), field);
    case "npz":
      return checkFinite(pickComplexArray(decodeNpz(bytes, field), variable, field), field);
    case "mat":
      return checkFinite(pickComplexArray(decodeMat(bytes, field), variable, field), field);
    default:
      throw new InputError(field, `a file named "${name}"`, "a name that ends in .json, .npy, .npz or .mat");
  }
}

function parseJson(bytes: Uint8Array, field: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "not UTF-8 text";
    throw new InputError(field, `a file that is not JSON (${reason})`, "JSON text: { shape, re, im }");
  }
}
