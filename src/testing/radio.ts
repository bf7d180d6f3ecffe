import fc from "fast-check";
import { channelFrom, type DeviceCorrelation, rayleighChannel, type TrueChannel } from "../aircomp/index.ts";
import { randomStream } from "../core/index.ts";
import { type ComplexMatrix, ComplexStack, multiply, randomMatrix } from "../linalg/index.ts";
import { dimension, type Size } from "./sizes.ts";

/**
 * What a channel is made of. `integers`: independent complex entries with whole parts, the most readable;
 * `rayleigh`: several taps; `rank-one`: every matrix an outer product; `rank-deficient`: one short of full rank
 * (zero if an array has one antenna); `dead-device`: the last device is not heard; `zero`: nobody is.
 */
export type ChannelKind = (typeof channelKinds)[number];

export const channelKinds = [
  "integers",
  "rayleigh",
  "rank-one",
  "rank-deficient",
  "dead-device",
  "zero",
] as const;

export interface ChannelShape {
  /** K, default 1 to 6. */
  readonly devices?: Size;
  /** M, default 1 to 4. */
  readonly subcarriers?: Size;
  /** N_r, default 1 to 6. */
  readonly receiveAntennas?: Size;
  /** N_t, default 1 to 4. */
  readonly transmitAntennas?: Size;
  /** Default: all of {@link channelKinds}. */
  readonly kinds?: readonly ChannelKind[];
}

/** Channels of every kind. Shrinks to one device, one subcarrier, one antenna and small whole numbers. */
export function channel(shape: ChannelShape = {}): fc.Arbitrary<TrueChannel> {
  return fc
    .record({
      devices: dimension(shape.devices, { min: 1, max: 6 }),
      subcarriers: dimension(shape.subcarriers, { min: 1, max: 4 }),
      receiveAntennas: dimension(shape.receiveAntennas, { min: 1, max: 6 }),
      transmitAntennas: dimension(shape.transmitAntennas, { min: 1, max: 4 }),
      taps: fc.integer({ min: 1, max: 6 }),
      kind: fc.constantFrom(...(shape.kinds ?? channelKinds)),
      seed: fc.nat({ max: 9999 }),
    })
    .map(({ kind, taps, seed, ...sizes }) => {
      if (kind === "rayleigh") return rayleighChannel({ ...sizes, taps, delaySpread: 2, seed });
      const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = sizes;
      const stack = new ComplexStack([devices, subcarriers, nr, nt]);
      for (let k = 0; k < devices; k++) {
        for (let m = 0; m < subcarriers; m++) {
          stack.at(k, m).data.set(oneMatrix(kind, nr, nt, seed, k, m, devices).data);
        }
      }
      return channelFrom(stack);
    });
}

function oneMatrix(
  kind: Exclude<ChannelKind, "rayleigh">,
  nr: number,
  nt: number,
  seed: number,
  k: number,
  m: number,
  devices: number,
): ComplexMatrix {
  const stream = randomStream(seed, kind, k, m);
  const full = Math.min(nr, nt);
  const rank = { integers: full, "rank-one": 1, "rank-deficient": full - 1, "dead-device": full, zero: 0 }[
    kind
  ];
  if (rank === 0 || (kind === "dead-device" && k === devices - 1)) {
    return { rows: nr, cols: nt, data: new Float64Array(2 * nr * nt) };
  }
  // whole parts keep the product of the factors, and so its rank, exact
  const whole = (rows: number, cols: number): ComplexMatrix => {
    const drawn = randomMatrix(rows, cols, stream);
    return { rows, cols, data: drawn.data.map((x) => Math.round(2 * x)) };
  };
  return rank === full ? whole(nr, nt) : multiply(whole(nr, rank), whole(rank, nt));
}

/** The arguments of `designBeamformers` that state a problem. */
export interface BeamformingProblem {
  readonly channel: TrueChannel;
  readonly streams: number;
  /** One budget per device, linear. */
  readonly power: readonly number[];
  readonly noiseVariance: number;
  /** One per device, not scaled to sum 1. */
  readonly weights: readonly number[];
}

