import { readFileSync } from "node:fs";
import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { relaxUniformForcing } from "../../src/aircomp/relaxation.ts";
import { certifiedForcingBound, type ForcingCertificate } from "../../src/aircomp/relaxation-bound.ts";
import { createRelaxedCost, forcingInstance } from "../../src/aircomp/relaxation-cost.ts";
import type { TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import type { ComplexMatrix } from "../../src/linalg/index.ts";
import { checkGradient, complexSphere } from "../../src/manifold/index.ts";
import {
  eigenvalues,
  embedded,
  embeddedChannel,
  forcedMse,
  forcingProblem,
  gaussian,
  optimisedDesign,
  plainValue,
  type Sizes,
} from "./relaxation-support.ts";
import { runs } from "./support.ts";

/** What evaluations in floating point may differ by. */
const ROUNDING = 1e-11;

const smallSizes: fc.Arbitrary<Required<Sizes>> = fc
  .record({
    devices: fc.integer({ min: 1, max: 6 }),
    subcarriers: fc.integer({ min: 1, max: 3 }),
    receiveAntennas: fc.integer({ min: 1, max: 6 }),
    transmitAntennas: fc.integer({ min: 1, max: 4 }),
    streams: fc.integer({ min: 1, max: 4 }),
  })
  .map((sizes) => ({
    ...sizes,
    streams: Math.min(sizes.streams, sizes.receiveAntennas, sizes.transmitAntennas),
  }));
const seeds = fc.nat({ max: 1e6 });

function randomReceive(problem: TransceiverProblem, seed: number): Float64Array {
  return gaussian(2 * problem.subcarriers * problem.receiveAntennas * problem.streams, seed);
}

/** V = I and given multipliers. */
function identityCertificate(problem: TransceiverProblem, multipliers: Float64Array): ForcingCertificate {
  const matrices = problem.devices * problem.subcarriers;
  return {
    multipliers,
    levels: new Float64Array(matrices).fill(1),
    reductions: new Float64Array(2 * matrices * problem.transmitAntennas * problem.streams),
  };
}

/** sum_{m, i<=S} lambda_i(Q_km)^{-1/2}, squared: what device k would need alone. */
function singleDevice(problem: TransceiverProblem, k: number): number {
  let sum = 0;
  for (let m = 0; m < problem.subcarriers; m++) {
    const h = embeddedChannel(problem, k, m);
    const strongest = eigenvalues(h.transpose().mmul(h)).slice(-problem.streams);
    for (const value of strongest)
      sum += (problem.weights[k]! / Math.sqrt(problem.power[k]!)) * value ** -0.5;
  }
  return problem.noiseVariance * sum ** 2;
}

describe("the bound against designs", () => {
  it("lies below every random and every locally optimised design (1200 problems)", () => {
    fc.assert(
      fc.property(smallSizes, seeds, fc.boolean(), (sizes, seed, equal) => {
        const problem = forcingProblem(sizes, seed, equal);
        const { bound, primal, reason } = relaxUniformForcing(problem)!;
        expect(bound).toBeGreaterThan(0);
        expect(bound).toBeLessThanOrEqual(primal * (1 + ROUNDING));
        expect(reason).toBe("gap");
        for (let i = 0; i < 3; i++) {
          expect(bound).toBeLessThanOrEqual(
            forcedMse(problem, randomReceive(problem, seed + i)) * (1 + ROUNDING),
          );
        }
        expect(bound).toBeLessThanOrEqual(
          forcedMse(problem, optimisedDesign(problem, seed)) * (1 + ROUNDING),
        );
      }),
      runs(1200),
    );
  });

  it("random multipliers and matrices V prove what their formula says, rounded down (1000 problems)", () => {
    fc.assert(
      fc.property(smallSizes, seeds, fc.integer({ min: -3, max: 3 }), (sizes, seed, decade) => {
        const problem = forcingProblem(sizes, seed, false);
        const stream = randomStream(seed, "certificate");
        const matrices = problem.devices * problem.subcarriers;
        const reductions = gaussian(2 * matrices * problem.transmitAntennas * problem.streams, seed);
        const certificate: ForcingCertificate = {
          multipliers: Float64Array.from({ length: problem.devices }, () => stream.uniform()),
          levels: Float64Array.from({ length: matrices }, () => 10 ** decade * stream.uniform()),
          reductions: reductions.map((x) => x * 0.5),
        };
        const value = certifiedForcingBound(problem, certificate);
        const plain = plainValue(problem, certificate);
        expect(value).toBeLessThanOrEqual(plain * (1 + ROUNDING));
        if (decade > 0) expect(value).toBeGreaterThanOrEqual(plain * (1 - 1e-9));
        expect(value).toBeLessThanOrEqual(forcedMse(problem, randomReceive(problem, seed)) * (1 + ROUNDING));
        expect(value).toBeLessThanOrEqual(relaxUniformForcing(problem)!.primal * (1 + ROUNDING));
      }),
      runs(1000),
    );
  });

  it("the reference channels: the semidefinite value for one stream, far above the simple bounds for two", () => {
    const gain: Record<string, number> = {};
    for (const reference of referenceCases) {
      const problem = referenceProblem(reference);
      const { bound, primal } = relaxUniformForcing(problem, { effort: "thorough" })!;
      expect(bound).toBeGreaterThanOrEqual(reference.lowerBound * (1 - 1e-6));
      expect(bound).toBeLessThanOrEqual(reference.best);
      expect(bound).toBeGreaterThanOrEqual(primal * (1 - 1e-6));
      if (reference.streams === 1) expect(bound / reference.lowerBound).toBeLessThan(1 + 1e-6);
      gain[reference.name] = bound / reference.lowerBound;
    }
    expect(gain["M2"]).toBeGreaterThan(1.285);
    expect(gain["M5"]).toBeGreaterThan(1.128);
  });
});

describe("special cases", () => {
  it("V = I proves S^2 / lambda_max(sum y_k Q_k)", () => {
    fc.assert(
      fc.property(smallSizes, seeds, (sizes, seed) => {
        const problem = forcingProblem({ ...sizes, subcarriers: 1 }, seed, false);
        const y = Float64Array.from({ length: problem.devices }, (_, k) => 1 + (k % 3));
        const total = y.reduce((a, b) => a + b, 0);
        const nr = problem.receiveAntennas;
        const sum = Matrix.zeros(2 * nr, 2 * nr);
        y.forEach((share, k) => {
          const h = embeddedChannel(problem, k, 0);
          const gain = (share / total) * (problem.power[k]! / problem.weights[k]! ** 2);
          sum.add(h.mmul(h.transpose()).mul(gain));
        });
        const expected = (problem.noiseVariance * problem.streams ** 2) / eigenvalues(sum).at(-1)!;
        const value = certifiedForcingBound(problem, identityCertificate(problem, y));
        expect(value / expected).toBeGreaterThan(1 - ROUNDING);
        expect(value / expected).toBeLessThan(1 + ROUNDING);
      }),
      runs(200),
    );
  });

  it("without iterations the hardest device alone is the proof; one device: the optimum", () => {
    fc.assert(
      fc.property(smallSizes, seeds, (sizes, seed) => {
        const problem = forcingProblem(sizes, seed, false);
        const alone = Math.max(
          ...Array.from({ length: problem.devices }, (_, k) => singleDevice(problem, k)),
        );
        const start = relaxUniformForcing(problem, { maxIterations: 0 })!;
        expect(Math.abs(start.bound / alone - 1)).toBeLessThan(1e-9);
        expect(relaxUniformForcing(problem)!.bound).toBeGreaterThanOrEqual(start.bound);
        if (problem.devices === 1) {
          expect(start.reason).toBe("gap");
          expect(Math.abs(start.primal / alone - 1)).toBeLessThan(1e-9);
          expect(forcedMse(problem, optimisedDesign(problem, seed)) / alone).toBeLessThan(1 + 1e-5);
        }
      }),
      runs(200),
    );
  });

  it("does not exceed an optimum that is known exactly, not by one rounding", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 2 }),
        fc.nat({ max: 4 }),
        (exponents, extra, dropped) => {
          // H = diag(2^e) with rows of zeros: the optimum is (sum of the S largest gains' 2^-e)^2, a whole multiple
          const n = exponents.length;
          const streams = Math.max(1, n - dropped);
          const problem = forcingProblem(
            { devices: 1, receiveAntennas: n + extra, transmitAntennas: n, streams },
            1,
          );
          problem.channel.fill(0);
          exponents.forEach((e, i) => {
            problem.channel[2 * i * (n + 1)] = 2 ** e;
          });
          const inverses = exponents.map((e) => 2 ** -e).sort((a, b) => a - b);
          const root = inverses.slice(0, streams).reduce((a, b) => a + b, 0);
          const { bound } = relaxUniformForcing(problem)!;
          expect(bound).toBeLessThanOrEqual(root ** 2);
          expect(bound).toBeGreaterThan(root ** 2 * (1 - 1e-8));
          const identity = identityCertificate(problem, Float64Array.of(1));
          const simple = streams ** 2 * inverses[0]! ** 2;
          expect(certifiedForcingBound(problem, identity)).toBeLessThanOrEqual(simple);
          expect(certifiedForcingBound(problem, identity)).toBeGreaterThan(simple * (1 - ROUNDING));
        },
      ),
      runs(500),
    );
  });

  it("one antenna everywhere: sigma2 times the largest w^2 / (P |h|^2) on one subcarrier", () => {
    for (let seed = 0; seed < 50; seed++) {
      const sizes = { devices: 1 + (seed % 6), receiveAntennas: 1, transmitAntennas: 1, streams: 1 };
      const problem = forcingProblem(sizes, seed, false);
      const expected = Math.max(...Array.from({ length: sizes.devices }, (_, k) => singleDevice(problem, k)));
      const { bound, primal, iterations } = relaxUniformForcing(problem)!;
      expect(Math.abs(bound / expected - 1)).toBeLessThan(1e-10);
      expect(Math.abs(primal / expected - 1)).toBeLessThan(1e-10);
      expect(iterations).toBe(0);
    }
  });

  it("two devices, one stream: the dual on a line", () => {
    for (let seed = 0; seed < 40; seed++) {
      const sizes = {
        devices: 2,
        receiveAntennas: 1 + (seed % 6),
        transmitAntennas: 1 + (seed % 4),
        streams: 1,
      };
      const problem = forcingProblem(sizes, seed, false);
      const [q1, q2] = [0, 1].map((k) => {
        const h = embeddedChannel(problem, k, 0);
        return h.mmul(h.transpose()).mul(problem.power[k]! / problem.weights[k]! ** 2);
      }) as [Matrix, Matrix];
      const largest = (y: number): number =>
        eigenvalues(Matrix.mul(q1, y).add(Matrix.mul(q2, 1 - y))).at(-1)!;
      // lambda_max is convex in y: ternary search
      let [low, high] = [0, 1];
      for (let i = 0; i < 80; i++) {
        const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
        if (largest(a) < largest(b)) high = b;
        else low = a;
      }
      const expected = problem.noiseVariance / largest(0.5 * (low + high));
      const { bound, primal } = relaxUniformForcing(problem, { effort: "thorough" })!;
      expect(Math.abs(bound / expected - 1)).toBeLessThan(2e-6);
      expect(Math.abs(primal / expected - 1)).toBeLessThan(2e-6);
    }
  });

  it("as many streams as transmit antennas: the relaxed objective is tr((H^H X H)^{-1})", () => {
    for (let seed = 0; seed < 30; seed++) {
      const sizes = { devices: 3, subcarriers: 2, receiveAntennas: 5, transmitAntennas: 3, streams: 3 };
      const problem = forcingProblem(sizes, seed);
      const { factor, rank, primal, bound } = relaxUniformForcing(problem, { effort: "thorough" })!;
      // the same function as of designs with q streams, were the inverses of size N_t
      const worst = Array.from({ length: 3 }, (_, k) =>
        [0, 1].reduce((sum, m) => {
          const seen = embeddedChannel(problem, k, m)
            .transpose()
            .mmul(embedded(factor, m, 5, rank));
          return sum + eigenvalues(seen.mmul(seen.transpose())).reduce((a, l) => a + 1 / l, 0);
        }, 0),
      );
      expect(Math.abs(Math.max(...worst) / primal - 1)).toBeLessThan(1e-10);
      expect(bound / primal).toBeGreaterThan(1 - 1e-6);
    }
  });
});

