import fc from "fast-check";
import { Matrix, solve } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { designBeamformers, evaluateDesign, rayleighChannel } from "../../src/aircomp/index.ts";
import { createForcingGains, forcingProblem } from "../../src/aircomp/schemes/forcing.ts";
import { shortestVector } from "../../src/aircomp/schemes/quadratic-program.ts";
import { createApproximation } from "../../src/aircomp/schemes/sca.ts";
import { randomStream } from "../../src/core/index.ts";
import { svd } from "../../src/linalg/index.ts";
import { randomStack, runs } from "./support.ts";

const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);

const problemOf = (seed: number, devices: number, subcarriers: number, streams: number, power = 10) => ({
  channel: rayleighChannel({
    devices,
    subcarriers,
    receiveAntennas: 6,
    transmitAntennas: 3,
    taps: Math.min(2, subcarriers),
    seed,
  }),
  streams,
  power,
  noiseVariance: 1,
});

/** The shortest vector by trying every set of active constraints. */
function byEnumeration(rows: readonly Float64Array[], bounds: readonly number[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (let set = 0; set < 2 ** rows.length; set++) {
    const active = rows.map((_, k) => k).filter((k) => (set >> k) & 1);
    let x = new Array<number>(rows[0]!.length).fill(0);
    if (active.length > 0) {
      const gram = new Matrix(active.map((k) => active.map((j) => inner(rows[k]!, rows[j]!))));
      const y = solve(gram, Matrix.columnVector(active.map((k) => bounds[k]!))).to1DArray();
      x = x.map((_, l) => active.reduce((sum, k, i) => sum + y[i]! * rows[k]![l]!, 0));
    }
    if (rows.every((row, k) => inner(row, x) >= bounds[k]! - 1e-9)) best = Math.min(best, inner(x, x));
  }
  return best;
}

describe("the quadratic program", () => {
  test("agrees with enumeration of the active sets", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 6, max: 12 }),
        fc.nat(),
        (count, length, seed) => {
          const stream = randomStream(seed, "rows");
          const rows = Array.from({ length: count }, () =>
            Float64Array.from({ length }, () => stream.normal()),
          );
          const bounds = Array.from({ length: count }, () => stream.normal());
          const x = shortestVector(rows, bounds)!;
          for (const [k, row] of rows.entries()) {
            expect(inner(row, x)).toBeGreaterThanOrEqual(bounds[k]! - 1e-10 * (1 + Math.abs(bounds[k]!)));
          }
          expect(Math.abs(inner(x, x) - byEnumeration(rows, bounds))).toBeLessThanOrEqual(1e-9);
        },
      ),
      runs(60),
    );
  });

  test("equal, nearly equal, dependent and many constraints end", () => {
    const stream = randomStream(1, "rows");
    for (const spread of [0, 1e-16, 1e-14, 1e-12, 1e-8, 1e-3]) {
      for (const [count, length] of [
        [40, 4],
        [40, 64],
        [200, 16],
      ] as const) {
        const base = Array.from({ length: 3 }, () =>
          Float64Array.from({ length }, () => Math.abs(stream.normal())),
        );
        const rows = Array.from({ length: count }, (_, k) =>
          base[k % 3]!.map((x) => x + spread * stream.normal()),
        );
        const x = shortestVector(rows, new Array<number>(count).fill(1))!;
        for (const row of rows) expect(inner(row, x)).toBeGreaterThanOrEqual(1 - 1e-9);
      }
    }
  });

  test("contradictions and impossible numbers are undefined", () => {
    const row = Float64Array.of(1, 0);
    expect(shortestVector([row, row.map((x) => -x)], [1, 1])).toBeUndefined();
    expect(shortestVector([Float64Array.of(0, 0)], [1])).toBeUndefined();
    expect(shortestVector([row], [Number.NaN])).toBeUndefined();
  });
});

describe("gains", () => {
  test("gradients are the derivatives of the gains; a probe is an evaluation", () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        (seed, m, s) => {
          const { instance } = forcingProblem(transceiverProblem(problemOf(seed, 4, m, s)));
          const gains = createForcingGains(instance!);
          const at = randomStack([m, 6, s], seed).data;
          const towards = randomStack([m, 6, s], seed + 1).data;
          const valueAt = (t: number, k: number): number => {
            gains.evaluate(at.map((x, i) => x + t * towards[i]!));
            return gains.values[k]!;
          };
          for (let k = 0; k < 4; k++) {
            gains.evaluate(at);
            const gradient = new Float64Array(at.length);
            gains.gradient(gradient, 0, k, 1);
            const slope = inner(gradient, towards);
            const h = 1e-5;
            const found =
              (8 * (valueAt(h, k) - valueAt(-h, k)) - (valueAt(2 * h, k) - valueAt(-2 * h, k))) / (12 * h);
            expect(Math.abs(found - slope)).toBeLessThanOrEqual(1e-5 * (Math.abs(slope) + gains.values[k]!));
          }
          gains.evaluate(at);
          const changed = at.slice();
          changed.set(towards.subarray(0, 12 * s));
          const probed = gains.probe(towards.subarray(0, 12 * s), 0);
          expect(Math.abs(gains.evaluate(changed) / probed - 1)).toBeLessThanOrEqual(1e-10);
        },
      ),
      runs(20),
    );
  });
});

