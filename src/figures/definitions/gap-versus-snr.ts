import { z } from "zod";
import type { Scheme } from "../../aircomp/index.ts";
import { minimizeOptimalityGap } from "../../bounds/index.ts";
import { logAxis, scientific, sweepAxis } from "../axes.ts";
import { chartSpec } from "../chart.ts";
import {
  allRows,
  cell,
  commonFields,
  decibelList,
  numberIn,
  referenceScenario,
  scenarioAt,
} from "../scenario.ts";
import {
  baseScheme,
  compareSchemes,
  limitNote,
  lostNote,
  reach,
  schemeList,
  schemePoints,
  schemeSeries,
} from "../schemes.ts";
import { quantile } from "../statistics.ts";
import { infiniteNote } from "../summary.ts";
import type { FigureDefinition, ScenarioParameters } from "../types.ts";

export interface GapVersusSnrParameters extends ScenarioParameters {
  readonly snrDb: readonly number[];
  readonly schemes: readonly Scheme[];
  /** Energy per round, in OFDM symbols at the SNR. */
  readonly energySymbols: number;
}

const schema: z.ZodType<GapVersusSnrParameters> = z.strictObject({
  ...commonFields,
  snrDb: decibelList,
  schemes: schemeList,
  energySymbols: z.number().gt(0),
});

/** The smallest gap over the ranks against the SNR, per beamforming scheme. */
export const gapVersusSnr: FigureDefinition<GapVersusSnrParameters> = {
  name: "gap-versus-snr",
  schema,
  parameters: (quick) => ({
    channels: quick ? 2 : 5,
    firstSeed: 1,
    scenario: referenceScenario("backtracking", quick ? 12 : 24),
    snrDb: quick ? [-10, 10] : [-10, -5, 0, 5, 10, 15, 20],
    schemes: ["manifold", "alternating", "centroid", "mrc", "random", "ideal"],
    energySymbols: 1,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { schemes, energySymbols } = parameters;
    const rows = parameters.snrDb.flatMap((snrDb) =>
      schemes.map((scheme) => {
        const scenario = scenarioAt(parameters, { channel, snrDb, energySymbols, solver: { scheme } });
        const { rank, gap, distortion, converged } = minimizeOptimalityGap(scenario);
        return { channel, scheme, snrDb, rank, gap: cell(gap), distortion, converged };
      }),
    );
    return { rows };
  },
  table({ schemes, snrDb }, results) {
    const sweep = { name: "snrDb", values: snrDb };
    return compareSchemes(allRows(results), schemes, "gap", sweep, (rows) => ({
      medianRank: quantile(
        rows.map((row) => numberIn(row, "rank")),
        0.5,
      ),
      converged: rows.filter((row) => row.converged === true).length,
    }));
  },
  spec({ schemes, snrDb, channels, scenario }, table) {
    const gaps = schemePoints(table, "gap", "snrDb", { band: false });
    const ratios = schemePoints(table, `gap ratio to ${baseScheme}`, "snrDb", { band: true });
    const lowest = Math.min(...gaps.filter(({ series }) => series !== "ideal").map(({ y }) => y));
    // far below the others, error-free aggregation would take up most of the panel: a number says as much
    const shown = gaps.filter(({ series, y }) => series !== "ideal" || y > lowest / 10);
    const hidden = gaps.find((point) => !shown.includes(point));
    const errorFree =
      hidden === undefined ? "" : ` Error-free aggregation: ${scientific(hidden.y)} at every SNR.`;
    return chartSpec({
      description: "Smallest optimality gap over the ranks against SNR per beamforming scheme",
      x: sweepAxis("Energy per round, as SNR of one OFDM symbol (dB)", snrDb, false),
      series: schemeSeries(schemes.filter((scheme) => scheme !== "ideal" || hidden === undefined)),
      panels: [
        { height: 180, y: logAxis("Gap bound (units of the loss)", reach(shown)), rows: shown },
        { height: 110, y: logAxis(`Ratio to ${baseScheme}`, [1, ...reach(ratios)]), rows: ratios, level: 1 },
      ],
      note:
        `After ${scenario.learning.rounds} rounds, at the best rank of each scheme and channel; ` +
        `geometric mean over ${channels} channels. Below: the same channels compared, band: 95 % t-interval of the ` +
        `paired log-ratios.${lostNote(table, "gap")}${errorFree}${limitNote(table, channels)}${infiniteNote(table)}`,
    });
  },
};
