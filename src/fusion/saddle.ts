/** Users against jammer: the saddle point of the sum rate, where neither side can improve. */
import { checkInteger, checkNumber, checkOptions, describe, InputError } from "../core/index.ts";
import {
  add,
  type ComplexMatrix,
  conjugateTranspose,
  hermitianPart,
  identity,
  multiply,
  orthonormalBasis,
  scale,
} from "../linalg/index.ts";
import { checkChannels, checkEntries, checkPower, innerProduct, isPositive, sumOf } from "./covariance.ts";
import {
  checkPowers,
  differences,
  received,
  userGradient,
  usersGap,
  waterFillingSweep,
} from "./water-filling.ts";
import { attack, noiseOf, reachOf, whiteJamming } from "./worst-case-attack.ts";

export interface SaddlePointOptions {
  /** H_q, n x m_q, one per user. */
  readonly channels: readonly ComplexMatrix[];
  /** tr Q_q <= power; one number for all users, or one each. */
  readonly powers: number | ArrayLike<number>;
  /** tr J <= jammerPower. */
  readonly jammerPower: number;
  /** Thermal noise per antenna. Default 0. */
  readonly floor?: number;
  /** G_J, n x m. Without it the jammer reaches every direction alike. */
  readonly jammerChannel?: ComplexMatrix;
  /** `gap` that is aimed at, relative to the value. Default 1e-6. */
  readonly tolerance?: number;
  /** Default 200. */
  readonly maxIterations?: number;
}

export interface SaddlePoint {
  /** Q_q, m_q x m_q. */
  readonly transmitCovariances: readonly ComplexMatrix[];
  /** H_q Q_q H_q^H, n x n. */
  readonly signalCovariances: readonly ComplexMatrix[];
  /** Z, n x n. */
  readonly covariance: ComplexMatrix;
  /** J, what the jammer sends. */
  readonly jamming: ComplexMatrix;
  /** Sum rate of this pair in nats per use. */
  readonly value: number;
  /** These users are sure of this against every jammer: value - (what the jammer may still gain). */
  readonly lowerBound: number;
  /** This jammer keeps every choice of the users to this: value + (what the users may still gain). */
  readonly upperBound: number;
  /** upperBound - lowerBound; the value of the game lies between. */
  readonly gap: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly reason: "gap" | "stalled" | "max-iterations";
}

/** Without a floor a step all the way may silence a direction, where the jammer's answer has no gradient. */
const longestStep = 0.95;
const largestHalvings = 30;

interface State {
  readonly transmit: ComplexMatrix[];
  readonly signals: ComplexMatrix[];
  /** Z, the signals and Z + sum of the signals in the span of the users' channels. */
  readonly noise: ComplexMatrix;
  readonly seen: readonly ComplexMatrix[];
  readonly total: ComplexMatrix;
  /** Whether these are positive definite in doubles: without it the users' side has no gradient. */
  readonly regular: boolean;
  readonly covariance: ComplexMatrix;
  readonly jamming: ComplexMatrix;
  readonly value: number;
  readonly jammerGap: number;
}

/**
 * max over the Q_q of Phi(Q) = min over Z of log det(I + Z^-1 sum H_q Q_q H_q^H), which is concave in Q with the
 * gradient at the worst Z (Danskin), as the rate is concave in Q and convex in Z. Each iteration: the worst Z
 * (closed form, or the solver behind a jammer channel with a floor), one sweep of water-filling against it, and a
 * step towards that which the slope of Phi limits, for the jammer answers. The certificate bounds both sides at
 * the pair itself.
 *
 * @throws InputError as `worstCaseNoise` and `iterativeWaterFilling`
 */
