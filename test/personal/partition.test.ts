import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { dirichletPartition, quantityPartition } from "../../src/personal/index.ts";
import { drawDirichlet, drawGamma } from "../../src/personal/partition.ts";
import { RUNS, refusal } from "./tuning-support.ts";

const cases = fc
  .record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    samples: fc.integer({ min: 1, max: 120 }),
    classes: fc.integer({ min: 1, max: 6 }),
    clients: fc.integer({ min: 1, max: 9 }),
    alpha: fc.constantFrom(1e-6, 1e-3, 0.1, 1, 100, 1e9),
  })
  .map(({ seed, samples, classes, clients, alpha }) => {
    const stream = randomStream(seed, "labels");
    return { labels: Array.from({ length: samples }, () => stream.integer(classes)), clients, alpha, seed };
  });

/** Every index once, each client's in ascending order. */
function checkCover(parts: readonly Uint32Array[], samples: number): void {
  for (const part of parts) expect([...part].every((x, i) => i === 0 || part[i - 1]! < x)).toBe(true);
  const all = parts.flatMap((part) => [...part]).sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: samples }, (_, i) => i));
}

const share = (parts: readonly Uint32Array[], samples: number): number[] =>
  parts.map((p) => p.length / samples);

describe("partitions", () => {
  test("cover the samples disjointly and reproduce by seed", () => {
    fc.assert(
      fc.property(cases, (given) => {
        const parts = dirichletPartition(given);
        expect(parts).toHaveLength(given.clients);
        checkCover(parts, given.labels.length);
        expect(dirichletPartition(given)).toEqual(parts);
        // names in the place of numbers change nothing
        expect(dirichletPartition({ ...given, labels: given.labels.map((x) => `class ${x}`) })).toEqual(
          parts,
        );
        const { labels, ...rest } = given;
        const quantities = quantityPartition({ ...rest, samples: labels.length });
        checkCover(quantities, labels.length);
        expect(quantityPartition({ ...rest, samples: labels.length })).toEqual(quantities);
      }),
      RUNS,
    );
    const labels = Int32Array.from({ length: 300 }, (_, i) => i % 3);
    const given = { labels, clients: 4, alpha: 1, seed: 1 };
    expect(dirichletPartition({ ...given, seed: 2 })).not.toEqual(dirichletPartition(given));
  });

  test("small alpha gives a label to one client, large alpha to all alike", () => {
    const labels = Array.from({ length: 4000 }, (_, i) => i % 4);
    const count = (part: Uint32Array, label: number) => part.filter((i) => labels[i] === label).length;
    const few = dirichletPartition({ labels, clients: 5, alpha: 1e-6, seed: 3 });
    for (let label = 0; label < 4; label++) {
      expect(few.map((part) => count(part, label)).filter((x) => x > 0)).toEqual([1000]);
    }
    const even = dirichletPartition({ labels, clients: 5, alpha: 1e9, seed: 3 });
    for (const part of even) {
      for (let label = 0; label < 4; label++)
        expect(Math.abs(count(part, label) - 200)).toBeLessThanOrEqual(1);
    }
    const skewed = quantityPartition({ samples: 4000, clients: 5, alpha: 1e-3, seed: 3 });
    expect(Math.max(...share(skewed, 4000))).toBeGreaterThan(0.99);
    const alike = quantityPartition({ samples: 4000, clients: 5, alpha: 1e9, seed: 3 });
    for (const x of share(alike, 4000)) expect(Math.abs(x - 0.2)).toBeLessThan(1e-3);
  });

  test("minimum per client: redrawn until it holds, refused with the reason where it cannot", () => {
    const labels = Array.from({ length: 200 }, (_, i) => i % 2);
    const given = { labels, clients: 4, alpha: 0.5, seed: 5 };
    const least = (parts: readonly Uint32Array[]) => Math.min(...parts.map((p) => p.length));
    expect(least(dirichletPartition(given))).toBeLessThan(20);
    const parts = dirichletPartition({ ...given, minimumPerClient: 20 });
    checkCover(parts, 200);
    expect(least(parts)).toBeGreaterThanOrEqual(20);
    // where the first draw is enough a minimum changes nothing
    expect(dirichletPartition({ ...given, minimumPerClient: least(dirichletPartition(given)) })).toEqual(
      dirichletPartition(given),
    );
    const unlucky = refusal(() =>
      dirichletPartition({ ...given, alpha: 1e-3, minimumPerClient: 5, maxDraws: 50 }),
    );
    expect(unlucky.field).toBe("minimumPerClient");
    expect(unlucky.message).toContain("best of 50 draws has 0 samples");
    const impossible = refusal(() => dirichletPartition({ ...given, minimumPerClient: 51 }));
    expect(impossible.message).toContain("200 samples");
  });

  test.each([
    ["labels", { labels: [] }],
    ["labels[1]", { labels: [0, Number.NaN] }],
    ["labels[0]", { labels: [0.5] }],
    ["clients", { clients: 0 }],
    ["alpha", { alpha: 0 }],
    ["seed", { seed: -1 }],
    ["maxDraws", { maxDraws: 0 }],
    ["dirichletPartition.beta", { beta: 1 }],
  ])("refuses %s", (field, change) => {
    const given = { labels: [0, 1], clients: 2, alpha: 1, seed: 1, ...change };
    expect(refusal(() => dirichletPartition(given as Parameters<typeof dirichletPartition>[0])).field).toBe(
      field,
    );
  });
});

describe("draws", () => {
  test.each([1.001, 2, 50])("gamma of shape %s: mean, variance and third moment", (shape) => {
    const stream = randomStream(1, "gamma", Math.round(shape));
    const count = 40_000;
    const draws = Float64Array.from({ length: count }, () => drawGamma(shape, stream));
    const moment = (power: number, center: number) =>
      draws.reduce((sum, x) => sum + (x - center) ** power, 0) / count;
    // mean k, variance k, variance of squares 2 k^2 + 6 k, third central moment 2 k
    expect(Math.abs(moment(1, 0) - shape) / Math.sqrt(shape / count)).toBeLessThan(4);
    expect(Math.abs(moment(2, shape) - shape) / Math.sqrt((2 * shape ** 2 + 6 * shape) / count)).toBeLessThan(
      4,
    );
    const sixth = 15 * shape ** 3 + 130 * shape ** 2 + 120 * shape;
    expect(Math.abs(moment(3, shape) - 2 * shape) / Math.sqrt(sixth / count)).toBeLessThan(4);
  });

  test.each([1e-3, 0.1, 1, 10])("Dirichlet(%s): mean, variance, sum 1, never NaN", (alpha) => {
    const [clients, count] = [5, 8000];
    const stream = randomStream(2, "simplex");
    const shares = new Float64Array(clients);
    let [mean, square] = [0, 0];
    for (let i = 0; i < count; i++) {
      drawDirichlet(alpha, stream, shares);
      expect(Math.abs(shares.reduce((sum, x) => sum + x, 0) - 1) < 1e-14).toBe(true);
      mean += shares[2]! / count;
      square += shares[2]! ** 2 / count;
    }
    const variance = 0.16 / (5 * alpha + 1);
    expect(Math.abs(mean - 0.2) / Math.sqrt(variance / count)).toBeLessThan(4);
    expect(Math.abs(square - 0.04 - variance) / variance).toBeLessThan(0.12);
  });
});
