import type { TrainedFactors } from "../bounds/index.ts";
import { InputError } from "../core/index.ts";
import {
  type AggregatedAdapter,
  checkAdapter,
  checkRankedAdapter,
  type LoraAdapter,
  type LoraFactors,
  type LoraShape,
} from "./adapters.ts";
import { type FactorName, sentFactors } from "./layout.ts";
import { resized, slotWeights } from "./ranks.ts";
import type { Estimate, Link } from "./sender.ts";

interface AverageOptions {
  readonly trained: TrainedFactors;
  readonly round: number | undefined;
  readonly padded: boolean;
  readonly renormalised: boolean;
  readonly perFactor: boolean;
  readonly loraBScale: number;
}

/** Weighted means of the factors that are sent, each for itself; the others are common and copied. */
export function averageFactors<T extends Estimate>(
  shapes: readonly LoraShape[],
  adapters: readonly LoraAdapter[],
  weights: Float64Array,
  link: Link<T>,
  options: AverageOptions,
): { readonly adapter: AggregatedAdapter; readonly entries: number } {
  const sent = sentFactors(options.trained, options.round);
  const ranked = adapters.map((adapter, k) =>
    options.padded
      ? checkRankedAdapter(adapter, `adapters[${k}]`, shapes, true)
      : checkAdapter(adapter, `adapters[${k}]`, shapes).map((f, i) => ({ ...f, rank: shapes[i]!.rank })),
  );
  const devices = ranked.map((layers) =>
    layers.map((factors, i) => {
      const { dOut, dIn, rank } = shapes[i]!;
      return resized(factors, dOut, dIn, factors.rank, rank);
    }),
  );
  checkCommon(devices, sent);
  const adapter: AggregatedAdapter = {
    layers: shapes.map(({ rank }, i) => {
      const { loraB, loraA } = devices[0]![i]!;
      return { rank, loraB: loraB.slice(), loraA: loraA.slice() };
    }),
  };
  const groups = options.perFactor && sent.length === 2 ? sent.map((factor) => [factor]) : [sent];
  let entries = 0;
  for (const group of groups) {
    const parts = shapes.flatMap((_, layer) => group.map((factor) => ({ layer, factor })));
    const vectors = devices.map((layers) => {
      const list = parts.map(({ layer, factor }) =>
        factor === "loraB" && options.loraBScale !== 1
          ? layers[layer]!.loraB.map((x) => x * options.loraBScale)
          : layers[layer]![factor],
      );
      return concatenated(list);
    });
    entries += vectors[0]!.length;
    const estimate = link.sum(vectors, group.length === 2 ? "factors" : group[0]!);
    let offset = 0;
    for (const { layer, factor } of parts) {
      const target = adapter.layers[layer]![factor];
      const divisor = factor === "loraB" ? options.loraBScale : 1;
      for (let i = 0; i < target.length; i++) target[i] = estimate[offset + i]! / divisor;
      offset += target.length;
    }
  }
  if (options.renormalised) {
    const ranks = ranked.map((layers) => layers.map(({ rank }) => rank));
    renormalise(shapes, adapter, slotWeights(shapes, ranks, weights));
  }
  return { adapter, entries };
}

/** Slot s divided by the weight of the devices that hold it; a slot that none holds is 0, whatever arrived. */
function renormalise(
  shapes: readonly LoraShape[],
  adapter: AggregatedAdapter,
  held: readonly Float64Array[],
): void {
  shapes.forEach(({ dOut, dIn, rank }, layer) => {
    const { loraB, loraA } = adapter.layers[layer]!;
    held[layer]!.forEach((weight, s) => {
      const divisor = weight > 0 ? weight : Number.POSITIVE_INFINITY;
      for (let i = 0; i < dOut; i++) loraB[i * rank + s]! /= divisor;
      for (let j = 0; j < dIn; j++) loraA[s * dIn + j]! /= divisor;
    });
  });
}

/** @throws InputError where a factor that is not sent differs from that of the first device. */
function checkCommon(devices: readonly (readonly LoraFactors[])[], sent: readonly FactorName[]): void {
  for (const factor of ["loraB", "loraA"] as const) {
    if (sent.includes(factor)) continue;
    devices.forEach((layers, k) => {
      layers.forEach((factors, layer) => {
        const common = devices[0]![layer]![factor];
        const own = factors[factor];
        for (let i = 0; i < own.length; i++) {
          if (own[i] === common[i]) continue;
          throw new InputError(
            `adapters[${k}].layers[${layer}].${factor}[${i}]`,
            `${own[i]}`,
            `${common[i]}, as on device 0: a factor that is not sent must be common`,
          );
        }
      });
    });
  }
}

function concatenated(list: readonly Float64Array[]): Float64Array {
  const result = new Float64Array(list.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of list) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
