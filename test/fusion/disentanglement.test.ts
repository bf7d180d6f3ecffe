import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import {
  disentanglementError,
  disentanglementGrid,
  flipProbability,
  fuse,
  injectNoise,
  type Model,
  negate,
  outputCovariances,
  type ParameterSet,
  predictDisentanglement,
} from "../../src/fusion/index.ts";
import { add, fieldOf, net, netLengths, netSamples, randomSet, statistics } from "./task-support.ts";

/** Outputs linear in w: two per sample, features x and the task's own; c is frozen. */
const features = (x: Float64Array): [number[], number[]] => [
  [x[0]!, x[1]!, x[2]!, x[0]! * x[1]!, 1, 0],
  [0, x[1]!, -x[2]!, x[0]! ** 2, x[2]!, 1],
];
const linear: Model<readonly Float64Array[]> = ({ w, c }, samples) =>
  samples.map((x) =>
    features(x).map((row) => c![0]! + row.reduce((sum, value, i) => sum + value * w![i]!, 0)),
  );

const stream = randomStream(7, "disentanglement");
const inputs = [netSamples(6, stream), netSamples(5, stream), netSamples(7, stream)];
const linearCase = {
  base: randomSet({ w: 6, c: 1 }, stream),
  taskVectors: [0, 1, 2].map(() => randomSet({ w: 6, c: 1 }, stream, 0.5)),
  coefficients: [0.7, -0.4, 1.3],
  frozen: "c",
  inputs,
  model: linear,
};
const netCase = {
  base: randomSet(netLengths, stream, 0.7),
  taskVectors: [0, 1].map(() => randomSet(netLengths, stream, 0.35)),
  coefficients: [0.8, 0.5],
  inputs: inputs.slice(0, 2),
  model: net,
};

/** Mean over the draws of xi with noise, less xi: noise and its mirror image, which takes out odd terms. */
async function growthByDraws(
  own: typeof netCase & { readonly frozen?: string },
  mse: number,
  draws: number,
  reference: "clean" | "received" | "independent",
): Promise<ReturnType<typeof statistics> & { readonly first: ReturnType<typeof statistics> }> {
  const frozen = own.frozen === undefined ? {} : { frozen: own.frozen };
  const clean = await disentanglementError({ ...own, distance: "squared" });
  const values: number[] = [];
  const firsts: number[] = [];
  for (let seed = 0; seed < draws; seed++) {
    const draw = (s: number) =>
      injectNoise({ taskVectors: own.taskVectors, mse, scale: "absolute", ...frozen, seed: s }).taskVectors;
    const [noisy, other] = [draw(seed), draw(seed + 1_000_000)];
    const mirror = (sets: readonly ParameterSet[]) =>
      sets.map((set, t) => add(negate(set), own.taskVectors[t]!, 2));
    let [sum, first] = [0, 0];
    for (const [fusedVectors, own2] of [
      [noisy, other],
      [mirror(noisy), mirror(other)],
    ] as const) {
      const references = { clean: own.taskVectors, received: fusedVectors, independent: own2 };
      const at = {
        ...own,
        taskVectors: fusedVectors,
        referenceVectors: references[reference],
        distance: "squared",
      } as const;
      const noisyError = await disentanglementError(at);
      sum += noisyError.error - clean.error;
      first += noisyError.perTask[0]! - clean.perTask[0]!;
    }
    values.push(sum / 2);
    firsts.push(first / 2);
  }
  return { ...statistics(values), first: statistics(firsts) };
}

