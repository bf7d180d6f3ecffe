import { describe, expect, test } from "vitest";
import { randomStream } from "../../../src/core/index.ts";
import type { ComplexMatrix } from "../../../src/linalg/index.ts";
import {
  allOf,
  anyOf,
  armijo,
  assertSolved,
  augmentedLagrangian,
  complexCircle,
  complexEuclidean,
  complexSphere,
  conjugateGradient,
  describeReason,
  gradientDescent,
  gradientNorm,
  iterate,
  lbfgs,
  maxIterations,
  maxTime,
  minimize,
  multiStart,
  type Problem,
  type Row,
  relativeDecrease,
  resume,
  resumeIterating,
  type Solver,
  type StopReason,
  snapshot,
  strongWolfe,
  trustRegions,
} from "../../../src/manifold/index.ts";
import { cplx, gramOf, herm, moduliOne, orthonormal, quadratic } from "./support.ts";

const problem = quadratic(complexSphere(12), herm(cplx(12, 12, 3)), 1);
const x0 = orthonormal(12, 1, 9);
const solver = lbfgs();

describe("the driver", () => {
  test("iterates: first x0, then every row with a point that stays as it is", () => {
    const run = iterate(problem, x0, { solver });
    const seen: { row: Row; point: ComplexMatrix }[] = [];
    let reason: StopReason | undefined;
    let next = run.next();
    for (; next.done !== true; next = run.next()) {
      seen.push(next.value);
      reason = next.value.reason;
    }
    const result = minimize(problem, x0, { solver });
    expect(next.value).toEqual(result);
    expect(reason).toBe("gradient-norm");
    expect(seen.map(({ row }) => row)).toEqual(result.rows);
    for (const { row, point } of seen) expect(problem.cost(point)).toBe(row.cost);
    expect(seen[0]!.point.data).toEqual(x0.data);
    expect(seen.at(-1)!.point).toEqual(result.point);
  });

  test("progress, records, clock, signal", () => {
    const rows: Row[] = [];
    let time = 0;
    const clock = (): number => (time += 5);
    const result = minimize(problem, x0, {
      solver,
      record: false,
      onProgress: (row) => rows.push(row),
      clock,
    });
    expect(result.rows).toEqual([]);
    expect(rows.map((row) => row.elapsed)).toEqual(rows.map((_, i) => 5 * (i + 1)));
    expect(rows.length).toBe(result.iterations + 1);
    expect(minimize(problem, x0, { solver }).rows[0]).not.toHaveProperty("elapsed");
    const timed = minimize(problem, x0, { solver, stop: maxTime(12), clock });
    expect(timed).toMatchObject({ reason: "max-time", iterations: 2, converged: false });
    const controller = new AbortController();
    const onProgress = ({ iteration }: Row): void => {
      if (iteration === 3) controller.abort();
    };
    const aborted = minimize(problem, x0, { solver, onProgress, signal: controller.signal });
    expect(aborted).toMatchObject({ reason: "aborted", iterations: 3, converged: false });
  });

  test("stopping rules", () => {
    const at = (stop: ReturnType<typeof anyOf>, with_: Solver = solver) =>
      minimize(problem, x0, { solver: with_, stop });
    expect(at(maxIterations(0)).iterations).toBe(0);
    expect(at(anyOf(maxIterations(4), gradientNorm(1e-6)))).toMatchObject({
      reason: "max-iterations",
      iterations: 4,
    });
    for (const each of [
      solver,
      trustRegions({ initialRadius: 1.2 }),
      gradientDescent(),
      conjugateGradient(),
    ]) {
      const loose = at(relativeDecrease(1e-3), each);
      expect(loose).toMatchObject({ reason: "relative-decrease", converged: true });
      const [before, last] = loose.rows.slice(-2);
      expect(before!.cost - last!.cost).toBeLessThanOrEqual(1e-3 * Math.abs(last!.cost));
    }
    expect(at(allOf(maxIterations(2), gradientNorm(1e-3))).gradientNorm).toBeLessThanOrEqual(1e-3);
    expect(at(({ iteration }) => (iteration === 2 ? "custom" : undefined)).reason).toBe("custom");
    expect(() => at(maxTime(5))).toThrow("clock: found nothing");
    expect(() => allOf()).toThrow("at least one rule");
  });

  test("assertSolved and sentences", () => {
    expect(() => assertSolved(minimize(problem, x0, { solver }))).not.toThrow();
    const short = minimize(problem, x0, { solver, stop: maxIterations(1) });
    expect(() => assertSolved(short)).toThrow(/^The iterations ran out .* after 1 iterations\)$/);
    expect(describeReason("aborted")).toBe("The caller aborted the run.");
  });

  test("bad input is named at once", () => {
    const call = (change: object, options: object = {}, start: unknown = x0) =>
      minimize({ ...problem, ...change } as Problem<ComplexMatrix>, start as ComplexMatrix, {
        solver,
        ...options,
      });
    expect(() => call({ cost: 3 })).toThrow("problem.cost: found 3");
    expect(() => call({ hesian: () => x0 })).toThrow("problem.hesian: found an unknown option");
    expect(() => call({ gradientKind: "wirtinger" })).toThrow("problem.gradientKind");
    expect(() => call({ equalities: [{}] })).toThrow("problem.equalities[0]");
    expect(() => call({ inequalities: 3 })).toThrow("problem.inequalities");
    expect(() => call({ inequalities: [{ value: () => 0, gradient: () => x0 }] })).toThrow(
      "expected augmentedLagrangian()",
    );
    expect(() => call({}, { solver: "lbfgs" })).toThrow('solver: found "lbfgs"');
    expect(() => call({}, { stop: 5 })).toThrow("stop: found 5");
    expect(() => call({}, { tolerance: 5 })).toThrow("options.tolerance: found an unknown option");
    expect(() => call({}, {}, cplx(12, 1, 3))).toThrow("x0: found a point off the manifold");
    expect(() => call({}, {}, cplx(11, 1, 3))).toThrow("x0: found a 11 x 1 matrix");
    expect(() => call({ gradient: () => cplx(11, 1, 3) })).toThrow("problem.gradient(x): found a 11 x 1");
    expect(() => lbfgs({ lineSearch: "armijo" as never })).toThrow("lbfgs.lineSearch");
    expect(() => lbfgs({ memory: 0 })).toThrow("lbfgs.memory");
    expect(() => lbfgs({ history: 3 } as object)).toThrow("lbfgs.history");
    expect(() => gradientDescent({ step: "wolfe" as "armijo" })).toThrow("gradientDescent.step");
    expect(() => conjugateGradient({ beta: "none" as "dai-yuan" })).toThrow("conjugateGradient.beta");
    expect(() => conjugateGradient({ restart: Number.NaN })).toThrow("conjugateGradient.restart");
    expect(() => trustRegions({ initialRadius: 2, maxRadius: 1 })).toThrow("trustRegions.initialRadius");
    expect(() => trustRegions({ accept: 0.5 })).toThrow("trustRegions.accept");
    expect(() => armijo({ decrease: 0.9 })).toThrow("armijo.decrease");
    expect(() => strongWolfe({ decrease: 0.3, curvature: 0.2 })).toThrow("strongWolfe.curvature");
    expect(() => augmentedLagrangian({ solver: augmentedLagrangian() })).toThrow(
      "augmentedLagrangian.solver",
    );
  });
});

