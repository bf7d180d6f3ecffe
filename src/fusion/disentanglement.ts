import {
  checkChoice,
  checkInteger,
  checkNumbers,
  checkOptions,
  describe,
  InputError,
} from "../core/index.ts";
import type { ParameterInput } from "../core/parameters.ts";
import { argMax, checkCaller, type Model, type Outputs, outputsOf } from "./model-outputs.ts";
import { checkCoefficients, type FusionOptions, type PreparedFusion, prepareFusion } from "./task-vectors.ts";

/** Share of samples whose arg max differs, or mean squared distance of the outputs. */
export type OutputDistance = "disagreement" | "squared";

export interface DisentanglementOptions<Inputs> extends FusionOptions {
  /** Samples of D_t, one entry per task; passed on to the model as they are. */
  readonly inputs: readonly Inputs[];
  readonly model: Model<Inputs>;
  /** Default "disagreement". */
  readonly distance?: OutputDistance;
  /**
   * Task vectors of the single-task references: the clean ones where `taskVectors` are as received. Default
   * `taskVectors`.
   */
  readonly referenceVectors?: readonly ParameterInput[];
}

export interface DisentanglementError {
  /** xi = sum of `perTask`. */
  readonly error: number;
  /** Mean distance on the samples of each task. */
  readonly perTask: Float64Array;
}

export interface DisentanglementGridOptions<Inputs>
  extends Omit<DisentanglementOptions<Inputs>, "coefficients"> {
  /** The two tasks whose coefficients vary, and over whose samples xi is summed. Default [0, 1]. */
  readonly tasks?: readonly [number, number];
  /** Values of both coefficients, or of each. */
  readonly values: ArrayLike<number> | readonly [ArrayLike<number>, ArrayLike<number>];
  /** Of the other tasks; those of the two are replaced. Default 0. */
  readonly coefficients?: number | ArrayLike<number>;
}

export interface DisentanglementGrid {
  readonly tasks: readonly [number, number];
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** errors[i][j]: xi at first[i] and second[j]. */
  readonly errors: readonly Float64Array[];
}

const names = [
  "base",
  "taskVectors",
  "coefficients",
  "frozen",
  "inputs",
  "model",
  "distance",
  "referenceVectors",
] as const;

/**
 * Disentanglement error xi(lambda) = sum_t mean over D_t of dist(f(x; theta_0 + lambda_t tau_t), f(x; theta_0 + sum_j
 * lambda_j tau_j)) (Ortiz-Jimenez, Favero, Frossard, NeurIPS 2023). A sample with an output that is not finite counts
 * as disagreeing, and its squared distance as infinite.
 *
 * @throws InputError as `fuse`, and on outputs that have not one row of the same length per sample.
 */
export async function disentanglementError<Inputs>(
  options: DisentanglementOptions<Inputs>,
): Promise<DisentanglementError> {
  checkOptions(options, "disentanglementError", names);
  const setup = prepareDisentanglement(options);
  const { fusion, caller, distance, reference } = setup;
  const tasks = fusion.vectors.length;
  const lambda = checkCoefficients(options.coefficients, tasks);
  const perTask = new Float64Array(tasks);
  for (let t = 0; t < tasks; t++) {
    const single = await outputsOf(caller, reference.at(only(lambda, t)), t);
    const fused = await outputsOf(caller, fusion.at(lambda), t, single);
    perTask[t] = meanDistance(single, fused, distance);
  }
  return { error: perTask.reduce((sum, x) => sum + x, 0), perTask };
}

/**
 * xi of a pair of tasks over a grid of their coefficients: two evaluations of the model per point, and one reference
 * per value and task.
 *
 * @throws InputError as {@link disentanglementError}, and on tasks that are not two of those given.
 */
