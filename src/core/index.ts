/**
 * core: what every room needs and that knows nothing of matrices or radio:
 * typed input errors, argument checks, seeded random streams, and the codecs of complex arrays.
 */
export {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  checkSeed,
} from "./checks.ts";
export {
  type ComplexArchive,
  type ComplexArray,
  type ComplexFileOptions,
  type ComplexJson,
  canonicalJson,
  decodeComplexFile,
  decodeMat,
  decodeNpy,
  decodeNpz,
  encodeNpy,
  encodeNpz,
  fromComplexJson,
  pickComplexArray,
  type RefusedVariable,
  toComplexJson,
} from "./codecs/index.ts";
export { describe, InputError, renameField } from "./errors.ts";
export { type RandomStream, randomStream } from "./random.ts";
export { parseInput } from "./schema.ts";
export { version } from "./version.ts";
