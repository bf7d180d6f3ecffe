import { z } from "zod";
import { InputError, parseInput, renameField } from "../core/index.ts";
import type { Channel, EstimatedChannel } from "./channel.ts";
import { type ChannelSpec, channelSchema, type SpecifiedChannel, specifiedChannel } from "./channel-spec.ts";
import type { DeviceCorrelation } from "./correlation.ts";
import {
  type BeamformerDesign,
  type DesignOptions,
  type Scheme,
  schemes,
  transceiverProblem,
} from "./design.ts";
import { evaluateDesign, expectedEvaluation } from "./evaluate.ts";
import { type Effort, efforts } from "./scheme.ts";

/** The radio link as JSON describes it. */
export interface LinkSpec {
  /** S; default 1. */
  readonly streams?: number;
  /** P_k / (M sigma2) in dB, one number or one per device; default 10. */
  readonly snrDb?: number | readonly number[];
  /** sigma2 > 0; default 1. */
  readonly noiseVariance?: number;
  /** w_k >= 0; default 1/K. */
  readonly weights?: readonly number[];
  /**
   * Second moments R of the devices' symbols: c in [0, 1] for (1 - c) I + c 11^T, K rows of K numbers, or "cap" for the
   * largest error of any correlation between unit-power symbols. Default 0, that is R = I.
   */
  readonly correlation?: DeviceCorrelation | "cap";
  /** T_s in seconds; default 7.1e-5. */
  readonly symbolDuration?: number;
  /** E_k per round, in units of the noise variance times seconds; null (default): no budget. */
  readonly energyPerRound?: number | readonly number[] | null;
  /** tau in seconds per round; null (default): no budget. */
  readonly latencyPerRound?: number | null;
}

/** How the beamformers are searched. */
export interface SolverSpec {
  /** Default "manifold". */
  readonly scheme?: Scheme;
  /** Default "default". */
  readonly effort?: Effort;
  /** Default 1. */
  readonly seed?: number;
}

/** Input of `airfold beamform`. */
export interface BeamformProblem {
  readonly channel: ChannelSpec;
  readonly link?: LinkSpec;
  readonly solver?: SolverSpec;
}

const decibels = z.number().min(-300).max(300);
const energy = z.number().min(1e-80).max(1e80);

export const linkSchema: z.ZodType<LinkSpec> = z.strictObject({
  streams: z.int().min(1).default(1).describe("S, symbols per subcarrier use; at most min(N_t, N_r)"),
  snrDb: z
    .union([decibels, z.array(decibels)])
    .default(10)
    .describe("P_k / (M sigma2) in dB, one number or one per device"),
  noiseVariance: z
    .number()
    .min(1e-80)
    .max(1e80)
    .default(1)
    .describe("sigma2 per receive antenna and subcarrier, linear"),
  weights: z
    .array(z.number().min(0))
    .optional()
    .describe("aggregation weights, scaled to sum 1; default 1/K"),
  correlation: z
    .union([
      z.number().min(0).max(1),
      z.array(z.array(z.number().min(-1e100).max(1e100)).min(1)).min(1),
      z.literal("cap"),
    ])
    .default(0)
    .describe(
      'second moments R of the symbols: c in [0, 1] for (1-c) I + c 11^T, K rows of K numbers, or "cap", the largest error of any correlation',
    ),
  symbolDuration: z
    .number()
    .min(1e-15)
    .max(1e9)
    .default(7.1e-5)
    .describe("T_s, duration of an OFDM symbol in s"),
  energyPerRound: z
    .union([energy, z.array(energy), z.null()])
    .default(null)
    .describe("energy of a device per round, in noise variance x s; null: no budget beyond the SNR"),
  latencyPerRound: z
    .number()
    .gt(0)
    .nullable()
    .default(null)
    .describe("longest air time of a round in s, or null"),
});

export const solverFields: {
  readonly scheme: z.ZodDefault<z.ZodType<Scheme, Scheme>>;
  readonly effort: z.ZodDefault<z.ZodType<Effort, Effort>>;
  readonly seed: z.ZodDefault<z.ZodType<number, number>>;
} = {
  scheme: z.enum(schemes).default("manifold").describe("beamforming scheme"),
  effort: z.enum(efforts).default("default").describe("how long iterative schemes try"),
  seed: z.int().min(0).default(1).describe("seed of everything random in the solver"),
};

export const beamformSchema: z.ZodType<BeamformProblem> = z.strictObject({
  channel: channelSchema,
  link: linkSchema.prefault({}),
  solver: z.strictObject(solverFields).prefault({}),
});

