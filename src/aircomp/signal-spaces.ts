import * as kernel from "../linalg/kernels/index.ts";
import type { SplittingProblem } from "./splitting-problem.ts";

/**
 * The modes by which the server hears the devices: H_km = U diag(s) V^H, in slot m K + k with min(N_r, N_t) places.
 */
export interface SignalSpaces {
  /** Numerical rank of every slot; 0 where the device does not count. */
  readonly ranks: Int32Array;
  /** Where the rows of a slot start among those of its subcarrier. */
  readonly firstRow: Int32Array;
  /** Rows per subcarrier, and most of them. */
  readonly heights: Int32Array;
  readonly tallest: number;
  /** Singular values, descending. */
  readonly strengths: Float64Array;
  /** The rows V^H, r x Nt per slot. */
  readonly bases: Float64Array;
  /** The rows diag(s) U^H of all devices of a subcarrier below each other, in `size` coordinates. */
  readonly rows: Float64Array;
  /** N_r, or the dimension of what the devices span if that is smaller. */
  readonly size: number;
}

/** Modes below this part of the strongest of the subcarrier are left out, and their size is taken off the bound. */
const RANK_TOLERANCE = 4e-15;

export function signalSpaces(problem: SplittingProblem): SignalSpaces {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt, gains } = problem;
  const most = Math.min(nr, nt);
  const slots = devices * subcarriers;
  const ranks = new Int32Array(slots);
  const firstRow = new Int32Array(slots);
  const heights = new Int32Array(subcarriers);
  const strengths = new Float64Array(slots * most);
  const antennaRows = new Float64Array(2 * slots * most * nr);
  const bases = new Float64Array(2 * slots * most * nt);
  factorChannels();
  const tallest = heights.reduce((a, b) => Math.max(a, b), 0);
  const size = Math.max(1, Math.min(nr, tallest));
  const rows = size < nr ? inSignalSpace() : antennaRows;
  return { ranks, firstRow, heights, tallest, strengths, bases, rows, size };

  function factorChannels(): void {
    const left = new Float64Array(2 * nr * most);
    const right = new Float64Array(2 * nt * most);
    const work = kernel.createJacobiSvdWorkspace(nr, nt);
    for (let m = 0; m < subcarriers; m++) {
      for (let k = 0; k < devices; k++) {
        const slot = m * devices + k;
        firstRow[slot] = heights[m]!;
        if (gains[k] === 0) continue;
        const h = 2 * (k * subcarriers + m) * nr * nt;
        kernel.jacobiSvd(problem.channel, h, left, 0, strengths, slot * most, right, 0, work);
        const smallest = RANK_TOLERANCE * strengths[slot * most]!;
        let r = 0;
        for (; r < most && strengths[slot * most + r]! > smallest; r++) {
          const s = strengths[slot * most + r]!;
          conjugateColumn(antennaRows, 2 * (m * devices * most + heights[m]!++) * nr, left, r, nr, s);
          conjugateColumn(bases, 2 * (slot * most + r) * nt, right, r, nt, 1);
        }
        ranks[slot] = r;
      }
    }
  }

  function conjugateColumn(
    out: Float64Array,
    at: number,
    from: Float64Array,
    column: number,
    length: number,
    factor: number,
  ): void {
    for (let j = 0; j < length; j++) {
      out[at + 2 * j] = factor * from[2 * (j * most + column)]!;
      out[at + 2 * j + 1] = -factor * from[2 * (j * most + column) + 1]!;
    }
  }

  /**
   * The rows in a basis of what the devices of the subcarrier span: A = Q R for the columns A of these rows, and
   * R^H instead of A^H. A best X has no part outside of it.
   */
  function inSignalSpace(): Float64Array {
    const out = new Float64Array(2 * slots * most * size);
    for (let m = 0; m < subcarriers; m++) {
      const height = heights[m]!;
      if (height === 0) continue;
      const columns = new Float64Array(2 * nr * height);
      const triangle = new Float64Array(2 * height * height);
      kernel.conjugateTranspose(columns, 0, antennaRows, 2 * m * devices * most * nr, height, nr);
      const work = kernel.createQrWorkspace(nr, height);
      kernel.qrFactor(columns, 0, columns, 0, triangle, 0, work);
      for (let i = 0; i < height; i++) {
        const row = 2 * (m * devices * most + i) * size;
        for (let j = 0; j <= i; j++) {
          out[row + 2 * j] = triangle[2 * (j * height + i)]!;
          out[row + 2 * j + 1] = -triangle[2 * (j * height + i) + 1]!;
        }
      }
    }
    return out;
  }
}
