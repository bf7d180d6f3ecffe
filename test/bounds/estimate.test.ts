import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ConstantName,
  constantsEstimator,
  type EstimateOptions,
  estimateConstants,
  type TrainingRecord,
} from "../../src/bounds/index.ts";
import { InputError } from "../../src/core/index.ts";
import { type QuadraticLog, quadraticLog } from "./estimate-support.ts";
import { decades, RUNS, relative } from "./support.ts";

const base: QuadraticLog = {
  entries: 6,
  condition: 10,
  rounds: 15,
  devices: 3,
  replicates: 2,
  noise: 0.02,
  step: 0.9,
};

const names: readonly ConstantName[] = [
  "smoothness",
  "optimum",
  "plConstant",
  "initialGap",
  "gradientFloor",
  "gradientSlope",
  "stochasticVariance",
  "heterogeneityFloor",
  "heterogeneitySlope",
  "dissimilarityFloor",
  "dissimilaritySlope",
];

/** How constants scale when the loss is multiplied by a and the parameters by b. */
const powers: Readonly<Record<ConstantName, readonly [number, number]>> = {
  smoothness: [1, -2],
  optimum: [1, 0],
  plConstant: [1, -2],
  initialGap: [1, 0],
  gradientFloor: [2, -2],
  gradientSlope: [0, 0],
  stochasticVariance: [2, -2],
  heterogeneityFloor: [2, -2],
  heterogeneitySlope: [0, 0],
  dissimilarityFloor: [2, -2],
  dissimilaritySlope: [0, 0],
};

const scaled = (records: readonly TrainingRecord[], a: number, b: number): TrainingRecord[] =>
  records.map(({ parameters, gradient, loss, ...rest }) => ({
    ...rest,
    parameters: Array.from(parameters, (value) => value * b),
    gradient: Array.from(gradient, (value) => (value * a) / b),
    loss: loss * a,
  }));

function noNaN(value: unknown): void {
  if (typeof value === "number") expect(value).not.toBeNaN();
  else if (value !== null && typeof value === "object") for (const part of Object.values(value)) noNaN(part);
}