/** P_k = M sigma2 10^(snrDb/10) for every device. */
export function powerFromSnr(
  snrDb: number | readonly number[],
  devices: number,
  subcarriers: number,
  noiseVariance: number,
): Float64Array {
  const one = (value: number): number => subcarriers * noiseVariance * 10 ** (value / 10);
  if (typeof snrDb === "number") return new Float64Array(devices).fill(one(snrDb));
  if (snrDb.length !== devices) {
    throw new InputError("link.snrDb", `${snrDb.length} values`, `one number, or ${devices}, one per device`);
  }
  return Float64Array.from(snrDb, one);
}

/**
 * The options of `designBeamformers` for a problem in JSON form.
 *
 * @throws InputError naming the field that is missing, unknown or out of range.
 */
export function beamformOptions(problem: BeamformProblem): DesignOptions {
  const { channel: spec, link = {}, solver = {} } = parseInput(beamformSchema, problem);
  for (const field of ["energyPerRound", "latencyPerRound"] as const) {
    if (link[field] !== null) {
      throw new InputError(
        `link.${field}`,
        `${link[field]}`,
        "null: there is no payload here (see scenarios)",
      );
    }
  }
  return { ...linkOptions(link, specifiedChannel(spec).known), ...solver };
}

/** What a design does, in the unit of `distortion`: omega = sum_m MSE_m / (S M). */
export interface LinkDistortion {
  /** For the correlation of the link (the cap, if that is "cap"), in the mean over the estimation error. */
  readonly distortion: number;
  /** Cap on it for any correlation between the symbols of the devices. */
  readonly cap: number;
  /** The same two on the drawn channel, where the design saw an estimate of it. */
  readonly onTrueChannel?: { readonly distortion: number; readonly cap: number };
}

/**
 * What the design of a problem in JSON form does, in expectation and on the true channel.
 *
 * @throws InputError as {@link beamformOptions} does, or if the design has other shapes than the problem.
 */
export function beamformDistortion(problem: BeamformProblem, design: BeamformerDesign): LinkDistortion {
  const { channel: spec, link = {} } = parseInput(beamformSchema, problem);
  return linkDistortion(link, specifiedChannel(spec), design);
}

/** As {@link beamformDistortion}, for a channel that is built already. */
export function linkDistortion(
  link: LinkSpec,
  channel: SpecifiedChannel,
  design: BeamformerDesign,
): LinkDistortion {
  const { known, truth } = channel;
  const { correlation = 0, noiseVariance = 1 } = link;
  const isCap = correlation === "cap";
  const options = { noiseVariance, correlation: isCap ? 0 : correlation };
  const uses = known.subcarriers * design.streams;
  const expected = expectedEvaluation(known, design, options);
  const cap = expected.cap / uses;
  const distortion = isCap ? cap : expected.distortion;
  if (known.kind === "true" || truth === undefined) return { distortion, cap };
  const actual = evaluateDesign(truth, design, options);
  const actualCap = actual.cap / uses;
  return {
    distortion,
    cap,
    onTrueChannel: { distortion: isCap ? actualCap : actual.distortion, cap: actualCap },
  };
}

/**
 * The part of the options of `designBeamformers` that a channel and a link decide. For the correlation "cap" they
 * state the problem whose MSE bounds the cap, sum_m (sum_k ||E_km||)^2 <= sum_km ||E_km||^2 / w_k: R = diag(1/w_k),
 * the estimation error counting as often as before (docs/imperfect-knowledge.md, section 4).
 *
 * @throws InputError naming the field of the link that does not fit the channel.
 */
export function linkOptions(
  link: LinkSpec,
  channel: Channel,
): Pick<DesignOptions, "channel" | "streams" | "noiseVariance" | "correlation"> & {
  readonly power: Float64Array;
  readonly weights?: readonly number[];
} {
  const noiseVariance = link.noiseVariance ?? 1;
  const { correlation = 0 } = link;
  const options = {
    channel,
    streams: link.streams ?? 1,
    noiseVariance,
    power: powerFromSnr(link.snrDb ?? 10, channel.devices, channel.subcarriers, noiseVariance),
    weights: link.weights,
    ...(correlation === 0 || correlation === "cap" ? {} : { correlation }),
  };
  const { weights } = renameField(
    (field) => `link.${field.startsWith("power") ? "snrDb" : field}`,
    () => transceiverProblem(options),
  );
  return correlation === "cap" ? { ...options, ...capProblem(channel, weights) } : options;
}

/** A device of weight 0 sends nothing, whatever its R_kk. */
function capProblem(channel: Channel, weights: Float64Array): Pick<DesignOptions, "channel" | "correlation"> {
  const power = Array.from(weights, (w) => (w > 0 ? 1 / w : 1));
  const correlation = power.map((q, k) => power.map((_, j) => (j === k ? q : 0)));
  if (channel.kind === "true") return { channel, correlation };
  const errorVariance = channel.errorVariance.map((variance, k) => variance / power[k]!);
  const scaled: EstimatedChannel = Object.freeze({ ...channel, errorVariance });
  return { channel: scaled, correlation };
}
