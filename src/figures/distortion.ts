import { z } from "zod";
import {
  type Channel,
  channelFrom,
  designBeamformers,
  type Effort,
  efforts,
  powerFromSnr,
  type Scheme,
  schemes,
  type TrueChannel,
} from "../aircomp/index.ts";
import type { Scenario } from "../bounds/index.ts";
import { InputError } from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import { type Axis, logAxis } from "./axes.ts";
import { chartSpec } from "./chart.ts";
import { allRows, beamformingScenario, cell, commonFields } from "./scenario.ts";
import {
  baseScheme,
  comparedSchemes,
  compareSchemes,
  limitNote,
  lostNote,
  reach,
  schemeLabel,
  schemeList,
  schemePoints,
  schemeSeries,
} from "./schemes.ts";
import { infiniteNote } from "./summary.ts";
import type { Row, ScenarioParameters, Spec, TaskResult } from "./types.ts";

/** Effort of every scheme that is named; that of the scenario's solver for the others. */
export type SchemeEfforts = Partial<Readonly<Record<Scheme, Effort>>>;

/** What the figures of the distortion depend on besides their sweep. */
export interface DistortionParameters extends ScenarioParameters {
  readonly schemes: readonly Scheme[];
  readonly efforts: SchemeEfforts;
}

export const effortsSchema: z.ZodType<SchemeEfforts> = z
  .partialRecord(z.enum(schemes), z.enum(efforts))
  .describe("effort per scheme, where it is not that of the scenario");

export const distortionFields: typeof commonFields & {
  readonly schemes: typeof schemeList;
  readonly efforts: typeof effortsSchema;
} = { ...commonFields, schemes: schemeList, efforts: effortsSchema };

/**
 * Schemes and scenario of a figure. Two slow schemes whose results hardly change with more effort (docs/figures.md)
 * have the least of it, in a quick figure all have.
 */
export function usualParameters(
  quick: boolean,
): Pick<DistortionParameters, "firstSeed" | "channels" | "scenario" | "schemes" | "efforts"> {
  const scenario = beamformingScenario();
  const solver = { ...scenario.solver, effort: quick ? "fast" : "default" } as const;
  return {
    firstSeed: 1,
    channels: quick ? 2 : 6,
    scenario: { ...scenario, solver },
    schemes: comparedSchemes(),
    efforts: { manifold: "fast", sca: "fast" },
  };
}

/**
 * One design, as a row: its distortion, infinite where the scheme has none that does what it asks for.
 *
 * @param scenario link and solver; the channel of the scenario is not used
 */
export function designRow(scenario: Scenario, channel: Channel, scheme: Scheme, effort?: Effort): Row {
  const { link = {}, solver = {} } = scenario;
  const noiseVariance = link.noiseVariance ?? 1;
  const design = designBeamformers({
    channel,
    streams: link.streams ?? 1,
    power: powerFromSnr(link.snrDb ?? 10, channel.devices, channel.subcarriers, noiseVariance),
    noiseVariance,
    scheme,
    effort: effort ?? solver.effort,
    certificate: false,
    seed: solver.seed,
  });
  const { distortion, mse, iterations, converged, reason } = design;
  const isPossible = reason !== "infeasible";
  return { scheme, distortion: cell(isPossible ? distortion : Infinity), mse, iterations, converged, reason };
}

/** The channel to the first antennas of the server. */
export function firstAntennas(channel: TrueChannel, antennas: number): TrueChannel {
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

/** The channel of a scenario with another size. @throws InputError where the scenario gives its channel. */
export function resized(
  scenario: Scenario,
  size: { readonly devices?: number; readonly receiveAntennas?: number },
): Scenario["channel"] {
  const { channel } = scenario;
  if (!("receiveAntennas" in channel)) {
    throw new InputError("parameters.scenario.channel.model", '"given"', "a model with a size");
  }
  return { ...channel, ...size };
}

export interface Sweep {
  /** Column of the rows. */
  readonly name: string;
  readonly values: readonly number[];
}

/** Geometric means per scheme and point, and their ratio to the base scheme on the same channels. */
export function distortionTable(
  list: readonly Scheme[],
  sweep: Sweep,
  results: readonly TaskResult[],
): Row[] {
  return compareSchemes(allRows(results), list, "distortion", sweep, (rows) => ({
    converged: rows.filter((row) => row.converged === true).length,
  }));
}

/** Where the panel of the ratios ends. */
const highestRatio = 100;

/** The distortion of every scheme, and below it the ratio to the base scheme. */
export function distortionSpec(
  parameters: DistortionParameters,
  table: readonly Row[],
  figure: { readonly sweep: string; readonly x: Axis; readonly description: string; readonly note: string },
): Spec {
  const { channels, schemes: list } = parameters;
  const values = schemePoints(table, "distortion", figure.sweep, { band: false });
  const ratios = schemePoints(table, `distortion ratio to ${baseScheme}`, figure.sweep, { band: true });
  // bands may leave the panel; curves do through the top
  const seen = ratios.map(({ y }) => y).filter((ratio) => ratio <= highestRatio);
  const isHigh = ratios.some(({ y }) => y > highestRatio);
  const top = isHigh ? [highestRatio] : [];
  return chartSpec({
    description: figure.description,
    x: figure.x,
    series: schemeSeries(list),
    panels: [
      { height: 230, y: logAxis("Distortion ω", reach(values)), rows: values },
      {
        height: 200,
        y: logAxis(`Ratio to ${schemeLabel(baseScheme)}`, [0.9, ...seen, ...top], false),
        rows: ratios,
        level: 1,
      },
    ],
    note:
      `${figure.note} Geometric mean over ${channels} channels. Below: the same channels compared, band: 95 % t-interval ` +
      `of the paired log-ratios${isHigh ? `; what is above ${highestRatio} is not shown` : ""}.` +
      `${lostNote(table, "distortion")} ` +
      `${effortNote(parameters)}${limitNote(table, channels)}${infiniteNote(table)}`,
  });
}

/** A sentence on the efforts, as they are not the same for all. */
export function effortNote(
  parameters: Pick<DistortionParameters, "schemes" | "efforts" | "scenario">,
): string {
  const usual = parameters.scenario.solver?.effort ?? "default";
  const others = parameters.schemes.flatMap((scheme) => {
    const effort = parameters.efforts[scheme] ?? usual;
    return effort === usual ? [] : [`${schemeLabel(scheme)} (${effort})`];
  });
  return others.length === 0 ? `Effort: ${usual}.` : `Effort: ${usual}, but ${others.join(", ")}.`;
}
