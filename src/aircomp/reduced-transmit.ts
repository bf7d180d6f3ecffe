import { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { complexSphere, power as powerManifold } from "../manifold/index.ts";
import type { ReducedSpace } from "./reduced.ts";
import { createBlockUpdates, type TransceiverProblem } from "./updates.ts";

/** Smallest share of a budget that a descent starts with left over. */
const SLACK = 0.01;

/**
 * Psi(B) = min_A sum_m MSE_m, for any correlation R of the devices: with R != I the transmit update has no closed form
 * for all devices at once, the receive update has. The state is B [K, M, Nt, S]; device k is a point of the unit
 * sphere, (B_k, slack) / sqrt(P_k), so that its budget holds exactly and the slack is what it does not use. By the
 * envelope theorem, at fixed A,
 *
 *   grad_km Psi = 2 ( H_km^H A_m sum_j R_kj E_jm + R_kk se2_k ||A_m||^2 B_km ).
 */
export function transmitSpace(problem: TransceiverProblem): ReducedSpace<ComplexStack> {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, streams, channel } = problem;
  const { weights, power, correlation, errorVariance } = problem;
  const block = 2 * nt * streams;
  const perDevice = subcarriers * block;
  const coordinates = perDevice + 2;
  const square = 2 * streams * streams;
  const updates = createBlockUpdates(problem);
  const manifold = powerManifold(complexSphere(coordinates / 2), devices);
  const receive = new Float64Array(2 * subcarriers * nr * streams);
  const transmit = new Float64Array(devices * perDevice);
  const gradient = new ComplexStack([devices, coordinates / 2, 1]);
  const aligned = new Float64Array(devices * block);
  const errors = new Float64Array(devices * square);
  const mixed = new Float64Array(square);
  const moment = (k: number, j: number): number =>
    correlation === undefined ? (k === j ? 1 : 0) : correlation[k * devices + j]!;

  function readPoint(out: Float64Array, point: ComplexStack): void {
    for (let k = 0; k < devices; k++) {
      const root = Math.sqrt(power[k]!);
      for (let i = 0; i < perDevice; i++) out[k * perDevice + i] = root * point.data[k * coordinates + i]!;
    }
  }

  function pointOf(state: Float64Array): ComplexStack {
    const point = new ComplexStack([devices, coordinates / 2, 1]);
    for (let k = 0; k < devices; k++) {
      const used = kernel.squaredNorm(state, k * perDevice, perDevice / 2);
      const share = power[k]! > 0 ? Math.min(1, used / power[k]!) : 0;
      // on the edge of a budget the gradient would never show the way inside
      const kept = share > 1 - SLACK ? Math.sqrt((1 - SLACK) / share) : 1;
      const scale = share > 0 ? kept / Math.sqrt(power[k]!) : 0;
      for (let i = 0; i < perDevice; i++) point.data[k * coordinates + i] = scale * state[k * perDevice + i]!;
      point.data[k * coordinates + perDevice] = Math.sqrt(Math.max(0, 1 - share * kept * kept));
    }
    return point;
  }

  function fillGradient(): void {
    for (let m = 0; m < subcarriers; m++) {
      const a = 2 * m * nr * streams;
      const norm = kernel.squaredNorm(receive, a, nr * streams);
      for (let k = 0; k < devices; k++) {
        const h = 2 * (k * subcarriers + m) * nr * nt;
        const b = k * perDevice + m * block;
        const e = k * square;
        kernel.multiplyConjugateLeft(aligned, k * block, channel, h, receive, a, nt, nr, streams);
        kernel.multiplyConjugateLeft(errors, e, aligned, k * block, transmit, b, streams, nt, streams);
        for (let i = 0; i < streams; i++) errors[e + 2 * i * (streams + 1)]! -= weights[k]!;
      }
      for (let k = 0; k < devices; k++) {
        mixed.fill(0);
        for (let j = 0; j < devices; j++) {
          const r = moment(k, j);
          if (r !== 0) kernel.axpy(mixed, 0, errors, j * square, streams * streams, r);
        }
        const g = k * coordinates + m * block;
        kernel.multiply(gradient.data, g, aligned, k * block, mixed, 0, nt, streams, streams);
        const extra = moment(k, k) * (errorVariance?.[k] ?? 0) * norm;
        const root = 2 * Math.sqrt(power[k]!);
        for (let i = 0; i < block; i++) {
          gradient.data[g + i] =
            root * (gradient.data[g + i]! + extra * transmit[k * perDevice + m * block + i]!);
        }
      }
    }
  }

  /**
   * One over the curvature of the cost in the coordinates of each device, about: 2 P_k R_kk times the gain of its
   * strongest subcarrier, and the curvature of the sphere. A constant per device commutes with the projection to the
   * tangent space; gains and powers that are far apart would make the problem badly conditioned without it.
   */
  function deviceScales(point: ComplexStack): Float64Array {
    const curvatures = new Float64Array(devices);
    for (let k = 0; k < devices; k++) {
      let strongest = 0;
      for (let m = 0; m < subcarriers; m++) {
        const a = 2 * m * nr * streams;
        const h = 2 * (k * subcarriers + m) * nr * nt;
        kernel.multiplyConjugateLeft(aligned, 0, channel, h, receive, a, nt, nr, streams);
        const gain = kernel.squaredNorm(aligned, 0, nt * streams) / streams;
        const uncertainty = (errorVariance?.[k] ?? 0) * kernel.squaredNorm(receive, a, nr * streams);
        strongest = Math.max(strongest, gain + uncertainty);
      }
      const at = k * coordinates;
      const inward = -kernel.realInner(point.data, at, gradient.data, at, coordinates / 2);
      curvatures[k] = 2 * power[k]! * moment(k, k) * strongest + Math.max(0, inward);
    }
    const least = curvatures.reduce((low, c) => (c > 0 ? Math.min(low, c) : low), Number.POSITIVE_INFINITY);
    const fallback = Number.isFinite(least) ? 1 / least : 1;
    return curvatures.map((c) => (c > 0 ? 1 / c : fallback));
  }

  return {
    enter(start) {
      const state = new Float64Array(devices * perDevice);
      updates.transmit(state, start);
      return state;
    },
    open(extraNoise, state) {
      const raised = { ...problem, noiseVariance: problem.noiseVariance + extraNoise };
      const atLevel = extraNoise > 0 ? createBlockUpdates(raised) : updates;
      const result = { cost: 0, gradient };
      const evaluate = (point: ComplexStack): typeof result => {
        readPoint(transmit, point);
        result.cost = atLevel.receive(receive, transmit);
        fillGradient();
        return result;
      };
      const x0 = pointOf(state);
      evaluate(x0);
      const scales = deviceScales(x0);
      const scaled = new ComplexStack([devices, coordinates / 2, 1]);
      return {
        problem: {
          manifold,
          preconditioner(_point, v) {
            for (let i = 0; i < scaled.data.length; i++) {
              scaled.data[i] = scales[Math.floor(i / coordinates)]! * v.data[i]!;
            }
            return scaled;
          },
          cost: (x) => evaluate(x).cost,
          gradient: (x) => evaluate(x).gradient,
          costAndGradient: evaluate,
        },
        x0,
        state(point) {
          const out = new Float64Array(devices * perDevice);
          readPoint(out, point);
          return out;
        },
      };
    },
    measure: (state) => updates.receive(receive, state),
    mseAt: (state, cost, extraNoise) => (extraNoise > 0 ? updates.receive(receive, state) : cost),
    update(state) {
      const next = state.slice();
      updates.receive(receive, state);
      updates.transmit(next, receive);
      return { state: next, mse: updates.receive(receive, next) };
    },
    design(state) {
      updates.receive(receive, state);
      return { receive: receive.slice(), transmit: state.slice() };
    },
  };
}
