import { checkInteger, checkOptions, describe, InputError, randomStream } from "../core/index.ts";
import {
  checkFinite,
  flatten,
  layoutOf,
  matchNames,
  type NamePatterns,
  type ParameterInput,
  readParameters,
} from "../core/parameters.ts";
import { type ProbeOptions, probeNames, readProbes } from "./disentanglement-prediction.ts";
import { type EntryCovariance, readCovariance } from "./entry-covariance.ts";
import { type Model, outputsOf } from "./model-outputs.ts";
import { directions, noiseOf } from "./noise-directions.ts";
import { type GrowthSetting, jacobianTimes } from "./noise-growth.ts";

export interface OutputCovarianceOptions<Inputs> extends ProbeOptions<Inputs> {
  readonly parameters: ParameterInput;
  readonly frozen?: NamePatterns;
  readonly inputs: Inputs;
  readonly model: Model<Inputs>;
  /** Passed on to the model; default 0. */
  readonly task?: number;
  /** Sigma of the noise on the parameters that are not frozen: after fusion sum_r lambda_r^2 Sigma_r. */
  readonly noise: EntryCovariance;
}

export interface OutputCovariances {
  /** Outputs without noise as the model gave them, one row per sample. */
  readonly outputs: readonly Float64Array[];
  /**
   * J Sigma J^T of each sample, width x width row-major; of rank `probes` at most with random directions. Infinite where
   * outputs are not finite.
   */
  readonly covariances: readonly Float64Array[];
}

/**
 * Covariance J Sigma J^T of the linearised outputs of every sample, as `flipProbability` takes it: the mean of
 * (J v)(J v)^T over random directions v with E v v^T = Sigma (unbiased), or with "coordinates" their exact sum.
 *
 * @throws InputError as `predictDisentanglement`.
 */
export async function outputCovariances<Inputs>(
  options: OutputCovarianceOptions<Inputs>,
): Promise<OutputCovariances> {
  const own = ["parameters", "frozen", "inputs", "model", "task", "noise"];
  checkOptions(options, "outputCovariances", [...own, ...probeNames]);
  if (typeof options.model !== "function") {
    throw new InputError("model", describe(options.model), "a function of parameters, inputs and task");
  }
  const base = readParameters(options.parameters, "parameters");
  const masked = matchNames(base, options.frozen, "frozen");
  checkFinite(base, "parameters", masked);
  const layout = layoutOf(base, masked);
  const task = checkInteger(options.task ?? 0, "task");
  const { probes, seed, step, product } = readProbes(options, base, masked);
  const covariance = readCovariance(options.noise, "noise", layout, false);
  const inputs: Inputs[] = [];
  inputs[task] = options.inputs;
  const caller = { call: options.model, inputs, field: "model" };
  const setting: GrowthSetting<Inputs> = { caller, product, base, layout, task, step, curvature: false };

  const point = flatten(base, layout);
  const copies = Object.fromEntries([...base].map(([name, tensor]) => [name, tensor.slice()]));
  const outputs = await outputsOf(caller, copies, task);
  const { samples, width } = outputs;
  const covariances = Array.from({ length: samples }, () => new Float64Array(width * width));
  const share = probes === "coordinates" ? 1 : 1 / probes;
  const noise = noiseOf(layout.size, [{ covariance, lambda: 1 }]);
  for (const direction of directions(noise, probes, randomStream(seed, "output-covariance"))) {
    const moved = await jacobianTimes(setting, point, direction, outputs);
    covariances.forEach((matrix, s) => {
      for (let i = 0; i < width; i++) {
        for (let j = 0; j < width; j++)
          matrix[i * width + j]! += share * moved[s * width + i]! * moved[s * width + j]!;
      }
    });
  }
  for (const matrix of covariances) {
    for (let i = 0; i < matrix.length; i++)
      if (Number.isNaN(matrix[i]!)) matrix[i] = Number.POSITIVE_INFINITY;
  }
  const rows = Array.from({ length: samples }, (_, s) => outputs.data.slice(s * width, (s + 1) * width));
  return { outputs: rows, covariances };
}
