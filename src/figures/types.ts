import type { z } from "zod";
import type { Scenario } from "../bounds/index.ts";

/** The figures of the project, in the order in which they are drawn. */
export type FigureName =
  | "gap-versus-rank"
  | "gap-versus-snr"
  | "gap-versus-rounds"
  | "correlation"
  | "distortion-versus-snr"
  | "distortion-versus-antennas"
  | "distortion-versus-devices"
  | "convergence"
  | "certificate"
  | "dominant-subspace"
  | "reflecting-surface"
  | "brockett";

/** One value of a table; an infinite number is written as the string "Infinity", as in JSON. */
export type Cell = number | string | boolean | null;
export type Row = Readonly<Record<string, Cell>>;

/** What one task computed: plain JSON. */
export interface TaskResult {
  readonly rows: readonly Row[];
}

/** What every figure depends on. */
export interface CommonParameters {
  /** Realisation i has the seed firstSeed + i, for everything that is compared. */
  readonly firstSeed: number;
}

/** What the figures of federated learning depend on. */
export interface ScenarioParameters extends CommonParameters {
  /** Number of channel realisations. */
  readonly channels: number;
  /** Everything but what the figure sweeps: channel seed, SNR, energy, scheme, and its own axis. */
  readonly scenario: Scenario;
}

/** Plain JSON; which further fields there are depends on the figure. */
export type FigureParameters = CommonParameters & Readonly<Record<string, unknown>>;

/** A Vega-Lite specification, as far as this room looks into it. */
export type Spec = { readonly [key: string]: unknown };

/** One figure, as the files in definitions/ describe it. P: its parameters, plain JSON. */
export interface FigureDefinition<P extends CommonParameters> {
  readonly name: FigureName;
  readonly schema: z.ZodType<P>;
  parameters(quick: boolean): P;
  /** Number of realisations. */
  taskCount(parameters: P): number;
  /** One realisation; pure. */
  runTask(parameters: P, index: number): TaskResult;
  /** Everything that is drawn, one row per point, ready for CSV. */
  table(parameters: P, results: readonly TaskResult[]): readonly Row[];
  /** The drawing, with its data inside. */
  spec(parameters: P, table: readonly Row[]): Spec;
}
