/** The record of one gap-aware selection: sets that are solved and rated, and the best so far. */
import type { AnalogDesign, DeviceSet, DeviceSets } from "../aircomp/index.ts";
import { type GapTerms, optimalityGap, smallestSlope } from "./optimality-gap.ts";
import type { InputFor } from "./selection-bound.ts";

/** A set that was better than all before. */
export interface GapSelectionRow {
  /** Beamforming problems solved until then. */
  readonly evaluations: number;
  /** Ascending. */
  readonly devices: readonly number[];
  readonly gap: number;
  /** omega as the bound uses it. */
  readonly distortion: number;
  /** v */
  readonly missingWeight: number;
}

/** Why a selection ended. */
export type GapSelectionReason =
  /** All devices that can be heard: without any of them the gap is larger even if the air made no error. */
  | "all-devices"
  /** No move of the search lowers the gap. */
  | "local-optimum"
  /** Every set was tried. */
  | "exhausted"
  /** Every device has a zero channel, power, weight or symbol. */
  | "no-device-heard"
  /** The caller's AbortSignal fired; the set is the best so far. */
  | "aborted";

export interface GapSelection {
  /** The selected devices, ascending. */
  readonly devices: readonly number[];
  readonly gap: number;
  readonly terms: GapTerms;
  /** omega as the bound uses it: of the design, times (1 - v)^2 where weights are not renormalised. */
  readonly distortion: number;
  /** v, total weight of the devices that are left out. */
  readonly missingWeight: number;
  /**
   * A design for all K devices: weights sum to 1 over the selected ones, the others have weight 0 and B = 0. Without
   * renormalisation its aggregate is to be multiplied by 1 - v.
   */
  readonly design: AnalogDesign;
  /** Beamforming problems solved. */
  readonly evaluations: number;
  /** The gap never increases along them. */
  readonly rows: readonly GapSelectionRow[];
  readonly reason: GapSelectionReason;
  /** Why the gap is infinite, if it is. */
  readonly gapReason?: string;
}

/** Of the sets that a step can lead to, so many are solved: those of least gap after one block update. */
const SOLVED = 2;

/** A solved set with what it gives. */
export interface Rated {
  readonly set: DeviceSet;
  readonly rating: Rating;
}

/** Smaller is better in this order; where both gaps are infinite, a smaller b2 is the way out. */
interface Rating {
  readonly gap: number;
  readonly slope: number;
  readonly distortion: number;
}

export interface Search {
  readonly sets: DeviceSets;
  best(): Rated;
  rate(devices: readonly number[], from?: Rated): Rated;
  /** Sorts sets by their gap after one block update from the set `from`. */
  sort(list: readonly (readonly number[])[], from: Rated): readonly (readonly number[])[];
  /** The sets that look best after one block update from the set `from`, solved; the best of them. */
  bestOf(list: readonly (readonly number[])[], from: Rated): Rated;
  /** Whether some set of at most so many devices may have a smaller gap than the best so far: without any air error. */
  canBeat(size: number): boolean;
  finish(reason: GapSelectionReason): GapSelection;
}

export function createSearch(
  sets: DeviceSets,
  inputFor: InputFor,
  onProgress: ((row: GapSelectionRow) => void) | undefined,
): Search {
  const rows: GapSelectionRow[] = [];
  const known = new Map<DeviceSet, Rated>();
  let best: Rated | undefined;
  const ratingOf = (devices: readonly number[], omega: number): Rating => {
    const input = inputFor(devices, omega);
    return {
      gap: optimalityGap(input).gap,
      slope: smallestSlope(input),
      distortion: input.distortion as number,
    };
  };
  const rate: Search["rate"] = (devices, from) => {
    const set = sets.solve(devices, from?.set);
    const before = known.get(set);
    if (before !== undefined) return before;
    const rated = { set, rating: ratingOf(devices, set.design.distortion) };
    known.set(set, rated);
    if (best === undefined || isBetter(rated.rating, best.rating)) {
      best = rated;
      const { gap, distortion } = rated.rating;
      const missingWeight = inputFor(devices, 0).participation!.missingWeight;
      const row = { evaluations: sets.evaluations(), devices, gap, distortion, missingWeight };
      rows.push(row);
      onProgress?.(row);
    }
    return rated;
  };
  const sort: Search["sort"] = (list, from) => {
    const { receive, streams } = from.set.design;
    const uses = streams * receive.shape[0]!;
    const looks = list.map((devices) => ({
      devices,
      rating: ratingOf(devices, sets.estimate(devices, from.set) / uses),
    }));
    looks.sort((a, b) => (isBetter(a.rating, b.rating) ? -1 : isBetter(b.rating, a.rating) ? 1 : 0));
    return looks.map(({ devices }) => devices);
  };
  return {
    sets,
    best: () => best!,
    rate,
    sort,
    bestOf: (list, from) =>
      lowest(
        sort(list, from)
          .slice(0, SOLVED)
          .map((devices) => rate(devices, from)),
      ),
    canBeat(size) {
      if (size < Math.max(1, sets.required.length)) return false;
      const free = sets.eligible.filter((k) => !sets.required.includes(k));
      free.sort((a, b) => sets.weights[b]! - sets.weights[a]!);
      const heaviest = ascending([...sets.required, ...free.slice(0, size - sets.required.length)]);
      // the variance of the gradients may be smaller for others than the heaviest
      const { gap } = optimalityGap({ ...inputFor(heaviest, 0), stochasticVariance: 0 });
      return gap < best!.rating.gap || best!.rating.gap === Number.POSITIVE_INFINITY;
    },
    finish(reason) {
      const { set } = best!;
      const { distortion } = best!.rating;
      const input = inputFor(set.devices, set.design.distortion);
      const { gap, terms, reason: gapReason } = optimalityGap(input);
      return {
        devices: [...set.devices],
        gap,
        terms,
        distortion,
        missingWeight: input.participation!.missingWeight,
        design: sets.design(set),
        evaluations: sets.evaluations(),
        rows,
        reason: sets.isAborted() && reason !== "all-devices" ? "aborted" : reason,
        ...(gapReason === undefined ? {} : { gapReason }),
      };
    },
  };
}

export function isBetter(a: Rating, b: Rating): boolean {
  if (a.gap !== b.gap) return a.gap < b.gap;
  if (a.slope !== b.slope) return a.slope < b.slope;
  return a.distortion < b.distortion;
}

export function lowest(list: readonly Rated[]): Rated {
  return list.reduce((a, b) => (isBetter(b.rating, a.rating) ? b : a));
}

export function ascending(devices: number[]): number[] {
  return devices.sort((a, b) => a - b);
}
