/**
 * manifold: Riemannian optimisation on manifolds of complex matrices. Manifolds are records of pure functions over
 * flat kernels; solvers are an `init` and a `step`; the loop, stopping and recording are the driver's. It knows
 * complex matrices, and nothing of radio.
 */
export { checkGradient, type GradientCheck, type GradientReason } from "./checks/gradient.ts";
export {
  checkHessian,
  type HessianCheck,
  type HessianCheckOptions,
  type HessianReason,
} from "./checks/hessian.ts";
export {
  checkManifold,
  type ManifoldCheck,
  type ManifoldCheckOptions,
  type ManifoldProperty,
} from "./checks/manifold.ts";
export { checkRetraction, type RetractionCheck, type RetractionReason } from "./checks/retraction.ts";
export type { ErrorCurve } from "./checks/slope.ts";
export type { CheckOptions } from "./checks/start.ts";
export { complexCircle } from "./circle.ts";
export { power, product } from "./combine.ts";
export {
  type ConstraintReport,
  type Iteration,
  iterate,
  type MinimizeOptions,
  type MinimizeResult,
  minimize,
  type Row,
} from "./driver.ts";
export { complexEuclidean } from "./euclidean.ts";
export { complexGrassmann, type GrassmannOptions } from "./grassmann.ts";
export { hermitianPositiveDefinite, type PositiveDefiniteOptions } from "./hpd.ts";
export { complexOblique } from "./oblique.ts";
export type { Constraint, Constraints, Evaluations, Evaluator, Problem } from "./problem.ts";
export type { Multipliers, Progress, Solver, SolverState, StopReason, StopRule } from "./solver.ts";
export {
  type ArmijoOptions,
  type AugmentedLagrangianOptions,
  armijo,
  assertSolved,
  augmentedLagrangian,
  type ConjugateGradientBeta,
  type ConjugateGradientOptions,
  conjugateGradient,
  describeReason,
  type GradientDescentOptions,
  gradientDescent,
  type LbfgsOptions,
  type Line,
  type LineSearch,
  lbfgs,
  type MultiStartOptions,
  type MultiStartResult,
  multiStart,
  NotSolvedError,
  type PlainData,
  resume,
  resumeIterating,
  type Snapshot,
  type StartRow,
  type StrongWolfeOptions,
  snapshot,
  strongWolfe,
  type Trial,
  type TrustRegionsOptions,
  trustRegions,
} from "./solvers/index.ts";
export { complexSphere } from "./sphere.ts";
export { complexStiefel, type StiefelOptions } from "./stiefel.ts";
export { allOf, anyOf, gradientNorm, maxIterations, maxTime, relativeDecrease } from "./stopping.ts";
export type { Manifold, ManifoldKernels } from "./types.ts";
