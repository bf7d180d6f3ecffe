import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { type MinNorm, minNormWeights } from "../../src/personal/index.ts";
import { mismatch, normals, RUNS, refusal } from "./tuning-support.ts";

const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);

/** Shortest point of the hull by trying every face: least squares on each, exact for few objectives. */
function byFaces(gradients: readonly Float64Array[]): number {
  let best = Number.POSITIVE_INFINITY;
  const count = gradients.length;
  for (let face = 1; face < 2 ** count; face++) {
    const members = gradients.filter((_, i) => (face >> i) & 1);
    const [first, ...others] = members as [Float64Array, ...Float64Array[]];
    // orthonormal basis of the edges, coordinates by back substitution
    const basis: Float64Array[] = [];
    const upper: number[][] = [];
    for (const other of others) {
      let rest = other.map((x, l) => x - first[l]!);
      const shares = basis.map(() => 0);
      for (let pass = 0; pass < 2; pass++) {
        basis.forEach((b, k) => {
          const share = inner(b, rest);
          shares[k]! += share;
          rest = rest.map((x, l) => x - share * b[l]!);
        });
      }
      const norm = Math.sqrt(inner(rest, rest));
      if (norm < 1e-9) break;
      basis.push(rest.map((x) => x / norm));
      upper.push([...shares, norm]);
    }
    if (basis.length < others.length) continue;
    const weights = new Float64Array(others.length);
    for (let k = others.length - 1; k >= 0; k--) {
      let value = -inner(basis[k]!, first);
      for (let j = k + 1; j < others.length; j++) value -= upper[j]![k]! * weights[j]!;
      weights[k] = value / upper[k]![k]!;
    }
    if (weights.some((w) => w < 0) || weights.reduce((s, w) => s + w, 0) > 1) continue;
    const point = first.map((x, l) => others.reduce((s, g, i) => s + weights[i]! * (g[l]! - first[l]!), x));
    best = Math.min(best, Math.sqrt(inner(point, point)));
  }
  return best;
}

function checkSimplex({ weights }: MinNorm): void {
  expect(weights.every((w) => w >= 0)).toBe(true);
  expect(Math.abs(weights.reduce((sum, w) => sum + w, 0) - 1)).toBeLessThan(1e-14);
}

describe("two objectives", () => {
  test("the values of the model, at any scale", () => {
    for (const size of [1, 1e-150, 1e-80, 1e80, 4e149]) {
      const { weights, dualityGap } = minNormWeights({
        gradients: [
          [size, 0],
          [0, 2 * size],
        ],
      });
      expect(weights[0]).toBeCloseTo(0.8, 14);
      expect(dualityGap).toBeLessThanOrEqual(1e-15 * size * size);
    }
    expect([
      ...minNormWeights({
        gradients: [
          [3, 4],
          [3, 4],
        ],
      }).weights,
    ]).toEqual([0.5, 0.5]);
    expect([
      ...minNormWeights({
        gradients: [
          [0, 0],
          [0, 0],
        ],
      }).weights,
    ]).toEqual([0.5, 0.5]);
    expect([
      ...minNormWeights({
        gradients: [
          [0, 0],
          [1, 0],
        ],
      }).weights,
    ]).toEqual([1, 0]);
    expect([
      ...minNormWeights({
        gradients: [
          [1, 1],
          [2, 2],
        ],
      }).weights,
    ]).toEqual([1, 0]);
    expect(
      minNormWeights({
        gradients: [
          [1, 0],
          [-3, 0],
        ],
      }).weights[0],
    ).toBeCloseTo(0.75, 14);
    // sizes so far apart that one square would vanish against the other
    const { weights, norm } = minNormWeights({
      gradients: [
        [1e-150, 0],
        [-1e150, 0],
      ],
    });
    expect(weights[1]).toBeCloseTo(1e-300, 310);
    expect(norm).toBeLessThan(1e-165);
  });

  test("swapping the gradients swaps the weights", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const stream = randomStream(seed, "two");
        const gradients = [normals(3, stream), normals(3, stream, 2)];
        const one = minNormWeights({ gradients });
        const other = minNormWeights({ gradients: [...gradients].reverse() });
        expect([...one.weights].reverse()).toEqual([...other.weights]);
        const difference = gradients[0]!.map((x, l) => x - gradients[1]![l]!);
        const slope = -inner(difference, gradients[1]!) / inner(difference, difference);
        expect(one.weights[0]).toBeCloseTo(Math.min(1, Math.max(0, slope)), 12);
      }),
      RUNS,
    );
  });
});

