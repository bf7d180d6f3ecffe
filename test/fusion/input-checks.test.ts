/** Bad values for every option of every function: an InputError, or a result without NaN, and nothing else. */
import { describe, expect, it } from "vitest";
import { InputError, randomStream } from "../../src/core/index.ts";
import * as fusion from "../../src/fusion/index.ts";
import { fromDiagonal, identity, randomMatrix, scale, zeros } from "../../src/linalg/index.ts";

const channels = [0, 1, 2].map((user) => randomMatrix(3, 2, randomStream(5, "channel", user)));
const signalCovariances = channels.map((channel) => fusion.signalCovariance(channel));
const [noise, jammerChannel] = [identity(3), randomMatrix(3, 2, randomStream(5, "jammer"))];
const base = { w: Float64Array.of(1, 2, 3), b: Float64Array.of(0.5) };
const taskVectors = [0, 1, 2].map((t) => ({
  w: Float64Array.of(0.1 * t, 0.2, -0.1),
  b: Float64Array.of(0.1),
}));
const inputs = [
  [1, 2],
  [3, 4],
  [5, 6],
];
const model = ({ w, b }: fusion.ParameterSet, task: unknown): number[][] =>
  (Array.isArray(task) ? task : [0]).map((x) => [
    w![0]! * (typeof x === "number" ? x : 0) + b![0]!,
    w![1]! * w![2]!,
  ]);
const jacobianProduct = (_: unknown, direction: fusion.ParameterSet, task: unknown): number[][] =>
  (Array.isArray(task) ? task : [0]).map((x) => [direction.w![0]! * (typeof x === "number" ? x : 0), 0]);
const fused = { base, taskVectors, coefficients: [0.1, 0.2, 0.3], frozen: "b" };
const probed = { probes: 4, seed: 1, step: 1e-3, jacobianProduct };
const steps = { fused: base, frozen: "b", gradient: () => ({ w: [1, 1, 1] }), shots: 2, steps: 2 };

