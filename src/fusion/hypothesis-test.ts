import { checkNumbers, checkOptions, InputError } from "../core/index.ts";
import {
  checkFinite,
  checkSame,
  flatten,
  layoutOf,
  matchNames,
  type NamePatterns,
  type ParameterInput,
  readParameters,
  type Tensors,
} from "../core/parameters.ts";
import { logQfunc, qfunc } from "../core/qfunc.ts";
import { type EntryCovariance, innerInverse, readCovariance } from "./entry-covariance.ts";

export interface TaskVectorTestOptions {
  /** tau_1: its mean under H1. */
  readonly first: ParameterInput;
  /** tau_2: its mean under H2. */
  readonly second: ParameterInput;
  /** Sigma of the noise under both. */
  readonly covariance: EntryCovariance;
  /** Probabilities of H1 and H2, sum 1 (to 1e-9), both > 0. Default 1/2 each. */
  readonly priors?: readonly [number, number];
  /** Tensors left out; they may be missing already. */
  readonly frozen?: NamePatterns;
}

export interface TaskVectorTest {
  /** d = sqrt(Delta^T Sigma^{-1} Delta), Delta = tau_1 - tau_2. */
  readonly distance: number;
  /** Decide H1 where T > threshold = log(prior_2 / prior_1); H2 at equality. */
  readonly threshold: number;
  /** Probability of a wrong decision: Qfunc(d/2) for equal priors. 0 only where it leaves double precision. */
  readonly error: number;
  /** Its logarithm, which does not underflow. */
  readonly logError: number;
  /** P(decide H2 | H1). */
  readonly errorFirst: number;
  /** P(decide H1 | H2). */
  readonly errorSecond: number;
  /** T = <Delta, Sigma^{-1} (tau~ - (tau_1 + tau_2)/2)>, the logarithm of the likelihood ratio. */
  statistic(received: ParameterInput): number;
  /** The more probable hypothesis: 1 or 2. */
  decide(received: ParameterInput): 1 | 2;
}

/**
 * Likelihood-ratio test of which of two task vectors was received in normal noise. Under H1 T is normal of mean d^2/2,
 * under H2 of mean -d^2/2, both of variance d^2, so with eta = log(prior_2 / prior_1)
 *   error = prior_1 Q((d^2/2 - eta)/d) + prior_2 Q((d^2/2 + eta)/d); d = 0: the smaller prior.
 *
 * @throws InputError naming the tensor; on variances that are not > 0, or priors that are no probabilities.
 */
export function taskVectorTest(options: TaskVectorTestOptions): TaskVectorTest {
  checkOptions(options, "taskVectorTest", ["first", "second", "covariance", "priors", "frozen"]);
  const first = readParameters(options.first, "first");
  const masked = matchNames(first, options.frozen, "frozen", true);
  const layout = layoutOf(first, masked);
  const read = (value: ParameterInput, field: string): Float64Array => {
    const tensors: Tensors = readParameters(value, field);
    checkSame(tensors, field, first, "first", masked);
    checkFinite(tensors, field, masked);
    return flatten(tensors, layout);
  };
  const [one, two] = [read(options.first, "first"), read(options.second, "second")];
  const covariance = readCovariance(options.covariance, "covariance", layout, true);
  const [p1, p2] = checkPriors(options.priors);
  const delta = one.map((x, i) => x - two[i]!);
  const middle = one.map((x, i) => x / 2 + two[i]! / 2);
  const distance = Math.sqrt(innerInverse(covariance, delta, delta));
  if (!Number.isFinite(distance)) {
    throw new InputError("covariance", "a distance that overflows", "task vectors and noise of like size");
  }
  const threshold = Math.log(p2 / p1);
  const [a, b] = tails(distance, threshold);
  const statistic = (received: ParameterInput): number => {
    const values = read(received, "received");
    for (let i = 0; i < values.length; i++) values[i]! -= middle[i]!;
    return innerInverse(covariance, delta, values);
  };
  return {
    distance,
    threshold,
    error: p1 * qfunc(a) + p2 * qfunc(b),
    logError: logSum(Math.log(p1) + logQfunc(a), Math.log(p2) + logQfunc(b)),
    errorFirst: qfunc(a),
    errorSecond: qfunc(b),
    statistic,
    decide: (received) => (statistic(received) > threshold ? 1 : 2),
  };
}

/** Arguments of Q for the two errors; d = 0 decides by the priors alone, and for H2 where they are equal. */
function tails(d: number, threshold: number): [number, number] {
  if (d > 0) return [d / 2 - threshold / d, d / 2 + threshold / d];
  const first = threshold < 0;
  return [
    first ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
    first ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY,
  ];
}

function checkPriors(priors: readonly [number, number] | undefined): readonly [number, number] {
  if (priors === undefined) return [0.5, 0.5];
  const list = checkNumbers(priors, "priors", 2, 0, 1);
  const [p1, p2] = [list[0]!, list[1]!];
  if (p1 === 0 || p2 === 0 || Math.abs(p1 + p2 - 1) > 1e-9) {
    throw new InputError("priors", `${p1} and ${p2}`, "two probabilities > 0 of sum 1");
  }
  return [p1, p2];
}

/** log(exp(a) + exp(b)) */
function logSum(a: number, b: number): number {
  const most = Math.max(a, b);
  return most + Math.log(Math.exp(a - most) + Math.exp(b - most));
}
