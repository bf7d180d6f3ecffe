import {
  type FigureName,
  type FigureParameters,
  figureParameters,
  figureTaskCount,
  runFigureTask,
  type TaskResult,
} from "../../src/figures/index.ts";
import type { ScenarioParameters } from "../../src/figures/types.ts";

/** The figures of federated learning; the others have no scenario. */
export type ScenarioFigure = Exclude<FigureName, "dominant-subspace" | "reflecting-surface" | "brockett">;

/** Parameters that take milliseconds: few antennas, channels and points. */
export function tinyParameters(name: ScenarioFigure): FigureParameters & ScenarioParameters;
export function tinyParameters(name: FigureName): FigureParameters;
export function tinyParameters(name: FigureName): FigureParameters {
  const quick = figureParameters(name, { quick: true });
  const small = { devices: 3, subcarriers: 2, receiveAntennas: 4, transmitAntennas: 2, taps: 2 };
  const solvers = { matrices: 3, n: 6, p: 2, iterations: [1, 2, 5, 10, 20], products: [2, 10, 30] };
  const sweeps: Record<FigureName, object> = {
    "gap-versus-rank": { snrDb: [0, 10] },
    "gap-versus-snr": { snrDb: [0, 10] },
    "gap-versus-rounds": { snrDb: [0, 10], rounds: [0, 10, 20] },
    correlation: { snrDb: [0, 10], correlations: [0, 1, "cap"] },
    "distortion-versus-snr": { snrDb: [0, 10] },
    "distortion-versus-antennas": { receiveAntennas: [2, 4] },
    "distortion-versus-devices": { devices: [2, 3] },
    convergence: { snrDb: [0, 10], updates: [2, 4, 10], effort: "fast", alternatingIterations: 30 },
    certificate: {
      snrDb: [0, 10],
      sizes: [
        { devices: 3, receiveAntennas: 4, transmitAntennas: 2, streams: 2 },
        { devices: 2, receiveAntennas: 2, transmitAntennas: 2, streams: 1 },
      ],
    },
    "dominant-subspace": solvers,
    "reflecting-surface": { channels: 3, elements: [4, 8], antennas: 2 },
    brockett: solvers,
  };
  if (!hasScenario(quick)) return { ...quick, ...sweeps[name] };
  const { scenario } = quick;
  return {
    ...quick,
    channels: 3,
    scenario: {
      ...scenario,
      channel: { ...scenario.channel, ...small } as typeof scenario.channel,
      link: { ...scenario.link, streams: 2 },
      lora: { ...scenario.lora, layers: [{ dOut: 8, dIn: 6 }] },
    },
    ...sweeps[name],
  };
}

function hasScenario(parameters: FigureParameters): parameters is FigureParameters & ScenarioParameters {
  return "scenario" in parameters;
}

export function runAll(name: FigureName, parameters: FigureParameters): TaskResult[] {
  const count = figureTaskCount(name, parameters);
  return Array.from({ length: count }, (_, index) => runFigureTask(name, parameters, index));
}

/** Parses CSV without quoted line breaks. */
export function parseCsv(text: string): Record<string, string>[] {
  const lines = text.trimEnd().split("\r\n");
  const [header, ...rest] = lines.map((line) => line.split(","));
  return rest.map((fields) => Object.fromEntries(header!.map((name, i) => [name, fields[i]!])));
}
