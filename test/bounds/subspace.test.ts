import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, it } from "vitest";
import {
  type GapInput,
  gradientNormBound,
  optimalityGap,
  type Subspace,
  subspaceAt,
} from "../../src/bounds/index.ts";
import { subspaceFactors } from "../../src/bounds/subspace.ts";
import { InputError, type RandomStream, randomStream } from "../../src/core/index.ts";
import { decades, RUNS, relative } from "./support.ts";

function gaussian(stream: RandomStream, rows: number, columns: number): Matrix {
  const result = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result.set(i, j, stream.normal());
  return result;
}

/** loraA of either kind: orthonormal rows, or entries N(0, 1/r). */
function drawn(kind: Subspace["kind"], stream: RandomStream, rank: number, columns: number): Matrix {
  const raw = gaussian(stream, rank, columns);
  if (kind === "sketch") return raw.mul(1 / Math.sqrt(rank));
  // the polar factor of a Gaussian matrix is Haar
  const { leftSingularVectors, rightSingularVectors } = new SingularValueDecomposition(raw.transpose());
  return leftSingularVectors.mmul(rightSingularVectors.transpose()).transpose();
}

const energy = (m: Matrix): number => m.to1DArray().reduce((sum, x) => sum + x * x, 0);

/** The mean of `trial(stream)` and its standard error. */
function meanOf(trials: number, trial: (index: number) => number): { mean: number; error: number } {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < trials; i++) {
    const x = trial(i);
    sum += x;
    squares += x * x;
  }
  const mean = sum / trials;
  return { mean, error: Math.sqrt(Math.max(0, squares / trials - mean * mean) / trials) };
}

describe("factors of a sketch", () => {
  const cases = [
    [{ rank: 2, columns: 6 }],
    [{ rank: 1, columns: 8 }],
    [{ rank: 8, columns: 4 }],
    [
      { rank: 3, columns: 12 },
      { rank: 2, columns: 4, count: 2 },
    ],
  ];
  it.each(cases)("moments against Monte Carlo: %j", (...layers) => {
    const { step, cross, floor, slope } = subspaceFactors({ kind: "sketch", layers });
    const stream = randomStream(1, "moments");
    const trials = 4000;
    const sums = layers.map(() => [0, 0, 0]);
    let largest = 0;
    for (let i = 0; i < trials; i++) {
      const eigenvalues = layers.map(
        ({ rank, columns, count = 1 }: { rank: number; columns: number; count?: number }) =>
          Array.from({ length: count }, () =>
            new SingularValueDecomposition(drawn("sketch", stream, rank, columns), {
              autoTranspose: true,
            }).diagonal.map((s) => s * s),
          ),
      );
      const top = Math.max(...eigenvalues.flat(2));
      largest += top / trials;
      eigenvalues.forEach(([first], k) => {
        const p = layers[k]!.columns;
        const over = (f: (l: number) => number): number => first!.reduce((s, l) => s + f(l), 0) / p / trials;
        sums[k]![0]! += over((l) => l * l);
        sums[k]![1]! += over((l) => l * (l / step - 1) ** 2);
        sums[k]![2]! += over((l) => l * top);
      });
    }
    const most = (index: number): number => Math.max(...sums.map((s) => s[index]!));
    expect(relative(most(0), step)).toBeLessThan(0.05);
    expect(relative(most(1), cross)).toBeLessThan(0.07);
    // inequalities: never below, and not far above
    expect(floor * step).toBeGreaterThan(0.97 * largest);
    expect(floor * step).toBeLessThan(1.7 * largest);
    expect(slope * step).toBeGreaterThan(0.97 * most(2));
    expect(slope * step).toBeLessThan(1.7 * most(2));
  });

  it("refuses sizes that make no sense", () => {
    for (const bad of [
      { kind: "projection", captured: 0 },
      { kind: "projection", captured: 1.1 },
      { kind: "sketch", layers: [] },
      { kind: "sketch", layers: [{ rank: 0, columns: 3 }] },
      { kind: "sketch", captured: 1, layers: [{ rank: 1, columns: 3 }] },
      { kind: "none" },
    ]) {
      expect(() => subspaceFactors(bad as unknown as Subspace)).toThrow(InputError);
    }
  });
});

