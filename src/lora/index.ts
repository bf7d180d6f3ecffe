/**
 * lora: what of the devices' LoRA factors goes on the air, and what comes back. Layout of factors as one vector,
 * aggregation modes (separate means, one factor frozen or in turn, exact products with a residual, different ranks), and
 * what errors of the factors do to their product. Plain flat arrays in and out, for any training stack.
 */
export type {
  AggregatedAdapter,
  FlatArray,
  LoraAdapter,
  LoraFactors,
  LoraShape,
  LowRankFactors,
} from "./adapters.ts";
export {
  type AdapterAggregate,
  type AdapterAggregationOptions,
  type AggregationMode,
  aggregateAdapters,
  aggregationModes,
} from "./aggregate.ts";
export { averagingResidual, loraProduct, type ResidualOptions } from "./exact.ts";
export {
  type FactorName,
  type LayoutOptions,
  type LayoutSegment,
  type LoraLayout,
  loraLayout,
  type PartialAdapter,
} from "./layout.ts";
export type { FactorSplit } from "./low-rank.ts";
export {
  type AdapterErrorInput,
  adapterError,
  balancedScale,
  entryVariance,
  type FactorErrors,
  type ProductError,
  type ProductErrorInput,
  productError,
} from "./noise.ts";
export { type ModePayload, type ModePayloadOptions, modePayload } from "./payload.ts";
export { type DeviceRanks, slotWeights, truncateAdapter } from "./ranks.ts";
export type { Estimate, Send, Transmission } from "./sender.ts";
