import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  add,
  type ComplexMatrix,
  cholesky,
  choleskySolve,
  determinant,
  diagonal,
  eigHermitian,
  eigHermitianGeneralized,
  expmHermitian,
  frobeniusNorm,
  identity,
  inverseSqrtmHermitian,
  logDet,
  logDetLu,
  logmHermitian,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  norm,
  polar,
  qr,
  scale,
  sqrtmHermitian,
  subtract,
  svd,
  svdValues,
  trace,
  zeros,
} from "../../src/linalg/index.ts";
import { hermitianPart, lehmer, relativeError } from "./support.ts";

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
  expect(svdValues(lehmer(6, 4, seed))).toEqual(s);
  close(norm(lehmer(6, 4, seed), "two"), sigma[0], tol);
  sigma.forEach((value: number, i: number) => {
    close(s[i]!, value, tol);
  });
});

test("LA6: Cholesky diagonal, log determinant, norms of logarithm and square root", () => {
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
  close(frobeniusNorm(logmHermitian(s)), log_fro, tol);
  close(trace(logmHermitian(s)).re, logdet, tol);
  close(logDetLu(s).logModulus, logdet, tol);
  close(determinant(s).re, Math.exp(logdet), tol);
  close(determinant(inverseSqrtmHermitian(s)).re, Math.exp(-logdet / 2), tol);
  expect(relativeError(expmHermitian(logmHermitian(s)), s)).toBeLessThan(tol);
});

test("LA8: nuclear norm and unitary polar factor", () => {
  const { seed, nuclear, polar_trace_re, tol } = reference.LA8_polar_5x3;
  const { s } = svd(lehmer(5, 3, seed));
  const { unitary, positive } = polar(lehmer(5, 3, seed));
  close(trace(positive).re, nuclear, tol);
  close(norm(lehmer(5, 3, seed), "nuclear"), nuclear, tol);
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

test("OP6: unitary Procrustes by the nuclear norm and by the polar factor", () => {
  const { seedA, seedB, min, tol } = reference.OP6_procrustes_unitary_4;
  const a = lehmer(12, 4, seedA);
  const b = lehmer(12, 4, seedB);
  const cross = multiplyConjugateLeft(a, b);
  close(frobeniusNorm(a) ** 2 + frobeniusNorm(b) ** 2 - 2 * norm(cross, "nuclear"), min, tol);
  close(frobeniusNorm(subtract(multiply(a, polar(cross).unitary), b)) ** 2, min, tol);
});

test("OP15: the largest signal-to-interference ratio as a generalised eigenvalue and in closed form", () => {
  const { seed, max, tol } = reference.OP15_mvdr_8;
  const h = lehmer(8, 1, seed[0]);
  const g = lehmer(8, 8, seed[1]);
  const r = add(multiplyConjugateRight(g, g), scale(identity(8), 0.5));
  const { values, vectors } = eigHermitianGeneralized(multiplyConjugateRight(h, h), r);
  close(values[7]!, max, tol);
  values.subarray(0, 7).forEach((x) => {
    close(x, 0, 1e-14);
  });
  close(multiplyConjugateLeft(h, choleskySolve(r, h)).data[0]!, max, tol);
  const w = zeros(8, 1);
  for (let i = 0; i < 8; i++) w.data.set(vectors.data.subarray(2 * (8 * i + 7), 2 * (8 * i + 8)), 2 * i);
  const signal = frobeniusNorm(multiplyConjugateLeft(w, h)) ** 2;
  close(signal / multiplyConjugateLeft(w, multiply(r, w)).data[0]!, max, tol);
});

test("OP16: water-filling over the singular values", () => {
  const { seed, scale: factor, P, noise, powers, rate_bits, tol } = reference.OP16_waterfilling_4x4;
  const gains = svdValues(scale(lehmer(4, 4, seed), factor)).map((x) => x ** 2 / noise);
  let active = gains.length;
  const level = (): number => (P + gains.slice(0, active).reduce((sum, g) => sum + 1 / g, 0)) / active;
  while (level() <= 1 / gains[active - 1]!) active--;
  expect(active).toBe(powers.length);
  let rate = 0;
  powers.forEach((power: number, i: number) => {
    close(level() - 1 / gains[i]!, power, tol);
    rate += Math.log2(level() * gains[i]!);
  });
  close(rate, rate_bits, tol);
});

test("OP17: weighted centroid of subspaces", () => {
  const { seeds, weights, max_trace, gap, tol } = reference.OP17_grassmann_weighted_chordal_centroid_8x2;
  let sum = zeros(8, 8);
  seeds.forEach((seed: number, k: number) => {
    const { q } = qr(lehmer(8, 2, seed));
    sum = add(sum, scale(multiplyConjugateRight(q, q), weights[k]));
  });
  const { values } = eigHermitian(hermitianPart(sum));
  close(values[7]! + values[6]!, max_trace, tol);
  close(values[6]! - values[5]!, gap, tol);
});

test("OP18: channel inversion of six single-antenna devices", () => {
  const { seed, P, noise, mse, tol } = reference.OP18_aircomp_siso_uniform_forcing;
  const h = lehmer(6, 1, seed);
  // The weakest device is the smallest singular value of diag(h).
  const spread = zeros(6, 6);
  for (let i = 0; i < 6; i++) spread.data.set(h.data.subarray(2 * i, 2 * i + 2), 14 * i);
  const weakest = svdValues(spread)[5]!;
  close(Math.min(...diagonal(spread).map((z) => z.abs())), weakest, tol);
  close(noise / (P * weakest ** 2), mse, tol);
});

test("OP20: a generalised eigenproblem of size 50", () => {
  const { seed, min, sum3, tol } = reference.OP20_generalised_eig_50;
  const a = hermitianPart(lehmer(50, 50, seed[0], true));
  const g = lehmer(50, 50, seed[1], true);
  const { values } = eigHermitianGeneralized(a, add(multiplyConjugateRight(g, g), identity(50)));
  close(values[0]!, min, tol);
  close(values[0]! + values[1]! + values[2]!, sum3, tol);
});
