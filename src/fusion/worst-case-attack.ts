/** The worst noise against one signal covariance: which closed form or solver, and in which coordinates. */
import { InputError } from "../core/index.ts";
import {
  add,
  type ComplexMatrix,
  eigHermitian,
  eigHermitianGeneralized,
  hermitianPart,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  scale,
  svd,
  zeros,
} from "../linalg/index.ts";
import {
  addDiagonal,
  columnsFrom,
  fromEigen,
  isPositive,
  rateAgainst,
  scaledColumns,
  sumOf,
} from "./covariance.ts";
import { errorAllocation, rateAllocation } from "./worst-case-allocation.ts";
import { certify, type JammingProblem } from "./worst-case-certificate.ts";
import { solveJamming } from "./worst-case-solver.ts";

export interface WorstCaseNoise {
  /** Z, n x n. */
  readonly covariance: ComplexMatrix;
  /** J, m x m with tr J = power: what the jammer sends. Without a jammer channel Z - floor I. */
  readonly jamming: ComplexMatrix;
  /** Rate in nats per use, or for "mse" tr Z (Z + Gamma)^-1 (a direction without signal counts 1). */
  readonly value: number;
  /** t: what the next unit of power takes from the rate (nats per power), or adds to the error. */
  readonly multiplier: number;
  /** No covariance of the jammer can do better than `value` by more than this, in the unit of value. */
  readonly dualityGap: number;
  /** Z at white jamming of the same power (J = power / m I), n x n. */
  readonly whiteNoise: ComplexMatrix;
  /** The value there. */
  readonly whiteNoiseValue: number;
  /** The attacked user, with "strongest-user". */
  readonly user?: number;
  readonly method: "closed-form" | "interior-point";
  /** Newton steps; 0 for the closed forms. */
  readonly iterations: number;
  readonly converged: boolean;
  readonly reason: "closed-form" | "gap" | "stalled" | "max-iterations";
}

/**
 * min over the jammer of the rate of `signal` in `interference` + Z, or max of its error (without interference).
 */
export interface JammingTarget {
  readonly kind: JammingProblem["kind"];
  /** n x n, positive semidefinite. */
  readonly signal: ComplexMatrix;
  readonly interference?: ComplexMatrix;
  readonly floor: number;
  readonly power: number;
  /** G_J, n x m; identity by default. */
  readonly channel?: ComplexMatrix;
  /** Its decomposition. */
  readonly reach?: JammerReach;
  /** Z at white jamming. */
  readonly white: ComplexMatrix;
  readonly tolerance: number;
  readonly maxIterations: number;
}

/** G_J = left diag(values) right^H, its rank many columns. */
export interface JammerReach {
  readonly left: ComplexMatrix;
  readonly values: Float64Array;
  readonly right: ComplexMatrix;
}

type Attack = Omit<WorstCaseNoise, "user">;
/** The closed forms know the value at white noise from their eigenvalues. */
type Outcome = Omit<Attack, "covariance" | "whiteNoise" | "whiteNoiseValue"> & {
  readonly whiteNoiseValue?: number;
};

const unitRoundoff = 2 ** -52;

/** @throws InputError for a floor of 0 if the channel is not of full row rank */
export function reachOf(channel: ComplexMatrix, floor: number): JammerReach {
  const { u, s, v } = svd(channel);
  const smallest = Math.max(channel.rows, channel.cols) * unitRoundoff * s[0]!;
  const rank = s.filter((value) => value > smallest).length;
  if (floor === 0 && rank < channel.rows) {
    throw new InputError(
      "floor",
      "0",
      `a number > 0, for the jammer reaches ${rank} of ${channel.rows} dimensions only`,
    );
  }
  return { left: columnsFrom(u, 0, rank), values: s.slice(0, rank), right: columnsFrom(v, 0, rank) };
}

/** power / m I */
export function whiteJamming(antennas: number, power: number): ComplexMatrix {
  return scale(identity(antennas), power / antennas);
}

