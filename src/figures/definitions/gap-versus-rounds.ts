import { z } from "zod";
import type { Scheme } from "../../aircomp/index.ts";
import { minimizeOptimalityGap, optimalityGap, rankProblem } from "../../bounds/index.ts";
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

export interface GapVersusRoundsParameters extends ScenarioParameters {
  readonly snrDb: readonly number[];
  /** T of every point, ascending. */
  readonly rounds: readonly number[];
  /** Energy per round, in OFDM symbols at the SNR. */
  readonly energySymbols: number;
}

const schema: z.ZodType<GapVersusRoundsParameters> = z.strictObject({
  ...commonFields,
  snrDb: decibelList,
  rounds: z.array(z.int().min(0)).min(2),
  energySymbols: z.number().gt(0),
});

/** The gap against the number of training rounds, per SNR, at the rank that is best after the last of them. */
export const gapVersusRounds: FigureDefinition<GapVersusRoundsParameters> = {
  name: "gap-versus-rounds",
  schema,
  parameters: (quick) => ({
    channels: quick ? 2 : 6,
    firstSeed: 1,
    scenario: referenceScenario("backtracking", quick ? 12 : 24),
    snrDb: quick ? [-10, 5] : [-10, 0, 10, 20],
    rounds: Array.from({ length: quick ? 11 : 31 }, (_, i) => (quick ? 12 * i : 4 * i)),
    energySymbols: 1,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { rounds, energySymbols } = parameters;
    const last = Math.max(...rounds);
    const rows: Row[] = [];
    const run = (snrDb: number, scheme: Scheme): void => {
      const at = scenarioAt(parameters, { channel, snrDb, energySymbols, solver: { scheme } });
      const scenario = { ...at, learning: { ...at.learning, rounds: last } };
      const { rank, distortion } = minimizeOptimalityGap(scenario);
      const input = rankProblem(scenario).gapInput(rank, distortion);
      for (const count of rounds) {
        const { gap } = optimalityGap({ ...input, rounds: count });
        rows.push({ channel, scheme, snrDb, rounds: count, rank, gap: cell(gap), distortion });
      }
    };
    for (const snrDb of parameters.snrDb) run(snrDb, baseScheme);
    run(parameters.snrDb[0]!, "ideal");
    return { rows };
  },
  table({ snrDb: sweep, rounds }, results) {
    const rows = allRows(results);
    const curve = (scheme: string, snrDb: number | null): Row[] =>
      rounds.map((count) => {
        const at = where(rows, { scheme, rounds: count, ...(snrDb === null ? {} : { snrDb }) });
        return { scheme, snrDb, rounds: count, ...geometricColumns(at.map((row) => numberIn(row, "gap"))) };
      });
    return [...sweep.flatMap((snrDb) => curve(baseScheme, snrDb)), ...curve("ideal", null)];
  },
  spec({ snrDb, channels, rounds }, table) {
    const points = table.filter((row) => typeof row.value === "number").map((row) => pointOf(row, rounds));
    const shown = points.filter(({ series }) => series !== "ideal");
    const last = Math.max(...rounds);
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => part * last).filter(Number.isInteger);
    return chartSpec({
      description: "Optimality gap against training rounds for several SNRs",
      x: { ...sweepAxis("Training rounds T", [0, last], false), ...labelled(ticks) },
      series: seriesOf([
        ...snrDb.map((snr) => ({ key: String(snr), label: signed(snr) })),
        { key: "ideal", label: "error-free", reference: true },
      ]),
      legendTitle: "SNR (dB)",
      panels: [
        {
          height: 220,
          y: logAxis(
            gapTitle,
            shown.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]),
          ),
          rows: points,
        },
      ],
      note:
        `Rank of every curve: the best after ${last} rounds; SNR: that of one OFDM symbol with all the energy of a round. ` +
        `Scheme ${baseScheme}; geometric mean over ${channels} channels; ` +
        `band (often within the line): 95 % t-interval of the mean of log₁₀. The level that a curve ends on is its noise floor ` +
        `b₁/(2μ) plus the residual of its rank.${infiniteNote(table)}`,
    });
  },
};

function pointOf(row: Row, rounds: readonly number[]): PanelRow {
  const isIdeal = row.scheme === "ideal";
  const band = isIdeal || row.low === null ? {} : { low: numberIn(row, "low"), high: numberIn(row, "high") };
  const x = numberIn(row, "rounds");
  const marked = rounds.indexOf(x) % Math.ceil(rounds.length / 11) === 0;
  return { series: isIdeal ? "ideal" : String(row.snrDb), x, y: numberIn(row, "value"), marked, ...band };
}
