import {
  checkChoice,
  checkNumber,
  checkOptions,
  checkSeed,
  describe,
  InputError,
  renameField,
} from "../../core/index.ts";
import { estimateEnvelope } from "./envelope.ts";
import { estimateOptimum, lossBelow, lossResolution, type RoundTable } from "./optimum.ts";
import { clearOfNoise, collectPairs, type PairCurvature } from "./pairs.ts";
import { samePoint } from "./record-checks.ts";
import { type LogSummary, readRounds } from "./rounds.ts";
import { endpointLimit, largestOf, meanOf, studentHalfWidth } from "./statistics.ts";
import type {
  ConstantEstimate,
  ConstantName,
  EstimatedConstants,
  EstimatedLearning,
  EstimateOptions,
  TrainingRecord,
} from "./types.ts";

/** For logs that do not fit in memory: records one by one. */
export interface ConstantsEstimator {
  /** @throws InputError naming the field of the record. */
  add(record: TrainingRecord): void;
  /** Ends the log. @throws InputError if there was no record, or if `options.optimum` is above a loss of the log. */
  finish(): EstimatedConstants;
}

type EstimatedLearningPart = Partial<EstimatedLearning>;
type Found = Partial<Record<ConstantName, ConstantEstimate>>;
type Missing = Partial<Record<ConstantName, string>>;

/** A round tells mu if its gradient is this many standard deviations of its noise. */
const clearGradient = 5;

/**
 * The constants of the optimality gap from what a training run has logged: gradients and losses at the points that it
 * visited (docs/estimating-constants.md: estimators, assumptions, measured coverage).
 *
 * What is estimated are the constants along the visited region. L is at least, and mu at most, what any pair or round
 * shows; the other ends of their intervals rest on an assumption about the distribution of these numbers.
 *
 * @param records lines of the log, in the order of the rounds; read once
 * @throws InputError `records[i]. ...` for a record that makes no sense, or `options. ...`
 */
export function estimateConstants(
  records: Iterable<TrainingRecord>,
  options: EstimateOptions = {},
): EstimatedConstants {
  const estimator = constantsEstimator(options);
  if (records === null || typeof records !== "object" || !(Symbol.iterator in records)) {
    throw new InputError("records", describe(records), "an array, or another iterable, of records");
  }
  let index = 0;
  for (const record of records) {
    renameField(
      (field) => `records[${index}]${field === "record" ? "" : `.${field}`}`,
      () => estimator.add(record),
    );
    index++;
  }
  return renameField(
    (field) =>
      field === "records" || field.startsWith("options.") ? field : `records[${index - 1}].${field}`,
    () => estimator.finish(),
  );
}

/** As {@link estimateConstants}, for one record after the other. Memory: one round, and 64 MB for pairs of rounds. */
export function constantsEstimator(options: EstimateOptions = {}): ConstantsEstimator {
  checkOptions(options, "options", ["optimum", "confidence", "use", "seed"]);
  const seed = checkSeed(options.seed ?? 1, "options.seed");
  const confidence = checkNumber(options.confidence ?? 0.95, "options.confidence", 0.5, 0.999);
  const use = checkChoice(options.use ?? "value", "options.use", ["value", "conservative"]);
  const optimum =
    options.optimum === undefined
      ? undefined
      : checkNumber(options.optimum, "options.optimum", -1e150, 1e150);
  const pairs = collectPairs(seed);
  const loss: number[] = [];
  const gradientSquared: number[] = [];
  const gradientVariance: number[] = [];
  const lossVariance: number[] = [];
  const powers: number[] = [];
  const largestDevices: number[] = [];
  const dissimilarities: number[] = [];
  const noises: number[] = [];
  let replicates = 0;
  // the point of the first round, until another is seen
  let onlyPoint: Float64Array | undefined;
  const reader = readRounds((round) => {
    if (loss.length === 0) onlyPoint = round.parameters.slice();
    else if (onlyPoint !== undefined && !samePoint(round.parameters, onlyPoint)) onlyPoint = undefined;
    pairs.add(round);
    loss.push(round.loss);
    gradientVariance.push(round.gradientVariance ?? 0);
    gradientSquared.push(round.gradientSquared - (round.gradientVariance ?? 0));
    lossVariance.push(round.lossVariance ?? 0);
    if (round.scaledPower !== undefined) powers.push(round.scaledPower);
    if (round.largestDevice !== undefined) largestDevices.push(round.largestDevice);
    if (round.dissimilarity !== undefined) dissimilarities.push(round.dissimilarity);
    if (round.stochasticVariance !== undefined) {
      noises.push(round.stochasticVariance);
      replicates += round.records;
    }
  });

  function finish(): EstimatedConstants {
    reader.finish();
    const { summary } = reader;
    if (summary.records === 0) throw new InputError("records", "no records", "at least one");
    const table = { loss, gradientSquared, gradientVariance, lossVariance };
    const below = optimum === undefined ? undefined : lossBelow(optimum, table);
    if (below !== undefined) {
      throw new InputError(
        "options.optimum",
        `${optimum}`,
        `at most ${below}, the least loss of the log beyond its noise`,
      );
    }
    const found: Found = {};
    const missing: Missing = {};
    const put = (name: ConstantName, result: Omit<ConstantEstimate, "confidence"> | string): void => {
      if (typeof result === "string") missing[name] = result;
      else found[name] = { ...result, confidence };
    };
    put("smoothness", smoothnessOf(pairs.result, confidence));
    put(
      "optimum",
      optimum === undefined
        ? estimateOptimum(table, found.smoothness?.interval[1], confidence)
        : { value: optimum, interval: [optimum, optimum], samples: 0, method: "given" },
    );
    put("plConstant", plConstantOf(table, found, confidence));
    const constant = constantReason(table, onlyPoint !== undefined);
    put("initialGap", initialGapOf(table, found.optimum, constant, confidence));
    const squares = gradientSquared.map((square) => Math.max(0, square));
    putEnvelope(put, ["gradientFloor", "gradientSlope"], squares, powers, confidence, seed);
    put("stochasticVariance", stochasticVarianceOf(noises, replicates, confidence));
    putEnvelope(put, ["heterogeneityFloor", "heterogeneitySlope"], squares, largestDevices, confidence, seed);
    putEnvelope(
      put,
      ["dissimilarityFloor", "dissimilaritySlope"],
      squares,
      dissimilarities,
      confidence,
      seed,
    );
    return {
      constants: found,
      missing,
      learning: learningOf(found, summary.rounds, use),
      log: {
        records: summary.records,
        rounds: summary.rounds,
        parameters: summary.entries,
        devices: summary.devices,
      },
      notes: notesOf(summary, pairs.result, noises, found),
    };
  }

  return { add: (record) => reader.add(record), finish };
}

