import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkSeed,
  describe,
  InputError,
  randomStream,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { besselJ0 } from "./bessel.ts";
import {
  channelFrom,
  type EstimatedChannel,
  type RayleighOptions,
  type RicianOptions,
  rayleighChannel,
  ricianChannel,
  simulatedGains,
  type TrueChannel,
} from "./channel.ts";
import { tapPowers } from "./delay-profiles.ts";
import { type EstimationOptions, estimateChannel, estimatedChannelFrom } from "./estimation.ts";

/** How the channel of one round is related to that of another. */
export type Coherence =
  /** Correlation rho^lag: rho from -1 to 1, or J0(2 pi f) for f = f_D T_round >= 0. */
  | { readonly model: "ar1"; readonly correlation: number }
  | { readonly model: "ar1"; readonly normalisedDoppler: number }
  /** Correlation J0(2 pi f lag), f = f_D T_round >= 0, exact between any two of so many rounds. */
  | { readonly model: "jakes"; readonly normalisedDoppler: number; readonly rounds: number };

/** A Rayleigh channel, or a Rician one where there is a `kFactorDb`, and its change from round to round. */
export type FadingOptions = (RayleighOptions | RicianOptions) & { readonly coherence: Coherence };

/** A channel that stays as it is within a round and changes between rounds. */
export interface FadingChannel {
  /**
   * The channel of a round, a whole number >= 0: the same bits in any order of calls. Round 0 is the channel that
   * `rayleighChannel` or `ricianChannel` draws with these options. After `ar1` it costs a draw for every round from
   * the nearest earlier one of the last eight, or from round 0: O(round) for a jump, one draw in ascending order.
   *
   * @throws InputError on a round below 0, above 2^24 after `ar1`, or not below `rounds` after `jakes`.
   */
  at(round: number): TrueChannel;
  /** Correlation of an entry with itself so many rounds later, line of sight apart. */
  correlation(lag: number): number;
  /** Variance of an entry, line of sight apart: one per device, linear. */
  readonly scatteredVariance: readonly number[];
  /** What does not change, [K, M, Nr, Nt]: zero after Rayleigh. */
  readonly lineOfSight: ComplexStack;
}

/** States of an AR(1) process that are kept, so that going back a few rounds costs nothing. */
const KEPT = 8;
/** Last round of an AR(1) process, which takes as many draws to reach. */
const LAST_ROUND = 2 ** 24;
/** Scatterers of a Jakes process, at most: each is a channel to draw, and to add up in every round. */
const MOST_SCATTERERS = 2 ** 16;
/** Entries of all of them together. */
const MOST_ENTRIES = 2 ** 26;
/** Error of the Jakes autocorrelation that is left. */
const QUADRATURE_ERROR = 1e-14;

/**
 * Block fading over rounds. Every tap and antenna pair changes by itself and stays CN(0, p_l) in every round, so delay
 * profile, antenna correlation, path loss and line of sight are those of the options at all times.
 *
 * `ar1`: h_t = rho h_(t-1) + sqrt(1 - rho^2) w_t. `jakes`: h_t = n^(-1/2) sum_j g_j exp(2 pi i f t cos(pi (j + 1/2)/n)) with
 * independent Gaussian g_j: Clarke's ring of scatterers, as a Gaussian process for every n. n is chosen so that the
 * autocorrelation is J0(2 pi f lag) to 1e-14 over all `rounds` (docs/block-fading.md).
 *
 * @throws InputError naming the option that is missing, unknown or out of range.
 */
export function fadingChannel(options: FadingOptions): FadingChannel {
  if (options === null || typeof options !== "object") {
    throw new InputError("channel", describe(options), "an object");
  }
  const { coherence, ...model } = options;
  const first = "kFactorDb" in model ? ricianChannel(model) : rayleighChannel(model);
  const { scattered, lineOfSight } = split(model, first);
  const seed = checkSeed(model.seed);
  // the law of the scattered part, in draws that have nothing to do with each other
  const draw = (index: number): Float64Array =>
    rayleighChannel({
      ...scattered,
      seed: Math.floor(randomStream(seed, "fading", index).uniform() * 2 ** 53),
    }).matrices.data;
  const correlation = correlationOf(coherence);
  const start = difference(first.matrices, lineOfSight);
  const process =
    coherence.model === "ar1"
      ? autoregressive(start, correlation(1), draw)
      : clarke(start, coherence.normalisedDoppler, coherence.rounds, draw);
  return {
    at(round) {
      const last = coherence.model === "jakes" ? coherence.rounds - 1 : LAST_ROUND;
      checkInteger(round, "round", 0, last);
      // the channel itself: what is split and added again is rounded
      if (round === 0) return channelFrom(first.matrices);
      const matrices = new ComplexStack(lineOfSight.shape, lineOfSight.data.slice());
      kernel.axpy(matrices.data, 0, process(round), 0, matrices.data.length / 2, 1);
      return channelFrom(matrices);
    },
    correlation,
    scatteredVariance: Object.freeze(Array.from(scattered.gains)),
    lineOfSight,
  };
}

