/**
 * personal: personalised federated tuning (PFIT, PFTT). Only a part of the model is shared; the rest stays on the devices.
 * Groups of parameters and the plans that choose them, aggregation of the shared group, exactly or over the air, what it
 * costs to send, and the rewards, losses and link costs of the tuning. Parameters are named flat arrays, for any training
 * stack.
 */
export type {
  NamePattern,
  NamePatterns,
  ParameterArray,
  ParameterInput,
  ParameterSet,
} from "../core/parameters.ts";
export type { Activation } from "./activations.ts";
export {
  type PartialAggregate,
  type PartialAggregateOptions,
  partialAggregate,
  type SendShared,
  type SharedTransmission,
} from "./aggregate.ts";
export {
  type AttentionCost,
  type AttentionCostOptions,
  type AttentionMask,
  attentionCost,
  causalMask,
  globalMask,
  maskedSoftmax,
  stridedMask,
  unionMask,
  windowMask,
} from "./attention-masks.ts";
export type { AverageOptions, PaddingOptions, StepsOptions } from "./batches.ts";
export {
  type ExactKlOptions,
  entropyBonus,
  exactKl,
  type KlEstimator,
  type LogitOptions,
  type TokenKlOptions,
  type TokenTerm,
  tokenKl,
} from "./divergence.ts";
export { scaledExponentialIntegral } from "./exponential-integral.ts";
export {
  drawSnr,
  ergodicRate,
  type FadingSnrOptions,
  fromDecibels,
  type OutageOptions,
  outageProbability,
  type SnrDrawOptions,
} from "./fading-link.ts";
export { type Advantages, type GaeOptions, gae } from "./gae.ts";
export {
  type GroupOptions,
  type GroupPatterns,
  groupParameters,
  type ParameterGroup,
  type ParameterGroups,
  type ParameterSizes,
} from "./groups.ts";
export {
  compareDelay,
  type DelayComparison,
  type DelayComparisonOptions,
  type LinkCost,
  type LinkCostOptions,
  linkCost,
} from "./link-cost.ts";
export { type MarcumQ, marcumQ } from "./marcum-q.ts";
export { maskedMean, type WhitenOptions, whiten } from "./masked-statistics.ts";
export { type MinNorm, type MinNormOptions, minNormWeights } from "./min-norm.ts";
export {
  dirichletPartition,
  type LabelPartitionOptions,
  type PartitionOptions,
  type QuantityPartitionOptions,
  quantityPartition,
} from "./partition.ts";
export {
  type NamedLayer,
  type PlanPayload,
  type PlanPayloadOptions,
  payloadOf,
  type ScenarioPayload,
  scenarioPayload,
} from "./payload.ts";
export {
  conventionalParts,
  type ModelParts,
  type SharingPlan,
  type SharingPlanName,
  sharingPlan,
  sharingPlanNames,
} from "./plans.ts";
export {
  type PolicyLoss,
  type PolicyLossOptions,
  policyLoss,
  type ValueLoss,
  type ValueLossOptions,
  valueLoss,
} from "./policy-loss.ts";
export {
  type CombinedRewardOptions,
  combinedReward,
  type DeviationPenalty,
  type DeviationPenaltyOptions,
  deviationPenalty,
} from "./rewards.ts";
export {
  type AdapterBackwardOptions,
  type AdapterForwardOptions,
  type AdapterGradients,
  adapterBackward,
  adapterForward,
  type LoraBackwardOptions,
  type LoraForwardOptions,
  type LoraGradients,
  loraBackward,
  loraForward,
} from "./tuning-layers.ts";
