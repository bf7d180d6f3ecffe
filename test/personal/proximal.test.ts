import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { entropyBonus, exactKl, policyLoss, tokenKl, valueLoss } from "../../src/personal/index.ts";
import { differences, mismatch, mutations, normals, RUNS, refusal } from "./tuning-support.ts";

const FEW = { ...RUNS, numRuns: 60 };
const classes = 4;
const seeds = fc.integer({ min: 0, max: 1e6 });
const averages = fc.constantFrom("entries" as const, "rows" as const);

/** A batch of 3 rows of 4 steps with padding, the last row all padding now and then. */
function batch(seed: number) {
  const stream = randomStream(seed, "proximal");
  const count = 12;
  const mask = Uint8Array.from({ length: count }, (_, i) => Number(i === 0 || stream.uniform() < 0.7));
  if (seed % 3 === 0) mask.fill(0, 8);
  const logProbs = normals(count, stream).map((x) => -1 - Math.abs(x));
  return {
    count,
    mask,
    logProbs,
    oldLogProbs: logProbs.map((x) => x + 0.4 * stream.normal()),
    advantages: normals(count, stream),
    values: normals(count, stream),
    oldValues: normals(count, stream),
    returns: normals(count, stream),
    logits: normals(count * classes, stream, 2),
    referenceLogits: normals(count * classes, stream, 2),
  };
}

type Batch = ReturnType<typeof batch>;
type Averaged = { readonly mask: Uint8Array; readonly steps: number; readonly average: "entries" | "rows" };
type Term = { readonly value: number; readonly gradient: Float64Array };

/** Each loss, what it is differentiated by, and the loss as a function of that. */
const losses: Record<string, { at: keyof Batch; of: (b: Batch, x: Float64Array, a: Averaged) => Term }> = {
  policyLoss: {
    at: "logProbs",
    of: ({ oldLogProbs, advantages }, logProbs, a) =>
      policyLoss({ logProbs, oldLogProbs, advantages, clipRange: [0.1, 0.3], ...a }),
  },
  valueLoss: { at: "values", of: ({ returns }, values, a) => valueLoss({ values, returns, ...a }) },
  "valueLoss, clipped": {
    at: "values",
    of: ({ returns, oldValues }, values, a) =>
      valueLoss({ values, returns, oldValues, clipRange: 0.4, ...a }),
  },
  entropyBonus: { at: "logits", of: (_, logits, a) => entropyBonus({ logits, classes, ...a }) },
  exactKl: {
    at: "logits",
    of: ({ referenceLogits }, logits, a) => exactKl({ logits, referenceLogits, classes, ...a }),
  },
  ...Object.fromEntries(
    (["k1", "k2", "k3"] as const).map((kind) => [
      `tokenKl ${kind}`,
      {
        at: "logProbs" as const,
        of: ({ oldLogProbs }: Batch, logProbs: Float64Array, a: Averaged) =>
          tokenKl({ logProbs, referenceLogProbs: oldLogProbs, kind, ...a }),
      },
    ]),
  ),
};

/** Away from the kinks, where the differences would straddle them. */
function smooth(b: Batch): boolean {
  return b.logProbs.every((x, i) => {
    const ratio = Math.exp(x - b.oldLogProbs[i]!);
    const moved = Math.abs(b.values[i]! - b.oldValues[i]!);
    const clipped = Math.sign(b.values[i]! - b.oldValues[i]!) * 0.4 + b.oldValues[i]! - b.returns[i]!;
    return (
      Math.abs(ratio - 0.9) > 0.01 &&
      Math.abs(ratio - 1.3) > 0.01 &&
      Math.abs(moved - 0.4) > 0.01 &&
      Math.abs(Math.abs(clipped) - Math.abs(b.values[i]! - b.returns[i]!)) > 0.01
    );
  });
}

