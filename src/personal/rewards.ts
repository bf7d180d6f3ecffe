import { checkNumber, checkOptions, describe, InputError } from "../core/index.ts";
import {
  checkFinite,
  checkSame,
  matchNames,
  type NamePatterns,
  type ParameterInput,
  readParameters,
} from "../core/parameters.ts";
import { largestValue, readList, readMask, readValues } from "./batches.ts";

export interface CombinedRewardOptions {
  /** Scores of n answers by objective, for example `{ help, safe }`, n numbers each. */
  readonly scores: Readonly<Record<string, ArrayLike<number>>>;
  /** What the client wants: a weight >= 0 for every objective, sum 1 (to 1e-9). */
  readonly weights: Readonly<Record<string, number>>;
  /** Taken off every reward, as a rule `deviationPenalty(...).value`. Default 0. */
  readonly penalty?: number;
}

export interface DeviationPenaltyOptions {
  /** theta_k */
  readonly parameters: ParameterInput;
  /** theta_g: of the same lengths; tensors that are not shared may be missing on either side. */
  readonly global: ParameterInput;
  /** beta, 0 to 1e100 */
  readonly beta: number;
  /** Names of the shared group; the others do not count. Default: all tensors of `global`. */
  readonly shared?: NamePatterns;
}

export interface DeviationPenalty {
  /** beta ||theta_k - theta_g||^2 over the shared tensors. */
  readonly value: number;
  /** 2 beta (theta_k - theta_g) by name, shared tensors only. */
  readonly gradient: Readonly<Record<string, Float64Array>>;
}

/** How far the sum of weights may be off 1: rounding, also of weights that were written down. */
const SUM_TOLERANCE = 1e-9;

/**
 * The reward of one client, reward_i = sum_o w_o score_oi - penalty (for PFIT: wh help + ws safe - beta ||theta_k -
 * theta_g||^2).
 *
 * @throws InputError on weights off the simplex or for other objectives, or scores that are not finite or differ in number.
 */
export function combinedReward(options: CombinedRewardOptions): Float64Array {
  checkOptions(options, "combinedReward", ["scores", "weights", "penalty"]);
  const { scores, weights } = options;
  const objectives = Object.keys(isRecord(scores) ? scores : {});
  if (objectives.length === 0) {
    throw new InputError("scores", describe(scores), "scores by objective, for example { help, safe }");
  }
  checkOptions(weights, "weights", objectives);
  const penalty = checkNumber(options.penalty ?? 0, "penalty");
  const { length } = readList(scores[objectives[0]!], `scores.${objectives[0]}`);
  const mask = readMask(undefined, length);
  let sum = 0;
  for (const name of objectives) sum += checkNumber(weights[name], `weights.${name}`, 0);
  if (!(Math.abs(sum - 1) <= SUM_TOLERANCE)) {
    throw new InputError("weights", `weights that sum to ${sum}`, "weights >= 0 that sum to 1");
  }
  const out = new Float64Array(length);
  for (const name of objectives) {
    const own = readValues(scores[name], `scores.${name}`, mask);
    for (let i = 0; i < length; i++) out[i]! += weights[name]! * own[i]!;
  }
  if (penalty !== 0) for (let i = 0; i < length; i++) out[i]! -= penalty;
  return out;
}

/**
 * beta ||theta_k - theta_g||^2 over the shared tensors, and its gradient with respect to theta_k. As a term of the loss it
 * acts through the gradient; as a part of the reward (PFIT) it is one number for all samples of a round, which whitening
 * the advantages takes out again: use the gradient.
 *
 * @throws InputError naming the tensor that is missing, of another length or not finite, or on a value that overflows.
 */
export function deviationPenalty(options: DeviationPenaltyOptions): DeviationPenalty {
  checkOptions(options, "deviationPenalty", ["parameters", "global", "beta", "shared"]);
  const beta = checkNumber(options.beta, "beta", 0, largestValue);
  const all = readParameters(options.global, "global");
  const names = options.shared === undefined ? undefined : matchNames(all, options.shared, "shared");
  const global = new Map([...all].filter(([name]) => names?.has(name) ?? true));
  const own = readParameters(options.parameters, "parameters");
  const parameters = new Map([...own].filter(([name]) => global.has(name)));
  const none = new Set<string>();
  checkSame(parameters, "parameters", global, "global", none);
  checkFinite(global, "global", none);
  checkFinite(parameters, "parameters", none);
  const gradient: [string, Float64Array][] = [];
  let value = 0;
  for (const [name, reference] of global) {
    const tensor = parameters.get(name)!;
    const slope = new Float64Array(tensor.length);
    for (let i = 0; i < slope.length; i++) {
      const difference = tensor[i]! - reference[i]!;
      value += beta * difference * difference;
      slope[i] = 2 * beta * difference;
    }
    gradient.push([name, slope]);
  }
  if (!Number.isFinite(value)) {
    throw new InputError("parameters", "a deviation whose square overflows", "a smaller one");
  }
  return { value, gradient: Object.fromEntries(gradient) };
}

function isRecord(value: unknown): value is object {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
