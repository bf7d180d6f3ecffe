/**
 * Complex linear algebra: ours against ml-matrix and numeric.js on the real 2n x 2n embedding [[Re, -Im], [Im, Re]]
 * (built beforehand, not timed; numeric.js's own complex type for the product). Warm medians of the public
 * functions in one process. Run `npm run build` first, then `node bench/linalg.mjs [--quick]`.
 */
import { pathToFileURL } from "node:url";
import {
  CholeskyDecomposition,
  determinant,
  EigenvalueDecomposition,
  inverse,
  LuDecomposition,
  pseudoInverse,
  QrDecomposition,
  SingularValueDecomposition,
} from "ml-matrix";
import numeric from "numeric";
import { Bench } from "tinybench";

const library = process.env["AIRFOLD_LINALG"] ?? new URL("../dist/linalg.js", import.meta.url).href;

/** A linear congruential generator: the inputs are the same on every run. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (16807 * state) % 2147483647;
    return state / 2147483647 - 0.5;
  };
}

function operations(linalg, n) {
  const next = generator(n + 1);
  const random = () =>
    linalg.fromParts(
      n,
      n,
      Float64Array.from({ length: n * n }, next),
      Float64Array.from({ length: n * n }, next),
    );
  const a = random();
  const b = random();
  const hermitian = linalg.scale(linalg.add(a, linalg.conjugateTranspose(a)), 0.5);
  const positive = linalg.add(linalg.multiplyConjugateRight(a, a), linalg.identity(n));
  const [A, B, H, P] = [a, b, hermitian, positive].map((m) => linalg.realEmbedding(m));
  const [nA, nB, nH, nP] = [A, B, H, P].map((m) => m.to2DArray());
  const tensor = (m) => {
    const { re, im } = linalg.toParts(m);
    const rows = (flat) => Array.from({ length: n }, (_, i) => Array.from(flat.slice(i * n, (i + 1) * n)));
    return new numeric.T(rows(re), rows(im));
  };
  const [tA, tB] = [a, b].map(tensor);
  return {
    product: {
      ours: () => linalg.multiply(a, b),
      mlMatrix: () => A.mmul(B),
      numericjs: () => tA.dot(tB),
    },
    qr: {
      ours: () => linalg.qr(a),
      // ml-matrix forms Q and R only when they are read.
      mlMatrix: () => {
        const { orthogonalMatrix, upperTriangularMatrix } = new QrDecomposition(A);
        return [orthogonalMatrix, upperTriangularMatrix];
      },
    },
    eigHermitian: {
      ours: () => linalg.eigHermitian(hermitian),
      mlMatrix: () => new EigenvalueDecomposition(H, { assumeSymmetric: true }),
      numericjs: () => numeric.eig(nH),
    },
    svd: {
      ours: () => linalg.svd(a),
      mlMatrix: () => new SingularValueDecomposition(A),
      numericjs: () => numeric.svd(nA),
    },
    svdValues: {
      ours: () => linalg.svdValues(a),
      mlMatrix: () =>
        new SingularValueDecomposition(A, {
          computeLeftSingularVectors: false,
          computeRightSingularVectors: false,
        }),
    },
    lu: {
      ours: () => linalg.lu(a),
      mlMatrix: () => {
        const { lowerTriangularMatrix, upperTriangularMatrix } = new LuDecomposition(A);
        return [lowerTriangularMatrix, upperTriangularMatrix];
      },
      numericjs: () => numeric.LU(nA),
    },
    determinant: {
      ours: () => linalg.determinant(a),
      mlMatrix: () => determinant(A),
      numericjs: () => numeric.det(nA),
    },
    inverse: {
      ours: () => linalg.inverse(a),
      mlMatrix: () => inverse(A),
      numericjs: () => numeric.inv(nA),
    },
    pseudoInverse: {
      ours: () => linalg.pseudoInverse(a),
      mlMatrix: () => pseudoInverse(A),
    },
    // Neither has a generalised eigenproblem: ml-matrix by its Cholesky factor, an inverse and two products.
    eigHermitianGeneralized: {
      ours: () => linalg.eigHermitianGeneralized(hermitian, positive),
      mlMatrix: () => {
        const left = inverse(new CholeskyDecomposition(P).lowerTriangularMatrix);
        const right = left.transpose();
        const { eigenvectorMatrix } = new EigenvalueDecomposition(left.mmul(H).mmul(right), {
          assumeSymmetric: true,
        });
        return right.mmul(eigenvectorMatrix);
      },
    },
    // Neither has functions of matrices: ml-matrix by its eigenvalues and a product.
    expmHermitian: {
      ours: () => linalg.expmHermitian(hermitian),
      mlMatrix: () => {
        const { eigenvectorMatrix: v, realEigenvalues } = new EigenvalueDecomposition(H, {
          assumeSymmetric: true,
        });
        const scaled = v.clone();
        realEigenvalues.forEach((x, j) => {
          scaled.mulColumn(j, Math.exp(x));
        });
        return scaled.mmul(v.transpose());
      },
    },
    choleskySolve: {
      ours: () => linalg.choleskySolve(positive, b),
      mlMatrix: () => new CholeskyDecomposition(P).solve(B),
      // numeric.js has no Cholesky: one LU, then one right-hand side at a time.
      numericjs: () => {
        const lu = numeric.LU(nP);
        return numeric.transpose(nB).map((column) => numeric.LUsolve(lu, column));
      },
    },
  };
}

/** Calls that take microseconds are timed in groups, so that the clock and the loop around them do not count. */
const groupSize = (n) => (n <= 8 ? 16 : 1);

