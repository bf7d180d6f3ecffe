import { z } from "zod";
import { minimizeOptimalityGap } from "../../bounds/index.ts";
import { linearAxis, logAxis, sweepAxis } from "../axes.ts";
import { chartSpec, type PanelRow } from "../chart.ts";
import {
  allRows,
  cell,
  commonFields,
  decibelList,
  numberIn,
  referenceScenario,
  scenarioAt,
  where,
} from "../scenario.ts";
import { meanInterval } from "../statistics.ts";
import { type Series, seriesOf } from "../style.ts";
import { geometricColumns, infiniteNote } from "../summary.ts";
import type { FigureDefinition, Row, ScenarioParameters } from "../types.ts";

export type CorrelationAssumption = number | "cap";

export interface CorrelationParameters extends ScenarioParameters {
  readonly snrDb: readonly number[];
  /** c of R = (1 - c) I + c 11^T, or the cap on any correlation. */
  readonly correlations: readonly CorrelationAssumption[];
  /** Energy per round, in OFDM symbols at the SNR. */
  readonly energySymbols: number;
}

const schema: z.ZodType<CorrelationParameters> = z.strictObject({
  ...commonFields,
  snrDb: decibelList,
  correlations: z.array(z.union([z.number().min(0).max(1), z.literal("cap")])).min(1),
  energySymbols: z.number().gt(0),
});

/** What is assumed of the correlation of the devices' symbols, and what becomes of the gap and the best rank. */
export const correlation: FigureDefinition<CorrelationParameters> = {
  name: "correlation",
  schema,
  parameters: (quick) => ({
    channels: quick ? 2 : 3,
    firstSeed: 1,
    scenario: manifoldScenario(quick ? 12 : 24),
    snrDb: quick ? [-10, 5] : [-20, -10, -5, 0, 10, 20],
    correlations: quick ? [0, 1] : [0, 1, "cap"],
    energySymbols: 1,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { correlations, energySymbols } = parameters;
    const rows = parameters.snrDb.flatMap((snrDb) =>
      correlations.map((assumed): Row => {
        const scenario = scenarioAt(parameters, { channel, snrDb, energySymbols });
        const link = { ...scenario.link, correlation: assumed };
        const { rank, gap, distortion, converged } = minimizeOptimalityGap({ ...scenario, link });
        return { channel, correlation: String(assumed), snrDb, rank, gap: cell(gap), distortion, converged };
      }),
    );
    return { rows };
  },
  table({ snrDb, correlations }, results) {
    const rows = allRows(results);
    const table: Row[] = [];
    const each = (make: (at: readonly Row[]) => Row, quantity: string): void => {
      for (const assumed of correlations.map(String)) {
        for (const snr of snrDb) {
          const at = where(rows, { correlation: assumed, snrDb: snr });
          table.push({ quantity, correlation: assumed, snrDb: snr, ...make(at) });
        }
      }
    };
    each((at) => {
      const converged = at.filter((row) => row.converged === true).length;
      return { ...geometricColumns(at.map((row) => numberIn(row, "gap"))), converged };
    }, "gap");
    each((at) => {
      const { mean, low, high, count } = meanInterval(at.map((row) => numberIn(row, "rank")));
      return { value: mean, low, high, channels: count, infinite: 0 };
    }, "rank");
    return table;
  },
  spec({ snrDb, correlations, channels, scenario }, table) {
    const points = (quantity: string): PanelRow[] =>
      where(table, { quantity })
        .filter((row) => typeof row.value === "number")
        .map((row) => ({
          series: String(row.correlation),
          x: numberIn(row, "snrDb"),
          y: numberIn(row, "value"),
          ...(row.low === null ? {} : { low: numberIn(row, "low"), high: numberIn(row, "high") }),
        }));
    const gaps = points("gap");
    const ranks = points("rank");
    const reach = (rows: readonly PanelRow[]): number[] =>
      rows.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
    const start = scenario.learning.initialGap;
    return chartSpec({
      description:
        "Smallest optimality gap and best rank against SNR per assumption on the correlation of devices",
      x: sweepAxis("Energy per round, as SNR of one OFDM symbol (dB)", snrDb, false),
      series: assumptionSeries(correlations),
      panels: [
        { height: 170, y: logAxis("Gap bound (units of the loss)", reach(gaps)), rows: gaps, level: start },
        { height: 130, y: linearAxis("Best rank", [0, ...reach(ranks)]), rows: ranks },
      ],
      note:
        "c: correlation of the devices' symbols, R = (1 − c)I + c11ᵀ, for which the beamformers are designed and the bound " +
        "is computed; cap: the largest error that any correlation can cause. " +
        `Scheme manifold, after ${scenario.learning.rounds} rounds, at the best rank of every channel; the line across is the gap before ` +
        `training. Gap: geometric mean over ${channels} channels, band: 95 % t-interval; rank: mean and 95 % t-interval.` +
        `${infiniteNote(table)}`,
    });
  },
};

function manifoldScenario(maxRank: number): ScenarioParameters["scenario"] {
  const scenario = referenceScenario("backtracking", maxRank);
  return { ...scenario, solver: { ...scenario.solver, scheme: "manifold" } };
}

function assumptionSeries(list: readonly CorrelationAssumption[]): Series[] {
  const label = (assumed: CorrelationAssumption): string => {
    if (assumed === "cap") return "cap";
    return assumed === 0 ? "c = 0 (R = I)" : assumed === 1 ? "c = 1 (identical)" : `c = ${assumed}`;
  };
  return seriesOf(list.map((assumed) => ({ key: String(assumed), label: label(assumed) })));
}
