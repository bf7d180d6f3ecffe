import {
  checkChoice,
  checkInteger,
  checkOptions,
  checkPositive,
  checkSeed,
  describe,
  InputError,
  randomStream,
} from "../core/index.ts";
import { flatten, layoutOf, readParameters, type Tensors } from "../core/parameters.ts";
import { only } from "./disentanglement.ts";
import { type EntryCovariance, type Factored, readCovariance } from "./entry-covariance.ts";
import { checkCaller, type JacobianProduct, type Model } from "./model-outputs.ts";
import { directions, type NoiseFactors, noiseOf, type ProbeCount } from "./noise-directions.ts";
import { allFinite, differenceAt, type GrowthSetting, growthAlong, type Pair } from "./noise-growth.ts";
import { checkCoefficients, type FusionOptions, prepareFusion } from "./task-vectors.ts";

/** How derivatives are taken. */
export interface ProbeOptions<Inputs> {
  /** Random directions (default 32), or "coordinates": every entry in turn, exact but for differences. */
  readonly probes?: ProbeCount;
  /** Of the random directions; default 0. */
  readonly seed?: number;
  /**
   * Step of the differences, relative to the root mean square of the parameters. Default 1e-4; with Float32Array 1e-2,
   * which a model that computes in single precision needs as well.
   */
  readonly step?: number;
  /** J v, in the place of central differences. */
  readonly jacobianProduct?: JacobianProduct<Inputs>;
}

export interface PredictionOptions<Inputs> extends FusionOptions, ProbeOptions<Inputs> {
  /** Samples of each task. */
  readonly inputs: readonly Inputs[];
  readonly model: Model<Inputs>;
  /** Sigma_t of the noise on each task vector, or one for all; the variances of `injectNoise` fit. */
  readonly noise: EntryCovariance | readonly EntryCovariance[] | Float64Array;
  /**
   * The single-task reference: "clean" (default); "received", with the very noise that the fused model has; or an
   * "independent" reception, with noise of its own.
   */
  readonly reference?: "clean" | "received" | "independent";
  /** Whether to add the curvature term; default true. Without it the prediction is that of a linear model. */
  readonly curvature?: boolean;
}

export interface PredictionTerms {
  /** xi of the task vectors as given, with squared distances. */
  readonly error: number;
  /** E ||J n||^2: sum_r lambda_r^2 tr(J Sigma_r J^T) for a clean reference. */
  readonly linear: number;
  /** E <D, n^T H n>, D the difference of the outputs without noise, H their second derivatives. */
  readonly curvature: number;
}

/** Sums over the tasks. */
export interface DisentanglementPrediction extends PredictionTerms {
  /** error + linear + curvature: E xi~ but for terms of second order in the variances. */
  readonly predicted: number;
  /** Of linear + curvature, from the random directions; 0 with "coordinates". */
  readonly standardError: number;
  readonly perTask: readonly PredictionTerms[];
  /** false where an output was not finite; the terms are then infinite. */
  readonly converged: boolean;
}

/** Noise, and which of the two models it moves. */
interface Source {
  readonly noise: NoiseFactors;
  readonly moves: Pair<boolean>;
}

export const probeNames = ["probes", "seed", "step", "jacobianProduct"] as const;

/**
 * What noise on the task vectors adds to the disentanglement error (squared distance) in the mean, to first order in
 * its variances: with D = f(fused) - f(reference) and g(h) = D when noise times h is added, E [ ||g'||^2 + <D, g''> ]
 * (docs/task-fusion.md, section 4). Noises of different tasks are independent. For a model linear in its parameters
 * it is sum_t E tr(J [sum_r lambda_r^2 Sigma_r] J^T), exactly; a received reference leaves out r = t.
 *
 * @throws InputError as `disentanglementError`, and on covariances that do not fit.
 */
