import * as kernel from "../linalg/kernels/index.ts";
import type { ImpulseResponse } from "./multipath.ts";
import type { Ofdm } from "./ofdm.ts";
import type { SynchronisationError } from "./synchronisation.ts";

/**
 * How one device reaches the outputs of the receiver when its symbols do not stay within the window of the receiver
 * or its carrier is off: with N = M + prefix, delay d, frequency offset e and phase p, symbol n + j on
 * subcarrier m' arrives in the window of symbol n on subcarrier m through exp(2 pi i e n N / M) C_{m j m'},
 *
 *   C_{m j m'} = (1/M) sum_l h[l] exp(i p - 2 pi i m' (d + l + j N)/M + 2 pi i e (prefix - d - l)/M)
 *                sum_u exp(2 pi i (m' - m + e) u / M)
 *
 * over the samples 0 <= u < M with 0 <= prefix + u - d - l - j N < N. With e = 0, 0 <= d and d + l <= prefix for all l
 * only C_{m 0 m} = H_m exp(i p - 2 pi i m d / M) remains.
 */
export interface Coupling {
  /** True where only C_{m 0 m} is not zero. */
  readonly clean: boolean;
  /** Symbols j, relative to that of the window, of which something arrives. */
  readonly neighbours: readonly number[];
  /** Chooses the receive beam A, N_r x S, and the subcarrier m of what follows. */
  listen(beam: Float64Array, m: number): void;
  /** out (S x S) = A^H C_{m j m'} B for the transmit beam B of subcarrier m'. False, and nothing written, if it is zero. */
  through(out: Float64Array, transmit: Float64Array, transmitOffset: number, j: number, m: number): boolean;
}

/** Share of one tap in one neighbour's symbol: sums over u for every (m' - m) mod M. */
interface Path {
  readonly tap: number;
  /** Every u of the window and no frequency offset: only m' = m remains. */
  readonly full: boolean;
  /** exp(i p - 2 pi i m' (d + l + j N)/M + 2 pi i e (prefix - d - l)/M) / M for every m'. */
  readonly phases: Float64Array;
  readonly sums: Float64Array;
}

export function deviceCoupling(
  { count, taps }: ImpulseResponse,
  ofdm: Ofdm,
  { delay, phase, frequency }: SynchronisationError,
  nr: number,
  nt: number,
  streams: number,
): Coupling {
  const { subcarriers, prefix, length } = ofdm;
  const paths = new Map<number, Path[]>();
  for (const j of [-2, -1, 0, 1]) {
    const list: Path[] = [];
    for (let l = 0; l < count; l++) {
      const start = delay + l + j * length - prefix;
      const from = Math.max(0, start);
      const to = Math.min(subcarriers, start + length);
      if (to <= from) continue;
      const full = frequency === 0 && to - from === subcarriers;
      const drift = phase + (2 * Math.PI * frequency * (prefix - delay - l)) / subcarriers;
      const phases = phaseRamp(subcarriers, delay + l + j * length, drift);
      list.push({ tap: l, full, phases, sums: partialSums(subcarriers, frequency, from, to, full) });
    }
    if (list.length > 0) paths.set(j, list);
  }
  const clean = [...paths].every(
    ([j, list]) => j === 0 && list.length === count && list.every((p) => p.full),
  );
  // A^H h[l] of every tap, S x Nt
  const size = 2 * streams * nt;
  const heard = new Float64Array(count * size);
  const tapMatrix = new Float64Array(2 * nr * nt);
  const mixed = new Float64Array(size);
  let heardOn = 0;

  return {
    clean,
    neighbours: [...paths.keys()],
    listen(beam, m) {
      heardOn = m;
      for (let l = 0; l < count; l++) {
        transpose(tapMatrix, taps, 2 * l * nr * nt, nt, nr);
        kernel.multiplyConjugateLeft(heard, l * size, beam, 0, tapMatrix, 0, streams, nr, nt);
      }
    },
    through(out, transmit, transmitOffset, j, sender) {
      const difference = (sender - heardOn + subcarriers) % subcarriers;
      let some = false;
      for (const { tap, full, phases, sums } of paths.get(j) ?? []) {
        if (full && difference !== 0) continue;
        if (!some) mixed.fill(0);
        some = true;
        const c = phases[2 * sender]!;
        const s = phases[2 * sender + 1]!;
        const re = sums[2 * difference]!;
        const im = sums[2 * difference + 1]!;
        kernel.axpyComplex(mixed, 0, heard, tap * size, streams * nt, c * re - s * im, c * im + s * re);
      }
      if (some) kernel.multiply(out, 0, mixed, 0, transmit, transmitOffset, streams, nt, streams);
      return some;
    },
  };
}

/** exp(i drift - 2 pi i m delay / M) / M for every subcarrier; m delay is reduced as a whole number, exactly. */
function phaseRamp(subcarriers: number, delay: number, drift: number): Float64Array {
  const phases = new Float64Array(2 * subcarriers);
  for (let m = 0; m < subcarriers; m++) {
    const angle = drift - (2 * Math.PI * ((m * delay) % subcarriers)) / subcarriers;
    phases[2 * m] = Math.cos(angle) / subcarriers;
    phases[2 * m + 1] = Math.sin(angle) / subcarriers;
  }
  return phases;
}

/** sum over from <= u < to of exp(2 pi i (difference + e) u / M), for every difference 0 .. M - 1. */
function partialSums(
  subcarriers: number,
  frequency: number,
  from: number,
  to: number,
  full: boolean,
): Float64Array {
  const sums = new Float64Array(2 * subcarriers);
  if (full) {
    sums[0] = subcarriers;
    return sums;
  }
  for (let difference = 0; difference < subcarriers; difference++) {
    const half = (Math.PI * (difference + frequency)) / subcarriers;
    const single = Math.sin(half);
    const size = single === 0 ? to - from : Math.sin(half * (to - from)) / single;
    const angle = half * (from + to - 1);
    sums[2 * difference] = size * Math.cos(angle);
    sums[2 * difference + 1] = size * Math.sin(angle);
  }
  return sums;
}

/** out (cols x rows) = the transposed of a (rows x cols). */
function transpose(out: Float64Array, a: Float64Array, offset: number, rows: number, cols: number): void {
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const source = offset + 2 * (row * cols + col);
      const target = 2 * (col * rows + row);
      out[target] = a[source]!;
      out[target + 1] = a[source + 1]!;
    }
  }
}