describe("many objectives", () => {
  const cases = fc
    .record({
      seed: fc.integer({ min: 0, max: 1e6 }),
      count: fc.integer({ min: 3, max: 7 }),
      length: fc.integer({ min: 1, max: 12 }),
      bias: fc.constantFrom(0, 0.5, 3),
      scale: fc.constantFrom(1, 1e-145, 1e140),
      spread: fc.constantFrom(1, 1e4),
    })
    .map(({ seed, count, length, bias, scale, spread }) => {
      const stream = randomStream(seed, "many");
      const common = normals(length, stream, bias);
      const gradients = Array.from({ length: count }, () => {
        const size = scale * spread ** stream.uniform();
        return normals(length, stream).map((x, l) => size * (x + common[l]!));
      });
      // now and then equal or dependent ones
      if (seed % 4 === 0) gradients.push(gradients[0]!.slice());
      if (seed % 5 === 0) gradients.push(gradients[1]!.map((x, l) => (x + gradients[2]![l]!) / 2));
      return { gradients, scale };
    });

  test("certified, and as short as the shortest point of any face", () => {
    fc.assert(
      fc.property(cases, ({ gradients, scale }) => {
        const result = minNormWeights({ gradients });
        checkSimplex(result);
        expect(result.converged).toBe(true);
        const largest = Math.max(...gradients.map((g) => Math.max(...g.map(Math.abs)))) / scale;
        const norm = result.norm / scale;
        const gap = result.dualityGap / scale / scale;
        // or a direction that is rounding of 0: products of it with gradients are then of that size
        if (norm > 1e-14 * largest) expect(gap).toBeLessThan(1e-12 * largest * norm);
        else expect(gap).toBeLessThan(1e-13 * largest * largest);
        // lies in the hull: nothing is shorter than the shortest
        const shortest = byFaces(gradients.map((g) => g.map((x) => x / scale)));
        if (Number.isFinite(shortest)) {
          expect(Math.abs(norm - shortest)).toBeLessThan(1e-11 * largest);
        }
        const sum = gradients[0]!.map((_, l) =>
          gradients.reduce((s, g, i) => s + result.weights[i]! * g[l]!, 0),
        );
        expect(mismatch(sum, result.direction)).toBe(0);
      }),
      RUNS,
    );
  });

  test("-direction lowers every objective, equally where it has weight", () => {
    const stream = randomStream(5, "descent");
    const common = normals(20, stream);
    const gradients = Array.from({ length: 8 }, () => normals(20, stream).map((x, l) => x + common[l]!));
    const { direction, norm, weights } = minNormWeights({ gradients });
    gradients.forEach((gradient, i) => {
      const slope = inner(gradient, direction) / norm ** 2;
      expect(slope).toBeGreaterThan(1 - 1e-12);
      if (weights[i]! > 0) expect(slope).toBeLessThan(1 + 1e-12);
    });
    // the certificate rejects other weights
    const even = gradients[0]!.map((_, l) => gradients.reduce((s, g) => s + g[l]! / 8, 0));
    const evenGap = Math.max(...gradients.map((g) => inner(even, even) - inner(even, g)));
    expect(evenGap).toBeGreaterThan(0.1);
  });

  test("0 in the hull, zeros, one objective, many of them", () => {
    const triangle = [
      [1, 0],
      [-0.5, 0.8],
      [-0.5, -0.8],
    ];
    const { norm, weights } = minNormWeights({ gradients: triangle });
    expect(norm).toBeLessThan(1e-15);
    expect(weights[0]).toBeCloseTo(1 / 3, 14);
    expect([...minNormWeights({ gradients: [[1], [0], [2]] }).weights]).toEqual([0, 1, 0]);
    expect([...minNormWeights({ gradients: [Float32Array.of(1, 2)] }).weights]).toEqual([1]);
    const stream = randomStream(6, "crowd");
    const result = minNormWeights({ gradients: Array.from({ length: 60 }, () => normals(500, stream)) });
    expect(result.converged).toBe(true);
    expect(result.dualityGap).toBeLessThan(1e-12);
    // huge ones count for nothing beside small ones that they do not oppose
    const mixed = minNormWeights({
      gradients: [
        [1e-140, 0],
        [0, 2e-140],
        [1e140, 1e140],
      ],
    });
    expect(mixed.weights[0]).toBeCloseTo(0.8, 12);
    expect(mixed.weights[2]).toBe(0);
  });

  test("refuses what has no answer", () => {
    const field = (gradients: unknown) =>
      refusal(() => minNormWeights({ gradients } as Parameters<typeof minNormWeights>[0])).field;
    expect(field([])).toBe("gradients");
    expect(field([[]])).toBe("gradients[0]");
    expect(field(Object.assign([[1]], { length: 2 }))).toBe("gradients[1]");
    expect(field([[1], [1, 2]])).toBe("gradients[1]");
    expect(field([[1], [Number.NaN]])).toBe("gradients[1][0]");
    expect(field([[1], [1e200]])).toBe("gradients[1]");
    expect(field([[1e-200], [1]])).toBe("gradients[0]");
  });
});
