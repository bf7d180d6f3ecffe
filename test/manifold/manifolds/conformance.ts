import fc from "fast-check";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { InputError, type RandomStream, randomStream } from "../../../src/core/index.ts";
import type { Manifold } from "../../../src/manifold/index.ts";
import { checkGradient, checkHessian, checkManifold, checkRetraction } from "../../../src/manifold/index.ts";
import { manifoldPoint, manifoldTangent } from "../../../src/testing/index.ts";
import { type Flat, quartic, toFlat } from "./quartic.ts";

export interface Expectations {
  readonly dimension: number;
  /** 2: the error against the exponential falls with t^3 (or is rounding); 1: with t^2. */
  readonly order: 1 | 2;
  readonly isometric?: boolean;
  readonly exp?: boolean;
  readonly log?: boolean;
  /** Default "geodesic": d(x, Exp(u)) = |u|. "chordal": less, by a factor 1 - O(|u|^2). */
  readonly distance?: "geodesic" | "chordal";
  /** Norm of tangents whose exponential the logarithm has to find again; default 1. */
  readonly reach?: number;
  /** Step of the long walk; default 0.3. */
  readonly step?: number;
  /** Quotients: the shapes of the blocks whose column spaces alone count. */
  readonly blocks?: readonly (readonly [number, number])[];
}

/** Worst values seen, by property; printed with SHOW_WORST=1. */
export const worst: Record<string, number> = {};
function note(property: string, value: number): number {
  if (!(value <= (worst[property] ?? Number.NEGATIVE_INFINITY))) worst[property] = value;
  return value;
}

const norm = (a: ArrayLike<number>): number => Math.hypot(...Array.from(a));
const minus = (a: Flat, b: Flat, factor = 1): Flat => a.map((value, i) => value - factor * b[i]!);
const scaled = (a: Flat, factor: number): Flat => a.map((value) => factor * value);

