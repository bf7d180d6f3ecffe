import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { type ParameterSet, type RealignmentOptions, realign } from "../../src/fusion/index.ts";
import { bits, farthest, fieldOf, RUNS, randomSet } from "./task-support.ts";

const shape = { "body.w": 5, "body.b": 2, head: 3 } as const;
const flat = (set: ParameterSet): number[] => Object.values(set).flatMap((x) => [...x]);

/** sum_i c_i (theta_i - target_i)^2 / 2 over all tensors. */
function quadratic(target: ParameterSet, curvature = 1) {
  const loss = (p: ParameterSet): number =>
    (curvature * flat(p).reduce((sum, x, i) => sum + (x - flat(target)[i]!) ** 2, 0)) / 2;
  const gradient = (p: ParameterSet): ParameterSet =>
    Object.fromEntries(
      Object.entries(p).map(([n, x]) => [
        n,
        Float64Array.from(x, (v, i) => curvature * (v - target[n]![i]!)),
      ]),
    );
  return { loss, gradient };
}

const stream = randomStream(3, "realign");
const fused = randomSet(shape, stream);
const target = randomSet(shape, stream);
const { gradient, loss } = quadratic(target);
const own: RealignmentOptions = { fused, gradient, shots: 4, steps: 20, learningRate: 0.3, frozen: "body.*" };

