import * as kernel from "../linalg/kernels/index.ts";
import type { Gradient, Packing } from "./packing.ts";

/** What turns entries into symbols and back: the part of a {@link Packing} that every device needs. */
export type SymbolMap = Pick<Packing, "mean" | "scale" | "entries" | "symbols" | "order" | "signs">;

/**
 * What one device sends, x_m = B_km s_k: normalised entries at their positions, two to a symbol.
 *
 * @param out [N_sym, M, Nt]
 * @param transmit B_k, [M, Nt, S]
 */
export function encodeSymbols(
  out: Float64Array,
  gradient: Gradient,
  map: SymbolMap,
  transmit: Float64Array,
  subcarriers: number,
  nt: number,
  streams: number,
): void {
  const { mean, scale, entries, symbols, order, signs } = map;
  const toSymbol = scale > 0 ? Math.SQRT1_2 / scale : 0;
  const sent = new Float64Array(2 * streams);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let m = 0; m < subcarriers; m++) {
      const use = symbol * subcarriers + m;
      const base = 2 * streams * use;
      for (let i = 0; i < 2 * streams; i++) {
        const entry = order[base + i]!;
        sent[i] = entry < entries ? signs[base + i]! * toSymbol * (gradient[entry]! - mean) : 0;
      }
      kernel.multiply(out, 2 * use * nt, transmit, 2 * m * nt * streams, sent, 0, nt, streams, 1);
    }
  }
}

/**
 * The estimate from what the server received, A_m^H y_m: symbols to entries, normalisation undone.
 *
 * @param estimate Q entries
 * @param received [N_sym, M, Nr]
 * @param receive [M, Nr, S]
 */
export function decodeSymbols(
  estimate: Float64Array,
  received: Float64Array,
  map: SymbolMap,
  receive: Float64Array,
  subcarriers: number,
  nr: number,
  streams: number,
): void {
  const { mean, scale, entries, symbols, order, signs } = map;
  const fromSymbol = Math.SQRT2 * scale;
  const combined = new Float64Array(2 * streams);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let m = 0; m < subcarriers; m++) {
      const use = symbol * subcarriers + m;
      const beam = 2 * m * nr * streams;
      kernel.multiplyConjugateLeft(combined, 0, receive, beam, received, 2 * use * nr, streams, nr, 1);
      const base = 2 * streams * use;
      // packMean has weight sum_k w_k = 1, so it is added back as it is
      for (let i = 0; i < 2 * streams; i++) {
        const entry = order[base + i]!;
        if (entry < entries) estimate[entry] = mean + signs[base + i]! * fromSymbol * combined[i]!;
      }
    }
  }
}
