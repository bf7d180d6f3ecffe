import {
  type ComplexJson,
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkSeed,
  describe,
  fromComplexJson,
  InputError,
  type RandomStream,
  randomStream,
  renameField,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import { type DelayProfile, tapPowers } from "./delay-profiles.ts";
import { createTransform } from "./dft.ts";
import { type PathLoss, pathGains } from "./path-loss.ts";

/**
 * The true channel of every device on every subcarrier. `matrices` has shape [K, M, Nr, Nt]; the receiver
 * noise is not part of it. The type is branded by `kind`: an estimated channel is another type, and only the
 * true one can be used for evaluation.
 */
export interface TrueChannel {
  readonly kind: "true";
  readonly matrices: ComplexStack;
  readonly devices: number;
  readonly subcarriers: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas: number;
}

/**
 * What is known of a channel: H = matrices + E, E independent of `matrices` with i.i.d. CN(0, errorVariance[k])
 * entries (the error of an MMSE estimate). Designs take it, evaluation does not.
 */
export interface EstimatedChannel {
  readonly kind: "estimated";
  readonly matrices: ComplexStack;
  /** se2_k >= 0, one per device. */
  readonly errorVariance: readonly number[];
  readonly devices: number;
  readonly subcarriers: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas: number;
}

/** What a design can be made for. */
export type Channel = TrueChannel | EstimatedChannel;

export interface RayleighOptions {
  /** K >= 1; designs are made for up to 8192 devices. */
  readonly devices: number;
  /** M >= 1, any number: powers of two are not needed. */
  readonly subcarriers: number;
  /** N_r >= 1. */
  readonly receiveAntennas: number;
  /** N_t >= 1. */
  readonly transmitAntennas: number;
  /** Number of taps of the impulse response, in samples. Default 1 (flat). */
  readonly taps?: number;
  /** Power-delay profile. Default `exponential`. */
  readonly delayProfile?: DelayProfile;
  /** Delay spread in taps (samples), > 0. Default 1. */
  readonly delaySpread?: number;
  /** Distance-dependent gains; or `gains`, not both. Default: every device has gain 1. */
  readonly pathLoss?: PathLoss;
  /** Power gain beta_k >= 0 of each device, linear. */
  readonly gains?: readonly number[];
  /** Kronecker correlation: exponential coefficient rho in [0, 1) of neighbouring receive antennas. */
  readonly receiveCorrelation?: number;
  /** The same for the transmit antennas. */
  readonly transmitCorrelation?: number;
  /** Whole number >= 0. */
  readonly seed: number;
}

export interface RicianOptions extends RayleighOptions {
  /** Power of the line of sight over that of the scattered part of the first tap, in dB. */
  readonly kFactorDb: number;
  /** Angle of arrival of each device in radians from broadside. Default: uniform in [-pi/3, pi/3], seeded. */
  readonly arrivalAngles?: readonly number[];
  /** Angle of departure of each device, likewise. */
  readonly departureAngles?: readonly number[];
}

const rayleighNames = [
  "devices",
  "subcarriers",
  "receiveAntennas",
  "transmitAntennas",
  "taps",
  "delayProfile",
  "delaySpread",
  "pathLoss",
  "gains",
  "receiveCorrelation",
  "transmitCorrelation",
  "seed",
] as const;
const ricianNames = [...rayleighNames, "kFactorDb", "arrivalAngles", "departureAngles"] as const;

/**
 * Multi-tap Rayleigh MIMO-OFDM channel: taps h_k[l] with i.i.d. CN(0, p_l) entries (Kronecker-correlated if
 * asked for), sum_l p_l = 1, H_km = sqrt(beta_k) sum_l h_k[l] exp(-2 pi i l m / M).
 *
 * Device k draws from its own random stream, so that adding devices leaves the others as they are.
 *
 * @returns matrices of shape [K, M, Nr, Nt]; E|entry|^2 = beta_k
 * @throws InputError naming the option that is missing, unknown or out of range.
 */
export function rayleighChannel(options: RayleighOptions): TrueChannel {
  checkOptions(options, "channel", rayleighNames);
  return multiTapChannel(options, () => undefined);
}

/**
 * As {@link rayleighChannel}, with a line of sight between half-wavelength uniform linear arrays on the first
 * tap: h_k[0] = sqrt(p_0) ( sqrt(x/(x+1)) e^{i phase} a_r a_t^H + sqrt(1/(x+1)) CN(0, 1) ), x the K-factor.
 *
 * @throws InputError naming the option that is missing, unknown or out of range.
 */
export function ricianChannel(options: RicianOptions): TrueChannel {
  checkOptions(options, "channel", ricianNames);
  const factor = 10 ** (checkNumber(options.kFactorDb, "channel.kFactorDb", -300, 300) / 10);
  for (const name of ["arrivalAngles", "departureAngles"] as const) {
    if (options[name] !== undefined) checkNumbers(options[name], `channel.${name}`, options.devices);
  }
  return multiTapChannel(options, (device, stream) => {
    const sight = stream.split("line-of-sight");
    const phase = 2 * Math.PI * sight.uniform();
    const drawAngle = (): number => (sight.uniform() - 0.5) * ((2 * Math.PI) / 3);
    const drawn = [drawAngle(), drawAngle()] as const;
    const arrival = Math.sin(options.arrivalAngles?.[device] ?? drawn[0]);
    const departure = Math.sin(options.departureAngles?.[device] ?? drawn[1]);
    return {
      scattered: Math.sqrt(1 / (factor + 1)),
      direct: Math.sqrt(factor / (factor + 1)),
      phaseAt: (row, col) => phase + Math.PI * (row * arrival - col * departure),
    };
  });
}

/** Line of sight of one device: amplitudes of both parts, and the phase between antennas row and col. */
interface LineOfSight {
  readonly scattered: number;
  readonly direct: number;
  phaseAt(row: number, col: number): number;
}

function multiTapChannel(
  options: RayleighOptions,
  lineOfSight: (device: number, stream: RandomStream) => LineOfSight | undefined,
): TrueChannel {
  const devices = checkInteger(options.devices, "channel.devices", 1);
  const subcarriers = checkInteger(options.subcarriers, "channel.subcarriers", 1, 2 ** 20);
  const nr = checkInteger(options.receiveAntennas, "channel.receiveAntennas", 1, 4096);
  const nt = checkInteger(options.transmitAntennas, "channel.transmitAntennas", 1, 4096);
  const taps = checkInteger(options.taps ?? 1, "channel.taps", 1, 65536);
  checkSize([devices, subcarriers, nr, nt]);
  const powers = renameField(
    (field) => `channel.${field}`,
    () => tapPowers(options.delayProfile ?? "exponential", taps, options.delaySpread ?? 1),
  );
  const receiveRoot = correlationRoot(options.receiveCorrelation, nr, "channel.receiveCorrelation");
  const transmitRoot = correlationRoot(options.transmitCorrelation, nt, "channel.transmitCorrelation");
  const root = randomStream(checkSeed(options.seed, "channel.seed"), "channel");
  const gains = deviceGains(options, devices, root);

  const matrices = new ComplexStack([devices, subcarriers, nr, nt]);
  const transform = createTransform(subcarriers);
  const size = 2 * nr * nt;
  const impulse = Array.from({ length: taps }, () => new Float64Array(size));
  const time = new Float64Array(2 * subcarriers);
  const frequency = new Float64Array(2 * subcarriers);
  for (let k = 0; k < devices; k++) {
    const stream = root.split("device", k);
    const sight = lineOfSight(k, stream);
    for (let l = 0; l < taps; l++) {
      const tap = impulse[l]!;
      stream.fillComplexNormal(tap, powers[l]!);
      correlate(tap, nr, nt, receiveRoot, transmitRoot);
      if (l === 0 && sight !== undefined) addLineOfSight(tap, nr, nt, sight, Math.sqrt(powers[0]!));
    }
    const amplitude = Math.sqrt(gains[k]!);
    for (let entry = 0; entry < size; entry += 2) {
      // a response longer than M samples wraps around: exp(-2 pi i l m / M) has period M in l
      time.fill(0);
      for (let l = 0; l < taps; l++) {
        const position = 2 * (l % subcarriers);
        time[position]! += amplitude * impulse[l]![entry]!;
        time[position + 1]! += amplitude * impulse[l]![entry + 1]!;
      }
      transform.forward(frequency, time);
      for (let m = 0; m < subcarriers; m++) {
        const target = (k * subcarriers + m) * size + entry;
        matrices.data[target] = frequency[2 * m]!;
        matrices.data[target + 1] = frequency[2 * m + 1]!;
      }
    }
  }
  checkEntries(matrices.data, matrices.shape, "channel");
  return describeChannel(matrices);
}

/** Entries must be finite and small enough to be squared. */
function checkEntries(data: Float64Array, shape: readonly number[], field: string): void {
  for (let i = 0; i < data.length; i++) {
    if (Math.abs(data[i]!) <= 1e100) continue;
    const place: number[] = [];
    let rest = i >> 1;
    for (const n of [...shape].reverse()) {
      place.unshift(rest % n);
      rest = Math.floor(rest / n);
    }
    const part = i % 2 === 0 ? "real" : "imaginary";
    throw new InputError(
      field,
      `${data[i]} (${part} part of entry [${place.join(", ")}])`,
      "at most 1e100 in size",
    );
  }
}

function addLineOfSight(tap: Float64Array, nr: number, nt: number, sight: LineOfSight, root: number): void {
  for (let row = 0; row < nr; row++) {
    for (let col = 0; col < nt; col++) {
      const i = 2 * (row * nt + col);
      const phase = sight.phaseAt(row, col);
      tap[i] = sight.scattered * tap[i]! + root * sight.direct * Math.cos(phase);
      tap[i + 1] = sight.scattered * tap[i + 1]! + root * sight.direct * Math.sin(phase);
    }
  }
}

/** Power gains beta_k of the devices of a simulated channel: E|entry|^2 of their matrices. */
export function simulatedGains(options: RayleighOptions): Float64Array {
  return deviceGains(options, options.devices, randomStream(options.seed, "channel"));
}

/** @param root the stream of the whole channel */
function deviceGains(options: RayleighOptions, devices: number, root: RandomStream): Float64Array {
  if (options.pathLoss !== undefined && options.gains !== undefined) {
    throw new InputError("channel.gains", "both gains and pathLoss", "one of the two");
  }
  const { pathLoss } = options;
  if (pathLoss !== undefined) {
    return renameField(
      (field) => `channel.${field}`,
      () => pathGains(pathLoss, devices, root.split("path-loss")),
    );
  }
  if (options.gains === undefined) return new Float64Array(devices).fill(1);
  return Float64Array.from(checkNumbers(options.gains, "channel.gains", devices, 0));
}

/** Lower Cholesky factor of the matrix rho^|i-j| in closed form (an AR(1) process). */
function correlationRoot(rho: number | undefined, n: number, field: string): Float64Array | undefined {
  if (rho === undefined || rho === 0) return undefined;
  checkNumber(rho, field, 0, 1 - 1e-12);
  const root = new Float64Array(n * n);
  const innovation = Math.sqrt(1 - rho * rho);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) root[i * n + j] = rho ** (i - j) * (j === 0 ? 1 : innovation);
  }
  return root;
}

