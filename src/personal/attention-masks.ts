import { checkInteger, checkOptions, describe, InputError } from "../core/index.ts";
import { readList } from "./batches.ts";

/** Who attends to whom. */
export interface AttentionMask {
  /** n */
  readonly tokens: number;
  /** [n, n], row-major: 1 where the token of the row attends to that of the column, else 0. */
  readonly allowed: Uint8Array;
}

export interface AttentionCostOptions {
  /** Of one head. */
  readonly headDimension: number;
  /** Default 1. */
  readonly heads?: number;
}

export interface AttentionCost {
  /** Pairs that attend. */
  readonly pairs: number;
  /** pairs / n^2 */
  readonly density: number;
  /** pairs / (n (n + 1)/2): 1 for full causal attention. */
  readonly relativeToCausal: number;
  /** Of the scores and of the weighted sum of the values: 2 x pairs x headDimension x heads. The softmax is not counted. */
  readonly multiplyAdds: number;
}

/** So that n^2 entries fit in an array that is worth having: for counting alone there is arithmetic. */
const MOST_TOKENS = 2 ** 15;

/** Full causal attention: every token attends to itself and all before it. */
export function causalMask(tokens: number): AttentionMask {
  return maskOf(tokens, () => true);
}

/** Causal window: every token attends to itself and the `window - 1` tokens before it. */
export function windowMask(tokens: number, window: number): AttentionMask {
  checkInteger(window, "window", 1);
  return maskOf(tokens, (i, j) => i - j < window);
}

/**
 * Every token attends to itself and every `stride`-th token before it (Child, Gray, Radford and Sutskever, "Generating long
 * sequences with sparse transformers", arXiv:1904.10509, whose strided pattern is the union with a window of `stride`).
 */
export function stridedMask(tokens: number, stride: number): AttentionMask {
  checkInteger(stride, "stride", 1);
  return maskOf(tokens, (i, j) => (i - j) % stride === 0);
}

/**
 * Global tokens, causal: all later tokens attend to them, and they to all before them; every other token attends to itself
 * besides (Beltagy, Peters and Cohan, "Longformer", arXiv:2004.05150, with the future left out).
 */
export function globalMask(tokens: number, positions: readonly number[]): AttentionMask {
  checkInteger(tokens, "tokens", 1, MOST_TOKENS);
  if (!Array.isArray(positions)) {
    throw new InputError("positions", describe(positions), "an array of token positions");
  }
  const isGlobal = new Uint8Array(tokens);
  for (const [i, position] of positions.entries()) {
    isGlobal[checkInteger(position, `positions[${i}]`, 0, tokens - 1)] = 1;
  }
  return maskOf(tokens, (i, j) => i === j || isGlobal[i] === 1 || isGlobal[j] === 1);
}

/** Pairs that attend in any of the masks. */
export function unionMask(...masks: readonly AttentionMask[]): AttentionMask {
  if (masks.length === 0) throw new InputError("masks", "none", "at least one mask");
  const tokens = checkMask(masks[0]!, "masks[0]").tokens;
  const allowed = new Uint8Array(tokens * tokens);
  masks.forEach((mask, k) => {
    checkMask(mask, `masks[${k}]`);
    if (mask.tokens !== tokens) {
      throw new InputError(`masks[${k}].tokens`, `${mask.tokens}`, `${tokens}, as masks[0]`);
    }
    for (let i = 0; i < allowed.length; i++) allowed[i]! |= mask.allowed[i]!;
  });
  return { tokens, allowed };
}

/** What attention under the mask costs, per sequence. @throws InputError on what is no mask, or sizes below 1. */
export function attentionCost(mask: AttentionMask, options: AttentionCostOptions): AttentionCost {
  checkOptions(options, "attentionCost", ["headDimension", "heads"]);
  const { tokens, allowed } = checkMask(mask, "mask");
  const headDimension = checkInteger(options.headDimension, "headDimension", 1, 2 ** 20);
  const heads = checkInteger(options.heads ?? 1, "heads", 1, 2 ** 20);
  let pairs = 0;
  for (let i = 0; i < allowed.length; i++) pairs += allowed[i]!;
  return {
    pairs,
    density: pairs / tokens ** 2,
    relativeToCausal: pairs / ((tokens * (tokens + 1)) / 2),
    multiplyAdds: 2 * pairs * headDimension * heads,
  };
}

/**
 * Softmax of the scores over the columns that the mask allows: every row sums to 1, the other entries are exactly 0. Scores
 * that are not allowed are not read.
 *
 * @param scores [..., n, n]: one matrix or several, of heads and sequences, under the same mask
 * @throws InputError on allowed scores that are not finite, or a row in which nothing is allowed: it has no softmax.
 */
export function maskedSoftmax(scores: ArrayLike<number>, mask: AttentionMask): Float64Array {
  const { tokens, allowed } = checkMask(mask, "mask");
  const list = readList(scores, "scores");
  const size = tokens * tokens;
  if (list.length % size !== 0) {
    throw new InputError("scores", `${list.length} scores`, `${size} or a multiple, for ${tokens} tokens`);
  }
  const out = new Float64Array(list.length);
  for (let from = 0; from < list.length; from += tokens) {
    const row = from % size;
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < tokens; j++) {
      if (allowed[row + j] === 0) continue;
      const score = list[from + j]!;
      if (!Number.isFinite(score)) {
        throw new InputError(`scores[${from + j}]`, describe(score), "a finite number where the mask allows");
      }
      if (score > largest) largest = score;
    }
    if (largest === Number.NEGATIVE_INFINITY) {
      const line = row / tokens;
      throw new InputError(`mask.allowed[${row}..]`, `nothing allowed in row ${line}`, "a column at least");
    }
    let sum = 0;
    for (let j = 0; j < tokens; j++) {
      if (allowed[row + j] === 0) continue;
      out[from + j] = Math.exp(list[from + j]! - largest);
      sum += out[from + j]!;
    }
    for (let j = 0; j < tokens; j++) out[from + j]! /= sum;
  }
  return out;
}

/** Causal: nothing above the diagonal. */
function maskOf(tokens: number, allows: (i: number, j: number) => boolean): AttentionMask {
  checkInteger(tokens, "tokens", 1, MOST_TOKENS);
  const allowed = new Uint8Array(tokens * tokens);
  for (let i = 0; i < tokens; i++) {
    for (let j = 0; j <= i; j++) if (allows(i, j)) allowed[i * tokens + j] = 1;
  }
  return { tokens, allowed };
}

function checkMask(mask: AttentionMask, field: string): AttentionMask {
  if (mask === null || typeof mask !== "object") {
    throw new InputError(field, describe(mask), "an attention mask { tokens, allowed }");
  }
  const tokens = checkInteger(mask.tokens, `${field}.tokens`, 1, MOST_TOKENS);
  if (!(mask.allowed instanceof Uint8Array) || mask.allowed.length !== tokens * tokens) {
    const expected = `a Uint8Array of ${tokens} x ${tokens} entries`;
    throw new InputError(`${field}.allowed`, describe(mask.allowed), expected);
  }
  for (let i = 0; i < mask.allowed.length; i++) {
    if (mask.allowed[i]! > 1) throw new InputError(`${field}.allowed[${i}]`, `${mask.allowed[i]}`, "0 or 1");
  }
  return mask;
}