type Result = Omit<ConstantEstimate, "confidence"> | string;

function smoothnessOf(pairs: PairCurvature, confidence: number): Result {
  const limit = endpointLimit(pairs.largest, confidence);
  if (limit === undefined) {
    if (pairs.tooNoisy > 0)
      return `the gradients of ${pairs.tooNoisy} pairs of rounds differ by less than ${clearOfNoise} standard deviations of their noise; log larger batches or rounds further apart`;
    return "fewer than 3 rounds at different parameters with different gradients";
  }
  const notes: string[] = [];
  if (!pairs.isComplete) notes.push("a sample of the pairs of rounds");
  if (pairs.tooNoisy > 0)
    notes.push(`${pairs.tooNoisy} pairs not used: gradients closer than ${clearOfNoise} standard deviations`);
  if (pairs.disagreeing > 0)
    notes.push(
      `in ${pairs.disagreeing} rounds the devices disagree about the change of the gradient: different curvatures, or noise, which would make this too large; replicates would tell`,
    );
  if (pairs.descent > 2 * pairs.secant)
    notes.push(
      "losses curve more than gradients change: are both of the same objective and written in full?",
    );
  return {
    value: limit.observed,
    interval: [Math.min(pairs.clear, limit.observed), limit.upper],
    samples: pairs.used,
    method: "largest curvature between pairs of rounds; upper end: end-point limit over rounds",
    ...(notes.length > 0 ? { note: notes.join("; ") } : {}),
  };
}

/** 1/mu is the largest 2 (f - f*) / ||grad f||^2. */
function plConstantOf(table: RoundTable, { optimum, smoothness }: Found, confidence: number): Result {
  if (optimum === undefined) return "the optimum is not known";
  const inverses = (f: number, margin = 0): number[] =>
    table.loss.flatMap((loss, t) => {
      const square = table.gradientSquared[t]!;
      const variance = table.gradientVariance[t]!;
      const isClear =
        square > 1e-290 &&
        square > clearGradient ** 2 * variance &&
        loss - optimum.value > lossResolution * (Math.abs(loss) + Math.abs(optimum.value)) &&
        loss - optimum.value > clearGradient * Math.sqrt(table.lossVariance[t]!);
      if (!(isClear && loss > f)) return [];
      // the largest variance that ||grad + noise||^2 can have: noise along the gradient
      return [(2 * (loss - f)) / (square + margin * Math.sqrt(2 * variance ** 2 + 4 * variance * square))];
    });
  const ratios = inverses(optimum.value);
  const limit = endpointLimit(ratios, confidence);
  if (limit === undefined)
    return "fewer than 2 rounds with a loss clearly above the optimum and a clear gradient";
  // a larger f* makes every ratio smaller, a smaller one larger
  const least = largestOf(inverses(optimum.interval[1], 3), limit.observed * 2 ** -40);
  const most = largestOf(inverses(optimum.interval[0]), limit.upper);
  const cap = smoothness?.value ?? Number.POSITIVE_INFINITY;
  const value = Math.min(1 / limit.observed, cap);
  const high = Math.max(value, Math.min(1 / least, smoothness?.interval[1] ?? Number.POSITIVE_INFINITY));
  return {
    value,
    interval: [Math.min(value, 1 / most), high],
    samples: ratios.length,
    method: "smallest ||grad f||^2 / (2 (f - f*)); lower end: end-point limit of its inverse",
    ...(1 / limit.observed > cap ? { note: "limited to the smoothness" } : {}),
  };
}

