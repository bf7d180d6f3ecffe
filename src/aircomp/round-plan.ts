import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkSeed,
  describe,
  InputError,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import { type ConverterOptions, checkConverter } from "./converters.ts";
import type { AnalogDesign } from "./design.ts";
import {
  checkDeviation,
  type Gradient,
  isSilent,
  LARGEST_SCALE,
  LARGEST_SYMBOL,
  tooLoud,
  usableScale,
} from "./packing.ts";
import { checkWeights } from "./weights.ts";

/** What a device tells the server before a round: its overhead, two scalars and a length. */
export interface GradientStatistics {
  /** Q */
  readonly entries: number;
  readonly mean: number;
  /** Root mean square of the deviations from `mean`; the mean of the squares is mean^2 + deviation^2. */
  readonly deviation: number;
}

/** What everybody must know of a round to take part in it. Plain numbers: it survives JSON and structured clone. */
export interface RoundPlan {
  readonly level: "subcarrier" | "time";
  readonly devices: number;
  readonly subcarriers: number;
  readonly streams: number;
  /** Q */
  readonly entries: number;
  /** N_sym */
  readonly symbols: number;
  readonly packMean: number;
  readonly packScale: number;
  /**
   * R_kk, power of each device's symbols: the diagonal of R. The server cannot know the rest of R. 0 for a device that
   * the design silences and whose symbols are too large to be squared.
   */
  readonly powers: readonly number[];
  /** Of the interleaving and the signs. */
  readonly seed: number;
  /** Samples of the cyclic prefix; level `time` only. */
  readonly prefix?: number;
  readonly transmitConverter?: ConverterOptions;
  readonly receiveConverter?: ConverterOptions;
}

export interface RoundOptions {
  /** One per device, in the order of the design. */
  readonly statistics: readonly GradientStatistics[];
  readonly design: AnalogDesign;
  /** w_k >= 0, scaled to sum 1. Default: those of the design. */
  readonly weights?: ArrayLike<number>;
  /** Another one in every round. */
  readonly seed: number;
  /** Default `subcarrier`. */
  readonly level?: "subcarrier" | "time";
  /** Samples of the cyclic prefix, 0 to M: needed at level `time` (see `requiredPrefix`). */
  readonly prefix?: number;
  readonly transmitConverter?: ConverterOptions;
  readonly receiveConverter?: ConverterOptions;
}

const planNames = [
  "level",
  "devices",
  "subcarriers",
  "streams",
  "entries",
  "symbols",
  "packMean",
  "packScale",
  "powers",
  "seed",
  "prefix",
  "transmitConverter",
  "receiveConverter",
] as const;
const timeNames = ["prefix", "transmitConverter", "receiveConverter"] as const;

/** So many entries have an interleaving. */
const MOST_ENTRIES = 2 ** 31;

/**
 * Length, mean and rms deviation of one gradient, on the device. Deviations from the device's own mean, not the mean
 * of its squares: that would lose the digits of gradients with a large mean.
 *
 * @throws InputError on gradients that are empty, or entries that are NaN, infinite or more than 1e300 from the mean.
 */
export function gradientStatistics(gradient: Gradient): GradientStatistics {
  const list = checkNumbers(gradient, "gradient");
  const entries = list.length;
  if (entries === 0) throw new InputError("gradient", describe(gradient), "at least one entry");
  let total = 0;
  for (let i = 0; i < entries; i++) total += list[i]!;
  const mean = total / entries;
  if (!Number.isFinite(mean)) {
    throw new InputError("gradient", "entries whose sum overflows", "smaller entries");
  }
  // in units of the largest deviation, so that squares neither overflow nor vanish
  let unit = 0;
  for (let i = 0; i < entries; i++) unit = Math.max(unit, Math.abs(list[i]! - mean));
  checkDeviation(unit, "gradient");
  let sum = 0;
  if (unit > 0) for (let i = 0; i < entries; i++) sum += ((list[i]! - mean) / unit) ** 2;
  return { entries, mean, deviation: unit * Math.sqrt(sum / entries) };
}

/**
 * The server's plan of a round: packMean = sum_k w_k mean_k and packScale^2 = max_k (deviation_k^2 + (mean_k -
 * packMean)^2) over the devices with weight (docs/theory.md, section 1), symbols and waveform.
 *
 * @throws InputError on statistics that do not fit each other or the design, or values out of range.
 */