describe("saving", () => {
  test("an aborted run goes on from JSON", () => {
    const long = minimize(problem, x0, { solver: trustRegions() });
    const run = iterate(problem, x0, { solver: trustRegions(), stop: maxIterations(2) });
    let text = "";
    for (const iteration of run)
      if (iteration.reason !== undefined) text = JSON.stringify(snapshot(iteration));
    expect(JSON.parse(text)).toMatchObject({
      format: "airfold run",
      formatVersion: 1,
      solver: "trust regions",
    });
    const result = resume(problem, JSON.parse(text), { solver: trustRegions() });
    expect(result.rows).toEqual(long.rows.slice(2));
    expect({ ...result, rows: [] }).toEqual({ ...long, rows: [] });
    const steps = [...resumeIterating(problem, JSON.parse(text), { solver: trustRegions() })];
    expect(steps.map(({ row }) => row)).toEqual(result.rows);
  });

  test("what does not fit is refused", () => {
    const [first, second] = iterate(problem, x0, { solver });
    expect(() => snapshot(first!)).toThrow("an iterate that the run has left");
    expect(second!.row.iteration).toBe(1);
    const saved = snapshot(iterate(problem, x0, { solver }).next().value as typeof first & object);
    expect(() => resume(problem, saved, { solver: trustRegions() })).toThrow("snapshot.solver");
    expect(() => resume(problem, saved, { solver: lbfgs({ memory: 3 }) })).toThrow("snapshot.solver");
    const other = quadratic(complexSphere(13), herm(cplx(13, 13, 3)), 1);
    expect(() => resume(other, saved, { solver })).toThrow("snapshot.manifold");
    expect(() => resume(problem, { ...saved, formatVersion: 2 as 1 }, { solver })).toThrow("snapshot");
    expect(() => resume(problem, { ...saved, state: { x: [1] } }, { solver })).toThrow("snapshot.state");
  });
});

