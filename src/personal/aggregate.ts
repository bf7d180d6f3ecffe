import { checkNumbers, checkOptions, describe, InputError, renameField } from "../core/index.ts";
import {
  checkFinite,
  firstNonFinite,
  flatten,
  type Layout,
  layoutOf,
  type ParameterArray,
  type ParameterInput,
  type ParameterSet,
  readParameters,
  type Tensors,
  tensorField,
} from "../core/parameters.ts";
import type { Estimate } from "../lora/index.ts";
import { checkPlan, type GroupPatterns, groupsOf, type ParameterGroups } from "./groups.ts";
import { clampedMean, meanOrder, shares } from "./weighted-mean.ts";

/** What goes along with the vectors. */
export interface SharedTransmission {
  /** w_k, sum 1. */
  readonly weights: Float64Array;
  /** Q: length of every vector. */
  readonly entries: number;
}

/** Takes one vector per client and estimates sum_k w_k v_k. */
export type SendShared<T extends Estimate = Estimate> = (
  vectors: readonly Float64Array[],
  transmission: SharedTransmission,
) => T;

export interface PartialAggregateOptions<T extends Estimate = Estimate> {
  /**
   * theta_k: the tensors of every client after its local training. Private tensors may be missing or have lengths of their own
   * on each client, frozen ones may be missing; shared ones have to agree in length and array type.
   */
  readonly clients: readonly ParameterInput[];
  /** Patterns of the groups; each has to match on some client. */
  readonly plan: GroupPatterns;
  /** n_k >= 0, scaled to sum 1. Default 1/K. The link of `send` must use the same, and one that tells its weights is held to it. */
  readonly weights?: ArrayLike<number>;
  /** Estimates sum_k w_k v_k, for example `(vectors) => link.aggregate(vectors, round)`; default: the mean itself. */
  readonly send?: SendShared<T>;
  /** theta_g: the shared tensors that the round began with (others are not read); needed with `send`. */
  readonly global?: ParameterInput;
}

export interface PartialAggregate<T extends Estimate = Estimate> {
  /** The new global values of the shared tensors, in the array type of the clients. */
  readonly shared: ParameterSet;
  /** What every client holds now: the new shared tensors, and bit for bit its own private and frozen ones. Copies. */
  readonly clients: readonly ParameterSet[];
  /** Of all names of all clients. */
  readonly groups: ParameterGroups;
  /** w_k, sum 1. */
  readonly weights: readonly number[];
  /** Q: reals that a client sends. */
  readonly entries: number;
  /** What `send` returned; nothing is sent where nothing is shared. */
  readonly transmission?: T;
}

/** Weights agree if their shares differ by less: rounding, also of weights that went through float32. */
const WEIGHT_TOLERANCE = 1e-6;

/**
 * One round of federated averaging of the shared tensors alone: shared <- sum_k w_k theta_k, private and frozen tensors
 * untouched (docs/personalisation.md).
 *
 * The exact mean lies between the smallest and the largest value of the clients of weight > 0 entry by entry, also after
 * rounding; it does not depend on the order of the clients, to the bit. With `send` the clients send what their training
 * changed, theta_k - theta_g, and the estimate is added to theta_g: the errors of the air are relative to the change, not
 * to the model.
 *
 * @throws InputError naming client and tensor (`clients[1]["head.weight"]`) where shared tensors are missing, differ in
 *   length or type or are not finite, where a frozen tensor differs between clients; naming patterns as `groupParameters`;
 *   on `send` without `global`, and where it returns another length, an entry that is not finite, other weights or a Promise.
 */
export function partialAggregate<T extends Estimate = Estimate>(
  options: PartialAggregateOptions<T>,
): PartialAggregate<T> {
  checkOptions(options, "partialAggregate", ["clients", "plan", "weights", "send", "global"]);
  const plan = checkPlan(options.plan, "plan");
  const clients = readClients(options.clients);
  const weights = shares(options.weights, clients.length);
  const union = new Map<string, ParameterArray>();
  for (const client of clients) {
    for (const [name, tensor] of client) if (!union.has(name)) union.set(name, tensor);
  }
  const groups = groupsOf(union, plan, "plan.");
  const isShared = new Set(groups.shared);
  const kept = new Set([...groups.frozen, ...groups.private]);
  checkShared(clients, groups.shared, union, kept);
  checkFrozen(clients, groups.frozen);
  const layout = layoutOf(union, kept);

  let transmission: T | undefined;
  const shared = new Map(groups.shared.map((name) => [name, union.get(name)!.slice()]));
  if (options.send === undefined) {
    const order = meanOrder(clients, groups.shared, weights);
    const ordered = order.map((k) => clients[k]!);
    const scaled = Float64Array.from(order, (k) => weights[k]!);
    for (const [name, out] of shared) {
      clampedMean(
        ordered.map((client) => client.get(name)!),
        scaled,
        out,
      );
    }
  } else {
    const origin = readGlobal(options.global, groups.shared, union);
    if (layout.size > 0) {
      transmission = sendChanges(options.send, clients, origin, layout, weights, shared);
    }
  }
  return {
    shared: Object.fromEntries([...shared].map(([name, tensor]) => [name, tensor.slice()])),
    clients: clients.map((client) =>
      Object.fromEntries(
        [...client].map(([name, tensor]) => [
          name,
          (isShared.has(name) ? shared.get(name)! : tensor).slice(),
        ]),
      ),
    ),
    groups,
    weights: Array.from(weights),
    entries: layout.size,
    ...(transmission === undefined ? {} : { transmission }),
  };
}

