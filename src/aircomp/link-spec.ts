import { z } from "zod";
import { InputError, parseInput, renameField } from "../core/index.ts";
import type { Channel } from "./channel.ts";
import { type ChannelSpec, channelFromSpec, channelSchema } from "./channel-spec.ts";
import { type DesignOptions, type Scheme, schemes, transceiverProblem } from "./design.ts";
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
  /** T_s in seconds; default 7.1e-5. */
  readonly symbolDuration?: number;
  /** E_k per round, in units of the noise variance times seconds; null (default): no budget. */
  readonly energyPerRound?: number | readonly number[] | null;
  /** tau in seconds per round; null (default): no budget. */
  readonly latencyPerRound?: number | null;
}

/** How the beamformers are searched. */
export interface SolverSpec {
  /** Default "alternating". */
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
  scheme: z.enum(schemes).default("alternating").describe("beamforming scheme"),
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
  return { ...linkOptions(link, channelFromSpec(spec)), ...solver };
}

/**
 * The part of the options of `designBeamformers` that a channel and a link decide.
 *
 * @throws InputError naming the field of the link that does not fit the channel.
 */
export function linkOptions(
  link: LinkSpec,
  channel: Channel,
): Pick<DesignOptions, "channel" | "streams" | "noiseVariance"> & {
  readonly power: Float64Array;
  readonly weights?: readonly number[];
} {
  const noiseVariance = link.noiseVariance ?? 1;
  const options = {
    channel,
    streams: link.streams ?? 1,
    noiseVariance,
    power: powerFromSnr(link.snrDb ?? 10, channel.devices, channel.subcarriers, noiseVariance),
    weights: link.weights,
  };
  renameField(
    (field) => `link.${field.startsWith("power") ? "snrDb" : field}`,
    () => transceiverProblem(options),
  );
  return options;
}