describe.each(Object.entries(losses))("%s", (_, { at, of }) => {
  test("gradient is that of finite differences, and wrong ones are told from it", () => {
    fc.assert(
      fc.property(seeds, averages, (seed, average) => {
        const b = batch(seed);
        fc.pre(smooth(b));
        const averaged = { mask: b.mask, steps: 4, average };
        const point = b[at] as Float64Array;
        const { gradient } = of(b, point, averaged);
        const expected = differences((x) => of(b, x, averaged).value, point);
        if (gradient.every((x) => x === 0)) {
          expect(expected.every((x) => Math.abs(x) < 1e-12)).toBe(true);
          return;
        }
        expect(mismatch(gradient, expected)).toBeLessThan(1e-8);
        for (const [name, mutate] of mutations) {
          // equal entries do not tell shifts, nor does a gradient of mean 0 its mean
          if (name === "shifted by one" && gradient.filter((x) => x !== 0).length < 2) continue;
          if (mismatch(gradient, mutate(gradient)) === 0) continue;
          expect(mismatch(mutate(gradient), expected), name).toBeGreaterThan(1e-5);
        }
      }),
      FEW,
    );
  });

  test("padding adds nothing and is not read", () => {
    fc.assert(
      fc.property(seeds, averages, (seed, average) => {
        const b = batch(seed);
        const bare = of(b, b[at] as Float64Array, { mask: b.mask, steps: 4, average });
        const spoiled = Object.fromEntries(
          Object.entries(b).map(([name, list]) => {
            if (typeof list === "number" || name === "mask") return [name, list];
            const width = list.length / b.count;
            return [
              name,
              Float64Array.from(list, (x, i) => (b.mask[Math.floor(i / width)] === 1 ? x : Number.NaN)),
            ];
          }),
        ) as Batch;
        const other = of(spoiled, spoiled[at] as Float64Array, { mask: b.mask, steps: 4, average });
        expect(other).toEqual(bare);
        const width = bare.gradient.length / b.count;
        bare.gradient.forEach((x, i) => {
          if (b.mask[Math.floor(i / width)] === 0) expect(x).toBe(0);
        });
        // another row of padding
        const longer = Object.fromEntries(
          Object.entries(b).map(([name, list]) => {
            if (typeof list === "number") return [name, list];
            const own = Array.from(list);
            return [name, [...own, ...own.slice(0, own.length / 3).map(() => (name === "mask" ? 0 : 7))]];
          }),
        ) as unknown as Batch;
        const padded = of(longer, longer[at] as Float64Array, { mask: longer.mask, steps: 4, average });
        expect(padded.value).toBe(bare.value);
        expect([...padded.gradient.slice(0, bare.gradient.length)]).toEqual([...bare.gradient]);
      }),
      FEW,
    );
  });

  test("finite for anything finite", () => {
    const wild = fc.constantFrom(0, -1e-300, 1, -800, 800, -1e30, 1e100, -1e100);
    const lists = fc.array(wild, { minLength: 12, maxLength: 12 });
    const wide = fc.array(wild, { minLength: 48, maxLength: 48 });
    fc.assert(
      fc.property(lists, lists, lists, wide, wide, (x, y, z, logits, referenceLogits) => {
        const b = {
          ...batch(1),
          logProbs: x,
          oldLogProbs: y,
          advantages: z,
          values: x,
          oldValues: y,
          returns: z,
          logits,
          referenceLogits,
        } as unknown as Batch;
        const everything = new Uint8Array(12).fill(1);
        const { value, gradient, ...rest } = of(b, Float64Array.from(b[at] as Float64Array), {
          mask: everything,
          steps: 4,
          average: "entries",
        });
        expect(Number.isFinite(value)).toBe(true);
        expect(gradient.every(Number.isFinite)).toBe(true);
        for (const other of Object.values(rest)) {
          expect([other].flat().every((v) => typeof v !== "number" || Number.isFinite(v))).toBe(true);
        }
      }),
      FEW,
    );
  });

  test("refuses masks that leave nothing, and entries that are not finite", () => {
    const b = batch(1);
    const averaged = { mask: b.mask, steps: 4, average: "entries" as const };
    const empty = refusal(() => of(b, b[at] as Float64Array, { ...averaged, mask: new Uint8Array(12) }));
    expect(empty.field).toBe("mask");
    const broken = (b[at] as Float64Array).slice();
    broken[0] = Number.NaN;
    expect(refusal(() => of(b, broken, averaged)).field).toBe(`${at}[0]`);
    broken[0] = Number.NEGATIVE_INFINITY;
    expect(refusal(() => of(b, broken, averaged)).field).toBe(`${at}[0]`);
  });
});

