import { z } from "zod";
import { type ComplexJson, InputError, renameField } from "../core/index.ts";
import {
  type Channel,
  channelFrom,
  type RayleighOptions,
  type RicianOptions,
  rayleighChannel,
  ricianChannel,
  simulatedGains,
  type TrueChannel,
} from "./channel.ts";
import { MAX_DEVICES } from "./correlation.ts";
import { delayProfileNames } from "./delay-profiles.ts";
import { type EstimationOptions, estimateChannel, estimatedChannelFrom } from "./estimation.ts";

/** How a simulated channel is estimated: one of `errorVariance` and `pilotSnrDb`. */
export interface EstimationSpec extends Omit<EstimationOptions, "seed"> {
  /** Default: the seed of the channel. */
  readonly seed?: number;
}

interface Simulated {
  /** The design sees an MMSE estimate of the drawn channel. Default: it sees the channel itself. */
  readonly estimation?: EstimationSpec;
}

interface Given {
  readonly model: "given";
  /** se2_k: the matrices are an estimate whose error has this variance. Default 0: they are the channel itself. */
  readonly errorVariance?: number | readonly number[];
}

/** A channel as JSON describes it: a model with its parameters, or given matrices. */
export type ChannelSpec =
  | ({ readonly model: "rayleigh" } & RayleighOptions & Simulated)
  | ({ readonly model: "rician" } & RicianOptions & Simulated)
  | (Given & { readonly matrices: ComplexJson })
  | (Given & { readonly file: string; readonly variable?: string });

const count = (text: string) => z.int().min(1).describe(text);
const coefficient = (text: string) => z.number().min(0).lt(1).optional().describe(text);

const one = z.number().min(0).max(1e100);
const variance = (text: string) =>
  z.union([one, z.array(one).min(1)]).describe(`${text}; linear, one number or one per device`);

const rayleighFields = {
  devices: z.int().min(1).max(MAX_DEVICES).describe("K, number of devices"),
  subcarriers: count("M, number of subcarriers; need not be a power of two"),
  receiveAntennas: count("N_r, antennas of the server"),
  transmitAntennas: count("N_t, antennas of each device"),
  taps: z.int().min(1).max(65536).optional().describe("taps of the impulse response, in samples; default 1"),
  delayProfile: z
    .union([z.enum(delayProfileNames), z.array(z.number().min(0)).min(1)])
    .optional()
    .describe("power-delay profile: a name, or one power per tap; default exponential"),
  delaySpread: z.number().gt(0).optional().describe("delay spread in taps (samples); default 1"),
  pathLoss: z
    .strictObject({
      positions: z
        .union([
          z.array(z.array(z.number().min(-1e9).max(1e9)).min(2).max(3)),
          z.strictObject({
            radius: z.number().gt(0).max(1e9).describe("m"),
            minimum: z.number().min(0).optional().describe("m; default 0"),
          }),
        ])
        .describe(
          "[x, y] or [x, y, z] of each device in m (server at the origin), or a disc to drop them in",
        ),
      exponent: z.number().gt(0).max(20).optional().describe("path-loss exponent; default 3"),
      referenceDistance: z.number().min(1e-9).max(1e9).optional().describe("m; default 1"),
      referenceLossDb: z
        .number()
        .min(-300)
        .max(300)
        .optional()
        .describe("dB at the reference distance; default 0"),
      shadowingDb: z
        .number()
        .min(0)
        .max(100)
        .optional()
        .describe("standard deviation of log-normal shadowing, dB; default 0"),
      normalise: z.boolean().optional().describe("scale the gains to mean 1; default false"),
    })
    .optional()
    .describe("distance-dependent gains; default: every device has gain 1"),
  gains: z.array(z.number().min(0).max(1e100)).optional().describe("power gain of each device, linear"),
  receiveCorrelation: coefficient("correlation of neighbouring receive antennas, [0, 1); default 0"),
  transmitCorrelation: coefficient("correlation of neighbouring transmit antennas, [0, 1); default 0"),
  seed: z.int().min(0).describe("seed of the channel"),
  estimation: z
    .strictObject({
      errorVariance: variance("se2, variance of the error of an entry, below its prior variance").optional(),
      pilotSnrDb: z
        .number()
        .min(-300)
        .max(300)
        .optional()
        .describe("pilot energy over the noise variance at gain 1, dB; or errorVariance, not both"),
      priorVariance: variance("variance of an entry before estimation; default: the gains").optional(),
      seed: z.int().min(0).optional().describe("seed of the pilot noise; default: the seed of the channel"),
    })
    .optional()
    .describe("the design sees an MMSE estimate of the channel; default: it knows the channel"),
};

