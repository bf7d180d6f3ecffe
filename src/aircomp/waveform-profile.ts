import * as kernel from "../linalg/kernels/index.ts";
import { converterEffects, type WaveformRound } from "./converter-effects.ts";
import { type Coupling, deviceCoupling } from "./coupling.ts";
import { type ErrorProfile, errorProfile } from "./prediction.ts";
import type { SynchronisationError } from "./synchronisation.ts";

/**
 * The errors of a design through a waveform, for {@link predictDistortion}. Synchronisation errors, a prefix that is too
 * short and a carrier that is off are in it exactly: the misalignment of symbol n is
 *
 *   E_km = A_m^H C_{k m 0 m} B_km exp(i n t_k) - w_k I,   t_k = 2 pi e_k (M + prefix)/M,
 *
 * and every other coupling C_{k m j m'} (see {@link deviceCoupling}) brings symbols that are uncorrelated with it, by
 * the random signs. Its products are averaged over the symbols of the round. Converters enter as linear gains and
 * noise ({@link converterEffects}), an approximation. O(K^2 M S^2) where symbols do
 * not disturb each other; else O(K M^2 S (L N_t + S N_t + K S)) with L taps that outlast the prefix, or all of them after
 * a frequency offset: M^3 for channels of M taps.
 */
export function waveformProfile(round: WaveformRound): ErrorProfile {
  const { channel, design, weights, noiseVariance, waveform, errors, symbols } = round;
  const { ofdm, responses, transmitConverter, receiveConverter } = waveform;
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const { streams } = design;
  const couplings = responses.map((response, k) =>
    deviceCoupling(response, ofdm, errors[k]!, nr, nt, streams),
  );
  const converted = transmitConverter !== undefined || receiveConverter !== undefined;
  const punctual = errors.every(({ delay, phase }) => delay === 0 && phase === 0);
  if (!converted && punctual && couplings.every(({ clean }) => clean)) {
    return errorProfile(channel, design, weights, noiseVariance);
  }
  const { transmit, receive, noise } = converterEffects(round);
  const means = phaseMeans(
    errors.map(({ frequency }) => (2 * Math.PI * frequency * ofdm.length) / subcarriers),
    symbols,
  );
  const pairs = new Float64Array(devices * devices);
  const diagonals = new Float64Array(devices * devices);
  const own = new Float64Array(subcarriers * devices);
  const ownDiagonals = new Float64Array(subcarriers * devices);
  const size = 2 * streams * streams;
  const received = new Float64Array(2 * nr * streams);
  const through = errors.map(() => new Float64Array(size));
  const misaligned = errors.map(() => new Float64Array(size));
  const heard = errors.map(() => false);
  const product = new Float64Array(2);
  const beamSize = 2 * nt * streams;

  for (let m = 0; m < subcarriers; m++) {
    const beam = receive.subarray(2 * m * nr * streams, 2 * (m + 1) * nr * streams);
    for (let k = 0; k < devices; k++) {
      const gain = through[k]!;
      const offset = (k * subcarriers + m) * beamSize;
      if (couplings[k]!.clean) {
        const h = channel.matrices.at(k, m).data;
        kernel.multiply(received, 0, h, 0, transmit, offset, nr, nt, streams);
        kernel.multiplyConjugateLeft(gain, 0, beam, 0, received, 0, streams, nr, streams);
        rotate(gain, errors[k]!, m, subcarriers);
      } else {
        couplings[k]!.listen(beam, m);
        if (!couplings[k]!.through(gain, transmit, offset, 0, m)) gain.fill(0);
      }
      misaligned[k]!.set(gain);
      for (let i = 0; i < streams; i++) misaligned[k]![2 * i * (streams + 1)]! -= weights[k]!;
    }
    for (let k = 0; k < devices; k++) {
      for (let j = 0; j < devices; j++) {
        const at = k * devices + j;
        const inner = meanProduct(product, misaligned, through, k, j, means, size);
        const diagonal = meanDiagonal(misaligned, through, k, j, means, streams);
        pairs[at]! += inner;
        diagonals[at]! += diagonal;
        if (j === k) {
          own[m * devices + k]! += inner;
          ownDiagonals[m * devices + k]! += diagonal;
        }
      }
    }
    addInterference(m);
  }
  const perUse = streams * subcarriers;
  let independent = noise;
  for (let k = 0; k < devices; k++) independent += pairs[k * devices + k]!;
  return { design: independent / perUse, noise, perUse, pairs, diagonals, own, ownDiagonals };

  /** Everything that is not the symbol itself; `through` is overwritten. */
  function addInterference(m: number): void {
    for (const j of [-2, -1, 0, 1]) {
      if (!couplings.some((coupling) => disturbs(coupling, j))) continue;
      for (let sender = 0; sender < subcarriers; sender++) {
        if (j === 0 && sender === m) continue;
        for (let k = 0; k < devices; k++) {
          const offset = (k * subcarriers + sender) * beamSize;
          heard[k] =
            disturbs(couplings[k]!, j) && couplings[k]!.through(through[k]!, transmit, offset, j, sender);
        }
        for (let k = 0; k < devices; k++) {
          if (!heard[k]) continue;
          for (let other = 0; other < devices; other++) {
            if (!heard[other]) continue;
            innerProduct(product, through[other]!, through[k]!, size);
            const f = means.difference(k, other, j);
            const energy = f[0]! * product[0]! - f[1]! * product[1]!;
            pairs[k * devices + other]! += energy;
            if (other === k) own[m * devices + k]! += energy;
          }
        }
      }
    }
  }
}

