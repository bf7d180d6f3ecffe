import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { designBeamformers, overTheAirLink, rayleighChannel } from "../../src/aircomp/index.ts";
import { randomStream } from "../../src/core/index.ts";
import {
  fuse,
  fuseOverTheAir,
  maskedNames,
  negate,
  type ParameterSet,
  taskVector,
} from "../../src/fusion/index.ts";
import { add, bits, farthest, fieldOf, fusionCases, lengths, RUNS, randomSet } from "./task-support.ts";

/** Rounding of the largest result, in the precision of the tensors. */
function rounding({ base, taskVectors, coefficients }: Parameters<typeof fuse>[0]): number {
  const single = Object.values(base as ParameterSet)[0]! instanceof Float32Array;
  const size = Array.from(coefficients as ArrayLike<number>).reduce((sum, x) => sum + Math.abs(x), 1);
  const largest = Math.max(
    ...[base, ...taskVectors].flatMap((set) =>
      Object.values(set as ParameterSet).flatMap((x) => [...x].map(Math.abs)),
    ),
  );
  return (single ? 2 ** -23 : 2 ** -51) * size * largest;
}

describe("fuse", () => {
  test("does not depend on the order of the tasks, to rounding", () => {
    fc.assert(
      fc.property(fusionCases(), fc.integer({ min: 0, max: 1e6 }), (own, seed) => {
        const order = [...randomStream(seed, "order").permutation(own.coefficients.length)];
        const other = fuse({
          ...own,
          taskVectors: order.map((t) => own.taskVectors[t]!),
          coefficients: order.map((t) => own.coefficients[t]!),
        });
        expect(farthest(fuse(own), other)).toBeLessThanOrEqual(rounding(own));
      }),
      RUNS,
    );
  });

  test("is affine in the coefficients: tasks one after the other, and twice the coefficient is twice the way", () => {
    fc.assert(
      fc.property(fusionCases(), (own) => {
        let inTurn: ParameterSet = own.base;
        own.taskVectors.forEach((vector, t) => {
          inTurn = fuse({ base: inTurn, taskVectors: [vector], coefficients: own.coefficients[t]! });
        });
        const tolerance = rounding(own) * own.coefficients.length;
        expect(farthest(fuse(own), inTurn)).toBeLessThanOrEqual(tolerance);
        const double = { ...own, coefficients: own.coefficients.map((x) => 2 * x) };
        const way = add(fuse(own), own.base, -1);
        expect(farthest(fuse(double), add(own.base, way, 2))).toBeLessThanOrEqual(4 * tolerance);
      }),
      RUNS,
    );
  });

  test("coefficient 0 gives the base bit for bit, a negative zero included", () => {
    fc.assert(
      fc.property(fusionCases(), (own) => {
        const base = { ...own.base, "head.weight": Float32Array.of(-0, 0, 1, 2) };
        const fused = fuse({ ...own, base, coefficients: 0 });
        for (const [name, tensor] of Object.entries(base)) expect(bits(fused[name]!)).toEqual(bits(tensor));
      }),
      RUNS,
    );
  });

  test("one task with coefficient 1 gives the fine-tuned model to rounding, in the array types of the base", () => {
    fc.assert(
      fc.property(fusionCases(), ({ base, taskVectors }) => {
        const fineTuned = add(base, taskVectors[0]!);
        const own = { base, taskVectors: [taskVector(fineTuned, base)], coefficients: [1] };
        const fused = fuse(own);
        expect(farthest(fused, fineTuned)).toBeLessThanOrEqual(rounding(own));
        for (const name of Object.keys(base)) {
          expect(fused[name]!.constructor).toBe((base as ParameterSet)[name]!.constructor);
        }
      }),
      RUNS,
    );
  });

  test("masked tensors are copied bit for bit, whatever they hold, and may be missing in task vectors", () => {
    fc.assert(
      fc.property(
        fusionCases(),
        fc.constantFrom("head.*", /^head/, ["head.weight", "*.bias"]),
        (own, frozen) => {
          const strange = new Float64Array(4);
          new BigUint64Array(strange.buffer).set([0x7ff8000000000123n, 0xfff0000000000000n, 1n, 1n << 63n]);
          const base = { ...own.base, "head.weight": strange };
          const masked = maskedNames(base, frozen);
          const fused = fuse({ ...own, base, frozen });
          for (const name of masked)
            expect(bits(fused[name]!)).toEqual(bits(base[name as keyof typeof base]!));
          expect(fused["head.weight"]).not.toBe(strange);
          const trained = Object.keys(base).filter((name) => !masked.includes(name));
          const reference = fuse(own);
          for (const name of trained) expect(bits(fused[name]!)).toEqual(bits(reference[name]!));
          const taskVectors = own.taskVectors.map((v) => Object.fromEntries(trained.map((n) => [n, v[n]!])));
          expect(fuse({ ...own, base, taskVectors, frozen })).toEqual(fused);
        },
      ),
      RUNS,
    );
  });

  test("negation is a negative coefficient; Maps are taken; inputs stay as they are", () => {
    fc.assert(
      fc.property(fusionCases(), ({ base, taskVectors, coefficients }) => {
        const before = structuredClone({ base, taskVectors });
        const fused = fuse({ base, taskVectors, coefficients });
        const mirrored = fuse({
          base: new Map(Object.entries(base)),
          taskVectors: taskVectors.map((v) => new Map(Object.entries(negate(v)))),
          coefficients: coefficients.map((x) => -x),
        });
        expect(farthest(mirrored, fused)).toBe(0);
        expect({ base, taskVectors }).toEqual(before);
      }),
      RUNS,
    );
  });

  test("single precision is rounded once: many small tasks do not drown", () => {
    const base = { w: Float32Array.of(1) };
    const taskVectors = Array.from({ length: 1000 }, () => ({ w: Float32Array.of(2 ** -26) }));
    const coefficients = 1;
    expect(fuse({ base, taskVectors, coefficients }).w![0]).toBe(Math.fround(1 + 1000 * 2 ** -26));
  });

  test("refuses by tensor and field", async () => {
    const stream = randomStream(1, "refusals");
    const base = randomSet(lengths, stream);
    const vector = randomSet(lengths, stream);
    const own = { base, taskVectors: [vector, vector], coefficients: 1 };
    const { "head.weight": _, ...partial } = vector;
    const cases: [string, () => unknown][] = [
      ['taskVectors[1]["head.weight"]', () => fuse({ ...own, taskVectors: [vector, partial] })],
      [
        'taskVectors[0]["other"]',
        () => fuse({ ...own, taskVectors: [{ ...vector, other: new Float64Array(1) }] }),
      ],
      [
        'taskVectors[0]["head.weight"]',
        () => fuse({ ...own, taskVectors: [{ ...vector, "head.weight": new Float64Array(3) }] }),
      ],
      [
        'taskVectors[0]["head.weight"][2]',
        () =>
          fuse({ ...own, taskVectors: [{ ...vector, "head.weight": Float64Array.of(0, 0, Number.NaN, 0) }] }),
      ],
      ['base["head.weight"]', () => fuse({ ...own, base: { ...base, "head.weight": [1, 2] as never } })],
      ["base", () => fuse({ ...own, base: {} })],
      ["base", () => fuse({ ...own, base: new Float64Array(2) as never })],
      ["taskVectors", () => fuse({ ...own, taskVectors: [] })],
      ["coefficients", () => fuse({ ...own, coefficients: [1] })],
      ["coefficients[1]", () => fuse({ ...own, coefficients: [1, Number.NaN] })],
      ["frozen[1]", () => fuse({ ...own, frozen: ["head.*", "haed.*"] })],
      ["frozen", () => fuse({ ...own, frozen: 3 as never })],
      ["fuse.weights", () => fuse({ ...own, weights: [1] } as never)],
      [
        'coefficients["head.weight"]',
        () =>
          fuse({
            ...own,
            coefficients: 1e308,
            taskVectors: [{ ...vector, "head.weight": Float64Array.of(9, 9, 9, 9) }],
          }),
      ],
      ['fineTuned["head.weight"]', () => taskVector(partial, base)],
      [
        'fineTuned["encoder.0.bias"]',
        () => taskVector({ ...vector, "encoder.0.bias": new Float64Array(1) }, base),
      ],
    ];
    for (const [field, call] of cases) expect(await fieldOf(call)).toBe(field);
  });
});

