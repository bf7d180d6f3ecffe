import fc from "fast-check";
import type { GapInput, Scenario } from "../../src/bounds/index.ts";

/** Fixed seed of every property test in this folder. */
export const RUNS = { seed: 1, numRuns: 300 } as const;

/** |a - b| relative to the larger of the two. */
export function relative(a: number, b: number): number {
  if (a === b) return 0;
  return Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

/** 10^x with x uniform: a positive number of any magnitude in the given decades. */
export function decades(low: number, high: number): fc.Arbitrary<number> {
  return fc.double({ min: low, max: high, noNaN: true }).map((x) => 10 ** x);
}

/** As {@link decades}, or exactly 0. */
export function zeroOr(low: number, high: number): fc.Arbitrary<number> {
  return fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 4, arbitrary: decades(low, high) });
}

/** The errors of one round as plain numbers: ||e_i||^2 <= floor_i + slope_i ||grad||^2. */
export interface Sources {
  readonly floors: readonly number[];
  readonly slopes: readonly number[];
}

/** The three sources of a gap input, written out independently of src. */
export function sourcesOf(input: GapInput): Sources {
  const omega = input.distortion as number;
  const { missingWeight = 0, heterogeneityFloor = 0, heterogeneitySlope = 0 } = input.participation ?? {};
  const factor = missingWeight ** 2 * (input.participation?.renormalised === false ? 1 : 4);
  return {
    floors: [omega * input.gradientFloor, input.stochasticVariance ?? 0, factor * heterogeneityFloor],
    slopes: [omega * (input.gradientSlope ?? 0), 0, factor * heterogeneitySlope],
  };
}

/** The plain recursion f <- rho f + b1/(2L) for given shares; +Infinity where b2 >= 1. A share of 0 is legal for a source that is zero. */
export function recursion(input: GapInput, shares: readonly number[], perRound?: ArrayLike<number>): number {
  const { smoothness, plConstant } = input;
  let gap = input.initialGap;
  for (let t = 0; t < input.rounds; t++) {
    const distortion = perRound === undefined ? (input.distortion as number) : perRound[t]!;
    const { floors, slopes } = sourcesOf({ ...input, distortion });
    let b1 = 0;
    let b2 = 0;
    floors.forEach((floor, i) => {
      if (floor > 0) b1 += floor / shares[i]!;
      if (slopes[i]! > 0) b2 += slopes[i]! / shares[i]!;
    });
    if (!(b2 < 1)) return Number.POSITIVE_INFINITY;
    gap = (1 - (plConstant / smoothness) * (1 - b2)) * gap + b1 / (2 * smoothness);
  }
  return gap + (input.residual ?? 0);
}

/** Closed form of the same for a constant distortion: rho^T Delta0 + (1 - rho^T) b1/(2 mu (1 - b2)) + eps. */
export function closedForm(input: GapInput, shares: readonly number[]): number {
  const { floors, slopes } = sourcesOf(input);
  const over = (list: readonly number[]): number =>
    list.reduce((sum, value, i) => (value > 0 ? sum + value / shares[i]! : sum), 0);
  const b1 = over(floors);
  const b2 = over(slopes);
  if (!(b2 < 1)) return Number.POSITIVE_INFINITY;
  const rho = 1 - (input.plConstant / input.smoothness) * (1 - b2);
  const decay = rho ** input.rounds;
  return (
    decay * input.initialGap + ((1 - decay) * b1) / (2 * input.plConstant * (1 - b2)) + (input.residual ?? 0)
  );
}