function disturbs({ clean, neighbours }: Coupling, j: number): boolean {
  return !clean && neighbours.includes(j);
}

/** Delay and phase of a device that stays within the prefix: a phase ramp over the subcarriers. */
function rotate(
  gain: Float64Array,
  { delay, phase }: SynchronisationError,
  m: number,
  subcarriers: number,
): void {
  if (delay === 0 && phase === 0) return;
  const angle = phase - (2 * Math.PI * ((m * delay) % subcarriers)) / subcarriers;
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  for (let i = 0; i < gain.length; i += 2) {
    const re = gain[i]!;
    const im = gain[i + 1]!;
    gain[i] = c * re - s * im;
    gain[i + 1] = c * im + s * re;
  }
}

/** Means over the symbols n of a round of exp(i n t), for the angles t_k by which the carriers turn per symbol. */
interface PhaseMeans {
  /** Mean of exp(i n (t_k - t_j)) where symbol n + neighbour exists, else 0. */
  difference(k: number, j: number, neighbour: number): Float64Array;
  /** Means of z_k, conj(z_j) z_k and z_j z_k, z = exp(i n t) - 1: all exactly 0 without frequency offsets. */
  readonly drift: readonly Float64Array[];
  readonly against: readonly Float64Array[];
  readonly along: readonly Float64Array[];
}