describe("closed forms", () => {
  it("one dimension: L = mu, f* and Delta0 exact, with intervals of no width", () => {
    fc.assert(
      fc.property(
        decades(-3, 3),
        fc.double({ min: 0.05, max: 0.6, noNaN: true }),
        fc.double({ min: -5, max: 5, noNaN: true }),
        (curvature, step, optimum) => {
          const records: TrainingRecord[] = [];
          let x = 3;
          for (let round = 0; round < 8; round++) {
            const loss = optimum * curvature + (curvature * x * x) / 2;
            records.push({ round, parameters: [x], gradient: [curvature * x], loss });
            x -= step * x;
          }
          const { constants, learning } = estimateConstants(records);
          const { smoothness, plConstant, initialGap } = constants;
          for (const estimate of [smoothness!, plConstant!]) {
            for (const value of [estimate.value, ...estimate.interval])
              expect(relative(value, curvature)).toBeLessThan(1e-6);
          }
          // losses tell a curvature to 2^-53 of their size over 100 2^-24 of it, what is asked of a difference
          expect(relative(smoothness!.value, curvature)).toBeLessThan(1e-10);
          expect(learning.plConstant).toBeLessThanOrEqual(learning.smoothness!);
          expect(Math.abs(constants.optimum!.value - optimum * curvature)).toBeLessThan(1e-7 * curvature);
          expect(relative(initialGap!.value, curvature * 4.5)).toBeLessThan(1e-7);
        },
      ),
      RUNS,
    );
  });

  it("one step to the optimum: where the gradient is 0 the loss is f*", () => {
    const points = [4, 2, 1, 0];
    const records = points.map((x, round) => ({
      round,
      parameters: [x],
      gradient: [2 * x],
      loss: 7 + x * x,
    }));
    const { constants } = estimateConstants(records);
    expect(constants.optimum).toMatchObject({ value: 7, interval: [7, 7] });
    expect(constants.plConstant!.value).toBe(2);
    expect(constants.initialGap).toMatchObject({ value: 16, interval: [16, 16] });
  });

  it("a given optimum is used as it is", () => {
    const { records } = quadraticLog(1, base);
    const { constants } = estimateConstants(records, { optimum: 0.25 });
    expect(constants.optimum).toMatchObject({
      value: 0.25,
      interval: [0.25, 0.25],
      samples: 0,
      method: "given",
    });
  });

  it("chi2, packScale and heterogeneity of a log by hand", () => {
    const round = (number: number, x: number): TrainingRecord[] =>
      [
        [0, 1, 5],
        [0, 3, 3],
        [1, -1, 1],
        [1, -1, 5],
      ].map(([device, first, second]) => ({
        round: number,
        device: device!,
        weight: device === 0 ? 3 : 1,
        parameters: [x, x],
        gradient: [first! * x, second! * x],
        loss: x,
      }));
    const { constants } = estimateConstants([...round(0, 1), ...round(1, 2), ...round(2, 3)], { optimum: 0 });
    // variances of the replicates: 2 + 2 = 4 and 0 + 8 = 8; weights 3/4 and 1/4
    const chi2 = (9 / 16) * 4 + (1 / 16) * 8;
    expect(constants.stochasticVariance!.value).toBeCloseTo((chi2 * (1 + 4 + 9)) / 3, 12);
    expect(constants.stochasticVariance!.samples).toBe(12);
    // means of the devices (2, 4) and (-1, 3), packMean = 3/4 * 3 + 1/4 * 1 = 2.5; worst line (-1, 5): mean (12.25 + 6.25)/2
    const gradient = [0.75 * 2 - 0.25, 0.75 * 4 + 0.75];
    const squared = gradient[0]! ** 2 + gradient[1]! ** 2 - chi2 / 2;
    expect(constants.gradientFloor!.value).toBeCloseTo(0, 12);
    expect(constants.gradientSlope!.value).toBeCloseTo((2 * 9.25) / squared, 12);
    expect(constants.heterogeneitySlope!.value).toBeCloseTo((20 - 4 / 2) / squared, 12);
    // single gradients: all 2 x 2 pairs of lines, each with its own weighted mean
    const lines = [
      [
        [1, 5],
        [3, 3],
      ],
      [
        [-1, 1],
        [-1, 5],
      ],
    ];
    let apart = 0;
    for (const [a0, a1] of lines[0]!) {
      for (const [b0, b1] of lines[1]!) apart += (3 / 16) * ((a0! - b0!) ** 2 + (a1! - b1!) ** 2);
    }
    expect(constants.dissimilaritySlope!.value).toBeCloseTo(apart / 4 / squared, 12);
  });
});