describe("several starts", () => {
  const manifold = complexCircle(24);
  const rough = quadratic(manifold, gramOf(cplx(24, 24, 14)), -1);

  test("the best of seeded starts; more starts begin with the same ones", () => {
    const few = multiStart(rough, { starts: 4, seed: 7, solver });
    const many = multiStart(rough, { starts: 8, seed: 7, solver });
    expect(many.starts.slice(0, 4)).toEqual(few.starts);
    expect(new Set(many.starts.map(({ cost }) => cost.toFixed(6))).size).toBeGreaterThan(1);
    expect(many.best.cost).toBe(Math.min(...many.starts.map(({ cost }) => cost)));
    expect(many.starts[many.bestStart]!.cost).toBe(many.best.cost);
    expect(multiStart(rough, { starts: 4, seed: 8, solver }).starts).not.toEqual(few.starts);
  });

  test("a start without a finite cost is never the best", () => {
    const holes: Problem<ComplexMatrix> = {
      ...rough,
      cost: (x) => (x.data[0]! > 0 ? Number.NEGATIVE_INFINITY : rough.cost(x)),
    };
    const { best, starts } = multiStart(holes, { starts: 6, seed: 3, solver });
    expect(new Set(starts.map(({ reason }) => reason)).has("bad-start")).toBe(true);
    expect(Number.isFinite(best.cost)).toBe(true);
  });

  test("given starts, own draws, abortion", () => {
    const starts = [moduliOne(cplx(24, 1, 1)), manifold.randomPoint(randomStream(3))];
    const given = multiStart(rough, { starts, solver });
    expect(given.starts.map(({ cost }) => cost)).toEqual(
      starts.map((start) => minimize(rough, start, { solver }).cost),
    );
    const draw = (): ComplexMatrix => starts[0]!;
    const drawn = multiStart(rough, { starts: 2, seed: 1, draw, solver });
    expect(drawn.starts[1]).toEqual({ ...drawn.starts[0], start: 1 });
    expect(drawn.bestStart).toBe(0);
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const aborted = multiStart(rough, { starts: 5, seed: 1, solver, onProgress, signal: controller.signal });
    expect(aborted.starts.length).toBe(1);
    expect(aborted.best.reason).toBe("aborted");
    expect(() => multiStart(rough, { starts: 3, solver })).toThrow("seed");
    expect(() => multiStart(rough, { starts: [], solver })).toThrow("starts");
    expect(() => multiStart(rough, { starts: 0, seed: 1, solver })).toThrow("starts");
  });
});

test("buffers that a problem reuses, points that it must not change", () => {
  const manifold = complexEuclidean(3, 1);
  const buffer = new Float64Array(6);
  const target = cplx(3, 1, 5);
  const reusing: Problem<ComplexMatrix> = {
    manifold,
    cost: ({ data }) => data.reduce((sum, value, i) => sum + (value - target.data[i]!) ** 4, 0),
    gradient: ({ data }) => {
      for (let i = 0; i < 6; i++) buffer[i] = 4 * (data[i]! - target.data[i]!) ** 3;
      return { rows: 3, cols: 1, data: buffer };
    },
  };
  const fresh: Problem<ComplexMatrix> = {
    ...reusing,
    gradient: (x) => ({ rows: 3, cols: 1, data: reusing.gradient(x).data.slice() }),
  };
  const start = cplx(3, 1, 8);
  const before = start.data.slice();
  for (const each of [solver, trustRegions(), conjugateGradient(), gradientDescent()]) {
    expect(minimize(reusing, start, { solver: each })).toEqual(minimize(fresh, start, { solver: each }));
    expect(start.data).toEqual(before);
  }
});
