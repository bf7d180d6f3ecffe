/** Successive interference cancellation: the rates of the users in any decoding order, and their MMSE errors. */
import { checkOptions, describe, InputError } from "../core/index.ts";
import {
  add,
  type ComplexMatrix,
  choleskySolve,
  eigHermitian,
  hermitianPart,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
} from "../linalg/index.ts";
import {
  checkChannels,
  checkCovariances,
  checkEntries,
  checkNoise,
  fromEigen,
  rateAgainst,
  sumOf,
} from "./covariance.ts";

export interface SicRatesOptions {
  /** One per user, n x n Hermitian positive semidefinite. */
  readonly signalCovariances: readonly ComplexMatrix[];
  /** Z, n x n Hermitian positive definite. */
  readonly noise: ComplexMatrix;
  /** The users in the order of decoding; the last one sees no interference. Default 0, 1, 2, ... */
  readonly order?: readonly number[];
}

export interface SicRates {
  /** Nats per use, by user (not by position in the order). */
  readonly rates: Float64Array;
  /** log det(I + Z^-1 sum Gamma_q), the sum of the rates in every order. */
  readonly sumRate: number;
  readonly order: readonly number[];
}

export interface MmseSicOptions {
  /** H_q G_q, n x s_q: what a unit-power symbol vector of each user arrives as. */
  readonly channels: readonly ComplexMatrix[];
  readonly noise: ComplexMatrix;
  readonly order?: readonly number[];
}

export interface MmseSicErrors {
  /** E_q = (I + H~^H N^-1 H~)^-1, s_q x s_q, by user; N is Z plus the users that are decoded later. */
  readonly errors: readonly ComplexMatrix[];
  /** -log det E_q in nats. */
  readonly rates: Float64Array;
  /** tr E_q / s_q: mean squared error per unit-power symbol. */
  readonly meanSquaredErrors: Float64Array;
  readonly order: readonly number[];
}

/** Gamma = H G G^H H^H of a channel (n x m) and a precoder (m x s), identity by default. @throws InputError */
export function signalCovariance(channel: ComplexMatrix, precoder?: ComplexMatrix): ComplexMatrix {
  checkEntries(channel, "channel");
  if (precoder !== undefined) checkEntries(precoder, "precoder", channel.cols);
  const seen = precoder === undefined ? channel : multiply(channel, precoder);
  return hermitianPart(multiplyConjugateRight(seen, seen));
}

/**
 * R_q = log det(I + (Z + sum of the users decoded after q)^-1 Gamma_q) in nats.
 *
 * @throws InputError on covariances that are not positive semidefinite of one size, a singular noise, or an order that is
 * not a permutation of the users
 */
export function sicRates(options: SicRatesOptions): SicRates {
  checkOptions(options, "sicRates", ["signalCovariances", "noise", "order"]);
  const signals = checkCovariances(options.signalCovariances, "signalCovariances");
  const noise = checkNoise(options.noise, "noise", signals[0]!.rows);
  const order = checkOrder(options.order, signals.length);
  const rates = new Float64Array(signals.length);
  let behind = noise;
  for (const q of [...order].reverse()) {
    rates[q] = rateAgainst(signals[q]!, behind);
    behind = add(behind, signals[q]!);
  }
  return { rates, sumRate: rateAgainst(sumOf(signals, noise.rows), noise), order };
}

/**
 * The error covariances of MMSE receivers with successive cancellation. R_q = -log det E_q, and so tr(E_q) / s_q
 * >= exp(-R_q / s_q) (arithmetic and geometric mean of the eigenvalues).
 *
 * @throws InputError as {@link sicRates}
 */
export function mmseSicErrors(options: MmseSicOptions): MmseSicErrors {
  checkOptions(options, "mmseSicErrors", ["channels", "noise", "order"]);
  const channels = checkChannels(options.channels, "channels");
  const noise = checkNoise(options.noise, "noise", channels[0]!.rows);
  const order = checkOrder(options.order, channels.length);
  const errors = new Array<ComplexMatrix>(channels.length);
  const rates = new Float64Array(channels.length);
  const meanSquaredErrors = new Float64Array(channels.length);
  let behind = noise;
  for (const q of [...order].reverse()) {
    const channel = channels[q]!;
    const gain = hermitianPart(multiplyConjugateLeft(channel, choleskySolve(behind, channel)));
    const { values, vectors } = eigHermitian(gain);
    const remaining = values.map((value) => 1 / (1 + Math.max(0, value)));
    errors[q] = fromEigen(vectors, remaining);
    rates[q] = values.reduce((sum, value) => sum + Math.log1p(Math.max(0, value)), 0);
    meanSquaredErrors[q] = remaining.reduce((sum, value) => sum + value, 0) / channel.cols;
    behind = add(behind, signalCovariance(channel));
  }
  return { errors, rates, meanSquaredErrors, order };
}

function checkOrder(order: readonly number[] | undefined, users: number): readonly number[] {
  if (order === undefined) return Array.from({ length: users }, (_, q) => q);
  const expected = `the ${users} users 0 to ${users - 1}, each once`;
  if (!Array.isArray(order) || order.length !== users) {
    throw new InputError("order", describe(order), expected);
  }
  const seen = new Set<unknown>(order);
  for (let q = 0; q < users; q++) {
    if (!seen.has(q)) throw new InputError("order", `no user ${q}`, expected);
  }
  return [...order];
}