/** Everything a manifold keeps. One `describe` per manifold. */
export function testManifold<P>(name: string, factory: () => Manifold<P>, expectations: Expectations): void {
  const manifold = factory();
  const { kernels } = manifold;
  const { size, dimension } = kernels;
  const flat = (point: P): Flat => toFlat(manifold, point);
  const view = (a: Flat): P => manifold.view(a);
  const member = 1e-13 * Math.sqrt(size / 2);
  const { exp, log } = manifold;
  const reach = expectations.reach ?? 1;
  const start = (seed: number): { stream: RandomStream; x: P; u: P; v: P } => {
    const stream = randomStream(seed, name);
    const x = manifold.randomPoint(stream);
    return { stream, x, u: manifold.randomTangent(x, stream), v: manifold.randomTangent(x, stream) };
  };
  const ambient = (stream: RandomStream): Flat => new Float64Array(size).map(() => stream.normal());

  describe(name, () => {
    it("is described as expected", () => {
      expect(manifold.dimension).toBe(expectations.dimension);
      expect(Object.isFrozen(manifold)).toBe(true);
      expect(exp !== undefined).toBe(expectations.exp ?? true);
      expect(log !== undefined).toBe(expectations.log ?? true);
    });

    it("stays on itself: random points, retractions, exponentials", () => {
      fc.assert(
        fc.property(manifoldTangent(manifold, { length: 2 }), ({ point, tangent }) => {
          expect(note("member", manifold.checkPoint(point) / Math.sqrt(size / 2))).toBeLessThan(1e-13);
          const y = manifold.retract(point, tangent);
          expect(note("member", manifold.checkPoint(y) / Math.sqrt(size / 2))).toBeLessThan(1e-13);
          if (exp !== undefined) {
            const z = exp(point, tangent);
            expect(note("member", manifold.checkPoint(z) / Math.sqrt(size / 2))).toBeLessThan(1e-13);
          }
        }),
        { seed: 1, numRuns: 50 },
      );
    });

    it("stays on itself for 10^4 retractions in a row", () => {
      const stream = randomStream(2, name);
      let [x, y] = [new Float64Array(size), new Float64Array(size)];
      const u = new Float64Array(size);
      kernels.randomPoint(0, x, stream);
      for (let i = 0; i < 10_000; i++) {
        kernels.randomTangent(0, u, x, stream);
        kernels.retract(0, y, x, u, expectations.step ?? 0.3);
        [x, y] = [y, x];
      }
      expect(note("member after 10^4", kernels.pointResidual(0, x))).toBeLessThan(member);
    });

    it("has random tangents of norm 1", () => {
      for (let seed = 0; seed < 5; seed++) {
        const { x, u } = start(seed);
        expect(note("tangent", manifold.checkVector(x, u))).toBeLessThan(member);
        expect(Math.abs(manifold.norm(x, u) - (dimension === 0 ? 0 : 1))).toBeLessThan(member);
      }
    });

    it("projects: tangent, idempotent, self-adjoint", () => {
      for (let seed = 0; seed < 5; seed++) {
        const { x, u, stream } = start(seed);
        const [a, b] = [ambient(stream), ambient(stream)];
        const [pa, pb] = [manifold.project(x, view(a)), manifold.project(x, view(b))];
        expect(note("projection tangent", manifold.checkVector(x, pa))).toBeLessThan(member);
        const again = flat(manifold.project(x, pa));
        expect(note("idempotent", norm(minus(again, flat(pa))) / norm(a))).toBeLessThan(member);
        const dot = (p: Flat, q: Flat): number => p.reduce((sum, value, i) => sum + value * q[i]!, 0);
        const asymmetry = Math.abs(dot(flat(pa), b) - dot(a, flat(pb))) / (norm(a) * norm(b));
        expect(note("self-adjoint", asymmetry)).toBeLessThan(member);
        expect(norm(minus(flat(manifold.project(x, u)), flat(u)))).toBeLessThan(member);
      }
    });

    it("has a symmetric positive metric, and as many dimensions as independent tangents", () => {
      const { x, stream } = start(3);
      const count = dimension + 4;
      const tangents = Array.from({ length: count }, () => manifold.randomTangent(x, stream));
      const gram = new Matrix(count, count);
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < count; j++) gram.set(i, j, manifold.inner(x, tangents[i]!, tangents[j]!));
      }
      expect(note("metric symmetry", Matrix.sub(gram, gram.transpose()).norm())).toBeLessThan(1e-13 * count);
      const symmetric = Matrix.add(gram, gram.transpose()).mul(0.5);
      const values = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true }).realEigenvalues;
      const largest = Math.max(...values, 0);
      expect(values.filter((value) => value > 1e-9 * largest).length).toBe(dimension);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(-1e-13 * count);
    });

    it("retracts: R(0) = x, and of the order claimed", () => {
      const { x } = start(4);
      const zero = view(new Float64Array(size));
      expect(note("R(0)", norm(minus(flat(manifold.retract(x, zero)), flat(x))))).toBeLessThan(10 * member);
      for (let seed = 0; seed < 3; seed++) {
        const check = checkRetraction(manifold, { seed });
        expect(check.passed, JSON.stringify(check)).toBe(true);
        if (expectations.exp === false) continue;
        if (expectations.order === 2) expect(check.rounding || check.slope >= 2.9).toBe(true);
        else if (dimension > 0 && !check.rounding) expect(check.slope).toBeGreaterThan(1.9);
        if (!check.rounding) note(`-retraction slope, order ${expectations.order}`, -check.slope);
      }
    });

    it("gives finite points of itself or NaN for steps of any length", () => {
      const { x, u } = start(5);
      const y = new Float64Array(size);
      for (const t of [1e3, -1e3, 1e8, 1e16, 1e100, 1e200, 1e308, -1e308, 1e-300]) {
        for (const move of [kernels.retract, kernels.exp]) {
          move?.(0, y, flat(x), flat(u), t);
          if (y.every(Number.isFinite)) expect(kernels.pointResidual(0, y)).toBeLessThan(1e-12);
          else expect(y.some(Number.isNaN)).toBe(true);
        }
      }
    });

    it("transports to tangents, linearly, and isometrically if claimed", () => {
      for (let seed = 0; seed < 4; seed++) {
        const { x, u: unit, v } = start(seed);
        const u = view(scaled(flat(unit), [1, 0.3, 1e-7, 3][seed]!));
        const y = manifold.retract(x, u);
        const [tv, tu] = [manifold.transport(x, u, v), manifold.transport(x, u, unit)];
        expect(note("transport tangent", manifold.checkVector(y, tv))).toBeLessThan(member);
        const sum = view(minus(flat(v), flat(unit), -2));
        const linear = minus(minus(flat(manifold.transport(x, u, sum)), flat(tv)), flat(tu), 2);
        expect(norm(linear)).toBeLessThan(1e-12);
        if (expectations.isometric === true && dimension > 0) {
          const kept = Math.max(
            Math.abs(manifold.inner(y, tv, tv) - manifold.inner(x, v, v)),
            Math.abs(manifold.inner(y, tv, tu) - manifold.inner(x, v, unit)),
          );
          expect(note("isometry", kept)).toBeLessThan(1e-12);
        }
      }
      const { x, v } = start(6);
      const still = flat(manifold.transport(x, view(new Float64Array(size)), v));
      expect(norm(minus(still, flat(v)))).toBeLessThan(10 * member);
    });

    it("measures distances, also tiny ones", () => {
      for (let seed = 0; seed < 3; seed++) {
        const { x, u } = start(seed);
        expect(manifold.distance(x, x)).toBeLessThan(1e-15 * size);
        if (exp === undefined || dimension === 0) continue;
        for (const t of [1e-8, 1e-7, 1e-6, 1e-3, 0.5]) {
          const y = exp(x, u, t);
          const found = manifold.distance(x, y);
          const bend = expectations.distance === "chordal" ? t * t : 0;
          // a point has an absolute error of a few units of rounding itself
          expect(note("distance", Math.abs(found - t) - bend * t)).toBeLessThan(3e-16 * size + 1e-14 * t);
          expect(Math.abs(manifold.distance(y, x) - found)).toBeLessThan(3e-16 * size);
        }
      }
    });

    it("inverts the exponential by the logarithm", () => {
      if (exp === undefined || log === undefined) return;
      for (let seed = 0; seed < 4; seed++) {
        const { x, u: unit } = start(seed);
        for (const t of [1e-8, 1e-4, 0.5 * reach, reach]) {
          const u = scaled(flat(unit), t);
          const found = log(x, exp(x, view(u)));
          const error = view(minus(flat(found), u));
          expect(note("log of exp", manifold.norm(x, error))).toBeLessThan(1e-13 * size);
          if (dimension > 0 && t > 1e-3) expect(manifold.checkVector(x, found)).toBeLessThan(member);
        }
        // any two random points
        const y = start(seed + 100).x;
        const there = exp(x, log(x, y));
        expect(note("exp of log", manifold.distance(there, y))).toBeLessThan(1e-12 * size);
      }
    });

    it("converts gradients and Hessians: against differences of a generic quartic cost", () => {
      const problem = quartic(manifold, expectations.blocks);
      for (let seed = 0; seed < 2; seed++) {
        const gradient = checkGradient(problem, { seed });
        expect(gradient.passed, JSON.stringify(gradient)).toBe(true);
        if (!gradient.rounding) note("-gradient slope", -gradient.slope);
        const hessian = checkHessian(problem, { seed });
        expect(hessian.passed, JSON.stringify(hessian)).toBe(true);
        if (!hessian.rounding) note("-hessian slope", -hessian.slope);
        note("hessian symmetry", hessian.symmetryResidual);
        expect(hessian.symmetryResidual).toBeLessThan(1e-12);
        expect(checkHessian(problem, { seed, along: "retraction" }).passed).toBe(true);

        const { x, u } = start(seed);
        const g = problem.gradient(x);
        const grad = manifold.gradient(x, g);
        expect(manifold.checkVector(x, grad)).toBeLessThan(1e-12);
        const t = 1e-5;
        const rise =
          (problem.cost(manifold.retract(x, u, t)) - problem.cost(manifold.retract(x, u, -t))) / (2 * t);
        expect(Math.abs(rise - manifold.inner(x, grad, u))).toBeLessThan(1e-7);
        if (exp === undefined) continue;
        const s = 1e-3;
        const bend =
          (problem.cost(exp(x, u, s)) - 2 * problem.cost(x) + problem.cost(exp(x, u, -s))) / (s * s);
        const hess = manifold.hessian(x, g, problem.hessian(x, u), u);
        expect(Math.abs(bend - manifold.inner(x, hess, u))).toBeLessThan(1e-4);
      }
    });

    it("passes its own checker", () => {
      const check = checkManifold(manifold, { seed: 1, samples: 2 });
      expect(check.failures).toEqual([]);
      if (dimension <= 256) expect(check.rank).toBe(dimension);
      if (expectations.isometric === true) expect(check.isometryResidual).toBeLessThan(1e-12);
    });

    it("does not write to its arguments, and gives fresh results", () => {
      const { x, u, v, stream } = start(7);
      const z = view(ambient(stream));
      const y = manifold.retract(x, u);
      const values = [x, u, v, z, y];
      const before = values.map(flat);
      const results: P[] = [
        manifold.project(x, z),
        manifold.gradient(x, z),
        manifold.hessian(x, z, z, u),
        manifold.retract(x, u, 0.5),
        manifold.transport(x, u, v),
        manifold.randomTangent(x, stream),
        ...(exp === undefined ? [] : [exp(x, u)]),
        ...(log === undefined ? [] : [log(x, y)]),
      ];
      manifold.inner(x, u, v);
      manifold.norm(x, u);
      manifold.distance(x, y);
      manifold.checkPoint(x);
      manifold.checkVector(x, z);
      expect(values.map(flat)).toEqual(before);
      const kept = results.map(flat);
      manifold.project(x, view(ambient(stream)));
      manifold.retract(x, v);
      expect(results.map(flat)).toEqual(kept);
    });

    it("has kernels that work at any offset, and in place", () => {
      const { x, u, v, stream } = start(8);
      const at = 6;
      const shifted = (a: Flat): Flat => {
        const out = new Float64Array(size + 11).fill(Number.NaN);
        out.set(a, at);
        return out;
      };
      const back = (a: Flat): Flat => a.slice(at, at + size);
      const [z, h] = [ambient(stream), ambient(stream)];
      const X = (): Flat => shifted(flat(x));
      for (const name of ["x", "z"] as const) {
        const arrays = { x: X(), z: shifted(z) };
        kernels.project(at, arrays[name], arrays.x, arrays.z);
        expect(back(arrays[name])).toEqual(flat(manifold.project(x, view(z))));
      }
      for (const name of ["x", "g"] as const) {
        const arrays = { x: X(), g: shifted(z) };
        kernels.toGradient(at, arrays[name], arrays.x, arrays.g);
        expect(back(arrays[name])).toEqual(flat(manifold.gradient(x, view(z))));
      }
      for (const name of ["x", "g", "h", "u"] as const) {
        const arrays = { x: X(), g: shifted(z), h: shifted(h), u: shifted(flat(u)) };
        kernels.toHessian(at, arrays[name], arrays.x, arrays.g, arrays.h, arrays.u);
        expect(back(arrays[name])).toEqual(flat(manifold.hessian(x, view(z), view(h), u)));
      }
      const y = new Float64Array(size + 11);
      kernels.retract(at, y, X(), shifted(flat(u)), 1);
      expect(back(y)).toEqual(flat(manifold.retract(x, u)));
      const moved = shifted(flat(v));
      kernels.transport(at, moved, moved, X(), shifted(flat(u)), 1, y);
      expect(back(moved)).toEqual(flat(manifold.transport(x, u, v)));
      expect(moved.subarray(0, at).every(Number.isNaN)).toBe(true);
      expect(moved.subarray(at + size).every(Number.isNaN)).toBe(true);
    });

    it("refuses wrong arguments by name", () => {
      const { x, u } = start(9);
      const wrong = {} as P;
      const fieldOf = (call: () => unknown): string => {
        try {
          call();
        } catch (error) {
          if (error instanceof InputError) return error.field.split(".")[0]!;
          throw error;
        }
        return "nothing thrown";
      };
      expect(fieldOf(() => manifold.inner(wrong, u, u))).toBe("x");
      expect(fieldOf(() => manifold.inner(x, wrong, u))).toBe("u");
      expect(fieldOf(() => manifold.inner(x, u, wrong))).toBe("v");
      expect(fieldOf(() => manifold.distance(x, wrong))).toBe("y");
      expect(fieldOf(() => manifold.project(x, wrong))).toBe("z");
      expect(fieldOf(() => manifold.gradient(x, wrong))).toBe("euclideanGradient");
      expect(fieldOf(() => manifold.hessian(x, u, wrong, u))).toBe("euclideanHessian");
      expect(fieldOf(() => manifold.hessian(x, u, u, wrong))).toBe("u");
      expect(fieldOf(() => manifold.retract(x, u, Number.NaN))).toBe("t");
      expect(fieldOf(() => manifold.transport(x, u, wrong))).toBe("v");
      expect(fieldOf(() => manifold.checkPoint(null as P))).toBe("x");
      const broken = flat(x);
      broken[0] = Number.POSITIVE_INFINITY;
      expect(fieldOf(() => manifold.checkPoint(view(broken)))).toBe("x");
    });

    it("draws the same points from the same seed", () => {
      expect(flat(start(11).u)).toEqual(flat(start(11).u));
      fc.assert(
        fc.property(manifoldPoint(manifold), (point) => manifold.checkPoint(point) < member),
        { seed: 5, numRuns: 10 },
      );
    });
  });
}