export async function predictDisentanglement<Inputs>(
  options: PredictionOptions<Inputs>,
): Promise<DisentanglementPrediction> {
  checkOptions(options, "predictDisentanglement", [
    ...[
      "base",
      "taskVectors",
      "coefficients",
      "frozen",
      "inputs",
      "model",
      "noise",
      "reference",
      "curvature",
    ],
    ...probeNames,
  ]);
  const { base, taskVectors, frozen } = options;
  const fusion = prepareFusion({ base, taskVectors, ...(frozen === undefined ? {} : { frozen }) });
  const tasks = fusion.vectors.length;
  const lambda = checkCoefficients(options.coefficients, tasks);
  const layout = layoutOf(fusion.base, fusion.masked);
  const caller = checkCaller(options.model, options.inputs, tasks);
  const kinds = ["clean", "received", "independent"] as const;
  const reference = checkChoice(options.reference ?? "clean", "reference", kinds);
  const curvature = checkFlag(options.curvature ?? true, "curvature");
  const { probes, seed, step, product } = readProbes(options, fusion.base, fusion.masked);
  const noise = readNoise(options.noise, tasks).map(([value, field]) =>
    readCovariance(value, field, layout, false),
  );
  const pointOf = (coefficients: Float64Array): Float64Array =>
    flatten(readParameters(fusion.at(coefficients), "fused"), layout);

  const fused = pointOf(lambda);
  const perTask: PredictionTerms[] = [];
  let squaredErrors = 0;
  for (let task = 0; task < tasks; task++) {
    const setting: GrowthSetting<Inputs> = {
      caller,
      product,
      base: fusion.base,
      layout,
      task,
      step,
      curvature,
    };
    const points = [fused, pointOf(only(lambda, task))] as const;
    const start = await differenceAt(setting, points);
    const terms = { error: start.squared, linear: 0, curvature: 0 };
    if (!start.outputs.every(allFinite)) terms.linear = Number.POSITIVE_INFINITY;
    for (const [s, source] of sourcesOf(reference, noise, lambda, task, layout.size).entries()) {
      if (terms.linear === Number.POSITIVE_INFINITY) break;
      const stream = randomStream(seed, "disentanglement", task, s);
      const [linear, bent]: [number[], number[]] = [[], []];
      for (const direction of directions(source.noise, probes, stream)) {
        const growth = await growthAlong(setting, points, start, source.moves, direction);
        linear.push(growth.linear);
        bent.push(growth.curvature);
      }
      const share = probes === "coordinates" ? 1 : 1 / probes;
      terms.linear += share * sum(linear);
      terms.curvature += share * sum(bent);
      if (probes !== "coordinates") squaredErrors += squaredStandardError(linear.map((x, i) => x + bent[i]!));
    }
    if (!Number.isFinite(terms.linear + terms.curvature)) {
      Object.assign(terms, { linear: Number.POSITIVE_INFINITY, curvature: 0 });
    }
    perTask.push(terms);
  }
  const [error, linear, bend] = (["error", "linear", "curvature"] as const).map((name) =>
    sum(perTask.map((terms) => terms[name])),
  ) as [number, number, number];
  const predicted = error + linear + bend;
  const converged = Number.isFinite(predicted);
  const standardError = converged ? Math.sqrt(squaredErrors) : Number.POSITIVE_INFINITY;
  return { error, linear, curvature: bend, predicted, standardError, perTask, converged };
}

/** @throws InputError on options out of range. */
export function readProbes<Inputs>(
  options: ProbeOptions<Inputs>,
  base: Tensors,
  masked: ReadonlySet<string>,
): {
  readonly probes: ProbeCount;
  readonly seed: number;
  readonly step: number;
  readonly product: JacobianProduct<Inputs> | undefined;
} {
  const product = options.jacobianProduct;
  if (product !== undefined && typeof product !== "function") {
    throw new InputError("jacobianProduct", describe(product), "a function of parameters and direction");
  }
  const single = [...base].some(([name, tensor]) => tensor.BYTES_PER_ELEMENT === 4 && !masked.has(name));
  const probes = options.probes ?? 32;
  return {
    probes: probes === "coordinates" ? probes : checkInteger(probes, "probes", 2),
    seed: checkSeed(options.seed ?? 0),
    step: checkPositive(options.step ?? (single ? 1e-2 : 1e-4), "step"),
    product,
  };
}

/** A received reference carries the noise of its own task as the fused model does; an independent one carries other. */
function sourcesOf(
  reference: "clean" | "received" | "independent",
  noise: readonly Factored[],
  lambda: Float64Array,
  task: number,
  size: number,
): Source[] {
  const parts = noise.map((covariance, r) => ({ covariance, lambda: lambda[r]! }));
  const own = noiseOf(size, [parts[task]!]);
  if (reference === "received") {
    const others = parts.filter((_, r) => r !== task);
    return [
      { noise: noiseOf(size, others), moves: [true, false] },
      { noise: own, moves: [true, true] },
    ];
  }
  const all: Source = { noise: noiseOf(size, parts), moves: [true, false] };
  return reference === "clean" ? [all] : [all, { noise: own, moves: [false, true] }];
}

function readNoise(noise: PredictionOptions<unknown>["noise"], tasks: number): [EntryCovariance, string][] {
  if (noise instanceof Float64Array) return readNoise(Array.from(noise), tasks);
  if (!Array.isArray(noise)) {
    return Array.from({ length: tasks }, () => [noise as EntryCovariance, "noise"]);
  }
  if (noise.length !== tasks) throw new InputError("noise", describe(noise), `${tasks} covariances, or one`);
  return Array.from(noise as readonly EntryCovariance[], (value, t) => [value, `noise[${t}]`]);
}

function squaredStandardError(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = sum(values) / values.length;
  return sum(values.map((x) => (x - mean) ** 2)) / (values.length - 1) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, x) => total + x, 0);
}

function checkFlag(value: unknown, field: string): boolean {
  if (typeof value === "boolean") return value;
  throw new InputError(field, describe(value), "true or false");
}
