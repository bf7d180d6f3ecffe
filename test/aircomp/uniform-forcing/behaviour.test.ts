import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uniformForcing } from "../../../src/aircomp/uniform-forcing/index.ts";
import type { TransceiverProblem } from "../../../src/aircomp/updates.ts";
import { multiply, qr } from "../../../src/linalg/index.ts";
import { beamformingProblem } from "../../../src/testing/index.ts";
import { random, runs, shares } from "../support.ts";
import { channelOf, load, misalignment, randomProblem, solve, value } from "./support.ts";

const multi = { devices: 6, receiveAntennas: 6, transmitAntennas: 3, streams: 2 };

/** The objective of the local minimax point next to the given A. */
function from(problem: TransceiverProblem, initial: Float64Array): number {
  return uniformForcing(problem, { effort: "fast", seed: 1, initial }).objective;
}

describe("invariances", () => {
  const p = randomProblem(multi, 5);
  const base = uniformForcing(p, { effort: "default", seed: 1 });

  it("rotation at the receiver", () => {
    const u = qr(random(6, 6, 1)).q;
    const channel = new Float64Array(p.channel.length);
    for (let k = 0; k < 6; k++) channel.set(multiply(u, channelOf(p, k, 0)).data, k * 36);
    const rotated = multiply(u, { rows: 6, cols: 2, data: base.receive }).data;
    expect(from({ ...p, channel }, rotated) / base.objective).toBeLessThan(1 + 1e-9);
    expect(solve({ ...p, channel }).objective / base.objective).toBeCloseTo(1, 9);
  });

  it("A U, the scale of the channel, the noise, the order of devices", () => {
    const turned = multiply({ rows: 6, cols: 2, data: base.receive }, qr(random(2, 2, 2)).q).data;
    expect(value(p, turned) / base.objective).toBeCloseTo(1, 10);
    const larger = { ...p, channel: p.channel.map((x) => 1e5 * x) };
    expect((solve(larger).objective * 1e10) / base.objective).toBeCloseTo(1, 9);
    expect(solve({ ...p, noiseVariance: 7 }).objective / (7 * base.objective)).toBeCloseTo(1, 12);
    const channel = new Float64Array(p.channel.length);
    for (let k = 0; k < 6; k++) channel.set(channelOf(p, k, 0).data, (5 - k) * 36);
    expect(solve({ ...p, channel }).objective / base.objective).toBeCloseTo(1, 9);
  });

  it("same input, same bits", () => {
    expect(uniformForcing(p, { effort: "default", seed: 1 })).toEqual(base);
  });
});

describe("rows, options", () => {
  it("rows never increase and end at the objective; progress reports the same rows", () => {
    const p = randomProblem({ devices: 10, receiveAntennas: 6 }, 2);
    const seen: unknown[] = [];
    const result = uniformForcing(p, { effort: "default", seed: 3, onProgress: (row) => seen.push(row) });
    expect(seen).toEqual(result.rows);
    expect(result.rows[0]!.iteration).toBe(0);
    for (let i = 1; i < result.rows.length; i++) {
      expect(result.rows[i]!.mse).toBeLessThanOrEqual(result.rows[i - 1]!.mse);
      expect(result.rows[i]!.iteration).toBeGreaterThanOrEqual(result.rows[i - 1]!.iteration);
    }
    expect(result.rows.at(-1)!.mse).toBe(result.objective);
  });

  it("an initial start is never made worse", () => {
    const p = randomProblem(multi, 9);
    const best = solve(p, "thorough");
    const again = uniformForcing(p, { effort: "fast", seed: 4, initial: best.receive });
    expect(again.objective).toBeLessThanOrEqual(best.objective * (1 + 1e-12));
    expect(again.starts[0]!.kind).toBe("initial");
  });

  it("plain multi-start runs every start to its end", () => {
    const p = randomProblem({ devices: 5, receiveAntennas: 4 }, 4);
    const result = uniformForcing(p, { effort: "default", seed: 1, starts: 6 });
    expect(result.starts).toHaveLength(10);
    expect(result.starts.filter((start) => start.kind === "random")).toHaveLength(6);
    expect(result.starts.every((start) => start.final !== undefined)).toBe(true);
  });

  it("an aborted run returns a feasible design", () => {
    const p = randomProblem(multi, 9);
    const controller = new AbortController();
    controller.abort();
    const result = uniformForcing(p, { effort: "thorough", seed: 1, signal: controller.signal });
    expect(result.reason).toBe("aborted");
    expect(misalignment(p, result.receive, result.transmit)).toBeLessThan(1e-10);
    for (let k = 0; k < 6; k++) expect(load(p, result.transmit, k)).toBeLessThan(1 + 1e-10);
  });
});

