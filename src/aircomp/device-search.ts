import {
  checkChoice,
  checkInteger,
  checkNumbers,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { type Channel, channelFrom } from "./channel.ts";
import { type AnalogDesign, type DesignOptions, designBeamformers, transceiverProblem } from "./design.ts";
import { estimatedChannelFrom } from "./estimation.ts";
import { noiseSplittingBound } from "./noise-splitting.ts";
import type { Effort } from "./scheme.ts";
import { type AnalogScheme, analogSchemes } from "./schemes/index.ts";
import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

export interface SelectionOptions extends Omit<DesignOptions, "scheme" | "initial" | "onProgress"> {
  /**
   * The selected devices must have a distortion omega of at most this, > 0. Silence has the omega sum_k w_k^2 (R = I),
   * 1/n for n equal weights: a threshold at that level asks nothing of n devices.
   */
  readonly threshold: number;
  /** What to make large: the number of devices (default), or the sum of their weights. */
  readonly objective?: "count" | "weight";
  /** Devices (0 to K - 1) that are selected whatever it costs. Default none. */
  readonly required?: readonly number[];
  /** Try every set instead of searching; K <= 12. Default false. */
  readonly exhaustive?: boolean;
  /** With `exhaustive`: try to prove, by lower bounds, that no set worth more meets the threshold. Default false. */
  readonly certify?: boolean;
  /** Of the beamforming for every set. Default "manifold". */
  readonly scheme?: AnalogScheme;
  /** Of the beamforming for every set. Default "fast". */
  readonly effort?: Effort;
  /** Is called with every row. */
  readonly onProgress?: (row: SelectionRow) => void;
}

/** A set that was better than all before: first by meeting the threshold, then by its worth, then by its distortion. */
export interface SelectionRow {
  /** Beamforming problems solved until then. */
  readonly evaluations: number;
  readonly size: number;
  /** omega of the set, weights scaled to sum 1 over it. */
  readonly distortion: number;
  readonly feasible: boolean;
  /** Ascending. */
  readonly devices: readonly number[];
}

/** Why a selection ended. */
export type SelectionReason =
  /** All devices that can be heard meet the threshold together. */
  | "all-devices"
  /** No move of the search finds a set that is worth more. */
  | "local-optimum"
  /** Every set that is worth more was tried. */
  | "exhausted"
  /** No set that was tried meets the threshold; the one of least distortion is returned. */
  | "threshold-not-met"
  /** Every device has a zero channel, power, weight or symbol. */
  | "no-device-heard"
  /** The caller's AbortSignal fired; the set is the best so far. */
  | "aborted";

export interface DeviceSelection {
  /** The selected devices, ascending. */
  readonly devices: readonly number[];
  /** A design for all K devices: weights sum to 1 over the selected ones, the others have weight 0 and B = 0. */
  readonly design: AnalogDesign;
  /** omega of the design. */
  readonly distortion: number;
  readonly threshold: number;
  /** Whether the distortion is at most the threshold. */
  readonly feasible: boolean;
  /** Whether it is proved that no set worth more meets the threshold; only where `certify` was asked for. */
  readonly certified?: boolean;
  /** Beamforming problems solved. */
  readonly evaluations: number;
  readonly rows: readonly SelectionRow[];
  readonly reason: SelectionReason;
}

const MOST_EXHAUSTIVE = 12;

/** A set of devices with its beamforming. */
export interface Candidate {
  readonly devices: readonly number[];
  /** What the objective counts. */
  readonly worth: number;
  /** Sum of the weights before they are scaled to sum 1. */
  readonly weight: number;
  /** For the devices of the set only. */
  readonly design: AnalogDesign;
}

export interface Search {
  readonly threshold: number;
  /** Devices that can be heard. */
  readonly eligible: readonly number[];
  readonly required: readonly number[];
  worthOf(devices: readonly number[]): number;
  isFeasible(candidate: Candidate): boolean;
  /** Whether no more may be solved. */
  isAborted(): boolean;
  /** The best so far. */
  incumbent(): Candidate;
  /** Solves the beamforming of a set once, from scratch and from the receive beamformers of a neighbour. */
  solve(devices: readonly number[], from?: Candidate): Candidate;
  /** Sorts sets by their distortion after one block update from the receive beamformers of a neighbour. */
  rank(sets: readonly (readonly number[])[], from: Candidate): readonly (readonly number[])[];
  /** A lower bound on the distortion of every design for the set. */
  lowerBound(devices: readonly number[]): number;
  finish(reason: SelectionReason, certified?: boolean): DeviceSelection;
}

const optionNames = [
  "channel",
  "streams",
  "power",
  "noiseVariance",
  "weights",
  "correlation",
  "seed",
  "signal",
  "threshold",
  "objective",
  "required",
  "exhaustive",
  "certify",
  "scheme",
  "effort",
  "onProgress",
] as const;

/** Checks the options; the memo and the record of one selection. */
export function createSearch(options: SelectionOptions): Search {
  checkOptions(options, "selectDevices", optionNames);
  const problem = transceiverProblem(options);
  const { devices: count, weights, streams, subcarriers } = problem;
  const threshold = checkPositive(options.threshold, "threshold");
  const objective = checkChoice(options.objective ?? "count", "objective", ["count", "weight"]);
  const schemeNames = Object.keys(analogSchemes) as AnalogScheme[];
  const scheme = checkChoice(options.scheme ?? "manifold", "scheme", schemeNames);
  checkFlags(options, count);
  const eligible = Array.from({ length: count }, (_, k) => k).filter((k) => isHeard(problem, k));
  const required = checkRequired(options.required, count, eligible);
  const { signal, onProgress } = options;

  const memo = new Map<string, Candidate>();
  const rows: SelectionRow[] = [];
  let evaluations = 0;
  let best: Candidate | undefined;

  const isFeasible = ({ design }: Candidate): boolean => design.distortion <= threshold;
  const isBetter = (a: Candidate, b: Candidate): boolean => {
    if (isFeasible(a) !== isFeasible(b)) return isFeasible(a);
    if (isFeasible(a) && a.worth !== b.worth) return a.worth > b.worth;
    return a.design.distortion < b.design.distortion;
  };
  const weightOf = (devices: readonly number[]): number => devices.reduce((sum, k) => sum + weights[k]!, 0);
  const worthOf = (devices: readonly number[]): number =>
    objective === "count" ? devices.length : weightOf(devices);
  /** Receive beamformers of the neighbour, in the units of the weights of the set. */
  const carryOver = (from: Candidate, devices: readonly number[]): ComplexStack => {
    const { receive } = from.design;
    const scale = from.weight / weightOf(devices);
    return new ComplexStack(
      receive.shape,
      receive.data.map((x) => scale * x),
    );
  };
  const beamform = (devices: readonly number[], receive?: ComplexStack): AnalogDesign => {
    evaluations++;
    return designBeamformers({
      ...restricted(options, problem, devices),
      scheme,
      effort: options.effort ?? "fast",
      seed: options.seed ?? 1,
      ...(signal === undefined ? {} : { signal }),
      ...(receive === undefined ? {} : { initial: { receive } }),
    });
  };

  return {
    threshold,
    eligible,
    required,
    worthOf,
    isFeasible,
    isAborted: () => signal?.aborted === true,
    incumbent: () => best!,
    solve(devices, from) {
      const key = devices.join();
      const known = memo.get(key);
      if (known !== undefined) return known;
      let design = beamform(devices);
      if (from !== undefined) {
        const receive = carryOver(from, devices);
        if (receive.data.some((x) => x !== 0)) {
          const other = beamform(devices, receive);
          if (other.distortion < design.distortion) design = other;
        }
      }
      const candidate = { devices, worth: worthOf(devices), weight: weightOf(devices), design };
      memo.set(key, candidate);
      if (best === undefined || isBetter(candidate, best)) {
        best = candidate;
        const { distortion } = design;
        const row = { evaluations, size: devices.length, distortion, feasible: isFeasible(best), devices };
        rows.push(row);
        onProgress?.(row);
      }
      return candidate;
    },
    rank(sets, from) {
      return sets
        .map((devices) => {
          const sub = transceiverProblem(restricted(options, problem, devices));
          return { devices, distortion: blockUpdate(sub, carryOver(from, devices).data) };
        })
        .sort((a, b) => a.distortion - b.distortion)
        .map(({ devices }) => devices);
    },
    lowerBound(devices) {
      const bound = noiseSplittingBound(transceiverProblem(restricted(options, problem, devices)), {
        effort: "fast",
        ...(signal === undefined ? {} : { signal }),
      });
      return (bound?.value ?? 0) / (streams * subcarriers);
    },
    finish(reason, certified) {
      const { devices, design } = best!;
      const feasible = isFeasible(best!);
      const ended = feasible ? reason : "threshold-not-met";
      return {
        devices: [...devices],
        design: extended(design, problem, devices),
        distortion: design.distortion,
        threshold,
        feasible,
        ...(certified === undefined ? {} : { certified }),
        evaluations,
        rows,
        reason: signal?.aborted === true && ended !== "all-devices" ? "aborted" : ended,
      };
    },
  };
}

/** MSE after the best transmit beamformers for the given receive beamformers, which are then overwritten by theirs. */
function blockUpdate(problem: TransceiverProblem, receive: Float64Array): number {
  const { devices, subcarriers, transmitAntennas, streams } = problem;
  const updates = createBlockUpdates(problem);
  const transmit = new Float64Array(2 * devices * subcarriers * transmitAntennas * streams);
  updates.transmit(transmit, receive);
  return updates.receive(receive, transmit);
}

/** The same problem for some of the devices. */
function restricted(
  options: SelectionOptions,
  problem: TransceiverProblem,
  devices: readonly number[],
): Pick<DesignOptions, "channel" | "streams" | "power" | "noiseVariance" | "weights" | "correlation"> {
  const { correlation, streams, noiseVariance } = options;
  const { matrices } = options.channel;
  const [, subcarriers, nr, nt] = matrices.shape as [number, number, number, number];
  const stack = new ComplexStack([devices.length, subcarriers, nr, nt]);
  const size = 2 * subcarriers * nr * nt;
  devices.forEach((k, i) => {
    stack.data.set(matrices.data.subarray(k * size, (k + 1) * size), i * size);
  });
  const pick = (values: ArrayLike<number>): number[] => devices.map((k) => values[k]!);
  const channel: Channel =
    options.channel.kind === "true"
      ? channelFrom(stack)
      : estimatedChannelFrom(stack, pick(options.channel.errorVariance));
  return {
    channel,
    streams,
    noiseVariance,
    power: pick(problem.power),
    weights: pick(problem.weights),
    ...(correlation === undefined
      ? {}
      : {
          correlation:
            typeof correlation === "number" ? correlation : devices.map((k) => pick(correlation[k]!)),
        }),
  };
}

/** The design of some devices as one of all: the others have weight 0 and send nothing. */
function extended(
  design: AnalogDesign,
  problem: TransceiverProblem,
  devices: readonly number[],
): AnalogDesign {
  const { devices: count, subcarriers, transmitAntennas, streams } = problem;
  const transmit = new ComplexStack([count, subcarriers, transmitAntennas, streams]);
  const weights = new Array<number>(count).fill(0);
  const size = 2 * subcarriers * transmitAntennas * streams;
  devices.forEach((k, i) => {
    weights[k] = design.weights[i]!;
    transmit.data.set(design.transmit.data.subarray(i * size, (i + 1) * size), k * size);
  });
  return { ...design, weights, transmit };
}

/** Nobody can be heard: the silent design of all devices. */
export function nobody(options: SelectionOptions, threshold: number): DeviceSelection {
  const problem = transceiverProblem(options);
  const design = designBeamformers({
    ...restricted(
      options,
      problem,
      Array.from({ length: problem.devices }, (_, k) => k),
    ),
    scheme: options.scheme ?? "manifold",
    effort: "fast",
  });
  const { distortion } = design;
  return {
    devices: [],
    design,
    distortion,
    threshold,
    feasible: false,
    evaluations: 1,
    rows: [],
    reason: "no-device-heard",
  };
}

function isHeard({ channel, power, weights, correlation, devices }: TransceiverProblem, k: number): boolean {
  const size = channel.length / devices;
  const symbols = correlation === undefined ? 1 : correlation[k * (devices + 1)]!;
  return (
    power[k]! > 0 && weights[k]! > 0 && symbols > 0 && kernel.squaredNorm(channel, k * size, size / 2) > 0
  );
}

function checkRequired(required: unknown, count: number, eligible: readonly number[]): number[] {
  const list = Array.from(checkNumbers(required ?? [], "required"));
  list.forEach((k, i) => {
    const field = `required[${i}]`;
    checkInteger(k, field, 0, count - 1);
    if (list.indexOf(k) < i) throw new InputError(field, `device ${k} again`, "every device once");
    if (!eligible.includes(k)) {
      throw new InputError(field, `device ${k}, which cannot be heard`, "a channel, power and weight > 0");
    }
  });
  return ascending(list);
}

function checkFlags({ exhaustive, certify, onProgress }: SelectionOptions, devices: number): void {
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InputError("onProgress", describe(onProgress), "a function");
  }
  for (const [field, flag] of Object.entries({ exhaustive, certify })) {
    if (flag !== undefined && typeof flag !== "boolean")
      throw new InputError(field, describe(flag), "true or false");
  }
  if (exhaustive === true && devices > MOST_EXHAUSTIVE) {
    throw new InputError("exhaustive", `true for ${devices} devices`, `at most ${MOST_EXHAUSTIVE} devices`);
  }
  if (certify === true && exhaustive !== true) {
    throw new InputError("certify", "true without exhaustive", "exhaustive: true");
  }
}

/** Sorts the list it is given. */
export function ascending(devices: number[]): number[] {
  return devices.sort((a, b) => a - b);
}
