import { checkNumber, checkOptions } from "../core/index.ts";
import {
  type Mask,
  type PaddingOptions,
  readList,
  readMask,
  readSteps,
  readValues,
  type StepsOptions,
} from "./batches.ts";

export interface GaeOptions extends PaddingOptions, StepsOptions {
  /** [N, T], row-major: what each step earned. */
  readonly rewards: ArrayLike<number>;
  /** [N, T]: V_t, the critic's value before the step. */
  readonly values: ArrayLike<number>;
  /** Discount, 0 to 1. */
  readonly gamma: number;
  /** Weight of longer returns, 0 to 1. */
  readonly lambda: number;
  /** Value after the last step of each row, N numbers or one for all. Default 0: rows end where their episode does. */
  readonly lastValues?: number | ArrayLike<number>;
  /** [N, T]: 1 or true at the last step of an episode; nothing is carried over it. Default: none. */
  readonly dones?: ArrayLike<number | boolean>;
}

export interface Advantages {
  /** [N, T] */
  readonly advantages: Float64Array;
  /** [N, T]: advantages + values, the targets of the critic. */
  readonly returns: Float64Array;
}

const names = ["rewards", "values", "gamma", "lambda", "lastValues", "dones", "mask", "steps"];

/**
 * Generalised advantage estimation, from the last step back,
 *
 *   delta_t = reward_t + gamma V_{t+1} - V_t,   advantage_t = delta_t + gamma lambda advantage_{t+1}
 *
 * (Schulman, Moritz, Levine, Jordan and Abbeel, "High-dimensional continuous control using generalized advantage
 * estimation", ICLR 2016). The step after an unmasked one is the next unmasked one of its row, so that padding at either
 * end or in between changes nothing; after the last comes `lastValues`.
 *
 * @throws InputError on arrays of other lengths, or unmasked entries that are not finite.
 */
export function gae(options: GaeOptions): Advantages {
  checkOptions(options, "gae", names);
  const { length } = readList(options.rewards, "rewards");
  const mask = readMask(options.mask, length);
  const rewards = readValues(options.rewards, "rewards", mask);
  const values = readValues(options.values, "values", mask);
  const gamma = checkNumber(options.gamma, "gamma", 0, 1);
  const lambda = checkNumber(options.lambda, "lambda", 0, 1);
  const steps = readSteps(options.steps, length);
  const rows = length / steps;
  const lastValues = readLastValues(options.lastValues ?? 0, rows);
  const dones: Mask =
    options.dones === undefined ? new Uint8Array(length) : readDones(options.dones, length, mask);
  const advantages = new Float64Array(length);
  const returns = new Float64Array(length);
  for (let row = 0; row < rows; row++) {
    let nextValue = lastValues[row]!;
    let nextAdvantage = 0;
    for (let i = (row + 1) * steps - 1; i >= row * steps; i--) {
      if (mask[i] === 0) continue;
      const goesOn = 1 - dones[i]!;
      const delta = rewards[i]! + goesOn * gamma * nextValue - values[i]!;
      nextAdvantage = delta + goesOn * gamma * lambda * nextAdvantage;
      nextValue = values[i]!;
      advantages[i] = nextAdvantage;
      returns[i] = nextAdvantage + values[i]!;
    }
  }
  return { advantages, returns };
}

function readLastValues(value: number | ArrayLike<number>, rows: number): ArrayLike<number> {
  const all = new Uint8Array(rows).fill(1);
  if (typeof value === "number") {
    return new Float64Array(rows).fill(readValues([value], "lastValues", all.subarray(0, 1))[0]!);
  }
  return readValues(value, "lastValues", all);
}

/** Padding is not read. */
function readDones(value: ArrayLike<number | boolean>, length: number, mask: Mask): Mask {
  const list = readList(value, "dones", length) as ArrayLike<unknown>;
  const known = Array.from({ length }, (_, i) => (mask[i] === 1 ? list[i] : 0)) as number[];
  return readMask(known, length, "dones");
}
