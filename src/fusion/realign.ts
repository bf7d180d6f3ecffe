import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import {
  checkFinite,
  firstNonFinite,
  flatten,
  type Layout,
  layoutOf,
  matchNames,
  type NamePatterns,
  type ParameterInput,
  type ParameterSet,
  readParameters,
  type Tensors,
  tensorField,
  unflatten,
} from "../core/parameters.ts";

/** Named gradients; those of frozen tensors may be missing and are not read. */
export type GradientSet =
  | Readonly<Record<string, ArrayLike<number>>>
  | ReadonlyMap<string, ArrayLike<number>>;

/** Where realignment stands. */
export interface RealignmentStep {
  /** 0, 1, ... */
  readonly step: number;
  /** Samples per task that the gradient may use. */
  readonly shots: number;
}

export type RealignmentReason = "max-steps" | "non-finite-gradient" | "non-finite-parameters" | "aborted";

export interface RealignmentOptions {
  /** Where to start: the fused model. */
  readonly fused: ParameterInput;
  /** Tensors that stay as they are, bit for bit. */
  readonly frozen?: NamePatterns;
  /** Gradient of the loss at the parameters, which are copies. */
  readonly gradient: (parameters: ParameterSet, at: RealignmentStep) => GradientSet | Promise<GradientSet>;
  /** Samples per task, passed on to the gradient. */
  readonly shots: number;
  readonly steps: number;
  readonly learningRate: number;
  /** Default "sgd". */
  readonly optimizer?: "sgd" | "adam";
  /** "sgd": heavy-ball momentum in [0, 1); default 0. */
  readonly momentum?: number;
  /** "adam": decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** "adam": decay of the second moment; default 0.999. */
  readonly beta2?: number;
  /** "adam": added to the root of the second moment; default 1e-8. */
  readonly epsilon?: number;
  /** Score on validation data, larger is better: the best point is returned, the earliest of equal ones. */
  readonly validate?: (parameters: ParameterSet, at: RealignmentStep) => number | Promise<number>;
  /** Validates the start, every so many steps, and the end; default 1. */
  readonly validateEvery?: number;
  readonly signal?: AbortSignal;
}

/** Of the point before step `step`; the last row is the end. */
export interface RealignmentRow {
  readonly step: number;
  /** Norm of the gradient over what is not frozen; missing where no step was taken from here. */
  readonly gradientNorm?: number;
  readonly score?: number;
}

export interface Realignment {
  readonly parameters: ParameterSet;
  /** Steps from `fused` to `parameters`. */
  readonly step: number;
  /** Score of `parameters`, with `validate`; -Infinity where none was finite. */
  readonly score?: number;
  /** Steps taken. */
  readonly steps: number;
  /** All steps were taken. */
  readonly converged: boolean;
  readonly reason: RealignmentReason;
  readonly rows: readonly RealignmentRow[];
}

const names = [
  "fused",
  "frozen",
  "gradient",
  "shots",
  "steps",
  "learningRate",
  "optimizer",
  "momentum",
  "beta1",
  "beta2",
  "epsilon",
  "validate",
  "validateEvery",
  "signal",
] as const;

/** One step in place: `point` moves against `gradient`. */
type Update = (point: Float64Array, gradient: Float64Array) => void;

/**
 * Gradient steps from the fused point on what is not frozen. Parameters are kept in double precision and rounded to the
 * array types of `fused` for the callbacks and the result. Without `validate` the last point is returned. A gradient that is
 * not finite stops, and so does a step that overflows: returned is then the last point with a finite gradient (`fused` if
 * there was none), or the best one validated.
 *
 * @throws InputError naming the tensor: a gradient that is missing, unknown or of another length; options out of range.
 */
export async function realign(options: RealignmentOptions): Promise<Realignment> {
  checkOptions(options, "realign", names);
  const { gradient, validate, signal } = checkCallbacks(options);
  const fused = readParameters(options.fused, "fused");
  const masked = matchNames(fused, options.frozen, "frozen");
  checkFinite(fused, "fused", masked);
  const layout = layoutOf(fused, masked);
  const shots = checkInteger(options.shots, "shots", 1);
  const steps = checkInteger(options.steps, "steps");
  const every = checkInteger(options.validateEvery ?? 1, "validateEvery", 1);
  const update = optimizerOf(options, layout.size);

  const point = flatten(fused, layout);
  const flat = new Float64Array(layout.size);
  const kept = { values: point.slice(), step: 0, score: Number.NEGATIVE_INFINITY };
  const rows: RealignmentRow[] = [];
  let reason: RealignmentReason = "max-steps";
  let step = 0;
  for (; ; step++) {
    const row: { step: number; gradientNorm?: number; score?: number } = { step };
    rows.push(row);
    if (signal?.aborted === true) reason = "aborted";
    const ends = reason !== "max-steps" || step === steps;
    if (validate !== undefined && (step % every === 0 || ends)) {
      const score: unknown = await validate(unflatten(fused, layout, point), { step, shots });
      if (typeof score !== "number")
        throw new InputError("validate", `${describe(score)} returned`, "a number");
      row.score = Number.isFinite(score) ? score : Number.NEGATIVE_INFINITY;
      if (row.score > kept.score) keep(row.score);
    }
    if (ends) {
      if (validate === undefined) keep();
      break;
    }
    const raw = await gradient(unflatten(fused, layout, point), { step, shots });
    readGradient(raw, fused, layout, flat);
    if (firstNonFinite(flat) >= 0) {
      reason = "non-finite-gradient";
      break;
    }
    row.gradientNorm = norm(flat);
    if (validate === undefined) keep();
    update(point, flat);
    if (overflows(point, fused, layout)) {
      reason = "non-finite-parameters";
      break;
    }
  }

  function keep(score = Number.NEGATIVE_INFINITY): void {
    kept.values.set(point);
    kept.step = step;
    kept.score = score;
  }

  return {
    parameters: unflatten(fused, layout, kept.values),
    step: kept.step,
    ...(validate === undefined ? {} : { score: kept.score }),
    steps: step,
    converged: reason === "max-steps",
    reason,
    rows,
  };
}