type Options = Record<string, unknown>;
/** Typed callers could not go wrong in these ways. */
type Call = (options: never) => unknown;
const functions: [call: Call, options: Options][] = [
  [fusion.worstCaseNoise, { signalCovariances, power: 2, objective: "sum-rate" }],
  [
    fusion.worstCaseNoise,
    {
      ...{ signalCovariances, power: 2, floor: 0.1, jammerChannel, objective: "strongest-user" },
      ...{ decoded: "first", user: 1, tolerance: 1e-4, maxIterations: 20 },
    },
  ],
  [fusion.sicRates, { signalCovariances, noise, order: [2, 0, 1] }],
  [fusion.mmseSicErrors, { channels, noise, order: [2, 0, 1] }],
  [fusion.iterativeWaterFilling, { channels, powers: [1, 2, 1], noise, tolerance: 1e-4, maxIterations: 20 }],
  [
    fusion.saddlePoint,
    {
      ...{ channels, powers: [1, 2, 1], jammerPower: 2, floor: 0.1, jammerChannel },
      ...{ tolerance: 1e-2, maxIterations: 5 },
    },
  ],
  [fusion.fuse, fused],
  [fusion.fuseOverTheAir, { ...fused, weights: [1, 1, 1], send: (v: unknown[]) => ({ estimate: v[0] }) }],
  [fusion.injectNoise, { taskVectors, mse: [0.1, 0.2, 0.3], scale: "relative", frozen: "b", seed: 1 }],
  [
    fusion.selectCoefficients,
    {
      ...{ base, taskVectors, frozen: "b", score: () => 1, values: [0, 0.5] },
      ...{ search: "coordinate", start: [0, 0, 0], maxSweeps: 2 },
    },
  ],
  [
    fusion.disentanglementError,
    { ...fused, inputs, model, distance: "squared", referenceVectors: taskVectors },
  ],
  [
    fusion.disentanglementGrid,
    { ...fused, inputs, model, distance: "squared", tasks: [0, 2], values: [[0, 1], [0.5]] },
  ],
  [
    fusion.predictDisentanglement,
    { ...fused, inputs, model, noise: 0.1, reference: "received", curvature: true, ...probed },
  ],
  [
    fusion.outputCovariances,
    { parameters: base, frozen: "b", inputs: [1, 2], model, task: 0, noise: 0.1, ...probed },
  ],
  [
    fusion.flipProbability,
    { outputs: [1, 2, 3], covariance: [1, 2, 3], method: "monte-carlo", draws: 10, seed: 1 },
  ],
  [
    fusion.taskVectorTest,
    { first: taskVectors[0], second: taskVectors[1], covariance: 0.1, priors: [0.5, 0.5], frozen: "b" },
  ],
  [fusion.realign, { ...steps, learningRate: 0.1, momentum: 0.5 }],
  [
    fusion.realign,
    {
      ...{ ...steps, learningRate: 0.1, optimizer: "adam", beta1: 0.9, beta2: 0.99, epsilon: 1e-8 },
      ...{ validate: () => 1, validateEvery: 1, signal: new AbortController().signal },
    },
  ],
];
const unreadable = {
  toString(): string {
    throw new Error("read");
  },
};
const bad: unknown[] = [
  ...[
    null,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    0,
    0.5,
    1e300,
    1e-300,
    "",
    "x",
    "w*",
    true,
    Symbol("s"),
    10n,
  ],
  ...[
    [],
    {},
    () => 1,
    [Number.NaN],
    [1],
    ["a"],
    [null, null, null],
    new Array(3),
    { length: 3 },
    new Map(),
    unreadable,
  ],
  ...[
    [1, 2, 3, 4],
    [0, 0, 1],
    [0, 1, -1],
    [[], [], []],
    new Float64Array(0),
    Float64Array.of(Number.NaN, 1, 2),
  ],
  ...[
    Object.create(null),
    /x/,
    zeros(3, 3),
    zeros(2, 2),
    [identity(3), identity(2)],
    new Array(3).fill(identity(3)),
  ],
  ...[
    [
      [1, 2],
      [3, 4],
    ],
    { rows: 3, cols: 3 },
    { rows: 3, cols: 3, data: [1] },
    { rows: -1, cols: 2, data: [] },
  ],
  ...[
    { rows: unreadable, cols: 3, data: new Float64Array(18) },
    scale(identity(3), -1),
    scale(identity(3), 1e200),
  ],
  ...[{ w: null }, { w: [1, 2, 3] }, { w: new Float64Array(2), b: new Float64Array(1) }],
  ...[{ w: Float64Array.of(1, Number.NaN, 0), b: new Float64Array(1) }, { perTensor: {} }, { full: [1] }],
];

