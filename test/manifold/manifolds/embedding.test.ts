import {
  EigenvalueDecomposition,
  inverse,
  Matrix,
  QrDecomposition,
  SingularValueDecomposition,
} from "ml-matrix";
import { describe, expect, it } from "vitest";
import { randomStream } from "../../../src/core/index.ts";
import { type ComplexMatrix, randomMatrix } from "../../../src/linalg/index.ts";
import {
  complexCircle,
  complexGrassmann,
  complexOblique,
  complexSphere,
  complexStiefel,
  hermitianPositiveDefinite,
  type Manifold,
} from "../../../src/manifold/index.ts";

/**
 * The same formulas in real arithmetic, by ml-matrix, on the embedding that puts [re, -im; im, re] in the place of
 * every entry. It keeps products, adjoints, triangular matrices and positive diagonals, so that QR, polar and
 * Hermitian factors of the embedding are the embeddings of the complex ones. Traces double.
 */
function embed(m: ComplexMatrix): Matrix {
  const out = new Matrix(2 * m.rows, 2 * m.cols);
  for (let i = 0; i < m.rows; i++) {
    for (let j = 0; j < m.cols; j++) {
      const [re, im] = [m.data[2 * (i * m.cols + j)]!, m.data[2 * (i * m.cols + j) + 1]!];
      out.set(2 * i, 2 * j, re);
      out.set(2 * i + 1, 2 * j + 1, re);
      out.set(2 * i + 1, 2 * j, im);
      out.set(2 * i, 2 * j + 1, -im);
    }
  }
  return out;
}

function agree(found: ComplexMatrix, expected: Matrix, tolerance = 1e-12): void {
  expect(Matrix.sub(embed(found), expected).norm()).toBeLessThan(tolerance * Math.max(1, expected.norm()));
}

const t = (m: Matrix): Matrix => m.transpose();
const sym = (m: Matrix): Matrix => Matrix.add(m, t(m)).mul(0.5);
const minus = (a: Matrix, b: Matrix): Matrix => Matrix.sub(a, b);
const plus = (a: Matrix, b: Matrix): Matrix => Matrix.add(a, b);

/** V f(diag) V^T of a symmetric matrix. */
function fun(m: Matrix, f: (value: number) => number): Matrix {
  const { realEigenvalues, eigenvectorMatrix: v } = new EigenvalueDecomposition(sym(m), {
    assumeSymmetric: true,
  });
  return v.mmul(Matrix.diag(realEigenvalues.map(f))).mmul(t(v));
}

function qrPositive(m: Matrix): Matrix {
  const qr = new QrDecomposition(m);
  const signs = qr.upperTriangularMatrix.diag().map((d) => (d < 0 ? -1 : 1));
  return qr.orthogonalMatrix.mmul(Matrix.diag(signs));
}

function polar(m: Matrix): Matrix {
  return m.mmul(fun(t(m).mmul(m), (value) => 1 / Math.sqrt(value)));
}

/** exp of any square matrix: scaling, Taylor series, squaring. */
function expm(m: Matrix): Matrix {
  const squarings = 12;
  const small = Matrix.mul(m, 2 ** -squarings);
  let sum = Matrix.eye(m.rows);
  let term = Matrix.eye(m.rows);
  for (let k = 1; k < 12; k++) {
    term = term.mmul(small).mul(1 / k);
    sum = plus(sum, term);
  }
  for (let k = 0; k < squarings; k++) sum = sum.mmul(sum);
  return sum;
}

function setUp(manifold: Manifold<ComplexMatrix>, rows: number, cols: number, seed: number) {
  const stream = randomStream(seed, "embedding", manifold.name);
  const x = manifold.randomPoint(stream);
  const u = manifold.randomTangent(x, stream);
  const v = manifold.randomTangent(x, stream);
  const [z, h] = [randomMatrix(rows, cols, stream), randomMatrix(rows, cols, stream)];
  const far = manifold.randomPoint(stream);
  return {
    x,
    u,
    v,
    z,
    h,
    far,
    X: embed(x),
    U: embed(u),
    V: embed(v),
    Z: embed(z),
    H: embed(h),
    Y: embed(far),
  };
}

