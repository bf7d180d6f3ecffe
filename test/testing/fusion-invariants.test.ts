/** The invariants of task fusion hold for what airfold/fusion gives, and see what is wrong with anything else. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import {
  fuse,
  mmseSicErrors,
  saddlePoint,
  signalCovariance,
  worstCaseNoise,
} from "../../src/fusion/index.ts";
import {
  add,
  type ComplexMatrix,
  fromDiagonal,
  identity,
  randomMatrix,
  scale,
} from "../../src/linalg/index.ts";
import {
  changedBytes,
  errorRateResidual,
  fusionLinearityResidual,
  jammerBudgetResidual,
  jammerOptimalityResidual,
} from "../../src/testing/index.ts";

const cases = fc.record({
  seed: fc.nat({ max: 9999 }),
  antennas: fc.integer({ min: 1, max: 5 }),
  power: fc.double({ min: 0.1, max: 20, noNaN: true }),
  floor: fc.constantFrom(0, 0.05, 1),
  objective: fc.constantFrom("sum-rate" as const, "mse" as const),
  jammed: fc.boolean(),
});
const random = (rows: number, cols: number, seed: number, name: string): ComplexMatrix =>
  randomMatrix(rows, cols, randomStream(seed, name));

describe("worst-case noise", () => {
  test("keeps its budget and is optimal; other noise is one or the other", () => {
    fc.assert(
      fc.property(cases, ({ seed, antennas, power, floor, objective, jammed }) => {
        // as many streams as antennas: the noise is positive definite even without a floor
        const signal = signalCovariance(random(antennas, antennas + 1, seed, "signal"));
        const budget = {
          ...{ power, floor },
          ...(jammed ? { jammerChannel: random(antennas, antennas + 1, seed, "jammer") } : {}),
        };
        const worst = worstCaseNoise({ signalCovariances: [signal], objective, ...budget });
        expect(jammerBudgetResidual(worst, budget)).toBeLessThan(1e-10);
        expect(jammerBudgetResidual(worst, { ...budget, power: 1.1 * power })).toBeGreaterThan(0.05);
        expect(
          jammerBudgetResidual({ ...worst, covariance: scale(worst.covariance, 2) }, budget),
        ).toBeGreaterThan(0.3);
        // "mse" without a floor may leave a direction without noise
        if (floor === 0 && objective === "mse") return;
        expect(jammerOptimalityResidual(worst, signal, budget, objective)).toBeLessThan(1e-5);
      }),
      { seed: 12, numRuns: 60 },
    );
  });

  test("white noise, the noise of the other objective, and negative jamming are seen", () => {
    const signal = fromDiagonal([4, 1]);
    const at = (z: readonly number[]) => ({ covariance: fromDiagonal(z), jamming: fromDiagonal(z) });
    const residual = (z: readonly number[], objective: "sum-rate" | "mse") =>
      jammerOptimalityResidual(at(z), signal, { power: z[0]! + z[1]! }, objective);
    expect(residual([0.55848156, 0.44151844], "sum-rate")).toBeLessThan(1e-7);
    expect(residual([8 / 3, 7 / 3], "mse")).toBeLessThan(1e-14);
    // by hand at Z = I / 2: D = diag(16/9, 4/3), 1 - (16/9 + 4/3)/2 / (16/9) = 1/8
    expect(residual([0.5, 0.5], "sum-rate")).toBeCloseTo(1 / 8, 14);
    expect(residual([8 / 3, 7 / 3], "sum-rate")).toBeGreaterThan(0.01);
    expect(jammerBudgetResidual(at([2, -1]), { power: 1 })).toBeCloseTo(1, 14);
  });

  test("the jammer of a saddle point, and the users' errors", () => {
    const channels = [0, 1].map((user) => random(3, 2, user, "user"));
    const budget = { power: 2, floor: 0.2, jammerChannel: random(3, 2, 9, "jammer") };
    const { power: jammerPower, ...rest } = budget;
    const game = saddlePoint({ channels, powers: 1, jammerPower, ...rest });
    expect(jammerBudgetResidual(game, budget)).toBeLessThan(1e-10);
    const signal = game.signalCovariances.reduce((sum, m) => add(sum, m));
    expect(jammerOptimalityResidual(game, signal, budget)).toBeLessThan(1e-5);
    const errors = mmseSicErrors({ channels, noise: game.covariance });
    expect(errorRateResidual(errors)).toBeLessThan(1e-13);
    expect(errorRateResidual({ ...errors, rates: errors.rates.map((x) => 2 * x) })).toBeGreaterThan(0.3);
    expect(
      errorRateResidual({ errors: [scale(identity(2), 0.5)], rates: Float64Array.of(Math.log(2)) }),
    ).toBeGreaterThan(0.3);
  });
});

describe("fusion", () => {
  const base = { w: Float32Array.of(1, -2, 3), head: Float32Array.of(Number.NaN, -0) };
  const taskVectors = [{ w: Float32Array.of(0.1, 0.2, 0.3) }, { w: Float32Array.of(-1, 0, 0.5) }];
  const options = { base, taskVectors, coefficients: [0.3, -0.7], frozen: "head" };

  test("is linear", () => {
    expect(fusionLinearityResidual(options, [1, 0.4])).toBeLessThan(2 ** -22);
    expect(fusionLinearityResidual({ ...options, coefficients: 0 }, [0, 0])).toBe(0);
    const wide = { base: { w: new Float64Array(3) }, taskVectors: [{ w: Float64Array.of(1e3, -1, 1e-3) }] };
    expect(fusionLinearityResidual({ ...wide, coefficients: 0.1 }, [0.2])).toBeLessThan(2 ** -50);
  });

  test("leaves frozen tensors alone, signs of zero and NaN included", () => {
    const fused = fuse(options);
    expect(changedBytes(base, fused, "head")).toBe(0);
    expect(changedBytes(base, fused, "*")).toBeGreaterThan(0);
    expect(changedBytes(base, { ...fused, head: Float32Array.of(Number.NaN, 0) }, "head")).toBe(1);
    expect(changedBytes(base, { w: base.w }, "head")).toBe(8);
  });
});