/** H <- L_r H L_t^T in place; the factors are lower triangular and real. */
function correlate(
  tap: Float64Array,
  nr: number,
  nt: number,
  receiveRoot: Float64Array | undefined,
  transmitRoot: Float64Array | undefined,
): void {
  for (let part = 0; part < 2; part++) {
    const at = (row: number, col: number): number => 2 * (row * nt + col) + part;
    if (receiveRoot !== undefined) {
      for (let col = 0; col < nt; col++) {
        for (let i = nr - 1; i >= 0; i--) {
          let sum = 0;
          for (let j = 0; j <= i; j++) sum += receiveRoot[i * nr + j]! * tap[at(j, col)]!;
          tap[at(i, col)] = sum;
        }
      }
    }
    if (transmitRoot !== undefined) {
      for (let row = 0; row < nr; row++) {
        for (let i = nt - 1; i >= 0; i--) {
          let sum = 0;
          for (let j = 0; j <= i; j++) sum += transmitRoot[i * nt + j]! * tap[at(row, j)]!;
          tap[at(row, i)] = sum;
        }
      }
    }
  }
}

/**
 * A channel that the user has: measured, or made by another simulator.
 *
 * @param source a ComplexStack of shape [K, M, Nr, Nt], or its JSON form { shape, re, im }; it is copied
 * @throws InputError if the shape is not four-dimensional and non-empty, or an entry is NaN or infinite.
 */
