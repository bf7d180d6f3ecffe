import { readFileSync } from "node:fs";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";

interface Batch {
  inputs: Int32Array;
  targets: Int32Array;
  count: number;
  length: number;
}

interface Task {
  name: string;
  labels: string[];
  train: Uint8Array[];
  heldOut: Uint8Array;
  pilot: Uint8Array;
  base: Uint8Array;
}

interface Tasks {
  vocabulary: string;
  taskNames: string[];
  encode(text: string): Uint8Array;
  decode(tokens: Uint8Array): string;
  loadTask(name: string, options?: { devices?: number }): Task;
  windows(tokens: Uint8Array, options: { count: number; length: number; stream: unknown }): Batch;
  heldOutBatches(tokens: Uint8Array, options: { count: number; length: number; batches: number }): Batch[];
  pretrainingText(): { train: Uint8Array; heldOut: Uint8Array };
}

interface Transformer {
  architecture: object;
  createModel(weights: unknown, sizes: object): { loss(batch: Batch): number; dispose(): void };
}

const folder = new URL("../../examples/federated-lora/", import.meta.url);
const load = (file: string): Promise<unknown> => import(new URL(file, folder).href);

let tasks: Tasks;
let loaded: Task[];
let seconds: number[];
beforeAll(async () => {
  tasks = (await load("tasks.mjs")) as Tasks;
  seconds = [];
  loaded = tasks.taskNames.map((name) => {
    const began = performance.now();
    const task = tasks.loadTask(name);
    seconds.push((performance.now() - began) / 1000);
    return task;
  });
});

/** What a line is an entry of: its country, or its word, read back from the text. */
const keyOf: Record<string, (line: string) => string> = {
  facts: (line) => /^Q: What is the .* of (.*?)\? A: /.exec(line)![1]!,
  definitions: (line) => /^(.*?) \((?:adj|adv|noun|verb)\): /.exec(line)![1]!.toLowerCase(),
  pronunciation: (line) => /^(.*?): /.exec(line)![1]!.replace(/'s?$/, ""),
};

const linesOf = (tokens: Uint8Array): string[] => tasks.decode(tokens).split("\n").slice(0, -1);

describe("the text", () => {
  test("is kept in at most 96 characters, and comes back from its tokens", () => {
    const { vocabulary, encode, decode } = tasks;
    expect(new Set(vocabulary).size).toBe(vocabulary.length);
    expect(vocabulary.length).toBeLessThanOrEqual(96);
    expect([...encode(vocabulary)]).toEqual([...vocabulary].map((_, i) => i));
    const text = fc.array(fc.constantFrom(...vocabulary)).map((characters) => characters.join(""));
    fc.assert(fc.property(text, (some) => decode(encode(some)) === some));
  });

  test("folds what is outside, and drops what has no fold", () => {
    const { encode, decode } = tasks;
    const folded = (text: string): string => decode(encode(text));
    expect(folded("Côte d’Ivoire – “São Tomé” … Łódź, Ærø\r\n")).toBe(
      'Cote d\'Ivoire - "Sao Tome" ... Lodz, AEro\n',
    );
    expect(folded("a\u4e2d\u{1f600}\0b")).toBe("ab");
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => folded(folded(text)) === folded(text)));
    expect(() => decode(Uint8Array.of(96))).toThrow(RangeError);
  });
});