describe("successive convex approximation", () => {
  test("no misalignment, whatever the problem; the weakest device is at its budget", () => {
    for (const [m, s] of [
      [1, 1],
      [2, 1],
      [1, 3],
      [2, 2],
    ] as const) {
      const options = problemOf(5, 6, m, s);
      const design = designBeamformers({ ...options, scheme: "sca" });
      const { misalignment, noise } = evaluateDesign(options.channel, design, { noiseVariance: 1 });
      expect(misalignment).toBeLessThanOrEqual(1e-24 * noise);
      const sent = Array.from({ length: 6 }, (_, k) =>
        design.transmit.data.subarray(k * m * 6 * s, (k + 1) * m * 6 * s).reduce((sum, x) => sum + x * x, 0),
      );
      expect(Math.abs(Math.max(...sent) / 10 - 1)).toBeLessThanOrEqual(1e-12);
    }
  });

  test("one device: the closed form sigma2 (sum_i 1/s_i)^2 w^2 / P", () => {
    for (const streams of [1, 2, 3]) {
      const options = problemOf(7, 1, 2, streams);
      const design = designBeamformers({ ...options, scheme: "sca", effort: "thorough" });
      // every mode of every subcarrier is heard with the amplitude s_i^(-1/2)
      let sum = 0;
      for (let m = 0; m < 2; m++) {
        const { s } = svd(options.channel.matrices.at(0, m));
        for (let i = 0; i < streams; i++) sum += 1 / s[i]!;
      }
      const expected = sum ** 2 / 10;
      expect(design.mse / expected - 1).toBeLessThanOrEqual(1e-8);
      expect(design.mse / expected - 1).toBeGreaterThanOrEqual(-1e-11);
      expect(design.converged).toBe(true);
    }
  });

  test("it ends at Karush-Kuhn-Tucker points, monotonically", () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.constantFrom([1, 1], [1, 2], [2, 2]),
        fc.integer({ min: 2, max: 8 }),
        (seed, [m, s], k) => {
          const problem = transceiverProblem(problemOf(seed, k, m!, s!));
          const { instance } = forcingProblem(problem);
          const solver = createApproximation(instance!);
          const start = randomStack([m!, 6, s!], seed).data;
          const norm = Math.sqrt(inner(start, start));
          let value = solver.start(start.map((x) => x / norm));
          for (let i = 0; i < 3000; i++) {
            const next = solver.step(1e-7);
            expect(next).toBeLessThanOrEqual(value);
            if (next === value) break;
            value = next;
          }
          expect(solver.predicted).toBeLessThanOrEqual(1e-7);

          // the point is a combination of the gradients of the active devices with multipliers >= 0
          const gains = createForcingGains(instance!);
          const largest = gains.evaluate(solver.beams);
          const active = Array.from(gains.values.keys()).filter(
            (j) => gains.values[j]! > largest * (1 - 1e-3),
          );
          const columns = active.map((j) => {
            const gradient = new Float64Array(solver.beams.length);
            gains.gradient(gradient, 0, j, -1 / largest);
            return gradient;
          });
          const rest = nonNegativeResidual(columns, solver.beams);
          expect(rest).toBeLessThanOrEqual(2e-3);
        },
      ),
      runs(20),
    );
  });
});

/** Distance of b from the cone of the columns, by coordinate descent on the multipliers. */
function nonNegativeResidual(columns: readonly Float64Array[], b: Float64Array): number {
  const y = columns.map(() => 0);
  const rest = b.slice();
  for (let pass = 0; pass < 1000; pass++) {
    columns.forEach((column, k) => {
      const next = Math.max(0, y[k]! + inner(column, rest) / inner(column, column));
      for (let l = 0; l < rest.length; l++) rest[l]! -= (next - y[k]!) * column[l]!;
      y[k] = next;
    });
  }
  return Math.sqrt(inner(rest, rest) / inner(b, b));
}
