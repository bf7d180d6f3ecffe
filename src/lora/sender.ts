import { checkNumbers, describe, InputError, renameField } from "../core/index.ts";
import { shares } from "./adapters.ts";

/** An estimate of a weighted sum of vectors, and whatever else the sender tells. */
export interface Estimate {
  readonly estimate: ArrayLike<number>;
  /** The weights that the sender used, where it tells: they must be those asked for, up to a common factor. */
  readonly weights?: ArrayLike<number>;
}

/** Weights agree if their shares differ by less: rounding, also of weights that went through float32. */
const weightTolerance = 1e-6;

/** What is being sent. */
export interface Transmission {
  /** 0, 1, ...: the transmissions of one aggregation need noise of their own, so this belongs into a seed. */
  readonly index: number;
  readonly content: "factors" | "loraB" | "loraA" | "product";
  /** w_k, sum 1. */
  readonly weights: Float64Array;
}

/** Takes one vector per device and estimates sum_k w_k v_k. */
export type Send<T extends Estimate = Estimate> = (
  vectors: readonly Float64Array[],
  transmission: Transmission,
) => T;

/** A sender that keeps what was returned. */
export interface Link<T extends Estimate> {
  readonly transmissions: T[];
  /** @throws InputError where `send` returns another length, an entry that is not finite, other weights or a Promise. */
  sum(vectors: readonly Float64Array[], content: Transmission["content"]): Float64Array;
}

/** Without `send` the sum itself. */
export function sender<T extends Estimate>(send: Send<T> | undefined, weights: Float64Array): Link<T> {
  if (send !== undefined && typeof send !== "function") {
    throw new InputError("send", describe(send), "a function of the vectors of all devices");
  }
  const transmissions: T[] = [];
  return {
    transmissions,
    sum(vectors, content) {
      if (send === undefined) return weightedSum(vectors, weights);
      const sent = send(vectors, { index: transmissions.length, content, weights: weights.slice() });
      if (sent === null || typeof sent !== "object") {
        throw new InputError("send", `${describe(sent)} returned`, "an object with an estimate");
      }
      if (typeof (sent as { then?: unknown }).then === "function") {
        const expected = "an estimate; use loraLayout and your own loop for asynchronous links";
        throw new InputError("send", "a Promise", expected);
      }
      if (sent.weights !== undefined) checkSameWeights(sent.weights, weights);
      transmissions.push(sent);
      const check = (): ArrayLike<number> => checkNumbers(sent.estimate, "estimate", vectors[0]!.length);
      return Float64Array.from(renameField((field) => `send: ${field}`, check));
    },
  };
}

/** @throws InputError where a share w_k / sum_j w_j is another one. */
function checkSameWeights(used: ArrayLike<number>, asked: Float64Array): void {
  const own = renameField(
    (field) => `send: ${field}`,
    () => shares(used, asked.length),
  );
  asked.forEach((weight, k) => {
    if (Math.abs(own[k]! - weight) <= weightTolerance) return;
    throw new InputError(
      `send: weights[${k}]`,
      `${own[k]} of the sum`,
      `${weight}: the weights of the link and those of aggregateAdapters (default 1/K) must agree`,
    );
  });
}

function weightedSum(vectors: readonly Float64Array[], weights: Float64Array): Float64Array {
  const sum = new Float64Array(vectors[0]!.length);
  vectors.forEach((vector, k) => {
    const w = weights[k]!;
    for (let i = 0; i < sum.length; i++) sum[i]! += w * vector[i]!;
  });
  return sum;
}