describe("invariances", () => {
  const { records } = quadraticLog(3, base);
  const reference = estimateConstants(records);

  it("the test log tells every constant", () => {
    expect(Object.keys(reference.missing)).toEqual([]);
    expect(Object.keys(reference.constants).sort()).toEqual([...names].sort());
  });

  it("the order of the lines within a round does not matter", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { minLength: 90, maxLength: 90 }), (keys) => {
        const order = records
          .map((record, i) => ({ record, key: keys[i]! }))
          .sort((a, b) => a.record.round! - b.record.round! || a.key - b.key);
        const { constants } = estimateConstants(order.map(({ record }) => record));
        for (const name of names) {
          const unit = name === "optimum" ? reference.constants.initialGap!.value : 1;
          const difference = Math.abs(constants[name]!.value - reference.constants[name]!.value);
          expect(difference).toBeLessThan(1e-10 * Math.max(unit, Math.abs(reference.constants[name]!.value)));
        }
      }),
      { ...RUNS, numRuns: 30 },
    );
  });

  it("scale laws of loss and parameters, exact for powers of two", () => {
    fc.assert(
      fc.property(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -20, max: 20 }), (i, j) => {
        const { constants } = estimateConstants(scaled(records, 2 ** i, 2 ** j));
        for (const name of names) {
          const [a, b] = powers[name];
          const factor = 2 ** (a * i + b * j);
          const expected = reference.constants[name]!;
          expect(constants[name]!.value).toBe(expected.value * factor);
          expect(constants[name]!.interval).toEqual(expected.interval.map((end) => end * factor));
        }
      }),
      { ...RUNS, numRuns: 30 },
    );
  });

  it("scale of the weights does not matter, nor the kind of array, nor a stream of records", () => {
    const weighted = records.map((record) => ({ ...record, weight: 7 }));
    expect(estimateConstants(weighted).constants).toEqual(reference.constants);
    const typed = records.map((record) => ({ ...record, gradient: Float64Array.from(record.gradient) }));
    expect(estimateConstants(typed)).toEqual(reference);
    const estimator = constantsEstimator();
    for (const record of records) estimator.add(record);
    expect(estimator.finish()).toEqual(reference);
  });

  it("rounds need no numbers where the points differ", () => {
    const plain = records.map(({ round: _, ...record }) => record);
    expect(estimateConstants(plain).constants).toEqual(reference.constants);
  });

  it("value and conservative ends; conservative makes the bound larger", () => {
    const { learning } = estimateConstants(records, { use: "conservative" });
    const { constants } = reference;
    expect(learning.smoothness).toBe(constants.smoothness!.interval[1]);
    expect(learning.plConstant).toBe(constants.plConstant!.interval[0]);
    expect(learning.initialGap).toBe(constants.initialGap!.interval[1]);
    expect(reference.learning).toMatchObject({ rounds: 15, smoothness: constants.smoothness!.value });
  });

  it("values lie within their intervals, mu <= L", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        decades(-3, 0.5),
        (seed, rounds, devices, replicates, noise) => {
          const log = quadraticLog(seed, { ...base, rounds, devices, replicates, noise });
          const result = estimateConstants(log.records);
          noNaN(result);
          for (const { value, interval } of Object.values(result.constants)) {
            expect(interval[0]).toBeLessThanOrEqual(value);
            expect(interval[1]).toBeGreaterThanOrEqual(value);
          }
          const { smoothness, plConstant } = result.constants;
          if (smoothness !== undefined && plConstant !== undefined) {
            expect(plConstant.value).toBeLessThanOrEqual(smoothness.value);
            expect(plConstant.interval[0]).toBeLessThanOrEqual(smoothness.interval[1]);
          }
        },
      ),
      { ...RUNS, numRuns: 100 },
    );
  });
});

