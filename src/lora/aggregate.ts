import { checkChoice, checkOptions, checkPositive, describe, InputError } from "../core/index.ts";
import {
  type AggregatedAdapter,
  checkAdapterList,
  checkShapes,
  type LoraAdapter,
  type LoraShape,
  type LowRankFactors,
  shares,
} from "./adapters.ts";
import { averageFactors } from "./average.ts";
import { aggregateProducts, aggregateStacked } from "./exact.ts";
import type { FactorSplit } from "./low-rank.ts";
import { type Estimate, type Send, sender } from "./sender.ts";

/**
 * What is averaged: both factors each for itself, loraB with a common frozen loraA, the two in turn, both with slots of
 * zeros up to a common rank, all factors put side by side (the exact product, nothing superposed), or the products.
 */
export type AggregationMode = "joint" | "loraB" | "alternating" | "padded" | "stacked" | "product";

export const aggregationModes: readonly AggregationMode[] = [
  "joint",
  "loraB",
  "alternating",
  "padded",
  "stacked",
  "product",
];

export interface AdapterAggregationOptions<T extends Estimate = Estimate> {
  readonly mode: AggregationMode;
  /** Shapes; `rank` is that of the aggregate, in "padded" the largest that a device may have. */
  readonly layers: readonly LoraShape[];
  /** One per device. A frozen factor goes along as it is; in "padded", "stacked" and "product" ranks may differ. */
  readonly adapters: readonly LoraAdapter[];
  /** w_k >= 0, scaled to sum 1. Default 1/K. A `send` must use the same, and one that tells its weights is held to it. */
  readonly weights?: ArrayLike<number>;
  /** Estimates sum_k w_k v_k, at once (no Promise); default: the sum itself. Not for "stacked". */
  readonly send?: Send<T>;
  /** "alternating": the round, from 0; even rounds train loraB. */
  readonly round?: number;
  /** "joint", "padded": loraB and loraA in two transmissions, so that each has a packScale of its own. Default false. */
  readonly perFactor?: boolean;
  /** "joint", "padded": loraB is sent this many times larger, see `balancedScale`. Default 1. */
  readonly loraBScale?: number;
  /** "padded": "plain" sums (default), or "renormalised" by the weight of the devices that hold a slot. */
  readonly slots?: "plain" | "renormalised";
  /** "stacked": the factors of the best approximation (default), or the mean factors. The residual has the rest. */
  readonly keep?: "truncated" | "mean";
  /** "product", and "stacked" with `keep: "truncated"`: how the singular values are shared. Default "balanced". */
  readonly split?: FactorSplit;
  /**
   * "stacked", "product": all devices use one factor alpha/rank ("common", default), or each alpha/r_k with its own rank;
   * its product then counts rank/r_k times, so that the aggregate is used with alpha/rank.
   */
  readonly scaling?: "common" | "per-rank";
}

export interface AdapterAggregate<T extends Estimate = Estimate> {
  /** Factors of the aggregate; in "loraB" and "alternating" with a copy of the frozen one. */
  readonly adapter: AggregatedAdapter;
  /**
   * Per layer what the factors leave of the sum of the products, "stacked" and "product" only: W0 takes
   * (alpha/rank) residual.loraB residual.loraA, and the sum is kept to rounding.
   */
  readonly residuals?: readonly LowRankFactors[];
  /** Reals that a device sends ("stacked" and ranks that differ: the device that sends most). */
  readonly entries: number;
  /** What `send` returned, in the order of the transmissions; empty without it. */
  readonly transmissions: readonly T[];
}

const names = [
  "mode",
  "layers",
  "adapters",
  "weights",
  "send",
  "round",
  "perFactor",
  "loraBScale",
  "slots",
  "keep",
  "split",
  "scaling",
] as const;

/** The options that belong to some modes only. */
const owners: { readonly [name: string]: readonly AggregationMode[] } = {
  round: ["alternating"],
  perFactor: ["joint", "padded"],
  loraBScale: ["joint", "padded"],
  slots: ["padded"],
  keep: ["stacked"],
  split: ["stacked", "product"],
  scaling: ["stacked", "product"],
};

/**
 * Aggregates the LoRA factors (or gradients of them) of K devices, exactly or through `send`, for example
 * `(vectors, { index }) => link.aggregate(vectors, 2 * round + index)` with an `overTheAirLink`.
 *
 * "joint", "padded": sum_k w_k loraB_k and sum_k w_k loraA_k; their product misses the sum of the products by
 * `averagingResidual`. "loraB", "alternating": the factor that is not sent is the same everywhere, and the mean of
 * the products is the product of the means. "stacked", "product": the sum of the products itself, as factors of the
 * given rank and a residual. Derivations: docs/lora-aggregation.md.
 *
 * @throws InputError naming the factor (`adapters[2].layers[0].loraB`), on options of another mode, on frozen factors
 *   that differ, on a `send` that returns a Promise or tells other weights, on `send` with "stacked": factors cannot be
 *   multiplied on the air, nor their products be had from sums.
 */
export function aggregateAdapters<T extends Estimate = Estimate>(
  options: AdapterAggregationOptions<T>,
): AdapterAggregate<T> {
  checkOptions(options, "aggregateAdapters", names);
  const mode = checkChoice(options.mode, "mode", aggregationModes);
  checkOwners(options, mode);
  const shapes = checkShapes(options.layers);
  const adapters = checkAdapterList(options.adapters);
  const weights = shares(options.weights, adapters.length);
  const link = sender(options.send, weights);
  const split = checkChoice(options.split ?? "balanced", "split", ["balanced", "orthonormal"]);
  const perRank = checkChoice(options.scaling ?? "common", "scaling", ["common", "per-rank"]) === "per-rank";
  switch (mode) {
    case "stacked": {
      const keep = checkChoice(options.keep ?? "truncated", "keep", ["truncated", "mean"]);
      if (keep === "mean" && options.split !== undefined) {
        throw new InputError("split", `"${split}" with keep "mean"`, 'nothing, or keep "truncated"');
      }
      const stacked = aggregateStacked(shapes, adapters, weights, { keep, split, perRank });
      return { ...stacked, transmissions: link.transmissions };
    }
    case "product":
      return {
        ...aggregateProducts(shapes, adapters, link, { split, perRank }),
        transmissions: link.transmissions,
      };
    default: {
      const averaged = averageFactors(shapes, adapters, weights, link, {
        trained: mode === "loraB" || mode === "alternating" ? mode : "both",
        round: options.round,
        padded: mode === "padded",
        renormalised:
          checkChoice(options.slots ?? "plain", "slots", ["plain", "renormalised"]) === "renormalised",
        perFactor: checkFlag(options.perFactor ?? false, "perFactor"),
        loraBScale: checkPositive(options.loraBScale ?? 1, "loraBScale"),
      });
      return { ...averaged, transmissions: link.transmissions };
    }
  }
}

function checkOwners(options: object, mode: AggregationMode): void {
  for (const [name, modes] of Object.entries(owners)) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined || modes.includes(mode)) continue;
    const which = modes.map((owner) => `"${owner}"`).join(" or ");
    throw new InputError(name, `${describe(value)} with mode "${mode}"`, `nothing, or mode ${which}`);
  }
  if (mode === "stacked" && (options as { send?: unknown }).send !== undefined) {
    throw new InputError(
      "send",
      'a sender of sums with mode "stacked"',
      'nothing: stacking needs the factors of every device apart, which no sum holds; mode "product" sends the products',
    );
  }
}

function checkFlag(value: unknown, field: string): boolean {
  if (typeof value === "boolean") return value;
  throw new InputError(field, describe(value), "true or false");
}