/** Pilots in the round in which the channel is measured: as in `estimateChannel`; the prior is that of the channel. */
export type PilotOptions = Omit<EstimationOptions, "priorVariance">;

/**
 * What a design for round `used` can know if the channel was measured in round `measured`: with rho the correlation
 * between the two, the scattered part H of the one gives that of the other as
 *
 *   rho Hhat + E,   E ~ CN(0, (1 - rho^2) beta_k + rho^2 se2_k),   Hhat = H, se2 = 0 without pilot noise,
 *
 * beta_k its variance and se2_k that of the estimation error; the line of sight is known. This is the exact conditional
 * law of an entry. A design needs no more where antennas are independent: its MSE is a sum over subcarriers, so how
 * the errors of different subcarriers are related does not matter (docs/block-fading.md).
 *
 * @throws InputError on rounds that the channel does not have, or as `estimateChannel` does.
 */
export function outdatedChannel(
  fading: FadingChannel,
  measured: number,
  used: number,
  pilots?: PilotOptions,
): EstimatedChannel {
  if (fading === null || typeof fading !== "object" || typeof fading.at !== "function") {
    throw new InputError("fading", describe(fading), "what fadingChannel gives");
  }
  const { lineOfSight, scatteredVariance } = fading;
  const channel = fading.at(checkInteger(measured, "measured", 0));
  checkInteger(used, "used", measured);
  const rho = fading.correlation(used - measured);
  const scattered = new ComplexStack(lineOfSight.shape, difference(channel.matrices, lineOfSight));
  const known =
    pilots === undefined
      ? estimatedChannelFrom(scattered, 0)
      : estimateChannel(channelFrom(scattered), { ...pilots, priorVariance: scatteredVariance });
  const matrices = new ComplexStack(lineOfSight.shape, lineOfSight.data.slice());
  kernel.axpy(matrices.data, 0, known.matrices.data, 0, matrices.data.length / 2, rho);
  const aged = Math.max(0, 1 - rho * rho);
  const variance = scatteredVariance.map((beta, k) => aged * beta + rho * rho * known.errorVariance[k]!);
  return estimatedChannelFrom(matrices, variance);
}

type Scattered = RayleighOptions & { readonly gains: readonly number[] };

/** The options whose Rayleigh channel is the scattered part, and the line of sight that is left of the first round. */
function split(
  options: RayleighOptions | RicianOptions,
  first: TrueChannel,
): { readonly scattered: Scattered; readonly lineOfSight: ComplexStack } {
  const gains = Array.from(simulatedGains(options));
  const lineOfSight = new ComplexStack(first.matrices.shape);
  if (!("kFactorDb" in options)) {
    const { pathLoss: _, ...rest } = options;
    return { scattered: { ...rest, gains }, lineOfSight };
  }
  const { kFactorDb, arrivalAngles: _a, departureAngles: _d, pathLoss: _, ...rest } = options;
  const powers = Array.from(
    tapPowers(options.delayProfile ?? "exponential", options.taps ?? 1, options.delaySpread ?? 1),
  );
  powers[0]! /= 10 ** (kFactorDb / 10) + 1;
  const share = powers.reduce((sum, p) => sum + p, 0);
  const scattered = { ...rest, delayProfile: powers, gains: gains.map((gain) => gain * share) };
  // the same draws without the line of sight
  lineOfSight.data.set(difference(first.matrices, rayleighChannel(scattered).matrices));
  return { scattered, lineOfSight };
}

function difference(a: ComplexStack, b: ComplexStack): Float64Array {
  return a.data.map((x, i) => x - b.data[i]!);
}

