import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { createBlockUpdates, type TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import type { BeamformingProblem } from "../../src/testing/index.ts";
import { anyProblem, randomCorrelation, randomStack, runs, smoothProblem } from "./support.ts";

/** A problem with a random R of the given rank (0: R = I) and random estimation errors (or none). */
function general(problem: BeamformingProblem, rank: number, uncertain: boolean, seed: number) {
  const { devices } = problem.channel;
  const stream = randomStream(seed, "errors");
  const plain = transceiverProblem(problem);
  return {
    ...plain,
    ...(rank === 0 ? {} : { correlation: Float64Array.from(randomCorrelation(devices, rank, seed).flat()) }),
    ...(uncertain ? { errorVariance: Float64Array.from({ length: devices }, () => stream.uniform()) } : {}),
  } satisfies TransceiverProblem;
}

const sizesOf = ({ channel, streams }: BeamformingProblem) => {
  const { devices, subcarriers, receiveAntennas, transmitAntennas } = channel;
  return {
    receive: [subcarriers, receiveAntennas, streams],
    transmit: [devices, subcarriers, transmitAntennas, streams],
  };
};

/** The MSE of model section 1 and 4 from its definition, entry by entry, with no kernel of the library. */
function plainMse(problem: TransceiverProblem, receive: Float64Array, transmit: Float64Array): number {
  const { devices: K, subcarriers: M, receiveAntennas: nr, transmitAntennas: nt, streams: S } = problem;
  const h = problem.channel;
  let total = 0;
  for (let m = 0; m < M; m++) {
    let gain = 0;
    for (let i = 0; i < 2 * nr * S; i++) gain += receive[2 * m * nr * S + i]! ** 2;
    const errors: [number, number][][] = [];
    for (let k = 0; k < K; k++) {
      const error: [number, number][] = [];
      for (let a = 0; a < S; a++) {
        for (let b = 0; b < S; b++) {
          let [re, im] = [a === b ? -problem.weights[k]! : 0, 0];
          for (let r = 0; r < nr; r++) {
            for (let t = 0; t < nt; t++) {
              const A = 2 * ((m * nr + r) * S + a);
              const H = 2 * (((k * M + m) * nr + r) * nt + t);
              const B = 2 * (((k * M + m) * nt + t) * S + b);
              const x = h[H]! * transmit[B]! - h[H + 1]! * transmit[B + 1]!;
              const y = h[H]! * transmit[B + 1]! + h[H + 1]! * transmit[B]!;
              re += receive[A]! * x + receive[A + 1]! * y;
              im += receive[A]! * y - receive[A + 1]! * x;
            }
          }
          error.push([re, im]);
        }
      }
      errors.push(error);
    }
    let noise = problem.noiseVariance;
    for (let k = 0; k < K; k++) {
      for (let j = 0; j < K; j++) {
        const r = problem.correlation === undefined ? (k === j ? 1 : 0) : problem.correlation[k * K + j]!;
        errors[k]!.forEach(([re, im], i) => {
          total += r * (re * errors[j]![i]![0] + im * errors[j]![i]![1]);
        });
        if (j !== k) continue;
        let sent = 0;
        for (let i = 0; i < 2 * nt * S; i++) sent += transmit[2 * (k * M + m) * nt * S + i]! ** 2;
        noise += r * (problem.errorVariance?.[k] ?? 0) * sent;
      }
    }
    total += noise * gain;
  }
  return total;
}

const kinds: [string, number, boolean][] = [
  ["R = I, errors", 0, true],
  ["R of full rank", 40, false],
  ["R of rank 2, errors", 2, true],
  ["R of rank 1", 1, false],
];

describe.each(kinds)("%s", (_, rank, uncertain) => {
  const seeds = fc.nat({ max: 9999 });

  test("the MSE is that of its definition", () => {
    fc.assert(
      fc.property(anyProblem, seeds, (problem, seed) => {
        const inner = general(problem, rank, uncertain, seed);
        const { receive, transmit } = sizesOf(problem);
        const a = randomStack(receive, seed).data;
        const b = randomStack(transmit, seed + 1).data;
        const direct = plainMse(inner, a, b);
        expect(Math.abs(createBlockUpdates(inner).mse(a, b) - direct)).toBeLessThanOrEqual(1e-11 * direct);
      }),
      runs(40),
    );
  });

  test("receive: the gradient vanishes by finite differences, C A = right side, no perturbation does better", () => {
    fc.assert(
      fc.property(smoothProblem, seeds, (problem, seed) => {
        const inner = general(problem, rank, uncertain, seed);
        const updates = createBlockUpdates(inner);
        const sizes = sizesOf(problem);
        const b = randomStack(sizes.transmit, seed).data;
        const a = randomStack(sizes.receive, seed + 1).data;
        const mse = updates.receive(a, b);
        expect(Math.abs(mse - updates.mse(a, b))).toBeLessThanOrEqual(1e-12 * mse);
        const { receiveAntennas: nr, subcarriers } = problem.channel;
        const covariance = new Float64Array(2 * subcarriers * nr * nr);
        const right = new Float64Array(a.length);
        // the quadratic model against the MSE: f(A + D) = f(A) + 2 <C A - right, D> + <D, C D>, exactly
        const d = randomStack(sizes.receive, seed + 2).data.map((x) => 1e-2 * x);
        updates.quadratic(covariance, right, a, b);
        const { streams } = problem;
        let curvature = 0;
        let slope = 0;
        for (let m = 0; m < subcarriers; m++) {
          for (let r = 0; r < nr; r++) {
            for (let col = 0; col < streams; col++) {
              const at = 2 * ((m * nr + r) * streams + col);
              let [ar, ai, dr, di] = [-right[at]!, -right[at + 1]!, 0, 0];
              for (let c = 0; c < nr; c++) {
                const [x, y] = [
                  covariance[2 * ((m * nr + r) * nr + c)]!,
                  covariance[2 * ((m * nr + r) * nr + c) + 1]!,
                ];
                const p = 2 * ((m * nr + c) * streams + col);
                ar += x * a[p]! - y * a[p + 1]!;
                ai += x * a[p + 1]! + y * a[p]!;
                dr += x * d[p]! - y * d[p + 1]!;
                di += x * d[p + 1]! + y * d[p]!;
              }
              slope += 2 * (ar * d[at]! + ai * d[at + 1]!);
              curvature += dr * d[at]! + di * d[at + 1]!;
            }
          }
        }
        const moved = updates.mse(
          a.map((x, i) => x + d[i]!),
          b,
        );
        expect(Math.abs(slope)).toBeLessThanOrEqual(1e-9 * (mse + curvature));
        expect(Math.abs(moved - mse - slope - curvature)).toBeLessThanOrEqual(1e-9 * moved);
        expect(moved).toBeGreaterThanOrEqual(mse * (1 - 1e-12));
      }),
      runs(30),
    );
  });

  test("transmit: each device meets the KKT conditions of its block, by finite differences", () => {
    fc.assert(
      fc.property(smoothProblem, seeds, (problem, seed) => {
        const inner = general(problem, rank, uncertain, seed);
        const updates = createBlockUpdates(inner);
        const sizes = sizesOf(problem);
        const a = randomStack(sizes.receive, seed).data.map((x) => 0.1 * x);
        const b = randomStack(sizes.transmit, seed + 1).data;
        const { devices } = problem.channel;
        const each = b.length / devices;
        for (let k = 0; k < devices; k++) scaleTo(b, k * each, each, inner.power[k]!);
        const before = updates.mse(a, b);
        updates.transmit(b, a);
        const mse = updates.mse(a, b);
        expect(mse).toBeLessThanOrEqual(before * (1 + 1e-12));
        // the last device was updated with all others as they are
        const k = devices - 1;
        const sent = squared(b, k * each, each);
        expect(sent).toBeLessThanOrEqual(inner.power[k]! * (1 + 1e-12));
        const binds = sent >= inner.power[k]! * (1 - 1e-9);
        for (let trial = 0; trial < 5; trial++) {
          const d = randomStack(sizes.transmit, 10 * seed + trial).data;
          const moved = b.slice();
          for (const step of [1e-1, 1e-3]) {
            for (let i = k * each; i < (k + 1) * each; i++)
              moved[i] = b[i]! + step * Math.sqrt(sent / each) * d[i]!;
            if (binds && squared(moved, k * each, each) > inner.power[k]!) {
              scaleTo(moved, k * each, each, inner.power[k]!);
            }
            expect(updates.mse(a, moved)).toBeGreaterThanOrEqual(mse * (1 - 1e-12));
          }
        }
      }),
      runs(30),
    );
  });

  test("sweeps of transmit updates converge to the joint minimum of all devices", () => {
    fc.assert(
      fc.property(smoothProblem, seeds, (problem, seed) => {
        const inner = general(problem, rank, uncertain, seed);
        const updates = createBlockUpdates(inner);
        const sizes = sizesOf(problem);
        const a = randomStack(sizes.receive, seed).data.map((x) => 0.3 * x);
        const b = new Float64Array(randomStack(sizes.transmit, 1).data.length);
        let mse = Number.POSITIVE_INFINITY;
        for (let sweep = 0; sweep < 50; sweep++) {
          updates.transmit(b, a);
          const next = updates.mse(a, b);
          expect(next).toBeLessThanOrEqual(mse * (1 + 1e-12));
          mse = next;
        }
        // convex for given receive beamformers: directions in all devices at once do not do better
        const { devices } = problem.channel;
        const each = b.length / devices;
        for (let trial = 0; trial < 10; trial++) {
          const d = randomStack(sizes.transmit, 10 * seed + trial).data;
          const moved = b.map(
            (x, i) => x + 1e-2 * d[i]! * Math.sqrt(inner.power[Math.floor(i / each)]! / each),
          );
          for (let k = 0; k < devices; k++) {
            if (squared(moved, k * each, each) > inner.power[k]!)
              scaleTo(moved, k * each, each, inner.power[k]!);
          }
          expect(updates.mse(a, moved)).toBeGreaterThanOrEqual(mse * (1 - 1e-6));
        }
      }),
      runs(15),
    );
  });
});

test("a device without power in R sends nothing and changes nothing", () => {
  fc.assert(
    fc.property(smoothProblem, fc.nat({ max: 999 }), (problem, seed) => {
      const { devices } = problem.channel;
      const r = randomCorrelation(devices, 3, seed);
      const silent = seed % devices;
      for (let k = 0; k < devices; k++) {
        r[k]![silent] = 0;
        r[silent]![k] = 0;
      }
      const inner = { ...transceiverProblem(problem), correlation: Float64Array.from(r.flat()) };
      const updates = createBlockUpdates(inner);
      const sizes = sizesOf(problem);
      const a = randomStack(sizes.receive, seed).data;
      const b = randomStack(sizes.transmit, seed + 1).data;
      const before = updates.mse(a, b);
      const each = b.length / devices;
      const other = b.slice().fill(7, silent * each, (silent + 1) * each);
      expect(Math.abs(updates.mse(a, other) - before)).toBeLessThanOrEqual(1e-12 * before);
      updates.transmit(b, a);
      expect(b.subarray(silent * each, (silent + 1) * each).every((x) => x === 0)).toBe(true);
      expect(b.every(Number.isFinite)).toBe(true);
    }),
    runs(30),
  );
});

test("R = I given as a matrix has the updates of R = I", () => {
  fc.assert(
    fc.property(anyProblem, fc.nat({ max: 999 }), (problem, seed) => {
      const plain = transceiverProblem(problem);
      const { devices } = plain;
      const identity = new Float64Array(devices * devices);
      for (let k = 0; k < devices; k++) identity[k * devices + k] = 1;
      const first = createBlockUpdates(plain);
      const second = createBlockUpdates({ ...plain, correlation: identity });
      const sizes = sizesOf(problem);
      const a = randomStack(sizes.receive, seed).data;
      const start = a.slice();
      const b = randomStack(sizes.transmit, seed).data;
      const c = b.slice();
      first.transmit(b, a);
      second.transmit(c, start);
      expect(c).toEqual(b);
      expect(second.receive(start, c)).toBe(first.receive(a, b));
      expect(start).toEqual(a);
    }),
    runs(30),
  );
});

function squared(data: Float64Array, from: number, count: number): number {
  return data.subarray(from, from + count).reduce((sum, x) => sum + x * x, 0);
}

function scaleTo(data: Float64Array, from: number, count: number, power: number): void {
  const factor = Math.sqrt(power / squared(data, from, count));
  for (let i = from; i < from + count; i++) data[i]! *= factor;
}
