import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import {
  type AttentionMask,
  attentionCost,
  causalMask,
  globalMask,
  maskedSoftmax,
  stridedMask,
  unionMask,
  windowMask,
} from "../../src/personal/index.ts";
import { mismatch, normals, RUNS, refusal } from "./tuning-support.ts";

const masks = fc
  .record({
    tokens: fc.integer({ min: 1, max: 12 }),
    window: fc.integer({ min: 1, max: 15 }),
    stride: fc.integer({ min: 1, max: 15 }),
    global: fc.integer({ min: 0, max: 11 }),
    kind: fc.constantFrom("causal", "window", "strided", "global", "union"),
  })
  .map(({ tokens, window, stride, global, kind }): AttentionMask => {
    const [local, strided] = [windowMask(tokens, window), stridedMask(tokens, stride)];
    const few = globalMask(tokens, [global % tokens]);
    const all: Record<string, AttentionMask> = {
      causal: causalMask(tokens),
      window: local,
      strided,
      global: few,
      union: unionMask(local, strided, few),
    };
    return all[kind]!;
  });

const rows = ({ tokens, allowed }: AttentionMask): string[] =>
  Array.from({ length: tokens }, (_, i) => allowed.slice(i * tokens, (i + 1) * tokens).join(""));

describe("masks", () => {
  test("as drawn", () => {
    expect(rows(causalMask(3))).toEqual(["100", "110", "111"]);
    expect(rows(windowMask(4, 2))).toEqual(["1000", "1100", "0110", "0011"]);
    expect(rows(stridedMask(5, 2))).toEqual(["10000", "01000", "10100", "01010", "10101"]);
    expect(rows(globalMask(4, [1]))).toEqual(["1000", "1100", "0110", "0101"]);
    expect(rows(unionMask(windowMask(4, 1), globalMask(4, [2])))).toEqual(["1000", "0100", "1110", "0011"]);
  });

  test("causal, every token attends to itself; full window, stride 1 and all global are dense", () => {
    fc.assert(
      fc.property(masks, (mask) => {
        const { tokens, allowed } = mask;
        for (let i = 0; i < tokens; i++) {
          expect(allowed[i * (tokens + 1)]).toBe(1);
          for (let j = i + 1; j < tokens; j++) expect(allowed[i * tokens + j]).toBe(0);
        }
        const dense = causalMask(tokens);
        expect(windowMask(tokens, tokens)).toEqual(dense);
        expect(stridedMask(tokens, 1)).toEqual(dense);
        expect(
          globalMask(
            tokens,
            Array.from({ length: tokens }, (_, i) => i),
          ),
        ).toEqual(dense);
        expect(unionMask(mask, dense)).toEqual(dense);
        expect(unionMask(mask, mask)).toEqual(mask);
        expect(attentionCost(mask, { headDimension: 4 }).relativeToCausal).toBeLessThanOrEqual(1);
      }),
      RUNS,
    );
  });

  test("cost: pairs by the formula, products of scores and of values", () => {
    const [n, w] = [64, 8];
    const cost = attentionCost(windowMask(n, w), { headDimension: 16, heads: 3 });
    const pairs = n * w - (w * (w - 1)) / 2;
    expect(cost).toEqual({
      pairs,
      density: pairs / n ** 2,
      relativeToCausal: pairs / ((n * (n + 1)) / 2),
      multiplyAdds: 2 * pairs * 16 * 3,
    });
    expect(attentionCost(causalMask(n), { headDimension: 1 }).relativeToCausal).toBe(1);
  });

  test("refuses what is no mask", () => {
    expect(refusal(() => windowMask(4, 0)).field).toBe("window");
    expect(refusal(() => stridedMask(0, 1)).field).toBe("tokens");
    expect(refusal(() => globalMask(4, [4])).field).toBe("positions[0]");
    expect(refusal(() => globalMask(4, Object.assign([1], { length: 2 }))).field).toBe("positions[1]");
    expect(refusal(() => unionMask()).field).toBe("masks");
    expect(refusal(() => unionMask(causalMask(2), causalMask(3))).field).toBe("masks[1].tokens");
    const short = { tokens: 2, allowed: new Uint8Array(3) };
    expect(refusal(() => attentionCost(short, { headDimension: 1 })).field).toBe("mask.allowed");
    const odd = { tokens: 1, allowed: Uint8Array.of(2) };
    expect(refusal(() => attentionCost(odd, { headDimension: 1 })).field).toBe("mask.allowed[0]");
  });
});

describe("maskedSoftmax", () => {
  test("rows sum to 1, masked entries are exactly 0 and not read; full window = dense", () => {
    fc.assert(
      fc.property(
        masks,
        fc.integer({ min: 0, max: 1e6 }),
        fc.constantFrom(1, 1e3, 1e300),
        (mask, seed, size) => {
          const { tokens, allowed } = mask;
          const heads = 2;
          const scores = normals(heads * tokens ** 2, randomStream(seed, "scores"), size);
          const spoiled = scores.map((x, i) => (allowed[i % allowed.length] === 1 ? x : Number.NaN));
          const weights = maskedSoftmax(scores, mask);
          expect(maskedSoftmax(spoiled, mask)).toEqual(weights);
          for (let row = 0; row < heads * tokens; row++) {
            const own = weights.slice(row * tokens, (row + 1) * tokens);
            expect(Math.abs(own.reduce((sum, x) => sum + x, 0) - 1)).toBeLessThan(1e-14);
          }
          weights.forEach((x, i) => {
            if (allowed[i % allowed.length] === 0) expect(x).toBe(0);
          });
          const dense = maskedSoftmax(scores, causalMask(tokens));
          expect(maskedSoftmax(scores, windowMask(tokens, tokens + 3))).toEqual(dense);
          // -Infinity in the scores is how training stacks mask
          const added = Array.from({ length: tokens }, (_, i) => {
            const line = Array.from({ length: tokens }, (_, j) =>
              allowed[i * tokens + j] === 1 ? scores[i * tokens + j]! : Number.NEGATIVE_INFINITY,
            );
            const top = Math.max(...line);
            const powers = line.map((x) => Math.exp(x - top));
            const sum = powers.reduce((a, b) => a + b, 0);
            return powers.map((x) => x / sum);
          }).flat();
          expect(mismatch(weights.slice(0, tokens ** 2), added)).toBeLessThan(1e-15);
        },
      ),
      RUNS,
    );
  });

  test("refuses rows in which nothing is allowed, and allowed scores that are not finite", () => {
    const empty = { tokens: 2, allowed: Uint8Array.of(1, 0, 0, 0) };
    expect(refusal(() => maskedSoftmax([0, 0, 0, 0], empty)).message).toContain("row 1");
    expect(refusal(() => maskedSoftmax([0, 0, Number.NaN, 0], causalMask(2))).field).toBe("scores[2]");
    expect(refusal(() => maskedSoftmax([0, 0], causalMask(2))).field).toBe("scores");
  });
});
