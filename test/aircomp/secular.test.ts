import fc from "fast-check";
import { expect, test } from "vitest";
import { powerMultiplier } from "../../src/aircomp/secular.ts";
import { runs } from "./support.ts";

/** w^2 sum_i l_i / (l_i + nu)^2 over l_i > 0. */
function sentPower(l: readonly number[], nu: number, weight: number): number {
  return l.reduce((sum, x) => (x > 0 ? sum + (weight / (x + nu)) * (weight / (x + nu)) * x : sum), 0);
}

/** The root by bisection of log nu: slow, and with nothing in common with the Newton iteration under test. */
function bisection(l: readonly number[], weight: number, budget: number): number {
  if (sentPower(l, 0, weight) <= budget) return 0;
  let low = -400;
  let high = 400;
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (sentPower(l, 10 ** middle, weight) > budget) low = middle;
    else high = middle;
  }
  return 10 ** high;
}

const eigenvalue = fc.oneof(
  fc.constantFrom(0, 1, 1e-30, 1e30),
  fc.double({ min: -30, max: 30, noNaN: true }).map((x) => 10 ** x),
  fc.integer({ min: 1, max: 5 }),
);
const spread = fc.array(eigenvalue, { minLength: 1, maxLength: 40 });
const narrow = fc.array(fc.double({ min: 0.5, max: 2, noNaN: true }), { minLength: 1, maxLength: 256 });
const budgets = fc.double({ min: -30, max: 30, noNaN: true }).map((x) => 10 ** x);
const weights = fc.constantFrom(1, 1 / 3, 1e-3, 1e-12);

test.each([
  ["spread over 60 decades", spread],
  ["close together", narrow],
] as const)("agrees with bisection and exhausts the budget: eigenvalues %s", (_, lists) => {
  fc.assert(
    fc.property(lists, weights, budgets, (l, weight, budget) => {
      const nu = powerMultiplier(Float64Array.from(l), Float64Array.from(l), l.length, weight, budget);
      const expected = bisection(l, weight, budget);
      if (nu === 0 || expected === 0) {
        // at the switch itself both are right
        const unconstrained = sentPower(l, 0, weight);
        if (nu !== expected) expect(Math.abs(unconstrained / budget - 1)).toBeLessThan(1e-13);
        return;
      }
      const sent = sentPower(l, nu, weight);
      expect(Math.abs(sent / budget - 1)).toBeLessThan(1e-13);
      // the root is as well determined as the power: d nu = d f / f'
      const slope = l.reduce(
        (sum, x) => (x > 0 ? sum + (2 * x * (weight / (x + nu)) ** 2) / (x + nu) : sum),
        0,
      );
      expect(Math.abs(nu - expected)).toBeLessThanOrEqual(1e-12 * (sent / slope + nu));
    }),
    runs(2000),
  );
});

test("any numerators and offsets: the budget is exhausted, or not reached without a multiplier", () => {
  const decade = fc.double({ min: -30, max: 30, noNaN: true }).map((x) => 10 ** x);
  const term = fc.tuple(fc.oneof(fc.constant(0), decade), decade);
  fc.assert(
    fc.property(
      fc.array(term, { minLength: 1, maxLength: 30 }),
      weights,
      budgets,
      (terms, weight, budget) => {
        const c = Float64Array.from(terms, ([numerator]) => numerator);
        const x = Float64Array.from(terms, ([, offset]) => offset);
        const sent = (nu: number): number =>
          terms.reduce((sum, [ci, xi]) => sum + ci * (weight / (xi + nu)) * (weight / (xi + nu)), 0);
        const nu = powerMultiplier(c, x, c.length, weight, budget);
        if (nu === 0) expect(sent(0)).toBeLessThanOrEqual(budget * (1 + 1e-13));
        else expect(Math.abs(sent(nu) / budget - 1)).toBeLessThan(1e-13);
      },
    ),
    runs(2000),
  );
});

test("special cases", () => {
  const l = Float64Array.of(4, 1, 0, 0.25);
  expect(powerMultiplier(l, l, 4, 0.5, 0)).toBe(Number.POSITIVE_INFINITY);
  expect(powerMultiplier(l, l, 4, 0, 1)).toBe(0);
  expect(powerMultiplier(new Float64Array(3), new Float64Array(3), 3, 1, 1)).toBe(0);
  // unconstrained power: sum w^2 / l = 0.25 (1/4 + 1 + 4)
  expect(powerMultiplier(l, l, 4, 0.5, 0.25 * 5.25)).toBe(0);
  expect(powerMultiplier(l, l, 4, 0.5, 0.25 * 5.24)).toBeGreaterThan(0);
  // one eigenvalue: w sqrt(l/P) - l
  expect(powerMultiplier(Float64Array.of(4), Float64Array.of(4), 1, 1, 0.01)).toBeCloseTo(16, 12);
  // n equal ones: w sqrt(n l/P) - l
  const equal = new Float64Array(9).fill(4);
  expect(powerMultiplier(equal, equal, 9, 1, 0.01)).toBeCloseTo(56, 12);
  // only the first `count` are looked at
  const longer = Float64Array.of(4, 1e9);
  expect(powerMultiplier(longer, longer, 1, 1, 0.01)).toBeCloseTo(16, 12);
  // numerators and offsets of their own: w sqrt(c/P) - x
  expect(powerMultiplier(Float64Array.of(16), Float64Array.of(4), 1, 0.5, 0.01)).toBeCloseTo(16, 12);
});

test("the root scales with the unit of l, to the ends of double precision", () => {
  const l = Float64Array.of(3, 1, 0.2);
  const nu = powerMultiplier(l, l, 3, 0.9, 2);
  for (let exponent = -960; exponent <= 960; exponent += 40) {
    const unit = 2 ** exponent;
    const inUnit = l.map((x) => unit * x);
    const scaled = powerMultiplier(inUnit, inUnit, 3, 0.9, 2 / unit);
    expect(Math.abs(scaled / unit / nu - 1)).toBeLessThan(1e-14);
  }
});
