import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { alternate } from "../../src/aircomp/alternating.ts";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { designBeamformers, meanSquaredError } from "../../src/aircomp/index.ts";
import { createBlockUpdates } from "../../src/aircomp/updates.ts";
import { monotonicityResidual, powerBudgetResidual } from "../../src/testing/index.ts";
import { anyProblem, randomStack, runs } from "./support.ts";

describe("the MSE never increases", () => {
  test("from iteration to iteration, budgets are kept, numbers are finite: designs of any problem", () => {
    fc.assert(
      fc.property(anyProblem, (problem) => {
        const design = designBeamformers({ ...problem, effort: "fast" });
        expect(monotonicityResidual(design.rows)).toBeLessThanOrEqual(1e-12);
        expect(powerBudgetResidual(design, problem.power)).toBeLessThanOrEqual(1e-9);
        expect(design.receive.data.every(Number.isFinite)).toBe(true);
        expect(design.transmit.data.every(Number.isFinite)).toBe(true);
        expect(Number.isFinite(design.mse)).toBe(true);
        const { channel, noiseVariance, weights } = problem;
        const again = meanSquaredError(channel, design, { noiseVariance, weights });
        expect(Math.abs(again - design.mse)).toBeLessThanOrEqual(1e-12 * design.mse);
      }),
      runs(400),
    );
  });

  test("from block to block, without the guard of the driver, from random starts", () => {
    fc.assert(
      fc.property(anyProblem, fc.nat(999), fc.constantFrom(1e-3, 1, 1e3), (problem, seed, size) => {
        const inner = transceiverProblem(problem);
        const updates = createBlockUpdates(inner);
        const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams } = inner;
        const receive = randomStack([subcarriers, nr, streams], seed).data.map((x) => size * x);
        const transmit = new Float64Array(2 * devices * subcarriers * nt * streams);
        let before = updates.mse(receive, transmit);
        for (let i = 0; i < 12; i++) {
          updates.transmit(transmit, receive);
          const between = updates.mse(receive, transmit);
          expect(between).toBeLessThanOrEqual(before * (1 + 1e-12));
          const after = updates.receive(receive, transmit);
          expect(after).toBeLessThanOrEqual(between * (1 + 1e-12));
          expect(after).toBe(updates.mse(receive, transmit));
          const bound = inner.weights.reduce((sum, w) => sum + w * w, 0) * subcarriers * streams;
          expect(after).toBeLessThanOrEqual(bound * (1 + 1e-12));
          before = after;
        }
      }),
      runs(300, 2),
    );
  });

  test("updates depend on nothing but their arguments: same bits from a workspace used before", () => {
    fc.assert(
      fc.property(anyProblem, fc.nat(999), (problem, seed) => {
        const inner = transceiverProblem(problem);
        const start = randomStack([inner.subcarriers, inner.receiveAntennas, inner.streams], seed).data;
        const once = alternate(inner, start, { maxIterations: 3, relativeDecrease: 0 });
        const twice = alternate(inner, start, { maxIterations: 3, relativeDecrease: 0 });
        expect(twice).toEqual(once);
        const used = createBlockUpdates(inner);
        const size = once.transmit.length;
        used.transmit(
          new Float64Array(size),
          start.map((x) => -3 * x),
        );
        const [a, b] = [new Float64Array(size), new Float64Array(size)];
        used.transmit(a, start);
        createBlockUpdates(inner).transmit(b, start);
        expect(a).toEqual(b);
      }),
      runs(30, 3),
    );
  });
});