/**
 * F(W) = sum_ij h_ij W_ij^2/2 (W* = 0), loraB trained for one step and merged, T rounds. The adversary sees loraA and
 * picks the worst of several directions of exactly the allowed size.
 */
function train(
  kind: Subspace["kind"],
  stream: RandomStream,
  h: Matrix,
  start: Matrix,
  rank: number,
  step: number,
  rounds: number,
  b1: number,
  b2: number,
): { readonly loss: number; readonly gradients: number } {
  let w = start;
  let gradients = 0;
  const loss = (m: Matrix): number => energy(Matrix.mul(m, Matrix.sqrt(h))) / 2;
  for (let t = 0; t < rounds; t++) {
    const gradient = Matrix.mul(h, w);
    gradients += energy(gradient) / rounds;
    const a = drawn(kind, stream, rank, w.columns);
    const seen = gradient.mmul(a.transpose());
    const size = Math.sqrt(b1 + b2 * energy(seen));
    const directions = [
      seen.clone(),
      Matrix.mul(seen, -1),
      // e loraA as large as it can be, against the weights or the gradient
      w.mmul(a.transpose()).mul(-1).mmul(a.mmul(a.transpose())),
      seen.mmul(a.mmul(a.transpose())).mul(1),
      seen.mmul(a.mmul(a.transpose())).sub(Matrix.mul(seen, step)),
    ];
    let worst = Number.NEGATIVE_INFINITY;
    let next = w;
    for (const direction of directions) {
      const length = Math.sqrt(energy(direction)) || 1;
      const error = direction.mul(size / length);
      const after = Matrix.sub(
        w,
        Matrix.add(seen, error)
          .mmul(a)
          .mul(1 / (h.max() * step)),
      );
      if (loss(after) > worst) {
        worst = loss(after);
        next = after;
      }
    }
    w = next;
  }
  return { loss: loss(w), gradients };
}

describe.each(["projection", "sketch"] as const)("the theorem with a %s drawn in every round", (kind) => {
  it("mean over 400 trials, adversarial errors: below the bound, both forms", () => {
    const stream = randomStream(2, "adversary", kind);
    for (const { rank, columns, rounds, b1, b2 } of [
      { rank: 2, columns: 5, rounds: 6, b1: 0, b2: 0 },
      { rank: 1, columns: 4, rounds: 5, b1: 0.1, b2: 0 },
      { rank: 3, columns: 6, rounds: 8, b1: 0.02, b2: 0.03 },
      { rank: 4, columns: 3, rounds: 4, b1: 0.2, b2: 0.1 },
    ]) {
      const rows = 4;
      const h = Matrix.zeros(rows, columns).apply(function (this: Matrix, i: number, j: number) {
        this.set(i, j, i === 0 && j === 0 ? 2 : 1 + stream.uniform());
      });
      h.set(rows - 1, 0, 1);
      const start = gaussian(stream, rows, columns);
      const used = Math.min(rank, columns);
      const subspace = subspaceAt(kind, [{ dOut: rows, dIn: columns }], used);
      const { step } = subspaceFactors(subspace);
      const initialGap = energy(Matrix.mul(start, Matrix.sqrt(h))) / 2;
      const common = {
        smoothness: 2,
        initialGap,
        rounds,
        distortion: 1,
        gradientFloor: b1,
        gradientSlope: b2,
        subspace,
      };
      const limit = optimalityGap({ ...common, plConstant: 1 }).gap;
      const gradientLimit = gradientNormBound(common).bound;
      const runs = Array.from({ length: 400 }, () =>
        train(kind, stream, h, start, used, step, rounds, b1, b2),
      );
      const loss = meanOf(runs.length, (i) => runs[i]!.loss);
      const gradients = meanOf(runs.length, (i) => runs[i]!.gradients);
      expect(loss.mean + 3 * loss.error).toBeLessThan(limit);
      expect(gradients.mean + 3 * gradients.error).toBeLessThan(gradientLimit);
    }
  });

  it("is attained without errors where mu = L: E F falls by exactly rho", () => {
    const stream = randomStream(3, "equality", kind);
    const [rows, columns, rank] = [3, 5, 2];
    const h = Matrix.ones(rows, columns);
    const start = gaussian(stream, rows, columns);
    const subspace = subspaceAt(kind, [{ dOut: rows, dIn: columns }], rank);
    const { step } = subspaceFactors(subspace);
    const initialGap = energy(start) / 2;
    const { gap } = optimalityGap({
      smoothness: 1,
      plConstant: 1,
      initialGap,
      rounds: 3,
      distortion: 0,
      gradientFloor: 0,
      subspace,
    });
    const { mean, error } = meanOf(4000, () => train(kind, stream, h, start, rank, step, 3, 0, 0).loss);
    expect(Math.abs(mean - gap)).toBeLessThan(4 * error);
    expect(error).toBeLessThan(0.02 * gap);
  });
});