describe("disentanglementError", () => {
  test("is 0 for one task, and for tasks that touch what the others do not read", async () => {
    const one = {
      ...netCase,
      taskVectors: [netCase.taskVectors[0]!],
      coefficients: 0.8,
      inputs: [inputs[0]!],
    };
    for (const distance of ["disagreement", "squared"] as const) {
      expect((await disentanglementError({ ...one, distance })).error).toBe(0);
    }
    const apart: Model<number> = ({ a, b }, x, task) => [Array.from(task === 0 ? a! : b!, (v) => v * x)];
    const zero = new Float64Array(3);
    const found = await disentanglementError({
      base: randomSet({ a: 3, b: 3 }, randomStream(1, "apart")),
      taskVectors: [
        { a: Float64Array.of(1, 2, 3), b: zero },
        { a: zero, b: Float64Array.of(3, -2, 1) },
      ],
      coefficients: 1,
      inputs: [1, 2],
      model: apart,
      distance: "squared",
    });
    expect(found.error).toBe(0);
  });

  test("by hand: a linear model's squared distance, and counted disagreements", async () => {
    const { base, taskVectors, coefficients } = linearCase;
    let expected = 0;
    for (const [t, samples] of inputs.entries()) {
      const shift = Array.from({ length: 6 }, (_, i) =>
        taskVectors.reduce((sum, tau, r) => sum + (r === t ? 0 : coefficients[r]! * tau.w![i]!), 0),
      );
      for (const x of samples) {
        for (const row of features(x)) {
          expected += row.reduce((sum, v, i) => sum + v * shift[i]!, 0) ** 2 / samples.length;
        }
      }
    }
    const squared = await disentanglementError({ ...linearCase, distance: "squared" });
    expect(squared.error / expected).toBeCloseTo(1, 12);
    const labels = await disentanglementError({ ...linearCase, model: async (...args) => linear(...args) });
    for (const [t, samples] of inputs.entries()) {
      const winners = [coefficients, coefficients.map((x, r) => (r === t ? x : 0))].map((lambda) => {
        const parameters = fuse({ base, taskVectors, coefficients: lambda, frozen: "c" });
        return (linear(parameters, samples, t) as number[][]).map(([a, b]) => (a! >= b! ? 0 : 1));
      });
      const differ = winners[0]!.filter((w, i) => w !== winners[1]![i]).length;
      expect(labels.perTask[t]).toBe(differ / samples.length);
    }
  });

  test("a grid holds what single calls give; other coefficients stay", async () => {
    const values = [
      [0, 0.5, 1],
      [-1, 1],
    ] as const;
    const grid = await disentanglementGrid({
      ...linearCase,
      tasks: [2, 0],
      values,
      coefficients: 0.3,
      distance: "squared",
    });
    for (const [i, a] of values[0].entries()) {
      for (const [j, b] of values[1].entries()) {
        const at = await disentanglementError({
          ...linearCase,
          coefficients: [b, 0.3, a],
          distance: "squared",
        });
        expect(grid.errors[i]![j]).toBeCloseTo(at.perTask[2]! + at.perTask[0]!, 12);
      }
    }
    const plain = await disentanglementGrid({ ...netCase, coefficients: 0, values: [0, 1] });
    expect(plain.errors[0]![0]).toBe(0);
    expect(plain.tasks).toEqual([0, 1]);
  });

  test("outputs that are not finite count as disagreeing and as infinitely far, never as NaN", async () => {
    const model: Model<number> = ({ w }) => [
      [1, 2],
      [w![0]! > 1 ? Number.NaN : 3, 1],
    ];
    const own = {
      base: { w: Float64Array.of(0) },
      taskVectors: [1, 1].map((x) => ({ w: Float64Array.of(x) })),
      coefficients: 1,
      inputs: [0, 0],
      model,
    };
    expect((await disentanglementError(own)).perTask).toEqual(Float64Array.of(0.5, 0.5));
    expect((await disentanglementError({ ...own, distance: "squared" })).error).toBe(Infinity);
    const predicted = await predictDisentanglement({ ...own, noise: 0.1 });
    expect(predicted).toMatchObject({ predicted: Infinity, converged: false });
    // both broken is no agreement
    const broken = { ...own, model: () => [[Number.NaN, 1]] };
    expect((await disentanglementError(broken)).perTask).toEqual(Float64Array.of(1, 1));
    expect((await disentanglementError({ ...broken, distance: "squared" })).error).toBe(Infinity);
  });

  test("refuses", async () => {
    const at = (change: object) => fieldOf(() => disentanglementError({ ...netCase, ...change }));
    expect(await at({ model: 1 })).toBe("model");
    expect(await at({ inputs: [1] })).toBe("inputs");
    expect(await at({ model: () => [] })).toBe("model (task 0)");
    expect(await at({ model: () => [[1], [2]] })).toBe("model");
    expect(await at({ model: () => [[1, 2], [2]] })).toBe("model (task 0): row 1");
    expect(await at({ referenceVectors: [] })).toBe("referenceVectors");
    expect(await at({ distance: "cosine" })).toBe("distance");
    expect(await fieldOf(() => disentanglementGrid({ ...netCase, values: [0], tasks: [1, 1] }))).toBe(
      "tasks",
    );
    expect(await fieldOf(() => predictDisentanglement({ ...netCase, noise: [1] }))).toBe("noise");
    expect(await fieldOf(() => predictDisentanglement({ ...netCase, noise: -1 }))).toBe("noise");
  });
});

