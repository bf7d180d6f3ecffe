import { z } from "zod";
import {
  type BeamformerDesign,
  type Channel,
  type ChannelSpec,
  channelSchema,
  type DeviceCorrelation,
  type LinkDistortion,
  type LinkSpec,
  linkDistortion,
  linkOptions,
  linkSchema,
  type SolverSpec,
  solverFields,
  specifiedChannel,
} from "../aircomp/index.ts";
import { InputError, parseInput, renameField } from "../core/index.ts";
import { type GapInput, optimalityGap, type Participation } from "./optimality-gap.ts";
import {
  type LoraLayer,
  largestSize,
  ofdmSymbols,
  payloadEntries,
  symbolPower,
  type TrainedFactors,
} from "./payload.ts";
import { tailEnergies } from "./residual.ts";
import type { Spectrum } from "./spectrum.ts";

/** A learning constant: one number, or one per rank (entry 0 is rank 1). */
export type PerRank = number | readonly number[];

/** The learning problem: the constants of the bound (docs/theory.md, section 2). */
export interface LearningSpec {
  /** L */
  readonly smoothness: PerRank;
  /** mu <= L */
  readonly plConstant: PerRank;
  /** Delta0, unit of the loss */
  readonly initialGap: number;
  /** T */
  readonly rounds: number;
  /** a1 */
  readonly gradientFloor: PerRank;
  /** a2; default 0 */
  readonly gradientSlope?: PerRank;
  /** chi2; default 0 */
  readonly stochasticVariance?: PerRank;
  /** Missing devices; default none. */
  readonly participation?: Participation;
}

/** What is fine-tuned. */
export interface LoraSpec {
  readonly layers: readonly LoraLayer[];
  /** Default "both". */
  readonly trained?: TrainedFactors;
  readonly residual: {
    readonly kind: "spectral";
    /** Of every layer that has none of its own. */
    readonly spectrum?: Spectrum;
    /**
     * L_W, the smoothness of the loss in the weight matrices. Default: the smoothness of `learning`, which is right where
     * (alpha/r) s_max(loraA) = 1; needed where that is given per rank.
     */
    readonly smoothness?: number;
  };
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
  z.strictObject({ kind: z.literal("values"), values: z.array(nonNegative).describe("s_1, s_2, ...") }),
]);

