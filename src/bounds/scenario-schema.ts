import { z } from "zod";
import {
  type ChannelSpec,
  channelSchema,
  type LinkSpec,
  linkSchema,
  type SolverSpec,
  solverFields,
} from "../aircomp/index.ts";
import type { Participation } from "./error-sources.ts";
import { type LoraLayer, largestSize, type PayloadPlan, type TrainedFactors } from "./payload.ts";
import { type ResidualKind, residualKinds } from "./residual.ts";
import type { Spectrum } from "./spectrum.ts";

/** A learning constant: one number, or one per rank (entry 0 is rank 1). */
export type PerRank = number | readonly number[];

/**
 * `pl`: a gap under the Polyak-Lojasiewicz inequality; `quadratic`: a smaller one for quadratic losses; `non-convex`: the
 * mean squared gradient under smoothness.
 */
export type BoundForm = "pl" | "quadratic" | "non-convex";

/** Where the constants hold: for all weights, or on a set that the iterates do not leave. */
export type ConstantsRegion = "global" | "sublevel";

/** The learning problem: the constants of the bound (docs/theory.md, section 2). */
export interface LearningSpec {
  /**
   * Default "pl". "quadratic": tighter, for losses that are quadratic in loraB, and for any correlation of the gradients.
   * "non-convex" bounds the mean squared gradient norm instead of the gap.
   */
  readonly form?: BoundForm;
  /** Where L and mu hold. Default "global" for loraB alone, "sublevel" otherwise. */
  readonly region?: ConstantsRegion;
  /** L */
  readonly smoothness: PerRank;
  /** mu <= L; not in the non-convex form */
  readonly plConstant?: PerRank;
  /** Delta0, unit of the loss */
  readonly initialGap: number;
  /** T; may be left out where `totalTime` is given, and is the most rounds where both are. */
  readonly rounds?: number;
  /** Seconds for the whole training, or null: T(r) = floor(totalTime / (computeTime + N_sym T_s)). Default null. */
  readonly totalTime?: number | null;
  /** Seconds that the devices compute per round; counts against totalTime. Default 0. */
  readonly computeTime?: number;
  /** a1 */
  readonly gradientFloor: PerRank;
  /** a2; default 0 */
  readonly gradientSlope?: PerRank;
  /** chi2; default 0 */
  readonly stochasticVariance?: PerRank;
  /** h1 of sum_k w_k ||g_k - g||^2 <= h1 + h2 ||grad||^2; of the quadratic form only. Default a1. */
  readonly dissimilarityFloor?: PerRank;
  /** h2 of the same bound; default a2 */
  readonly dissimilaritySlope?: PerRank;
  /** Missing devices; default none. */
  readonly participation?: Participation;
}

/** What is fine-tuned. */
export interface LoraSpec {
  readonly layers: readonly LoraLayer[];
  /** Default "both". */
  readonly trained?: TrainedFactors;
  /** One rank for all layers (default), or the best one for every weight matrix (docs/layer-ranks.md). */
  readonly ranks?: "uniform" | "per-layer";
  /** What rank r cannot reach; needed, but not in the non-convex form. */
  readonly residual?: ResidualSpec;
  /** What of all this is sent; default: all layers and nothing else (docs/personalisation.md). */
  readonly payload?: PayloadPlan;
}

export interface ResidualSpec {
  /**
   * What the rows of loraA are (see `ResidualKind`). With `projection` and `sketch` nothing is out of reach, and
   * `smoothness` and `plConstant` of `learning` are those in the weights.
   */
  readonly kind: ResidualKind;
  /** Of every layer that has none of its own; for `spectral` and `frozen`. */
  readonly spectrum?: Spectrum;
  /**
   * L_W, the smoothness of the loss in the weight matrices; for `spectral` and `frozen`. Default: the smoothness of
   * `learning`, which is right where (alpha/r) s_max(loraA) = 1; needed where that is given per rank.
   */
  readonly smoothness?: number;
}

export type RankSearch = "backtracking" | "exhaustive" | "random" | { readonly fixed: number };

export interface ScenarioSolverSpec extends SolverSpec {
  /** Default "backtracking". */
  readonly rankSearch?: RankSearch;
  /** r_max; default 64, never above the largest min(dOut, dIn). */
  readonly maxRank?: number;
  /** Where backtracking starts; default half of the feasible ranks. */
  readonly initialRank?: number;
}

/** Input of `minimizeOptimalityGap` and of `airfold solve`. */
export interface Scenario {
  readonly channel: ChannelSpec;
  readonly link?: LinkSpec;
  readonly learning: LearningSpec;
  readonly lora: LoraSpec;
  readonly solver?: ScenarioSolverSpec;
}

const size = (text: string) => z.int().min(1).max(largestSize).describe(text);
const entryCount = (text: string) => z.int().min(0).describe(text);
const perRank = (one: z.ZodNumber, text: string) =>
  z.union([one, z.array(one).min(1)]).describe(`${text}; or one per rank`);
const positive = z.number().gt(0);
const nonNegative = z.number().min(0);

const spectrumSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("power-law"),
    scale: nonNegative.describe("s_1"),
    exponent: nonNegative.describe("s_i = scale i^-exponent"),
  }),
  z.strictObject({
    kind: z.literal("geometric"),
    scale: nonNegative.describe("s_1"),
    ratio: z.number().min(0).max(1).describe("s_i = scale ratio^(i-1)"),
  }),
  z.strictObject({
    kind: z.literal("values"),
    values: z.array(nonNegative).describe("s_1, s_2, ..."),
    tail: nonNegative
      .optional()
      .describe("sum of squares of the singular values that are not listed; default 0"),
  }),
]);

