import fc from "fast-check";
import { EigenvalueDecomposition, inverse, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import {
  designBeamformers,
  type ErrorParts,
  errorParts,
  overTheAirLink,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import { optimalityGap, type QuadraticGapInput, quadraticGap } from "../../src/bounds/index.ts";
import { noiseKernel } from "../../src/bounds/noise-kernel.ts";
import { quadraticSlope } from "../../src/bounds/quadratic-gap.ts";
import { randomStream } from "../../src/core/index.ts";

const exact: ErrorParts = { gain: 1, bias: 0, common: 0, deviation: 0, noise: 0 };
const base: QuadraticGapInput = {
  smoothness: 2,
  plConstant: 0.5,
  initialGap: 3,
  rounds: 20,
  parts: exact,
  gradientFloor: 1,
};

const eigenvalues = (m: Matrix): number[] =>
  new EigenvalueDecomposition(m, { assumeSymmetric: true }).realEigenvalues;

describe("the kernel", () => {
  test("is the largest u (1 - u)^(2 l): its sums against a fine grid of curvatures", () => {
    for (const [ratio, gain] of [
      [1, 1],
      [0.5, 1],
      [0.1, 1],
      [0.02, 0.6],
      [0.3, 0.2],
      [0.4, 1.3],
    ] as const) {
      const kernel = noiseKernel(ratio, gain);
      const least = Math.min(1, gain);
      const grid = Array.from({ length: 4001 }, (_, i) => {
        return least * ratio + ((Math.max(1, gain) - least * ratio) * i) / 4000;
      });
      for (const p of [1, 0.5 + kernel.memory / 2]) {
        let sum = 1;
        let rootSum = 1;
        for (let l = 1; l < 3000; l++) {
          const largest = Math.max(...grid.map((u) => u * (1 - u) ** (2 * l))) / least;
          if (largest < 1e-18) break;
          sum += largest * p ** -l;
          rootSum += Math.sqrt(largest) * p ** -l;
        }
        // beyond gain 1 the kernel adds the largest of both ends instead of taking the larger one
        expect(kernel.sum(p)).toBeGreaterThanOrEqual(sum * (1 - 1e-12));
        expect(kernel.rootSum(p)).toBeGreaterThanOrEqual(rootSum * (1 - 1e-12));
        if (gain > 1) continue;
        expect(kernel.sum(p) / sum).toBeLessThan(1 + 1e-5);
        expect(kernel.rootSum(p) / rootSum).toBeLessThan(1 + 1e-4);
      }
    }
  });

  test("grows with the logarithm of the condition number, not with the number itself", () => {
    const sums = [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9].map((ratio) => noiseKernel(ratio, 1).sum(1));
    expect(sums[0]).toBe(1);
    sums.slice(1).forEach((sum, i) => {
      expect(sum).toBeGreaterThan(sums[i]!);
    });
    // sum of 1/(e (2 l + 1)) up to l = 1/(2 ratio): ln(10)/(2 e) = 0.42 per decade
    expect(sums[4]! - sums[3]!).toBeCloseTo(Math.log(10) / (2 * Math.E), 2);
    expect(sums[6]!).toBeLessThan(8);
  });
});

describe("closed forms", () => {
  test("no errors: the start shrinks by (1 - mu/L)^2 a round", () => {
    const { gap, terms, contraction } = quadraticGap({ ...base, residual: 0.25 });
    expect(contraction).toBeCloseTo(0.75 ** 2, 15);
    expect(terms.initial).toBeCloseTo(3 * 0.75 ** 40, 12);
    expect(gap).toBeCloseTo(3 * 0.75 ** 40 + 0.25, 12);
    expect(quadraticGap({ ...base, rounds: 0, residual: 0.25 }).gap).toBe(3.25);
  });

  test("equal curvatures: one round forgets, and the noise of the last one remains", () => {
    const parts = { ...exact, noise: 0.3 };
    const { gap } = quadraticGap({ ...base, plConstant: 2, parts, rounds: 5 });
    expect(gap).toBeCloseTo((0.3 * 1) / (2 * 2), 12);
    // the PL form has mu instead of L: the same here, four times as much for mu = L/4
    const pl = optimalityGap({
      smoothness: 2,
      plConstant: 0.5,
      initialGap: 3,
      gradientFloor: 1,
      distortion: 0.3,
      rounds: 1e4,
    });
    expect(pl.gap).toBeCloseTo(0.3 / (2 * 0.5), 9);
    const quadratic = quadraticGap({ ...base, parts, rounds: 1e4 }).gap;
    expect(quadratic / pl.gap).toBeCloseTo(0.25 * noiseKernel(0.25, 1).sum(1), 6);
  });

  test("an adversary that picks the curvature for every age attains the noise floor", () => {
    for (const ratio of [0.5, 0.1, 0.02]) {
      const L = 2;
      const n = 0.7;
      const T = 4000;
      let energy = 0;
      for (let l = 0; l < T; l++) {
        const u = Math.max(ratio, 1 / (2 * l + 1));
        // noise of energy n in the direction of curvature u L, aged l rounds: ||(1 - u)^l nu / L||_M^2
        energy += ((u * L) / L ** 2) * (1 - u) ** (2 * l) * n;
      }
      const parts = { ...exact, noise: n };
      const input = { ...base, smoothness: L, plConstant: ratio * L, initialGap: 0, rounds: T, parts };
      expect(quadraticGap(input).gap / (energy / 2)).toBeCloseTo(1, 9);
    }
  });

  test("shared shrinkage only shortens the step; a bias ends as bias h1 / (2 mu gain^2)", () => {
    const half = quadraticGap({ ...base, parts: { ...exact, gain: 0.5 } });
    expect(half.gap).toBeCloseTo(3 * (1 - 0.5 * 0.25) ** 40, 12);
    const biased = { ...base, rounds: 2000, dissimilarityFloor: 4, dissimilaritySlope: 0 };
    const { gap } = quadraticGap({ ...biased, parts: { ...exact, gain: 0.5, bias: 0.01 } });
    expect(gap).toBeCloseTo((0.01 * 4) / (2 * 0.5 * 0.25), 12);
  });
});

/** A federated quadratic F_k = <x - c_k, M_k (x - c_k)>/2 with its constants. */
function drawQuadratic(devices: number, size: number, unequal: number, seed: number) {
  const stream = randomStream(seed, "quadratic");
  const gaussian = (rows: number, cols: number): Matrix =>
    new Matrix(Array.from({ length: rows }, () => Array.from({ length: cols }, () => stream.normal())));
  const shared = gaussian(2 * size, size);
  const hessians = Array.from({ length: devices }, () => {
    const own = Matrix.add(shared, gaussian(2 * size, size).mul(unequal));
    return own
      .transpose()
      .mmul(own)
      .div(2 * size);
  });
  const centres = hessians.map(() => gaussian(size, 1));
  const hessian = hessians.reduce((sum, m) => sum.add(Matrix.div(m, devices)), Matrix.zeros(size, size));
  const pull = hessians.reduce(
    (sum, m, k) => sum.add(m.mmul(centres[k]!).div(devices)),
    Matrix.zeros(size, 1),
  );
  const optimum = inverse(hessian).mmul(pull);
  const curvatures = eigenvalues(hessian);
  const atBest = hessians.map((m, k) => m.mmul(Matrix.sub(optimum, centres[k]!)));
  const deviations = hessians.map((m) => Matrix.sub(m.mmul(inverse(hessian)), Matrix.eye(size)));
  const norm = (m: Matrix): number => Math.sqrt(Math.max(...eigenvalues(m.transpose().mmul(m))));
  const spread = deviations.reduce(
    (sum, d) => sum.add(d.transpose().mmul(d).div(devices)),
    Matrix.zeros(size, size),
  );
  const squares = atBest.map((g) => g.norm() ** 2);
  return {
    hessians,
    hessian,
    optimum,
    atBest,
    smoothness: Math.max(...curvatures),
    plConstant: Math.min(...curvatures),
    // (1 + s) and (1 + 1/s) with s = 1; packMean is the mean of the entries of grad f, so it adds 1 to ||I + D_k||
    gradientFloor: 2 * Math.max(...squares),
    gradientSlope: 2 * (1 + Math.max(...deviations.map(norm))) ** 2,
    dissimilarityFloor: (2 * squares.reduce((a, b) => a + b, 0)) / devices,
    dissimilaritySlope: 2 * Math.max(...eigenvalues(spread)),
    gap: (x: Matrix): number => {
      const d = Matrix.sub(x, optimum);
      return d.transpose().mmul(hessian).mmul(d).get(0, 0) / 2;
    },
  };
}

describe("the bound is never exceeded", () => {
  test("exact second moments, unequal shrinkage and noise in the worst direction of its round", () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer({ min: 1, max: 1e6 }),
          devices: fc.integer({ min: 1, max: 4 }),
          size: fc.integer({ min: 1, max: 3 }),
          unequal: fc.constantFrom(0, 0.05, 0.3),
          shrink: fc.double({ min: 0, max: 0.9, noNaN: true }),
          stray: fc.constantFrom(0, 0.01, 0.05),
          noise: fc.constantFrom(0, 1e-3, 0.05, 0.2),
          rounds: fc.integer({ min: 1, max: 60 }),
        }),
        ({ seed, devices, size, unequal, shrink, stray, noise, rounds }) => {
          const problem = drawQuadratic(devices, size, unequal, seed);
          const stream = randomStream(seed, "shifts");
          const w = 1 / devices;
          const shift = Array.from({ length: devices }, () => -w * shrink + stray * w * stream.normal());
          const together = shift.reduce((a, b) => a + b, 0);
          const bias = shift.reduce((sum, d) => sum + (d - w * together) ** 2 / w, 0);
          const parts = { ...exact, gain: 1 + together, bias, noise };
          const { smoothness: L, plConstant, hessian, hessians, atBest } = problem;
          const identity = Matrix.eye(size);
          const step = hessians.reduce(
            (sum, m, k) => sum.sub(Matrix.mul(m, (w + shift[k]!) / L)),
            identity.clone(),
          );
          const push = atBest.reduce((sum, g, k) => sum.add(Matrix.mul(g, shift[k]!)), Matrix.zeros(size, 1));
          let mean = Matrix.sub(
            new Matrix(Array.from({ length: size }, () => [stream.normal()])),
            problem.optimum,
          );
          let spread = Matrix.zeros(size, size);
          const initialGap = mean.transpose().mmul(hessian).mmul(mean).get(0, 0) / 2;
          for (let t = 0; t < rounds; t++) {
            // E||g_k||^2 of the device with the largest gradient
            const second = Matrix.add(spread, mean.mmul(mean.transpose()));
            const energies = hessians.map((m, k) => {
              const cross = atBest[k]!.transpose().mmul(m).mmul(mean).get(0, 0);
              return m.mmul(second).mmul(m).trace() + 2 * cross + atBest[k]!.norm() ** 2;
            });
            const energy = noise * Math.max(...energies);
            const aged = power(step, rounds - 1 - t);
            const weight = aged.transpose().mmul(hessian).mmul(aged);
            const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(weight, {
              assumeSymmetric: true,
            });
            const worst = realEigenvalues.indexOf(Math.max(...realEigenvalues));
            const direction = eigenvectorMatrix.getColumnVector(worst);
            mean = step.mmul(mean).sub(Matrix.div(push, L));
            spread = step
              .mmul(spread)
              .mmul(step.transpose())
              .add(direction.mmul(direction.transpose()).mul(energy / L ** 2));
          }
          const gap =
            (hessian.mmul(spread).trace() + mean.transpose().mmul(hessian).mmul(mean).get(0, 0)) / 2;
          const bound = quadraticGap({
            smoothness: L,
            plConstant,
            initialGap,
            rounds,
            parts,
            gradientFloor: problem.gradientFloor,
            gradientSlope: problem.gradientSlope,
            dissimilarityFloor: problem.dissimilarityFloor,
            dissimilaritySlope: problem.dissimilaritySlope,
          });
          expect(gap).toBeLessThanOrEqual(bound.gap * (1 + 1e-9) + 1e-12);
        },
      ),
      { seed: 1, numRuns: 400 },
    );
  });

  test("training over the air, mean over runs", () => {
    const ratios: number[] = [];
    for (const [seed, power] of [
      [1, 0.05],
      [2, 0.5],
      [3, 5],
      [4, 50],
      [5, 0.5],
      [6, 5],
    ] as const) {
      const devices = 4;
      const size = 8;
      const problem = drawQuadratic(devices, size, 0.05, seed);
      const channel = rayleighChannel({
        devices,
        subcarriers: 2,
        receiveAntennas: 4,
        transmitAntennas: 2,
        taps: 2,
        seed,
      });
      const design = designBeamformers({ channel, streams: 2, power, noiseVariance: 1, effort: "fast" });
      const link = overTheAirLink({ channel, design, noiseVariance: 1 });
      const rounds = 25;
      const runs = 150;
      let gap = 0;
      for (let run = 0; run < runs; run++) {
        let x = Matrix.zeros(size, 1);
        for (let t = 0; t < rounds; t++) {
          const gradients = problem.hessians.map((m, k) => {
            const away = Matrix.sub(x, problem.optimum);
            return Float64Array.from(Matrix.add(m.mmul(away), problem.atBest[k]!).to1DArray());
          });
          const { estimate } = link.aggregate(gradients, 1000 * run + t);
          x = Matrix.sub(x, Matrix.columnVector([...estimate]).div(problem.smoothness));
        }
        gap += problem.gap(x) / runs;
      }
      const { gap: bound } = quadraticGap({
        smoothness: problem.smoothness,
        plConstant: problem.plConstant,
        initialGap: problem.gap(Matrix.zeros(size, 1)),
        rounds,
        parts: errorParts(channel, design, { noiseVariance: 1 }),
        gradientFloor: problem.gradientFloor,
        gradientSlope: problem.gradientSlope,
        dissimilarityFloor: problem.dissimilarityFloor,
        dissimilaritySlope: problem.dissimilaritySlope,
      });
      ratios.push(gap / bound);
    }
    expect(Math.max(...ratios)).toBeLessThan(1);
    // and says something where there is power
    expect(ratios[3]).toBeGreaterThan(0.1);
  });
});

