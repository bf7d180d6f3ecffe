import { z } from "zod";
import {
  channelFrom,
  channelFromSpec,
  designBeamformers,
  powerFromSnr,
  type Scheme,
  type TrueChannel,
} from "../../aircomp/index.ts";
import { InputError } from "../../core/index.ts";
import { ComplexStack } from "../../linalg/index.ts";
import { logAxis, sweepAxis } from "../axes.ts";
import { chartSpec } from "../chart.ts";
import { allRows, commonFields, countList, referenceScenario, scenarioAt } from "../scenario.ts";
import { compareSchemes, limitNote, reach, schemeList, schemePoints, schemeSeries } from "../schemes.ts";
import type { FigureDefinition, Row, ScenarioParameters } from "../types.ts";

export interface DistortionVersusAntennasParameters extends ScenarioParameters {
  readonly receiveAntennas: readonly number[];
  readonly snrDb: number;
  readonly schemes: readonly Scheme[];
}

const schema: z.ZodType<DistortionVersusAntennasParameters> = z.strictObject({
  ...commonFields,
  receiveAntennas: countList,
  snrDb: z.number().min(-100).max(100),
  schemes: schemeList,
});

/** The distortion against the number of receive antennas, per beamforming scheme; the channels are nested. */
export const distortionVersusAntennas: FigureDefinition<DistortionVersusAntennasParameters> = {
  name: "distortion-versus-antennas",
  schema,
  parameters: (quick) => ({
    channels: quick ? 2 : 16,
    firstSeed: 1,
    scenario: referenceScenario("backtracking"),
    receiveAntennas: quick ? [4, 8, 16] : [4, 6, 8, 12, 16, 24, 32],
    snrDb: 10,
    schemes: ["alternating", "centroid", "mrc", "random"],
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { receiveAntennas, snrDb, schemes } = parameters;
    const { channel: spec, link = {}, solver = {} } = scenarioAt(parameters, { channel, snrDb });
    if (!("receiveAntennas" in spec)) {
      throw new InputError("parameters.scenario.channel.model", '"given"', "a model with receiveAntennas");
    }
    const full = channelFromSpec({ ...spec, receiveAntennas: Math.max(...receiveAntennas) });
    const noiseVariance = link.noiseVariance ?? 1;
    const rows: Row[] = [];
    for (const antennas of receiveAntennas) {
      const nested = firstAntennas(full, antennas);
      for (const scheme of schemes) {
        const { distortion, iterations, converged } = designBeamformers({
          channel: nested,
          streams: link.streams ?? 1,
          power: powerFromSnr(snrDb, full.devices, full.subcarriers, noiseVariance),
          noiseVariance,
          scheme,
          effort: solver.effort,
          seed: solver.seed,
        });
        rows.push({ channel, scheme, receiveAntennas: antennas, distortion, iterations, converged });
      }
    }
    return { rows };
  },
  table({ schemes, receiveAntennas }, results) {
    const sweep = { name: "receiveAntennas", values: receiveAntennas };
    return compareSchemes(allRows(results), schemes, "distortion", sweep, (rows) => ({
      converged: rows.filter((row) => row.converged === true).length,
    }));
  },
  spec({ schemes, receiveAntennas, channels, snrDb }, table) {
    const name = "receiveAntennas";
    const values = schemePoints(table, "distortion", name, { band: false });
    const ratios = schemePoints(table, "distortion ratio to alternating", name, { band: true });
    return chartSpec({
      description: "Distortion against the number of receive antennas per beamforming scheme",
      x: sweepAxis("Receive antennas", receiveAntennas, true),
      series: schemeSeries(schemes),
      panels: [
        { height: 180, y: logAxis("Distortion ω", reach(values)), rows: values },
        { height: 110, y: logAxis("Ratio to alternating", [1, ...reach(ratios)]), rows: ratios, level: 1 },
      ],
      note:
        `SNR ${snrDb} dB. Geometric mean over ${channels} channels; smaller arrays are parts of larger ones. ` +
        `Below: the same channels compared, band: 95 % t-interval of the paired log-ratios.${limitNote(table, channels)}`,
    });
  },
};

/** The channel to the first antennas of the server. */
function firstAntennas(channel: TrueChannel, antennas: number): TrueChannel {
  const { devices, subcarriers, transmitAntennas } = channel;
  const stack = new ComplexStack([devices, subcarriers, antennas, transmitAntennas]);
  for (let k = 0; k < devices; k++) {
    for (let m = 0; m < subcarriers; m++) {
      const { data } = stack.at(k, m);
      data.set(channel.matrices.at(k, m).data.subarray(0, data.length));
    }
  }
  return channelFrom(stack);
}
