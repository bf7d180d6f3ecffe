/**
 * Text as tokens, and windows of it as batches. A token is a character: newline or printable ASCII. A batch is
 * { inputs, targets: Int32Array[count * length], count, length }, the targets being the inputs one character later.
 */

/** The 96 characters; a character's place is its token id. */
export const vocabulary = `\n${String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i))}`;

const newline = 10;
const space = 32;
const lastPrintable = 126;

/** What has no ASCII letter of its own under its accent. */
const folds = new Map([
  ...["\u2010", "\u2011", "\u2012", "\u2013", "\u2212"].map((dash) => [dash, "-"]),
  ...["\u2014", "\u2015"].map((dash) => [dash, "--"]),
  ...["\u2018", "\u2019", "\u201a", "\u2032", "\u00b4"].map((quote) => [quote, "'"]),
  ...["\u201c", "\u201d", "\u201e", "\u2033", "\u00ab", "\u00bb"].map((quote) => [quote, '"']),
  ...[..."æœßøđłıð"].map((letter, i) => [letter, ["ae", "oe", "ss", "o", "d", "l", "i", "d"][i]]),
  ...[..."ÆŒØĐŁ"].map((letter, i) => [letter, ["AE", "OE", "O", "D", "L"][i]]),
  ["\u2026", "..."],
  ["\t", " "],
]);

/** Writes a text in the vocabulary's characters: accents fall, dashes and quotes turn plain, the rest is dropped. */
export function fold(text) {
  if (/^[\n\x20-\x7e]*$/.test(text)) return text;
  return text
    .replace(/[^\n\x20-\x7e]/g, (character) => folds.get(character) ?? character.normalize("NFKD"))
    .replace(/[^\n\x20-\x7e]/g, "");
}

/** Token ids of a text, Uint8Array. */
export function encode(text) {
  const folded = fold(text);
  const tokens = new Uint8Array(folded.length);
  for (let i = 0; i < folded.length; i++) {
    const code = folded.charCodeAt(i);
    tokens[i] = code === newline ? 0 : code - space + 1;
  }
  return tokens;
}

/** The text of token ids; @throws RangeError for an id outside the vocabulary */
export function decode(tokens) {
  const parts = [];
  for (const token of tokens) {
    if (!(token >= 0 && token <= lastPrintable - space + 1)) throw new RangeError(`no token ${token}`);
    parts.push(vocabulary[token]);
  }
  return parts.join("");
}

/**
 * A batch of windows at random places.
 *
 * @param tokens Uint8Array longer than `length`
 * @param options count and length of the windows, and the RandomStream that places them
 */
export function windows(tokens, { count, length, stream }) {
  const places = placesIn(tokens, length);
  return cut(
    tokens,
    Array.from({ length: count }, () => stream.integer(places)),
    length,
  );
}

/**
 * Batches of windows at fixed, evenly spaced places from the first character to the last: the same at every call.
 *
 * @param tokens Uint8Array longer than `length`
 * @param options count and length of a batch's windows, and the number of batches
 */
export function heldOutBatches(tokens, { count, length, batches }) {
  const last = placesIn(tokens, length) - 1;
  const step = count * batches > 1 ? last / (count * batches - 1) : 0;
  return Array.from({ length: batches }, (_, batch) =>
    cut(
      tokens,
      // a batch takes every batches-th place, so that each of them sees the whole text
      Array.from({ length: count }, (_, i) => Math.floor((i * batches + batch) * step)),
      length,
    ),
  );
}

function placesIn(tokens, length) {
  if (tokens.length <= length) throw new RangeError(`${tokens.length} tokens, expected more than ${length}`);
  return tokens.length - length;
}

function cut(tokens, places, length) {
  const count = places.length;
  const inputs = new Int32Array(count * length);
  const targets = new Int32Array(count * length);
  for (let i = 0; i < count; i++) {
    inputs.set(tokens.subarray(places[i], places[i] + length), i * length);
    targets.set(tokens.subarray(places[i] + 1, places[i] + length + 1), i * length);
  }
  return { inputs, targets, count, length };
}