function power(matrix: Matrix, exponent: number): Matrix {
  let result = Matrix.eye(matrix.rows);
  for (let i = 0; i < exponent; i++) result = result.mmul(matrix);
  return result;
}

const anyInput: fc.Arbitrary<QuadraticGapInput> = fc
  .record({
    smoothness: fc.double({ min: 0.1, max: 10, noNaN: true }),
    ratio: fc.double({ min: 0.01, max: 1, noNaN: true }),
    initialGap: fc.double({ min: 0, max: 10, noNaN: true }),
    rounds: fc.integer({ min: 0, max: 300 }),
    gain: fc.double({ min: 0.05, max: 1, noNaN: true }),
    bias: fc.double({ min: 0, max: 0.01, noNaN: true }),
    common: fc.double({ min: 0, max: 0.1, noNaN: true }),
    deviation: fc.double({ min: 0, max: 0.02, noNaN: true }),
    noise: fc.double({ min: 0, max: 0.1, noNaN: true }),
    gradientFloor: fc.double({ min: 0, max: 4, noNaN: true }),
    gradientSlope: fc.double({ min: 0, max: 3, noNaN: true }),
    dissimilarityFloor: fc.double({ min: 0, max: 2, noNaN: true }),
    dissimilaritySlope: fc.double({ min: 0, max: 0.5, noNaN: true }),
    stochasticVariance: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
    residual: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ ratio, gain, bias, common, deviation, noise, ...rest }) => ({
    ...rest,
    plConstant: ratio * rest.smoothness,
    parts: { gain, bias, common, deviation, noise },
  }));

