import { z } from "zod";

/** Numbers as a training stack has them. */
export type LoggedVector = Float64Array | Float32Array | readonly number[];

/** What one device (or the whole objective) computed at one point: one line of a training log. Other fields are ignored. */
export interface TrainingRecord {
  /** Rounds increase; lines of a round stand together. Without it, lines in a row with equal parameters are a round. */
  readonly round?: number | undefined;
  /** Which device; absent: loss and gradient are those of the global objective. */
  readonly device?: number | undefined;
  /** w_k >= 0, the same in every round; scaled to sum 1. Default: all equal. */
  readonly weight?: number | undefined;
  /** The point, n numbers; the same for all lines of a round. */
  readonly parameters: LoggedVector;
  /** The gradient there, n numbers. */
  readonly gradient: LoggedVector;
  /** The loss there. */
  readonly loss: number;
}

export interface EstimateOptions {
  /** f*, where it is known (0 for a model that fits its data exactly); not above the losses. Default: estimated. */
  readonly optimum?: number | undefined;
  /** Nominal coverage of the intervals, from 0.5 to 0.999. Default 0.95. */
  readonly confidence?: number | undefined;
  /** Which end of the intervals `learning` takes: the estimates, or the ends that make the bound larger. Default "value". */
  readonly use?: "value" | "conservative" | undefined;
  /** Of the bootstrap, and of the pairs where there are too many rounds for all of them. Default 1. */
  readonly seed?: number | undefined;
}

export interface ConstantEstimate {
  readonly value: number;
  /** [low, high], low <= value <= high. */
  readonly interval: readonly [number, number];
  /** Nominal coverage of the interval, under the assumptions of docs/estimating-constants.md. */
  readonly confidence: number;
  /** How many pairs, rounds or replicates it rests on. */
  readonly samples: number;
  /** In words: which estimator. */
  readonly method: string;
  /** What to be careful about. */
  readonly note?: string;
}

/** Constants of the bound that a log can tell, under the names that scenarios have for them; `optimum` is f*. */
export type ConstantName =
  | "smoothness"
  | "optimum"
  | "plConstant"
  | "initialGap"
  | "gradientFloor"
  | "gradientSlope"
  | "stochasticVariance"
  | "heterogeneityFloor"
  | "heterogeneitySlope"
  | "dissimilarityFloor"
  | "dissimilaritySlope";

/** Part of the `learning` block of a scenario. */
export interface EstimatedLearning {
  readonly smoothness?: number;
  readonly plConstant?: number;
  readonly initialGap?: number;
  readonly rounds: number;
  readonly gradientFloor?: number;
  readonly gradientSlope?: number;
  readonly stochasticVariance?: number;
}

export interface EstimatedConstants {
  readonly constants: Readonly<Partial<Record<ConstantName, ConstantEstimate>>>;
  /** Why the others are left out. */
  readonly missing: Readonly<Partial<Record<ConstantName, string>>>;
  /** For a scenario; what is missing is left out here too. `rounds` is the number of rounds in the log. */
  readonly learning: EstimatedLearning;
  /** What was read. */
  readonly log: LogSize;
  readonly notes: readonly string[];
}

export interface LogSize {
  readonly records: number;
  readonly rounds: number;
  /** n */
  readonly parameters: number;
  /** K; 0 in a log of the global objective. */
  readonly devices: number;
}

/** One line of a training log as JSON. */
export const trainingRecordSchema: z.ZodType<TrainingRecord> = z.looseObject({
  round: z
    .int()
    .min(0)
    .optional()
    .describe("round; increasing, the lines of a round together. Without: equal parameters in a row"),
  device: z.int().min(0).optional().describe("device; without: gradient and loss of the global objective"),
  weight: z
    .number()
    .min(0)
    .optional()
    .describe("w_k of the device, scaled to sum 1; on all lines or on none (then all are equal)"),
  parameters: z.array(z.number()).min(1).describe("the point; the same for all lines of a round"),
  gradient: z.array(z.number()).min(1).describe("gradient at these parameters, as many numbers"),
  loss: z.number().describe("loss at these parameters"),
});
