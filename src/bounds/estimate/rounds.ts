import { checkInteger, checkNumber, describe, InputError } from "../../core/index.ts";
import { checkOrder, samePoint, sumOfSquares, vector, wrongLength } from "./record-checks.ts";
import type { LoggedVector, TrainingRecord } from "./types.ts";

/** What the lines of one round say together. The two vectors are valid until the next record is added. */
export interface Round {
  readonly parameters: Float64Array;
  /** sum_k w_k g_k, of the means over each device's replicates. */
  readonly gradient: Float64Array;
  readonly loss: number;
  /** ||parameters||^2 */
  readonly parametersSquared: number;
  /** ||gradient||^2, noise included. */
  readonly gradientSquared: number;
  /** Variance of `gradient` by the replicates; undefined where a device has only one. */
  readonly gradientVariance: number | undefined;
  /** Variance of `loss` by the replicates; as above. */
  readonly lossVariance: number | undefined;
  /** sum_k w_k^2 (variance of one replicate of device k), chi2 of this round; as above. */
  readonly stochasticVariance: number | undefined;
  /** Q packScale^2 of the gradients as devices send them; undefined in a log of the global objective. */
  readonly scaledPower: number | undefined;
  /** max_k ||grad f_k||^2, less the noise where it is known; as above. */
  readonly largestDevice: number | undefined;
  /** sum_k w_k ||g_k - g||^2 of gradients as devices send them, in the mean over their noise. */
  readonly dissimilarity: number | undefined;
  /**
   * Variance of `gradient` less that of the round before, by the disagreement of the devices about this change: noise, or
   * different curvatures. Undefined where there are replicates, or fewer than 3 devices.
   */
  readonly disagreement: number | undefined;
  /** Lines of this round. */
  readonly records: number;
}

export interface RoundReader {
  /** @throws InputError naming the field of the record. */
  add(record: TrainingRecord): void;
  /** Ends the last round. */
  finish(): void;
  readonly summary: LogSummary;
}

export interface LogSummary {
  records: number;
  rounds: number;
  /** n */
  entries: number;
  /** 0 in a log of the global objective. */
  devices: number;
  /** Rounds left out because other devices took part than in the first. */
  partialRounds: number;
  /** Replicates that repeat the one before them bit for bit. */
  repeated: number;
  firstRound: number | undefined;
  /** Names of fields that are not used. */
  readonly unused: Set<string>;
}

/** One device in the current round. */
interface Device {
  readonly weight: number;
  count: number;
  /** Mean over the replicates, and the sum of squared deviations from it (Welford). */
  readonly mean: Float64Array;
  squares: number;
  loss: number;
  lossSquares: number;
  /** Of each replicate: mean and variance of its entries. */
  readonly entryMeans: number[];
  readonly entryVariances: number[];
}

const fields: readonly string[] = ["round", "device", "weight", "parameters", "gradient", "loss"];
/** Of global records. */
const everyone = -1;

