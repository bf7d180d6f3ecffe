/**
 * The beamforming of sets of devices out of all: who can be heard, designs that are solved once and remembered, and estimates
 * of sets that are not solved. What a set is worth is the business of the searches above (device-search.ts; the gap-aware
 * one of airfold/bounds).
 */
import { checkChoice, checkInteger, checkNumbers, InputError } from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { type Channel, channelFrom } from "./channel.ts";
import { type AnalogDesign, type DesignOptions, designBeamformers, transceiverProblem } from "./design.ts";
import { estimatedChannelFrom } from "./estimation.ts";
import { noiseSplittingBound } from "./noise-splitting.ts";
import type { Effort } from "./scheme.ts";
import { type AnalogScheme, analogSchemes } from "./schemes/index.ts";
import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

export interface DeviceSetOptions extends Omit<DesignOptions, "scheme" | "initial" | "onProgress"> {
  /** Devices (0 to K - 1) that are in every set. Default none. */
  readonly required?: readonly number[];
  /** Of the beamforming for every set. Default "manifold". */
  readonly scheme?: AnalogScheme;
  /** Of the beamforming for every set. Default "fast". */
  readonly effort?: Effort;
}

/** A set of devices with its beamforming. */
export interface DeviceSet {
  /** Ascending. */
  readonly devices: readonly number[];
  /** Sum of the weights before they are scaled to sum 1. */
  readonly weight: number;
  /** For the devices of the set only. */
  readonly design: AnalogDesign;
}

export interface DeviceSets {
  /** w_k of all K devices, sum 1. */
  readonly weights: Float64Array;
  /** Devices that can be heard: channel, power, weight and symbols above 0. Ascending. */
  readonly eligible: readonly number[];
  /** Ascending. */
  readonly required: readonly number[];
  /** Sum of the weights of some devices. */
  weightOf(devices: readonly number[]): number;
  /** Beamforming problems solved so far. */
  evaluations(): number;
  /** Whether the caller's signal has fired. */
  isAborted(): boolean;
  /** Solves the beamforming of a set (ascending) once, from scratch and from the receive beamformers of a neighbour. */
  solve(devices: readonly number[], from?: DeviceSet): DeviceSet;
  /** sum_m MSE_m of a set after one block update from the receive beamformers of a neighbour: of a feasible design. */
  estimate(devices: readonly number[], from: DeviceSet): number;
  /** A lower bound on the distortion of every design for the set (R = I). */
  lowerBound(devices: readonly number[]): number;
  /** The design of a set as one of all K devices: the others have weight 0 and send nothing. */
  design(set: DeviceSet): AnalogDesign;
  /** The design of all devices where nobody can be heard. */
  silent(): AnalogDesign;
}

/**
 * Checks the options that describe the link, and makes the memo of its sets.
 *
 * @throws InputError on impossible options, such as a required device that cannot be heard.
 */
export function deviceSets(options: DeviceSetOptions): DeviceSets {
  const problem = transceiverProblem(options);
  const { devices: count, weights, streams, subcarriers } = problem;
  const schemeNames = Object.keys(analogSchemes) as AnalogScheme[];
  const scheme = checkChoice(options.scheme ?? "manifold", "scheme", schemeNames);
  const eligible = Array.from({ length: count }, (_, k) => k).filter((k) => isHeard(problem, k));
  const required = checkRequired(options.required, count, eligible);
  const { signal } = options;
  const memo = new Map<string, DeviceSet>();
  let evaluations = 0;

  const weightOf = (devices: readonly number[]): number => devices.reduce((sum, k) => sum + weights[k]!, 0);
  /** Receive beamformers of the neighbour, in the units of the weights of the set. */
  const carryOver = (from: DeviceSet, devices: readonly number[]): ComplexStack => {
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
    weights: weights.slice(),
    eligible,
    required,
    weightOf,
    evaluations: () => evaluations,
    isAborted: () => signal?.aborted === true,
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
      const set = { devices, weight: weightOf(devices), design };
      memo.set(key, set);
      return set;
    },
    estimate(devices, from) {
      const sub = transceiverProblem(restricted(options, problem, devices));
      return blockUpdate(sub, carryOver(from, devices).data);
    },
    lowerBound(devices) {
      const bound = noiseSplittingBound(transceiverProblem(restricted(options, problem, devices)), {
        effort: "fast",
        ...(signal === undefined ? {} : { signal }),
      });
      return (bound?.value ?? 0) / (streams * subcarriers);
    },
    design: ({ design, devices }) => extended(design, problem, devices),
    silent() {
      const everyone = Array.from({ length: count }, (_, k) => k);
      return designBeamformers({ ...restricted(options, problem, everyone), scheme, effort: "fast" });
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
  options: DeviceSetOptions,
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

/** Sorts the list it is given. */
export function ascending(devices: number[]): number[] {
  return devices.sort((a, b) => a - b);
}
