/**
 * bounds: from distortion to learning. The optimality gap of federated LoRA with an aggregation error, what a
 * rank leaves out and what it costs to send, and the search for the rank and beamformers with the smallest gap.
 */
export {
  type GapMinimum,
  type MinimizeHooks,
  minimizeOptimalityGap,
  type RankReason,
  type RankRow,
  rankDistortion,
} from "./minimize.ts";
export {
  type GapInput,
  type GapResult,
  type GapTerms,
  optimalityGap,
  type Participation,
} from "./optimality-gap.ts";
export { type LoraLayer, ofdmSymbols, payloadEntries, symbolPower, type TrainedFactors } from "./payload.ts";
export {
  backtrackingSearch,
  exhaustiveSearch,
  type RankMemo,
  type RankSearchResult,
  type RankSearchRow,
  rankMemo,
} from "./rank-search.ts";
export { type ResidualInput, rankResidual } from "./residual.ts";
export {
  type LearningSpec,
  type LoraSpec,
  type PerRank,
  type RankPayload,
  type RankProblem,
  type RankSearch,
  rankProblem,
  type Scenario,
  type ScenarioSolverSpec,
  scenarioSchema,
} from "./scenario.ts";
export { type Spectrum, singularValues } from "./spectrum.ts";