describe("predictDisentanglement on a linear model", () => {
  /** sum_t mean_x sum_rows v^T diag(s) v with s = sum over r of lambda_r^2 sigma_r^2, by hand. */
  const variances = [0.1, 0.02, 0.05];
  const byHand = (weight: (r: number, t: number) => number, power = 2): number =>
    inputs.reduce((total, samples, t) => {
      const lambda = linearCase.coefficients.map((x) => Math.abs(x) ** power);
      const s = variances.reduce((sum, v, r) => sum + weight(r, t) * lambda[r]! * v, 0);
      const rows = samples.flatMap(features);
      return (
        total + (s * rows.reduce((sum, row) => sum + row.reduce((a, v) => a + v * v, 0), 0)) / samples.length
      );
    }, 0);
  const cases = [
    ["clean", () => 1],
    ["received", (r, t) => (r === t ? 0 : 1)],
    ["independent", (r, t) => (r === t ? 2 : 1)],
  ] as const satisfies readonly (readonly [string, (r: number, t: number) => number])[];

  test.each(cases)(
    "%s reference: sum_t tr(J Sigma J^T) by hand, and by all ways to take derivatives",
    async (reference, weight) => {
      const expected = byHand(weight);
      const own = { ...linearCase, noise: variances, reference, probes: "coordinates" } as const;
      const exact = await predictDisentanglement(own);
      expect(exact.linear / expected).toBeCloseTo(1, 8);
      expect(Math.abs(exact.curvature)).toBeLessThan(1e-6 * expected);
      expect(exact.standardError).toBe(0);
      const { error } = await disentanglementError({ ...linearCase, distance: "squared" });
      expect(exact.error).toBeCloseTo(error, 12);
      const product = await predictDisentanglement({
        ...own,
        curvature: false,
        jacobianProduct: (_, { w }, samples) =>
          samples.map((x) => features(x).map((row) => row.reduce((sum, v, i) => sum + v * w![i]!, 0))),
      });
      expect(product.linear / expected).toBeCloseTo(1, 12);
      const probed = await predictDisentanglement({ ...own, probes: 200, seed: 2 });
      expect(Math.abs(probed.linear - expected)).toBeLessThan(4 * probed.standardError + 1e-8);
      expect(probed).toEqual(await predictDisentanglement({ ...own, probes: 200, seed: 2 }));
      for (const wrong of [2 * expected, expected / 2]) {
        expect(Math.abs(probed.linear - wrong)).toBeGreaterThan(8 * probed.standardError);
      }
      // a dropped square of lambda is seen
      expect(Math.abs(exact.linear / byHand(weight, 1) - 1)).toBeGreaterThan(0.01);
    },
  );

  test.each(["clean", "received", "independent"] as const)(
    "%s reference: matches draws at any MSE",
    async (reference) => {
      const own = { ...linearCase, noise: 0.5, reference, probes: "coordinates" } as const;
      const { linear: predicted } = await predictDisentanglement(own);
      const drawn = await growthByDraws(linearCase, 0.5, 400, reference);
      expect(drawn.deviations(predicted)).toBeLessThan(4);
      expect(drawn.standardError / predicted).toBeLessThan(0.05);
      // the neighbours' formulas do not fit
      for (const other of ["clean", "received", "independent"] as const) {
        if (other === reference) continue;
        const wrong = await predictDisentanglement({ ...own, reference: other });
        expect(drawn.deviations(wrong.linear)).toBeGreaterThan(6);
      }
    },
  );

  test("the standard error is the spread over the seeds", async () => {
    const found = [];
    for (let seed = 0; seed < 80; seed++) {
      const own = { ...linearCase, noise: variances, reference: "received", probes: 8, seed } as const;
      found.push(await predictDisentanglement(own));
    }
    const { mean } = statistics(found.map(({ predicted }) => predicted));
    const spread = Math.sqrt(statistics(found.map(({ predicted }) => (predicted - mean) ** 2)).mean);
    const told = Math.sqrt(statistics(found.map(({ standardError }) => standardError ** 2)).mean);
    expect(told / spread).toBeGreaterThan(0.75);
    expect(told / spread).toBeLessThan(1.33);
  });

  test("all forms of the covariance, in coordinates and in the mean over random directions", async () => {
    const scalar = await predictDisentanglement({ ...linearCase, noise: 0.2, probes: "coordinates" });
    const identity = Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? 0.2 : 0));
    for (const noise of [
      { perTensor: { w: 0.2 } },
      { diagonal: { w: new Float64Array(6).fill(0.2) } },
      { full: identity },
    ]) {
      const found = await predictDisentanglement({ ...linearCase, noise, probes: "coordinates" });
      expect(found.linear / scalar.linear).toBeCloseTo(1, 8);
    }
    const full = Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? 0.2 : 0.05));
    const own = { ...linearCase, noise: { full } };
    const exact = await predictDisentanglement({ ...own, probes: "coordinates" });
    const probed = await predictDisentanglement({ ...own, probes: 300 });
    expect(Math.abs(probed.linear - exact.linear)).toBeLessThan(4 * probed.standardError);
    let expected = 0;
    for (const samples of inputs) {
      for (const row of samples.flatMap(features)) {
        const quadratic = row.reduce(
          (sum, a, i) => sum + row.reduce((own, b, j) => own + a * full[6 * i + j]! * b, 0),
          0,
        );
        expected += (quadratic * linearCase.coefficients.reduce((sum, x) => sum + x * x, 0)) / samples.length;
      }
    }
    expect(exact.linear / expected).toBeCloseTo(1, 8);
    expect(Math.abs(exact.linear / scalar.linear - 1)).toBeGreaterThan(1e-4);
  });
});

