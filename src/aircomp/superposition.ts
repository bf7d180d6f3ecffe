import { randomStream } from "../core/index.ts";
import type { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import type { TrueChannel } from "./channel.ts";
import type { Beamformers } from "./evaluate.ts";
import { BLOCK, type Gradient, type Packing, readBlock } from "./packing.ts";

/** Most OFDM symbols that are computed side by side, and complex symbols that stay in the nearest cache. */
const MOST_COLUMNS = 16;
const CACHED = 2048;

/** H_km B_km of every device on a subcarrier, next to each other: N_r x (K S) for every m. */
export function effectiveChannels(channel: TrueChannel, design: Beamformers): Float64Array[] {
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const streams = design.transmit.cols;
  const width = devices * streams;
  const single = new Float64Array(2 * nr * streams);
  return Array.from({ length: subcarriers }, (_, m) => {
    const effective = new Float64Array(2 * nr * width);
    for (let k = 0; k < devices; k++) {
      const h = channel.matrices.at(k, m).data;
      kernel.multiply(single, 0, h, 0, design.transmit.at(k, m).data, 0, nr, nt, streams);
      for (let row = 0; row < nr; row++) {
        const from = 2 * row * streams;
        effective.set(single.subarray(from, from + 2 * streams), 2 * (row * width + k * streams));
      }
    }
    return effective;
  });
}

/**
 * The transmission itself, subcarrier by subcarrier: the estimate of the weighted mean, as many entries as a gradient.
 *
 * @param effective as {@link effectiveChannels} gives it
 * @param receive combiners A_m, N_r x S
 * @param noiseVariance sigma2 per receive antenna and subcarrier
 */
export function superpose(
  gradients: readonly Gradient[],
  effective: readonly Float64Array[],
  receive: ComplexStack,
  noiseVariance: number,
  packing: Packing,
  seed: number,
): Float64Array {
  const { scale, entries, symbols } = packing;
  const subcarriers = effective.length;
  const devices = gradients.length;
  const { rows: nr, cols: streams } = receive;
  const width = devices * streams;
  const table = interleave(gradients, entries);
  const estimate = new Float64Array(entries);
  const noise = randomStream(seed, "noise");
  const toSymbol = scale > 0 ? Math.SQRT1_2 / scale : 0;
  const fromSymbol = Math.SQRT2 * scale;
  // OFDM symbols of one subcarrier side by side: columns of the products
  const columns = Math.min(symbols, Math.max(2, Math.min(MOST_COLUMNS, Math.floor(CACHED / width))));
  const sent = new Float64Array(2 * width * columns);
  const received = new Float64Array(2 * nr * columns);
  const thermal = new Float64Array(2 * nr * columns);
  const combined = new Float64Array(2 * streams * columns);
  const next = 2 * streams * subcarriers;
  for (let m = 0; m < subcarriers; m++) {
    const through = effective[m]!;
    const beam = receive.at(m).data;
    for (let first = 0; first < symbols; first += columns) {
      const count = Math.min(columns, symbols - first);
      const start = 2 * streams * m + next * first;
      gather(sent, table, devices, packing, toSymbol, streams, count, start, next);
      noise.fillComplexNormal(thermal.subarray(0, 2 * nr * count), noiseVariance);
      kernel.multiply(received, 0, through, 0, sent, 0, nr, width, count);
      addTransposed(received, thermal, nr, count);
      kernel.multiplyConjugateLeft(combined, 0, beam, 0, received, 0, streams, nr, count);
      scatter(estimate, combined, packing, fromSymbol, streams, count, start, next);
    }
  }
  return estimate;
}

/**
 * What the devices have of an entry, side by side: Q rows of K. The positions on the air take the entries in random
 * order, and so there is one place in memory to wait for per entry, not one per device.
 */
function interleave(gradients: readonly Gradient[], entries: number): Float32Array | Float64Array {
  const devices = gradients.length;
  const single = gradients.every((gradient) => gradient instanceof Float32Array);
  const table = single ? new Float32Array(entries * devices) : new Float64Array(entries * devices);
  const width = Math.min(BLOCK, entries);
  const block = new Float64Array(devices * width);
  for (let from = 0; from < entries; from += width) {
    const count = Math.min(width, entries - from);
    for (let k = 0; k < devices; k++) readBlock(block, k * width, gradients[k]!, from, count);
    transpose(table, from * devices, block, devices, width, count);
  }
  return table;
}

/** The first `count` of `width` columns of a block of K rows, one after the other. */
function transpose(
  table: Float32Array | Float64Array,
  offset: number,
  block: Float64Array,
  devices: number,
  width: number,
  count: number,
): void {
  for (let i = 0, to = offset; i < count; i++) {
    for (let k = 0, from = i; k < devices; k++, from += width) table[to++] = block[from]!;
  }
}

/**
 * The symbols of all devices: K S rows of `count` columns. Those of column c take the 2 S positions from
 * start + c next on.
 */
function gather(
  sent: Float64Array,
  table: Float32Array | Float64Array,
  devices: number,
  { mean, entries, order, signs }: Packing,
  toSymbol: number,
  streams: number,
  count: number,
  start: number,
  next: number,
): void {
  const between = 2 * streams * count;
  for (let c = 0; c < count; c++) {
    const base = start + c * next;
    for (let i = 0; i < 2 * streams; i++) {
      const entry = order[base + i]!;
      let to = 2 * ((i >> 1) * count + c) + (i & 1);
      if (entry >= entries) {
        // padding
        for (let k = 0; k < devices; k++, to += between) sent[to] = 0;
        continue;
      }
      const factor = signs[base + i]! * toSymbol;
      let from = entry * devices;
      for (const end = from + devices; from < end; from++, to += between) {
        sent[to] = factor * (table[from]! - mean);
      }
    }
  }
}

/** Undoes it for what was combined. packMean has weight sum_k w_k = 1, so it is added back as it is. */
function scatter(
  estimate: Float64Array,
  combined: Float64Array,
  { mean, entries, order, signs }: Packing,
  fromSymbol: number,
  streams: number,
  count: number,
  start: number,
  next: number,
): void {
  for (let c = 0; c < count; c++) {
    const base = start + c * next;
    for (let i = 0; i < 2 * streams; i++) {
      const entry = order[base + i]!;
      if (entry >= entries) continue;
      const from = 2 * ((i >> 1) * count + c) + (i & 1);
      estimate[entry] = mean + signs[base + i]! * fromSymbol * combined[from]!;
    }
  }
}

/** out (rows x cols) += A^T, A cols x rows: the noise is drawn symbol by symbol. */
function addTransposed(out: Float64Array, a: Float64Array, rows: number, cols: number): void {
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const to = 2 * (row * cols + col);
      const from = 2 * (col * rows + row);
      out[to]! += a[from]!;
      out[to + 1]! += a[from + 1]!;
    }
  }
}