export function saddlePoint(options: SaddlePointOptions): SaddlePoint {
  checkOptions(options, "saddlePoint", [
    "channels",
    "powers",
    "jammerPower",
    "floor",
    "jammerChannel",
    "tolerance",
    "maxIterations",
  ]);
  const channels = checkChannels(options.channels, "channels");
  const powers = checkPowers(options.powers, channels.length);
  if (!channels.some((channel, q) => powers[q]! > 0 && channel.data.some((entry) => entry !== 0))) {
    throw new InputError("powers", describe(options.powers), "a user with power and a channel other than 0");
  }
  const floor = checkPower(options.floor ?? 0, "floor", true);
  const power = checkPower(options.jammerPower, "jammerPower", floor > 0);
  const tolerance = checkNumber(options.tolerance ?? 1e-6, "tolerance", 0);
  const maxIterations = checkInteger(options.maxIterations ?? 200, "maxIterations", 0, 1e6);
  const n = channels[0]!.rows;
  const channel = options.jammerChannel;
  if (channel !== undefined) checkEntries(channel, "jammerChannel", n);
  const reach = channel === undefined ? undefined : reachOf(channel, floor);
  const white = noiseOf(floor, channel, whiteJamming(channel?.cols ?? n, power));

  // Without a floor nobody is outside the span of the users' channels.
  const active = channels.filter((_, q) => powers[q]! > 0);
  const frame = floor > 0 ? identity(n) : orthonormalBasis(beside(active));
  const adjoint = conjugateTranspose(frame);
  const seen = channels.map((h) => multiply(adjoint, h));
  const setting = {
    kind: "rate",
    floor,
    power,
    white,
    tolerance: tolerance / 10,
    maxIterations: 100,
  } as const;
  const evaluate = (transmit: ComplexMatrix[]): State => {
    const signals = transmit.map((covariance, q) => received(channels[q]!, covariance));
    const found = attack({
      ...setting,
      signal: sumOf(signals, n),
      ...(channel === undefined ? {} : { channel, reach: reach! }),
    });
    const noise = hermitianPart(multiply(multiply(adjoint, found.covariance), frame));
    const inSpan = transmit.map((covariance, q) => received(seen[q]!, covariance));
    const total = add(noise, sumOf(inSpan, frame.cols));
    const { covariance, jamming, value, dualityGap } = found;
    const regular = isPositive(noise) && isPositive(total);
    const side = { noise, seen: inSpan, total, regular };
    return { transmit, signals, ...side, covariance, jamming, value, jammerGap: dualityGap };
  };

  let state = evaluate(channels.map((h, q) => scale(identity(h.cols), powers[q]! / h.cols)));
  let best = { state, userGap: Number.POSITIVE_INFINITY };
  let reason: SaddlePoint["reason"] = "max-iterations";
  let iterations = 0;
  for (; ; iterations++) {
    const userGap = state.regular
      ? usersGap(seen, powers, state.transmit, state.total)
      : Number.POSITIVE_INFINITY;
    const gap = userGap + state.jammerGap;
    if (gap < best.userGap + best.state.jammerGap) best = { state, userGap };
    // a rate that has no double has no certificate either
    if (gap < Number.POSITIVE_INFINITY && gap <= tolerance * state.value) reason = "gap";
    if (reason === "gap" || iterations >= maxIterations) break;
    const next = state.regular ? step(state, seen, powers, floor > 0 ? 1 : longestStep, evaluate) : undefined;
    if (next === undefined) {
      reason = "stalled";
      break;
    }
    state = next;
  }
  const { transmit, signals, covariance, jamming, value, jammerGap } = best.state;
  return {
    transmitCovariances: transmit,
    signalCovariances: signals,
    covariance,
    jamming,
    value,
    // a noise that is singular in doubles: Infinity - Infinity, of which only 0 is sure
    lowerBound: jammerGap < Number.POSITIVE_INFINITY ? value - jammerGap : 0,
    upperBound: value + best.userGap,
    gap: best.userGap + jammerGap,
    iterations,
    converged: reason === "gap",
    reason,
  };
}

/**
 * Towards the sweep of water-filling, until Phi no longer rises by much. Phi is concave: its slope tells enough.
 */
function step(
  state: State,
  channels: readonly ComplexMatrix[],
  powers: Float64Array,
  longest: number,
  evaluate: (transmit: ComplexMatrix[]) => State,
): State | undefined {
  const { transmit, total } = state;
  const answer = waterFillingSweep(channels, powers, transmit, state.seen, state.noise);
  const direction = differences(answer, transmit);
  const slope = slopeAlong(channels, direction, total);
  if (!(slope > 0)) return undefined;
  let length = longest;
  for (let trial = 0; trial < largestHalvings; trial++) {
    const next = evaluate(transmit.map((covariance, q) => add(covariance, scale(direction[q]!, length))));
    if (!next.regular) {
      length /= 2;
      continue;
    }
    const end = slopeAlong(channels, direction, next.total);
    if (end >= -0.3 * slope) return next;
    length *= Math.min(0.9, Math.max(0.1, slope / (slope - end)));
  }
  return undefined;
}

function slopeAlong(
  channels: readonly ComplexMatrix[],
  direction: readonly ComplexMatrix[],
  total: ComplexMatrix,
): number {
  let sum = 0;
  for (const [q, channel] of channels.entries()) {
    sum += innerProduct(userGradient(channel, total), direction[q]!);
  }
  return sum;
}

/** [a b ...] */
function beside(matrices: readonly ComplexMatrix[]): ComplexMatrix {
  const rows = matrices[0]!.rows;
  const cols = matrices.reduce((sum, m) => sum + m.cols, 0);
  const data = new Float64Array(2 * rows * cols);
  let offset = 0;
  for (const m of matrices) {
    for (let i = 0; i < rows; i++) {
      data.set(m.data.subarray(2 * i * m.cols, 2 * (i + 1) * m.cols), 2 * (i * cols + offset));
    }
    offset += m.cols;
  }
  return { rows, cols, data };
}