describe("policyLoss", () => {
  const one = (logProb: number, advantage: number) =>
    policyLoss({ logProbs: [logProb], oldLogProbs: [-1], advantages: [advantage] });

  test("gradient is 0 exactly where clipping cuts it off, and only there", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -2, max: 2, noNaN: true }),
        fc.double({ min: 0.01, max: 3, noNaN: true }),
        fc.boolean(),
        (logRatio, size, positive) => {
          const advantage = positive ? size : -size;
          const { value, gradient, clipFraction } = one(-1 + logRatio, advantage);
          const ratio = Math.exp(-1 + logRatio - -1);
          const cut = positive ? ratio > 1.2 : ratio < 0.8;
          const clipped = Math.min(1.2, Math.max(0.8, ratio));
          expect(clipFraction).toBe(cut ? 1 : 0);
          expect(value).toBeCloseTo(-Math.min(ratio * advantage, clipped * advantage), 12);
          if (cut) expect(gradient[0]).toBe(0);
          else expect(gradient[0]).toBeCloseTo(-ratio * advantage, 12);
        },
      ),
      RUNS,
    );
  });

  test("a policy far off its old self is told so by a gradient that grows no further", () => {
    const [near, far, farther] = [one(18.99, -1), one(19.5, -1), one(1e6, -1)];
    expect(far.value).toBeGreaterThan(near.value);
    expect(farther.gradient[0]).toBe(far.gradient[0]);
    expect(far.gradient[0]).toBeCloseTo(Math.exp(20), 3);
    // the tangent begins where the exponential ends
    expect(one(19 + 1e-9, -1).value / one(19, -1).value).toBeCloseTo(1, 8);
  });

  test("equal policies: value -mean advantage, nothing clipped, no divergence", () => {
    const result = policyLoss({ logProbs: [-1, -2], oldLogProbs: [-1, -2], advantages: [3, 5] });
    expect(result).toEqual({
      value: -4,
      gradient: Float64Array.of(-1.5, -2.5),
      clipFraction: 0,
      approximateKl: 0,
    });
  });

  test("on the edge of the range the gradient is that of the inside", () => {
    const logProbs = [-1, -2];
    const edge = { logProbs, oldLogProbs: logProbs, advantages: [3, -4], clipRange: 0 };
    const { value, gradient, clipFraction } = policyLoss(edge);
    expect([value, [...gradient], clipFraction]).toEqual([0.5, [-1.5, 2], 0]);
  });

  test("rows count alike, whatever their length", () => {
    const given = { logProbs: [-1, -1, -1, -1], oldLogProbs: [-1, -1, -1, -1], advantages: [1, 1, 4, 9] };
    const mask = [1, 1, 1, 0];
    expect(policyLoss({ ...given, mask, steps: 2 }).value).toBe(-2);
    expect(policyLoss({ ...given, mask, steps: 2, average: "rows" }).value).toBe(-2.5);
    expect(refusal(() => policyLoss({ ...given, mask, average: "rows" })).field).toBe("steps");
  });

  test.each([
    ["clipRange", { clipRange: -0.1 }],
    ["clipRange[1]", { clipRange: [0.1, Number.NaN] }],
    ["clipRange", { clipRange: [0.1] }],
    ["oldLogProbs", { oldLogProbs: [] }],
    ["average", { average: "tokens" }],
    ["policyLoss.epsilon", { epsilon: 0.2 }],
  ])("refuses %s", (field, change) => {
    const given = { logProbs: [-1], oldLogProbs: [-1], advantages: [1], ...change };
    expect(refusal(() => policyLoss(given as Parameters<typeof policyLoss>[0])).field).toBe(field);
  });
});

describe("valueLoss", () => {
  test("clipped: gradient 0 where the value left the range towards its target", () => {
    const at = (value: number, target: number) =>
      valueLoss({ values: [value], oldValues: [0], returns: [target], clipRange: 0.2 });
    const cut = at(0.5, 1);
    expect([cut.gradient[0], cut.clipFraction]).toEqual([0, 1]);
    expect(cut.value).toBeCloseTo(0.32, 14);
    expect(at(0.5, -1)).toEqual({ value: 1.125, gradient: Float64Array.of(1.5), clipFraction: 0 });
    expect(at(0.1, 1).gradient[0]).toBeCloseTo(-0.9, 14);
    // beyond the target by more than the range is short of it
    expect(at(0.5, 0.21).gradient[0]).toBeCloseTo(0.29, 14);
    expect(refusal(() => valueLoss({ values: [1], returns: [1], clipRange: 0.2 })).field).toBe("oldValues");
    const without = refusal(() => valueLoss({ values: [1], returns: [1], oldValues: [1] }));
    expect(without.field).toBe("clipRange");
  });
});