async function medians(calls, n, quick) {
  const group = groupSize(n);
  const bench = new Bench({
    time: quick ? 40 : 300,
    iterations: quick ? 3 : 9,
    warmupTime: quick ? 40 : 200,
    warmupIterations: quick ? 2 : 4,
  });
  let sink;
  for (const [name, call] of Object.entries(calls)) {
    bench.add(name, () => {
      for (let i = 0; i < group; i++) sink = call();
    });
  }
  await bench.run();
  if (sink === undefined) throw new Error("nothing ran");
  return Object.fromEntries(bench.tasks.map((task) => [task.name, (1000 * task.result.latency.p50) / group]));
}

/** Prints one table and returns its rows; times are medians in microseconds. */
export async function run({ quick = false, only, sizes } = {}) {
  const linalg = await import(library);
  const rows = [];
  for (const n of sizes ?? (quick ? [4, 16, 64] : [4, 8, 16, 32, 64, 128])) {
    for (const [operation, calls] of Object.entries(operations(linalg, n))) {
      if (only !== undefined && only !== operation) continue;
      // numeric.js takes seconds where these leave it out.
      const limit = operation === "product" ? 128 : operation === "eigHermitian" || quick ? 16 : 64;
      if (n > limit) delete calls.numericjs;
      const time = await medians(calls, n, quick);
      rows.push({
        operation,
        n,
        "ours us": round(time.ours),
        "ml-matrix us": round(time.mlMatrix),
        "numeric us": time.numericjs === undefined ? null : round(time.numericjs),
        "ours / ml-matrix": round(time.ours / time.mlMatrix),
        "ours / numeric": time.numericjs === undefined ? null : round(time.ours / time.numericjs),
      });
    }
  }
  rows.sort((a, b) => a.operation.localeCompare(b.operation) || a.n - b.n);
  console.table(rows);
  return rows;
}

function round(x) {
  return Number(x.toPrecision(3));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const sizes = process.argv
    .find((a) => a.startsWith("--sizes="))
    ?.slice(8)
    .split(",")
    .map(Number);
  await run({
    quick: process.argv.includes("--quick"),
    only: process.argv.find((a) => a.startsWith("--only="))?.slice(7),
    ...(sizes === undefined ? {} : { sizes }),
  });
}