function correlationOf(coherence: Coherence): (lag: number) => number {
  const field = "coherence";
  if (coherence === null || typeof coherence !== "object") {
    throw new InputError(field, describe(coherence), 'an object with a model, "ar1" or "jakes"');
  }
  const size = (lag: number): number => Math.abs(checkInteger(lag, "lag", Number.MIN_SAFE_INTEGER));
  switch (coherence.model) {
    case "ar1": {
      const byDoppler = "normalisedDoppler" in coherence;
      checkOptions(coherence, field, ["model", "correlation", "normalisedDoppler"]);
      if (byDoppler && "correlation" in coherence) {
        throw new InputError(field, "both correlation and normalisedDoppler", "one of the two");
      }
      const rho = byDoppler
        ? besselJ0(
            2 * Math.PI * checkNumber(coherence.normalisedDoppler, `${field}.normalisedDoppler`, 0, 1e4),
          )
        : checkNumber(coherence.correlation, `${field}.correlation`, -1, 1);
      return (lag) => rho ** size(lag);
    }
    case "jakes": {
      checkOptions(coherence, field, ["model", "normalisedDoppler", "rounds"]);
      const doppler = checkNumber(coherence.normalisedDoppler, `${field}.normalisedDoppler`, 0, 1e4);
      checkInteger(coherence.rounds, `${field}.rounds`, 1);
      return (lag) => besselJ0(2 * Math.PI * doppler * size(lag));
    }
    default:
      throw new InputError(`${field}.model`, describe((coherence as Coherence).model), '"ar1" or "jakes"');
  }
}

/** The scattered part of round t; what is returned belongs to the process. */
type Process = (round: number) => Float64Array;

function autoregressive(start: Float64Array, rho: number, draw: (index: number) => Float64Array): Process {
  const innovation = Math.sqrt(Math.max(0, 1 - rho * rho));
  const kept = new Map<number, Float64Array>();
  return (round) => {
    let t = 0;
    for (const known of kept.keys()) if (known <= round && known > t) t = known;
    let state = t === 0 ? start : kept.get(t)!;
    while (t < round) {
      t++;
      const next = state.slice();
      if (innovation > 0) {
        const drawn = draw(t);
        for (let i = 0; i < next.length; i++) next[i] = rho * next[i]! + innovation * drawn[i]!;
      } else if (rho < 0) for (let i = 0; i < next.length; i++) next[i] = -next[i]!;
      state = next;
      kept.set(t, state);
      if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
    }
    return state;
  };
}

/**
 * n scatterers at the Gauss-Chebyshev nodes of the Doppler spectrum, given that they add up to `start` in round 0:
 * h_t = c_t start + n^(-1/2) sum_j e^(i phi_j t) (g_j - gbar), c_t = (1/n) sum_j e^(i phi_j t). The sum of the g_j is
 * independent of what they differ in, so that it may be replaced.
 */
function clarke(
  start: Float64Array,
  doppler: number,
  rounds: number,
  draw: (index: number) => Float64Array,
): Process {
  const largest = 2 * Math.PI * doppler * (rounds - 1);
  const room = Math.min(MOST_SCATTERERS, Math.floor((2 * MOST_ENTRIES) / start.length));
  // n > z/2: more than there is room for need not be counted
  const n = largest / 2 > room ? Number.POSITIVE_INFINITY : scatterers(largest);
  if (n > room) {
    throw new InputError(
      "coherence.rounds",
      `${rounds} rounds of normalised Doppler frequency ${doppler}`,
      `fewer rounds, a lower Doppler frequency or model "ar1": at most ${room} scatterers, 4.3 rounds x Doppler frequency`,
    );
  }
  const parts = Array.from({ length: n }, (_, j) => draw(j + 1));
  const mean = new Float64Array(start.length);
  for (const part of parts) kernel.axpy(mean, 0, part, 0, mean.length / 2, 1 / n);
  const size = 1 / Math.sqrt(n);
  for (const part of parts) for (let i = 0; i < mean.length; i++) part[i] = size * (part[i]! - mean[i]!);
  const out = new Float64Array(start.length);
  return (round) => {
    out.fill(0);
    let real = 0;
    parts.forEach((part, j) => {
      const phase = 2 * Math.PI * doppler * round * Math.cos((Math.PI * (j + 0.5)) / n);
      real += Math.cos(phase) / n;
      kernel.axpyComplex(out, 0, part, 0, out.length / 2, Math.cos(phase), Math.sin(phase));
    });
    // the sines cancel in pairs of opposite Doppler shifts
    kernel.axpy(out, 0, start, 0, out.length / 2, real);
    return out;
  };
}

/** Smallest n with 2 |J_2n(z)| <= 2 (z/2)^(2n)/(2n)! below the error that is left (DLMF 10.14.4). */
function scatterers(z: number): number {
  // in logarithms: the powers of large z overflow
  let n = 1;
  let logarithm = 2 * Math.log(z / 2);
  while (logarithm > Math.log(QUADRATURE_ERROR)) {
    n++;
    logarithm += Math.log((z / 2) ** 2 / (2 * n * (2 * n - 1)));
  }
  return n;
}