/** A field of the result that is NaN, if any. */
function nanIn(value: unknown, path = "result", depth = 0): string | undefined {
  if (typeof value === "number") return Number.isNaN(value) ? path : undefined;
  // outputs are those of the model
  if (path === "result.outputs" || depth > 5 || value === null || typeof value !== "object") return undefined;
  for (const [key, entry] of Object.entries(value)) {
    const found = nanIn(entry, `${path}.${key}`, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

describe("bad values", () => {
  it.each(functions.map(([call, options]) => ({ call, options, name: call.name })))(
    "$name",
    async ({ call, options, name }) => {
      const tried = async (given: unknown, what: string): Promise<void> => {
        try {
          expect(nanIn(await call(given as never)), what).toBeUndefined();
        } catch (error) {
          if (!(error instanceof InputError)) throw new Error(what, { cause: error });
        }
      };
      expect(nanIn(await call(options as never))).toBeUndefined();
      await expect((async () => call({ ...options, unknwn: 1 } as never))()).rejects.toMatchObject({
        field: `${name}.unknwn`,
      });
      for (const [i, value] of bad.entries()) {
        await tried(value, `instead of the options: ${i}`);
        for (const [key, good] of Object.entries(options)) {
          const what = `${key}: ${i}`;
          await tried({ ...options, [key]: value }, what);
          if (typeof good === "function") {
            await tried({ ...options, [key]: () => value }, `returned by ${what}`);
            await tried({ ...options, [key]: async () => value }, `promised by ${what}`);
          }
          if (Array.isArray(good)) {
            await tried(
              { ...options, [key]: good.map((x, j) => (j === 1 ? value : x)) },
              `second of ${what}`,
            );
          }
        }
      }
    },
  );

  const refused: [call: Call, options: Options, field: string, found: string][] = [
    [
      fusion.worstCaseNoise,
      { signalCovariances: [[[1]]], power: 1, objective: "mse" },
      "signalCovariances[0]",
      "an array of 1 entry",
    ],
    [fusion.sicRates, { signalCovariances: new Array(2), noise }, "signalCovariances[0]", "undefined"],
    [
      fusion.iterativeWaterFilling,
      { channels, powers: [1, 2, 3, 4], noise },
      "powers",
      "an array of 4 entries",
    ],
    [fusion.fuse, { ...fused, taskVectors: new Array(3) }, "taskVectors[0]", "undefined"],
    [fusion.injectNoise, { taskVectors: new Array(3), mse: 1, seed: 1 }, "taskVectors[0]", "undefined"],
    [fusion.fuse, { ...fused, frozen: new Array(1) }, "frozen[0]", "undefined"],
    [fusion.selectCoefficients, { base, taskVectors, score: () => 1, start: 0 }, "start", "a value"],
    [
      fusion.selectCoefficients,
      { base, taskVectors, score: () => 1, search: "grid", maxSweeps: 1 },
      "maxSweeps",
      "a value",
    ],
    [
      fusion.disentanglementError,
      { ...fused, inputs, model: () => new Array(2) },
      "model (task 0): row 0",
      "undefined",
    ],
    [
      fusion.disentanglementGrid,
      { base, taskVectors: [base], inputs: [0], model, values: [1] },
      "taskVectors",
      "one task vector",
    ],
    [fusion.realign, { ...steps, learningRate: 1, signal: 5 }, "signal", "5"],
  ];
  it.each(refused.map(([call, options, field, found]) => ({ call, options, field, found, name: call.name })))(
    "$name refuses $field: $found",
    async ({ call, options, field, found }) => {
      await expect((async () => call(options as never))()).rejects.toMatchObject({
        name: "InputError",
        field,
        found,
      });
    },
  );

  it("noise that is singular but for rounding, and not noise of very unequal powers", () => {
    for (let seed = 0; seed < 60; seed++) {
      const n = 2 + (seed % 7);
      const channel = randomMatrix(n, 1 + (seed % (n - 1 || 1)), randomStream(seed, "thin"));
      const thin = [fusion.signalCovariance(channel)];
      const worst = fusion.worstCaseNoise({ signalCovariances: thin, power: 10, objective: "sum-rate" });
      if (channel.cols === n) continue;
      const errors = () => fusion.mmseSicErrors({ channels: [channel], noise: worst.covariance });
      expect(errors).toThrow("noise: found a singular matrix");
    }
    const unequal = fromDiagonal([1, 1e-60]);
    const { sumRate } = fusion.sicRates({ signalCovariances: [identity(2)], noise: unequal });
    expect(sumRate).toBeCloseTo(Math.LN2 + 60 * Math.LN10, 10);
  });

  it("a misspelt pattern, and a flag that is no flag", () => {
    const misspelt = () => fusion.fuse({ ...fused, frozen: ["b", "weight"] });
    expect(misspelt).toThrow("frozen[1]: found weight, which matches no tensor, expected a match among w, b");
    expect(() => fusion.mseFromErrorCovariance(0.5, { unbiased: "yes" as unknown as boolean })).toThrow(
      "unbiased",
    );
  });
});