describe("the relaxed objective", () => {
  it("is the largest of 2 s_S(V) - tr(V W V), convex, with the right gradient", () => {
    fc.assert(
      fc.property(smallSizes, seeds, (sizes, seed) => {
        const nt = sizes.transmitAntennas;
        const problem = forcingProblem({ ...sizes, devices: 1, subcarriers: 1 }, seed);
        const instance = forcingInstance(problem)!;
        const { receiveAntennas: nr, streams } = problem;
        const rank = nr;
        const cost = createRelaxedCost(instance, rank);
        const value = new Float64Array(1);
        const phi = (g: Float64Array): number => cost.evaluate(value, g);
        const w = (g: Float64Array): Matrix => {
          const seen = embedded(instance.channel, 0, nr, nt)
            .transpose()
            .mmul(embedded(g, 0, nr, rank));
          return seen.mmul(seen.transpose());
        };
        const g = gaussian(2 * nr * rank, seed + 1);
        const at = phi(g);
        const objective = (v: Matrix): number =>
          2 *
            eigenvalues(v)
              .slice(0, streams)
              .reduce((a, b) => a + b, 0) -
          v.mmul(w(g)).mmul(v).trace() / 2;
        // the maximiser that the cost reports, then matrices near it and far from it
        const level = new Float64Array(1);
        const reduction = new Float64Array(2 * nt * streams);
        cost.maximisers(level, reduction);
        const c = embedded(reduction, 0, nt, streams);
        const best = Matrix.eye(2 * nt)
          .mul(level[0]!)
          .sub(c.mmul(c.transpose()));
        expect(Math.abs(objective(best) / at - 1)).toBeLessThan(1e-8);
        for (const size of [0.01, 0.3, 3]) {
          const z = embedded(gaussian(2 * nt * nt, seed + 2), 0, nt, nt).mul(size * level[0]!);
          const other = best.clone().add(z).add(z.transpose());
          expect(objective(other)).toBeLessThanOrEqual(at * (1 + 1e-8));
        }
        // convexity in X: the factor of the midpoint is [G1 G2] / sqrt 2
        const wide = createRelaxedCost(instance, 2 * rank);
        const g2 = gaussian(2 * nr * rank, seed + 3);
        const both = new Float64Array(4 * nr * rank);
        for (let row = 0; row < nr; row++) {
          both.set(g.subarray(2 * row * rank, 2 * (row + 1) * rank), 4 * row * rank);
          both.set(g2.subarray(2 * row * rank, 2 * (row + 1) * rank), 4 * row * rank + 2 * rank);
        }
        const middle = wide.evaluate(
          value,
          both.map((x) => x * Math.SQRT1_2),
        );
        expect(middle).toBeLessThanOrEqual(0.5 * (at + phi(g2)) * (1 + 1e-10));
      }),
      runs(300),
    );
  });

  it("has the gradient that the solver is given", () => {
    for (const streams of [1, 2, 3, 4]) {
      const sizes = { devices: 3, subcarriers: 2, receiveAntennas: 5, transmitAntennas: 4, streams };
      const instance = forcingInstance(forcingProblem(sizes, streams, false))!;
      const rank = 4;
      const size = 2 * 5 * rank;
      const cost = createRelaxedCost(instance, rank);
      const values = new Float64Array(3);
      const weights = Float64Array.of(0.5, 1, 2);
      const sum = (x: ComplexMatrix): number => {
        cost.evaluate(values, x.data);
        return values.reduce((total, g, k) => total + weights[k]! * g, 0);
      };
      const gradient = (x: ComplexMatrix): ComplexMatrix => {
        sum(x);
        const out = { rows: size, cols: 1, data: new Float64Array(2 * size) };
        cost.gradient(out.data, weights);
        return out;
      };
      const check = checkGradient({ manifold: complexSphere(size), cost: sum, gradient }, { seed: 1 });
      expect(check.passed, JSON.stringify(check)).toBe(true);
    }
  });

  it("designs of rank S cost what they cost", () => {
    fc.assert(
      fc.property(smallSizes, seeds, (sizes, seed) => {
        const problem = forcingProblem(sizes, seed, false);
        const instance = forcingInstance(problem)!;
        const receive = randomReceive(problem, seed);
        const norm2 = receive.reduce((sum, x) => sum + x * x, 0);
        const values = new Float64Array(instance.active.length);
        const largest = createRelaxedCost(instance, problem.streams).evaluate(values, receive);
        expect((instance.unit * largest * norm2) / forcedMse(problem, receive)).toBeCloseTo(1, 7);
      }),
      runs(300),
    );
  });
});

