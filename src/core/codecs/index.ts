/**
 * codecs: how complex arrays enter and leave airfold: the JSON form, NumPy .npy and .npz, MATLAB .mat (read only),
 * and the text form of results. Bytes are Uint8Array; reading and writing files is left to the caller.
 */
export { type ComplexArchive, pickComplexArray, type RefusedVariable } from "./archive.ts";
export { canonicalJson } from "./canonical-json.ts";
export type { ComplexArray } from "./complex-array.ts";
export { type ComplexFileOptions, decodeComplexFile } from "./file.ts";
export { type ComplexJson, fromComplexJson, toComplexJson } from "./json.ts";
export { decodeMat } from "./mat.ts";
export { decodeNpy, encodeNpy } from "./npy.ts";
export { decodeNpz, encodeNpz } from "./npz.ts";
