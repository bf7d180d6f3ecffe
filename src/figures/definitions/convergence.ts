import { z } from "zod";
import { channelFromSpec, type DesignRow, designBeamformers, powerFromSnr } from "../../aircomp/index.ts";
import { above, logAxis } from "../axes.ts";
import { chartSpec, type PanelRow } from "../chart.ts";
import {
  allRows,
  commonFields,
  decibelList,
  numberIn,
  referenceScenario,
  scenarioAt,
  where,
} from "../scenario.ts";
import { quantile } from "../statistics.ts";
import { seriesOf, signed } from "../style.ts";
import type { FigureDefinition, Row, ScenarioParameters } from "../types.ts";

export interface ConvergenceParameters extends ScenarioParameters {
  readonly snrDb: readonly number[];
  /** Iterations that are shown, ascending. */
  readonly iterations: readonly number[];
  /** The best value is that after so many iterations, or at convergence. */
  readonly referenceIterations: number;
}

const schema: z.ZodType<ConvergenceParameters> = z.strictObject({
  ...commonFields,
  snrDb: decibelList,
  iterations: z.array(z.int().min(1)).min(2),
  referenceIterations: z.int().min(1),
});

/** Where the curves leave the figure. */
const lowest = 1e-4;

/** How far the alternating scheme is from its best value, against the iteration, per SNR. */
export const convergence: FigureDefinition<ConvergenceParameters> = {
  name: "convergence",
  schema,
  parameters: (quick) => ({
    channels: quick ? 3 : 8,
    firstSeed: 1,
    scenario: referenceScenario("backtracking"),
    snrDb: quick ? [0, 20] : [-10, 0, 10, 20, 30],
    iterations: quick
      ? [1, 2, 5, 10, 20, 50, 100]
      : [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500],
    referenceIterations: quick ? 400 : 2000,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { iterations, referenceIterations } = parameters;
    const rows: Row[] = [];
    for (const snrDb of parameters.snrDb) {
      const { channel: spec, link = {}, solver = {} } = scenarioAt(parameters, { channel, snrDb });
      const matrices = channelFromSpec(spec);
      const noiseVariance = link.noiseVariance ?? 1;
      const enough = new AbortController();
      const design = designBeamformers({
        channel: matrices,
        streams: link.streams ?? 1,
        power: powerFromSnr(snrDb, matrices.devices, matrices.subcarriers, noiseVariance),
        noiseVariance,
        scheme: "alternating",
        effort: "thorough",
        seed: solver.seed,
        signal: enough.signal,
        onProgress: ({ iteration }) => {
          if (iteration >= referenceIterations) enough.abort();
        },
      });
      const perEntry = design.streams * matrices.subcarriers;
      for (const iteration of iterations) {
        const { mse } = rowAt(design.rows, iteration);
        const excess = mse / design.mse - 1;
        const distortion = mse / perEntry;
        const { iterations: total, converged } = design;
        rows.push({ channel, snrDb, iteration, distortion, excess, total, converged });
      }
    }
    return { rows };
  },
  table({ snrDb: sweep, iterations }, results) {
    const rows = allRows(results);
    return sweep.flatMap((snrDb) =>
      iterations.map((iteration): Row => {
        const at = where(rows, { snrDb, iteration });
        const excess = at.map((row) => numberIn(row, "excess"));
        const part = (p: number): number => quantile(excess, p);
        const converged = at.filter((row) => row.converged === true).length;
        const distortion = quantile(
          at.map((row) => numberIn(row, "distortion")),
          0.5,
        );
        const channels = at.length;
        return {
          snrDb,
          iteration,
          value: part(0.5),
          low: part(0),
          high: part(1),
          distortion,
          channels,
          converged,
        };
      }),
    );
  },
  spec({ snrDb, channels, iterations, referenceIterations }, table) {
    // a logarithmic axis has no zero: what is below the figure leaves it through the bottom
    const drawn = (row: Row, column: string): number => Math.max(numberIn(row, column), lowest / 10);
    const points = table.map(
      (row): PanelRow => ({
        series: String(row.snrDb),
        x: numberIn(row, "iteration"),
        y: drawn(row, "value"),
        low: drawn(row, "low"),
        high: drawn(row, "high"),
      }),
    );
    const highest = Math.max(2 * lowest, ...points.map(({ high }) => high ?? 0));
    const unfinished = snrDb.flatMap((snr) => {
      const [row] = where(table, { snrDb: snr });
      const left = numberIn(row!, "channels") - numberIn(row!, "converged");
      return left === 0 ? [] : [`${left} of ${channels} at ${signed(snr)} dB`];
    });
    const limits = unfinished.length === 0 ? "" : ` Not converged by then: ${unfinished.join(", ")}.`;
    return chartSpec({
      description: "Excess distortion of the alternating scheme against the iteration for several SNRs",
      x: logAxis("Iteration", iterations, false),
      series: seriesOf(snrDb.map((snr) => ({ key: String(snr), label: signed(snr) }))),
      legendTitle: "SNR (dB)",
      panels: [
        {
          height: 220,
          y: above(lowest, logAxis("Excess distortion ω/ω* − 1", [lowest, highest])),
          rows: points,
        },
      ],
      note:
        `Alternating scheme; ω* is its own value after ${referenceIterations} iterations, or at convergence. Line: ` +
        `median over ${channels} channels; band: from the lowest to the highest of them; what is below 10⁻⁴ is not shown.${limits}`,
    });
  },
};

/** The row of an iteration; the last one where the scheme ended before. */
function rowAt(rows: readonly DesignRow[], iteration: number): DesignRow {
  return rows[Math.min(iteration, rows.length - 1)]!;
}