describe("degenerate input", () => {
  it("names the devices that cannot be served", () => {
    const p = randomProblem(multi, 1);
    const silent = { ...p, power: p.power.map((x, k) => (k === 2 ? 0 : x)) };
    const dead = { ...p, channel: p.channel.map((x, i) => (Math.floor(i / 36) === 4 ? 0 : x)) };
    const rankOne = { ...p, channel: p.channel.slice() };
    // the columns of device 1 are multiples of its first
    for (let row = 0; row < 6; row++) {
      for (let t = 1; t < 3; t++) {
        for (let i = 0; i < 2; i++)
          rankOne.channel[36 + 6 * row + 2 * t + i] = (t + 1) * p.channel[36 + 6 * row + i]!;
      }
    }
    for (const [problem, device] of [
      [silent, 2],
      [dead, 4],
      [rankOne, 1],
    ] as const) {
      const result = solve(problem);
      expect(result.reason).toBe("infeasible");
      expect(result.objective).toBe(Number.POSITIVE_INFINITY);
      expect(result.unservedDevices).toEqual([device]);
      expect(result.receive.every((x) => x === 0)).toBe(true);
      // without weight it does not matter
      const weights = Float64Array.from({ length: 6 }, (_, k) => (k === device ? 0 : 0.2));
      const without = solve({ ...problem, weights });
      expect(without.reason).toBe("converged");
      expect(load({ ...problem, power: p.power }, without.transmit, device)).toBe(0);
    }
  });

  it("serves faint devices and gains 120 dB apart", () => {
    for (const faint of [1e-9, 1e-6, 1e6]) {
      const p = randomProblem({ devices: 5, receiveAntennas: 4, transmitAntennas: 2, streams: 2 }, 6);
      const channel = p.channel.map((x, i) => (Math.floor(i / 16) === 3 ? faint * x : x));
      const result = solve({ ...p, channel });
      expect(result.reason).toBe("converged");
      expect(misalignment({ ...p, channel }, result.receive, result.transmit)).toBeLessThan(1e-5);
      for (let k = 0; k < 5; k++) expect(load(p, result.transmit, k)).toBeLessThan(1 + 1e-9);
      expect(value({ ...p, channel }, result.receive) / result.objective).toBeCloseTo(1, 6);
    }
  });

  it("ends with finite numbers and a reason on any problem, within the budgets", () => {
    fc.assert(
      fc.property(beamformingProblem({ subcarriers: { max: 3 } }), (drawn) => {
        const { devices, subcarriers, receiveAntennas, transmitAntennas, matrices } = drawn.channel;
        const problem: TransceiverProblem = {
          devices,
          subcarriers,
          receiveAntennas,
          transmitAntennas,
          streams: drawn.streams,
          channel: matrices.data,
          weights: Float64Array.from(shares(drawn.weights)),
          power: Float64Array.from(drawn.power),
          noiseVariance: drawn.noiseVariance,
        };
        const result = solve(problem, "fast");
        expect(result.receive.every(Number.isFinite) && result.transmit.every(Number.isFinite)).toBe(true);
        if (result.reason === "infeasible") return;
        expect(["converged", "max-iterations"]).toContain(result.reason);
        for (let k = 0; k < devices; k++) {
          if (problem.weights[k]! > 0) expect(load(problem, result.transmit, k)).toBeLessThan(1 + 1e-9);
        }
        expect(misalignment(problem, result.receive, result.transmit)).toBeLessThan(1e-6);
      }),
      runs(150),
    );
  });
});