const angles = (text: string) => z.array(z.number()).optional().describe(text);
const number = z.number();

export const channelSchema: z.ZodType<ChannelSpec> = z.discriminatedUnion("model", [
  z.strictObject({ model: z.literal("rayleigh"), ...rayleighFields }),
  z.strictObject({
    model: z.literal("rician"),
    kFactorDb: z
      .number()
      .min(-300)
      .max(300)
      .describe("line of sight over scattered power of the first tap, dB"),
    arrivalAngles: angles("radians from broadside, one per device; default: random"),
    departureAngles: angles("radians from broadside, one per device; default: random"),
    ...rayleighFields,
  }),
  z.strictObject({
    model: z.literal("given"),
    file: z
      .string()
      .min(1)
      .optional()
      .describe("path of a .json, .npy, .npz or .mat file with [K, M, Nr, Nt]"),
    variable: z.string().optional().describe("name of the array in an .npz or .mat file"),
    matrices: z
      .strictObject({ shape: z.array(z.int().min(1)).length(4), re: z.array(number), im: z.array(number) })
      .optional()
      .describe("the matrices themselves, shape [K, M, Nr, Nt], row-major"),
    errorVariance: variance(
      "the matrices are an estimate, and this is the variance of the error of an entry; default 0",
    ).optional(),
  }),
]) as unknown as z.ZodType<ChannelSpec>;

/** Both sides of a channel: what a design may know, and what there is. */
export interface SpecifiedChannel {
  /** What the design sees: the true channel, or an estimate. */
  readonly known: Channel;
  /** The channel itself; absent where only an estimate is given. */
  readonly truth?: TrueChannel;
}

/**
 * The true channel that a specification describes, whatever is estimated of it.
 *
 * @throws InputError as {@link specifiedChannel} does, or if only an estimate is given.
 */
export function channelFromSpec(spec: ChannelSpec): TrueChannel {
  const { truth } = specifiedChannel(spec);
  if (truth === undefined) {
    throw new InputError("channel.errorVariance", "an estimate of the channel", "the channel itself");
  }
  return truth;
}

/**
 * The channel that a specification describes, and what a design may know of it: an estimate where there is an
 * `estimation` or an `errorVariance`.
 *
 * @throws InputError on impossible parameters, or if the matrices are still in a file (the command line reads
 * files; the library does not).
 */
export function specifiedChannel(spec: ChannelSpec): SpecifiedChannel {
  switch (spec.model) {
    case "rayleigh": {
      const { model: _, estimation, ...options } = spec;
      return observed(rayleighChannel(options), options, estimation);
    }
    case "rician": {
      const { model: _, estimation, ...options } = spec;
      return observed(ricianChannel(options), options, estimation);
    }
    case "given": {
      const file = "file" in spec ? spec.file : undefined;
      const matrices = "matrices" in spec ? spec.matrices : undefined;
      if (file !== undefined) {
        throw new InputError("channel.file", `"${file}"`, "matrices: only the command line reads files");
      }
      if (matrices === undefined) throw new InputError("channel.matrices", "nothing", "matrices or a file");
      const truth = channelFrom(matrices, "channel.matrices");
      if (truth.devices > MAX_DEVICES) {
        const { shape } = truth.matrices;
        throw new InputError(
          "channel.matrices",
          `shape [${shape.join(", ")}]`,
          `at most ${MAX_DEVICES} devices`,
        );
      }
      const { errorVariance } = spec;
      if (errorVariance === undefined) return { known: truth, truth };
      const known = renameField(
        (field) => `channel.${field}`,
        () => estimatedChannelFrom(truth.matrices, errorVariance),
      );
      // an estimate without an error is the channel
      return known.errorVariance.some((variance) => variance > 0) ? { known } : { known, truth };
    }
  }
}

function observed(
  truth: TrueChannel,
  options: RayleighOptions,
  estimation: EstimationSpec | undefined,
): SpecifiedChannel {
  if (estimation === undefined) return { known: truth, truth };
  const known = renameField(
    (field) => `channel.estimation.${field.replace(/^estimateChannel\./, "")}`,
    () =>
      estimateChannel(truth, {
        ...estimation,
        priorVariance: estimation.priorVariance ?? Array.from(simulatedGains(options)),
        seed: estimation.seed ?? options.seed,
      }),
  );
  return { known, truth };
}
