/**
 * testing: for the property tests of other projects. fast-check arbitraries of matrices, channels, beamforming
 * problems, gradients and scenarios, which shrink to readable cases; and invariants as functions that return a
 * residual and need no test runner. No other room imports this one; fast-check is an optional peer dependency.
 */
export {
  changedBytes,
  errorRateResidual,
  fusionLinearityResidual,
  type JammerBudget,
  jammerBudgetResidual,
  jammerOptimalityResidual,
} from "./fusion.ts";
export {
  eigResidual,
  hermitianResidual,
  monotonicityResidual,
  powerBudgetResidual,
  qrResidual,
  rotatedDesign,
  scaledChannel,
  scaleInvarianceResidual,
  svdResidual,
  unitaryInvarianceResidual,
  unitaryResidual,
} from "./invariants.ts";
export { manifoldPoint, manifoldTangent, type PointAndTangent, type TangentShape } from "./manifolds.ts";
export {
  complexMatrix,
  type Entries,
  hermitianMatrix,
  type MatrixShape,
  positiveDefiniteMatrix,
  rankDeficientMatrix,
  type SquareShape,
  tallMatrix,
  unitaryMatrix,
  wideMatrix,
} from "./matrices.ts";
export {
  attentionResidual,
  causalityResidual,
  type HullOptions,
  hullResidual,
  keptResidual,
  partitionResidual,
} from "./personal.ts";
export {
  type BeamformingProblem,
  beamformingProblem,
  type ChannelKind,
  type ChannelShape,
  channel,
  channelKinds,
  deviceCorrelation,
  type GradientShape,
  gradients,
  type ProblemShape,
} from "./radio.ts";
export { type ScenarioShape, scenario } from "./scenarios.ts";
export type { Size } from "./sizes.ts";
