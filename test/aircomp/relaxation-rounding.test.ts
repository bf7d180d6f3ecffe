import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { certifiedForcingBound, type ForcingCertificate } from "../../src/aircomp/relaxation-bound.ts";
import type { TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import { forcingProblem } from "./relaxation-support.ts";
import { runs } from "./support.ts";

/** Doubles as whole multiples of 2^-200; those of the cases here are. */
function exact(x: number): bigint {
  const scaled = BigInt(x * 2 ** 200);
  expect(Number(scaled) * 2 ** -200).toBe(x);
  return scaled;
}

/**
 * Whether value <= T^2 / (Lambda sum y), in whole numbers. With one receive antenna Lambda_m is a scalar, and with
 * one stream s_S(V) = v - ||C||^2, so that the certificate's value is a rational number.
 */
function isBelowExactValue(
  value: number,
  { devices, transmitAntennas: nt, channel }: TransceiverProblem,
  { multipliers, levels, reductions }: ForcingCertificate,
): boolean {
  const one = 2n ** 200n;
  let gain = 0n; // unit 2^-600
  let largest = 0n; // unit 2^-1400
  let sum = 0n; // unit 2^-200
  for (let k = 0; k < devices; k++) {
    const at = (array: Float64Array, i: number, part: number): bigint =>
      exact(array[2 * (k * nt + i) + part]!);
    const y = exact(multipliers[k]!);
    const v = exact(levels[k]!) * one;
    // h V = v h - (h C) C^H
    let [re, im, norm] = [0n, 0n, 0n];
    for (let i = 0; i < nt; i++) {
      const [hr, hi, cr, ci] = [
        at(channel, i, 0),
        at(channel, i, 1),
        at(reductions, i, 0),
        at(reductions, i, 1),
      ];
      re += hr * cr - hi * ci;
      im += hr * ci + hi * cr;
      norm += cr * cr + ci * ci;
    }
    let energy = 0n;
    for (let j = 0; j < nt; j++) {
      const [hr, hi, cr, ci] = [
        at(channel, j, 0),
        at(channel, j, 1),
        at(reductions, j, 0),
        at(reductions, j, 1),
      ];
      const a = v * hr - (re * cr + im * ci);
      const b = v * hi - (im * cr - re * ci);
      energy += a * a + b * b;
    }
    gain += y * (v - norm);
    largest += y * energy;
    sum += y;
  }
  return exact(value) * largest * sum <= gain * gain * 2n ** 600n;
}

/** Multiples of 2^-50 in [-1, 1]. */
function short(length: number, seed: number): Float64Array {
  const stream = randomStream(seed, "short");
  return Float64Array.from({ length }, () => Math.round((2 * stream.uniform() - 1) * 2 ** 50) / 2 ** 50);
}

function oneAntenna(devices: number, transmitAntennas: number, seed: number): TransceiverProblem {
  const problem = forcingProblem({ devices, receiveAntennas: 1, transmitAntennas, streams: 1 }, seed);
  return { ...problem, channel: short(problem.channel.length, seed) };
}

describe("values of certificates hold in exact arithmetic", () => {
  const seeds = fc.nat({ max: 1e6 });
  const antennas = fc.integer({ min: 1, max: 4 });

  it("where v and ||C||^2 cancel", () => {
    let positive = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), antennas, seeds, (devices, nt, seed) => {
        const problem = oneAntenna(devices, nt, seed);
        const reductions = short(problem.channel.length, seed + 1);
        const levels = new Float64Array(devices);
        for (let k = 0; k < devices; k++) {
          const norm = reductions.subarray(2 * k * nt, 2 * (k + 1) * nt).reduce((sum, x) => sum + x * x, 0);
          levels[k] = norm * (1 + 2 ** -25);
        }
        const multipliers = short(devices, seed + 2).map((y) => Math.abs(y) + 2 ** -20);
        const certificate = { multipliers, levels, reductions };
        const value = certifiedForcingBound(problem, certificate);
        if (value > 0) positive++;
        expect(isBelowExactValue(value, problem, certificate)).toBe(true);
      }),
      runs(1000),
    );
    expect(positive).toBeGreaterThan(900);
  });

  it("where H V cancels", () => {
    let positive = 0;
    fc.assert(
      fc.property(antennas, seeds, (nt, seed) => {
        // the first device gives T, the second Lambda: its channel is C^H, so that h V = (v - ||C||^2) h
        const problem = oneAntenna(2, nt, seed);
        const { channel } = problem;
        const reductions = new Float64Array(channel.length);
        let norm = 0;
        for (let i = 0; i < nt; i++) {
          const [re, im] = [channel[2 * (nt + i)]!, channel[2 * (nt + i) + 1]!];
          reductions[2 * (nt + i)] = re;
          reductions[2 * (nt + i) + 1] = -im;
          norm += re * re + im * im;
          channel[2 * i]! *= 2 ** -20;
          channel[2 * i + 1]! *= 2 ** -20;
          channel[2 * (nt + i)]! *= 2 ** 25;
          channel[2 * (nt + i) + 1]! *= 2 ** 25;
        }
        const certificate = {
          multipliers: Float64Array.of(1, 1),
          levels: Float64Array.of(1, norm * (1 + 2 ** -25)),
          reductions,
        };
        const value = certifiedForcingBound(problem, certificate);
        if (value > 0) positive++;
        expect(isBelowExactValue(value, problem, certificate)).toBe(true);
      }),
      runs(1000),
    );
    expect(positive).toBeGreaterThan(900);
  });
});