describe("the windows", () => {
  const sizes = fc.record({
    tokens: fc.uint8Array({ min: 0, max: 95, minLength: 12, maxLength: 60 }),
    count: fc.integer({ min: 1, max: 9 }),
    length: fc.integer({ min: 1, max: 11 }),
    batches: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(),
  });

  /** Whether every window is a stretch of the text and its targets the same stretch one later. */
  function isCutFrom(tokens: Uint8Array, { inputs, targets, count, length }: Batch): boolean {
    const text = `${[...tokens].join(",")},`;
    if (inputs.length !== count * length || targets.length !== count * length) return false;
    return Array.from({ length: count }, (_, i) => {
      const input = [...inputs.subarray(i * length, (i + 1) * length)];
      const target = [...targets.subarray(i * length, (i + 1) * length)];
      const stretch = [input[0], ...target];
      return `,${text}`.includes(`,${stretch.join(",")},`) && input.slice(1).every((t, j) => t === target[j]);
    }).every(Boolean);
  }

  test("drawn at random: stretches of the text, targets one later, the stream decides", () => {
    fc.assert(
      fc.property(sizes, ({ tokens, count, length, seed }) => {
        const draw = (): Batch =>
          tasks.windows(tokens, { count, length, stream: randomStream(seed, "windows") });
        expect(draw()).toEqual(draw());
        return isCutFrom(tokens, draw());
      }),
    );
  });

  test("drawn at random reach the first place and the last", () => {
    const tokens = Uint8Array.of(0, 1, 2, 3, 4);
    const { inputs, targets } = tasks.windows(tokens, { count: 200, length: 2, stream: randomStream(1) });
    const starts = new Set(inputs.filter((_, i) => i % 2 === 0));
    expect([...starts].sort()).toEqual([0, 1, 2]);
    expect(Math.max(...targets)).toBe(4);
  });

  test("held out: fixed, evenly spaced from the first character to the last", () => {
    fc.assert(
      fc.property(sizes, ({ tokens, count, length, batches }) => {
        const drawn = tasks.heldOutBatches(tokens, { count, length, batches });
        expect(drawn).toEqual(tasks.heldOutBatches(tokens, { count, length, batches }));
        return drawn.length === batches && drawn.every((batch) => isCutFrom(tokens, batch));
      }),
    );
    const ramp = Uint8Array.from({ length: 91 }, (_, i) => i);
    const drawn = tasks.heldOutBatches(ramp, { count: 3, length: 1, batches: 3 });
    const starts = drawn.flatMap(({ inputs }) => [...inputs]).sort((a, b) => a - b);
    expect(starts).toEqual([0, 11, 22, 33, 44, 55, 66, 77, 89]);
  });

  test("are refused when the text is too short", () => {
    const tokens = new Uint8Array(8);
    expect(() => tasks.windows(tokens, { count: 1, length: 8, stream: randomStream(1) })).toThrow(RangeError);
    expect(() => tasks.heldOutBatches(tokens, { count: 1, length: 8, batches: 1 })).toThrow(RangeError);
  });
});

