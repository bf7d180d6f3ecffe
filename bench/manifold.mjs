/**
 * Riemannian solvers: whole runs, from a fixed start to gradient norm 1e-6. Medians in milliseconds of warm runs in
 * one process. Run `npm run build` first, then `node bench/manifold.mjs [--quick]`; AIRFOLD_MANIFOLD and
 * AIRFOLD_LINALG name other builds.
 */
import { pathToFileURL } from "node:url";

const library = (name) =>
  process.env[`AIRFOLD_${name.toUpperCase()}`] ?? new URL(`../dist/${name}.js`, import.meta.url).href;

/** A linear congruential generator: the inputs are the same on every run. */
function complexMatrix(rows, cols, seed) {
  let state = seed;
  const next = () => {
    state = (16807 * state) % 2147483647;
    return state / 2147483647 - 0.5;
  };
  return { rows, cols, data: Float64Array.from({ length: 2 * rows * cols }, next) };
}

/** Brockett, and dominant subspaces; cost and gradient share the product A X. */
function problems({ complexGrassmann, complexStiefel }, linalg) {
  const { add, conjugateTranspose, multiply, qr, realInner, scale } = linalg;
  const hermitian = (n, seed) => {
    const a = complexMatrix(n, n, seed);
    return scale(add(a, conjugateTranspose(a)), 0.5);
  };
  const traceProblem = (manifold, apply, n, p) => ({
    x0: qr(complexMatrix(n, p, 99)).q,
    problem: {
      manifold,
      cost: (x) => 0.5 * realInner(x, apply(x)),
      gradient: apply,
      costAndGradient: (x) => {
        const gradient = apply(x);
        return { cost: 0.5 * realInner(x, gradient), gradient };
      },
      hessian: (_x, v) => apply(v),
    },
  });
  const brockett = (n, p) => {
    const a = scale(hermitian(n, 13), 2);
    const apply = (x) => {
      const ax = multiply(a, x);
      for (let i = 0; i < ax.data.length; i++) ax.data[i] *= p - (Math.floor(i / 2) % p);
      return ax;
    };
    return traceProblem(complexStiefel(n, p), apply, n, p);
  };
  const subspace = (n, p) => {
    const a = scale(hermitian(n, 12), -2);
    return traceProblem(complexGrassmann(n, p), (x) => multiply(a, x), n, p);
  };
  return { brockett, subspace };
}

/** Prints one table and returns its rows. */
export async function run({ quick = false } = {}) {
  const manifold = await import(library("manifold"));
  const { anyOf, conjugateGradient, gradientNorm, lbfgs, maxIterations, minimize, trustRegions } = manifold;
  const { brockett, subspace } = problems(manifold, await import(library("linalg")));
  const cases = [
    ["dominant subspace, Grassmann(32, 4)", subspace(32, 4), conjugateGradient()],
    ["dominant subspace, Grassmann(32, 4)", subspace(32, 4), lbfgs()],
    ["dominant subspace, Grassmann(128, 8)", subspace(128, 8), conjugateGradient()],
    ["dominant subspace, Grassmann(128, 8)", subspace(128, 8), lbfgs()],
    ["dominant subspace, Grassmann(128, 8)", subspace(128, 8), trustRegions()],
    ["Brockett, Stiefel(100, 10)", brockett(100, 10), trustRegions()],
    ["Brockett, Stiefel(100, 10)", brockett(100, 10), lbfgs()],
    ["Brockett, Stiefel(100, 10)", brockett(100, 10), conjugateGradient()],
  ];
  const stop = anyOf(gradientNorm(1e-6), maxIterations(2000));
  const rows = [];
  for (const [name, { problem, x0 }, solver] of cases) {
    const times = [];
    let result;
    const repeats = quick ? 2 : 9;
    for (let k = -1; k < repeats; k++) {
      const started = performance.now();
      result = minimize(problem, x0, { solver, stop });
      if (k >= 0) times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    rows.push({
      problem: name,
      solver: solver.name,
      ms: Number(times[Math.floor(times.length / 2)].toPrecision(3)),
      iterations: result.iterations,
      costs: result.evaluations.cost,
      hessians: result.evaluations.hessian,
      reason: result.reason,
    });
  }
  console.table(rows);
  return rows;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
