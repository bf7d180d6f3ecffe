/** The transmit covariances of the users that maximise their sum rate against a given noise. */
import { checkInteger, checkNumber, checkNumbers, checkOptions } from "../core/index.ts";
import {
  add,
  type ComplexMatrix,
  choleskySolve,
  eigHermitian,
  hermitianPart,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  scale,
  subtract,
} from "../linalg/index.ts";
import {
  checkChannels,
  checkNoise,
  checkPower,
  fromEigen,
  innerProduct,
  isPositive,
  rateAgainst,
  sumOf,
} from "./covariance.ts";

export interface WaterFillingOptions {
  /** H_q, n x m_q, one per user. */
  readonly channels: readonly ComplexMatrix[];
  /** tr Q_q <= power; one number for all users, or one each. */
  readonly powers: number | ArrayLike<number>;
  /** Z, n x n Hermitian positive definite. */
  readonly noise: ComplexMatrix;
  /** `gap` that is aimed at, relative to the rate. Default 1e-7. */
  readonly tolerance?: number;
  /** Sweeps over the users. Default 1000. */
  readonly maxIterations?: number;
}

export interface WaterFilling {
  /** Q_q, m_q x m_q, tr Q_q = power of the user. */
  readonly transmitCovariances: readonly ComplexMatrix[];
  /** H_q Q_q H_q^H, n x n. */
  readonly signalCovariances: readonly ComplexMatrix[];
  /** Sum rate in nats per use. */
  readonly value: number;
  /** No transmit covariances within the powers have a sum rate above value + gap. */
  readonly gap: number;
  readonly iterations: number;
  readonly converged: boolean;
  /** "stalled": noise and signals are so far apart that their sum is singular in doubles. */
  readonly reason: "gap" | "stalled" | "max-iterations";
}

/**
 * Iterative water-filling: each user in turn fills its own modes against noise and the other users, which never
 * lowers the sum rate and converges to its maximum (Yu, Rhee, Boyd and Cioffi, "Iterative water-filling for
 * Gaussian vector multiple-access channels", IEEE Trans. Inf. Theory 50(1), 2004).
 *
 * @throws InputError on channels of different heights, a singular noise, or powers outside [1e-100, 1e100] other than 0
 */
export function iterativeWaterFilling(options: WaterFillingOptions): WaterFilling {
  checkOptions(options, "iterativeWaterFilling", [
    "channels",
    "powers",
    "noise",
    "tolerance",
    "maxIterations",
  ]);
  const channels = checkChannels(options.channels, "channels");
  const powers = checkPowers(options.powers, channels.length);
  const noise = checkNoise(options.noise, "noise", channels[0]!.rows);
  const tolerance = checkNumber(options.tolerance ?? 1e-7, "tolerance", 0);
  const maxIterations = checkInteger(options.maxIterations ?? 1000, "maxIterations", 0, 1e6);

  let transmit = channels.map((channel, q) => scale(identity(channel.cols), powers[q]! / channel.cols));
  for (let iterations = 0; ; iterations++) {
    const signals = transmit.map((covariance, q) => received(channels[q]!, covariance));
    const total = sumOf(signals, noise.rows);
    const value = rateAgainst(total, noise);
    const all = add(noise, total);
    const regular = isPositive(all);
    const gap = regular ? usersGap(channels, powers, transmit, all) : Number.POSITIVE_INFINITY;
    const converged = gap <= tolerance * value;
    if (converged || !regular || iterations >= maxIterations) {
      const reason = converged ? "gap" : regular ? "max-iterations" : "stalled";
      const users = { transmitCovariances: transmit, signalCovariances: signals };
      return { ...users, value, gap, iterations, converged, reason };
    }
    transmit = waterFillingSweep(channels, powers, transmit, signals, noise);
  }
}

/** One sweep: every user against the noise, the old signals of later users and the new ones of earlier users. */
export function waterFillingSweep(
  channels: readonly ComplexMatrix[],
  powers: Float64Array,
  transmit: readonly ComplexMatrix[],
  signals: readonly ComplexMatrix[],
  noise: ComplexMatrix,
): ComplexMatrix[] {
  const current = [...signals];
  return channels.map((channel, q) => {
    const others = sumOf(
      current.filter((_, p) => p !== q),
      noise.rows,
    );
    const disturbance = hermitianPart(add(noise, others));
    if (!isPositive(disturbance)) return transmit[q]!;
    const filled = fillModes(channel, powers[q]!, disturbance);
    current[q] = received(channel, filled);
    return filled;
  });
}

/**
 * What users may still gain: the sum rate is concave in the Q_q with gradients M_q = H_q^H (Z + Gamma)^-1 H_q, so
 * no choice is better by more than sum_q power_q lambda_max(M_q) - tr M_q Q_q.
 *
 * @param total Z + sum of the signal covariances
 */
export function usersGap(
  channels: readonly ComplexMatrix[],
  powers: Float64Array,
  transmit: readonly ComplexMatrix[],
  total: ComplexMatrix,
): number {
  let gap = 0;
  for (const [q, channel] of channels.entries()) {
    const gradient = userGradient(channel, total);
    const { values } = eigHermitian(gradient);
    const largest = Math.max(0, values[values.length - 1]!);
    gap += Math.max(0, powers[q]! * largest - innerProduct(gradient, transmit[q]!));
  }
  return gap;
}

/** H^H total^-1 H */
export function userGradient(channel: ComplexMatrix, total: ComplexMatrix): ComplexMatrix {
  return hermitianPart(multiplyConjugateLeft(channel, choleskySolve(total, channel)));
}

/** H Q H^H */
export function received(channel: ComplexMatrix, covariance: ComplexMatrix): ComplexMatrix {
  return hermitianPart(multiplyConjugateRight(multiply(channel, covariance), channel));
}

export function checkPowers(powers: number | ArrayLike<number>, users: number): Float64Array {
  if (typeof powers === "number") return new Float64Array(users).fill(checkPower(powers, "powers", true));
  const list = checkNumbers(powers, "powers", users);
  return Float64Array.from({ length: users }, (_, q) => checkPower(list[q], `powers[${q}]`, true));
}

/** max log det(I + Q H^H noise^-1 H), tr Q = power: p_i = (level - 1 / gain_i)_+ in the eigenvectors. */
function fillModes(channel: ComplexMatrix, power: number, noise: ComplexMatrix): ComplexMatrix {
  const { values, vectors } = eigHermitian(userGradient(channel, noise));
  const last = values.length - 1;
  const best = values[last]!;
  if (!(best > 0) || power === 0) return scale(identity(values.length), power / values.length);
  // cost_i = 1 / gain_i - 1 / gain_best: relative to the best mode, so that small powers keep their digits
  const cost = values.map((value) => (value > 0 ? (best - value) / value / best : Number.POSITIVE_INFINITY));
  let sum = 0;
  let level = power;
  for (let i = last, count = 1; i >= 0 && cost[i]! < level; i--, count++) {
    sum += cost[i]!;
    level = (power + sum) / count;
  }
  return fromEigen(
    vectors,
    cost.map((value) => Math.max(0, level - value)),
  );
}

/** a - b, one per user. */
export function differences(a: readonly ComplexMatrix[], b: readonly ComplexMatrix[]): ComplexMatrix[] {
  return a.map((m, q) => subtract(m, b[q]!));
}