const residualSchema = z.strictObject({
  kind: z
    .enum(residualKinds)
    .describe(
      "spectral: eps(r) = (L_W/2) sum_{i>r} s_i^2; frozen (loraA random): (L_W/2) (1 - r/dIn) sum_i s_i^2, both summed " +
        "over the layers; projection, sketch (loraA drawn anew and merged every round): 0",
    ),
  spectrum: spectrumSchema
    .optional()
    .describe("singular values of Delta W* of each layer; of spectral and frozen"),
  smoothness: positive
    .optional()
    .describe(
      "L_W, smoothness in the weight matrices; default: learning.smoothness, right if (alpha/r) s_max(A) = 1",
    ),
});

export const scenarioSchema: z.ZodType<Scenario> = z.strictObject({
  channel: channelSchema,
  link: linkSchema.prefault({}),
  learning: z.strictObject({
    form: z
      .enum(["pl", "quadratic", "non-convex"])
      .default("pl")
      .describe(
        "pl: bound on the gap; quadratic: a tighter one for losses quadratic in loraB; non-convex: bound on the mean squared gradient norm",
      ),
    region: z
      .enum(["global", "sublevel"])
      .optional()
      .describe("where L and mu hold; default: global if loraB alone is trained, otherwise a sublevel set"),
    smoothness: perRank(positive, "L, smoothness of the loss in the trained factors"),
    plConstant: perRank(
      positive,
      "mu of the Polyak-Lojasiewicz inequality (smallest curvature of a quadratic), at most L; not in the non-convex form",
    ).optional(),
    initialGap: nonNegative.describe("Delta0 = F(W0) - F*, unit of the loss"),
    rounds: z
      .int()
      .min(0)
      .optional()
      .describe("T, training rounds; needed without totalTime, the most of them with it"),
    totalTime: z
      .number()
      .gt(0)
      .nullable()
      .default(null)
      .describe("seconds of training; T(r) = floor(totalTime/(computeTime + air time of a round))"),
    computeTime: nonNegative.default(0).describe("seconds that a round takes besides its air time"),
    gradientFloor: perRank(nonNegative, "a1 of Q packScale^2 <= a1 + a2 ||grad||^2"),
    gradientSlope: perRank(nonNegative, "a2 of the same bound").default(0),
    stochasticVariance: perRank(nonNegative, "chi2, variance of the weighted stochastic gradient").default(0),
    dissimilarityFloor: perRank(
      nonNegative,
      "h1 of sum_k w_k ||g_k - g||^2 <= h1 + h2 ||grad||^2, quadratic form only; default a1",
    ).optional(),
    dissimilaritySlope: perRank(nonNegative, "h2 of the same bound; default a2").optional(),
    participation: z
      .strictObject({
        missingWeight: z
          .number()
          .min(0)
          .lt(1)
          .describe("total weight v of the missing devices, the largest of any round (not its mean)"),
        heterogeneityFloor: nonNegative.describe("k1 of ||grad f_k||^2 <= k1 + k2 ||grad f||^2"),
        heterogeneitySlope: nonNegative.optional().describe("k2; default 0"),
        renormalised: z.boolean().optional().describe("weights of the others renormalised; default true"),
      })
      .optional()
      .describe("devices that miss rounds; default none"),
  }),
  lora: z.strictObject({
    layers: z
      .array(
        z.strictObject({
          dOut: size("rows of the weight matrix"),
          dIn: size("columns of the weight matrix"),
          count: size("how many such matrices; default 1").optional(),
          spectrum: spectrumSchema
            .optional()
            .describe("spectrum of Delta W* of these matrices, if not the common one"),
        }),
      )
      .min(1),
    trained: z
      .enum(["both", "loraB", "alternating"])
      .default("both")
      .describe("factors that are trained and sent; alternating: loraB and loraA in turn"),
    ranks: z
      .enum(["uniform", "per-layer"])
      .default("uniform")
      .describe(
        "uniform: one rank for all layers; per-layer: the best for every weight matrix, from the spectra",
      ),
    residual: residualSchema
      .optional()
      .describe("what rank r cannot reach; needed, but not in the non-convex form"),
    payload: z
      .strictObject({
        layers: z
          .array(z.int().min(0))
          .optional()
          .describe("indices of the layers whose factors are shared, the others being private; default: all"),
        tensors: z
          .array(
            z.strictObject({
              name: z.string().optional().describe("for the reader"),
              entries: entryCount("numbers in it, whatever the rank; default 0").optional(),
              entriesPerRank: entryCount("further numbers per unit of rank; default 0").optional(),
              count: size("how many such tensors; default 1").optional(),
            }),
          )
          .optional()
          .describe("what is shared besides these factors (adapters, heads, biases); default: nothing"),
      })
      .optional()
      .describe("what of the model is sent in a round; default: all layers and nothing else"),
  }),
  solver: z
    .strictObject({
      ...solverFields,
      rankSearch: z
        .union([
          z.enum(["backtracking", "exhaustive", "random"]),
          z.strictObject({ fixed: size("the rank") }),
        ])
        .default("backtracking")
        .describe("how the rank is searched"),
      maxRank: size("largest rank that is considered").default(64),
      initialRank: size("where backtracking starts; default: the middle").optional(),
    })
    .prefault({}),
});
