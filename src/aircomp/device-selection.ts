import {
  type Candidate,
  createSearch,
  type DeviceSelection,
  type Search,
  type SelectionOptions,
} from "./device-search.ts";
import { ascending } from "./device-sets.ts";

export type { DeviceSelection, SelectionOptions, SelectionReason, SelectionRow } from "./device-search.ts";

/** Of the sets that a step can lead to, so many are solved: those of least distortion after one block update. */
const SOLVED = 2;
/** A swap pairs the so many devices that are best left out with the so many that are best taken in. */
const PAIRED = 3;

/**
 * The largest set of devices whose distortion stays within a threshold: greedy removal, greedy addition and swaps
 * above the beamforming solver (docs/device-selection.md; the problem is that of Yang, Jiang, Shi and Ding, IEEE TWC
 * 19(3), 2020, with MMSE beamforming and in terms of omega).
 *
 * It is a heuristic; what it returns meets the threshold (or says that nothing does), and the count never
 * falls when the threshold grows. Deterministic: same input, same bits.
 *
 * @throws InputError on missing, unknown or impossible options, such as a required device that cannot be heard.
 */
export function selectDevices(options: SelectionOptions): DeviceSelection {
  const search = createSearch(options);
  if (search.eligible.length === 0) return search.nobody();
  if (options.exhaustive === true) return exhaust(search, options.certify);
  const all = search.solve(search.eligible);
  if (search.isFeasible(all)) return search.finish("all-devices");
  const added = addGreedily(search);
  removeGreedily(search, all, added);
  // for the count, sets of the next sizes have been searched already
  if (options.objective === "weight") climb(search);
  return search.finish("local-optimum");
}

/** From the best single device, or the required ones, towards all: a set of every size. */
function addGreedily(search: Search): Candidate[] {
  const { eligible, required } = search;
  const starts = required.length > 0 ? [required] : eligible.map((k) => [k]);
  let current = lowest(starts.map((devices) => search.solve(devices)));
  const path = [current];
  while (current.devices.length < eligible.length - 1 && !search.isAborted()) {
    current = lowest(solveBest(search, additions(search, current), current));
    path.push(current);
  }
  return path;
}

/**
 * Size by size downwards: the best removal from the set above, and the set of greedy addition, each improved by swaps.
 * Nothing here looks at the threshold, except that it ends where smaller sets are worth less than what is found.
 */
function removeGreedily(search: Search, all: Candidate, added: readonly Candidate[]): void {
  const { required } = search;
  let current = all;
  while (current.devices.length > Math.max(1, required.length) && !search.isAborted()) {
    const size = current.devices.length - 1;
    const best = search.incumbent();
    if (search.isFeasible(best) && mostWorth(search, size) < best.worth) return;
    const removed = lowest(solveBest(search, removals(search, current), current));
    const other = added.find(({ devices }) => devices.length === size);
    current = swap(search, removed);
    if (other !== undefined && other !== removed) current = lowest([current, swap(search, other)]);
  }
}

/** Exchanges one device for another while that lowers the distortion. */
function swap(search: Search, start: Candidate): Candidate {
  let current = start;
  while (!search.isAborted()) {
    const leaving = removals(search, current);
    const coming = additions(search, current);
    if (leaving.length === 0 || coming.length === 0) return current;
    const out = search.rank(leaving, current).slice(0, PAIRED);
    const into = search.rank(coming, current).slice(0, PAIRED);
    const pairs = out.flatMap((without) =>
      into.map((including) => {
        const guest = including.find((k) => !current.devices.includes(k))!;
        return ascending([...without, guest]);
      }),
    );
    const next = lowest(solveBest(search, pairs, current));
    if (!(next.design.distortion < current.design.distortion)) return current;
    current = next;
  }
  return current;
}

/** From the best set: additions, and exchanges for devices of more weight, within the threshold. */
function climb(search: Search): void {
  let current: Candidate | undefined;
  while (current !== search.incumbent() && search.isFeasible(search.incumbent()) && !search.isAborted()) {
    current = search.incumbent();
    const { worth, devices } = current;
    const pairs = removals(search, current).flatMap((without) =>
      search.eligible.filter((k) => !devices.includes(k)).map((k) => ascending([...without, k])),
    );
    const better = [...additions(search, current), ...pairs].filter((set) => search.worthOf(set) > worth);
    solveBest(search, better, current);
  }
}

function removals(search: Search, { devices }: Candidate): number[][] {
  if (devices.length === 1) return [];
  return devices.filter((k) => !search.required.includes(k)).map((k) => devices.filter((j) => j !== k));
}

function additions(search: Search, { devices }: Candidate): number[][] {
  return search.eligible.filter((k) => !devices.includes(k)).map((k) => ascending([...devices, k]));
}

/** The sets that look best, solved. */
function solveBest(search: Search, sets: readonly (readonly number[])[], from: Candidate): Candidate[] {
  return search
    .rank(sets, from)
    .slice(0, SOLVED)
    .map((devices) => search.solve(devices, from));
}

/** The most that a set of the given size can be worth. */
function mostWorth(search: Search, size: number): number {
  const free = search.eligible.filter((k) => !search.required.includes(k));
  free.sort((a, b) => search.worthOf([b]) - search.worthOf([a]));
  return search.worthOf(ascending([...search.required, ...free.slice(0, size - search.required.length)]));
}

/** Every set with the required devices, those that are worth most first, until one meets the threshold. */
function exhaust(search: Search, certify: boolean | undefined): DeviceSelection {
  const free = search.eligible.filter((k) => !search.required.includes(k));
  const sets: { readonly devices: number[]; readonly worth: number }[] = [];
  for (let mask = 0; mask < 2 ** free.length; mask++) {
    const devices = ascending([...search.required, ...free.filter((_, i) => (mask >> i) & 1)]);
    if (devices.length > 0) sets.push({ devices, worth: search.worthOf(devices) });
  }
  sets.sort((a, b) => b.worth - a.worth || b.devices.length - a.devices.length);
  /** Whether the best set meets the threshold and is worth at least as much. */
  const isBeaten = (worth: number): boolean =>
    search.isFeasible(search.incumbent()) && search.incumbent().worth >= worth;
  const solved = new Map<string, Candidate>();
  for (const { devices, worth } of sets) {
    if (solved.size > 0 && (search.isAborted() || (isBeaten(worth) && search.incumbent().worth > worth)))
      break;
    const above = free
      .filter((k) => !devices.includes(k))
      .map((k) => solved.get(ascending([...devices, k]).join()))
      .filter((candidate) => candidate !== undefined);
    solved.set(devices.join(), search.solve(devices, above.length > 0 ? lowest(above) : undefined));
  }
  const reason = isBeaten(sets[0]!.worth) ? "all-devices" : "exhausted";
  if (certify !== true) return search.finish(reason);
  const isRuledOut = (devices: readonly number[]): boolean =>
    !search.isAborted() && search.lowerBound(devices) > search.threshold;
  return search.finish(
    reason,
    sets.every(({ devices, worth }) => isBeaten(worth) || isRuledOut(devices)),
  );
}

function lowest(candidates: readonly Candidate[]): Candidate {
  return candidates.reduce((a, b) => (b.design.distortion < a.design.distortion ? b : a));
}