/** Why a log that stands still tells no gap, if it does: its optimum would be its own loss. */
function constantReason(table: RoundTable, isOnePoint: boolean): string | undefined {
  const isZero = table.gradientSquared.every((square, t) => square === 0 && table.gradientVariance[t] === 0);
  if (isZero) return "all gradients are 0: nothing tells how far the loss can fall";
  return isOnePoint
    ? "all rounds are at the same parameters: nothing tells how far the loss can fall"
    : undefined;
}

function initialGapOf(
  table: RoundTable,
  optimum: ConstantEstimate | undefined,
  constant: string | undefined,
  confidence: number,
): Result {
  if (optimum === undefined) return "the optimum is not known";
  const first = table.loss[0]!;
  const noise = studentHalfWidth(confidence, 1000) * Math.sqrt(table.lossVariance[0]!);
  const gap = first - optimum.value;
  // a given optimum that is below the losses still tells
  if (constant !== undefined && !(optimum.method === "given" && gap > 0)) return constant;
  return {
    value: Math.max(0, gap),
    interval: [
      Math.max(0, first - optimum.interval[1] - noise),
      Math.max(0, first - optimum.interval[0] + noise),
    ],
    samples: 1,
    method: "loss of the first round less the optimum",
    ...(gap < 0 ? { note: "the optimum lies above the first loss" } : {}),
  };
}

function putEnvelope(
  put: (name: ConstantName, result: Result) => void,
  names: readonly [ConstantName, ConstantName],
  x: readonly number[],
  y: readonly number[],
  confidence: number,
  seed: number,
): void {
  if (y.length < 3) {
    const reason = y.length < x.length ? "no record names its device" : "fewer than 3 rounds";
    for (const name of names) put(name, reason);
    return;
  }
  const { floor, slope, floorInterval, slopeInterval } = estimateEnvelope(x, y, confidence, seed);
  const rest = {
    samples: x.length,
    method: "line above all rounds with the least mean excess; bootstrap over rounds, upper end-point limit",
  };
  put(names[0], { value: floor, interval: floorInterval, ...rest });
  put(names[1], { value: slope, interval: slopeInterval, ...rest });
}

function stochasticVarianceOf(noises: readonly number[], replicates: number, confidence: number): Result {
  if (noises.length < 2) {
    return "fewer than 2 rounds in which every device has at least 2 lines (independent minibatches)";
  }
  const value = meanOf(noises);
  const spread = noises.reduce((sum, noise) => sum + (noise - value) ** 2, 0) / (noises.length - 1);
  const half = studentHalfWidth(confidence, noises.length - 1) * Math.sqrt(spread / noises.length);
  return {
    value,
    interval: [Math.max(0, value - half), value + half],
    samples: replicates,
    method: "sum_k w_k^2 (variance over replicates), mean over rounds with its t-interval",
    note: `largest round ${largestOf(noises, 0).toPrecision(4)}`,
  };
}

function learningOf(found: Found, rounds: number, use: "value" | "conservative"): EstimatedLearning {
  // only what was found: a key with the value undefined would hide the number of a scenario it is merged into
  const pick = (name: keyof EstimatedLearning & ConstantName, end: 0 | 1): EstimatedLearningPart => {
    const estimate = found[name];
    if (estimate === undefined) return {};
    return { [name]: use === "value" ? estimate.value : estimate.interval[end] };
  };
  return {
    ...pick("smoothness", 1),
    ...pick("plConstant", 0),
    ...pick("initialGap", 1),
    rounds,
    ...pick("gradientFloor", 1),
    ...pick("gradientSlope", 1),
    ...pick("stochasticVariance", 1),
  };
}

function notesOf(
  summary: LogSummary,
  pairs: PairCurvature,
  noises: readonly number[],
  found: Found,
): readonly string[] {
  const notes = [
    `${summary.records} records, ${summary.rounds} rounds, ${summary.entries} parameters, ${
      summary.devices === 0 ? "global objective" : `${summary.devices} devices`
    }`,
    "smoothness and plConstant are those along the visited points: the true ones can be larger and smaller",
  ];
  if (noises.length < summary.rounds)
    notes.push(
      `${summary.rounds - noises.length} rounds have no replicates: their gradients are taken as exact`,
    );
  if (summary.repeated > 0 && noises.some((noise) => noise > 0))
    notes.push(`${summary.repeated} lines repeat the gradient of another bit for bit: written twice?`);
  if (summary.partialRounds > 0)
    notes.push(`${summary.partialRounds} rounds left out: other devices than in the first round`);
  if ((summary.firstRound ?? 0) > 1)
    notes.push(`the log starts at round ${summary.firstRound}: so does initialGap`);
  if (pairs.tooClose > 0)
    notes.push(`${pairs.tooClose} pairs of rounds are too close together to tell a curvature`);
  if (found.smoothness === undefined && found.plConstant !== undefined)
    notes.push("plConstant is not checked against the smoothness");
  if (summary.unused.size > 0) notes.push(`fields not used: ${[...summary.unused].join(", ")}`);
  return notes;
}
