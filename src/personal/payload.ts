import type { LoraLayer, PayloadPlan } from "../bounds/index.ts";
import { checkInteger, checkOptions, describe, InputError } from "../core/index.ts";
import { matchNames, type NamePatterns, type ParameterInput } from "../core/parameters.ts";
import { checkPlan, type GroupPatterns, groupsOf, type ParameterSizes, readSizes } from "./groups.ts";

export interface PlanPayloadOptions {
  /** S and M of the link; both or neither. */
  readonly streams?: number;
  readonly subcarriers?: number;
  /** Of a digital transmission. Default 32. */
  readonly bitsPerEntry?: number;
}

/** What a device sends per round, and what it does not. */
export interface PlanPayload {
  /** Q: reals of the shared tensors. */
  readonly entries: number;
  /** Two reals each. */
  readonly complexSymbols: number;
  /** N_sym = ceil(Q / (2 S M)); where streams and subcarriers are given. */
  readonly symbols?: number;
  /** Of a digital transmission of Q entries. */
  readonly bytes: number;
  readonly privateEntries: number;
  readonly frozenEntries: number;
}

/** A matrix of `lora.layers` of a scenario, and the tensors that hold its factors. */
export interface NamedLayer extends LoraLayer {
  /** Both factors of all `count` copies: LoRA, or the two matrices of an adapter whose bottleneck is the rank. */
  readonly tensors: NamePatterns;
}

/** The parts of `lora` of a scenario that a plan decides. */
export interface ScenarioPayload {
  readonly layers: readonly LoraLayer[];
  readonly payload: Required<PayloadPlan>;
}

/** As in airfold/bounds. */
const LARGEST_SIZE = 2 ** 20;

/**
 * Counts the shared tensors of a model. Private and frozen ones do not enter, whatever their sizes.
 *
 * @param parameters one device's tensors, or their entries
 * @throws InputError on patterns without a match, and on counts that are not whole numbers.
 */
export function payloadOf(
  plan: GroupPatterns,
  parameters: ParameterInput | ParameterSizes,
  options: PlanPayloadOptions = {},
): PlanPayload {
  checkOptions(options, "payloadOf", ["streams", "subcarriers", "bitsPerEntry"]);
  const sizes = readSizes(parameters, "parameters");
  const groups = groupsOf(sizes, checkPlan(plan, "plan"), "plan.");
  const count = (names: readonly string[]): number => names.reduce((sum, name) => sum + sizes.get(name)!, 0);
  const entries = count(groups.shared);
  const bits = checkInteger(options.bitsPerEntry ?? 32, "bitsPerEntry", 1, 64);
  const perSymbol = entriesPerSymbol(options);
  return {
    entries,
    complexSymbols: Math.ceil(entries / 2),
    ...(perSymbol === undefined ? {} : { symbols: Math.ceil(entries / perSymbol) }),
    bytes: Math.ceil((entries * bits) / 8),
    privateEntries: count(groups.private),
    frozenEntries: count(groups.frozen),
  };
}

/**
 * What a plan makes of a scenario for `minimizeOptimalityGap`: a layer is shared if its tensors are (frozen ones, a fixed loraA,
 * do not count), and shared tensors of no layer are sent with the entries that they have, whatever the rank.
 *
 * @throws InputError naming the layer whose sizes are out of range, or whose tensors are partly private, are another layer's too, or do not exist.
 */
export function scenarioPayload(
  plan: GroupPatterns,
  parameters: ParameterInput | ParameterSizes,
  layers: readonly NamedLayer[],
): ScenarioPayload {
  const sizes = readSizes(parameters, "parameters");
  const groups = groupsOf(sizes, checkPlan(plan, "plan"), "plan.");
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new InputError("layers", describe(layers), "at least one layer");
  }
  const shared = new Set(groups.shared);
  const own = new Set(groups.private);
  const taken = new Map<string, number>();
  const indices: number[] = [];
  const plain = Array.from(layers, (layer: NamedLayer, i: number): LoraLayer => {
    const field = `layers[${i}]`;
    checkOptions(layer, field, ["dOut", "dIn", "count", "spectrum", "tensors"]);
    const { tensors, ...rest } = layer;
    checkInteger(layer.dOut, `${field}.dOut`, 1, LARGEST_SIZE);
    checkInteger(layer.dIn, `${field}.dIn`, 1, LARGEST_SIZE);
    checkInteger(layer.count ?? 1, `${field}.count`, 1, LARGEST_SIZE);
    if (tensors === undefined) throw new InputError(`${field}.tensors`, "nothing", "name patterns");
    const names = [...matchNames(sizes, tensors, `${field}.tensors`)];
    for (const name of names) {
      const other = taken.get(name);
      if (other !== undefined) {
        throw new InputError(
          `${field}.tensors`,
          `"${name}", a tensor of layers[${other}]`,
          "tensors of one layer",
        );
      }
      taken.set(name, i);
    }
    const sent = names.filter((name) => shared.has(name));
    const kept = names.filter((name) => own.has(name));
    if (sent.length > 0 && kept.length > 0) {
      throw new InputError(
        `${field}.tensors`,
        `"${sent[0]}" shared and "${kept[0]}" private`,
        "factors of one group",
      );
    }
    if (sent.length > 0) indices.push(i);
    return rest;
  });
  const tensors = groups.shared
    .filter((name) => !taken.has(name))
    .map((name) => ({ name, entries: sizes.get(name)! }));
  return { layers: plain, payload: { layers: indices, tensors } };
}

/** 2 S M, as in `ofdmSymbols` of airfold/bounds, a room that would be most of what a browser loads here. */
function entriesPerSymbol({ streams, subcarriers }: PlanPayloadOptions): number | undefined {
  if (streams === undefined && subcarriers === undefined) return undefined;
  return 2 * checkInteger(streams, "streams", 1) * checkInteger(subcarriers, "subcarriers", 1);
}
