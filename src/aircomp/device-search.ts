import { checkChoice, checkOptions, checkPositive, describe, InputError } from "../core/index.ts";
import type { AnalogDesign } from "./design.ts";
import { type DeviceSet, type DeviceSetOptions, deviceSets } from "./device-sets.ts";

export interface SelectionOptions extends DeviceSetOptions {
  /**
   * The selected devices must have a distortion omega of at most this, > 0. Silence has the omega sum_k w_k^2 (R = I),
   * 1/n for n equal weights: a threshold at that level asks nothing of n devices.
   */
  readonly threshold: number;
  /** What to make large: the number of devices (default), or the sum of their weights. */
  readonly objective?: "count" | "weight";
  /** Try every set instead of searching; K <= 12. Default false. */
  readonly exhaustive?: boolean;
  /** With `exhaustive`: try to prove, by lower bounds, that no set worth more meets the threshold. Default false. */
  readonly certify?: boolean;
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

/** A set of devices with its beamforming, and what the objective counts. */
export interface Candidate extends DeviceSet {
  readonly worth: number;
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
  /** The silent design of all devices, where nobody can be heard. */
  nobody(): DeviceSelection;
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
  checkFlags(options);
  const threshold = checkPositive(options.threshold, "threshold");
  const objective = checkChoice(options.objective ?? "count", "objective", ["count", "weight"]);
  const sets = deviceSets(options);
  const { eligible, required, weightOf } = sets;
  checkExhaustive(options.exhaustive, sets.weights.length);
  const { onProgress } = options;

  const memo = new Map<DeviceSet, Candidate>();
  const rows: SelectionRow[] = [];
  let best: Candidate | undefined;

  const isFeasible = ({ design }: DeviceSet): boolean => design.distortion <= threshold;
  const isBetter = (a: Candidate, b: Candidate): boolean => {
    if (isFeasible(a) !== isFeasible(b)) return isFeasible(a);
    if (isFeasible(a) && a.worth !== b.worth) return a.worth > b.worth;
    return a.design.distortion < b.design.distortion;
  };
  const worthOf = (devices: readonly number[]): number =>
    objective === "count" ? devices.length : weightOf(devices);

  return {
    threshold,
    eligible,
    required,
    worthOf,
    isFeasible,
    isAborted: sets.isAborted,
    incumbent: () => best!,
    solve(devices, from) {
      const set = sets.solve(devices, from);
      const known = memo.get(set);
      if (known !== undefined) return known;
      const candidate = { ...set, worth: worthOf(devices) };
      memo.set(set, candidate);
      if (best === undefined || isBetter(candidate, best)) {
        best = candidate;
        const { distortion } = set.design;
        const feasible = isFeasible(best);
        const row = { evaluations: sets.evaluations(), size: devices.length, distortion, feasible, devices };
        rows.push(row);
        onProgress?.(row);
      }
      return candidate;
    },
    rank(list, from) {
      return list
        .map((devices) => ({ devices, estimate: sets.estimate(devices, from) }))
        .sort((a, b) => a.estimate - b.estimate)
        .map(({ devices }) => devices);
    },
    lowerBound: sets.lowerBound,
    finish(reason, certified) {
      const { devices, design } = best!;
      const feasible = isFeasible(best!);
      const ended = feasible ? reason : "threshold-not-met";
      return {
        devices: [...devices],
        design: sets.design(best!),
        distortion: design.distortion,
        threshold,
        feasible,
        ...(certified === undefined ? {} : { certified }),
        evaluations: sets.evaluations(),
        rows,
        reason: sets.isAborted() && ended !== "all-devices" ? "aborted" : ended,
      };
    },
    nobody() {
      const design = sets.silent();
      return {
        devices: [],
        design,
        distortion: design.distortion,
        threshold,
        feasible: false,
        evaluations: 1,
        rows: [],
        reason: "no-device-heard",
      };
    },
  };
}

function checkFlags({ exhaustive, certify, onProgress }: SelectionOptions): void {
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InputError("onProgress", describe(onProgress), "a function");
  }
  for (const [field, flag] of Object.entries({ exhaustive, certify })) {
    if (flag !== undefined && typeof flag !== "boolean")
      throw new InputError(field, describe(flag), "true or false");
  }
  if (certify === true && exhaustive !== true) {
    throw new InputError("certify", "true without exhaustive", "exhaustive: true");
  }
}

/** @throws InputError if there are too many sets to try them all. */
export function checkExhaustive(exhaustive: boolean | undefined, devices: number): void {
  if (exhaustive === true && devices > MOST_EXHAUSTIVE) {
    throw new InputError("exhaustive", `true for ${devices} devices`, `at most ${MOST_EXHAUSTIVE} devices`);
  }
}
