import { z } from "zod";
import { type Scenario, scenarioSchema } from "../bounds/index.ts";
import type { Cell, Row, ScenarioParameters, TaskResult } from "./types.ts";

/** The fields of the parameters of every figure with a scenario, for its schema. */
export const commonFields: {
  readonly channels: z.ZodType<number>;
  readonly firstSeed: z.ZodType<number>;
  readonly scenario: z.ZodType<Scenario>;
} = {
  channels: z.int().min(1).describe("channel realisations; realisation i has the seed firstSeed + i"),
  firstSeed: z.int().min(0),
  scenario: scenarioSchema,
};

/** Lists of a sweep. */
export const decibelList: z.ZodType<number[]> = z.array(z.number().min(-100).max(100)).min(1);
export const countList: z.ZodType<number[]> = z.array(z.int().min(1)).min(1);

const spectrum = { kind: "geometric", scale: 1, ratio: 0.75 } as const;
/** ||Delta W*||_F^2 = sum_i 0.75^(2i), i = 0..23. */
const energy = (1 - spectrum.ratio ** 48) / (1 - spectrum.ratio ** 2);

/**
 * The reference experiment (docs/figures.md): federated least squares with one 32 x 24 layer, loraA frozen, so
 * that rank r sends exactly r OFDM symbols (Q = 32 r entries, 2 S M = 32 per symbol). Of F = (L/2)||W - W*||^2
 * with L = 1 come Delta0 = (L/2)||Delta W*||^2 and a1 = L^2 ||Delta W*||^2, the squared gradient norm at the
 * start, which the gradient does not exceed on the way down.
 */
export function referenceScenario(rankSearch: "exhaustive" | "backtracking", maxRank = 24): Scenario {
  return {
    channel: {
      model: "rayleigh",
      devices: 10,
      subcarriers: 4,
      receiveAntennas: 16,
      transmitAntennas: 4,
      taps: 4,
      delaySpread: 2,
      seed: 0,
    },
    link: { streams: 4, symbolDuration: 7.1e-5 },
    learning: {
      smoothness: 1,
      plConstant: 0.1,
      initialGap: energy / 2,
      rounds: 100,
      gradientFloor: energy,
    },
    lora: {
      layers: [{ dOut: 32, dIn: 24 }],
      trained: "loraB",
      residual: { kind: "spectral", spectrum },
    },
    solver: { effort: "fast", rankSearch, maxRank, seed: 1 },
  };
}

/**
 * The link of the figures that compare beamformers: the reference experiment with 2 subcarriers and 2 taps, half the
 * work for schemes that take long. Learning plays no part in them.
 */
export function beamformingScenario(): Scenario {
  const { channel, solver, ...rest } = referenceScenario("backtracking");
  return {
    ...rest,
    channel: { ...channel, subcarriers: 2, taps: 2 } as Scenario["channel"],
    solver: { ...solver, effort: "default" },
  };
}

/** What changes from point to point of a sweep. */
export interface Point {
  /** Index of the channel realisation. */
  readonly channel: number;
  readonly snrDb: number;
  /** Energy per round in OFDM symbols at the SNR; absent: as the scenario has it. */
  readonly energySymbols?: number;
  readonly solver?: Partial<NonNullable<Scenario["solver"]>>;
}

/** The scenario of a figure at one point. */
export function scenarioAt(parameters: ScenarioParameters, point: Point): Scenario {
  const { scenario, firstSeed } = parameters;
  const { channel, link = {}, solver = {} } = scenario;
  const seed = firstSeed + point.channel;
  const { noiseVariance = 1, symbolDuration = 7.1e-5 } = link;
  const symbolPower =
    "subcarriers" in channel ? channel.subcarriers * noiseVariance * 10 ** (point.snrDb / 10) : 0;
  const budget =
    point.energySymbols === undefined
      ? {}
      : { energyPerRound: point.energySymbols * symbolPower * symbolDuration };
  return {
    ...scenario,
    channel: "seed" in channel ? { ...channel, seed } : channel,
    link: { ...link, snrDb: point.snrDb, ...budget },
    // a random subspace is another draw for every channel
    solver: { ...solver, seed, ...point.solver },
  };
}

/** A number for a row; JSON has no Infinity. */
export function cell(value: number): Cell {
  return Number.isFinite(value) ? value : `${value}`;
}

/** The number in a row. */
export function numberIn(row: Row, column: string): number {
  return Number(row[column]);
}

/** All rows of all tasks. */
export function allRows(results: readonly TaskResult[]): Row[] {
  return results.flatMap(({ rows }) => [...rows]);
}

/** Rows with the given values in the given columns. */
export function where(rows: readonly Row[], values: Row): Row[] {
  return rows.filter((row) => Object.entries(values).every(([name, value]) => row[name] === value));
}