describe("divergences", () => {
  test("estimates have the mean and the gradients that are stated of them", () => {
    const stream = randomStream(4, "kl");
    const [logits, referenceLogits] = [normals(classes, stream), normals(classes, stream)];
    const exact = exactKl({ logits, referenceLogits, classes });
    const logSoftmax = (z: Float64Array) => {
      const norm = Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0));
      return z.map((x) => x - norm);
    };
    const [logP, logQ] = [logSoftmax(logits), logSoftmax(referenceLogits)];
    const p = logP.map(Math.exp);
    // the mean over samples as a sum over the classes
    const kinds = (["k1", "k2", "k3"] as const).map((kind) => {
      const term = tokenKl({ logProbs: logP, referenceLogProbs: logQ, kind });
      const mean = term.perToken.reduce((sum, x, v) => sum + p[v]! * x, 0);
      // d logP_v/d logit_u = [u = v] - p_u
      const gradient = p.map((_, u) =>
        p.reduce((sum, pv, v) => sum + pv * classes * term.gradient[v]! * (Number(u === v) - p[u]!), 0),
      );
      return { mean, gradient };
    });
    const [k1, k2, k3] = kinds as [(typeof kinds)[0], (typeof kinds)[0], (typeof kinds)[0]];
    expect(k1.mean).toBeCloseTo(exact.value, 12);
    expect(k3.mean).toBeCloseTo(exact.value, 12);
    expect(Math.max(...k1.gradient.map(Math.abs))).toBeLessThan(1e-14);
    expect(mismatch(k2.gradient, exact.gradient)).toBeLessThan(1e-12);
    const q = logQ.map(Math.exp);
    expect(
      mismatch(
        k3.gradient,
        p.map((x, v) => x - q[v]!),
      ),
    ).toBeLessThan(1e-12);
    // which is that of KL(q || p) with respect to the logits of p
    const reverse = differences((z) => exactKl({ logits: logQ, referenceLogits: z, classes }).value, logits);
    expect(mismatch(k3.gradient, reverse)).toBeLessThan(1e-9);
  });

  test("k3 of a token that the policy has all but lost: the slope is that of the tangent", () => {
    for (const x of [-19, -21, -25, -300]) {
      const at = (logProb: number) =>
        tokenKl({ logProbs: [logProb], referenceLogProbs: [0], kind: "k3" }) as Term;
      const slope = (at(x + 1e-3).value - at(x - 1e-3).value) / 2e-3;
      expect(at(x).gradient[0]! / slope).toBeCloseTo(1, 5);
    }
  });

  test("exactKl >= 0, 0 for equal distributions; k2, k3 >= 0; small differences keep their digits", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { logits, referenceLogits, logProbs, oldLogProbs } = batch(seed);
        expect(exactKl({ logits, referenceLogits, classes }).perToken.every((x) => x >= 0)).toBe(true);
        const shifted = logits.map((x, i) => x + Math.floor(i / classes));
        expect(exactKl({ logits, referenceLogits: shifted, classes }).value).toBeLessThan(1e-14);
        for (const kind of ["k2", "k3"] as const) {
          const { perToken } = tokenKl({ logProbs, referenceLogProbs: oldLogProbs, kind });
          expect(perToken.every((x) => x >= 0)).toBe(true);
        }
      }),
      RUNS,
    );
    for (const x of [1e-9, 1e-4, 0.0999, 0.1001]) {
      const { value } = tokenKl({ logProbs: [-1], referenceLogProbs: [-1 - x] });
      const y = -1 - (-1 - x);
      let [series, term] = [0, -y];
      for (let k = 2; k < 20; k++) series += term *= -y / k;
      expect(value / series).toBeCloseTo(1, 10);
    }
  });

  test("entropy: log V of equal logits, 0 of a certain one, also where they are huge", () => {
    for (const size of [0, -1e30, 1e100]) {
      const { value } = entropyBonus({ logits: new Float64Array(classes).fill(size), classes });
      expect(value).toBeCloseTo(Math.log(classes), 14);
    }
    const certain = entropyBonus({ logits: [0, -1e30, -1e30, -1e30], classes });
    expect(certain.value).toBe(0);
    expect(certain.gradient.every((x) => x === 0)).toBe(true);
    expect(refusal(() => entropyBonus({ logits: [1, 2, 3], classes: 2 })).field).toBe("classes");
  });
});
