import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { minimizeOptimalityGap, payloadEntries, rankProblem } from "../../src/bounds/index.ts";
import {
  causalMask,
  dirichletPartition,
  maskedSoftmax,
  partialAggregate,
  windowMask,
} from "../../src/personal/index.ts";
import * as testing from "../../src/testing/index.ts";

const RUNS = { seed: 1, numRuns: 40 };

describe("invariants of personalised tuning tell right from wrong", () => {
  const clients = [1, 2, 4].map((k) => ({
    s: Float32Array.of(k, -k, 0.1),
    p: Float64Array.of(-0, Number.NaN, k),
  }));
  const weights = [1, 3, 0];
  const round = partialAggregate({ clients, plan: { shared: "s", private: "p" }, weights });

  test("hull", () => {
    expect(testing.hullResidual({ clients, aggregate: round.shared, weights })).toBe(0);
    const outside = { s: Float32Array.of(2, -3, 0.1) };
    expect(testing.hullResidual({ clients, aggregate: outside })).toBe(0);
    // the client that would reach so far has no weight
    expect(testing.hullResidual({ clients, aggregate: outside, weights })).toBeCloseTo(1 / 3, 6);
    const nothing = { s: Float32Array.of(1, -1, Number.NaN) };
    expect(testing.hullResidual({ clients, aggregate: nothing })).toBe(Number.POSITIVE_INFINITY);
  });

  test("kept tensors", () => {
    round.clients.forEach((after, k) => {
      expect(testing.keptResidual(clients[k]!, after, ["p"])).toBe(0);
    });
    const [before] = clients;
    expect(testing.keptResidual(before!, round.clients[0]!, ["p", "s"])).toBe(2);
    const plus = { ...before, p: Float64Array.of(0, Number.NaN, 1) };
    expect(testing.keptResidual(before!, plus, ["p"])).toBe(1);
    expect(testing.keptResidual(before!, { s: before!.s }, ["p", "none"])).toBe(3);
    expect(testing.keptResidual(before!, { p: Float32Array.of(-0, Number.NaN, 1) }, ["p"])).toBe(3);
  });

  test("attention weights and masks", () => {
    const mask = windowMask(3, 2);
    const rows = maskedSoftmax(new Float64Array(18), mask);
    expect(testing.attentionResidual(rows, mask)).toBeLessThan(1e-15);
    expect(testing.attentionResidual(maskedSoftmax(new Float64Array(9), causalMask(3)), mask)).toBeCloseTo(
      1 / 3,
      12,
    );
    expect(
      testing.attentionResidual(
        rows.map((x) => 0.9 * x),
        mask,
      ),
    ).toBeCloseTo(0.1, 12);
    expect(testing.attentionResidual(rows.fill(Number.NaN, 4, 5), mask)).toBe(Number.POSITIVE_INFINITY);
    expect(testing.causalityResidual(mask)).toBe(0);
    expect(testing.causalityResidual({ tokens: 2, allowed: Uint8Array.of(1, 1, 0, 0) })).toBe(2);
  });

  test("partitions", () => {
    const parts = dirichletPartition({ labels: [0, 1, 0, 1, 1], clients: 3, alpha: 0.5, seed: 1 });
    expect(testing.partitionResidual(parts, 5)).toBe(0);
    expect(
      testing.partitionResidual(
        [
          [0, 1],
          [1, 2],
        ],
        4,
      ),
    ).toBe(2);
    expect(testing.partitionResidual([[0, 1, 2, 3, -1, 0.5]], 4)).toBe(2);
  });
});

test("scenarios with payload plans are accepted, and share what the plan says", () => {
  let some = 0;
  fc.assert(
    fc.property(testing.scenario({ payload: true }), (scenario) => {
      const { rank, gap, delay, energy } = minimizeOptimalityGap(scenario);
      expect(gap).toBeGreaterThanOrEqual(0);
      const { lora } = scenario;
      const entries = payloadEntries(lora.layers, rank, lora.trained!, lora.payload);
      expect(rankProblem(scenario).payloadAt(rank).entries).toBe(entries);
      expect(Number.isFinite(delay) && energy.every((x) => x >= 0)).toBe(true);
      some += Number(lora.payload?.layers?.length === 1 && lora.layers.length === 2);
    }),
    RUNS,
  );
  expect(some).toBeGreaterThan(3);
});

test("there are none unless asked for", () => {
  const plans = fc.sample(testing.scenario(), RUNS).map(({ lora }) => lora.payload);
  expect(plans.every((plan) => plan === undefined)).toBe(true);
});
