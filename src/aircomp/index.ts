/**
 * aircomp: the radio link. Channels, the distortion of an over-the-air sum, beamforming schemes that make it
 * small, and the aggregation of gradients itself. It knows matrices, and nothing of learning.
 */
export {
  type Channel,
  channelFrom,
  type EstimatedChannel,
  type RayleighOptions,
  type RicianOptions,
  rayleighChannel,
  ricianChannel,
  type TrueChannel,
} from "./channel.ts";
export {
  type ChannelSpec,
  channelFromSpec,
  channelSchema,
  type EstimationSpec,
  type SpecifiedChannel,
  specifiedChannel,
} from "./channel-spec.ts";
export type { ConverterOptions } from "./converters.ts";
export type { DeviceCorrelation } from "./correlation.ts";
export { type DelayProfile, tapPowers } from "./delay-profiles.ts";
export {
  type AnalogDesign,
  type BeamformerDesign,
  type DesignOptions,
  type DigitalDesign,
  designBeamformers,
  designFrom,
  type IdealDesign,
  type Scheme,
  schemes,
} from "./design.ts";
export {
  type DeviceSelection,
  type SelectionOptions,
  type SelectionReason,
  type SelectionRow,
  selectDevices,
} from "./device-selection.ts";
export { type DeviceSet, type DeviceSetOptions, type DeviceSets, deviceSets } from "./device-sets.ts";
export { createTransform, type Transform } from "./dft.ts";
export { type ErrorParts, type ErrorPartsOptions, errorParts } from "./error-parts.ts";
export {
  drawTrueChannel,
  type EstimationOptions,
  estimateChannel,
  estimatedChannelFrom,
} from "./estimation.ts";
export {
  type Evaluation,
  type EvaluationOptions,
  evaluateDesign,
  expectedEvaluation,
  meanSquaredError,
} from "./evaluate.ts";
export {
  type Coherence,
  type FadingChannel,
  type FadingOptions,
  fadingChannel,
  outdatedChannel,
  type PilotOptions,
} from "./fading.ts";
export {
  type Aggregate,
  type AggregationOptions,
  aggregateOverTheAir,
  type LinkDistortions,
  type LinkLevel,
  type LinkOptions,
  type OverTheAirLink,
  overTheAirLink,
} from "./link.ts";
export {
  type BeamformProblem,
  beamformDistortion,
  beamformOptions,
  beamformSchema,
  type LinkDistortion,
  type LinkSpec,
  linkDistortion,
  linkOptions,
  linkSchema,
  powerFromSnr,
  type SolverSpec,
  solverFields,
} from "./link-spec.ts";
export { certifyDesign, type LowerBoundOptions, mseLowerBound } from "./lower-bound.ts";
export { requiredPrefix } from "./multipath.ts";
export type { Gradient } from "./packing.ts";
export { type PathLoss, pathGains } from "./path-loss.ts";
export {
  type DecodeOptions,
  decode,
  type EncodeOptions,
  encode,
  measuredCorrelation,
  type Signal,
  type SuperpositionOptions,
  superposeSignals,
} from "./remote.ts";
export {
  deviceBeamformers,
  type GradientStatistics,
  gradientStatistics,
  planRound,
  type RoundOptions,
  type RoundPlan,
} from "./round-plan.ts";
export { type DesignRow, type Effort, efforts, type LowerBound, type StopReason } from "./scheme.ts";
export type { SynchronisationOptions } from "./synchronisation.ts";
export type { WaveformOptions, WaveformReport } from "./waveform.ts";
