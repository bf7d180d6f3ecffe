/**
 * fusion: task vectors under adversarial noise (R-MTLLMF). Models fine-tuned from one base are fused by adding their
 * task vectors, sent over a hostile channel: what noise does to them, how far the fused model is from the single-task
 * ones, which of two vectors was received, and the repair of the fused model. And the channel itself: the worst noise
 * covariance of a jammer, rates and errors of successive cancellation, water-filling, users against jammer. Parameters
 * are named flat arrays and models are callbacks, for any training stack.
 */

export {
  maskedNames,
  type NamePattern,
  type NamePatterns,
  type ParameterArray,
  type ParameterInput,
  type ParameterSet,
} from "../core/parameters.ts";
export { logQfunc, qfunc } from "../core/qfunc.ts";
export {
  type CoefficientOptions,
  type CoefficientResult,
  type CoefficientRow,
  type CoefficientSearch,
  selectCoefficients,
} from "./coefficients.ts";
export {
  type DisentanglementError,
  type DisentanglementGrid,
  type DisentanglementGridOptions,
  type DisentanglementOptions,
  disentanglementError,
  disentanglementGrid,
  type OutputDistance,
} from "./disentanglement.ts";
export {
  type DisentanglementPrediction,
  type PredictionOptions,
  type PredictionTerms,
  type ProbeOptions,
  predictDisentanglement,
} from "./disentanglement-prediction.ts";
export type { EntryCovariance } from "./entry-covariance.ts";
export { type FlipOptions, type FlipProbability, flipProbability } from "./flip-probability.ts";
export { type TaskVectorTest, type TaskVectorTestOptions, taskVectorTest } from "./hypothesis-test.ts";
export type { JacobianProduct, Model, OutputRows } from "./model-outputs.ts";
export type { ProbeCount } from "./noise-directions.ts";
export {
  injectNoise,
  mseFromErrorCovariance,
  mseFromRate,
  type NoiseInjectionOptions,
  type NoisyTaskVectors,
} from "./noise-injection.ts";
export {
  type OutputCovarianceOptions,
  type OutputCovariances,
  outputCovariances,
} from "./output-covariance.ts";
export {
  type AirFusion,
  type AirFusionOptions,
  type FusionTransmission,
  fuseOverTheAir,
  type SendTaskVectors,
} from "./over-the-air.ts";
export {
  type GradientSet,
  type Realignment,
  type RealignmentOptions,
  type RealignmentReason,
  type RealignmentRow,
  type RealignmentStep,
  realign,
} from "./realign.ts";
export { type SaddlePoint, type SaddlePointOptions, saddlePoint } from "./saddle.ts";
export {
  type MmseSicErrors,
  type MmseSicOptions,
  mmseSicErrors,
  type SicRates,
  type SicRatesOptions,
  sicRates,
  signalCovariance,
} from "./sic.ts";
export { type FusionOptions, fuse, type MaskOptions, negate, taskVector } from "./task-vectors.ts";
export { iterativeWaterFilling, type WaterFilling, type WaterFillingOptions } from "./water-filling.ts";
export type { WorstCaseNoise } from "./worst-case-attack.ts";
export { type JammingObjective, type WorstCaseNoiseOptions, worstCaseNoise } from "./worst-case-noise.ts";
