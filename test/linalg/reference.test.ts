import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  add,
  type ComplexMatrix,
  cholesky,
  eigHermitian,
  frobeniusNorm,
  identity,
  logDet,
  multiplyConjugateRight,
  polar,
  sqrtmHermitian,
  svd,
  trace,
} from "../../src/linalg/index.ts";
import { hermitianPart, lehmer } from "./support.ts";

const reference = JSON.parse(
  readFileSync(new URL("../fixtures/linalg-reference.json", import.meta.url), "utf8"),
);

function close(actual: number, expected: number, tol: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tol * Math.max(1, Math.abs(expected)));
}

test("LA2: singular values of a complex 6 x 4 matrix", () => {
  const { seed, sigma, tol } = reference.LA2_svd_6x4;
  const { s } = svd(lehmer(6, 4, seed));
  expect(s.length).toBe(sigma.length);
  sigma.forEach((value: number, i: number) => {
    close(s[i]!, value, tol);
  });
});

test("LA6: Cholesky diagonal, log determinant, norms of logarithm and square root by the eigenvalues", () => {
  const { seed, chol_diag, logdet, log_fro, sqrt_fro, tol } = reference.LA6_hpd_5;
  const g = lehmer(5, 5, seed);
  const s: ComplexMatrix = add(multiplyConjugateRight(g, g), identity(5));
  const l = cholesky(s);
  chol_diag.forEach((value: number, i: number) => {
    close(l.data[12 * i]!, value, tol);
  });
  close(logDet(s), logdet, tol);
  const { values } = eigHermitian(s);
  close(Math.hypot(...values.map(Math.log)), log_fro, tol);
  close(Math.hypot(...values.map(Math.sqrt)), sqrt_fro, tol);
  close(frobeniusNorm(sqrtmHermitian(s)), sqrt_fro, tol);
});

test("LA8: nuclear norm and unitary polar factor", () => {
  const { seed, nuclear, polar_trace_re, tol } = reference.LA8_polar_5x3;
  const { s } = svd(lehmer(5, 3, seed));
  const { unitary, positive } = polar(lehmer(5, 3, seed));
  close(trace(positive).re, nuclear, tol);
  close(
    s.reduce((sum, x) => sum + x, 0),
    nuclear,
    tol,
  );
  close(unitary.data[0]! + unitary.data[8]! + unitary.data[16]!, polar_trace_re, tol);
});

test("OP1: smallest eigenvalue of a real symmetric 100 x 100 matrix and its gap", () => {
  const { seed, min, gap, tol } = reference.OP1_rayleigh_sphere_real_100;
  const { values } = eigHermitian(hermitianPart(lehmer(100, 100, seed, true)));
  close(values[0]!, min, tol);
  close(values[1]! - values[0]!, gap, tol);
});

test("OP7: tail energies of a 10 x 8 matrix", () => {
  const { seed, tail_energy, tol } = reference.OP7_low_rank_10x8;
  const { s } = svd(lehmer(10, 8, seed));
  tail_energy.forEach((value: number, r: number) => {
    close(
      s.slice(r).reduce((sum, x) => sum + x * x, 0),
      value,
      tol,
    );
  });
});
