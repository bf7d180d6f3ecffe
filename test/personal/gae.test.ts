import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { gae } from "../../src/personal/index.ts";
import { mismatch, normals, RUNS, refusal } from "./tuning-support.ts";

const batches = fc
  .record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    rows: fc.integer({ min: 1, max: 4 }),
    steps: fc.integer({ min: 1, max: 7 }),
    gamma: fc.double({ min: 0, max: 1, noNaN: true }),
    lambda: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ seed, rows, steps, gamma, lambda }) => {
    const stream = randomStream(seed, "gae");
    const count = rows * steps;
    return {
      rows,
      given: {
        rewards: normals(count, stream),
        values: normals(count, stream),
        lastValues: normals(rows, stream),
        dones: Array.from({ length: count }, () => stream.uniform() < 0.2),
        steps,
        gamma,
        lambda,
      },
      stream,
    };
  });

/** sum_l (gamma lambda)^l delta_{t+l} by its definition, one row, no mask. */
function direct(
  rewards: readonly number[],
  values: readonly number[],
  last: number,
  dones: readonly boolean[],
  gamma: number,
  lambda: number,
): number[] {
  return rewards.map((_, t) => {
    let [sum, factor] = [0, 1];
    for (let s = t; s < rewards.length; s++) {
      const next = dones[s] ? 0 : (values[s + 1] ?? last);
      sum += factor * (rewards[s]! + gamma * next - values[s]!);
      if (dones[s]) break;
      factor *= gamma * lambda;
    }
    return sum;
  });
}

describe("gae", () => {
  const known = { rewards: [0, 0, 1], values: [0.5, 0.4, 0.3], gamma: 1, lambda: 0.95 };

  test("the values of the model", () => {
    const { advantages, returns } = gae(known);
    [0.43675, 0.565, 0.7].forEach((x, i) => {
      expect(advantages[i]).toBeCloseTo(x, 14);
    });
    [0.93675, 0.965, 1].forEach((x, i) => {
      expect(returns[i]).toBeCloseTo(x, 14);
    });
  });

  test("is the sum of discounted residuals, within episodes", () => {
    fc.assert(
      fc.property(batches, ({ rows, given }) => {
        const { advantages, returns } = gae(given);
        const { steps } = given;
        for (let n = 0; n < rows; n++) {
          const part = <T>(list: ArrayLike<T>): T[] => Array.from(list).slice(n * steps, (n + 1) * steps);
          const expected = direct(
            part(given.rewards),
            part(given.values),
            given.lastValues[n]!,
            part(given.dones),
            given.gamma,
            given.lambda,
          );
          expected.forEach((x, t) => {
            expect(advantages[n * steps + t]).toBeCloseTo(x, 10);
          });
        }
        expect(
          mismatch(
            returns,
            advantages.map((a, i) => a + given.values[i]!),
          ),
        ).toBe(0);
      }),
      RUNS,
    );
  });

  test("lambda = 0: one-step residuals; lambda = 1: returns do not depend on the values inside", () => {
    fc.assert(
      fc.property(batches, ({ given, rows }) => {
        const { rewards, values, lastValues, steps, gamma } = given;
        const plain = { rewards, values, lastValues, steps, gamma };
        const one = gae({ ...plain, lambda: 0 }).advantages;
        one.forEach((x, i) => {
          const t = i % steps;
          const next = t + 1 < steps ? values[i + 1]! : lastValues[Math.floor(i / steps)]!;
          expect(x).toBeCloseTo(rewards[i]! + gamma * next - values[i]!, 12);
        });
        const all = gae({ ...plain, lambda: 1 }).returns;
        for (let n = 0; n < rows; n++) {
          let sum = lastValues[n]!;
          for (let i = (n + 1) * steps - 1; i >= n * steps; i--) {
            sum = rewards[i]! + gamma * sum;
            expect(all[i]).toBeCloseTo(sum, 10);
          }
        }
      }),
      RUNS,
    );
  });

  test("padding at the ends and in between changes no bit, whatever it holds", () => {
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 5 }), ({ rows, given, stream }, extra) => {
        const { steps } = given;
        const wide = steps + extra;
        const rewards = new Float64Array(rows * wide).fill(Number.NaN);
        const values = new Float64Array(rows * wide).fill(Number.POSITIVE_INFINITY);
        const dones = new Array<boolean>(rows * wide).fill(true);
        const mask = new Uint8Array(rows * wide);
        const places: number[] = [];
        for (let n = 0; n < rows; n++) {
          const kept = [...stream.permutation(wide)].slice(0, steps).sort((a, b) => a - b);
          kept.forEach((place, t) => {
            const [to, from] = [n * wide + place, n * steps + t];
            places.push(to);
            mask[to] = 1;
            rewards[to] = given.rewards[from]!;
            values[to] = given.values[from]!;
            dones[to] = given.dones[from]!;
          });
        }
        const padded = gae({ ...given, rewards, values, dones, mask, steps: wide });
        const bare = gae(given);
        expect(places.map((i) => padded.advantages[i])).toEqual([...bare.advantages]);
        expect(places.map((i) => padded.returns[i])).toEqual([...bare.returns]);
        mask.forEach((m, i) => {
          if (m === 0) expect([padded.advantages[i], padded.returns[i]]).toEqual([0, 0]);
        });
      }),
      RUNS,
    );
  });

  test("rows that are all padding, single precision and lists", () => {
    const rewards = Float32Array.of(0, 0, 1, 9, 9, 9);
    const values = [0.5, 0.4, 0.3, Number.NaN, 0, 0];
    const { advantages } = gae({ ...known, rewards, values, steps: 3, mask: [1, 1, 1, 0, 0, 0] });
    expect([...advantages.slice(0, 3)]).toEqual([...gae(known).advantages]);
    expect([...advantages.slice(3)]).toEqual([0, 0, 0]);
  });

  test.each([
    ["rewards[1]", { rewards: [0, Number.NaN, 1] }],
    ["values", { values: [0.5] }],
    ["values[2]", { values: [0.5, 0.4, Number.POSITIVE_INFINITY] }],
    ["gamma", { gamma: 1.1 }],
    ["lambda", { lambda: Number.NaN }],
    ["steps", { steps: 2 }],
    ["lastValues", { lastValues: [1, 2] }],
    ["lastValues[0]", { lastValues: Number.NaN }],
    ["dones[0]", { dones: [2, 0, 0] }],
    ["mask[2]", { mask: [1, 1, 0.5] }],
    ["gae.padding", { padding: 1 }],
  ])("refuses %s", (field, change) => {
    expect(refusal(() => gae({ ...known, ...change } as Parameters<typeof gae>[0])).field).toBe(field);
  });
});
