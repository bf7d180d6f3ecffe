import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { TransceiverProblem } from "../../../src/aircomp/updates.ts";
import { svd } from "../../../src/linalg/index.ts";
import { channelOf, load, misalignment, randomProblem, solve, value } from "./support.ts";

interface Case {
  readonly name: string;
  readonly seed: number;
  readonly devices: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas: number;
  readonly streams: number;
  readonly firstEntry: readonly [number, number];
  readonly lowerBound: number;
  readonly bestGeneral: number;
}

const fixture = new URL("../../fixtures/aircomp/uniform-forcing.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, "utf8")) as { cases: Case[] };

function mulberry32(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The fixture's channel; w = 1/K and P = 1/K^2, so that the objective is the fixture's. */
function referenceProblem(reference: Case): TransceiverProblem {
  const { seed, devices: K, receiveAntennas: Nr, transmitAntennas: Nt } = reference;
  const next = mulberry32(seed);
  const channel = new Float64Array(2 * K * Nr * Nt);
  for (let k = 0; k < K; k++) {
    for (let t = 0; t < Nt; t++) {
      for (let r = 0; r < Nr; r++) {
        const modulus = Math.sqrt(-Math.log(1 - next()));
        const angle = 2 * Math.PI * next();
        channel[2 * ((k * Nr + r) * Nt + t)] = modulus * Math.cos(angle);
        channel[2 * ((k * Nr + r) * Nt + t) + 1] = modulus * Math.sin(angle);
      }
    }
  }
  return { ...randomProblem(reference, 1), channel, power: new Float64Array(K).fill(1 / K ** 2) };
}

/** (sum_m sum_{i<=S} s_mi^{-1})^2 w^2 / P: the optimum of device k alone, s_mi the singular values of H_km. */
function alone(p: TransceiverProblem, k: number): number {
  let total = 0;
  for (let m = 0; m < p.subcarriers; m++) {
    const { s } = svd(channelOf(p, k, m));
    for (let i = 0; i < p.streams; i++) total += 1 / s[i]!;
  }
  return (p.noiseVariance * total ** 2 * p.weights[k]! ** 2) / p.power[k]!;
}

describe("reference channels", () => {
  for (const reference of cases) {
    it(`${reference.name}: no worse than the best known, within 0.2 %`, () => {
      const problem = referenceProblem(reference);
      expect(problem.channel[0]).toBeCloseTo(reference.firstEntry[0], 12);
      const result = solve(problem);
      expect(result.objective).toBeLessThanOrEqual(1.002 * reference.bestGeneral);
      expect(result.objective).toBeGreaterThanOrEqual(reference.lowerBound * (1 - 1e-6));
      expect(result.reason).toBe("converged");
      expect(value(problem, result.receive) / result.objective).toBeCloseTo(1, 10);
      expect(misalignment(problem, result.receive, result.transmit)).toBeLessThan(1e-10);
    });
  }
});

describe("closed forms", () => {
  it("one device: (sum of inverse singular values)^2, one or more subcarriers", () => {
    for (const [subcarriers, nr, nt, streams] of [
      [1, 4, 2, 1],
      [1, 4, 3, 2],
      [1, 3, 3, 3],
      [3, 4, 2, 2],
      [4, 2, 1, 1],
    ] as const) {
      const p = randomProblem(
        { devices: 1, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams },
        subcarriers + nr,
      );
      const result = solve(p);
      expect(Math.abs(result.objective / alone(p, 0) - 1)).toBeLessThan(1e-10);
    }
  });

  it("one antenna at both ends: the weakest device decides", () => {
    const p = randomProblem({ devices: 7, receiveAntennas: 1 }, 3);
    const expected = Math.max(...Array.from({ length: 7 }, (_, k) => alone(p, k)));
    const result = solve(p);
    expect(Math.abs(result.objective / expected - 1)).toBeLessThan(1e-12);
    expect(result.activeDevices).toHaveLength(1);
  });

  it("two antennas, one stream: equal to the global optimum by enumeration", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const p = randomProblem({ devices: 3 + (seed % 4), receiveAntennas: 2 }, seed);
      const ratio = solve(p).objective * p.devices ** 2 * bestOnBlochSphere(p);
      expect(Math.abs(ratio - 1)).toBeLessThan(1e-6);
    }
  });
});

