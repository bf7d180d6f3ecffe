import {
  type ComplexArray,
  type ComplexJson,
  checkOptions,
  checkPositive,
  checkSeed,
  describe,
  fromComplexJson,
  InputError,
  renameField,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { checkTrueChannel, type TrueChannel } from "./channel.ts";
import { type Converter, type ConverterOptions, checkConverter } from "./converters.ts";
import { impulseResponses } from "./multipath.ts";
import { addSampleNoise, createOfdm, drawCarrierNoise } from "./ofdm.ts";
import {
  type Gradient,
  isSilent,
  isSquarable,
  type Packing,
  planPacking,
  tooLoud,
  usableScale,
} from "./packing.ts";
import { secondMoments } from "./prediction.ts";
import { checkPlan, type RoundPlan } from "./round-plan.ts";
import { decodeSymbols, encodeSymbols } from "./symbols.ts";
import {
  checkSynchronisation,
  drawSynchronisation,
  type SynchronisationOptions,
  synchronisationNames,
} from "./synchronisation.ts";
import { propagate, radiate, receiveSamples } from "./waveform.ts";

/**
 * A complex array as it comes from another process: a ComplexStack, what structured clone makes of one ({ shape, data }
 * with interleaved re, im), or its JSON form { shape, re, im }.
 */
export type Signal = ComplexArray | ComplexJson;

export interface EncodeOptions {
  readonly plan: RoundPlan;
  /** Q entries. */
  readonly gradient: Gradient;
  /** B_k, [M, Nt, S] (see `deviceBeamformers`). */
  readonly transmit: Signal;
}

/**
 * One device: its gradient as the signal that it transmits, x_m = B_km s_k, or the samples of it.
 *
 * @returns [N_sym, M, Nt]; at level `time` [N_sym (M + prefix), Nt]
 * @throws InputError on a gradient or beamformers that do not fit the plan, or a gradient of more power than was told.
 */
export function encode(options: EncodeOptions): ComplexStack {
  checkOptions(options, "encode", ["plan", "gradient", "transmit"]);
  const plan = checkPlan(options.plan);
  const { subcarriers, streams, symbols } = plan;
  const transmit = readSignal(options.transmit, [subcarriers, undefined, streams], "transmit");
  const nt = transmit.shape[1]!;
  const map = symbolMap(plan, options.gradient);
  const carriers = new ComplexStack([symbols, subcarriers, nt]);
  if (!isSilent(transmit.data)) {
    if (!isSquarable(options.gradient, map)) throw tooLoud("gradient");
    checkPower(options.gradient, map, plan);
    encodeSymbols(carriers.data, options.gradient, map, transmit.data, subcarriers, nt, streams);
  }
  if (plan.level === "subcarrier") return carriers;
  const ofdm = createOfdm(subcarriers, plan.prefix!);
  const samples = new ComplexStack([symbols * ofdm.length, nt]);
  radiate(samples.data, carriers.data, ofdm, nt, symbols, transmit.data, converterOf(plan.transmitConverter));
  return samples;
}

export interface SuperpositionOptions {
  readonly plan: RoundPlan;
  /** What `encode` gave, one per device in the order of the channel. */
  readonly signals: readonly Signal[];
  readonly channel: TrueChannel;
  /** sigma2 > 0 per receive antenna and subcarrier (or sample). */
  readonly noiseVariance: number;
  /** Of the noise and of synchronisation errors that are drawn. Default: that of the plan. */
  readonly seed?: number;
  /** At level `time`. Default: none. */
  readonly synchronisation?: SynchronisationOptions;
}

/**
 * The medium, where it is simulated: all signals through their channels, added up, with receiver noise.
 *
 * @returns [N_sym, M, Nr]; at level `time` [N_sym (M + prefix), Nr]
 * @throws InputError on signals that do not fit the plan or the channel.
 */
export function superposeSignals(options: SuperpositionOptions): ComplexStack {
  const names = ["plan", "signals", "channel", "noiseVariance", "seed", "synchronisation"];
  checkOptions(options, "superposeSignals", names);
  const plan = checkPlan(options.plan);
  const channel = checkTrueChannel(options.channel);
  const noiseVariance = checkPositive(options.noiseVariance, "noiseVariance");
  const seed = checkSeed(options.seed ?? plan.seed);
  const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = channel;
  const { symbols } = plan;
  if (devices !== plan.devices || subcarriers !== plan.subcarriers) {
    throw new InputError(
      "channel",
      `${devices} devices and ${subcarriers} subcarriers`,
      `${plan.devices} and ${plan.subcarriers}, as in the plan`,
    );
  }
  if (!Array.isArray(options.signals) || options.signals.length !== devices) {
    throw new InputError("signals", describe(options.signals), `${devices} signals, one per device`);
  }
  const errors = options.synchronisation ?? {};
  if (plan.level === "subcarrier") {
    if (options.synchronisation !== undefined) {
      throw new InputError("synchronisation", 'errors at level "subcarrier"', 'level "time" with them');
    }
    const received = new ComplexStack([symbols, subcarriers, nr]);
    drawCarrierNoise(received.data, subcarriers, nr, symbols, noiseVariance, seed);
    options.signals.forEach((signal, k) => {
      const { data } = readSignal(signal, [symbols, subcarriers, nt], `signals[${k}]`);
      for (let m = 0; m < subcarriers; m++) {
        const h = channel.matrices.at(k, m).data;
        for (let use = m; use < symbols * subcarriers; use += subcarriers) {
          kernel.multiply(received.data, 2 * use * nr, h, 0, data, 2 * use * nt, nr, nt, 1, 1, true);
        }
      }
    });
    return received;
  }
  checkOptions(errors, "synchronisation", synchronisationNames);
  checkSynchronisation(errors, devices, subcarriers, "synchronisation");
  const drawn = drawSynchronisation(errors, devices, seed);
  const responses = impulseResponses(channel);
  const ofdm = createOfdm(subcarriers, plan.prefix!);
  const samples = symbols * ofdm.length;
  const received = new ComplexStack([samples, nr]);
  const sent = new Float64Array(2 * samples * nt);
  options.signals.forEach((signal, k) => {
    sent.set(readSignal(signal, [samples, nt], `signals[${k}]`).data);
    propagate(received.data, sent, responses[k]!, ofdm, nr, nt, symbols, drawn[k]!);
  });
  addSampleNoise(received.data, ofdm, nr, symbols, noiseVariance, seed);
  return received;
}

export interface DecodeOptions {
  readonly plan: RoundPlan;
  /** What the server received: [N_sym, M, Nr], at level `time` [N_sym (M + prefix), Nr]. */
  readonly received: Signal;
  /** A, [M, Nr, S]: `receive` of the design. */
  readonly receive: Signal;
}

/**
 * The server: what it received as the estimate of sum_k w_k g_k, Q entries.
 *
 * @throws InputError on a signal or beamformers that do not fit the plan, or have entries larger than 1e100.
 */
export function decode(options: DecodeOptions): Float64Array {
  checkOptions(options, "decode", ["plan", "received", "receive"]);
  const plan = checkPlan(options.plan);
  const { subcarriers, streams, symbols, entries } = plan;
  const receive = readSignal(options.receive, [subcarriers, undefined, streams], "receive");
  const nr = receive.shape[1]!;
  let carriers: Float64Array;
  if (plan.level === "subcarrier") {
    carriers = readSignal(options.received, [symbols, subcarriers, nr], "received").data;
  } else {
    const ofdm = createOfdm(subcarriers, plan.prefix!);
    const { data } = readSignal(options.received, [symbols * ofdm.length, nr], "received");
    // converters write over what they are given
    const samples = plan.receiveConverter === undefined ? data : data.slice();
    carriers = new Float64Array(2 * symbols * subcarriers * nr);
    receiveSamples(carriers, samples, ofdm, nr, symbols, converterOf(plan.receiveConverter));
  }
  const estimate = new Float64Array(entries);
  decodeSymbols(estimate, carriers, symbolMap(plan), receive.data, subcarriers, nr, streams);
  if (!estimate.every((x) => Number.isFinite(x))) {
    throw new InputError("received", "samples whose estimate overflows", "smaller samples or packScale");
  }
  return estimate;
}

/**
 * R = X X^T / Q of a round, for a stack that has the gradients of all devices in one place: `correlation` of
 * `evaluateDesign`. Its diagonal is in the plan; the rest nobody can know who sees but the sum.
 *
 * @throws InputError on gradients that do not fit the plan.
 */
export function measuredCorrelation(plan: RoundPlan, gradients: readonly Gradient[]): number[][] {
  checkPlan(plan);
  if (!Array.isArray(gradients) || gradients.length !== plan.devices) {
    throw new InputError("gradients", describe(gradients), `${plan.devices} gradients, one per device`);
  }
  const maps = gradients.map((gradient, k) => symbolMap(plan, gradient, `gradients[${k}]`));
  const { mean, entries } = maps[0]!;
  const sent = gradients.map((gradient, k) => {
    if (isSquarable(gradient, maps[0]!)) return gradient;
    // as in the plan: it sends nothing
    if (plan.powers[k] === 0) return new Float64Array(entries).fill(mean);
    throw tooLoud(`gradients[${k}]`);
  });
  return secondMoments(sent, maps[0]!).correlation;
}

/**
 * With other statistics than the plan was made of, a device would break its power budget.
 *
 * @throws InputError on a gradient with more power than any device told.
 */
function checkPower(gradient: Gradient, { mean, scale, entries }: Packing, plan: RoundPlan): void {
  if (scale === 0) return;
  let power = 0;
  for (let i = 0; i < entries; i++) power += ((gradient[i]! - mean) / scale) ** 2 / entries;
  const told = Math.max(...plan.powers);
  if (power > told * (1 + 1e-9) + 1e-9) {
    throw new InputError(
      "gradient",
      `symbols of power ${power.toPrecision(4)}`,
      `at most ${told.toPrecision(4)}: the gradient whose statistics the plan was made of`,
    );
  }
}

/** Normalisation of the plan, and its interleaving. @throws InputError on a gradient that does not fit. */
function symbolMap(plan: RoundPlan, gradient?: Gradient, field = "gradient"): Packing {
  const { entries, packMean: mean } = plan;
  const perSymbol = 2 * plan.streams * plan.subcarriers;
  if (gradient !== undefined && gradient?.length !== entries) {
    throw new InputError(field, describe(gradient), `${entries} entries, as in the plan`);
  }
  const packing = renameField(
    (name) => name.replace("gradients[0]", field),
    () => planPacking([gradient ?? new Float64Array(entries)], Float64Array.of(1), perSymbol, plan.seed),
  );
  return { ...packing, mean, scale: usableScale(plan.packScale) };
}

function converterOf(given: ConverterOptions | undefined): Converter | undefined {
  return given === undefined ? undefined : checkConverter(given, "plan");
}

/** Of a signal or beamformer, as of channels. */
const LARGEST_ENTRY = 1e100;

/** @param shape what is expected; undefined: any number >= 1 */
function readSignal(value: Signal, shape: readonly (number | undefined)[], field: string): ComplexArray {
  if (value === null || typeof value !== "object") {
    throw new InputError(field, describe(value), "a complex array: { shape, data } or { shape, re, im }");
  }
  const array = "data" in value ? value : fromComplexJson(value, field);
  const expected = shape.map((n) => n ?? "any").join(", ");
  const fits =
    Array.isArray(array.shape) &&
    array.shape.length === shape.length &&
    array.shape.every((n, i) => Number.isSafeInteger(n) && n >= 1 && n === (shape[i] ?? n));
  if (!fits) {
    const found = Array.isArray(array.shape) ? `shape [${array.shape.join(", ")}]` : describe(array.shape);
    throw new InputError(`${field}.shape`, found, `shape [${expected}]`);
  }
  const { data } = array;
  const size = 2 * array.shape.reduce((product, n) => product * n, 1);
  if (!(data instanceof Float64Array) || data.length !== size) {
    throw new InputError(`${field}.data`, describe(data), `a Float64Array of ${size} numbers`);
  }
  for (let i = 0; i < size; i++) {
    if (Math.abs(data[i]!) <= LARGEST_ENTRY) continue;
    throw new InputError(
      `${field}.data[${i}]`,
      `${data[i]}`,
      `a finite number, at most ${LARGEST_ENTRY} in size`,
    );
  }
  return array;
}
