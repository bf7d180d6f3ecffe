import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkSeed,
  describe,
  fromComplexJson,
  InputError,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import { lowerBoundOf } from "./certificate.ts";
import { type Channel, checkChannel } from "./channel.ts";
import { correlationMatrix, type DeviceCorrelation, isIdentity } from "./correlation.ts";
import { type DigitalPlan, digitalDistortion } from "./digital.ts";
import { MOST_BITS } from "./quantiser.ts";
import {
  type DesignRow,
  type Effort,
  efforts,
  type Hooks,
  type LowerBound,
  type SchemeContext,
  type SchemeResult,
  type StopReason,
} from "./scheme.ts";
import { digitalShares } from "./schemes/digital.ts";
import { type AnalogScheme, analogSchemes, zeroForcingSchemes } from "./schemes/index.ts";
import type { TransceiverProblem } from "./updates.ts";
import { checkLevel, checkPowers, checkWeights } from "./weights.ts";

/** Every scheme: the analog ones, `digital`, orthogonal transmission of bits, and `ideal`, error-free aggregation. */
export type Scheme = AnalogScheme | "digital" | "ideal";
export const schemes: readonly Scheme[] = [
  ...(Object.keys(analogSchemes) as AnalogScheme[]),
  "digital",
  "ideal",
];

export interface DesignOptions extends Hooks {
  /** The true channel, or an estimate with its error variance, which then enters the design. */
  readonly channel: Channel;
  /** S, 1 <= S <= min(N_t, N_r). */
  readonly streams: number;
  /** P_k, linear: one number > 0, or one >= 0 per device (0 is silent), summed over the subcarriers of an OFDM symbol; 1e-120 to 1e120. */
  readonly power: number | ArrayLike<number>;
  /** sigma2 > 0 per receive antenna and subcarrier, in the unit of the power. */
  readonly noiseVariance: number;
  /** w_k >= 0, scaled to sum 1. Default 1/K. */
  readonly weights?: ArrayLike<number>;
  /** Second moments R of the devices' symbols that the MSE is minimised for. Default 0, that is R = I. */
  readonly correlation?: DeviceCorrelation;
  /** Default "manifold". */
  readonly scheme?: Scheme;
  /**
   * How long iterative schemes try: tens to hundreds of milliseconds, up to seconds, or much longer for a small cell;
   * every scheme has its own measure (docs/choosing-a-scheme.md). Default "default".
   */
  readonly effort?: Effort;
  /**
   * Compute `lowerBound`: tens of milliseconds for a small cell, in proportion to K and M. Default: true, except for
   * effort "fast" and for the schemes "digital" and "ideal", which have none.
   */
  readonly certificate?: boolean;
  /** Start of the iterative schemes: the receive beamformers of another design for the same shapes. */
  readonly initial?: { readonly receive: ComplexStack };
  /** For schemes that draw random numbers. Default 1. */
  readonly seed?: number;
}

interface DesignCommon {
  readonly scheme: Scheme;
  /** S */
  readonly streams: number;
  /** w_k that it was made for, summing to 1. */
  readonly weights: readonly number[];
  /** sum_m MSE_m for the correlation of the options, in the mean over the estimation error of an estimated channel. */
  readonly mse: number;
  /** omega = mse / (S M). */
  readonly distortion: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly reason: StopReason;
  readonly rows: readonly DesignRow[];
}

export interface AnalogDesign extends DesignCommon {
  readonly kind: "analog";
  /** A, [M, Nr, S] */
  readonly receive: ComplexStack;
  /** B, [K, M, Nt, S] */
  readonly transmit: ComplexStack;
  /**
   * What `mse` of no design can be below; for "uniform-forcing", "sdr" and "sca" (kind "uniform-forcing-dual") of no
   * design without misalignment: others may be. Absent where nothing is proved.
   */
  readonly lowerBound?: LowerBound;
}

export interface DigitalDesign extends DesignCommon, DigitalPlan {
  readonly kind: "digital";
}

export interface IdealDesign extends DesignCommon {
  readonly kind: "ideal";
}

export type BeamformerDesign = AnalogDesign | DigitalDesign | IdealDesign;

/** Reasons that mean that the scheme did all it does. */
const completed: readonly StopReason[] = ["relative-decrease", "all-draws", "closed-form"];

const optionNames = [
  "channel",
  "streams",
  "power",
  "noiseVariance",
  "weights",
  "correlation",
  "scheme",
  "effort",
  "certificate",
  "initial",
  "seed",
  "signal",
  "onProgress",
] as const;

