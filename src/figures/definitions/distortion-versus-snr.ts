import { z } from "zod";
import { channelFromSpec } from "../../aircomp/index.ts";
import { sweepAxis } from "../axes.ts";
import {
  type DistortionParameters,
  designRow,
  distortionFields,
  distortionSpec,
  distortionTable,
  usualParameters,
} from "../distortion.ts";
import { decibelList, scenarioAt } from "../scenario.ts";
import type { FigureDefinition, Row } from "../types.ts";

export interface DistortionVersusSnrParameters extends DistortionParameters {
  readonly snrDb: readonly number[];
}

const schema: z.ZodType<DistortionVersusSnrParameters> = z.strictObject({
  ...distortionFields,
  snrDb: decibelList,
});

/** The distortion against the SNR, per beamforming scheme. */
export const distortionVersusSnr: FigureDefinition<DistortionVersusSnrParameters> = {
  name: "distortion-versus-snr",
  schema,
  parameters: (quick) => ({
    ...usualParameters(quick),
    snrDb: quick ? [-10, 10, 30] : [-10, -5, 0, 5, 10, 15, 20, 30, 40],
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { schemes, efforts } = parameters;
    const matrices = channelFromSpec(scenarioAt(parameters, { channel, snrDb: 0 }).channel);
    const rows = parameters.snrDb.flatMap((snrDb) => {
      const scenario = scenarioAt(parameters, { channel, snrDb });
      return schemes.map((scheme): Row => {
        return { channel, snrDb, ...designRow(scenario, matrices, scheme, efforts[scheme]) };
      });
    });
    return { rows };
  },
  table: ({ schemes, snrDb }, results) => distortionTable(schemes, { name: "snrDb", values: snrDb }, results),
  spec: (parameters, table) =>
    distortionSpec(parameters, table, {
      sweep: "snrDb",
      x: sweepAxis("SNR (dB)", parameters.snrDb, false),
      description: "Distortion against SNR per beamforming scheme",
      note: `Every device has the same SNR.`,
    }),
};