export const scenarioSchema: z.ZodType<Scenario> = z.strictObject({
  channel: channelSchema,
  link: linkSchema.prefault({}),
  learning: z.strictObject({
    smoothness: perRank(positive, "L, smoothness of the loss in the trained factors"),
    plConstant: perRank(positive, "mu of the Polyak-Lojasiewicz inequality, at most L"),
    initialGap: nonNegative.describe("Delta0 = F(W0) - F*, unit of the loss"),
    rounds: z.int().min(0).describe("T, training rounds"),
    gradientFloor: perRank(nonNegative, "a1 of Q packScale^2 <= a1 + a2 ||grad||^2"),
    gradientSlope: perRank(nonNegative, "a2 of the same bound").default(0),
    stochasticVariance: perRank(nonNegative, "chi2, variance of the weighted stochastic gradient").default(0),
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
    trained: z.enum(["both", "loraB"]).default("both").describe("factors that are trained and sent"),
    residual: z.strictObject({
      kind: z.literal("spectral").describe("eps(r) = (L_W/2) sum_{i>r} s_i^2, summed over the layers"),
      spectrum: spectrumSchema.optional().describe("singular values of Delta W* of each layer"),
      smoothness: positive
        .optional()
        .describe(
          "L_W, smoothness in the weight matrices; default: learning.smoothness, right if (alpha/r) s_max(A) = 1",
        ),
    }),
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

/** A scenario whose channel is built and whose rank-dependent quantities can be asked for. */
export interface RankProblem {
  /** What the design sees: the channel, or an estimate of it. */
  readonly channel: Channel;
  readonly streams: number;
  readonly noiseVariance: number;
  readonly weights?: readonly number[];
  /** R that the beamformers are designed for; absent: R = I. */
  readonly correlation?: DeviceCorrelation;
  readonly solver: Required<Pick<ScenarioSolverSpec, "scheme" | "effort" | "seed" | "rankSearch">> &
    Pick<ScenarioSolverSpec, "initialRank">;
  /** Largest rank that the layers, `maxRank` and the latency budget allow; >= 1. */
  readonly maxRank: number;
  /** What one round at rank r sends. */
  payloadAt(rank: number): RankPayload;
  /** The omega that the bound uses for a design, and the cap; the same on the true channel where it is known too. */
  distortionOf(design: BeamformerDesign): LinkDistortion;
  /** The bound at rank r for a distortion. */
  gapInput(rank: number, distortion: number): GapInput;
}

export interface RankPayload {
  /** Q */
  readonly entries: number;
  /** N_sym */
  readonly symbols: number;
  /** N_sym T_s in seconds. */
  readonly airTime: number;
  /** P_k(r) */
  readonly power: Float64Array;
}

/**
 * Checks a scenario, fills in its defaults and builds its channel.
 *
 * @throws InputError naming the field that is missing, unknown, out of range or impossible.
 */
export function rankProblem(scenario: Scenario): RankProblem {
  const parsed = parseInput(scenarioSchema, scenario);
  const { learning, lora } = parsed;
  const link = parsed.link as Required<Omit<LinkSpec, "weights">> & Pick<LinkSpec, "weights">;
  const solver = parsed.solver as RankProblem["solver"] & { readonly maxRank: number };
  const specified = specifiedChannel(parsed.channel);
  const channel = specified.known;
  const { devices, subcarriers } = channel;
  const { power: peak, ...radio } = linkOptions(link, channel);
  const energy = link.energyPerRound;
  if (Array.isArray(energy) && energy.length !== devices) {
    throw new InputError(
      "link.energyPerRound",
      `${energy.length} values`,
      `one number, or ${devices}, one per device`,
    );
  }
  const energyOf = (k: number): number | null =>
    energy === null ? null : typeof energy === "number" ? energy : energy[k]!;
  const trained = lora.trained ?? "both";

  const payloadAt = (rank: number): RankPayload => {
    const entries = renameField(scenarioField, () => payloadEntries(lora.layers, rank, trained));
    const symbols = ofdmSymbols(entries, link.streams, subcarriers);
    const airTime = symbols * link.symbolDuration;
    return {
      entries,
      symbols,
      airTime,
      power: peak.map((power, k) => symbolPower(power, energyOf(k), airTime)),
    };
  };

  const widest = Math.max(...lora.layers.map((layer) => Math.min(layer.dOut, layer.dIn)));
  let maxRank = Math.min(solver.maxRank, widest);
  if (link.latencyPerRound !== null) {
    const first = payloadAt(1).airTime;
    if (first > link.latencyPerRound) {
      throw new InputError(
        "link.latencyPerRound",
        `${link.latencyPerRound} s`,
        `at least ${first} s, the air time of rank 1; use more subcarriers or streams, or fewer layers`,
      );
    }
    while (payloadAt(maxRank).airTime > link.latencyPerRound) maxRank--;
  }
  checkRankWithin("solver.initialRank", solver.initialRank, maxRank);
  if (typeof solver.rankSearch === "object") {
    checkRankWithin("solver.rankSearch.fixed", solver.rankSearch.fixed, maxRank);
  }

  if (typeof learning.smoothness !== "number" && lora.residual.smoothness === undefined) {
    throw new InputError(
      "lora.residual.smoothness",
      "nothing",
      "L_W, the smoothness in the weights, where learning.smoothness is given per rank",
    );
  }
  const tails = renameField(scenarioField, () => tailEnergies(lora.layers, lora.residual.spectrum, maxRank));
  const gapInput = (rank: number, distortion: number): GapInput => {
    const smoothness = atRank(learning.smoothness, rank, "learning.smoothness");
    return {
      smoothness,
      plConstant: atRank(learning.plConstant, rank, "learning.plConstant"),
      initialGap: learning.initialGap,
      rounds: learning.rounds,
      distortion,
      gradientFloor: atRank(learning.gradientFloor, rank, "learning.gradientFloor"),
      gradientSlope: atRank(learning.gradientSlope ?? 0, rank, "learning.gradientSlope"),
      stochasticVariance: atRank(learning.stochasticVariance ?? 0, rank, "learning.stochasticVariance"),
      residual: ((lora.residual.smoothness ?? smoothness) / 2) * tails[rank]!,
      participation: learning.participation,
    };
  };
  // wrong constants (mu > L, lists that are too short, spectra that are missing) are refused before any solving
  for (let rank = 1; rank <= maxRank; rank++)
    renameField(scenarioField, () => optimalityGap(gapInput(rank, 0)));

  return {
    ...radio,
    solver,
    maxRank,
    payloadAt,
    distortionOf: (design) => {
      const found = linkDistortion(link, specified, design);
      // the design states its own MSE, except where it was made for a bound on the cap
      return link.correlation === "cap" ? found : { ...found, distortion: design.distortion };
    },
    gapInput,
  };
}

function atRank(value: PerRank, rank: number, field: string): number {
  if (typeof value === "number") return value;
  const entry = value[rank - 1];
  if (entry === undefined)
    throw new InputError(field, `${value.length} values`, `one for every rank, at least ${rank}`);
  return entry;
}

function checkRankWithin(field: string, rank: number | undefined, maxRank: number): void {
  if (rank !== undefined && rank > maxRank) {
    throw new InputError(
      field,
      `${rank}`,
      `at most ${maxRank}, the largest rank that the layers, maxRank and the latency budget allow`,
    );
  }
}

/** Arguments of the bound and the residual under the names that the scenario has for them. */
function scenarioField(field: string): string {
  if (field.startsWith("learning.")) return field;
  if (field.startsWith("spectrum")) return `lora.residual.${field}`;
  return field.startsWith("layers") ? `lora.${field}` : `learning.${field}`;
}
