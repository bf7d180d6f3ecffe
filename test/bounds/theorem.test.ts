import { describe, expect, it } from "vitest";
import { optimalityGap } from "../../src/bounds/index.ts";
import { type RandomStream, randomStream } from "../../src/core/index.ts";

/** A strongly convex quadratic f(x) = sum_i h_i x_i^2 / 2 with f* = 0, L = max h, mu = min h. */
interface Quadratic {
  readonly h: readonly number[];
  readonly start: readonly number[];
}

const value = ({ h }: Quadratic, x: readonly number[]): number =>
  h.reduce((sum, hi, i) => sum + (hi * x[i]! ** 2) / 2, 0);
const norm = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, xi) => sum + xi * xi, 0));

/** Gradient descent x <- x - (grad + e)/L; returns f(x_T). */
function descend(
  problem: Quadratic,
  rounds: number,
  error: (gradient: readonly number[], x: readonly number[], t: number) => readonly number[],
): number {
  const smoothness = Math.max(...problem.h);
  let x = problem.start.slice();
  for (let t = 0; t < rounds; t++) {
    const gradient = problem.h.map((hi, i) => hi * x[i]!);
    const e = error(gradient, x, t);
    x = x.map((xi, i) => xi - (gradient[i]! + e[i]!) / smoothness);
  }
  return value(problem, x);
}

function quadratic(stream: RandomStream, size: number, mu: number, smoothness: number): Quadratic {
  const h = Array.from({ length: size }, () => mu + (smoothness - mu) * stream.uniform());
  h[0] = smoothness;
  h[size - 1] = mu;
  return { h, start: h.map(() => 2 * stream.normal()) };
}

function unit(stream: RandomStream, size: number): number[] {
  const raw = Array.from({ length: size }, () => stream.normal());
  const length = norm(raw);
  return raw.map((x) => x / length);
}

/** The bound for one error with ||e||^2 <= b1 + b2 ||grad||^2. */
function bound(problem: Quadratic, rounds: number, b1: number, b2: number, chi2 = 0): number {
  return optimalityGap({
    smoothness: Math.max(...problem.h),
    plConstant: Math.min(...problem.h),
    initialGap: value(problem, problem.start),
    rounds,
    distortion: 1,
    gradientFloor: b1,
    gradientSlope: b2,
    stochasticVariance: chi2,
  }).gap;
}

