import * as kernel from "../../linalg/kernels/index.ts";
import { type ForcingInstance, forcingInstance } from "../relaxation-cost.ts";
import type { SchemeResult } from "../scheme.ts";
import { createBlockUpdates, type TransceiverProblem } from "../updates.ts";

/** A singular value below this fraction of the largest on its subcarrier is rounding noise of a channel of smaller rank. */
const RANK_TOLERANCE = 1e-14;

/** What the zero-forcing baselines `sdr` and `sca` share: the devices that can be served, g_k, and the design. */
export interface ForcingProblem {
  /** The problem without the devices that cannot be served: their weights are 0. */
  readonly served: TransceiverProblem;
  /** In units without dimension; undefined where no device can be served. */
  readonly instance: ForcingInstance | undefined;
  /** Whether some device of positive weight has no power, or a channel of rank below S on some subcarrier. */
  readonly infeasible: boolean;
  /**
   * The zero-forcing design with receive beamformers c A, A of shape [M, Nr, S] and c the smallest number for which
   * every device keeps its budget; the devices that cannot be served are silent. Its MSE is that of `problem`.
   * undefined where A does not hear some device with full rank.
   */
  design(beams: Float64Array): Beams | undefined;
  /** Silence: what is left where no device can be served. */
  silent(): Beams;
}

export type Beams = Pick<SchemeResult, "receive" | "transmit" | "mse">;

export function forcingProblem(problem: TransceiverProblem): ForcingProblem {
  const {
    devices,
    subcarriers,
    transmitAntennas: nt,
    receiveAntennas: nr,
    streams,
    weights,
    power,
  } = problem;
  const servable = servableDevices(problem);
  const served = { ...problem, weights: weights.map((w, k) => (servable[k] ? w : 0)) };
  const instance = forcingInstance(served);
  const updates = createBlockUpdates(problem);
  const gains = instance === undefined ? undefined : createForcingGains(instance);

  function design(beams: Float64Array): Beams | undefined {
    if (instance === undefined || gains === undefined) return undefined;
    const largest = gains.evaluate(beams);
    const norm = Math.sqrt(kernel.squaredNorm(beams, 0, beams.length / 2));
    // A = c A / ||A||, c^2 = f^2 g with f^2 = unit / sigma2 the scale of the instance and g of norm-1 beamformers
    const factor = Math.sqrt(instance.unit / problem.noiseVariance) * Math.sqrt(largest);
    if (!(largest < Number.POSITIVE_INFINITY) || !(norm > 0) || !Number.isFinite(factor)) return undefined;
    const receive = beams.map((x) => factor * x);
    const transmit = new Float64Array(2 * devices * subcarriers * nt * streams);
    instance.active.forEach((k, index) => {
      const amplitude = Math.sqrt(power[k]! / largest);
      for (let m = 0; m < subcarriers; m++) {
        gains.inverse(transmit, (k * subcarriers + m) * 2 * nt * streams, index, m, amplitude);
      }
    });
    const mse = updates.mse(receive, transmit);
    return Number.isFinite(mse) ? { receive, transmit, mse } : undefined;
  }

  function silent(): Beams {
    const receive = new Float64Array(2 * subcarriers * nr * streams);
    const transmit = new Float64Array(2 * devices * subcarriers * nt * streams);
    return { receive, transmit, mse: updates.mse(receive, transmit) };
  }

  return {
    served,
    instance,
    infeasible: !servable.every((yes, k) => yes || weights[k] === 0),
    design,
    silent,
  };
}

/** Devices with power whose channel has rank S on every subcarrier. */
function servableDevices(problem: TransceiverProblem): boolean[] {
  const {
    devices,
    subcarriers,
    receiveAntennas: nr,
    transmitAntennas: nt,
    streams,
    channel,
    power,
  } = problem;
  const rank = Math.min(nr, nt);
  const singular = new Float64Array(rank);
  const work = kernel.createJacobiSvdWorkspace(nr, nt);
  return Array.from({ length: devices }, (_, k) => {
    let full = power[k]! > 0;
    for (let m = 0; m < subcarriers && full; m++) {
      kernel.jacobiSingularValues(channel, (k * subcarriers + m) * 2 * nr * nt, singular, 0, work);
      full = singular[streams - 1]! > RANK_TOLERANCE * singular[0]!;
    }
    return full;
  });
}

/** g_k(A) = sum_m tr((A_m^H H_km H_km^H A_m)^{-1}) of the devices of an instance, on buffers of its own. */
export interface ForcingGains {
  /** g_k of the last `evaluate`, K' entries. */
  readonly values: Float64Array;
  /** Writes all g_k; returns the largest, +Infinity where some G_km = H_km^H A_m loses rank. */
  evaluate(beams: Float64Array): number;
  /** The largest g_k if the beamformers of subcarrier m alone were `beams` [Nr, S]; changes nothing. */
  probe(beams: Float64Array, m: number): number;
  /** Writes factor (A_m^H H_km)^+ of the last `evaluate`, Nt x S. */
  inverse(out: Float64Array, offset: number, device: number, m: number, factor: number): void;
  /** Writes factor times sum_m d tr(...)/dA_m = -2 H_km G_km (G_km^H G_km)^{-2} of the last `evaluate`, [M, Nr, S]. */
  gradient(out: Float64Array, offset: number, device: number, factor: number): void;
}