type Vector = readonly [number, number, number];
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const along = (a: Vector, s: number, b: Vector, t: number): Vector => [
  s * a[0] + t * b[0],
  s * a[1] + t * b[1],
  s * a[2] + t * b[2],
];
const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/**
 * max over ||a|| = 1 of min_k |h_k^H a|^2 for two antennas. With n the Bloch vector of a, |h_k^H a|^2 =
 * r_k + b_k . n is affine, so the maximum is at n along one b_k, at the top of a circle where two devices are equal,
 * or at a point where three are.
 */
function bestOnBlochSphere(p: TransceiverProblem): number {
  const r: number[] = [];
  const b: Vector[] = [];
  for (let k = 0; k < p.devices; k++) {
    const [x1, y1, x2, y2] = p.channel.subarray(4 * k, 4 * k + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    r.push((x1 * x1 + y1 * y1 + x2 * x2 + y2 * y2) / 2);
    b.push([x1 * x2 + y1 * y2, x1 * y2 - y1 * x2, (x1 * x1 + y1 * y1 - x2 * x2 - y2 * y2) / 2]);
  }
  let best = 0;
  const offer = (n: Vector): void => {
    const length = Math.sqrt(dot(n, n));
    best = Math.max(best, Math.min(...b.map((v, k) => r[k]! + dot(v, n) / length)));
  };
  for (let i = 0; i < p.devices; i++) {
    offer(b[i]!);
    for (let j = 0; j < i; j++) {
      const c = along(b[i]!, 1, b[j]!, -1);
      const d = r[j]! - r[i]!;
      const centre = along(c, d / dot(c, c), c, 0);
      const up = along(b[i]!, 1, c, -dot(b[i]!, c) / dot(c, c));
      const height = 1 - dot(centre, centre);
      if (height >= 0) offer(along(centre, 1, up, Math.sqrt(height / dot(up, up))));
      for (let k = 0; k < j; k++) {
        // the line on which i = j and i = k
        const e = along(b[i]!, 1, b[k]!, -1);
        const f = r[k]! - r[i]!;
        const line = cross(c, e);
        const square = dot(line, line);
        const foot = along(cross(e, line), d / square, cross(line, c), f / square);
        const rest = 1 - dot(foot, foot);
        if (rest < 0) continue;
        const reach = Math.sqrt(rest / square);
        offer(along(foot, 1, line, reach));
        offer(along(foot, 1, line, -reach));
      }
    }
  }
  return best;
}

describe("local minimax points", () => {
  it("satisfies the optimality conditions, meets every budget, and those of the active devices exactly", () => {
    for (const [devices, subcarriers, nr, nt, streams] of [
      [12, 1, 8, 1, 1],
      [8, 1, 8, 3, 2],
      [6, 1, 8, 4, 4],
      [6, 3, 6, 2, 2],
    ] as const) {
      const sizes = { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams };
      const p = randomProblem(sizes, devices + nr);
      const result = solve(p);
      expect(result.reason).toBe("converged");
      expect(result.kktResidual).toBeLessThan(1e-6);
      expect(result.multipliers.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      for (let k = 0; k < devices; k++) {
        expect(load(p, result.transmit, k)).toBeLessThanOrEqual(1 + 1e-10);
        if (result.multipliers[k]! > 1e-6) {
          expect(load(p, result.transmit, k)).toBeGreaterThan(1 - 1e-9);
        }
      }
      expect(misalignment(p, result.receive, result.transmit)).toBeLessThan(1e-10);
      // nobody nearby is better
      const nearby = result.receive.map((x, i) => x + 1e-4 * Math.sin(7 * i + 1));
      expect(value(p, nearby)).toBeGreaterThan(result.objective * (1 - 1e-10));
    }
  });
});
