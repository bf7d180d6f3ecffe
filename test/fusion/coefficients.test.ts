import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import { type CoefficientOptions, fuse, selectCoefficients } from "../../src/fusion/index.ts";
import { farthest, fieldOf, lengths, randomSet } from "./task-support.ts";

const stream = randomStream(1, "coefficients");
const base = randomSet(lengths, stream);
const taskVectors = [0, 1, 2].map(() => randomSet(lengths, stream));

/** A concave score of the coefficients, its maximum on the grid. */
const goal = [0.4, -0.2, 0.8];
const score: CoefficientOptions["score"] = (_, lambda) =>
  -lambda.reduce((sum, x, t) => sum + (x - goal[t]!) ** 2, 0) - 0.5 * (lambda[0]! - 0.4) * (lambda[2]! - 0.8);
const values = [-0.2, 0, 0.2, 0.4, 0.6, 0.8];
const own: CoefficientOptions = { base, taskVectors, score, values };

describe("selectCoefficients", () => {
  test("common: the best value for all; parameters are the fusion at it", async () => {
    const found = await selectCoefficients(own);
    const scores = values.map((v) => score(base, Float64Array.of(v, v, v)) as number);
    const best = values[scores.indexOf(Math.max(...scores))]!;
    expect([...found.coefficients]).toEqual([best, best, best]);
    expect(found).toMatchObject({ reason: "searched", converged: true, score: Math.max(...scores) });
    expect(farthest(found.parameters, fuse({ base, taskVectors, coefficients: best }))).toBe(0);
    expect(found.rows.map(({ score: s }) => s)).toEqual(scores);
    const plain = await selectCoefficients({ base, taskVectors, score });
    expect(plain.rows.map(({ coefficients }) => coefficients[0])).toEqual([
      0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1,
    ]);
  });

  test("grid: all combinations, the best of them; coordinate finds it with fewer", async () => {
    const grid = await selectCoefficients({ ...own, search: "grid" });
    expect(grid.rows).toHaveLength(values.length ** 3);
    expect([...grid.coefficients]).toEqual(goal);
    const turns = await selectCoefficients({
      ...own,
      search: "coordinate",
      score: async (...args) => score(...args),
    });
    expect([...turns.coefficients]).toEqual(goal);
    expect(turns.reason).toBe("no-change");
    expect(turns.rows.length).toBeLessThan(60);
    const keys = turns.rows.map(({ coefficients }) => coefficients.join());
    expect(new Set(keys).size).toBe(keys.length);
    expect(await selectCoefficients({ ...own, search: "coordinate" })).toEqual(turns);
    const started = await selectCoefficients({ ...own, search: "coordinate", start: goal });
    expect(started.rows).toHaveLength(1 + 3 * (values.length - 1));
    const short = await selectCoefficients({ ...own, search: "coordinate", maxSweeps: 1 });
    expect(short).toMatchObject({ converged: false, reason: "max-sweeps" });
  });

  test("ties stay with the first, scores that are not finite are never chosen", async () => {
    expect((await selectCoefficients({ ...own, score: () => 1 })).coefficients[0]).toBe(-0.2);
    const gaps = await selectCoefficients({
      ...own,
      score: (_, lambda) => (lambda[0]! < 0.5 ? Number.NaN : lambda[0]!),
    });
    expect(gaps.coefficients[0]).toBe(0.8);
    const none = await selectCoefficients({ ...own, search: "coordinate", score: () => Infinity });
    expect(none).toMatchObject({ score: -Infinity, converged: false, reason: "no-finite-score" });
  });

  test("gives copies, refuses", async () => {
    const spoiled = await selectCoefficients({
      ...own,
      score: (parameters, lambda) => {
        const s = score(parameters, lambda) as number;
        lambda.fill(9);
        for (const tensor of Object.values(parameters)) tensor.fill(9);
        return s;
      },
    });
    expect(farthest(spoiled.parameters, (await selectCoefficients(own)).parameters)).toBe(0);
    const at = (change: object) => fieldOf(() => selectCoefficients({ ...own, ...change }));
    expect(await at({ score: 1 })).toBe("score");
    expect(await at({ score: () => "1" })).toBe("score");
    expect(await at({ values: [] })).toBe("values");
    expect(await at({ search: "grid", maxEvaluations: 10 })).toBe("values");
    expect(await at({ search: "random" })).toBe("search");
    expect(await at({ start: [1] })).toBe("start");
    expect(await at({ coefficients: 1 })).toBe("selectCoefficients.coefficients");
  });
});