/** From the singular values of G = U s V^H: tr((G^H G)^{-1}) = sum_i s_i^{-2}, in relative accuracy. */
export function createForcingGains(instance: ForcingInstance): ForcingGains {
  const { subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams: s, channel } = instance;
  const devices = instance.active.length;
  const width = devices * nt;
  const left = new Float64Array(2 * subcarriers * width * s);
  const right = new Float64Array(2 * subcarriers * devices * s * s);
  const singular = new Float64Array(subcarriers * devices * s);
  const work = kernel.createJacobiSvdWorkspace(nt, s);
  const values = new Float64Array(devices);
  const probed = new Float64Array(2 * width * s);
  const probedValues = new Float64Array(s);
  const scaled = new Float64Array(2 * nt * s);
  const slope = new Float64Array(2 * nt * s);
  const own = new Float64Array(2 * nr * nt);

  function evaluate(beams: Float64Array): number {
    values.fill(0);
    for (let m = 0; m < subcarriers; m++) {
      const at = 2 * m * width * s;
      kernel.multiplyConjugateLeft(
        left,
        at,
        channel,
        2 * m * nr * width,
        beams,
        2 * m * nr * s,
        width,
        nr,
        s,
      );
      for (let k = 0; k < devices; k++) {
        const place = m * devices + k;
        const u = 2 * place * nt * s;
        if (s === 1) {
          const norm = Math.sqrt(kernel.squaredNorm(left, u, nt));
          singular[place] = norm;
          right[2 * place] = 1;
          if (norm > 0) kernel.scale(left, u, left, u, nt, 1 / norm);
        } else {
          kernel.jacobiSvd(left, u, left, u, singular, place * s, right, 2 * place * s * s, work);
        }
        values[k]! += inverseSquares(singular, place * s);
      }
    }
    let largest = 0;
    for (let k = 0; k < devices; k++) {
      if (!(values[k]! < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
      largest = Math.max(largest, values[k]!);
    }
    return largest;
  }

  function probe(beams: Float64Array, m: number): number {
    kernel.multiplyConjugateLeft(probed, 0, channel, 2 * m * nr * width, beams, 0, width, nr, s);
    let largest = 0;
    for (let k = 0; k < devices; k++) {
      let value = values[k]! - inverseSquares(singular, (m * devices + k) * s);
      if (s === 1) value += 1 / kernel.squaredNorm(probed, 2 * k * nt, nt);
      else {
        kernel.jacobiSingularValues(probed, 2 * k * nt * s, probedValues, 0, work);
        value += inverseSquares(probedValues, 0);
      }
      if (!(value < Number.POSITIVE_INFINITY)) return Number.POSITIVE_INFINITY;
      largest = Math.max(largest, value);
    }
    return largest;
  }

  function inverseSquares(x: Float64Array, offset: number): number {
    let sum = 0;
    for (let i = offset; i < offset + s; i++) sum += 1 / (x[i]! * x[i]!);
    return sum;
  }

  /** out = factor U s^exponent V^H of one block, the exponent -1 or -3. */
  function block(out: Float64Array, offset: number, place: number, exponent: number, factor: number): void {
    for (let i = 0; i < s; i++) {
      const gain = factor * singular[place * s + i]! ** exponent;
      for (let row = 0; row < nt; row++) {
        const at = 2 * (row * s + i);
        scaled[at] = gain * left[2 * place * nt * s + at]!;
        scaled[at + 1] = gain * left[2 * place * nt * s + at + 1]!;
      }
    }
    kernel.multiplyConjugateRight(out, offset, scaled, 0, right, 2 * place * s * s, nt, s, s);
  }

  function inverse(out: Float64Array, offset: number, device: number, m: number, factor: number): void {
    block(out, offset, m * devices + device, -1, factor);
  }

  function gradient(out: Float64Array, offset: number, device: number, factor: number): void {
    for (let m = 0; m < subcarriers; m++) {
      block(slope, 0, m * devices + device, -3, -2 * factor);
      for (let row = 0; row < nr; row++) {
        const from = 2 * ((m * nr + row) * width + device * nt);
        for (let i = 0; i < 2 * nt; i++) own[2 * row * nt + i] = channel[from + i]!;
      }
      kernel.multiply(out, offset + 2 * m * nr * s, own, 0, slope, 0, nr, nt, s);
    }
  }

  return { values, evaluate, probe, inverse, gradient };
}