describe("predictDisentanglement on a network", () => {
  test.each(["clean", "received", "independent"] as const)(
    "%s reference: matches draws at a small MSE, with the curvature",
    async (reference) => {
      const mse = 2e-4;
      const own = { ...netCase, noise: mse, reference, probes: "coordinates" } as const;
      const predicted = await predictDisentanglement(own);
      const drawn = await growthByDraws(netCase, mse, 400, reference);
      const growth = predicted.linear + predicted.curvature;
      expect(drawn.standardError / growth).toBeLessThan(0.05);
      expect(drawn.deviations(growth)).toBeLessThan(4);
      expect(drawn.deviations(2 * growth)).toBeGreaterThan(8);
      // without the curvature the formula of linear models misses what the first task gains
      const { linear: line, curvature } = predicted.perTask[0]!;
      expect(drawn.first.deviations(line + curvature)).toBeLessThan(4);
      if (reference === "received") expect(drawn.first.deviations(line)).toBeGreaterThan(8);
      const probed = await predictDisentanglement({ ...own, probes: 300, seed: 5 });
      expect(Math.abs(probed.predicted - predicted.predicted)).toBeLessThan(4 * probed.standardError + 1e-9);
    },
  );

  test("single precision and a derivative by callback agree with double precision", async () => {
    const own = { ...netCase, noise: 1e-3, probes: "coordinates" } as const;
    const double = await predictDisentanglement(own);
    const single = (set: ParameterSet) =>
      Object.fromEntries(Object.entries(set).map(([n, x]) => [n, Float32Array.from(x)]));
    const rounded = await predictDisentanglement({
      ...own,
      base: single(own.base),
      taskVectors: own.taskVectors.map(single),
    });
    expect(rounded.predicted / double.predicted).toBeCloseTo(1, 2);
    expect((rounded.linear + rounded.curvature) / (double.linear + double.curvature)).toBeCloseTo(1, 2);
    const h = 1e-5;
    const product = await predictDisentanglement({
      ...own,
      jacobianProduct: async (parameters, direction, samples, task) => {
        const [plus, minus] = [1, -1].map(
          (s) => net(add(parameters, direction, s * h), samples, task) as number[][],
        );
        return plus!.map((row, s) => row.map((x, i) => (x - minus![s]![i]!) / (2 * h)));
      },
    });
    expect(product.linear / double.linear).toBeCloseTo(1, 6);
    const wrong = await predictDisentanglement({
      ...own,
      jacobianProduct: (_, __, samples) => samples.map(() => [1, 1, 1]),
    });
    expect(Math.abs(wrong.linear / double.linear - 1)).toBeGreaterThan(0.1);
  });
});

