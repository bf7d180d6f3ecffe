import { checkNumbers, checkOptions, describe, InputError, renameField } from "../core/index.ts";
import { firstNonFinite, flatten, layoutOf, type ParameterSet, unflatten } from "../core/parameters.ts";
import type { Estimate } from "../lora/index.ts";
import { checkCoefficients, type FusionOptions, prepareFusion } from "./task-vectors.ts";

/** What goes along with the vectors. */
export interface FusionTransmission {
  /** w_t, sum 1: what is to be estimated is sum_t w_t v_t. */
  readonly weights: Float64Array;
  /** Length of every vector. */
  readonly entries: number;
}

/** Takes one vector per user and estimates sum_t w_t v_t. */
export type SendTaskVectors<T extends Estimate = Estimate> = (
  vectors: readonly Float64Array[],
  transmission: FusionTransmission,
) => T;

export interface AirFusionOptions<T extends Estimate = Estimate> extends FusionOptions {
  /** For example `(vectors) => link.aggregate(vectors, seed)` with an `overTheAirLink` of the same weights. */
  readonly send: SendTaskVectors<T>;
  /** w_t of the link, scaled to sum 1. Default |lambda_t| / sum_r |lambda_r|. */
  readonly weights?: ArrayLike<number>;
}

export interface AirFusion<T extends Estimate = Estimate> {
  readonly parameters: ParameterSet;
  /** Reals that a user sends: the entries that are not frozen. */
  readonly entries: number;
  /** What `send` returned; nothing is sent where all coefficients are 0. */
  readonly transmission?: T;
}

/**
 * theta_0 + sum_t lambda_t tau_t with the sum taken on the air: user t sends v_t = (lambda_t / w_t) tau_t, and
 * sum_t w_t v_t = sum_t lambda_t tau_t, whatever the weights of the link and the signs of lambda.
 *
 * @throws InputError as `fuse`; where w_t = 0 but lambda_t is not; where `send` returns another length or an entry
 *   that is not finite.
 */
export function fuseOverTheAir<T extends Estimate = Estimate>(options: AirFusionOptions<T>): AirFusion<T> {
  checkOptions(options, "fuseOverTheAir", [
    "base",
    "taskVectors",
    "coefficients",
    "frozen",
    "send",
    "weights",
  ]);
  if (typeof options.send !== "function") {
    throw new InputError("send", describe(options.send), "a function of the vectors of all users");
  }
  const { base, vectors, masked } = prepareFusion(options);
  const lambda = checkCoefficients(options.coefficients, vectors.length);
  const layout = layoutOf(base, masked);
  const entries = layout.size;
  const weights = linkWeights(options.weights, lambda);
  const flat = flatten(base, layout);
  if (lambda.every((x) => x === 0)) return { parameters: unflatten(base, layout, flat), entries };
  const sent = vectors.map((vector, t) => {
    const values = flatten(vector, layout);
    const gain = lambda[t] === 0 ? 0 : lambda[t]! / weights[t]!;
    return values.map((x) => gain * x);
  });
  const transmission = options.send(sent, { weights: weights.slice(), entries });
  if (transmission === null || typeof transmission !== "object") {
    throw new InputError("send", `${describe(transmission)} returned`, "an object with an estimate");
  }
  const check = (): ArrayLike<number> => checkNumbers(transmission.estimate, "estimate", entries);
  const estimate = renameField((field) => `send: ${field}`, check);
  for (let i = 0; i < entries; i++) flat[i]! += estimate[i]!;
  const parameters = unflatten(base, layout, flat);
  for (const { name } of layout.segments) {
    if (firstNonFinite(parameters[name]!) >= 0) {
      throw new InputError("send: estimate", "values so large that they overflow", "finite parameters");
    }
  }
  return { parameters, entries, transmission };
}

function linkWeights(given: ArrayLike<number> | undefined, lambda: Float64Array): Float64Array {
  const raw =
    given === undefined
      ? lambda.map(Math.abs)
      : Float64Array.from(checkNumbers(given, "weights", lambda.length, 0));
  const total = raw.reduce((sum, w) => sum + w, 0);
  if (given !== undefined && !(total > 0 && Number.isFinite(total))) {
    throw new InputError("weights", `weights of sum ${total}`, "a finite sum > 0");
  }
  const weights = raw.map((w) => (total === 0 ? 1 / lambda.length : w / total));
  weights.forEach((w, t) => {
    if (w > 0 || lambda[t] === 0) return;
    throw new InputError(`weights[${t}]`, "0", `a weight > 0 for the coefficient ${lambda[t]}`);
  });
  return weights;
}