export function planRound(options: RoundOptions): RoundPlan {
  checkOptions(options, "planRound", ["statistics", "design", "weights", "seed", "level", ...timeNames]);
  const { statistics, design, level = "subcarrier" } = options;
  const { devices, subcarriers, streams } = designSize(design);
  if (!Array.isArray(statistics) || statistics.length !== devices) {
    throw new InputError("statistics", describe(statistics), `${devices}, one per device`);
  }
  const weights = checkWeights(options.weights ?? design.weights, devices);
  // by the name that the option has (requiredPrefix tells what a channel needs)
  if (level === "time") checkInteger(options.prefix, "prefix", 0, subcarriers);
  let entries = 0;
  let mean = 0;
  statistics.forEach((one, k) => {
    const field = `statistics[${k}]`;
    checkOptions(one, field, ["entries", "mean", "deviation"]);
    checkInteger(one.entries, `${field}.entries`, 1, MOST_ENTRIES);
    if (k === 0) entries = one.entries;
    if (one.entries !== entries) {
      throw new InputError(`${field}.entries`, `${one.entries}`, `${entries}, as in statistics[0]`);
    }
    checkNumber(one.deviation, `${field}.deviation`, 0);
    mean += weights[k]! * checkNumber(one.mean, `${field}.mean`);
  });
  const spreads = statistics.map(({ deviation, mean: own }) => Math.hypot(deviation, own - mean));
  spreads.forEach((spread, k) => {
    if (weights[k]! > 0) checkDeviation(spread, `statistics[${k}]`);
  });
  const scale = usableScale(
    spreads.reduce((most, spread, k) => (weights[k]! > 0 ? Math.max(most, spread) : most), 0),
  );
  const size = design.transmit.data.length / devices;
  const powers = spreads.map((spread, k) => {
    const deviation = scale > 0 ? spread / scale : 0;
    if (deviation <= LARGEST_SYMBOL) return deviation ** 2;
    if (isSilent(design.transmit.data.subarray(k * size, (k + 1) * size))) return 0;
    throw tooLoud(`statistics[${k}]`);
  });
  return checkPlan({
    level,
    devices,
    subcarriers,
    streams,
    entries,
    symbols: Math.ceil(entries / (2 * streams * subcarriers)),
    packMean: mean,
    packScale: scale,
    powers,
    seed: checkSeed(options.seed),
    ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
    ...converter("transmitConverter", options.transmitConverter),
    ...converter("receiveConverter", options.receiveConverter),
  });
}

/** Infinity, which JSON does not have, is left out: it is the default. */
function converter(
  name: "transmitConverter" | "receiveConverter",
  given: ConverterOptions | undefined,
): Partial<Pick<RoundPlan, typeof name>> {
  if (given === undefined) return {};
  const { bits, clippingDb } = checkConverter(given, name);
  return { [name]: bits === Number.POSITIVE_INFINITY ? { clippingDb } : { bits, clippingDb } };
}

/**
 * The beamformers of one device, all that it must know of a design: B_k, shape [M, Nt, S], a copy.
 *
 * @throws InputError unless the design is analog and has this device.
 */
export function deviceBeamformers(design: AnalogDesign, device: number): ComplexStack {
  const { devices } = designSize(design);
  checkInteger(device, "device", 0, devices - 1);
  const [, ...shape] = design.transmit.shape;
  const size = design.transmit.data.length / devices;
  return new ComplexStack(shape, design.transmit.data.slice(device * size, (device + 1) * size));
}

function designSize(design: AnalogDesign): { devices: number; subcarriers: number; streams: number } {
  if (design === null || typeof design !== "object") {
    throw new InputError("design", describe(design), "a design (see designBeamformers, designFrom)");
  }
  checkChoice(design.kind, "design.kind", ["analog"]);
  if (!(design.transmit instanceof ComplexStack) || design.transmit.shape.length !== 4) {
    throw new InputError("design.transmit", describe(design.transmit), "a stack of shape [K, M, Nt, S]");
  }
  const [devices, subcarriers, , streams] = design.transmit.shape as [number, number, number, number];
  return { devices, subcarriers, streams };
}

/** @throws InputError naming the field of the plan that is missing, unknown or out of range. */
export function checkPlan(plan: RoundPlan): RoundPlan {
  checkOptions(plan, "plan", planNames);
  checkChoice(plan.level, "plan.level", ["subcarrier", "time"]);
  const devices = checkInteger(plan.devices, "plan.devices", 1);
  const subcarriers = checkInteger(plan.subcarriers, "plan.subcarriers", 1, 2 ** 20);
  const streams = checkInteger(plan.streams, "plan.streams", 1);
  const entries = checkInteger(plan.entries, "plan.entries", 1, MOST_ENTRIES);
  const symbols = Math.ceil(entries / (2 * streams * subcarriers));
  checkInteger(plan.symbols, "plan.symbols", symbols, symbols);
  checkNumber(plan.packMean, "plan.packMean");
  checkNumber(plan.packScale, "plan.packScale", 0, LARGEST_SCALE);
  checkNumbers(plan.powers, "plan.powers", devices, 0, LARGEST_SYMBOL ** 2);
  checkSeed(plan.seed, "plan.seed");
  for (const name of timeNames) {
    if (plan.level === "subcarrier" && plan[name] !== undefined) {
      throw new InputError(`plan.${name}`, 'a waveform at level "subcarrier"', 'level "time" with it');
    }
  }
  if (plan.level === "time") checkInteger(plan.prefix, "plan.prefix", 0, subcarriers);
  if (plan.transmitConverter !== undefined) checkConverter(plan.transmitConverter, "plan.transmitConverter");
  if (plan.receiveConverter !== undefined) checkConverter(plan.receiveConverter, "plan.receiveConverter");
  return plan;
}
