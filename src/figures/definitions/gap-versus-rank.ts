import { z } from "zod";
import type { Scheme } from "../../aircomp/index.ts";
import { minimizeOptimalityGap } from "../../bounds/index.ts";
import { labelled, logAxis, sweepAxis } from "../axes.ts";
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
import { baseScheme } from "../schemes.ts";
import { gapTitle, seriesOf, signed } from "../style.ts";
import { geometricColumns, infiniteNote } from "../summary.ts";
import type { FigureDefinition, Row, ScenarioParameters } from "../types.ts";

export interface GapVersusRankParameters extends ScenarioParameters {
  readonly snrDb: readonly number[];
  /** Energy per round, in OFDM symbols at the SNR. */
  readonly energySymbols: number;
}

const schema: z.ZodType<GapVersusRankParameters> = z.strictObject({
  ...commonFields,
  snrDb: decibelList,
  energySymbols: z.number().gt(0),
});

/** The gap against the rank for several SNRs, with error-free aggregation as reference. */
export const gapVersusRank: FigureDefinition<GapVersusRankParameters> = {
  name: "gap-versus-rank",
  schema,
  parameters: (quick) => ({
    channels: quick ? 2 : 6,
    firstSeed: 1,
    scenario: referenceScenario("exhaustive", quick ? 12 : 24),
    snrDb: quick ? [-10, 5] : [-10, 0, 10, 20],
    energySymbols: 1,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { energySymbols } = parameters;
    const rows: Row[] = [];
    const run = (snrDb: number, scheme: Scheme): void => {
      const solver = { scheme, rankSearch: "exhaustive" } as const;
      const found = minimizeOptimalityGap(scenarioAt(parameters, { channel, snrDb, energySymbols, solver }));
      for (const { rank, gap, distortion, terms } of found.byRank) {
        const { air, residual } = terms;
        rows.push({ channel, scheme, snrDb, rank, gap: cell(gap), distortion, air: cell(air), residual });
      }
    };
    for (const snrDb of parameters.snrDb) run(snrDb, baseScheme);
    run(parameters.snrDb[0]!, "ideal");
    return { rows };
  },
  table({ snrDb: sweep }, results) {
    const rows = allRows(results);
    const ranks = [...new Set(rows.map((row) => numberIn(row, "rank")))].sort((a, b) => a - b);
    const table: Row[] = [];
    const curve = (scheme: string, snrDb: number | null, from: readonly Row[]): void => {
      const means = ranks.map((rank): Row => {
        const at = where(from, { rank });
        const gap = geometricColumns(at.map((row) => numberIn(row, "gap")));
        return { scheme, snrDb, rank, ...gap };
      });
      const values = means.map((row) => numberIn(row, "value"));
      const best = values.indexOf(Math.min(...values));
      table.push(...means.map((row, i): Row => ({ ...row, optimum: i === best })));
    };
    for (const snrDb of sweep) curve(baseScheme, snrDb, where(rows, { scheme: baseScheme, snrDb }));
    curve("ideal", null, where(rows, { scheme: "ideal" }));
    return table;
  },
  spec(parameters, table) {
    const { snrDb, channels } = parameters;
    const drawn = table.filter((row) => typeof row.value === "number");
    const points = drawn.map((row) => ({ row, point: pointOf(row) }));
    const ranks = points.map(({ point }) => point.x);
    const lowest = Math.min(
      ...points.filter(({ row }) => row.scheme !== "ideal").map(({ point }) => point.low ?? point.y),
    );
    const seen = points.flatMap(({ point }) => [point.low ?? point.y, point.high ?? point.y]);
    const maxRank = Math.max(...ranks);
    const ticks = [...new Set(ranks)].filter((rank) => rank === 1 || rank % (maxRank > 12 ? 4 : 2) === 0);
    return chartSpec({
      description: "Optimality gap against LoRA rank for several SNRs",
      x: { ...sweepAxis("LoRA rank r", [1, maxRank], false, 0.03), ...labelled(ticks) },
      series: seriesOf([
        ...snrDb.map((snr) => ({ key: String(snr), label: signed(snr) })),
        { key: "ideal", label: "error-free", reference: true },
      ]),
      legendTitle: "SNR (dB)",
      ringLabel: "optimum",
      panels: [
        {
          height: 230,
          y: logAxis(
            gapTitle,
            seen.filter((gap) => gap >= lowest * 0.5),
          ),
          rows: points.map(({ point }) => point),
          rings: points
            .filter(({ row }) => row.optimum === true && row.scheme !== "ideal")
            .map(({ point }) => point),
        },
      ],
      note:
        `Scheme ${baseScheme}; geometric mean over ${channels} channels; band (often within the line): 95 % t-interval of the mean of log₁₀. The energy of a round ` +
        `is fixed: that of one OFDM symbol at the SNR shown, spread over the r symbols that rank r needs.${infiniteNote(table)}`,
    });
  },
};

function pointOf(row: Row): PanelRow {
  const band =
    row.scheme === "ideal" || row.low === null
      ? {}
      : { low: numberIn(row, "low"), high: numberIn(row, "high") };
  const series = row.scheme === "ideal" ? "ideal" : String(row.snrDb);
  return { series, x: numberIn(row, "rank"), y: numberIn(row, "value"), ...band };
}
