import { checkNumber, checkNumbers, checkOptions, InputError } from "../core/index.ts";
import {
  checkFinite,
  checkSame,
  firstNonFinite,
  matchNames,
  type NamePatterns,
  type ParameterArray,
  type ParameterInput,
  type ParameterSet,
  readParameters,
  readTaskVectors,
  type Tensors,
  tensorField,
} from "../core/parameters.ts";

export interface MaskOptions {
  /** Tensors that take no part. */
  readonly frozen?: NamePatterns;
}

export interface FusionOptions extends MaskOptions {
  /** theta_0: the model that all tasks were fine-tuned from. */
  readonly base: ParameterInput;
  /** tau_t, as `taskVector` gives them. Frozen tensors may be missing, and are not read. */
  readonly taskVectors: readonly ParameterInput[];
  /** lambda_t of either sign: one per task, or one for all. */
  readonly coefficients: number | ArrayLike<number>;
}

/** A fusion that was checked once, for many coefficients. */
export interface PreparedFusion {
  readonly base: Tensors;
  readonly vectors: readonly Tensors[];
  readonly masked: ReadonlySet<string>;
  at(coefficients: ArrayLike<number>): ParameterSet;
}

/**
 * tau = theta_t - theta_0, in the array types of `base`; without the frozen tensors.
 *
 * @throws InputError naming the tensor that is missing, of another length, or not finite.
 */
export function taskVector(
  fineTuned: ParameterInput,
  base: ParameterInput,
  options: MaskOptions = {},
): ParameterSet {
  checkOptions(options, "taskVector", ["frozen"]);
  const from = readParameters(base, "base");
  const masked = matchNames(from, options.frozen, "frozen");
  const to = readParameters(fineTuned, "fineTuned");
  checkFinite(from, "base", masked);
  checkSame(to, "fineTuned", from, "base", masked);
  checkFinite(to, "fineTuned", masked);
  const out: [string, ParameterArray][] = [];
  for (const [name, tensor] of from) {
    if (masked.has(name)) continue;
    const [difference, tuned] = [tensor.slice(), to.get(name)!];
    for (let i = 0; i < difference.length; i++) difference[i] = tuned[i]! - tensor[i]!;
    checkResult(difference, "fineTuned", name);
    out.push([name, difference]);
  }
  return Object.fromEntries(out);
}

/** -tau: fused with a positive coefficient it unlearns the task (task negation). */
export function negate(vector: ParameterInput): ParameterSet {
  const tensors = readParameters(vector, "taskVector");
  return Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.map((x) => -x)]));
}

/**
 * theta_0 + sum_t lambda_t tau_t. The sum runs over t in the order given, in double precision, then theta_0 is added and
 * the result rounded once to the array type of `base`; tasks of coefficient 0 are left out, so that all zero gives
 * theta_0 bit for bit. Frozen tensors are copied bit for bit, whatever they hold.
 *
 * @throws InputError naming the tensor that is missing, unknown, of another length or not finite, or that overflows.
 */
export function fuse(options: FusionOptions): ParameterSet {
  checkOptions(options, "fuse", ["base", "taskVectors", "coefficients", "frozen"]);
  const fusion = prepareFusion(options);
  return fusion.at(checkCoefficients(options.coefficients, fusion.vectors.length));
}

export function prepareFusion(options: Omit<FusionOptions, "coefficients">): PreparedFusion {
  const base = readParameters(options.base, "base");
  const masked = matchNames(base, options.frozen, "frozen");
  checkFinite(base, "base", masked);
  const vectors = readTaskVectors(options.taskVectors, "taskVectors", base, masked);
  let longest = 0;
  for (const [name, { length }] of base) if (!masked.has(name)) longest = Math.max(longest, length);
  const sum = new Float64Array(longest);
  return {
    base,
    vectors,
    masked,
    at: (coefficients) =>
      Object.fromEntries(
        [...base].map(([name, tensor]) => {
          const out = tensor.slice();
          if (!masked.has(name)) addVectors(out, name, vectors, coefficients, sum);
          return [name, out];
        }),
      ),
  };
}

/** One per task; a single number is meant for all. */
export function checkCoefficients(
  value: number | ArrayLike<number>,
  tasks: number,
  field = "coefficients",
): Float64Array {
  if (typeof value === "number") return new Float64Array(tasks).fill(checkNumber(value, field));
  return Float64Array.from(checkNumbers(value, field, tasks));
}

/** out += sum_t lambda_t tau_t; `sum` is scratch of at least the same length. */
function addVectors(
  out: ParameterArray,
  name: string,
  vectors: readonly Tensors[],
  coefficients: ArrayLike<number>,
  sum: Float64Array,
): void {
  const { length } = out;
  let first = true;
  for (let t = 0; t < vectors.length; t++) {
    const lambda = coefficients[t]!;
    if (lambda === 0) continue;
    const tau = vectors[t]!.get(name)!;
    if (first) for (let i = 0; i < length; i++) sum[i] = lambda * tau[i]!;
    else for (let i = 0; i < length; i++) sum[i]! += lambda * tau[i]!;
    first = false;
  }
  if (first) return;
  for (let i = 0; i < length; i++) out[i]! += sum[i]!;
  checkResult(out, "coefficients", name);
}

function checkResult(values: ParameterArray, field: string, name: string): void {
  if (firstNonFinite(values) < 0) return;
  throw new InputError(tensorField(field, name), "values so large that they overflow", "finite results");
}