export async function disentanglementGrid<Inputs>(
  options: DisentanglementGridOptions<Inputs>,
): Promise<DisentanglementGrid> {
  checkOptions(options, "disentanglementGrid", [...names, "tasks", "values"]);
  const { fusion, caller, distance, reference } = prepareDisentanglement(options);
  const count = fusion.vectors.length;
  const tasks = checkPair(options.tasks, count);
  const [first, second] = checkAxes(options.values);
  const lambda = checkCoefficients(options.coefficients ?? 0, count);
  const singles: Outputs[][] = [[], []];
  for (const [side, axis] of [first, second].entries()) {
    const t = tasks[side]!;
    for (const value of axis) {
      const own = new Float64Array(count);
      own[t] = value;
      singles[side]!.push(await outputsOf(caller, reference.at(own), t));
    }
  }
  const errors = Array.from(first, () => new Float64Array(second.length));
  for (let i = 0; i < first.length; i++) {
    for (let j = 0; j < second.length; j++) {
      lambda[tasks[0]] = first[i]!;
      lambda[tasks[1]] = second[j]!;
      for (const [side, single] of [singles[0]![i]!, singles[1]![j]!].entries()) {
        const fused = await outputsOf(caller, fusion.at(lambda), tasks[side]!, single);
        errors[i]![j]! += meanDistance(single, fused, distance);
      }
    }
  }
  return { tasks, first, second, errors };
}

/** Mean of dist over the rows. */
export function meanDistance(a: Outputs, b: Outputs, distance: OutputDistance): number {
  const { samples, width } = a;
  let sum = 0;
  for (let s = 0; s < samples; s++) {
    if (distance === "disagreement") {
      const [i, j] = [argMaxFinite(a, s), argMaxFinite(b, s)];
      if (i !== j || i < 0) sum++;
      continue;
    }
    for (let i = s * width; i < (s + 1) * width; i++) {
      const squared = (a.data[i]! - b.data[i]!) ** 2;
      sum += Number.isNaN(squared) ? Number.POSITIVE_INFINITY : squared;
    }
  }
  return sum / samples;
}

/** All coefficients but that of task t are 0. */
export function only(lambda: Float64Array, t: number): Float64Array {
  return lambda.map((x, r) => (r === t ? x : 0));
}

function prepareDisentanglement<Inputs>(options: Omit<DisentanglementOptions<Inputs>, "coefficients">): {
  readonly fusion: PreparedFusion;
  readonly reference: PreparedFusion;
  readonly caller: ReturnType<typeof checkCaller<Inputs>>;
  readonly distance: OutputDistance;
} {
  const { base, taskVectors, frozen, referenceVectors } = options;
  const fusion = prepareFusion({ base, taskVectors, ...(frozen === undefined ? {} : { frozen }) });
  const tasks = fusion.vectors.length;
  let reference = fusion;
  if (referenceVectors !== undefined) {
    if (!Array.isArray(referenceVectors) || referenceVectors.length !== tasks) {
      throw new InputError("referenceVectors", describe(referenceVectors), `${tasks} task vectors`);
    }
    reference = prepareFusion({
      base,
      taskVectors: referenceVectors,
      ...(frozen === undefined ? {} : { frozen }),
    });
  }
  const distance = checkChoice(options.distance ?? "disagreement", "distance", ["disagreement", "squared"]);
  return { fusion, reference, caller: checkCaller(options.model, options.inputs, tasks), distance };
}

function argMaxFinite({ data, width }: Outputs, sample: number): number {
  if (width < 2) throw new InputError("model", "one output", 'two outputs at least, or distance "squared"');
  for (let i = sample * width; i < (sample + 1) * width; i++) if (!Number.isFinite(data[i]!)) return -1;
  return argMax(data, sample * width, width);
}

function checkPair(tasks: readonly [number, number] | undefined, count: number): readonly [number, number] {
  if (count < 2) throw new InputError("taskVectors", "one task vector", "two at least, for a grid");
  const pair = checkNumbers(tasks ?? [0, 1], "tasks", 2);
  const [a, b] = [0, 1].map((i) => checkInteger(pair[i], `tasks[${i}]`, 0, count - 1)) as [number, number];
  if (a === b) throw new InputError("tasks", `${a} twice`, "two different tasks");
  return [a, b];
}

function checkAxes(values: unknown): [Float64Array, Float64Array] {
  const isPair = Array.isArray(values) && values.length === 2 && typeof values[0] === "object";
  const axes = (isPair ? values : [values, values]).map((axis, i) => {
    const list = Float64Array.from(checkNumbers(axis, isPair ? `values[${i}]` : "values"));
    if (list.length === 0) throw new InputError("values", "no values", "at least one");
    return list;
  });
  return axes as [Float64Array, Float64Array];
}
