/** The solvers, their line searches, and what is done with a run: saving, resuming, judging. */
export { type ArmijoOptions, armijo } from "./armijo.ts";
export {
  type ConjugateGradientBeta,
  type ConjugateGradientOptions,
  conjugateGradient,
} from "./conjugate-gradient.ts";
export { type GradientDescentOptions, gradientDescent } from "./gradient-descent.ts";
export { type LbfgsOptions, lbfgs } from "./lbfgs.ts";
export type { Line, LineSearch, Trial } from "./line-search.ts";
export { type StrongWolfeOptions, strongWolfe } from "./strong-wolfe.ts";
export { type TrustRegionsOptions, trustRegions } from "./trust-regions.ts";