describe("outputCovariances", () => {
  test("J Sigma J^T of a linear model, and flips as drawn", async () => {
    const { base, taskVectors, coefficients } = linearCase;
    const parameters = fuse({ base, taskVectors, coefficients });
    const samples = inputs[0]!;
    const own = { parameters, frozen: "c", inputs: samples, model: linear, noise: 0.3 } as const;
    const { outputs, covariances } = await outputCovariances({ ...own, probes: "coordinates" });
    const plain = linear(parameters, samples, 0) as number[][];
    for (const [s, x] of samples.entries()) {
      const rows = features(x);
      expect([...outputs[s]!]).toEqual(plain[s]);
      rows.forEach((a, i) => {
        rows.forEach((b, j) => {
          const expected = 0.3 * a.reduce((sum, v, k) => sum + v * b[k]!, 0);
          expect(covariances[s]![2 * i + j]).toBeCloseTo(expected, 7);
        });
      });
    }
    const predicted = covariances.map(
      (covariance, s) => flipProbability({ outputs: outputs[s]!, covariance }).probability,
    );
    const flips = samples.map(() => [] as number[]);
    for (let seed = 0; seed < 3000; seed++) {
      const [noisy] = injectNoise({
        taskVectors: [parameters],
        mse: 0.3,
        scale: "absolute",
        frozen: "c",
        seed,
      }).taskVectors;
      (linear(noisy!, samples, 0) as number[][]).forEach(([a, b], s) => {
        flips[s]!.push(a! >= b! === plain[s]![0]! >= plain[s]![1]! ? 0 : 1);
      });
    }
    predicted.forEach((p, s) => {
      expect(p).toBeLessThanOrEqual(0.5);
      const { mean } = statistics(flips[s]!);
      expect(Math.abs(mean - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 3000) + 1e-9);
    });
  });

  test("random directions are unbiased", async () => {
    const own = {
      parameters: linearCase.base,
      frozen: "c",
      inputs: inputs[0]!.slice(0, 1),
      model: linear,
      noise: 0.3,
    };
    const exact = await outputCovariances({ ...own, probes: "coordinates" });
    const found: number[][] = [[], [], [], []];
    for (let seed = 0; seed < 200; seed++) {
      const { covariances } = await outputCovariances({ ...own, probes: 4, seed });
      covariances[0]!.forEach((x, i) => {
        found[i]!.push(x);
      });
    }
    exact.covariances[0]!.forEach((x, i) => {
      expect(statistics(found[i]!).deviations(x)).toBeLessThan(4);
    });
  });
});