function readClients(value: unknown): Tensors[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new InputError("clients", describe(value), "an array of named tensors, one set per client");
  }
  return Array.from(value, (client, k) => readParameters(client, `clients[${k}]`));
}

/** Same names, lengths and array types as on the first client that has them, and finite. */
function checkShared(
  clients: readonly Tensors[],
  shared: readonly string[],
  union: Tensors,
  kept: ReadonlySet<string>,
): void {
  clients.forEach((client, k) => {
    for (const name of shared) {
      const [tensor, like] = [client.get(name), union.get(name)!];
      if (tensor?.length === like.length && kindOf(tensor) === kindOf(like)) continue;
      const found = tensor === undefined ? "nothing" : `${tensor.length} entries in a ${kindOf(tensor)}`;
      const expected = `${like.length} entries in a ${kindOf(like)}, as on the other clients: the tensor is shared`;
      throw new InputError(tensorField(`clients[${k}]`, name), found, expected);
    }
    checkFinite(client, `clients[${k}]`, kept);
  });
}

/** Bit for bit the same wherever it is held. */
function checkFrozen(clients: readonly Tensors[], frozen: readonly string[]): void {
  for (const name of frozen) {
    const first = clients.findIndex((client) => client.has(name));
    const like = clients[first]!.get(name)!;
    clients.forEach((client, k) => {
      const tensor = client.get(name);
      if (tensor === undefined || tensor === like) return;
      const field = tensorField(`clients[${k}]`, name);
      if (tensor.length !== like.length || kindOf(tensor) !== kindOf(like)) {
        throw new InputError(field, describe(tensor), `${like.length} entries, as on client ${first}`);
      }
      const at = firstDifference(tensor, like);
      if (at < 0) return;
      const expected = `${like[at]} as on client ${first}: the tensor is frozen; one that is trained is shared or private`;
      throw new InputError(`${field}[${at}]`, `${tensor[at]}`, expected);
    });
  }
}

/** The shared tensors of the global model. */
function readGlobal(value: unknown, shared: readonly string[], union: Tensors): Tensors {
  if (value === undefined) {
    const why = "the shared tensors that the round began with: what is sent is the difference to them";
    throw new InputError("global", "nothing", why);
  }
  const tensors = readParameters(value, "global");
  return new Map(
    shared.map((name) => {
      const [tensor, { length }] = [tensors.get(name), union.get(name)!];
      const field = tensorField("global", name);
      if (tensor === undefined) throw new InputError(field, "nothing", `a tensor of ${length} entries`);
      if (tensor.length !== length) {
        throw new InputError(field, describe(tensor), `${length} entries, as on the clients`);
      }
      const at = firstNonFinite(tensor);
      if (at >= 0) throw new InputError(`${field}[${at}]`, describe(tensor[at]), "a finite number");
      return [name, tensor];
    }),
  );
}

/** Writes theta_g + estimate into `shared`, rounded once to its array types. */
function sendChanges<T extends Estimate>(
  send: SendShared<T>,
  clients: readonly Tensors[],
  origin: Tensors,
  layout: Layout,
  weights: Float64Array,
  shared: ReadonlyMap<string, ParameterArray>,
): T {
  if (typeof send !== "function") {
    throw new InputError("send", describe(send), "a function of the vectors of all clients");
  }
  const start = flatten(origin, layout);
  const vectors = clients.map((client) => {
    const change = flatten(client, layout);
    for (let i = 0; i < change.length; i++) change[i]! -= start[i]!;
    return change;
  });
  const sent = send(vectors, { weights: weights.slice(), entries: layout.size });
  if (sent === null || typeof sent !== "object") {
    throw new InputError("send", `${describe(sent)} returned`, "an object with an estimate");
  }
  if (typeof (sent as { then?: unknown }).then === "function") {
    throw new InputError("send", "a Promise", "an estimate, at once");
  }
  if (sent.weights !== undefined) checkSameWeights(sent.weights, weights);
  const estimate = renameField(
    (field) => `send: ${field}`,
    () => checkNumbers(sent.estimate, "estimate", layout.size),
  );
  for (const { name, offset, length } of layout.segments) {
    const out = shared.get(name)!;
    for (let i = 0; i < length; i++) out[i] = start[offset + i]! + estimate[offset + i]!;
    if (firstNonFinite(out) >= 0) {
      throw new InputError("send: estimate", "values so large that they overflow", "finite parameters");
    }
  }
  return sent;
}

/** @throws InputError where a share w_k / sum_j w_j is another one. */
function checkSameWeights(used: ArrayLike<number>, asked: Float64Array): void {
  const own = renameField(
    (field) => `send: ${field}`,
    () => shares(used, asked.length),
  );
  asked.forEach((weight, k) => {
    if (Math.abs(own[k]! - weight) <= WEIGHT_TOLERANCE) return;
    throw new InputError(
      `send: weights[${k}]`,
      `${own[k]} of the sum`,
      `${weight}: the weights of the link and those of partialAggregate (default 1/K) must agree`,
    );
  });
}

function kindOf(tensor: ParameterArray): string {
  return Object.prototype.toString.call(tensor).slice(8, -1);
}

/** Index of the first entry with other bits, or -1: NaN payloads and the sign of zero count. */
function firstDifference(a: ParameterArray, b: ParameterArray): number {
  const words = a.BYTES_PER_ELEMENT / 4;
  const [left, right] = [a, b].map((x) => new Uint32Array(x.buffer, x.byteOffset, x.length * words));
  for (let i = 0; i < left!.length; i++) if (left![i] !== right![i]) return Math.floor(i / words);
  return -1;
}