describe("monotone", () => {
  const larger = [
    "gradientFloor",
    "gradientSlope",
    "dissimilarityFloor",
    "dissimilaritySlope",
    "stochasticVariance",
    "initialGap",
    "residual",
  ] as const;
  const partNames = ["bias", "common", "deviation", "noise"] as const;

  test("non-decreasing in every constant and part of the error, non-increasing in mu; never NaN", () => {
    fc.assert(
      fc.property(
        anyInput,
        fc.constantFrom(...larger, ...partNames, "plConstant" as const),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (input, name, more) => {
          const gap = (of: QuadraticGapInput): number => quadraticGap(of).gap;
          const before = gap(input);
          expect(before).not.toBeNaN();
          let after: number;
          if (name === "plConstant") {
            after = gap({ ...input, plConstant: input.plConstant * (1 - 0.9 * more) });
          } else if ((partNames as readonly string[]).includes(name)) {
            const part = name as (typeof partNames)[number];
            after = gap({ ...input, parts: { ...input.parts, [part]: input.parts[part] + 0.1 * more } });
          } else {
            const key = name as (typeof larger)[number];
            after = gap({ ...input, [key]: (input[key] ?? 0) + more });
          }
          expect(after).toBeGreaterThanOrEqual(before * (1 - 1e-8));
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  test("infinite exactly where its slope reaches 1, with a reason; the terms sum to the gap", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { gap, terms, reason } = quadraticGap(input);
        if (input.rounds > 0) expect(gap === Number.POSITIVE_INFINITY).toBe(quadraticSlope(input) >= 1);
        expect(gap === Number.POSITIVE_INFINITY).toBe(reason !== undefined);
        const sum = terms.initial + terms.air + terms.stochastic + terms.participation + terms.residual;
        if (reason === undefined) expect(sum).toBeCloseTo(gap, 10);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test("extremes: finite numbers or Infinity with a reason, no NaN, no hang", () => {
    for (const scale of [1e-300, 1e-12, 1, 1e12, 1e300]) {
      for (const ratio of [1, 1e-3, 1e-12]) {
        for (const gain of [1e-9, 0.5, 1, 1.999, 2, 0, -1, 1e9]) {
          for (const rounds of [1, 1e9]) {
            const result = quadraticGap({
              smoothness: scale,
              plConstant: scale * ratio,
              initialGap: scale,
              rounds,
              parts: { gain, bias: 1e-6, common: 1e-6, deviation: 1e-6, noise: 1e-3 },
              gradientFloor: 1,
              gradientSlope: 0.1,
              stochasticVariance: 0.1,
            });
            expect(result.gap).not.toBeNaN();
            expect(Object.values(result.terms).some(Number.isNaN)).toBe(false);
            expect(result.gap === Number.POSITIVE_INFINITY).toBe(result.reason !== undefined);
          }
        }
      }
    }
    const heard = { ...exact, bias: Number.POSITIVE_INFINITY, deviation: Number.POSITIVE_INFINITY };
    expect(quadraticGap({ ...base, parts: heard }).reason).toMatch(/weight 0/);
    expect(quadraticGap({ ...base, parts: { ...exact, gain: 0 } }).reason).toMatch(/common gradient/);
  });
});

test("bad input is refused by name", () => {
  expect(() => quadraticGap({ ...base, plConstant: 3 })).toThrow(/plConstant/);
  expect(() => quadraticGap({ ...base, parts: undefined as never })).toThrow(/parts/);
  expect(() => quadraticGap({ ...base, parts: { ...exact, noise: -1 } })).toThrow(/parts.noise/);
  expect(() => quadraticGap({ ...base, parts: { ...exact, gain: Number.NaN } })).toThrow(/parts.gain/);
  expect(() => quadraticGap({ ...base, distortion: 1 } as never)).toThrow(/distortion/);
});

test("minibatch noise along packMean passes without loss, whatever the gain: f = |x|^2/2, exact", () => {
  for (const gain of [0.03, 0.2, 0.5, 0.9, 1, 1.5]) {
    const { gap } = quadraticGap({
      ...base,
      smoothness: 1,
      plConstant: 1,
      initialGap: 0,
      rounds: 6,
      parts: { ...exact, gain },
      gradientFloor: 0,
      gradientSlope: 1,
      dissimilarityFloor: 0,
      dissimilaritySlope: 0,
      stochasticVariance: 1,
    });
    // a round forgets the mean entry, and its noise is felt in full; beyond gain 1 other entries feel gain^2
    let spread = 0;
    for (let t = 0; t < 6; t++) spread = (1 - gain) ** 2 * spread + gain ** 2;
    expect(gap).toBeGreaterThanOrEqual(Math.max(1, spread) / 2 - 1e-12);
  }
});
