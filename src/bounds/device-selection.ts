/**
 * Which devices should take part, by the optimality gap: a device that stays away biases the mean, one with a weak channel
 * makes it noisy. docs/device-selection.md, section 4.
 */
import { type DeviceSetOptions, type DeviceSets, deviceSets } from "../aircomp/index.ts";
import { checkOptions, describe, InputError } from "../core/index.ts";
import { optimalityGap } from "./optimality-gap.ts";
import { boundOfDevices, type InputFor, type SelectionLearning } from "./selection-bound.ts";
import {
  ascending,
  createSearch,
  type GapSelection,
  type GapSelectionRow,
  isBetter,
  lowest,
  type Rated,
  type Search,
} from "./selection-search.ts";

export type { SelectionLearning } from "./selection-bound.ts";
export type { GapSelection, GapSelectionReason, GapSelectionRow } from "./selection-search.ts";

export interface GapSelectionOptions extends Omit<DeviceSetOptions, "certificate"> {
  readonly learning: SelectionLearning;
  /** Try every set instead of searching; K <= 12. Default false. */
  readonly exhaustive?: boolean;
  /** Is called with every row. */
  readonly onProgress?: (row: GapSelectionRow) => void;
}

/** An exchange pairs the so many devices that are best left out with the so many that are best taken in. */
const PAIRED = 3;
const MOST_EXHAUSTIVE = 12;
const optionNames = [
  ...["channel", "streams", "power", "noiseVariance", "weights", "correlation", "scheme", "effort", "seed"],
  ...["signal", "required", "learning", "exhaustive", "onProgress"],
];

/**
 * The devices with the smallest bound on the optimality gap: leaving out weight v costs v^2 * 4 (k1 + k2 ||grad||^2), keeping
 * a weak device costs distortion. Greedy removal with swaps and greedy addition above the beamforming solver, every move
 * rated by the gap of the set after one block update; a heuristic (`exhaustive` is the check), never worse than all devices
 * together or the best one alone. The gap is not monotone under inclusion. Deterministic: same input, same bits.
 *
 * @throws InputError on missing, unknown or impossible options, such as a required device that cannot be heard.
 */
export function selectDevicesForGap(options: GapSelectionOptions): GapSelection {
  const { exhaustive, onProgress, sets, inputFor } = checkedOptions(options);
  if (sets.eligible.length === 0) return nobody(sets, inputFor);
  const search = createSearch(sets, inputFor, onProgress);
  if (exhaustive) {
    tryAll(search);
    return search.finish("exhausted");
  }
  const all = search.rate(sets.eligible);
  if (!search.canBeat(sets.eligible.length - 1)) return search.finish("all-devices");
  const added = addGreedily(search);
  removeGreedily(search, all, added);
  climb(search);
  return search.finish("local-optimum");
}

/** From the best single device, or the required ones, towards all: a set of every size. */
function addGreedily(search: Search): Rated[] {
  const { eligible, required } = search.sets;
  const starts = required.length > 0 ? [required] : eligible.map((k) => [k]);
  let current = lowest(starts.map((devices) => search.rate(devices)));
  const path = [current];
  while (current.set.devices.length < eligible.length - 1 && !search.sets.isAborted()) {
    current = search.bestOf(additions(search, current), current);
    path.push(current);
  }
  return path;
}

/** Size by size downwards, the set that removal left and that of greedy addition, each improved by swaps. */
function removeGreedily(search: Search, all: Rated, added: readonly Rated[]): void {
  let current = all;
  const least = Math.max(1, search.sets.required.length);
  while (current.set.devices.length > least && !search.sets.isAborted()) {
    const size = current.set.devices.length - 1;
    if (!search.canBeat(size)) return;
    const removed = search.bestOf(removals(search, current), current);
    const other = added.find(({ set }) => set.devices.length === size);
    current = improve(search, removed, swaps);
    if (other !== undefined && other !== removed) current = lowest([current, improve(search, other, swaps)]);
  }
}

/** From the best set: every addition, removal and exchange. */
function climb(search: Search): void {
  improve(search, search.best(), (_, from) => [
    ...additions(search, from),
    ...removals(search, from),
    ...exchanges(search, from, Number.POSITIVE_INFINITY),
  ]);
}