/** floor I + G J G^H */
export function noiseOf(
  floor: number,
  channel: ComplexMatrix | undefined,
  jamming: ComplexMatrix,
): ComplexMatrix {
  const noise = channel === undefined ? hermitianPart(jamming) : congruence(channel, jamming);
  addDiagonal(noise, floor);
  return noise;
}

export function attack(target: JammingTarget): Attack {
  const { kind, signal, interference, floor, channel, reach, white } = target;
  const whiteValue = (): number =>
    valueAt(kind, signal, interference === undefined ? white : add(white, interference));
  if (isZero(signal) || reach?.values.length === 0) {
    const jamming = whiteJamming(channel?.cols ?? signal.rows, target.power);
    const value = whiteValue();
    const known = { value, whiteNoiseValue: value, multiplier: 0, dualityGap: 0, iterations: 0 };
    return { covariance: scale(white, 1), jamming, whiteNoise: white, ...known, ...closed };
  }
  const found = floor === 0 ? withoutFloor(target) : withFloor(target);
  const covariance = noiseOf(floor, channel, found.jamming);
  return { ...found, covariance, whiteNoise: white, whiteNoiseValue: found.whiteNoiseValue ?? whiteValue() };
}

const closed = { method: "closed-form", converged: true, reason: "closed-form" } as const;

/**
 * With a full row rank channel L diag(s) R^H and no floor, Z = L diag(s) J' diag(s) L^H with J' = R^H J R free of
 * trace power: the objective is that of the signal diag(1/s) L^H Gamma L diag(1/s) in the noise J'.
 */
function withoutFloor(target: JammingTarget): Outcome {
  const { reach, signal, interference } = target;
  if (reach === undefined) return reachable(target, signal, interference);
  const inverse = scaledColumns(
    reach.left,
    reach.values.map((value) => 1 / value),
  );
  const seen = (m: ComplexMatrix): ComplexMatrix =>
    hermitianPart(multiplyConjugateLeft(inverse, multiply(m, inverse)));
  const found = reachable(target, seen(signal), interference === undefined ? undefined : seen(interference));
  return { ...found, jamming: congruence(reach.right, found.jamming) };
}

/** No floor and Z = J. */
function reachable(target: JammingTarget, signal: ComplexMatrix, interference?: ComplexMatrix): Outcome {
  if (interference === undefined) return closedForm(target, signal);
  // The jammer wastes nothing where there is neither signal nor interference.
  const { vectors } = support(add(signal, interference));
  const seen = (m: ComplexMatrix): ComplexMatrix =>
    hermitianPart(multiplyConjugateLeft(vectors, multiply(m, vectors)));
  const found = solve(target, seen(signal), seen(interference), identity(vectors.cols));
  return { ...found, jamming: congruence(vectors, found.jamming) };
}

function withFloor(target: JammingTarget): Outcome {
  const { signal, interference, reach, floor } = target;
  if (reach === undefined && interference === undefined) return closedForm(target, signal);
  const base = sumOf(interference === undefined ? [] : [interference], signal.rows);
  addDiagonal(base, floor);
  if (reach === undefined) return solve(target, signal, base, identity(signal.rows));
  const found = solve(target, signal, base, scaledColumns(reach.left, reach.values));
  return { ...found, jamming: congruence(reach.right, found.jamming) };
}

function closedForm(target: JammingTarget, signal: ComplexMatrix): Outcome {
  const { kind, floor, power, channel } = target;
  if (power === 0) return idle(target, signal, scale(identity(signal.rows), floor), identity(signal.rows));
  const { values, vectors } = eigHermitian(signal);
  const smallest = smallestSignal(values);
  const g = values.map((value) => (value > smallest ? value : 0));
  const allocation = (kind === "rate" ? rateAllocation : errorAllocation)(g, floor, power);
  // behind a channel of full row rank as well: R^H (power / m I) R = power / m I
  const whiteNoise = floor + power / (channel?.cols ?? signal.rows);
  let whiteNoiseValue = 0;
  for (const gain of g) {
    whiteNoiseValue += kind === "rate" ? Math.log1p(gain / whiteNoise) : 1 / (1 + gain / whiteNoise);
  }
  return {
    whiteNoiseValue,
    jamming: fromEigen(vectors, allocation.excess),
    value: allocation.value,
    multiplier: allocation.multiplier,
    dualityGap: allocation.gap,
    iterations: 0,
    ...closed,
  };
}