export function channelFrom(source: ComplexStack | ComplexJson, field = "channel"): TrueChannel {
  if (source === null || typeof source !== "object") {
    throw new InputError(field, describe(source), "a stack or JSON form of shape [K, M, Nr, Nt]");
  }
  const array = source instanceof ComplexStack ? source : fromComplexJson(source, field);
  const { shape } = array;
  if (shape.length !== 4) {
    throw new InputError(field, `shape [${shape.join(", ")}]`, "shape [K, M, Nr, Nt], four dimensions");
  }
  if (shape.some((n) => n < 1)) {
    throw new InputError(field, `shape [${shape.join(", ")}]`, "every dimension >= 1");
  }
  checkEntries(array.data, shape, field);
  return describeChannel(new ComplexStack(shape, array.data.slice()));
}

function describeChannel(matrices: ComplexStack): TrueChannel {
  const [devices, subcarriers, receiveAntennas, transmitAntennas] = matrices.shape as [
    number,
    number,
    number,
    number,
  ];
  return Object.freeze({
    kind: "true",
    matrices,
    devices,
    subcarriers,
    receiveAntennas,
    transmitAntennas,
  });
}

/** Refuses channels that would not fit in memory (1 GiB). */
function checkSize(shape: readonly number[]): void {
  const entries = shape.reduce((product, n) => product * n, 1);
  if (entries > 2 ** 26) {
    throw new InputError("channel", `${entries} entries (${shape.join(" x ")})`, "at most 2^26 entries");
  }
}