/** Heavy ball, or Adam (Kingma & Ba, ICLR 2015) with bias correction. */
function optimizerOf(options: RealignmentOptions, size: number): Update {
  const kind = checkChoice(options.optimizer ?? "sgd", "optimizer", ["sgd", "adam"]);
  for (const name of kind === "sgd" ? (["beta1", "beta2", "epsilon"] as const) : (["momentum"] as const)) {
    if (options[name] !== undefined)
      throw new InputError(name, `${options[name]} with optimizer "${kind}"`, "nothing");
  }
  const rate = checkPositive(options.learningRate, "learningRate");
  const first = new Float64Array(size);
  if (kind === "sgd") {
    const momentum = checkDecay(options.momentum ?? 0, "momentum");
    return (point, gradient) => {
      for (let i = 0; i < size; i++) {
        first[i] = momentum * first[i]! + gradient[i]!;
        point[i]! -= rate * first[i]!;
      }
    };
  }
  const beta1 = checkDecay(options.beta1 ?? 0.9, "beta1");
  const beta2 = checkDecay(options.beta2 ?? 0.999, "beta2");
  const epsilon = checkPositive(options.epsilon ?? 1e-8, "epsilon");
  const second = new Float64Array(size);
  let [decay1, decay2] = [1, 1];
  return (point, gradient) => {
    decay1 *= beta1;
    decay2 *= beta2;
    for (let i = 0; i < size; i++) {
      const g = gradient[i]!;
      first[i] = beta1 * first[i]! + (1 - beta1) * g;
      second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
      point[i]! -= (rate * (first[i]! / (1 - decay1))) / (Math.sqrt(second[i]! / (1 - decay2)) + epsilon);
    }
  };
}

/** @throws InputError on tensors that are missing, unknown, or of another length. */
function readGradient(value: unknown, fused: Tensors, layout: Layout, out: Float64Array): void {
  if (value === null || typeof value !== "object") {
    throw new InputError("gradient", `${describe(value)} returned`, "named gradients");
  }
  const entries = new Map<unknown, unknown>(value instanceof Map ? value : Object.entries(value));
  for (const name of entries.keys()) {
    if (typeof name !== "string" || !fused.has(name)) {
      throw new InputError(tensorField("gradient", String(name)), "a tensor", "names of fused only");
    }
  }
  for (const { name, offset, length } of layout.segments) {
    const own = entries.get(name) as ArrayLike<number> | null | undefined;
    if (own === null || typeof own !== "object" || own.length !== length) {
      const found = own === undefined ? "nothing" : describe(own);
      throw new InputError(tensorField("gradient", name), found, `${length} numbers as fused`);
    }
    for (let i = 0; i < length; i++) {
      if (typeof own[i] !== "number") {
        throw new InputError(`${tensorField("gradient", name)}[${i}]`, describe(own[i]), "a number");
      }
      out[offset + i] = own[i]!;
    }
  }
}

/** Whether an entry is not finite in the array type that it is rounded to. */
function overflows(point: Float64Array, fused: Tensors, layout: Layout): boolean {
  for (const { name, offset, length } of layout.segments) {
    const single = fused.get(name)!.BYTES_PER_ELEMENT === 4;
    for (let i = offset; i < offset + length; i++) {
      if (!Number.isFinite(single ? Math.fround(point[i]!) : point[i]!)) return true;
    }
  }
  return false;
}

function checkCallbacks(
  options: RealignmentOptions,
): Pick<RealignmentOptions, "gradient" | "validate" | "signal"> {
  const { gradient, validate, signal } = options;
  if (typeof gradient !== "function") {
    throw new InputError("gradient", describe(gradient), "a function of the parameters");
  }
  if (validate !== undefined && typeof validate !== "function") {
    throw new InputError("validate", describe(validate), "a function of the parameters");
  }
  // not instanceof: signals of other realms and of older browsers' polyfills are as good
  if (signal !== undefined && typeof signal?.aborted !== "boolean") {
    throw new InputError("signal", describe(signal), "an AbortSignal");
  }
  return options;
}

function checkDecay(value: unknown, field: string): number {
  const checked = checkNumber(value, field, 0, 1);
  if (checked === 1) throw new InputError(field, "1", "a number from 0 to below 1");
  return checked;
}

/** Without overflow or underflow on the way. */
function norm(values: Float64Array): number {
  let largest = 0;
  for (const x of values) largest = Math.max(largest, Math.abs(x));
  if (largest === 0) return 0;
  let sum = 0;
  for (const x of values) sum += (x / largest) ** 2;
  return largest * Math.sqrt(sum);
}
