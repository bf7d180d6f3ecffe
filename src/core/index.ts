/**
 * core: what every room needs and that knows nothing of matrices or radio:
 * typed input errors, argument checks, and seeded random streams.
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
export { describe, InputError } from "./errors.ts";
export { type RandomStream, randomStream } from "./random.ts";