/** base: floor and interference; channel of full column rank. */
function solve(
  target: JammingTarget,
  signal: ComplexMatrix,
  base: ComplexMatrix,
  channel: ComplexMatrix,
): Outcome {
  const { kind, power, tolerance, maxIterations } = target;
  if (power === 0) return idle(target, signal, base, channel);
  const factor = signalFactor(signal);
  const found = solveJamming({ kind, base, channel, factor, power }, tolerance, maxIterations);
  if (found === undefined) return unsolved(target, signal, base, channel);
  return {
    jamming: found.jamming,
    value: kind === "rate" ? found.objective : signal.rows - factor.cols - found.objective,
    multiplier: found.multiplier,
    dualityGap: found.gap,
    method: "interior-point",
    iterations: found.iterations,
    converged: found.reason === "gap",
    reason: found.reason,
  };
}

/** Beyond doubles: white jamming, with the trivial bounds 0 <= rate and error <= n. */
function unsolved(
  target: JammingTarget,
  signal: ComplexMatrix,
  base: ComplexMatrix,
  channel: ComplexMatrix,
): Outcome {
  const { kind, power } = target;
  const jamming = whiteJamming(channel.cols, power);
  const value = valueAt(kind, signal, hermitianPart(add(base, congruence(channel, jamming))));
  return {
    jamming,
    value,
    multiplier: 0,
    dualityGap: kind === "rate" ? value : signal.rows - value,
    method: "interior-point",
    iterations: 0,
    converged: false,
    reason: "stalled",
  };
}

/** A jammer without power has one choice. */
function idle(
  target: JammingTarget,
  signal: ComplexMatrix,
  base: ComplexMatrix,
  channel: ComplexMatrix,
): Outcome {
  const { kind } = target;
  const silent = zeros(channel.cols, channel.cols);
  const problem = { kind, base, channel, factor: signalFactor(signal), power: 0 };
  const { multiplier } = certify(problem, silent, 0);
  const value = valueAt(kind, signal, base);
  return { jamming: silent, value, multiplier, dualityGap: 0, iterations: 0, ...closed };
}

/** Rate of the signal in the noise, or tr noise (noise + signal)^-1. */
function valueAt(kind: JammingProblem["kind"], signal: ComplexMatrix, noise: ComplexMatrix): number {
  if (kind === "rate") return rateAgainst(signal, noise);
  if (!isPositive(noise)) return 0;
  let value = 0;
  for (const ratio of eigHermitianGeneralized(signal, noise).values) value += 1 / (1 + Math.max(0, ratio));
  return value;
}

/** F with F F^H = signal, a column for each eigenvalue that is not rounding. */
function signalFactor(signal: ComplexMatrix): ComplexMatrix {
  const { values, vectors } = support(signal);
  return scaledColumns(vectors, values.map(Math.sqrt));
}

function support(signal: ComplexMatrix): { values: Float64Array; vectors: ComplexMatrix } {
  const { values, vectors } = eigHermitian(signal);
  const smallest = smallestSignal(values);
  const first = values.findIndex((value) => value > smallest);
  return { values: values.slice(first), vectors: columnsFrom(vectors, first) };
}

/** Eigenvalues up to this are rounding. */
function smallestSignal(values: Float64Array): number {
  return values.length * unitRoundoff * Math.max(0, values[values.length - 1]!);
}

/** a m a^H */
function congruence(a: ComplexMatrix, m: ComplexMatrix): ComplexMatrix {
  return hermitianPart(multiplyConjugateRight(multiply(a, m), a));
}

function isZero(m: ComplexMatrix): boolean {
  return m.data.every((entry) => entry === 0);
}