describe("logs that tell little", () => {
  const line = (round: number, x: number[], gradient: number[], loss: number): TrainingRecord => ({
    round,
    device: 0,
    parameters: x,
    gradient,
    loss,
  });
  it.each<[string, TrainingRecord[], EstimateOptions]>([
    ["one line", [line(0, [1, 2], [3, 4], 5)], {}],
    ["one line and an optimum", [line(0, [1, 2], [3, 4], 5)], { optimum: 0 }],
    ["constant parameters", [0, 1, 2, 3].map((t) => line(t, [1, 1], [t, 1], t)), {}],
    ["zero gradients", [0, 1, 2, 3].map((t) => line(t, [t, 1], [0, 0], 1)), {}],
    ["all zero", [0, 1, 2, 3].map((t) => line(t, [0], [0], 0)), { optimum: 0 }],
    ["rising loss", [0, 1, 2, 3].map((t) => line(t, [t], [t], t * t)), {}],
    ["linear loss", [0, 1, 2, 3].map((t) => line(t, [t], [-1], -t)), {}],
    ["tiny numbers", [1, 2, 3, 4].map((t) => line(t, [1e-200 / t], [1e-200 / t], 1e-300 / t)), {}],
    ["large numbers", [1, 2, 3, 4].map((t) => line(t, [1e74 / t], [1e74 / t], 1e149 / t / t)), {}],
  ])("%s: no NaN, and a reason for what is missing", (_, records, options) => {
    const result = estimateConstants(records, options);
    noNaN(result);
    for (const name of names) expect(name in result.constants).not.toBe(name in result.missing);
    for (const reason of Object.values(result.missing)) expect(reason.length).toBeGreaterThan(5);
  });

  it("an optimum above a loss is refused, but not for noise alone", () => {
    const rows = [3, 1, 2].map((loss, t) => line(t, [t], [t], loss));
    expect(() => estimateConstants(rows, { optimum: 1.01 })).toThrow(
      /^options\.optimum: found 1\.01, expected at most 1, the least loss/,
    );
    expect(estimateConstants(rows, { optimum: 1 }).constants.initialGap!.value).toBe(2);
    const noisy = [3, 2, 1].flatMap((x, t) => [-1, 1].map((e) => line(t, [x], [x + e / 9], x + e / 9)));
    expect(estimateConstants(noisy, { optimum: 1.1 }).constants.initialGap!.value).toBeCloseTo(1.9, 12);
    expect(() => estimateConstants(noisy, { optimum: 1.6 })).toThrow(InputError);
  });

  it("a log that stands still tells no gap, unless an optimum below it is given", () => {
    const flat = [0, 1, 2].map((t) => line(t, [t], [0], 1));
    const still = [0, 1, 2].map((t) => line(t, [1], [1], 1));
    for (const [rows, why] of [
      [flat, /all gradients are 0/],
      [still, /same parameters|not known/],
    ] as const) {
      expect(estimateConstants(rows).missing.initialGap).toMatch(why);
      expect(estimateConstants(rows).learning.initialGap).toBeUndefined();
      expect(estimateConstants(rows, { optimum: 1 }).missing.initialGap).toMatch(/nothing tells how far/);
      expect(estimateConstants(rows, { optimum: 0.25 }).constants.initialGap!.value).toBe(0.75);
      expect(() => estimateConstants(rows, { optimum: 2 })).toThrow(/options\.optimum/);
    }
  });

  it("a line without a loss: found nothing; the size of the log is told", () => {
    const { loss: _, ...rest } = line(0, [1], [1], 1);
    expect(() => estimateConstants([rest as TrainingRecord])).toThrow(/records\[0\]\.loss: found nothing/);
    const { log } = estimateConstants([line(0, [1, 2], [1, 2], 1)]);
    expect(log).toEqual({ records: 1, rounds: 1, parameters: 2, devices: 1 });
  });

  it("pairs that differ by little more than noise are not used", () => {
    const { records } = quadraticLog(1, { ...base, noise: 3 });
    const { missing } = estimateConstants(records);
    expect(missing.smoothness).toMatch(/105 pairs .* standard deviations of their noise/);
  });

  it("without replicates, devices that disagree about the change of the gradient are told of", () => {
    const { records } = quadraticLog(1, { ...base, replicates: 1, noise: 0.3 });
    const { constants, missing, notes } = estimateConstants(records);
    expect(constants.smoothness!.note).toMatch(/the devices disagree .* replicates would tell/);
    expect(missing.stochasticVariance).toMatch(/2 lines/);
    expect(notes.join()).toMatch(/15 rounds have no replicates/);
    const exact = estimateConstants(quadraticLog(1, { ...base, replicates: 1, noise: 0 }).records);
    expect(exact.constants.smoothness!.note ?? "").not.toMatch(/disagree/);
  });

  it("partial rounds, repeated lines and unknown fields are told of", () => {
    const { records } = quadraticLog(1, base);
    const dropped = records.filter(({ round, device }) => !(round === 5 && device === 1));
    expect(estimateConstants(dropped).notes.join()).toMatch(/1 rounds left out: other devices/);
    expect(estimateConstants([records[0]!, ...records]).notes.join()).toMatch(/1 lines repeat/);
    const extra = records.map((record) => ({ ...record, accuracy: 0.5 }));
    expect(estimateConstants(extra).notes.join()).toMatch(/fields not used: accuracy/);
  });

  it("more rounds than are kept: a sample of the pairs, the same for the same seed", () => {
    const { records } = quadraticLog(1, {
      ...base,
      entries: 2,
      rounds: 300,
      devices: 1,
      replicates: 1,
      noise: 0,
      step: 0.02,
    });
    const first = estimateConstants(records);
    expect(first.constants.smoothness!.note).toMatch(/a sample of the pairs/);
    expect(estimateConstants(records)).toEqual(first);
    expect(first.constants.smoothness!.value).toBeGreaterThan(0.9);
  });
});