/**
 * Transmit and receive beamformers that make the mean squared error of the over-the-air sum small, under the
 * power budget of every device summed over the subcarriers (docs/theory.md, section 3).
 *
 * Deterministic: same input, same bits. It never throws for numerical reasons; `converged` and `reason` say how
 * it ended.
 *
 * @returns receive [M, Nr, S] and transmit [K, M, Nt, S] beamformers with their MSE
 * @throws InputError on missing, unknown or impossible options, such as more streams than antennas.
 */
export function designBeamformers(options: DesignOptions & { readonly scheme: "ideal" }): IdealDesign;
export function designBeamformers(options: DesignOptions & { readonly scheme: "digital" }): DigitalDesign;
export function designBeamformers(options: DesignOptions & { readonly scheme?: AnalogScheme }): AnalogDesign;
export function designBeamformers(options: DesignOptions): BeamformerDesign;
export function designBeamformers(options: DesignOptions): BeamformerDesign {
  const { problem, scheme, context } = checkDesignOptions(options);
  if (scheme === "ideal") return idealDesign(problem);
  if (scheme === "digital") return digitalDesign(problem);
  const solved = analogSchemes[scheme](problem, context);
  const { signal } = context.hooks;
  const zeroForcing = zeroForcingSchemes.includes(scheme);
  const possible = !(zeroForcing && solved.reason === "infeasible");
  const wanted = possible && (options.certificate ?? context.effort !== "fast");
  const lowerBound =
    wanted && signal?.aborted !== true
      ? lowerBoundOf(problem, zeroForcing, context.effort, signal)
      : undefined;
  return { ...analogDesign(scheme, problem, solved), ...(lowerBound === undefined ? {} : { lowerBound }) };
}

/**
 * A design that was written as JSON, by `airfold beamform` or `JSON.stringify`, ready for evaluation and the link.
 *
 * @throws InputError unless it holds a kind, streams, weights and, if analog, receive and transmit beamformers.
 */
export function designFrom(value: unknown, field = "design"): BeamformerDesign {
  if (value === null || typeof value !== "object") throw new InputError(field, describe(value), "a design");
  const record = value as Record<string, unknown>;
  const kind = checkChoice(record["kind"], `${field}.kind`, ["analog", "digital", "ideal"]);
  const streams = checkInteger(record["streams"], `${field}.streams`, 1);
  const weights = Array.from(checkNumbers(record["weights"], `${field}.weights`, undefined, 0));
  const stack = (name: "receive" | "transmit"): ComplexStack => {
    const { shape, data } = fromComplexJson(record[name], `${field}.${name}`);
    return new ComplexStack(shape, data);
  };
  const beams = kind === "analog" ? { receive: stack("receive"), transmit: stack("transmit") } : undefined;
  if (beams !== undefined) checkBeams(beams, streams, field);
  const bits =
    kind === "digital"
      ? Array.from(checkNumbers(record["bits"], `${field}.bits`, weights.length, 0, MOST_BITS))
      : undefined;
  const converged = record["converged"];
  if (typeof converged !== "boolean") {
    throw new InputError(`${field}.converged`, describe(converged), "true or false");
  }
  const common = {
    ...(record as unknown as DesignCommon),
    scheme: checkChoice(record["scheme"], `${field}.scheme`, schemes),
    mse: checkNumber(record["mse"], `${field}.mse`, 0),
    distortion: checkNumber(record["distortion"], `${field}.distortion`, 0),
    converged,
    streams,
    weights,
  };
  if (beams !== undefined) return { ...common, kind: "analog", ...beams };
  if (bits === undefined) return { ...common, kind: "ideal" };
  return { ...(common as unknown as DigitalDesign), kind: "digital", bits };
}

function checkBeams(
  { receive, transmit }: { readonly receive: ComplexStack; readonly transmit: ComplexStack },
  streams: number,
  field: string,
): void {
  const fits = receive.shape.length === 3 && receive.shape[2] === streams;
  const answers = transmit.shape.length === 4 && transmit.shape[3] === streams;
  if (fits && answers && transmit.shape[1] === receive.shape[0]) return;
  const found = `[${transmit.shape.join(", ")}] with receive of shape [${receive.shape.join(", ")}]`;
  const expected = "transmit [K, M, Nt, S] and receive [M, Nr, S] of the same M, S the streams";
  throw new InputError(`${field}.transmit`, found, expected);
}

/** Everything about a design that can be refused; the rest is arithmetic. */
interface CheckedOptions {
  readonly problem: TransceiverProblem;
  readonly scheme: Scheme;
  readonly context: SchemeContext;
}

/** The checks of {@link designBeamformers} without its work. @throws InputError as that does. */
function checkDesignOptions(options: DesignOptions): CheckedOptions {
  checkOptions(options, "designBeamformers", optionNames);
  const problem = transceiverProblem(options);
  if (options.certificate !== undefined && typeof options.certificate !== "boolean") {
    throw new InputError("certificate", describe(options.certificate), "true or false");
  }
  return {
    problem,
    scheme: checkChoice(options.scheme ?? "manifold", "scheme", schemes),
    context: {
      effort: checkChoice(options.effort ?? "default", "effort", efforts),
      seed: checkSeed(options.seed ?? 1),
      hooks: checkHooks(options),
      ...(options.initial === undefined ? {} : { initial: checkInitial(options.initial, problem) }),
    },
  };
}