/** Throws unless the value is a true channel made by this module. */
export function checkTrueChannel(channel: TrueChannel, field = "channel"): TrueChannel {
  checkShape(channel, field, ["true"]);
  return channel;
}

/** Throws unless the value is a channel, true or estimated. */
export function checkChannel(channel: Channel, field = "channel"): Channel {
  checkShape(channel, field, ["true", "estimated"]);
  if (channel.kind === "estimated") checkErrorVariance(channel, field);
  return channel;
}

/** Throws unless the value is an estimated channel. */
export function checkEstimatedChannel(channel: EstimatedChannel, field = "channel"): EstimatedChannel {
  checkShape(channel, field, ["estimated"]);
  checkErrorVariance(channel, field);
  return channel;
}

function checkErrorVariance(channel: EstimatedChannel, field: string): void {
  checkNumbers(channel.errorVariance, `${field}.errorVariance`, channel.devices, 0, 1e100);
}

function checkShape(channel: Channel, field: string, kinds: readonly Channel["kind"][]): void {
  if (channel === null || typeof channel !== "object") {
    throw new InputError(field, describe(channel), "a channel (see rayleighChannel, channelFrom)");
  }
  checkChoice(channel.kind, `${field}.kind`, kinds);
  if (!(channel.matrices instanceof ComplexStack) || channel.matrices.shape.length !== 4) {
    throw new InputError(`${field}.matrices`, describe(channel.matrices), "a stack of shape [K, M, Nr, Nt]");
  }
}