describe.each([
  [4, 1],
  [3, 3],
  [6, 2],
])("Stiefel %i x %i agrees with its real embedding", (n, p) => {
  it.each(["qr", "polar"] as const)("%s", (retraction) => {
    const manifold = complexStiefel(n, p, { retraction });
    const { x, u, v, z, h, X, U, V, Z, H } = setUp(manifold, n, p, 1);
    const project = (at: Matrix, w: Matrix): Matrix => minus(w, at.mmul(sym(t(at).mmul(w))));
    const step = plus(X, Matrix.mul(U, 0.7));
    const Y = retraction === "qr" ? qrPositive(step) : polar(step);
    agree(manifold.project(x, z), project(X, Z));
    agree(manifold.gradient(x, z), project(X, Z));
    agree(manifold.hessian(x, z, h, u), project(X, minus(H, U.mmul(sym(t(X).mmul(Z))))));
    agree(manifold.retract(x, u, 0.7), Y);
    const moved = { rows: n, cols: p, data: u.data.map((value) => 0.7 * value) };
    agree(manifold.transport(x, moved, v), project(Y, V));
    expect(manifold.inner(x, z, h)).toBeCloseTo(0.5 * t(Z).mmul(H).trace(), 12);
    // Edelman, Arias & Smith with blocks side by side
    const [A, S] = [t(X).mmul(U), t(U).mmul(U)];
    const block = Matrix.zeros(4 * p, 4 * p);
    block.setSubMatrix(A, 0, 0);
    block.setSubMatrix(Matrix.mul(S, -1), 0, 2 * p);
    block.setSubMatrix(Matrix.eye(2 * p), 2 * p, 0);
    block.setSubMatrix(A, 2 * p, 2 * p);
    const both = Matrix.zeros(2 * n, 4 * p);
    both.setSubMatrix(X, 0, 0);
    both.setSubMatrix(U, 0, 2 * p);
    const first = expm(block).subMatrix(0, 4 * p - 1, 0, 2 * p - 1);
    agree(manifold.exp!(x, u), both.mmul(first).mmul(expm(Matrix.mul(A, -1))));
  });
});

describe.each([
  [4, 1],
  [5, 3],
  [6, 2],
])("Grassmann %i x %i agrees with its real embedding", (n, p) => {
  it.each(["polar", "qr", "exp"] as const)("%s", (retraction) => {
    const manifold = complexGrassmann(n, p, { retraction });
    const { x, u, v, z, h, far, X, U, V, Z, H, Y } = setUp(manifold, n, p, 2);
    const project = (at: Matrix, w: Matrix): Matrix => minus(w, at.mmul(t(at).mmul(w)));
    agree(manifold.project(x, z), project(X, Z));
    agree(manifold.hessian(x, z, h, u), project(X, minus(H, U.mmul(t(X).mmul(Z)))));
    const root = fun(t(U).mmul(U), (value) => Math.sqrt(Math.max(0, value)));
    // X cos(S) + U sin(S)/S, S = (U^H U)^(1/2)
    const cosine = fun(root, Math.cos);
    const sinc = fun(root, (s) => (Math.abs(s) < 1e-9 ? 1 : Math.sin(s) / s));
    const geodesic = plus(X.mmul(cosine), U.mmul(sinc));
    agree(manifold.exp!(x, u), geodesic);
    const step = plus(X, U);
    const next = retraction === "qr" ? qrPositive(step) : retraction === "polar" ? polar(step) : geodesic;
    agree(manifold.retract(x, u), next);
    const turn = retraction === "qr" ? polar(t(X).mmul(next)) : Matrix.eye(2 * p);
    agree(manifold.transport(x, u, v), project(next, V.mmul(turn)));
    // parallel along the geodesic: the field that the product of two reflections carries along
    const halfway = manifold.exp!(x, u, 0.5);
    const M = embed(halfway);
    const mirror = minus(Matrix.mul(M.mmul(t(M)), 2), Matrix.eye(2 * n));
    const origin = minus(Matrix.mul(X.mmul(t(X)), 2), Matrix.eye(2 * n));
    const parallel = complexGrassmann(n, p, { retraction: "exp", transport: "parallel" });
    agree(parallel.transport(x, u, v), mirror.mmul(origin).mmul(V));
    const cosines = new SingularValueDecomposition(t(X).mmul(Y)).diagonal;
    const angles = cosines.map((c) => Math.acos(Math.min(1, c)));
    expect(manifold.distance(x, far)).toBeCloseTo(Math.hypot(...angles) / Math.SQRT2, 12);
  });
});

