import { zipSync } from "fflate";
import { InputError } from "../errors.ts";
import { addVariable, type ComplexArchive, type RefusedVariable } from "./archive.ts";
import type { ComplexArray } from "./complex-array.ts";
import { decodeNpy, encodeNpy } from "./npy.ts";
import { readZip } from "./zip.ts";

/** The date of every entry, in local time as zip wants it: the same input gives the same bytes on any day. */
const epoch: readonly [number, number, number, number] = [1980, 0, 1, 12];

/**
 * Reads a NumPy .npz file, compressed or not. Entries that are no complex arrays are kept as the reason why.
 * @throws InputError on `field` for a damaged archive; see `decodeNpy` for what an entry may be.
 */
export function decodeNpz(bytes: Uint8Array, field: string): ComplexArchive {
  const archive = new Map<string, ComplexArray | RefusedVariable>();
  for (const [path, content] of readZip(bytes, field)) {
    addVariable(archive, path.replace(/\.npy$/, ""), decodeEntry(content, field), field);
  }
  return archive;
}

/**
 * Writes an uncompressed .npz file of complex128 arrays, as `numpy.savez` does: the same arrays in the same order
 * give the same bytes.
 * @throws InputError on the name of an array whose shape and data disagree, or on an empty name.
 */
export function encodeNpz(arrays: Readonly<Record<string, ComplexArray>>): Uint8Array {
  const mtime = new Date(...epoch);
  const files: Record<string, Uint8Array> = {};
  for (const [name, array] of Object.entries(arrays)) {
    if (name === "") throw new InputError("arrays", "an array without a name", "a name for each array");
    try {
      files[`${name}.npy`] = encodeNpy(array);
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`arrays.${name}`, error.found, error.expected);
      throw error;
    }
  }
  return zipSync(files, { level: 0, mtime });
}

function decodeEntry(content: Uint8Array, field: string): ComplexArray | RefusedVariable {
  try {
    return decodeNpy(content, field);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { found: error.found, expected: error.expected };
  }
}