interface ReferenceCase extends Required<Omit<Sizes, "subcarriers">> {
  readonly name: string;
  readonly seed: number;
  readonly firstEntry: readonly [number, number];
  readonly lowerBound: number;
  readonly best: number;
}

const fixture = new URL("../fixtures/aircomp/relaxation-reference.json", import.meta.url);
const referenceCases = (JSON.parse(readFileSync(fixture, "utf8")) as { cases: readonly ReferenceCase[] })
  .cases;

function referenceProblem({ seed, firstEntry, ...sizes }: ReferenceCase): TransceiverProblem {
  const { devices, receiveAntennas: nr, transmitAntennas: nt } = sizes;
  const problem = forcingProblem(sizes, seed);
  let state = seed | 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let k = 0; k < devices; k++) {
    for (let col = 0; col < nt; col++) {
      for (let row = 0; row < nr; row++) {
        const radius = Math.sqrt(-Math.log(1 - uniform()));
        const angle = 2 * Math.PI * uniform();
        const at = 2 * ((k * nr + row) * nt + col);
        problem.channel[at] = radius * Math.cos(angle);
        problem.channel[at + 1] = radius * Math.sin(angle);
      }
    }
  }
  expect(problem.channel[0]).toBeCloseTo(firstEntry[0], 14);
  return problem;
}
