/**
 * manifold: Riemannian optimisation on manifolds of complex matrices. Manifolds are records of pure functions over
 * flat kernels; solvers are an `init` and a `step`; the loop, stopping and recording are the driver's. It knows
 * complex matrices, and nothing of radio.
 */
export { complexCircle } from "./circle.ts";
export { power, product } from "./combine.ts";
export { type MinimizeOptions, type MinimizeResult, minimize, type Row } from "./driver.ts";
export { complexEuclidean } from "./euclidean.ts";
export { complexGrassmann, type GrassmannOptions } from "./grassmann.ts";
export { hermitianPositiveDefinite, type PositiveDefiniteOptions } from "./hpd.ts";
export { complexOblique } from "./oblique.ts";
export type { Evaluations, Problem } from "./problem.ts";
export type { Progress, Solver, SolverState, StopReason, StopRule } from "./solver.ts";
export { complexSphere } from "./sphere.ts";
export { complexStiefel, type StiefelOptions } from "./stiefel.ts";
export { allOf, anyOf, gradientNorm, maxIterations, maxTime, relativeDecrease } from "./stopping.ts";
export type { Manifold, ManifoldKernels } from "./types.ts";
