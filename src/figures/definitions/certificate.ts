import { z } from "zod";
import { channelFromSpec, mseLowerBound, powerFromSnr, type Scheme } from "../../aircomp/index.ts";
import type { Scenario } from "../../bounds/index.ts";
import { InputError } from "../../core/index.ts";
import { above, linearAxis, sweepAxis } from "../axes.ts";
import { chartSpec } from "../chart.ts";
import {
  type DistortionParameters,
  designRow,
  distortionFields,
  effortNote,
  usualParameters,
} from "../distortion.ts";
import { allRows, cell, decibelList, numberIn, scenarioAt, where } from "../scenario.ts";
import { comparedSchemes, limitNote, schemeLabel, schemePoints, schemeSeries } from "../schemes.ts";
import { geometricColumns, infiniteNote } from "../summary.ts";
import type { FigureDefinition, Row } from "../types.ts";

/** One setting. */
export interface LinkSize {
  readonly devices: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas: number;
  readonly streams: number;
}

export interface CertificateParameters extends DistortionParameters {
  readonly snrDb: readonly number[];
  readonly sizes: readonly LinkSize[];
}

const schema: z.ZodType<CertificateParameters> = z.strictObject({
  ...distortionFields,
  snrDb: decibelList,
  sizes: z
    .array(
      z.strictObject({
        devices: z.int().min(1),
        receiveAntennas: z.int().min(1),
        transmitAntennas: z.int().min(1),
        streams: z.int().min(1),
      }),
    )
    .min(1),
});

/** Compared with the bound on zero forcing, which is their own; the others with that on every design. */
const zeroForcing: readonly string[] = ["uniform-forcing"];

const compared: readonly string[] = ["manifold", "alternating", ...zeroForcing];

/** The MSE of designs over what is proved that none can be below, against the SNR. */
export const certificate: FigureDefinition<CertificateParameters> = {
  name: "certificate",
  schema,
  parameters: (quick) => ({
    ...usualParameters(quick),
    snrDb: quick ? [-10, 10, 30] : [-20, -10, 0, 10, 20, 30, 40],
    sizes: [
      { devices: 10, receiveAntennas: 16, transmitAntennas: 4, streams: 4 },
      { devices: 4, receiveAntennas: 4, transmitAntennas: 2, streams: 2 },
      { devices: 20, receiveAntennas: 4, transmitAntennas: 2, streams: 2 },
    ],
    schemes: comparedSchemes().filter((scheme) => compared.includes(scheme)),
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const rows: Row[] = [];
    for (const [size, shape] of parameters.sizes.entries()) {
      for (const snrDb of parameters.snrDb) rows.push(...ratioRows(parameters, channel, size, shape, snrDb));
    }
    return { rows };
  },
  table({ schemes: list, snrDb, sizes }, results) {
    const rows = allRows(results);
    return sizes.flatMap((shape, size) =>
      list.flatMap((scheme) =>
        snrDb.map((snr): Row => {
          const at = where(rows, { size, scheme, snrDb: snr });
          const ratios = at.map((row) => numberIn(row, "ratio"));
          const converged = at.filter((row) => row.converged === true).length;
          const largest = cell(Math.max(...ratios));
          return {
            quantity: "ratio",
            size,
            ...shape,
            scheme,
            snrDb: snr,
            ...geometricColumns(ratios),
            largest,
            converged,
          };
        }),
      ),
    );
  },
  spec(parameters, table) {
    const { schemes: list, snrDb, sizes, channels } = parameters;
    const panels = sizes.map(({ devices, receiveAntennas, transmitAntennas, streams }, size) => {
      const own = schemePoints(where(table, { size }), "ratio", "snrDb", { band: true });
      // alternating at high SNR is so far away that the others would be one line
      const near = own.filter(({ series }) => series !== "alternating").map(({ y }) => y);
      const [last] = near.slice(-1);
      const highest = 1 + 1.6 * Math.max(0.03, ...near.map((ratio) => ratio - 1));
      return {
        height: 115,
        y: above(1, linearAxis("MSE / bound", [1, highest])),
        rows: own,
        label: {
          text: `K = ${devices}, ${receiveAntennas} × ${transmitAntennas} antennas, S = ${streams}`,
          corner: (last ?? 1) - 1 > (highest - 1) / 3 ? ("bottom-right" as const) : ("top-left" as const),
        },
      };
    });
    const hidden = list.includes("alternating") ? " Where alternating is off the panel it is above it." : "";
    const own = list.filter((scheme) => zeroForcing.includes(scheme)).map(schemeLabel);
    const others =
      own.length === 0 ? "" : `; of ${own.join(", ")}: the bound on designs without misalignment`;
    return chartSpec({
      description: "Ratio of the MSE of designs to its certified lower bound against SNR",
      x: sweepAxis("SNR (dB)", snrDb, false),
      series: schemeSeries(list),
      panels,
      note:
        `Antennas: server × device. A ratio of 1 is a proved optimum. Bound: that on the MSE of every analog design (noise splitting)${others}. ` +
        `Geometric mean over ${channels} channels; band: 95 % t-interval of the mean of log₁₀.${hidden} ` +
        `${effortNote(parameters)}${limitNote(table, channels)}${infiniteNote(table)}`,
    });
  },
};

/** One row per scheme; the ratio is infinite where there is no bound or no design. */
function ratioRows(
  parameters: CertificateParameters,
  channel: number,
  size: number,
  { streams, ...shape }: LinkSize,
  snrDb: number,
): Row[] {
  const at = scenarioAt(parameters, { channel, snrDb });
  if (!("devices" in at.channel)) {
    throw new InputError("parameters.scenario.channel.model", '"given"', "a model with a size");
  }
  const scenario: Scenario = { ...at, link: { ...at.link, streams } };
  const matrices = channelFromSpec({ ...at.channel, ...shape });
  const noiseVariance = scenario.link?.noiseVariance ?? 1;
  const power = powerFromSnr(snrDb, matrices.devices, matrices.subcarriers, noiseVariance);
  const bounds = new Map<boolean, number>();
  const boundOf = (scheme: Scheme): number => {
    const isForcing = zeroForcing.includes(scheme);
    let bound = bounds.get(isForcing);
    if (bound === undefined) {
      const options = { channel: matrices, streams, power, noiseVariance, zeroForcing: isForcing };
      bound = mseLowerBound(options)?.value ?? 0;
      bounds.set(isForcing, bound);
    }
    return bound;
  };
  return parameters.schemes.map((scheme) => {
    const row = designRow(scenario, matrices, scheme, parameters.efforts[scheme]);
    const bound = boundOf(scheme);
    const uses = streams * matrices.subcarriers;
    return { channel, size, snrDb, bound, ratio: cell((numberIn(row, "distortion") * uses) / bound), ...row };
  });
}
