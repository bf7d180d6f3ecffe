import { z } from "zod";
import { channelFromSpec } from "../../aircomp/index.ts";
import { sweepAxis } from "../axes.ts";
import {
  type DistortionParameters,
  designRow,
  distortionFields,
  distortionSpec,
  distortionTable,
  resized,
  usualParameters,
} from "../distortion.ts";
import { countList, scenarioAt } from "../scenario.ts";
import type { FigureDefinition, Row } from "../types.ts";

export interface DistortionVersusDevicesParameters extends DistortionParameters {
  readonly devices: readonly number[];
  readonly snrDb: number;
}

const schema: z.ZodType<DistortionVersusDevicesParameters> = z.strictObject({
  ...distortionFields,
  devices: countList,
  snrDb: z.number().min(-100).max(100),
});

/** The distortion against the number of devices, per beamforming scheme; the channels are nested. */
export const distortionVersusDevices: FigureDefinition<DistortionVersusDevicesParameters> = {
  name: "distortion-versus-devices",
  schema,
  parameters: (quick) => ({
    ...usualParameters(quick),
    devices: quick ? [2, 5, 10] : [2, 3, 5, 10, 20, 40],
    snrDb: 10,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { devices, snrDb, schemes, efforts } = parameters;
    const scenario = scenarioAt(parameters, { channel, snrDb });
    const rows = devices.flatMap((count) => {
      // device k has the same channel however many there are
      const matrices = channelFromSpec(resized(scenario, { devices: count }));
      return schemes.map((scheme): Row => {
        return { channel, devices: count, ...designRow(scenario, matrices, scheme, efforts[scheme]) };
      });
    });
    return { rows };
  },
  table: ({ schemes, devices }, results) =>
    distortionTable(schemes, { name: "devices", values: devices }, results),
  spec: (parameters, table) =>
    distortionSpec(parameters, table, {
      sweep: "devices",
      x: sweepAxis("Devices", parameters.devices, true),
      description: "Distortion against the number of devices per beamforming scheme",
      note: `SNR ${parameters.snrDb} dB, weights 1/K. Fewer devices are the first of more.`,
    }),
};
