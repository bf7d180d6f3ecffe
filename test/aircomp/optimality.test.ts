import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { createBlockUpdates } from "../../src/aircomp/updates.ts";
import {
  add,
  type ComplexMatrix,
  ComplexStack,
  frobeniusNorm,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  pseudoInverse,
  realInner,
  scale,
  subtract,
  zeros,
} from "../../src/linalg/index.ts";
import type { BeamformingProblem } from "../../src/testing/index.ts";
import { anyProblem, randomStack, runs, shares } from "./support.ts";

/** The two updates of a problem, from random beamformers of the other side. */
function updated(problem: BeamformingProblem, seed: number, size: number) {
  const inner = transceiverProblem(problem);
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams } = inner;
  const updates = createBlockUpdates(inner);
  const receive = randomStack([subcarriers, nr, streams], seed);
  for (let i = 0; i < receive.data.length; i++) receive.data[i]! *= size;
  const transmit = new ComplexStack([devices, subcarriers, nt, streams]);
  updates.transmit(transmit.data, receive.data);
  return { inner, updates, receive, transmit };
}

const sizes = fc.constantFrom(1e-3, 0.03, 1, 1e3);

describe("receive update", () => {
  test("satisfies the normal equations C A = sum_k w_k H_k B_k", () => {
    fc.assert(
      fc.property(anyProblem, fc.nat(999), sizes, (problem, seed, size) => {
        const { inner, updates, receive, transmit } = updated(problem, seed, size);
        updates.receive(receive.data, transmit.data);
        const weights = shares(problem.weights);
        for (let m = 0; m < inner.subcarriers; m++) {
          const nr = inner.receiveAntennas;
          let covariance: ComplexMatrix = scale(identity(nr), problem.noiseVariance);
          let right: ComplexMatrix = zeros(nr, inner.streams);
          for (let k = 0; k < inner.devices; k++) {
            const v = multiply(problem.channel.matrices.at(k, m), transmit.at(k, m));
            covariance = add(covariance, multiplyConjugateRight(v, v));
            right = add(right, scale(v, weights[k]!));
          }
          const a = receive.at(m);
          const residual = frobeniusNorm(subtract(multiply(covariance, a), right));
          expect(residual).toBeLessThanOrEqual(1e-13 * nr * frobeniusNorm(covariance) * frobeniusNorm(a));
        }
      }),
      runs(150),
    );
  });

  test("no perturbation does better", () => {
    fc.assert(
      fc.property(anyProblem, fc.nat(999), sizes, (problem, seed, size) => {
        const { updates, receive, transmit } = updated(problem, seed, size);
        const best = updates.receive(receive.data, transmit.data);
        const direction = randomStack(receive.shape, seed + 1).data;
        const length = Math.hypot(...receive.data) / Math.hypot(...direction);
        for (const step of [1, 1e-2, 1e-4]) {
          const other = receive.data.map((x, i) => x + (step * length + 1e-3 * step) * direction[i]!);
          expect(updates.mse(other, transmit.data)).toBeGreaterThanOrEqual(best * (1 - 1e-12));
        }
      }),
      runs(150, 2),
    );
  });
});

describe("transmit update", () => {
  test("satisfies the KKT conditions of every device, with beamformers in the range of H^H A", () => {
    let binding = 0;
    let slack = 0;
    fc.assert(
      fc.property(anyProblem, fc.nat(999), sizes, (problem, seed, size) => {
        const { inner, receive, transmit } = updated(problem, seed, size);
        const weights = shares(problem.weights);
        for (let k = 0; k < inner.devices; k++) {
          const budget = problem.power[k]!;
          const w = weights[k]!;
          const slopes: ComplexMatrix[] = [];
          let along = 0;
          let power = 0;
          let gain = 0;
          for (let m = 0; m < inner.subcarriers; m++) {
            const g = multiplyConjugateLeft(problem.channel.matrices.at(k, m), receive.at(m));
            const b = transmit.at(k, m);
            const error = subtract(multiplyConjugateLeft(g, b), scale(identity(inner.streams), w));
            const slope = multiply(g, error);
            slopes.push(slope);
            along += realInner(b, slope);
            power += frobeniusNorm(b) ** 2;
            gain = Math.max(gain, frobeniusNorm(g));
            const outside = subtract(b, multiply(g, multiply(pseudoInverse(g), b)));
            expect(frobeniusNorm(outside)).toBeLessThanOrEqual(1e-9 * frobeniusNorm(b));
          }
          expect(power).toBeLessThanOrEqual(budget * (1 + 1e-12));
          if (power === 0) {
            // nothing is sent only where nothing is allowed, wanted or heard
            expect(budget === 0 || w === 0 || gain === 0).toBe(true);
            continue;
          }
          // stationarity: G (G^H B - w I) + nu B = 0 with one nu for all subcarriers
          const nu = -along / power;
          slopes.forEach((slope, m) => {
            const residual = frobeniusNorm(add(slope, scale(transmit.at(k, m), nu)));
            expect(residual).toBeLessThanOrEqual(1e-10 * gain * w);
          });
          expect(nu).toBeGreaterThanOrEqual(-1e-12 * gain * gain);
          if (budget - power > 1e-10 * budget) {
            slack++;
            expect(Math.abs(nu)).toBeLessThanOrEqual(1e-12 * gain * gain);
          } else binding++;
        }
      }),
      runs(150),
    );
    // both cases were seen
    expect(binding).toBeGreaterThan(50);
    expect(slack).toBeGreaterThan(50);
  });

  test("no feasible perturbation does better", () => {
    fc.assert(
      fc.property(anyProblem, fc.nat(999), sizes, (problem, seed, size) => {
        const { inner, updates, receive, transmit } = updated(problem, seed, size);
        const best = updates.mse(receive.data, transmit.data);
        const direction = randomStack(transmit.shape, seed + 1);
        const count = transmit.data.length / inner.devices;
        for (const step of [1, 1e-2, 1e-4]) {
          const other = transmit.data.slice();
          for (let k = 0; k < inner.devices; k++) {
            const own = other.subarray(k * count, (k + 1) * count);
            const change = direction.data.subarray(k * count, (k + 1) * count);
            const length = step * Math.sqrt(problem.power[k]! / change.reduce((sum, x) => sum + x * x, 0));
            for (let i = 0; i < count; i++) own[i]! += length * change[i]!;
            const power = own.reduce((sum, x) => sum + x * x, 0);
            const shrink = power > problem.power[k]! ? Math.sqrt(problem.power[k]! / power) : 1;
            for (let i = 0; i < count; i++) own[i]! *= shrink;
          }
          expect(updates.mse(receive.data, other)).toBeGreaterThanOrEqual(best * (1 - 1e-12));
        }
      }),
      runs(150, 2),
    );
  });
});