describe("the tasks", () => {
  test("load in a short time, ten devices each with text enough", () => {
    expect(tasks.taskNames).toEqual(["facts", "definitions", "pronunciation"]);
    // 2 s are promised to a machine of its own; this one also runs other tests
    expect(Math.max(...seconds)).toBeLessThan(6);
    for (const { labels, train } of loaded) {
      expect(new Set(labels).size).toBe(10);
      expect(train.length).toBe(10);
      for (const tokens of train) expect(tokens.length).toBeGreaterThan(80_000);
    }
  });

  test("are the same at every load; fewer devices take the first sections", () => {
    for (const task of loaded) {
      const { train, heldOut, pilot, base } = tasks.loadTask(task.name);
      for (const [i, tokens] of train.entries()) expect(Buffer.compare(tokens, task.train[i]!)).toBe(0);
      expect(Buffer.compare(heldOut, task.heldOut)).toBe(0);
      expect(Buffer.compare(pilot, task.pilot)).toBe(0);
      expect(Buffer.compare(base, task.base)).toBe(0);
    }
    const three = tasks.loadTask("definitions", { devices: 3 });
    expect(three.labels).toEqual(loaded[1]!.labels.slice(0, 3));
    expect(three.train).toEqual(loaded[1]!.train.slice(0, 3));
    expect(() => tasks.loadTask("definitions", { devices: 11 })).toThrow(RangeError);
    expect(() => tasks.loadTask("definitions", { devices: 0 })).toThrow(RangeError);
    expect(() => tasks.loadTask("toString")).toThrow(RangeError);
  });

  test("hold whole lines of the vocabulary, answers and definitions of at most 120 characters", () => {
    const answer: Record<string, RegExp> = {
      facts: /^Q: What is the .* of .*?\? A: .{1,120}$/,
      definitions: /^.* \((adj|adv|noun|verb)\): .{1,120}$/,
      pronunciation: /^\S+: [A-Z]{1,2}[0-2]?( [A-Z]{1,2}[0-2]?)*( # .+)?$/,
    };
    for (const { name, train, heldOut, pilot, base } of loaded) {
      for (const tokens of [...train, heldOut, pilot, base]) {
        expect(tokens.at(-1)).toBe(0);
        expect(linesOf(tokens).filter((line) => !answer[name]!.test(line))).toEqual([]);
      }
    }
  });

  test("share no country and no word between training, held-out text, pilot and base", () => {
    for (const { name, train, heldOut, pilot, base } of loaded) {
      const keys = (texts: Uint8Array[]): Set<string> => new Set(texts.flatMap(linesOf).map(keyOf[name]!));
      const parts = [keys(train), keys([heldOut]), keys([pilot]), keys([base])];
      for (const [i, one] of parts.entries()) {
        expect(one.size).toBeGreaterThan(4);
        for (const other of parts.slice(i + 1)) expect([...one].filter((key) => other.has(key))).toEqual([]);
      }
    }
  });

  test("hold out and pilot equal parts of all sections", () => {
    // the first five sections come first, and take half
    for (const { name, heldOut, pilot } of loaded) {
      const half = tasks.loadTask(name, { devices: 5 });
      for (const [all, five, each] of [
        [heldOut, half.heldOut, 6000],
        [pilot, half.pilot, 2000],
      ] as const) {
        expect(all.subarray(0, five.length)).toEqual(five);
        for (const size of [five.length, all.length - five.length]) {
          expect(size).toBeLessThanOrEqual(5 * each);
          expect(size).toBeGreaterThan(4.6 * each);
        }
      }
    }
    const sounds = loaded[2]!;
    for (const tokens of [sounds.heldOut, sounds.pilot]) {
      const sizes = sounds.labels.map((label) => {
        const initial = new RegExp(`^[${label}]`);
        return linesOf(tokens)
          .filter((line) => initial.test(line))
          .reduce((sum, line) => sum + line.length + 1, 0);
      });
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(tokens.length);
      expect(Math.min(...sizes)).toBeGreaterThan(0.98 * Math.max(...sizes));
    }
  });

  test("differ from device to device: another device's statistics predict a text worse than its own", () => {
    for (const { train } of loaded) {
      const halves = train.map((tokens) => [
        bigrams(tokens.subarray(0, tokens.length / 2)),
        bigrams(tokens.subarray(tokens.length / 2)),
      ]);
      for (const [i, [own, rest]] of halves.entries()) {
        for (const [j, [other]] of halves.entries()) {
          if (i === j) continue;
          expect(crossEntropy(rest!, other!)).toBeGreaterThan(crossEntropy(rest!, own!));
        }
      }
    }
  });
});

describe("the text of the pre-training", () => {
  test("is prose with 3 to 5 % of the tasks, none of it from their other parts", () => {
    const { train, heldOut } = tasks.pretrainingText();
    expect(train.length).toBeGreaterThan(5e6);
    const lines = linesOf(train);
    const own = new Set(loaded.flatMap(({ base }) => linesOf(base)));
    const rest = new Set(
      loaded.flatMap(({ train: device, heldOut: held, pilot }) => [...device, held, pilot].flatMap(linesOf)),
    );
    const mixed = lines.filter((line) => own.has(line));
    const share = mixed.reduce((sum, line) => sum + line.length + 1, 0) / train.length;
    expect(share).toBeGreaterThan(0.03);
    expect(share).toBeLessThan(0.05);
    expect(lines.filter((line) => rest.has(line))).toEqual([]);
    const proseLines = new Set(lines);
    const held = linesOf(heldOut).filter((line) => line.length > 60);
    expect(held.length).toBeGreaterThan(1);
    expect(held.filter((line) => proseLines.has(line))).toEqual([]);
  });
});

describe("the committed base", () => {
  test("has the held-out losses its header tells", async () => {
    const { loss: expected, evaluation } = readHeader();
    const { startBackend } = (await load("backend.mjs")) as { startBackend(): Promise<unknown> };
    const { architecture, createModel } = (await load("transformer.mjs")) as Transformer;
    const { loadWeights } = (await load("weights.mjs")) as { loadWeights(): unknown };
    await startBackend();
    const model = createModel(loadWeights(), architecture);
    const texts: Record<string, Uint8Array> = { prose: tasks.pretrainingText().heldOut };
    for (const { name, heldOut } of loaded) texts[name] = heldOut;
    expect(Object.keys(texts).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, tokens] of Object.entries(texts)) {
      const batches = tasks.heldOutBatches(tokens, evaluation);
      const mean = batches.reduce((sum, batch) => sum + model.loss(batch), 0) / batches.length;
      expect(Math.abs(mean - expected[name]!)).toBeLessThan(1e-4);
    }
    model.dispose();
    // the sounds are far from the base, the other tasks are near
    expect(expected["pronunciation"]!).toBeGreaterThan(expected["facts"]!);
    expect(expected["pronunciation"]!).toBeGreaterThan(expected["definitions"]!);
  });
});

function readHeader(): {
  loss: Record<string, number>;
  evaluation: { count: number; length: number; batches: number };
} {
  const { heldOut, evaluation } = JSON.parse(readFileSync(new URL("base.json", folder), "utf8"));
  return { loss: heldOut, evaluation };
}

function bigrams(tokens: Uint8Array): Float64Array {
  const counts = new Float64Array(96 * 96);
  for (let i = 1; i < tokens.length; i++) counts[tokens[i - 1]! * 96 + tokens[i]!]!++;
  return counts;
}

/** Nats per character of a text with these pairs under the pairs of another one, one pair added to each. */
function crossEntropy(text: Float64Array, model: Float64Array): number {
  let sum = 0;
  let count = 0;
  for (let before = 0; before < 96; before++) {
    let all = 96;
    for (let after = 0; after < 96; after++) all += model[before * 96 + after]!;
    for (let after = 0; after < 96; after++) {
      const pairs = text[before * 96 + after]!;
      count += pairs;
      sum -= pairs * Math.log((model[before * 96 + after]! + 1) / all);
    }
  }
  return sum / count;
}
