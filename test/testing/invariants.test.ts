import fc from "fast-check";
import { expect, test } from "vitest";
import { eigHermitian, qr, svd } from "../../src/linalg/index.ts";
import * as testing from "../../src/testing/index.ts";

const RUNS = { seed: 11, numRuns: 100 } as const;

test("residuals of decompositions are at rounding level, and see a wrong factor", () => {
  fc.assert(
    fc.property(testing.complexMatrix(), testing.hermitianMatrix(), (a, h) => {
      expect(testing.qrResidual(a, qr(a))).toBeLessThan(1e-13);
      expect(testing.svdResidual(a, svd(a))).toBeLessThan(1e-13);
      expect(testing.svdResidual(a, svd(a, { full: true }))).toBeLessThan(1e-13);
      expect(testing.eigResidual(h, eigHermitian(h))).toBeLessThan(1e-13);
      const largest = Math.max(...a.data.map(Math.abs));
      if (largest > 0) {
        const { u, s, v } = svd(a);
        expect(testing.svdResidual(a, { u, s: s.map((x) => 2 * x), v })).toBeCloseTo(1, 10);
        const { q, r } = qr(a);
        expect(testing.qrResidual(a, { q, r: { ...r, data: r.data.map((x) => -x) } })).toBeCloseTo(2, 10);
      }
    }),
    RUNS,
  );
});

test("Hermitian and unitary residuals by hand", () => {
  const m = (...data: number[]) => ({ rows: 2, cols: 2, data: Float64Array.from(data) });
  expect(testing.hermitianResidual(m(1, 0, 2, 3, 2, -3, 4, 0))).toBe(0);
  expect(testing.hermitianResidual(m(0, 0, 0, 1, 0, 1, 0, 0))).toBe(2);
  expect(testing.hermitianResidual(m(0, 0, 0, 0, 0, 0, 0, 0))).toBe(0);
  expect(testing.unitaryResidual(m(0, 1, 0, 0, 0, 0, 0, -1))).toBe(0);
  expect(testing.unitaryResidual(m(2, 0, 0, 0, 0, 0, 1, 0))).toBe(3);
});