describe("records that make no sense", () => {
  const good: TrainingRecord = { round: 0, device: 0, parameters: [1, 2], gradient: [3, 4], loss: 5 };
  const refuses = (records: unknown, field: string, message: RegExp, options: EstimateOptions = {}): void => {
    let error: unknown;
    try {
      estimateConstants(records as TrainingRecord[], options);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).field).toBe(field);
    expect((error as InputError).message).toMatch(message);
  };

  it.each<[string, RegExp, unknown]>([
    ["gradient", /3 numbers, expected 2 as in parameters/, { ...good, gradient: [1, 2, 3] }],
    ["parameters", /1 numbers, expected 2 as in the first/, { ...good, parameters: [1], gradient: [1] }],
    ["gradient[1]", /"NaN"/, { ...good, gradient: [1, "NaN"] }],
    ["gradient[0]", /null/, { ...good, gradient: [null, 1] }],
    ["parameters[0]", /Infinity/, { ...good, parameters: [Number.POSITIVE_INFINITY, 1] }],
    ["parameters", /nothing/, { gradient: [1], loss: 1 }],
    ["gradient", /an array of 0 entries/, { ...good, gradient: [] }],
    ["gradient", /norm below 1e75/, { ...good, gradient: [1e76, 0] }],
    ["loss", /NaN/, { ...good, loss: Number.NaN }],
    ["loss", /"1"/, { ...good, loss: "1" }],
    ["round", /-1/, { ...good, round: -1 }],
    ["round", /nothing.*in all records/, { device: 0, parameters: [1, 2], gradient: [1, 1], loss: 1 }],
    ["device", /0\.5/, { ...good, device: 0.5 }],
    ["device", /nothing.*in all records/, { ...good, device: undefined }],
    ["weight", /-1/, { ...good, weight: -1 }],
    ["weight", /2.*none, as before/, { ...good, weight: 2 }],
    ["weight", /2.*in all records, or in none/, { ...good, device: 1, weight: 2 }],
    ["parameters", /the same for all lines of a round/, { ...good, parameters: [1, 3] }],
  ])("%s: %s", (field, message, record) => {
    refuses([good, record], `records[1].${field}`, message);
  });

  it("rounds out of order, no records, not an object, weights of zero, options", () => {
    refuses([{ ...good, round: 3 }, good], "records[1].round", /0 after 3.*increasing/);
    refuses([], "records", /no records/);
    refuses(7, "records", /7.*iterable/);
    refuses([good, 4], "records[1]", /4, expected an object/);
    refuses([{ ...good, weight: 0 }], "records[0].weight", /sum to 0/);
    refuses([good], "options.optimim", /unknown/, { optimim: 1 } as EstimateOptions);
    refuses([good], "options.confidence", /0\.5 to 0\.999/, { confidence: 1 });
    refuses([good], "options.use", /"value", "conservative"/, { use: "best" as "value" });
  });
});

it("a log of 200 000 rounds", () => {
  const estimator = constantsEstimator({ optimum: 0 });
  for (let round = 0; round < 200_000; round++) {
    const x = 1 + (round % 1000) / 1000;
    for (const gradient of [x, x + 0.001]) {
      estimator.add({ round, parameters: [x], gradient: [gradient], loss: (x * x) / 2 });
    }
  }
  expect(estimator.finish().constants.stochasticVariance).toBeDefined();
});
