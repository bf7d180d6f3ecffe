import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { checkInteger, checkSeed } from "./checks.ts";

/** A seeded source of random numbers. Same seed and path, same numbers; it is the only source there is. */
export interface RandomStream {
  /** Uniform on [0, 1), 53 bits. */
  uniform(): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** Uniform whole number in [0, bound). */
  integer(bound: number): number;
  /** Fills `out` with interleaved circular complex normals of the given variance E|z|^2. */
  fillComplexNormal(out: Float64Array, variance?: number): void;
  /** Seeded permutation of 0..count-1 (Fisher-Yates). */
  permutation(count: number): Uint32Array;
  /** An independent stream with this name; the same name gives the same stream, in any order of calls. */
  split(...path: readonly (string | number)[]): RandomStream;
}

/**
 * A stream named by a seed and a path such as `("channel", 3)`.
 *
 * The 128-bit state of xoroshiro128+ (pure-rand) is a hash of seed and path. Streams made by jumping ahead
 * would be independent as well, but they cannot be nested (the second child of a stream is the first child of
 * its first child) and reaching trial n would take n jumps; named streams can be reached in any order, which
 * is what makes results independent of the number of jobs.
 */
export function randomStream(seed: number, ...path: readonly (string | number)[]): RandomStream {
  checkSeed(seed);
  const words: number[] = [];
  pushNumber(words, seed);
  for (const part of path) pushPart(words, part);
  return fromWords(words);
}

function fromWords(words: readonly number[]): RandomStream {
  const generator = xoroshiro128plusFromState(hash(words));
  let spare = Number.NaN;

  function normal(): number {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = Number.NaN;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator)));
    const angle = 2 * Math.PI * uniformFloat64(generator);
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  return {
    uniform: () => uniformFloat64(generator),
    normal,
    integer: (bound) => uniformInt(generator, 0, checkInteger(bound, "bound", 1) - 1),
    fillComplexNormal(out, variance = 1) {
      for (let i = 0; i + 1 < out.length; i += 2) {
        const radius = Math.sqrt(-variance * Math.log(1 - uniformFloat64(generator)));
        const angle = 2 * Math.PI * uniformFloat64(generator);
        out[i] = radius * Math.cos(angle);
        out[i + 1] = radius * Math.sin(angle);
      }
    },
    permutation(count) {
      checkInteger(count, "count", 0, 0xffffffff);
      const order = new Uint32Array(count);
      for (let i = 0; i < count; i++) order[i] = i;
      for (let i = count - 1; i > 0; i--) {
        const j = Math.floor(uniformFloat64(generator) * (i + 1));
        const swapped = order[i]!;
        order[i] = order[j]!;
        order[j] = swapped;
      }
      return order;
    },
    split(...path) {
      const longer = [...words];
      for (const part of path) pushPart(longer, part);
      return fromWords(longer);
    },
  };
}

function pushPart(words: number[], part: string | number): void {
  if (typeof part === "number") {
    words.push(1);
    pushNumber(words, checkInteger(part, "path"));
    return;
  }
  words.push(2, part.length);
  for (let i = 0; i < part.length; i++) words.push(part.charCodeAt(i));
}

function pushNumber(words: number[], value: number): void {
  words.push(value >>> 0, Math.floor(value / 2 ** 32) >>> 0);
}

/** Four 32-bit lanes, each mixed with MurmurHash3's finaliser and chained to its neighbour at every word. */
function hash(words: readonly number[]): number[] {
  const lanes = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  const absorb = (word: number): void => {
    for (let lane = 0; lane < 4; lane++) {
      lanes[lane] = (mix(lanes[lane]! ^ Math.imul(word + lane, 0x9e3779b1)) + lanes[(lane + 1) & 3]!) | 0;
    }
  };
  for (const word of words) absorb(word);
  absorb(words.length);
  absorb(0x5bd1e995);
  return lanes;
}

function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
