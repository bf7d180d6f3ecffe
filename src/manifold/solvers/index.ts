/** The solvers, their line searches, and what is done with a run: saving, resuming, judging. */
export { type ArmijoOptions, armijo } from "./armijo.ts";
export { type AugmentedLagrangianOptions, augmentedLagrangian } from "./augmented-lagrangian.ts";
export {
  type ConjugateGradientBeta,
  type ConjugateGradientOptions,
  conjugateGradient,
} from "./conjugate-gradient.ts";
export { type GradientDescentOptions, gradientDescent } from "./gradient-descent.ts";
export { type LbfgsOptions, lbfgs } from "./lbfgs.ts";
export type { Line, LineSearch, Trial } from "./line-search.ts";
export { type MultiStartOptions, type MultiStartResult, multiStart, type StartRow } from "./multi-start.ts";
export { assertSolved, describeReason, NotSolvedError } from "./result.ts";
export { type PlainData, resume, resumeIterating, type Snapshot, snapshot } from "./snapshot.ts";
export { type StrongWolfeOptions, strongWolfe } from "./strong-wolfe.ts";
export { type TrustRegionsOptions, trustRegions } from "./trust-regions.ts";