const swaps: Moves = (search, from) => exchanges(search, from);

type Moves = (search: Search, from: Rated) => readonly (readonly number[])[];

/** Moves while that lowers the gap. */
function improve(search: Search, start: Rated, moves: Moves): Rated {
  let current = start;
  while (!search.sets.isAborted()) {
    const list = moves(search, current);
    if (list.length === 0) break;
    const next = search.bestOf(list, current);
    if (!isBetter(next.rating, current.rating)) break;
    current = next;
  }
  return current;
}

function removals({ sets }: Search, { set }: Rated): number[][] {
  if (set.devices.length === 1) return [];
  const free = set.devices.filter((k) => !sets.required.includes(k));
  return free.map((k) => set.devices.filter((j) => j !== k));
}

function additions({ sets }: Search, { set }: Rated): number[][] {
  return sets.eligible.filter((k) => !set.devices.includes(k)).map((k) => ascending([...set.devices, k]));
}

/** One device for another: of those best left out and best taken in, or of all. */
function exchanges(search: Search, from: Rated, most = PAIRED): number[][] {
  const { devices } = from.set;
  const leaving = removals(search, from);
  const coming = additions(search, from);
  if (leaving.length === 0 || coming.length === 0) return [];
  const first = (list: number[][]): readonly (readonly number[])[] =>
    list.length <= most ? list : search.sort(list, from).slice(0, most);
  const guests = first(coming).map((set) => set.find((k) => !devices.includes(k))!);
  return first(leaving).flatMap((without) => guests.map((guest) => ascending([...without, guest])));
}

/** Every set with the required devices, the large ones first: they are the neighbours that others start from. */
function tryAll(search: Search): void {
  const { eligible, required } = search.sets;
  const free = eligible.filter((k) => !required.includes(k));
  const list: number[][] = [];
  for (let mask = 0; mask < 2 ** free.length; mask++) {
    const devices = ascending([...required, ...free.filter((_, i) => (mask >> i) & 1)]);
    if (devices.length > 0) list.push(devices);
  }
  list.sort((a, b) => b.length - a.length);
  const solved = new Map<string, Rated>();
  for (const devices of list) {
    if (solved.size > 0 && search.sets.isAborted()) return;
    const above = free
      .filter((k) => !devices.includes(k))
      .map((k) => solved.get(ascending([...devices, k]).join()))
      .filter((rated) => rated !== undefined);
    solved.set(devices.join(), search.rate(devices, above.length > 0 ? lowest(above) : undefined));
  }
}

/** Nobody takes part: the silent design, and no bound. */
function nobody(sets: DeviceSets, inputFor: InputFor): GapSelection {
  const design = sets.silent();
  const everyone = Array.from(sets.weights.keys());
  const { terms } = optimalityGap(inputFor(everyone, 0));
  const infinite = Number.POSITIVE_INFINITY;
  return {
    devices: [],
    gap: infinite,
    terms: { ...terms, participation: infinite },
    distortion: design.distortion,
    missingWeight: 1,
    design,
    evaluations: 1,
    rows: [],
    reason: "no-device-heard",
    gapReason: "no device can be heard: the server learns nothing of the gradient",
  };
}

interface Checked {
  readonly sets: DeviceSets;
  readonly inputFor: InputFor;
  readonly exhaustive: boolean;
  readonly onProgress: GapSelectionOptions["onProgress"];
}

function checkedOptions(options: GapSelectionOptions): Checked {
  checkOptions(options, "selectDevicesForGap", optionNames);
  const { learning, exhaustive = false, onProgress, ...link } = options;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InputError("onProgress", describe(onProgress), "a function");
  }
  if (typeof exhaustive !== "boolean")
    throw new InputError("exhaustive", describe(exhaustive), "true or false");
  const sets = deviceSets(link);
  const count = sets.weights.length;
  if (exhaustive && count > MOST_EXHAUSTIVE) {
    throw new InputError("exhaustive", `true for ${count} devices`, `at most ${MOST_EXHAUSTIVE} devices`);
  }
  return { sets, inputFor: boundOfDevices(sets, learning), exhaustive, onProgress };
}