describe("gradient descent with errors stays below the bound", () => {
  it("adversarial errors of exactly the assumed size, every round and every trial", () => {
    const stream = randomStream(1, "adversary");
    let closest = 0;
    for (let trial = 0; trial < 150; trial++) {
      const size = 1 + stream.integer(6);
      const smoothness = 10 ** (2 * stream.uniform() - 1);
      const mu = smoothness * 10 ** (-2 * stream.uniform());
      const problem = quadratic(stream, size, size === 1 ? smoothness : mu, smoothness);
      const b1 = 10 ** (3 * stream.uniform() - 2);
      const b2 = 0.95 * stream.uniform();
      const rounds = 1 + stream.integer(60);
      const adversaries: readonly ((g: readonly number[], x: readonly number[]) => readonly number[])[] = [
        (g) => g.map((gi) => -gi), // cancels the step
        (g) => g, // overshoots
        (_, x) => x.map((xi, i) => (i === 0 ? Math.sign(xi) || 1 : 0)), // along the steepest axis
        (_, x) => x.map((xi, i) => (i === size - 1 ? -Math.sign(xi) || 1 : 0)), // along the flattest axis
        // maximises f after the step, found on random directions
        (g, x) => {
          let best: readonly number[] = [];
          let most = -1;
          for (let i = 0; i < 20; i++) {
            const d = unit(stream, size);
            const after = x.map(
              (xi, j) => xi - (g[j]! + Math.sqrt(b1 + b2 * norm(g) ** 2) * d[j]!) / smoothness,
            );
            if (value(problem, after) > most) {
              most = value(problem, after);
              best = d;
            }
          }
          return best;
        },
      ];
      const limit = bound(problem, rounds, b1, b2);
      for (const adversary of adversaries) {
        const reached = descend(problem, rounds, (g, x) => {
          const direction = adversary(g, x);
          const length = norm(direction) || 1;
          const size = Math.sqrt(b1 + b2 * norm(g) ** 2);
          return direction.map((d) => (size * d) / length);
        });
        expect(reached).toBeLessThanOrEqual(limit * (1 + 1e-12));
        closest = Math.max(closest, reached / limit);
      }
    }
    // the bound is attained (mu = L, T = 1): a wrong factor anywhere would be seen
    expect(closest).toBeGreaterThan(0.9);
  });

  it("is attained with equality for mu = L and constant errors", () => {
    // f = L x^2/2: x <- x - (L x + e)/L = -e/L, so f = e^2/(2L) after every round
    const problem: Quadratic = { h: [4], start: [3] };
    const reached = descend(problem, 7, () => [Math.sqrt(0.6)]);
    expect(Math.abs(reached / bound(problem, 7, 0.6, 0) - 1)).toBeLessThan(1e-14);
    // e = -sqrt(b2) grad: x <- sqrt(b2) x, f <- b2 f
    const slowed = descend(problem, 7, (g) => g.map((gi) => -Math.sqrt(0.5) * gi));
    expect(Math.abs(slowed / bound(problem, 7, 0, 0.5) - 1)).toBeLessThan(1e-13);
  });

  it("biased air error and stochastic gradients together, fully correlated: the split has to cover them", () => {
    // both along the same direction: ||e||^2 = (sqrt(b_air) + sqrt(chi2))^2, the equality of the split
    const problem: Quadratic = { h: [1], start: [1] };
    for (const [air, chi2] of [
      [0.4, 0.1],
      [0.01, 2],
      [1, 1],
    ] as const) {
      const size = Math.sqrt(air) + Math.sqrt(chi2);
      const reached = descend(problem, 5, () => [size]);
      expect(Math.abs(reached / bound(problem, 5, air, 0, chi2) - 1)).toBeLessThan(1e-12);
    }
  });

  it("random and correlated errors: the mean over 1000 trials, within three standard errors", () => {
    const stream = randomStream(2, "random-errors");
    for (const correlation of [0, 0.9]) {
      const problem = quadratic(stream, 8, 0.1, 2);
      const [air, slope, chi2, rounds] = [0.3, 0.2, 0.1, 40];
      const limit = bound(problem, rounds, air, slope, chi2);
      let sum = 0;
      let squares = 0;
      const trials = 1000;
      for (let trial = 0; trial < trials; trial++) {
        let last = unit(stream, 8);
        const reached = descend(problem, rounds, (g) => {
          // the air error keeps its direction over the rounds; the stochastic one may share it
          const fresh = unit(stream, 8);
          last = last.map((x, i) => correlation * x + Math.sqrt(1 - correlation ** 2) * fresh[i]!);
          const length = norm(last);
          const airSize = Math.sqrt(air + slope * norm(g) ** 2) / length;
          const other = unit(stream, 8).map((x, i) => correlation * last[i]! + (1 - correlation) * x);
          const otherSize = Math.sqrt(chi2) / norm(other);
          return last.map((x, i) => airSize * x + otherSize * other[i]!);
        });
        sum += reached;
        squares += reached * reached;
      }
      const mean = sum / trials;
      const standardError = Math.sqrt((squares / trials - mean * mean) / trials);
      expect(mean + 3 * standardError).toBeLessThanOrEqual(limit);
    }
  });

  it("one distortion per round, adversarial", () => {
    const problem: Quadratic = { h: [3, 0.2], start: [1, -4] };
    const sizes = Array.from({ length: 25 }, (_, t) => 0.2 * (1 + Math.cos(t)));
    const reached = descend(problem, 25, (g, x, t) => {
      const size = Math.sqrt(sizes[t]! * (0.5 + 0.3 * norm(g) ** 2));
      return [0, -size * Math.sign(x[1]!)];
    });
    const { gap } = optimalityGap({
      smoothness: 3,
      plConstant: 0.2,
      initialGap: value(problem, problem.start),
      rounds: 25,
      distortion: sizes,
      gradientFloor: 0.5,
      gradientSlope: 0.3,
    });
    expect(reached).toBeLessThanOrEqual(gap);
  });
});

describe("missing devices", () => {
  it("the error of leaving them out is at most v^2 4 (k1 + k2 ||g||^2), or v^2 times that without renormalising", () => {
    const stream = randomStream(3, "missing");
    let largest = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const devices = 2 + stream.integer(5);
      const raw = Array.from({ length: devices }, () => stream.uniform() + 0.01);
      const total = raw.reduce((a, b) => a + b, 0);
      const weights = raw.map((w) => w / total);
      const gradients = raw.map(() => [stream.normal(), stream.normal()]);
      if (trial % 2 === 0) for (const [k, g] of gradients.entries()) g.fill(k === 0 ? -1 : 1);
      const missing = 1 + stream.integer(devices - 1);
      const mean = (from: number, to: number): number[] => {
        const weight = weights.slice(from, to).reduce((a, b) => a + b, 0);
        return [0, 1].map(
          (i) => gradients.slice(from, to).reduce((s, g, k) => s + weights[from + k]! * g[i]!, 0) / weight,
        );
      };
      const v = weights.slice(0, missing).reduce((a, b) => a + b, 0);
      const full = mean(0, devices);
      const left = mean(missing, devices);
      const most = Math.max(...gradients.map((g) => norm(g) ** 2));
      const renormalised = norm(left.map((x, i) => x - full[i]!)) ** 2;
      const dropped = norm(left.map((x, i) => (1 - v) * x - full[i]!)) ** 2;
      expect(renormalised).toBeLessThanOrEqual(4 * v * v * most * (1 + 1e-12));
      expect(dropped).toBeLessThanOrEqual(v * v * most * (1 + 1e-12));
      largest = Math.max(largest, renormalised / (4 * v * v * most));
    }
    expect(largest).toBeGreaterThan(0.999); // opposite gradients attain it
  });
});
