import { describe, expect, it } from "vitest";
import { relaxUniformForcing, uniformForcingBound } from "../../src/aircomp/relaxation.ts";
import { certifiedForcingBound } from "../../src/aircomp/relaxation-bound.ts";
import type { TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import { type ComplexMatrix, multiply, qr, randomMatrix } from "../../src/linalg/index.ts";
import { forcingProblem, gaussian, type Sizes } from "./relaxation-support.ts";

/** What evaluations in floating point may differ by. */
const ROUNDING = 1e-11;

describe("invariances and hard input", () => {
  const sizes = { devices: 5, subcarriers: 2, receiveAntennas: 6, transmitAntennas: 3, streams: 2 };
  const thorough = { effort: "thorough" } as const;

  it("scales of channel, noise, power and weights; unitary changes of the antennas", () => {
    for (let seed = 0; seed < 5; seed++) {
      const problem = forcingProblem(sizes, seed, false);
      const { bound } = relaxUniformForcing(problem, thorough)!;
      const near = (other: Partial<TransceiverProblem>, factor: number, tolerance: number): void => {
        const moved = relaxUniformForcing({ ...problem, ...other }, thorough)!.bound;
        expect(Math.abs(moved / (factor * bound) - 1)).toBeLessThan(tolerance);
      };
      near({ channel: problem.channel.map((x) => 2 ** 40 * x) }, 2 ** -80, 1e-15);
      near({ noiseVariance: 7 * problem.noiseVariance }, 7, 1e-15);
      near({ power: problem.power.map((p) => 1e6 * p) }, 1e-6, 2e-6);
      near({ weights: problem.weights.map((w) => 0.01 * w) }, 1e-4, 2e-6);
      near(
        { correlation: new Float64Array(25).fill(1), errorVariance: new Float64Array(5).fill(0.1) },
        1,
        1e-15,
      );
      const turn = (n: number, ...path: string[]): ComplexMatrix =>
        qr(randomMatrix(n, n, randomStream(seed, ...path))).q;
      const left = turn(6, "left");
      const right = turn(3, "right");
      const turned = problem.channel.slice();
      for (let i = 0; i < 10; i++) {
        const data = problem.channel.slice(36 * i, 36 * (i + 1));
        turned.set(multiply(multiply(left, { rows: 6, cols: 3, data }), right).data, 36 * i);
      }
      near({ channel: turned }, 1, 2e-6);
    }
  });

  it("is deterministic and leaves its arguments alone", () => {
    const problem = forcingProblem({ ...sizes, streams: 1 }, 3, false);
    const before = structuredClone(problem);
    const first = relaxUniformForcing(problem);
    expect(relaxUniformForcing(problem)).toEqual(first);
    expect(problem).toEqual(before);
    expect(certifiedForcingBound(problem, first!.certificate)).toBe(first!.bound);
    expect(uniformForcingBound(problem)).toEqual({ value: first!.bound, kind: "uniform-forcing-dual" });
  });

  it("nothing where zero forcing is impossible or nobody has a weight; silent devices without weight are fine", () => {
    const problem = forcingProblem(sizes, 1);
    const without = (name: "weights" | "power", ...devices: number[]): TransceiverProblem => ({
      ...problem,
      [name]: problem[name].map((x, k) => (devices.includes(k) ? 0 : x)),
    });
    const dead = { ...problem, channel: problem.channel.map((x, i) => (i < 72 ? 0 : x)) };
    const half = { ...problem, channel: problem.channel.map((x, i) => (i < 36 ? 0 : x)) };
    const impossible = [
      without("power", 2),
      without("weights", 0, 1, 2, 3, 4),
      dead,
      half,
      { ...problem, channel: new Float64Array(problem.channel.length) },
      { ...problem, channel: rankOne(sizes, 1) },
      { ...problem, channel: problem.channel.map(() => Number.NaN) },
    ];
    for (const hopeless of impossible) {
      expect(relaxUniformForcing(hopeless)).toBeUndefined();
      expect(uniformForcingBound(hopeless)).toBeUndefined();
    }
    const alone = { ...dead, weights: problem.weights.map((w, k) => (k === 0 ? 0 : w)) };
    const { bound, multipliers, primal } = relaxUniformForcing(alone)!;
    expect(bound).toBeGreaterThan(0.99 * primal);
    expect(multipliers[0]).toBe(0);
    expect(multipliers.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    const oneStream = { ...problem, streams: 1, channel: rankOne(sizes, 1) };
    expect(relaxUniformForcing(oneStream)!.reason).toBe("gap");
  });

  it("extreme scales, spreads and conditions end with finite numbers and a valid bound", () => {
    const problem = forcingProblem(sizes, 2);
    const spread = (ratio: number): Float64Array =>
      problem.channel.map((x, i) => x * ratio ** Math.floor(i / 72));
    const cases: TransceiverProblem[] = [
      ...[1e-130, 1e-30, 1e30, 1e130].map((c) => ({
        ...problem,
        channel: problem.channel.map((x) => c * x),
      })),
      ...[1e-3, 1e-25, 1e3, 1e25, 1e60].map((ratio) => ({ ...problem, channel: spread(ratio) })),
      ...[1e-3, 1e-6, 1e-9, 1e-12].map((thin) => ({ ...problem, channel: nearlyRankOne(sizes, thin) })),
      { ...problem, noiseVariance: 1e-6 },
      { ...problem, noiseVariance: 1e3 },
    ];
    for (const hard of cases) {
      const { bound, primal, factor, gap } = relaxUniformForcing(hard)!;
      expect(bound).toBeGreaterThan(0);
      expect(bound).toBeLessThan(Number.POSITIVE_INFINITY);
      expect(bound).toBeLessThanOrEqual(primal * (1 + ROUNDING));
      expect(gap).toBeLessThanOrEqual(1);
      expect(factor.every(Number.isFinite)).toBe(true);
    }
  });

  it("stops when told to, with what it has proved", () => {
    const problem = forcingProblem({ ...sizes, devices: 20 }, 4);
    const stopped = relaxUniformForcing(problem, { signal: AbortSignal.abort() })!;
    expect(stopped.reason).toBe("aborted");
    expect(stopped.bound).toBeGreaterThan(0);
    const short = relaxUniformForcing(problem, { maxIterations: 5 })!;
    expect(short.reason).toBe("max-iterations");
    expect(short.iterations).toBe(5);
    expect(short.bound).toBeLessThanOrEqual(relaxUniformForcing(problem)!.primal);
  });
});

function rankOne(sizes: Required<Sizes>, seed: number): Float64Array {
  return nearlyRankOne(sizes, 0, seed);
}

/** Outer products plus a part of full rank. */
function nearlyRankOne(sizes: Required<Sizes>, thin: number, seed = 1): Float64Array {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = sizes;
  const full = gaussian(2 * devices * subcarriers * nr * nt, seed);
  const out = full.map((x) => thin * x);
  for (let i = 0; i < devices * subcarriers; i++) {
    const left = randomMatrix(nr, 1, randomStream(seed, "left", i));
    const product = multiply(left, randomMatrix(1, nt, randomStream(seed, "right", i)));
    product.data.forEach((x, j) => {
      out[2 * nr * nt * i + j]! += x;
    });
  }
  return out;
}