describe("a projection", () => {
  it("is the plain bound with kappa mu", () => {
    const input: GapInput = {
      smoothness: 2,
      plConstant: 0.5,
      initialGap: 1,
      rounds: 30,
      distortion: 0.1,
      gradientFloor: 1,
      gradientSlope: 0.5,
      stochasticVariance: 0.1,
    };
    const projected = optimalityGap({ ...input, subspace: { kind: "projection", captured: 0.25 } });
    expect(projected.gap).toBe(optimalityGap({ ...input, plConstant: 0.125 }).gap);
    const whole = optimalityGap({ ...input, subspace: { kind: "projection", captured: 1 } });
    expect(whole.gap).toBe(optimalityGap(input).gap);
    const gradient = ({ plConstant: _, ...rest }: GapInput) => rest;
    const part = gradientNormBound({ ...gradient(input), subspace: { kind: "projection", captured: 0.25 } });
    expect(relative(part.bound, 4 * gradientNormBound(gradient(input)).bound)).toBeLessThan(1e-14);
  });

  it("captures the smallest r/dIn of the layers", () => {
    const layers = [
      { dOut: 4, dIn: 20 },
      { dOut: 30, dIn: 10 },
    ];
    expect(subspaceAt("projection", layers, 3)).toEqual({ kind: "projection", captured: 0.15 });
    expect(subspaceAt("projection", layers, 8)).toEqual({ kind: "projection", captured: 0.2 });
  });
});

