/**
 * The downstream tasks and the text of the pre-training. An entry's key alone says which part it belongs to, so no
 * country and no word is in two of: a device's training text, the held-out text, the server's pilot, the base's text.
 */
import { randomStream } from "airfold/core";
import { readProse, sources } from "./sources.mjs";
import { decode, encode, fold } from "./text.mjs";

export { decode, encode, heldOutBatches, vocabulary, windows } from "./text.mjs";

export const taskNames = Object.keys(sources);

const seed = 6;

/** Shares of the keys; what is left trains. */
const shares = { heldOut: 0.08, pilot: 0.04, base: 0.1 };

/** Characters of a section that a part takes, at most: equal ones make every device and section count the same. */
const limits = { train: 120_000, heldOut: 6_000, pilot: 2_000, base: 15_000 };

/** Characters of prose in the pre-training and in its held-out text, at most. */
const proseLimits = { train: 6_000_000, heldOut: 100_000 };

/** Share of the pre-training's characters that comes from a task; the words' sounds stay nearly unknown. */
const taskShares = { facts: 0.02, definitions: 0.02, pronunciation: 0.005 };

/** Characters in a row that the pre-training takes from one source, about. */
const blockLength = 1_000;

/**
 * A task, each device having a section of its own (chapter, lexical file, initial letters).
 *
 * @param name one of `taskNames`
 * @param options devices: how many of the ten sections take part
 * @returns labels: names of the sections; train: Uint8Array of tokens a device; heldOut, pilot, base: equal
 *   parts of every section that takes part, in the order of the sections
 * @throws RangeError for an unknown task or number of devices
 */
export function loadTask(name, { devices = 10 } = {}) {
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (source === undefined) throw new RangeError(`no task ${name}, expected one of ${taskNames.join(", ")}`);
  if (!Number.isInteger(devices) || devices < 1 || devices > source.sections.length) {
    throw new RangeError(`${devices} devices, expected 1 to ${source.sections.length}`);
  }
  const labels = source.sections.slice(0, devices);
  const parts = partition(name, source.read(), labels);
  const together = (part) => encode(labels.map((label) => parts[label][part]).join(""));
  return {
    name,
    labels,
    train: labels.map((label) => encode(parts[label].train)),
    heldOut: together("heldOut"),
    pilot: together("pilot"),
    base: together("base"),
  };
}

/**
 * The text the base is trained on: prose, with a few per cent of every task's `base` part in between.
 *
 * @returns train: Uint8Array; heldOut: Uint8Array, prose of addresses and chapters that are not in `train`
 */
export function pretrainingText() {
  const texts = readProse();
  let heldOut = "";
  let prose = "";
  for (const i of randomStream(seed, "prose").permutation(texts.length)) {
    if (heldOut.length < proseLimits.heldOut) heldOut += fold(texts[i].text);
    else if (prose.length < proseLimits.train) prose += fold(texts[i].text);
  }
  const blocks = blocksOf(prose.slice(0, proseLimits.train));
  const proseShare = taskNames.reduce((rest, name) => rest - taskShares[name], 1);
  for (const name of taskNames) {
    const own = blocksOf(decode(loadTask(name).base));
    const wanted = Math.round((taskShares[name] / proseShare) * (proseLimits.train / blockLength));
    blocks.push(...shuffled(own, "base", name).slice(0, wanted));
  }
  return {
    train: encode(shuffled(blocks, "blocks").join("")),
    heldOut: encode(heldOut.slice(0, proseLimits.heldOut)),
  };
}

/** The text of every section's parts: { [section]: { train, heldOut, pilot, base } }. */
function partition(name, entries, labels) {
  const lines = Object.fromEntries(
    labels.map((label) => [label, { train: [], heldOut: [], pilot: [], base: [] }]),
  );
  const partOf = new Map();
  for (const { section, key, line } of entries) {
    if (lines[section] === undefined) continue;
    if (!partOf.has(key)) partOf.set(key, choosePart(randomStream(seed, "split", name, key).uniform()));
    lines[section][partOf.get(key)].push(line);
  }
  return Object.fromEntries(
    labels.map((label) => [
      label,
      Object.fromEntries(
        Object.entries(lines[label]).map(([part, own]) => [
          part,
          upTo(shuffled(own, "lines", name, label, part), limits[part]),
        ]),
      ),
    ]),
  );
}

function choosePart(draw) {
  for (const [part, share] of Object.entries(shares)) {
    if (draw < share) return part;
    draw -= share;
  }
  return "train";
}

/** As many whole lines as fit into so many characters. */
function upTo(lines, limit) {
  const taken = [];
  let length = 0;
  for (const line of lines) {
    const folded = fold(line);
    if (length + folded.length > limit) break;
    length += folded.length;
    taken.push(folded);
  }
  return taken.join("");
}

/** Pieces of whole lines, each the shortest that reaches the block's length. */
function blocksOf(text) {
  const blocks = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\n", start + blockLength - 1) + 1 || text.length;
    blocks.push(text.slice(start, end));
    start = end;
  }
  return blocks;
}

function shuffled(items, ...path) {
  return Array.from(randomStream(seed, ...path).permutation(items.length), (i) => items[i]);
}
