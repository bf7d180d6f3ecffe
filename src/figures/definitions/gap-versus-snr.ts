import { z } from "zod";
import type { Scheme } from "../../aircomp/index.ts";
import { minimizeOptimalityGap } from "../../bounds/index.ts";
import { logAxis, sweepAxis } from "../axes.ts";
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
import { compareSchemes, reach, schemeList, schemePoints, schemeSeries } from "../schemes.ts";
import { quantile } from "../statistics.ts";
import { infiniteNote } from "../summary.ts";
import type { CommonParameters, FigureDefinition } from "../types.ts";

export interface GapVersusSnrParameters extends CommonParameters {
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
    channels: quick ? 2 : 10,
    firstSeed: 1,
    scenario: referenceScenario("backtracking"),
    snrDb: quick ? [-10, 0, 10] : [-10, -5, 0, 5, 10, 15, 20],
    schemes: ["alternating", "centroid", "mrc", "random", "ideal"],
    energySymbols: 1,
  }),
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
    const ratios = schemePoints(table, "gap ratio to alternating", "snrDb", { band: true });
    const shown = gaps.filter(({ series }) => series !== "ideal");
    return chartSpec({
      description: "Smallest optimality gap over the ranks against SNR per beamforming scheme",
      x: sweepAxis("SNR per subcarrier (dB)", snrDb, false),
      series: schemeSeries(schemes),
      panels: [
        { height: 180, y: logAxis("Optimality gap (bound)", reach(shown)), rows: gaps },
        { height: 110, y: logAxis("Ratio to alternating", [1, ...reach(ratios)]), rows: ratios, level: 1 },
      ],
      note:
        `Gap after ${scenario.learning.rounds} rounds at the best rank of each scheme and channel, unit of the loss; ` +
        `geometric mean over ${channels} channels. Below: the same channels compared, band: 95 % t-interval of the ` +
        `paired log-ratios.${infiniteNote(table)}`,
    });
  },
};
