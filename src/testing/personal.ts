import type { AttentionMask, ParameterSet } from "../personal/index.ts";

export interface HullOptions {
  /** What the clients hold. */
  readonly clients: readonly ParameterSet[];
  /** A mean of it: the tensors that are looked at, which every client of weight has. */
  readonly aggregate: ParameterSet;
  /** Clients of weight 0 do not span the hull. Default: all have weight. */
  readonly weights?: ArrayLike<number>;
}

/**
 * How far a mean leaves the convex hull of the clients, entry by entry: the largest excess over the largest, or below the
 * smallest, in units of the largest modulus of the entry; 0 within it, +Infinity for NaN.
 */
export function hullResidual({ clients, aggregate, weights }: HullOptions): number {
  const heard = clients.filter((_, k) => (weights?.[k] ?? 1) > 0);
  let worst = 0;
  for (const [name, mean] of Object.entries(aggregate)) {
    for (let i = 0; i < mean.length; i++) {
      const values = heard.map((client) => client[name]![i]!);
      const excess = Math.max(mean[i]! - Math.max(...values), Math.min(...values) - mean[i]!);
      if (Number.isNaN(excess)) return Number.POSITIVE_INFINITY;
      if (excess > 0) worst = Math.max(worst, excess / Math.max(Math.abs(mean[i]!), ...values.map(Math.abs)));
    }
  }
  return worst;
}

/**
 * Entries of the named tensors (frozen, or private) that are not bit for bit what they were: the sign of zero and the
 * payload of NaN count. A tensor that is missing on one side, or of another length or type, counts with all its entries,
 * one at least.
 */
export function keptResidual(before: ParameterSet, after: ParameterSet, names: readonly string[]): number {
  let changed = 0;
  for (const name of names) {
    const [old, now] = [before[name], after[name]];
    if (old === undefined && now === undefined) continue;
    if (old?.length !== now?.length || old?.BYTES_PER_ELEMENT !== now?.BYTES_PER_ELEMENT) {
      changed += Math.max(1, old?.length ?? 0, now?.length ?? 0);
      continue;
    }
    const [a, b] = [old!, now!].map((x) => new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
    const width = old!.BYTES_PER_ELEMENT;
    for (let i = 0; i < old!.length; i++) {
      changed += Number(!a!.subarray(i * width, (i + 1) * width).every((x, j) => x === b![i * width + j]));
    }
  }
  return changed;
}

/**
 * Of attention weights [..., n, n]: the largest modulus where the mask allows nothing, or distance of a row's sum from 1;
 * +Infinity for NaN.
 */
export function attentionResidual(weights: ArrayLike<number>, { tokens, allowed }: AttentionMask): number {
  let worst = 0;
  for (let from = 0; from < weights.length; from += tokens) {
    let sum = 0;
    for (let j = 0; j < tokens; j++) {
      const weight = weights[from + j]!;
      sum += weight;
      if (allowed[(from + j) % (tokens * tokens)] === 0) worst = Math.max(worst, Math.abs(weight));
    }
    worst = Math.max(worst, Math.abs(sum - 1));
  }
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
}

/** Pairs of a mask that look ahead, and tokens that do not attend to themselves. */
export function causalityResidual({ tokens, allowed }: AttentionMask): number {
  let wrong = 0;
  for (let i = 0; i < tokens; i++) {
    wrong += 1 - allowed[i * tokens + i]!;
    for (let j = i + 1; j < tokens; j++) wrong += allowed[i * tokens + j]!;
  }
  return wrong;
}

/** Samples 0 to `samples` - 1 that belong to no client or to several, and indices that are no sample. */
export function partitionResidual(parts: readonly ArrayLike<number>[], samples: number): number {
  const counts = new Float64Array(samples);
  let wrong = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) {
      const sample = part[i]!;
      if (Number.isInteger(sample) && sample >= 0 && sample < samples) counts[sample]!++;
      else wrong++;
    }
  }
  return counts.reduce((sum, count) => sum + Number(count !== 1), wrong);
}