describe.each([1, 2, 4])("positive definite %i agrees with its real embedding", (n) => {
  it("in every function", () => {
    const manifold = hermitianPositiveDefinite(n);
    const { x, u, v, z, h, far, X, U, V, Z, H, Y } = setUp(manifold, n, n, 3);
    const back = inverse(X);
    const root = fun(X, Math.sqrt);
    const inverseRoot = fun(X, (value) => 1 / Math.sqrt(value));
    const white = (w: Matrix): Matrix => inverseRoot.mmul(w).mmul(inverseRoot);
    const colour = (w: Matrix): Matrix => root.mmul(w).mmul(root);
    expect(manifold.inner(x, u, v)).toBeCloseTo(0.5 * back.mmul(U).mmul(back).mmul(V).trace(), 12);
    agree(manifold.project(x, z), sym(Z));
    agree(manifold.gradient(x, z), X.mmul(sym(Z)).mmul(X));
    const hessian = plus(X.mmul(sym(H)).mmul(X), sym(U.mmul(sym(Z)).mmul(X)));
    agree(manifold.hessian(x, z, h, u), hessian);
    const next = plus(plus(X, U), Matrix.mul(U.mmul(back).mmul(U), 0.5));
    agree(manifold.retract(x, u), next);
    agree(manifold.exp!(x, u), colour(fun(white(U), Math.exp)));
    const log = colour(fun(white(Y), Math.log));
    agree(manifold.log!(x, far), log);
    const length = Math.sqrt(0.5 * back.mmul(log).mmul(back).mmul(log).trace());
    expect(manifold.distance(x, far)).toBeCloseTo(length, 12);
    const e = root.mmul(fun(white(next), Math.sqrt)).mmul(inverseRoot);
    agree(manifold.transport(x, u, v), e.mmul(V).mmul(t(e)));
  });
});

describe("spheres, circles and oblique manifolds agree with real spheres, column by column", () => {
  const cases: readonly [string, Manifold<ComplexMatrix>, readonly (readonly number[])[]][] = [
    ["sphere", complexSphere(4), [[0, 1, 2, 3]]],
    ["circle", complexCircle(3), [[0], [1], [2]]],
    [
      "oblique",
      complexOblique(3, 2),
      [
        [0, 2, 4],
        [1, 3, 5],
      ],
    ],
  ];
  it.each(cases)("%s", (_name, manifold, spheres) => {
    const { x, u, v, z, h, far } = setUp(manifold, ...shapeOf(manifold), 4);
    const split = (m: ComplexMatrix): number[][] =>
      spheres.map((entries) => entries.flatMap((i) => [m.data[2 * i]!, m.data[2 * i + 1]!]));
    const dot = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const mix = (a: number, p: readonly number[], b: number, q: readonly number[]): number[] =>
      p.map((value, i) => a * value + b * q[i]!);
    const unit = (a: readonly number[]): number[] => a.map((value) => value / Math.sqrt(dot(a, a)));
    const same = (found: ComplexMatrix, expected: (j: number) => number[]): void => {
      split(found).forEach((part, j) => {
        expected(j).forEach((value, i) => {
          expect(part[i]).toBeCloseTo(value, 12);
        });
      });
    };
    const [X, U, V, Z, H, Y] = [x, u, v, z, h, far].map(split) as [
      number[][],
      number[][],
      number[][],
      number[][],
      number[][],
      number[][],
    ];
    const project = (a: readonly number[], w: readonly number[]): number[] => mix(1, w, -dot(a, w), a);
    same(manifold.project(x, z), (j) => project(X[j]!, Z[j]!));
    same(manifold.hessian(x, z, h, u), (j) => mix(1, project(X[j]!, H[j]!), -dot(X[j]!, Z[j]!), U[j]!));
    const next = X.map((a, j) => unit(mix(1, a, 1, U[j]!)));
    same(manifold.retract(x, u), (j) => next[j]!);
    same(manifold.exp!(x, u), (j) => {
      const length = Math.sqrt(dot(U[j]!, U[j]!));
      return mix(Math.cos(length), X[j]!, Math.sin(length) / length, U[j]!);
    });
    const angles = X.map((a, j) => Math.acos(dot(a, Y[j]!)));
    same(manifold.log!(x, far), (j) => mix(angles[j]!, unit(project(X[j]!, Y[j]!)), 0, X[j]!));
    expect(manifold.distance(x, far)).toBeCloseTo(Math.hypot(...angles), 12);
    same(manifold.transport(x, u, v), (j) => {
      const projected = project(next[j]!, V[j]!);
      // on a circle there is one direction: parallel transport is the projection at its old length
      return spheres[j]!.length > 1
        ? projected
        : mix(Math.sqrt(dot(V[j]!, V[j]!)), unit(projected), 0, V[j]!);
    });
  });
});

function shapeOf(manifold: Manifold<ComplexMatrix>): [number, number] {
  const { rows, cols } = manifold.view(new Float64Array(manifold.kernels.size));
  return [rows, cols];
}