describe("a sketch", () => {
  const inputs = fc
    .record({
      smoothness: decades(-1, 1),
      ratio: decades(-2, 0),
      initialGap: decades(-2, 2),
      rounds: fc.constantFrom(1, 3, 40),
      distortion: decades(-4, 0),
      gradientFloor: decades(-2, 1),
      gradientSlope: fc.oneof(fc.constant(0), decades(-3, 0)),
      rank: fc.integer({ min: 1, max: 16 }),
      columns: fc.integer({ min: 1, max: 64 }),
    })
    .map(({ ratio, rank, columns, ...input }) => ({
      ...input,
      plConstant: ratio * input.smoothness,
      subspace: { kind: "sketch" as const, layers: [{ rank, columns }] },
    }));

  /** The bound for one reserve, written out: the recursion of the theorem. */
  function atReserve(input: GapInput, tau: number): number {
    const { step, cross, floor, slope } = subspaceFactors(input.subspace);
    const omega = input.distortion as number;
    const [b1, b2] = [omega * input.gradientFloor, omega * input.gradientSlope!];
    const kept = 1 - tau - (cross / tau + slope) * b2;
    if (!(kept > 0)) return Number.POSITIVE_INFINITY;
    let gap = input.initialGap;
    for (let t = 0; t < input.rounds; t++) {
      gap = (1 - (input.plConstant / (input.smoothness * step)) * kept) * gap;
      gap += ((cross / tau + floor) * b1) / (2 * input.smoothness * step);
    }
    return gap;
  }

  it("the reserve: the minimum over a fine grid and its refinement, infinite exactly where no reserve is left", () => {
    let finite = 0;
    fc.assert(
      fc.property(inputs, (input) => {
        const { gap, reason } = optimalityGap(input);
        const { cross, slope } = subspaceFactors(input.subspace);
        const b2 = input.distortion * input.gradientSlope;
        const applies = slope * b2 + 2 * Math.sqrt(cross * b2) < 1;
        expect([Number.isFinite(gap), reason === undefined]).toEqual([applies, applies]);
        if (!applies) return;
        finite++;
        let best = Number.POSITIVE_INFINITY;
        let at = 0;
        for (let x = -20; x < 0; x += 0.02) {
          const value = atReserve(input, 10 ** x);
          if (value < best) [best, at] = [value, x];
        }
        for (let step = 0.02; step > 1e-9; step /= 2) {
          for (const x of [at - step, at + step]) {
            const value = atReserve(input, 10 ** x);
            if (value < best) [best, at] = [value, x];
          }
        }
        expect(gap).toBeLessThanOrEqual(best * (1 + 1e-10));
        // where the infimum lies at the edge of the interval the grid cannot reach it
        const inside = 1 - 10 ** at - (cross / 10 ** at + slope) * b2 > 1e-3;
        if (inside) expect(relative(gap, best)).toBeLessThan(1e-9);
      }),
      RUNS,
    );
    expect(finite).toBeGreaterThan(150);
  });

  it("one round of rank 1 against its exact worst error: below the bound, and close to it", () => {
    // F = ||w||^2/2 with one row, |e|^2 = b1 + b2 h^2 given loraA: the worst of both signs
    const stream = randomStream(4, "worst");
    const columns = 6;
    const subspace: Subspace = { kind: "sketch", layers: [{ rank: 1, columns }] };
    const { step } = subspaceFactors(subspace);
    for (const [b1, b2] of [
      [0.5, 0],
      [0.05, 0],
      [0, 0.2],
      [0.1, 0.05],
    ] as const) {
      const { mean, error } = meanOf(20_000, () => {
        const a = Array.from({ length: columns }, () => stream.normal());
        const h = a[0]!; // w = (1, 0, ..., 0)
        const size = Math.sqrt(b1 + b2 * h * h);
        const lossWith = (e: number): number =>
          a.reduce((sum, x, i) => sum + ((i === 0 ? 1 : 0) - ((h + e) * x) / step) ** 2, 0) / 2;
        return Math.max(lossWith(size), lossWith(-size));
      });
      const { gap } = optimalityGap({
        smoothness: 1,
        plConstant: 1,
        initialGap: 0.5,
        rounds: 1,
        distortion: 1,
        gradientFloor: b1,
        gradientSlope: b2,
        subspace,
      });
      expect(mean).toBeLessThan(gap + 3 * error);
      expect(mean).toBeGreaterThan(0.9 * gap);
    }
  });

  it("without errors there is no reserve: rho = 1 - mu/(L c)", () => {
    const subspace = { kind: "sketch" as const, layers: [{ rank: 3, columns: 8 }] };
    const { gap, contraction } = optimalityGap({
      smoothness: 1,
      plConstant: 0.5,
      initialGap: 2,
      rounds: 7,
      distortion: 0,
      gradientFloor: 1,
      subspace,
    });
    expect(relative(contraction, 1 - 0.5 / 4)).toBeLessThan(1e-15);
    expect(relative(gap, 2 * 0.875 ** 7)).toBeLessThan(1e-14);
  });
});
