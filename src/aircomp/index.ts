/**
 * aircomp: the radio link. Channels, the distortion of an over-the-air sum, beamforming schemes that make it
 * small, and the aggregation of gradients itself. It knows matrices, and nothing of learning.
 */
export type { DesignRow, StopReason } from "./alternating.ts";
export {
  channelFrom,
  type RayleighOptions,
  type RicianOptions,
  rayleighChannel,
  ricianChannel,
  type TrueChannel,
} from "./channel.ts";
export { type ChannelSpec, channelFromSpec, channelSchema } from "./channel-spec.ts";
export { type DelayProfile, tapPowers } from "./delay-profiles.ts";
export {
  type AnalogDesign,
  type BeamformerDesign,
  type DesignOptions,
  designBeamformers,
  designFrom,
  type Effort,
  efforts,
  type IdealDesign,
  type Scheme,
  schemes,
} from "./design.ts";
export { createTransform, type Transform } from "./dft.ts";
export {
  type DeviceCorrelation,
  type Evaluation,
  type EvaluationOptions,
  evaluateDesign,
  meanSquaredError,
} from "./evaluate.ts";
export { type Aggregate, type AggregationOptions, aggregateOverTheAir } from "./link.ts";
export {
  type BeamformProblem,
  beamformOptions,
  beamformSchema,
  type LinkSpec,
  linkOptions,
  linkSchema,
  powerFromSnr,
  type SolverSpec,
  solverFields,
} from "./link-spec.ts";
export type { Gradient } from "./packing.ts";
export { type PathLoss, pathGains } from "./path-loss.ts";