function phaseMeans(angles: readonly number[], symbols: number): PhaseMeans {
  const devices = angles.length;
  const mean = (angle: number, neighbour: number): Float64Array => {
    const from = Math.max(0, -neighbour);
    const count = Math.max(0, symbols - Math.abs(neighbour));
    const single = Math.sin(angle / 2);
    const size = Math.abs(single) < 1e-15 ? count : Math.sin((count * angle) / 2) / single;
    const centre = angle * (from + (count - 1) / 2);
    return Float64Array.of((size * Math.cos(centre)) / symbols, (size * Math.sin(centre)) / symbols);
  };
  const table = (of: (k: number, j: number) => Float64Array): Float64Array[] =>
    Array.from({ length: devices ** 2 }, (_, at) => of(Math.floor(at / devices), at % devices));
  const differences = [-2, -1, 0, 1].map((neighbour) =>
    table((k, j) => mean(angles[k]! - angles[j]!, neighbour)),
  );
  const alone = angles.map((angle) => mean(angle, 0));
  return {
    difference: (k, j, neighbour) => differences[neighbour + 2]![k * devices + j]!,
    drift: alone.map((f) => Float64Array.of(f[0]! - 1, f[1]!)),
    against: table((k, j) => {
      const f = mean(angles[k]! - angles[j]!, 0);
      const [a, b] = [alone[k]!, alone[j]!];
      return Float64Array.of(f[0]! - a[0]! - b[0]! + 1, f[1]! - a[1]! + b[1]!);
    }),
    along: table((k, j) => {
      const f = mean(angles[k]! + angles[j]!, 0);
      const [a, b] = [alone[k]!, alone[j]!];
      return Float64Array.of(f[0]! - a[0]! - b[0]! + 1, f[1]! - a[1]! - b[1]!);
    }),
  };
}

/** Mean over the symbols of <E_j + z_j D_j, E_k + z_k D_k>, with E for z = 0 and the gain D. */
function meanProduct(
  product: Float64Array,
  errors: readonly Float64Array[],
  gains: readonly Float64Array[],
  k: number,
  j: number,
  { drift, against }: PhaseMeans,
  size: number,
): number {
  const still = kernel.realInner(errors[k]!, 0, errors[j]!, 0, size / 2);
  const [zk, zj, zz] = [drift[k]!, drift[j]!, against[k * errors.length + j]!];
  if (zk[0] === 0 && zk[1] === 0 && zj[0] === 0 && zj[1] === 0) return still;
  innerProduct(product, errors[j]!, gains[k]!, size);
  let sum = still + zk[0]! * product[0]! - zk[1]! * product[1]!;
  innerProduct(product, errors[k]!, gains[j]!, size);
  sum += zj[0]! * product[0]! - zj[1]! * product[1]!;
  innerProduct(product, gains[j]!, gains[k]!, size);
  return sum + zz[0]! * product[0]! - zz[1]! * product[1]!;
}

/** Mean over the symbols of sum_i Re(E_k + z_k D_k)_ii Re(E_j + z_j D_j)_ii: what an entry sends to itself. */
function meanDiagonal(
  errors: readonly Float64Array[],
  gains: readonly Float64Array[],
  k: number,
  j: number,
  { drift, against, along }: PhaseMeans,
  streams: number,
): number {
  const [zk, zj] = [drift[k]!, drift[j]!];
  const zz = against[k * errors.length + j]!;
  const yy = along[k * errors.length + j]!;
  let sum = 0;
  for (let i = 0; i < streams; i++) {
    const at = 2 * i * (streams + 1);
    const [ek, ej] = [errors[k]![at]!, errors[j]![at]!];
    const [a, b, c, d] = [gains[k]![at]!, gains[k]![at + 1]!, gains[j]![at]!, gains[j]![at + 1]!];
    // Re x Re y = (Re xy + Re x conj(y)) / 2
    sum +=
      ek * ej +
      ej * (a * zk[0]! - b * zk[1]!) +
      ek * (c * zj[0]! - d * zj[1]!) +
      ((a * c - b * d) * yy[0]! - (a * d + b * c) * yy[1]!) / 2 +
      ((a * c + b * d) * zz[0]! - (b * c - a * d) * zz[1]!) / 2;
  }
  return sum;
}

/** out = sum conj(a) b. */
function innerProduct(out: Float64Array, a: Float64Array, b: Float64Array, size: number): void {
  let re = 0;
  let im = 0;
  for (let i = 0; i < size; i += 2) {
    re += a[i]! * b[i]! + a[i + 1]! * b[i + 1]!;
    im += a[i]! * b[i + 1]! - a[i + 1]! * b[i]!;
  }
  out[0] = re;
  out[1] = im;
}