export interface ProblemShape extends ChannelShape {
  /** S; limited to the antennas there are. Default 1 to 4. */
  readonly streams?: Size;
  /** P_k / (M sigma2) of the strongest device, whole dB. Default -20 to 40. */
  readonly snrDb?: Size;
  /** Silent devices (power 0) and weights of 0 occur. Default true. */
  readonly zeros?: boolean;
}

/**
 * Beamforming problems with unequal powers (up to 20 dB apart) and weights, ready for `designBeamformers`.
 * Shrinks to one device and stream, noise variance 1 and weight 1.
 */
export function beamformingProblem(shape: ProblemShape = {}): fc.Arbitrary<BeamformingProblem> {
  return channel(shape).chain((drawn) => {
    const { devices, subcarriers, receiveAntennas, transmitAntennas } = drawn;
    const perDevice = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
      fc.array(one, { minLength: devices, maxLength: devices });
    const zeros = shape.zeros ?? true;
    const backoff = fc.integer({ min: 0, max: zeros ? 22 : 20 });
    return fc
      .record({
        streams: dimension(shape.streams, { min: 1, max: 4 }),
        snrDb: dimension(shape.snrDb, { min: -20, max: 40 }),
        noiseVariance: fc.constantFrom(1, 1, 0.25, 64),
        backoffs: perDevice(backoff),
        weights: perDevice(fc.integer({ min: zeros ? 0 : 1, max: 4 })),
      })
      .map(({ streams, snrDb, noiseVariance, backoffs, weights }) => ({
        channel: drawn,
        streams: Math.min(streams, receiveAntennas, transmitAntennas),
        noiseVariance,
        power: backoffs.map((decibels) =>
          decibels > 20 ? 0 : subcarriers * noiseVariance * 10 ** ((snrDb - decibels) / 10),
        ),
        weights: weights.some((w) => w > 0) ? weights : weights.map(() => 1),
      }));
  });
}

/**
 * Second moments of the symbols of `devices` devices, for the option `correlation`: a number c, or F F^T with whole F,
 * scaled to a largest power of 1: full and low rank, unequal powers, devices without any. Shrinks to 0, independence.
 */
export function deviceCorrelation(devices: number): fc.Arbitrary<DeviceCorrelation> {
  const factor = fc.integer({ min: 1, max: devices + 1 }).chain((rank) =>
    fc.array(
      fc.oneof(
        { weight: 1, arbitrary: fc.constant(new Array<number>(rank).fill(0)) },
        {
          weight: 6,
          arbitrary: fc.array(fc.integer({ min: -3, max: 3 }), { minLength: rank, maxLength: rank }),
        },
      ),
      { minLength: devices, maxLength: devices },
    ),
  );
  const moments = factor.map((rows) => {
    const products = rows.map((a) => rows.map((b) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)));
    const largest = products.reduce((most, row, k) => Math.max(most, row[k]!), 0);
    return products.map((row) => row.map((x) => (largest > 0 ? x / largest : 0)));
  });
  return fc.oneof<fc.Arbitrary<DeviceCorrelation>[]>(fc.constantFrom(0, 0.5, 0.999999, 1), moments);
}

export interface GradientShape {
  /** K, default 1 to 6. */
  readonly devices?: Size;
  /** Q, default 1 to 40. */
  readonly entries?: Size;
}

/**
 * One gradient per device, all of the same length, entries multiples of 1/8: independent, the same on every
 * device, or with a mean far from zero. Shrinks to one entry, 0.
 */
export function gradients(shape: GradientShape = {}): fc.Arbitrary<Float64Array[]> {
  return fc
    .tuple(
      dimension(shape.devices, { min: 1, max: 6 }),
      dimension(shape.entries, { min: 1, max: 40 }),
      fc.constantFrom("independent", "identical", "shifted"),
    )
    .chain(([devices, entries, kind]) => {
      const count = kind === "identical" ? 1 : devices;
      return fc
        .array(fc.array(eighths, { minLength: entries, maxLength: entries }), {
          minLength: count,
          maxLength: count,
        })
        .map((lists) =>
          Array.from({ length: devices }, (_, k) =>
            Float64Array.from(lists[k % count]!, (x) => (kind === "shifted" ? 10 + x : x)),
          ),
        );
    });
}

const eighths: fc.Arbitrary<number> = fc.integer({ min: -32, max: 32 }).map((x) => x / 8);
