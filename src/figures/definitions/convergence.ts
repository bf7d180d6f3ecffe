import { z } from "zod";
import {
  type AnalogDesign,
  channelFromSpec,
  type DesignRow,
  designBeamformers,
  type Effort,
  efforts,
  powerFromSnr,
} from "../../aircomp/index.ts";
import { above, logAxis } from "../axes.ts";
import { chartSpec, type PanelRow } from "../chart.ts";
import {
  allRows,
  beamformingScenario,
  commonFields,
  countList,
  decibelList,
  numberIn,
  scenarioAt,
  where,
} from "../scenario.ts";
import { schemeSeries } from "../schemes.ts";
import { quantile } from "../statistics.ts";
import { signed } from "../style.ts";
import type { FigureDefinition, Row, ScenarioParameters } from "../types.ts";

export interface ConvergenceParameters extends ScenarioParameters {
  readonly snrDb: readonly number[];
  /** Numbers of block updates that are shown, ascending. */
  readonly updates: readonly number[];
  /** Of `manifold`: how many starts it tries and how far it goes. */
  readonly effort: Effort;
  /** Iterations of `alternating`, where it does not converge before. */
  readonly alternatingIterations: number;
}

const schema: z.ZodType<ConvergenceParameters> = z.strictObject({
  ...commonFields,
  snrDb: decibelList,
  updates: countList.refine((list) => list.length > 1, "at least two numbers"),
  effort: z.enum(efforts),
  alternatingIterations: z.int().min(1),
});

const compared = ["manifold", "alternating"] as const;

/** Exact transmit and receive updates per iteration of `alternating`, and per evaluation of `manifold`. */
const updatesPerIteration = 2;

/** Where the curves leave the panels. */
const lowest = 1e-6;

/** How far `manifold` and `alternating` are above the better of their results, against the work done, per SNR. */
export const convergence: FigureDefinition<ConvergenceParameters> = {
  name: "convergence",
  schema,
  parameters: (quick) => ({
    channels: quick ? 3 : 7,
    firstSeed: 1,
    scenario: beamformingScenario(),
    snrDb: quick ? [0, 20] : [0, 10, 20, 30],
    updates: grid(quick ? 1000 : 4000),
    effort: quick ? "fast" : "default",
    alternatingIterations: quick ? 500 : 2000,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const rows: Row[] = [];
    for (const snrDb of parameters.snrDb) {
      const designs = compared.map((scheme) => designOf(scheme, parameters, channel, snrDb));
      const best = Math.min(...designs.map(({ mse }) => mse));
      for (const { scheme, rows: iterates, distortion, mse, iterations, converged } of designs) {
        const final = { distortion, total: updatesPerIteration * iterations, converged };
        for (const updates of parameters.updates) {
          const at = rowAt(iterates, Math.floor(updates / updatesPerIteration));
          rows.push({
            channel,
            snrDb,
            scheme,
            updates,
            excess: at.mse / best - 1,
            ...final,
            end: mse / best - 1,
          });
        }
      }
    }
    return { rows };
  },
  table({ snrDb: sweep, updates }, results) {
    const rows = allRows(results);
    const table: Row[] = [];
    for (const snrDb of sweep) {
      for (const scheme of compared) {
        const own = where(rows, { snrDb, scheme });
        for (const count of updates) {
          const at = where(own, { updates: count });
          const part = (column: string, p: number): number =>
            quantile(
              at.map((row) => numberIn(row, column)),
              p,
            );
          table.push({
            snrDb,
            scheme,
            updates: count,
            value: part("excess", 0.5),
            low: part("excess", 0),
            high: part("excess", 1),
            channels: at.length,
            medianUpdates: part("total", 0.5),
            medianEnd: part("end", 0.5),
            converged: at.filter((row) => row.converged === true).length,
            ahead: at.filter((row) => row.end === 0).length,
          });
        }
      }
    }
    return table;
  },
  spec(parameters, table) {
    const { snrDb, channels, updates, effort, alternatingIterations } = parameters;
    // a logarithmic axis has no zero: what is below the panel leaves it through the bottom
    const drawn = (row: Row, column: string): number => Math.max(numberIn(row, column), lowest / 10);
    const alternating = where(table, { scheme: "alternating", updates: updates[0]! });
    const cases = channels * snrDb.length;
    const count = (column: string): number =>
      alternating.reduce((sum, row) => sum + numberIn(row, column), 0);
    return chartSpec({
      description: "Excess of the MSE against the number of block updates, manifold and alternating schemes",
      x: logAxis("Block updates", updates, false),
      series: schemeSeries(compared),
      panels: snrDb.map((snr) => {
        const rows = where(table, { snrDb: snr }).map(
          (row): PanelRow => ({
            series: String(row.scheme),
            x: numberIn(row, "updates"),
            y: drawn(row, "value"),
            low: drawn(row, "low"),
            high: drawn(row, "high"),
            marked: marks.includes(numberIn(row, "updates")),
          }),
        );
        const highest = Math.max(2 * lowest, ...rows.map(({ high }) => high ?? 0));
        const y = above(lowest, logAxis("Excess MSE", [lowest, highest]));
        return {
          height: 96,
          y,
          rows,
          label: { text: `${signed(snr)} dB`, corner: "bottom-left" as const },
        };
      }),
      note:
        "Excess: MSE / best − 1, best: the lower of the two results on that channel. Line: median over " +
        `${channels} channels; band: lowest to highest. A block update is an exact transmit update, or a receive update or ` +
        "its quadratic form: an iteration of alternating has two, and so has an L-BFGS iteration of manifold (one " +
        "evaluation; the few that a line search repeats and the choice of the start are not counted). manifold has effort " +
        `${effort}, all its starts and noise levels one after the other; alternating ends after ${alternatingIterations} ` +
        `iterations or converges (${count("converged")} of ${cases} cases). It ended lower than manifold in ` +
        `${count("ahead")} of ${cases}. What is below 10⁻⁶ is not shown.`,
    });
  },
};

/** Points with a mark. */
const marks = [2, 6, 20, 60, 200, 600, 2000, 6000];

/** Even counts from 2 to `last`, about ten per decade. */
function grid(last: number): number[] {
  const counts = Array.from({ length: 60 }, (_, i) => 2 * Math.round(10 ** (i / 10)));
  return [...new Set([...counts, ...marks, last])].filter((count) => count <= last).sort((a, b) => a - b);
}

function designOf(
  scheme: (typeof compared)[number],
  parameters: ConvergenceParameters,
  channel: number,
  snrDb: number,
): AnalogDesign & { readonly scheme: (typeof compared)[number] } {
  const { channel: spec, link = {}, solver = {} } = scenarioAt(parameters, { channel, snrDb });
  const matrices = channelFromSpec(spec);
  const noiseVariance = link.noiseVariance ?? 1;
  const enough = new AbortController();
  const isAlternating = scheme === "alternating";
  const design = designBeamformers({
    channel: matrices,
    streams: link.streams ?? 1,
    power: powerFromSnr(snrDb, matrices.devices, matrices.subcarriers, noiseVariance),
    noiseVariance,
    scheme,
    effort: isAlternating ? "thorough" : parameters.effort,
    certificate: false,
    seed: solver.seed,
    signal: enough.signal,
    onProgress: ({ iteration }) => {
      if (isAlternating && iteration >= parameters.alternatingIterations) enough.abort();
    },
  });
  return { ...design, scheme };
}

/** The row of an iteration; the last one where the scheme ended before. */
function rowAt(rows: readonly DesignRow[], iteration: number): DesignRow {
  return rows[Math.min(iteration, rows.length - 1)]!;
}