/** Best shares by brute force: a grid over the simplex, then a pattern search that halves its step. */
export function bruteForce(
  gap: (shares: readonly number[]) => number,
  active: readonly boolean[],
  cells: number,
): { readonly grid: number; readonly refined: number } {
  const used = active.flatMap((isUsed, i) => (isUsed ? [i] : []));
  const toShares = (values: readonly number[]): number[] => {
    const shares = active.map(() => 0);
    used.forEach((source, i) => {
      shares[source] = values[i]!;
    });
    return shares;
  };
  if (used.length === 0) return { grid: gap(toShares([])), refined: gap(toShares([])) };
  let best = Number.POSITIVE_INFINITY;
  let at = used.map(() => 1 / used.length);
  const visit = (prefix: readonly number[], left: number): void => {
    if (prefix.length === used.length - 1) {
      const values = [...prefix, left / cells];
      const value = gap(toShares(values));
      if (value < best) {
        best = value;
        at = values;
      }
      return;
    }
    for (let i = 1; i < left; i++) visit([...prefix, i / cells], left - i);
  };
  visit([], cells);
  const grid = best;
  for (let step = 1 / cells; step > 1e-14; ) {
    let moved = false;
    for (let from = 0; from < at.length; from++) {
      for (let to = 0; to < at.length; to++) {
        if (from === to || at[from]! <= step) continue;
        const trial = at.slice();
        trial[from]! -= step;
        trial[to]! += step;
        const value = gap(toShares(trial));
        if (value < best) {
          best = value;
          at = trial;
          moved = true;
        }
      }
    }
    if (!moved) step /= 2;
  }
  return { grid, refined: best };
}

/** Gap inputs over wide ranges; mu = L, mu/L = 1e-12, T = 0 and 1e6, and exact zeros included. */
export const gapInputs: fc.Arbitrary<GapInput & { distortion: number }> = fc
  .record({
    smoothness: decades(-6, 6),
    ratio: fc.oneof(fc.constant(1), fc.constant(1e-12), decades(-6, 0)),
    initialGap: zeroOr(-6, 6),
    rounds: fc.oneof(fc.constantFrom(0, 1, 2, 1_000_000), fc.integer({ min: 1, max: 5000 })),
    distortion: fc.oneof(zeroOr(-9, 1), decades(1, 12)),
    gradientFloor: zeroOr(-6, 6),
    gradientSlope: zeroOr(-9, 0),
    stochasticVariance: zeroOr(-6, 6),
    residual: zeroOr(-6, 3),
    participation: fc.option(
      fc.record({
        missingWeight: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.99, noNaN: true })),
        heterogeneityFloor: zeroOr(-6, 6),
        heterogeneitySlope: zeroOr(-6, 1),
        renormalised: fc.boolean(),
      }),
      { nil: undefined },
    ),
  })
  .map(({ ratio, ...input }) => ({
    ...input,
    plConstant: Math.min(input.smoothness, ratio * input.smoothness),
  }));

/** A scenario that is solved in a few milliseconds per rank. */
export function smallScenario(edit: (scenario: MutableScenario) => void = () => undefined): Scenario {
  const scenario: MutableScenario = {
    channel: {
      model: "rayleigh",
      devices: 4,
      subcarriers: 2,
      receiveAntennas: 4,
      transmitAntennas: 2,
      taps: 2,
      delaySpread: 1,
      seed: 1,
    },
    link: { streams: 2, snrDb: 10, symbolDuration: 7.1e-5, energyPerRound: 0.02, latencyPerRound: null },
    learning: {
      smoothness: 1,
      plConstant: 0.1,
      initialGap: 2,
      rounds: 100,
      gradientFloor: 0.5,
      gradientSlope: 0,
      stochasticVariance: 0,
    },
    lora: {
      layers: [{ dOut: 32, dIn: 24 }],
      trained: "both",
      residual: { kind: "spectral", spectrum: { kind: "power-law", scale: 1, exponent: 1 } },
    },
    solver: { scheme: "alternating", rankSearch: "backtracking", maxRank: 20, seed: 1, effort: "fast" },
  };
  edit(scenario);
  return scenario as unknown as Scenario;
}

/** A scenario as JSON would have it: anything may be written into it. */
export interface MutableScenario {
  [section: string]: unknown;
  channel: Record<string, unknown>;
  link: Record<string, unknown>;
  learning: Record<string, unknown>;
  lora: {
    [field: string]: unknown;
    layers: Record<string, unknown>[];
    residual: Record<string, unknown>;
  };
  solver: Record<string, unknown>;
}