/** Collects records into rounds and hands each complete round to `onRound`. Memory: one round. */
export function readRounds(onRound: (round: Round) => void): RoundReader {
  const summary: LogSummary = {
    records: 0,
    rounds: 0,
    entries: 0,
    devices: 0,
    partialRounds: 0,
    repeated: 0,
    firstRound: undefined,
    unused: new Set(),
  };
  const weights = new Map<number, number | undefined>();
  const current = new Map<number, Device>();
  const pool: Float64Array[] = [];
  /** Gradients of the devices in the round before. */
  let before: readonly Device[] = [];
  let expected: number[] = [];
  let roundNumber: number | undefined;
  let parameters = new Float64Array(0);
  let gradient = new Float64Array(0);
  let parametersSquared = 0;
  let lines = 0;

  function add(record: TrainingRecord): void {
    if (record === null || typeof record !== "object" || Array.isArray(record)) {
      throw new InputError("record", describe(record), "an object");
    }
    for (const name of Object.keys(record)) {
      if (!fields.includes(name) && summary.unused.size < 20) summary.unused.add(name);
    }
    const point = vector(record.parameters, "parameters");
    const slope = vector(record.gradient, "gradient");
    const count = summary.entries || point.length;
    if (point.length !== count) throw wrongLength("parameters", point, count, "as in the first record");
    if (slope.length !== count) throw wrongLength("gradient", slope, count, "as in parameters");
    if (record.loss === undefined) throw new InputError("loss", "nothing", "a finite number");
    const loss = checkNumber(record.loss, "loss", -1e150, 1e150);
    const round = record.round === undefined ? undefined : checkInteger(record.round, "round");
    const device = record.device === undefined ? everyone : checkInteger(record.device, "device");
    const weight = record.weight === undefined ? undefined : checkNumber(record.weight, "weight", 0, 1e150);
    const squared = sumOfSquares(point, "parameters");
    sumOfSquares(slope, "gradient");
    if (summary.records === 0) {
      summary.entries = count;
      summary.firstRound = round;
      parameters = new Float64Array(count);
      gradient = new Float64Array(count);
    } else if ((round === undefined) !== (roundNumber === undefined)) {
      throw new InputError("round", describe(round ?? "nothing"), "a round in all records, or in none");
    }
    checkDevice(device, weight);
    const isNew =
      summary.records === 0 ||
      (round === undefined ? !samePoint(point, parameters) : checkOrder(round, roundNumber!));
    if (isNew) {
      flush();
      parameters.set(point);
      parametersSquared = squared;
      roundNumber = round;
    } else if (round !== undefined && !samePoint(point, parameters)) {
      throw new InputError(
        "parameters",
        "other numbers than before in this round",
        "the same for all lines of a round",
      );
    }
    summary.records++;
    lines++;
    collect(device, slope, loss);
  }

  function checkDevice(device: number, weight: number | undefined): void {
    if (summary.records > 0 && (device === everyone) !== weights.has(everyone)) {
      throw new InputError(
        "device",
        device === everyone ? "nothing" : `${device}`,
        "a device in all records, or in none",
      );
    }
    if (!weights.has(device)) {
      const first = weights.values().next();
      if (!first.done && (first.value === undefined) !== (weight === undefined)) {
        throw new InputError("weight", describe(weight ?? "nothing"), "a weight in all records, or in none");
      }
      weights.set(device, weight);
    } else if (weights.get(device) !== weight) {
      throw new InputError(
        "weight",
        describe(weight ?? "nothing"),
        `${weights.get(device) ?? "none"}, as before for this device`,
      );
    }
  }

  function collect(id: number, slope: LoggedVector, loss: number): void {
    let device = current.get(id);
    if (device === undefined) {
      const mean = pool.pop() ?? new Float64Array(summary.entries);
      mean.fill(0);
      const weight = weights.get(id) ?? 1;
      device = {
        weight,
        count: 0,
        mean,
        squares: 0,
        loss: 0,
        lossSquares: 0,
        entryMeans: [],
        entryVariances: [],
      };
      current.set(id, device);
    }
    device.count++;
    const { mean, count } = device;
    let change = 0;
    let sum = 0;
    for (let i = 0; i < slope.length; i++) {
      const value = slope[i]!;
      const delta = value - mean[i]!;
      sum += value;
      change += delta * delta;
      mean[i]! += delta / count;
    }
    // sum of (g - old mean)(g - new mean) = (1 - 1/count) ||g - old mean||^2
    device.squares += change * (1 - 1 / count);
    if (count > 1 && change === 0) summary.repeated++;
    const lossChange = loss - device.loss;
    device.loss += lossChange / count;
    device.lossSquares += lossChange * (loss - device.loss);
    const entryMean = sum / slope.length;
    let deviation = 0;
    for (let i = 0; i < slope.length; i++) deviation += (slope[i]! - entryMean) ** 2;
    device.entryMeans.push(entryMean);
    device.entryVariances.push(deviation / slope.length);
  }

  function flush(): void {
    if (lines === 0) return;
    const records = lines;
    lines = 0;
    const present = [...current.keys()].sort((a, b) => a - b);
    const devices = present.map((id) => current.get(id)!);
    current.clear();
    if (summary.rounds === 0) {
      expected = present;
      summary.devices = present[0] === everyone ? 0 : present.length;
    } else if (present.length !== expected.length || present.some((id, i) => id !== expected[i])) {
      summary.partialRounds++;
      for (const { mean } of devices) pool.push(mean);
      return;
    }
    summary.rounds++;
    onRound(combine(devices, records));
    for (const { mean } of before) pool.push(mean);
    before = devices;
  }

  function combine(devices: readonly Device[], records: number): Round {
    const total = devices.reduce((sum, { weight }) => sum + weight, 0);
    if (!(total > 0)) throw new InputError("weight", "weights that sum to 0", "at least one weight > 0");
    const isReplicated = devices.every(({ count, weight }) => count > 1 || weight === 0);
    gradient.fill(0);
    let loss = 0;
    let variance = 0;
    let lossVariance = 0;
    let single = 0;
    let packMean = 0;
    let largestDevice = 0;
    for (const device of devices) {
      const { mean, count } = device;
      const share = device.weight / total;
      if (share === 0) continue;
      let squared = 0;
      for (let i = 0; i < mean.length; i++) {
        gradient[i]! += share * mean[i]!;
        squared += mean[i]! ** 2;
      }
      loss += share * device.loss;
      packMean += share * average(device.entryMeans);
      const own = count > 1 ? device.squares / (count - 1) : 0;
      single += share ** 2 * own;
      variance += (share ** 2 * own) / count;
      if (count > 1) lossVariance += (share ** 2 * device.lossSquares) / (count - 1) / count;
      largestDevice = Math.max(largestDevice, squared - own / count);
    }
    let power = 0;
    for (const { weight, entryMeans, entryVariances } of devices) {
      if (weight === 0) continue;
      for (let i = 0; i < entryMeans.length; i++) {
        power = Math.max(power, entryVariances[i]! + (entryMeans[i]! - packMean) ** 2);
      }
    }
    const isGlobal = summary.devices === 0;
    // of the means over replicates, and what single gradients differ more
    let dissimilarity = 0;
    for (const { mean, weight, count, squares } of devices) {
      const share = weight / total;
      if (share === 0) continue;
      for (let i = 0; i < mean.length; i++) dissimilarity += share * (mean[i]! - gradient[i]!) ** 2;
      if (count > 1) dissimilarity += (share - share ** 2) * (squares / count);
    }
    return {
      parameters,
      gradient,
      loss,
      parametersSquared,
      gradientSquared: sumOfSquares(gradient, "gradient"),
      gradientVariance: isReplicated ? variance : undefined,
      lossVariance: isReplicated ? lossVariance : undefined,
      stochasticVariance: isReplicated ? single : undefined,
      scaledPower: isGlobal ? undefined : gradient.length * power,
      largestDevice: isGlobal ? undefined : largestDevice,
      dissimilarity: isGlobal ? undefined : dissimilarity,
      disagreement: isReplicated || devices.length < 3 ? undefined : disagreement(devices, total),
      records,
    };
  }

  /** sum_k w_k^2 ||d_k - d||^2 K/(K-1) of the changes d_k since the round before: unbiased for equal devices and weights. */
  function disagreement(devices: readonly Device[], total: number): number | undefined {
    if (before.length === 0) return undefined;
    let sum = 0;
    for (let i = 0; i < gradient.length; i++) {
      let mean = 0;
      let own = 0;
      let cross = 0;
      let shares = 0;
      for (let k = 0; k < devices.length; k++) {
        const share = devices[k]!.weight / total;
        const change = devices[k]!.mean[i]! - before[k]!.mean[i]!;
        mean += share * change;
        own += (share * change) ** 2;
        cross += share ** 2 * change;
        shares += share ** 2;
      }
      sum += Math.max(0, own - 2 * cross * mean + shares * mean ** 2);
    }
    return (sum * devices.length) / (devices.length - 1);
  }

  return { add, finish: flush, summary };
}

function average(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
