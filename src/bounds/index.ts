/**
 * bounds: from distortion to learning. The optimality gap of federated LoRA with an aggregation error, what a
 * rank leaves out and what it costs to send, and the search for the rank and beamformers with the smallest gap.
 */

export {
  type GapSelection,
  type GapSelectionOptions,
  type GapSelectionReason,
  type GapSelectionRow,
  type SelectionLearning,
  selectDevicesForGap,
} from "./device-selection.ts";
export {
  type CurveMode,
  type CurveOptions,
  curveFromModes,
  type DistortionCurve,
  designAtPower,
  distortionCurve,
} from "./distortion-curve.ts";
export {
  type EnergySchedule,
  energySchedule,
  type ScheduleInput,
  type ScheduleReason,
} from "./energy-schedule.ts";
export type { ErrorInput, Participation } from "./error-sources.ts";
export { type ConstantsEstimator, constantsEstimator, estimateConstants } from "./estimate/estimate.ts";
export {
  type ConstantEstimate,
  type ConstantName,
  type EstimatedConstants,
  type EstimatedLearning,
  type EstimateOptions,
  type LoggedVector,
  type LogSize,
  type TrainingRecord,
  trainingRecordSchema,
} from "./estimate/types.ts";
export { type FrozenResidualInput, frozenResidual } from "./frozen-residual.ts";
export type { GapMinimum, MinimizeHooks, RankReason, RankRow } from "./gap-minimum.ts";
export {
  type GradientBoundInput,
  type GradientBoundResult,
  type GradientBoundTerms,
  gradientNormBound,
} from "./gradient-bound.ts";
export {
  allocateRanks,
  type LayerRankFrontier,
  type LayerRankProblem,
  layerRankFrontier,
  pricedRanks,
  type RankAllocation,
} from "./layer-ranks.ts";
export { minimizeOptimalityGap, rankDistortion } from "./minimize.ts";
export { type GapInput, type GapResult, type GapTerms, optimalityGap } from "./optimality-gap.ts";
export {
  type LoraLayer,
  ofdmSymbols,
  type PayloadPlan,
  payloadEntries,
  type SharedTensor,
  symbolPower,
  type TrainedFactors,
} from "./payload.ts";
export { type QuadraticGapInput, quadraticGap } from "./quadratic-gap.ts";
export {
  backtrackingSearch,
  exhaustiveSearch,
  type RankMemo,
  type RankSearchResult,
  type RankSearchRow,
  rankMemo,
} from "./rank-search.ts";
export type { RealMatrix } from "./real-matrix.ts";
export { type ResidualInput, type ResidualKind, rankResidual } from "./residual.ts";
export { type RankPayload, type RankProblem, rankProblem } from "./scenario.ts";
export {
  type BoundForm,
  type ConstantsRegion,
  type LearningSpec,
  type LoraSpec,
  type PerRank,
  type RankSearch,
  type ResidualSpec,
  type Scenario,
  type ScenarioSolverSpec,
  scenarioSchema,
} from "./scenario-schema.ts";
export { type ScenarioSchedule, type ScheduleOptions, scheduleScenario } from "./schedule-scenario.ts";
export { type Spectrum, singularValues } from "./spectrum.ts";
export { type EstimateSpectrumOptions, estimateSpectrum } from "./spectrum-estimate.ts";
export { type SketchLayer, type Subspace, subspaceAt } from "./subspace.ts";
