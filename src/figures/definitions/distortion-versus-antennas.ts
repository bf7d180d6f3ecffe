import { z } from "zod";
import { channelFromSpec } from "../../aircomp/index.ts";
import { sweepAxis } from "../axes.ts";
import {
  type DistortionParameters,
  designRow,
  distortionFields,
  distortionSpec,
  distortionTable,
  firstAntennas,
  resized,
  usualParameters,
} from "../distortion.ts";
import { countList, scenarioAt } from "../scenario.ts";
import type { FigureDefinition, Row } from "../types.ts";

export interface DistortionVersusAntennasParameters extends DistortionParameters {
  readonly receiveAntennas: readonly number[];
  readonly snrDb: number;
}

const schema: z.ZodType<DistortionVersusAntennasParameters> = z.strictObject({
  ...distortionFields,
  receiveAntennas: countList,
  snrDb: z.number().min(-100).max(100),
});

/** The distortion against the number of receive antennas, per beamforming scheme; the channels are nested. */
export const distortionVersusAntennas: FigureDefinition<DistortionVersusAntennasParameters> = {
  name: "distortion-versus-antennas",
  schema,
  parameters: (quick) => ({
    ...usualParameters(quick),
    receiveAntennas: quick ? [4, 8, 16] : [4, 6, 8, 12, 16, 24, 32],
    snrDb: 10,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { receiveAntennas, snrDb, schemes, efforts } = parameters;
    const scenario = scenarioAt(parameters, { channel, snrDb });
    const full = channelFromSpec(resized(scenario, { receiveAntennas: Math.max(...receiveAntennas) }));
    const rows = receiveAntennas.flatMap((antennas) => {
      const nested = firstAntennas(full, antennas);
      return schemes.map((scheme): Row => {
        return {
          channel,
          receiveAntennas: antennas,
          ...designRow(scenario, nested, scheme, efforts[scheme]),
        };
      });
    });
    return { rows };
  },
  table: ({ schemes, receiveAntennas }, results) =>
    distortionTable(schemes, { name: "receiveAntennas", values: receiveAntennas }, results),
  spec: (parameters, table) =>
    distortionSpec(parameters, table, {
      sweep: "receiveAntennas",
      x: sweepAxis("Receive antennas", parameters.receiveAntennas, true),
      description: "Distortion against the number of receive antennas per beamforming scheme",
      note: `SNR ${parameters.snrDb} dB. Smaller arrays are parts of larger ones.`,
    }),
};