/** Checks the options that describe the problem itself and lays them out for the kernels. */
export function transceiverProblem(
  options: Pick<DesignOptions, "channel" | "streams" | "power" | "noiseVariance" | "weights" | "correlation">,
): TransceiverProblem {
  const channel = checkChannel(options.channel);
  const { devices, subcarriers, receiveAntennas, transmitAntennas } = channel;
  const streams = checkInteger(options.streams, "streams", 1);
  const most = Math.min(receiveAntennas, transmitAntennas);
  if (streams > most) {
    throw new InputError(
      "streams",
      `${streams}`,
      `at most ${most}, the smaller of ${receiveAntennas} receive and ${transmitAntennas} transmit antennas`,
    );
  }
  const correlation = correlationMatrix(options.correlation ?? 0, devices);
  const uncertain = channel.kind === "estimated" && channel.errorVariance.some((variance) => variance > 0);
  return {
    devices,
    subcarriers,
    receiveAntennas,
    transmitAntennas,
    streams,
    channel: channel.matrices.data,
    weights: checkWeights(options.weights, devices),
    power: checkPowers(options.power, devices),
    noiseVariance: checkLevel(options.noiseVariance, "noiseVariance"),
    ...(isIdentity(correlation, devices) ? {} : { correlation }),
    ...(uncertain ? { errorVariance: Float64Array.from(channel.errorVariance) } : {}),
  };
}

function checkHooks(options: DesignOptions): Hooks {
  const { signal, onProgress } = options;
  if (signal !== undefined && typeof signal?.aborted !== "boolean") {
    throw new InputError("signal", describe(signal), "an AbortSignal");
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InputError("onProgress", describe(onProgress), "a function");
  }
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

function checkInitial(
  initial: { readonly receive: ComplexStack },
  problem: TransceiverProblem,
): Float64Array {
  const expected = [problem.subcarriers, problem.receiveAntennas, problem.streams];
  const stack = initial?.receive;
  if (!(stack instanceof ComplexStack) || stack.shape.join() !== expected.join()) {
    const found = stack instanceof ComplexStack ? `shape [${stack.shape.join(", ")}]` : describe(stack);
    throw new InputError("initial.receive", found, `a stack of shape [${expected.join(", ")}]`);
  }
  if (!stack.data.every(Number.isFinite) || stack.data.every((x) => x === 0)) {
    throw new InputError(
      "initial.receive",
      "NaN, infinite or all-zero entries",
      "finite entries, not all zero",
    );
  }
  return stack.data;
}

function analogDesign(scheme: AnalogScheme, problem: TransceiverProblem, solved: SchemeResult): AnalogDesign {
  const { devices, subcarriers, receiveAntennas, transmitAntennas, streams } = problem;
  return {
    kind: "analog",
    scheme,
    streams,
    weights: Array.from(problem.weights),
    receive: new ComplexStack([subcarriers, receiveAntennas, streams], solved.receive),
    transmit: new ComplexStack([devices, subcarriers, transmitAntennas, streams], solved.transmit),
    mse: solved.mse,
    distortion: solved.mse / (streams * subcarriers),
    iterations: solved.iterations,
    converged: completed.includes(solved.reason),
    reason: solved.reason,
    rows: solved.rows,
  };
}

function digitalDesign(problem: TransceiverProblem): DigitalDesign {
  const { devices, streams, subcarriers, weights } = problem;
  const { shares, bits } = digitalShares(problem);
  const identity = Float64Array.from({ length: devices ** 2 }, (_, i) => (i % (devices + 1) === 0 ? 1 : 0));
  const { distortion } = digitalDistortion(bits, weights, problem.correlation ?? identity);
  const mse = distortion * streams * subcarriers;
  return {
    kind: "digital",
    scheme: "digital",
    streams,
    weights: Array.from(weights),
    bits,
    shares,
    airTime: 1,
    mse,
    distortion,
    iterations: 0,
    converged: true,
    reason: "closed-form",
    rows: [{ iteration: 0, mse }],
  };
}

function idealDesign(problem: TransceiverProblem): IdealDesign {
  return {
    kind: "ideal",
    scheme: "ideal",
    streams: problem.streams,
    weights: Array.from(problem.weights),
    mse: 0,
    distortion: 0,
    iterations: 0,
    converged: true,
    reason: "closed-form",
    rows: [{ iteration: 0, mse: 0 }],
  };
}