describe("realign", () => {
  test("sgd on a quadratic: every step shrinks the distance by 1 - rate, frozen tensors stay bit for bit", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0.01, max: 1.5, noNaN: true }),
        fc.boolean(),
        async (seed, learningRate, single) => {
          const draw = randomStream(seed, "quadratic");
          const [start, goal] = [randomSet(shape, draw, 1, single), randomSet(shape, draw)];
          start["body.b"]!.set([Number.NaN, -0]);
          const before = structuredClone(start);
          const found = await realign({
            ...own,
            ...quadratic(goal),
            fused: start,
            learningRate,
            loss: undefined,
          } as never).catch((e) => e);
          expect(found.field).toBe("realign.loss");
          const done = await realign({
            ...own,
            gradient: quadratic(goal).gradient,
            fused: start,
            learningRate,
          });
          expect(done).toMatchObject({ step: 20, steps: 20, converged: true, reason: "max-steps" });
          expect(start).toEqual(before);
          for (const name of ["body.w", "body.b"])
            expect(bits(done.parameters[name]!)).toEqual(bits(start[name]!));
          done.parameters["head"]!.forEach((x, i) => {
            const [a, b] = [start["head"]![i]!, goal["head"]![i]!];
            const expected = b + (1 - learningRate) ** 20 * (a - b);
            // the callback sees rounded parameters in single precision
            expect(Math.abs(x - expected)).toBeLessThan(single ? 2e-5 : 1e-12);
          });
          expect(done.parameters["head"]!.constructor).toBe(start["head"]!.constructor);
        },
      ),
      { ...RUNS, numRuns: 50 },
    ));

  test("momentum and adam against their recursions written out", async () => {
    const momentum = await realign({ ...own, frozen: "body.*", momentum: 0.5, steps: 7 });
    const adam = await realign({
      ...own,
      optimizer: "adam",
      beta1: 0.8,
      beta2: 0.9,
      epsilon: 1e-6,
      steps: 7,
    });
    fused["head"]!.forEach((start, i) => {
      let [x, y, v, m, s] = [start, start, 0, 0, 0];
      for (let k = 1; k <= 7; k++) {
        v = 0.5 * v + (x - target["head"]![i]!);
        x -= 0.3 * v;
        const g = y - target["head"]![i]!;
        m = 0.8 * m + 0.2 * g;
        s = 0.9 * s + 0.1 * g * g;
        y -= (0.3 * (m / (1 - 0.8 ** k))) / (Math.sqrt(s / (1 - 0.9 ** k)) + 1e-6);
      }
      expect(momentum.parameters["head"]![i]).toBeCloseTo(x, 12);
      expect(adam.parameters["head"]![i]).toBeCloseTo(y, 10);
    });
  });

  test("is deterministic, and gives the callback copies, the step and the shots", async () => {
    const seen: unknown[] = [];
    const spoiling: RealignmentOptions["gradient"] = async (p, at) => {
      seen.push(at);
      const exact = new Map(Object.entries(gradient(p)).filter(([n]) => n === "head"));
      for (const tensor of Object.values(p)) tensor.fill(Number.NaN);
      return exact;
    };
    const one = await realign({ ...own, gradient: spoiling, steps: 3 });
    const two = await realign({ ...own, steps: 3 });
    expect(flat(one.parameters)).toEqual(flat(two.parameters));
    expect(seen).toEqual([0, 1, 2].map((step) => ({ step, shots: 4 })));
    expect(one.rows.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    const norms = two.rows.map((row) => row.gradientNorm);
    const distance = Math.hypot(...fused["head"]!.map((x, i) => x - target["head"]![i]!));
    [0, 1, 2].forEach((k) => {
      expect(norms[k]).toBeCloseTo(0.7 ** k * distance, 12);
    });
    expect(norms[3]).toBeUndefined();
  });

  test("keeps the best point validated, the first of equal ones", async () => {
    // too large a rate: the loss falls at first in one coordinate only, then grows
    const steep = quadratic(target, 2.2);
    const scores: number[] = [];
    const validate = async (p: ParameterSet) => {
      scores.push(-steep.loss(p));
      return scores.at(-1)!;
    };
    const growing = await realign({ ...own, gradient: steep.gradient, learningRate: 1, validate });
    expect(growing.step).toBe(0);
    expect(farthest(growing.parameters, fused)).toBe(0);
    expect(growing.score).toBe(scores[0]);
    expect(growing.rows.map(({ score }) => score)).toEqual(scores);
    const falling = await realign({ ...own, validate: (p) => -loss(p), validateEvery: 8 });
    expect(falling.rows.filter(({ score }) => score !== undefined).map(({ step }) => step)).toEqual([
      0, 8, 16, 20,
    ]);
    expect(falling).toMatchObject({ step: 20, score: -loss(falling.parameters) });
    expect((await realign({ ...own, validate: () => 1 })).step).toBe(0);
    const none = await realign({ ...own, validate: () => Number.NaN });
    expect(none).toMatchObject({ step: 0, score: -Infinity });
    expect(farthest(none.parameters, fused)).toBe(0);
  });

  test("a gradient that is not finite stops at the last point that had one", async () => {
    for (const bad of [Number.NaN, Infinity]) {
      for (const at of [0, 1, 5]) {
        const broken = await realign({
          ...own,
          gradient: (p, { step }) => (step === at ? { ...gradient(p), head: [0, bad, 0] } : gradient(p)),
        });
        const good = await realign({ ...own, steps: Math.max(0, at - 1) });
        expect(broken).toMatchObject({
          reason: "non-finite-gradient",
          converged: false,
          steps: at,
          step: Math.max(0, at - 1),
        });
        expect(flat(broken.parameters)).toEqual(flat(good.parameters));
      }
    }
    // what is frozen may be anything
    const frozenBad = await realign({ ...own, gradient: (p) => ({ ...gradient(p), "body.w": [] }) });
    expect(frozenBad.reason).toBe("max-steps");
  });

  test("a step that overflows the array type stops", async () => {
    const single = { w: Float32Array.of(1, 2) };
    const found = await realign({
      fused: single,
      gradient: () => ({ w: [1, 1] }),
      shots: 1,
      steps: 5,
      learningRate: 1e39,
    });
    expect(found).toMatchObject({ reason: "non-finite-parameters", step: 0 });
    expect([...found.parameters["w"]!]).toEqual([1, 2]);
    const adam = await realign({
      fused: { w: Float64Array.of(1) },
      gradient: () => ({ w: [1e300] }),
      shots: 1,
      steps: 5,
      learningRate: 1,
      optimizer: "adam",
    });
    expect(Number.isFinite(adam.parameters["w"]![0])).toBe(true);
  });

  test("a signal stops it; no steps give the fused model", async () => {
    const controller = new AbortController();
    const stopping: RealignmentOptions["gradient"] = (p, { step }) => {
      if (step === 2) controller.abort();
      return gradient(p);
    };
    expect(await realign({ ...own, gradient: stopping, signal: controller.signal })).toMatchObject({
      reason: "aborted",
      steps: 3,
      step: 3,
    });
    const none = await realign({ ...own, steps: 0 });
    expect([none.steps, farthest(none.parameters, fused)]).toEqual([0, 0]);
    const all = await realign({ ...own, frozen: "*" });
    expect(farthest(all.parameters, fused)).toBe(0);
  });

  test("wrong gradients are seen: the sign, and a factor 2", async () => {
    const twice = quadratic(target, 2).gradient;
    const right = await realign(own);
    for (const wrong of [(p: ParameterSet) => quadratic(target, -1).gradient(p), twice]) {
      const found = await realign({ ...own, gradient: wrong });
      expect(farthest(found.parameters, right.parameters)).toBeGreaterThan(1e-4);
    }
    expect(loss(right.parameters)).toBeLessThan(loss(fused));
  });

  test("refuses by tensor and field", async () => {
    const at = (change: object) => fieldOf(() => realign({ ...own, ...change }));
    expect(await at({ gradient: () => ({}) })).toBe('gradient["head"]');
    expect(await at({ gradient: () => ({ head: [1, 2] }) })).toBe('gradient["head"]');
    expect(await at({ gradient: () => ({ head: [1, 2, "3"] }) })).toBe('gradient["head"][2]');
    expect(await at({ gradient: () => ({ head: [1, 2, 3], tail: [1] }) })).toBe('gradient["tail"]');
    expect(await at({ gradient: () => 1 })).toBe("gradient");
    expect(await at({ gradient: 1 })).toBe("gradient");
    expect(await at({ fused: { ...fused, head: Float64Array.of(1, Number.NaN, 2) } })).toBe(
      'fused["head"][1]',
    );
    expect(await at({ learningRate: 0 })).toBe("learningRate");
    expect(await at({ shots: 0 })).toBe("shots");
    expect(await at({ steps: -1 })).toBe("steps");
    expect(await at({ optimizer: "lion" })).toBe("optimizer");
    expect(await at({ beta1: 0.9 })).toBe("beta1");
    expect(await at({ momentum: 1 })).toBe("momentum");
    expect(await at({ optimizer: "adam", momentum: 0.5 })).toBe("momentum");
    expect(await at({ validate: () => "good" })).toBe("validate");
    expect(await at({ frozen: "tail" })).toBe("frozen");
    expect(await at({ rate: 1 })).toBe("realign.rate");
  });
});