describe("name patterns", () => {
  const set = Object.fromEntries(["a.b", "a/b", "aXb", "a+b", "ab"].map((n) => [n, new Float32Array(1)]));
  test.each([
    ["a.b", ["a.b"]],
    ["a?b", ["a.b", "a/b", "aXb", "a+b"]],
    ["a*b", ["a.b", "a/b", "aXb", "a+b", "ab"]],
    ["a+b", ["a+b"]],
    [/[/]/g, ["a/b"]],
    [
      ["ab", "a/*"],
      ["a/b", "ab"],
    ],
  ] as const)("%s", (pattern, expected) => {
    // twice: a global expression remembers where it was
    for (let i = 0; i < 2; i++) expect(maskedNames(set, pattern)).toEqual(expected);
  });
});

describe("over the air", () => {
  const exact = (vectors: readonly Float64Array[], weights: ArrayLike<number>): Float64Array =>
    vectors[0]!.map((_, i) => vectors.reduce((sum, v, t) => sum + weights[t]! * v[i]!, 0));

  test("an exact sum gives what fuse gives, with the weights of the link or of the coefficients", () => {
    fc.assert(
      fc.property(fusionCases({ single: false }), fc.boolean(), (own, given) => {
        const weights = own.coefficients.map((_, t) => 1 + t);
        const { parameters, entries } = fuseOverTheAir({
          ...own,
          frozen: "head.*",
          ...(given ? { weights } : {}),
          send: (vectors, at) => ({ estimate: exact(vectors, at.weights) }),
        });
        expect(entries).toBe(8);
        expect(farthest(parameters, fuse({ ...own, frozen: "head.*" }))).toBeLessThan(1e-13 * 50);
        expect(bits(parameters["head.weight"]!)).toEqual(bits(own.base["head.weight"]!));
      }),
      RUNS,
    );
  });

  test("through a link of airfold/aircomp", () => {
    const stream = randomStream(4, "air");
    const base = randomSet({ w: 300, head: 20 }, stream);
    const taskVectors = [0, 1, 2].map(() => randomSet({ w: 300, head: 20 }, stream, 0.1));
    const coefficients = [0.5, -0.3, 0.8];
    const channel = rayleighChannel({
      devices: 3,
      subcarriers: 2,
      receiveAntennas: 6,
      transmitAntennas: 2,
      taps: 2,
      seed: 1,
    });
    const design = designBeamformers({
      channel,
      streams: 2,
      power: 1e6,
      noiseVariance: 1,
      scheme: "uniform-forcing",
    });
    const link = overTheAirLink({ channel, design, noiseVariance: 1 });
    const send = (vectors: readonly Float64Array[]) => link.aggregate(vectors, 7);
    const given = { base, taskVectors, coefficients, frozen: "head", weights: [1, 1, 1] };
    const fused = fuseOverTheAir({ ...given, send });
    const { weights: _, ...options } = given;
    const error = farthest(fused.parameters, fuse(options));
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(6 * Math.sqrt(fused.transmission!.expectedSquaredError / 300));
  });

  test("refuses what cannot be sent", async () => {
    const stream = randomStream(1, "air-refusals");
    const own = {
      base: randomSet(lengths, stream),
      taskVectors: [randomSet(lengths, stream)],
      coefficients: 1,
    };
    const send = (vectors: readonly Float64Array[]) => ({ estimate: vectors[0]! });
    expect(await fieldOf(() => fuseOverTheAir({ ...own, send: 1 as never }))).toBe("send");
    expect(await fieldOf(() => fuseOverTheAir({ ...own, send: () => ({ estimate: [1] }) }))).toBe(
      "send: estimate",
    );
    expect(await fieldOf(() => fuseOverTheAir({ ...own, send, weights: [0] }))).toBe("weights");
    const two = { ...own, taskVectors: [...own.taskVectors, ...own.taskVectors], send };
    expect(await fieldOf(() => fuseOverTheAir({ ...two, weights: [1, 0] }))).toBe("weights[1]");
    let sent = 0;
    const nothing = fuseOverTheAir({ ...own, coefficients: 0, send: (v) => ({ estimate: v[sent++]! }) });
    expect([sent, farthest(nothing.parameters, own.base)]).toEqual([0, 0]);
  });
});
