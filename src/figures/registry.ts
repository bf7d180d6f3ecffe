import { checkChoice, checkInteger, parseInput } from "../core/index.ts";
import { brockett } from "./definitions/brockett.ts";
import { certificate } from "./definitions/certificate.ts";
import { convergence } from "./definitions/convergence.ts";
import { correlation } from "./definitions/correlation.ts";
import { distortionVersusAntennas } from "./definitions/distortion-versus-antennas.ts";
import { distortionVersusDevices } from "./definitions/distortion-versus-devices.ts";
import { distortionVersusSnr } from "./definitions/distortion-versus-snr.ts";
import { dominantSubspace } from "./definitions/dominant-subspace.ts";
import { gapVersusRank } from "./definitions/gap-versus-rank.ts";
import { gapVersusRounds } from "./definitions/gap-versus-rounds.ts";
import { gapVersusSnr } from "./definitions/gap-versus-snr.ts";
import { reflectingSurface } from "./definitions/reflecting-surface.ts";
import type {
  CommonParameters,
  FigureDefinition,
  FigureName,
  FigureParameters,
  Row,
  Spec,
  TaskResult,
} from "./types.ts";

/** A figure whose parameters come from outside: every function checks them first. */
export interface Figure {
  readonly name: FigureName;
  parameters(quick: boolean): FigureParameters;
  check(value: unknown): FigureParameters;
  taskCount(parameters: unknown): number;
  runTask(parameters: unknown, index: number): TaskResult;
  table(parameters: unknown, results: readonly TaskResult[]): readonly Row[];
  spec(parameters: unknown, table: readonly Row[]): Spec;
}

const figures: readonly Figure[] = [
  figure(gapVersusRank),
  figure(gapVersusSnr),
  figure(gapVersusRounds),
  figure(correlation),
  figure(distortionVersusSnr),
  figure(distortionVersusAntennas),
  figure(distortionVersusDevices),
  figure(convergence),
  figure(certificate),
  figure(dominantSubspace),
  figure(reflectingSurface),
  figure(brockett),
];

export const figureNames: readonly FigureName[] = figures.map(({ name }) => name);

/** @throws InputError if there is no such figure. */
export function figureNamed(name: unknown, field: string): Figure {
  const known = checkChoice(name, field, figureNames);
  return figures.find((candidate) => candidate.name === known)!;
}

function figure<P extends CommonParameters>(definition: FigureDefinition<P>): Figure {
  const { name, schema } = definition;
  const parse = (value: unknown): P => parseInput(schema, value, "parameters");
  const outside = (value: P): FigureParameters => value as unknown as FigureParameters;
  return {
    name,
    parameters: (quick) => outside(parse(definition.parameters(quick))),
    check: (value) => outside(parse(value)),
    taskCount: (parameters) => definition.taskCount(parse(parameters)),
    runTask(parameters, index) {
      const parsed = parse(parameters);
      const last = definition.taskCount(parsed) - 1;
      return definition.runTask(parsed, checkInteger(index, "index", 0, last));
    },
    table: (parameters, results) => definition.table(parse(parameters), results),
    spec: (parameters, table) => definition.spec(parse(parameters), table),
  };
}
