import { z } from "zod";
import { randomStream } from "../../core/index.ts";
import {
  add,
  type ComplexMatrix,
  multiply,
  multiplyConjugateLeft,
  randomMatrix,
  realInner,
  scale,
  svd,
  zeros,
} from "../../linalg/index.ts";
import { complexCircle, gradientNorm, lbfgs, multiStart, type Problem } from "../../manifold/index.ts";
import { linearAxis, sweepAxis } from "../axes.ts";
import { chartSpec, type PanelRow } from "../chart.ts";
import { allRows, countList, numberIn, where } from "../scenario.ts";
import { meanInterval, quantile } from "../statistics.ts";
import { seriesOf } from "../style.ts";
import type { CommonParameters, FigureDefinition, Row } from "../types.ts";

export interface ReflectingSurfaceParameters extends CommonParameters {
  readonly channels: number;
  /** Numbers of elements; the smaller surfaces are parts of the largest. */
  readonly elements: readonly number[];
  readonly antennas: number;
  /** Mean power of the path over one element, relative to the direct path. */
  readonly elementPower: number;
  /** Random starts of L-BFGS; the best result counts. */
  readonly starts: number;
  /** Random phases whose mean power counts. */
  readonly randomPhases: number;
}

const schema: z.ZodType<ReflectingSurfaceParameters> = z.strictObject({
  firstSeed: z.int().min(0),
  channels: z.int().min(1).describe("channel realisations; realisation i has the seed firstSeed + i"),
  elements: countList,
  antennas: z.int().min(1),
  elementPower: z.number().gt(0),
  starts: z.int().min(1),
  randomPhases: z.int().min(1),
});

const series = [
  { key: "bound", label: "upper bound", reference: true },
  { key: "optimized", label: "L-BFGS" },
  { key: "eigenvector", label: "phases of the eigenvector" },
  { key: "random", label: "random phases" },
] as const;

/** The gain |h + B x|^2 of a surface with n unit-modulus elements x, for a receiver with several antennas. */
export const reflectingSurface: FigureDefinition<ReflectingSurfaceParameters> = {
  name: "reflecting-surface",
  schema,
  parameters: (quick) => ({
    firstSeed: 1,
    channels: quick ? 3 : 20,
    elements: quick ? [16, 32, 64] : [16, 32, 64, 128, 256],
    antennas: quick ? 4 : 8,
    elementPower: 0.01,
    starts: quick ? 2 : 5,
    randomPhases: 20,
  }),
  taskCount: ({ channels }) => channels,
  runTask(parameters, channel) {
    const { firstSeed, antennas, elementPower, elements } = parameters;
    const seed = firstSeed + channel;
    const largest = Math.max(...elements);
    const direct = randomMatrix(antennas, 1, randomStream(seed, "direct"));
    // row i: element i. Its path is the channel to the element times the channel from it, both Rayleigh
    const incoming = randomMatrix(largest, 1, randomStream(seed, "incoming")).data;
    const paths = randomMatrix(largest, antennas, randomStream(seed, "outgoing"));
    const amplitude = Math.sqrt(elementPower);
    for (let i = 0; i < largest; i++) {
      for (let k = i * antennas; k < (i + 1) * antennas; k++) {
        const [re, im] = [paths.data[2 * k]!, paths.data[2 * k + 1]!];
        paths.data[2 * k] = amplitude * (re * incoming[2 * i]! - im * incoming[2 * i + 1]!);
        paths.data[2 * k + 1] = amplitude * (re * incoming[2 * i + 1]! + im * incoming[2 * i]!);
      }
    }
    const rows: Row[] = [];
    for (const count of elements) {
      const surface = firstPaths(paths, count);
      const gains = gainsOf(direct, surface, parameters, seed);
      const none = realInner(direct, direct);
      for (const [scheme, gain] of Object.entries(gains.power)) {
        rows.push({ channel, elements: count, scheme, gainDb: 10 * Math.log10(gain / none) });
      }
      const { spreadDb, converged, iterations } = gains;
      const check = singleAntennaError(direct, surface, seed);
      rows.push({
        channel,
        elements: count,
        scheme: "check",
        spreadDb,
        converged,
        iterations,
        singleAntennaError: check,
      });
    }
    return { rows };
  },
  table({ elements }, results) {
    const rows = allRows(results);
    const table: Row[] = [];
    const at = (scheme: string, count: number, column = "gainDb"): number[] =>
      where(rows, { scheme, elements: count }).map((row) => numberIn(row, column));
    const push = (
      quantity: string,
      scheme: string,
      count: number,
      values: readonly number[],
      more: Row = {},
    ): void => {
      const { mean, low, high, count: channels } = meanInterval(values);
      table.push({ quantity, scheme, elements: count, value: mean, low, high, channels, ...more });
    };
    for (const { key } of series) {
      for (const count of elements) {
        const checks = (column: string): number[] => at("check", count, column);
        const more: Row =
          key !== "optimized"
            ? {}
            : {
                medianIterations: quantile(checks("iterations"), 0.5),
                converged: checks("converged").reduce((a, b) => a + b, 0),
                largestSpreadDb: Math.max(...checks("spreadDb")),
                largestSingleAntennaError: Math.max(...checks("singleAntennaError")),
              };
        push("gain (dB)", key, count, at(key, count), more);
      }
    }
    for (const { key } of series) {
      if (key === "bound") continue;
      for (const count of elements) {
        const bounds = at("bound", count);
        push(
          "loss to the bound (dB)",
          key,
          count,
          at(key, count).map((gain, i) => bounds[i]! - gain),
        );
      }
    }
    return table;
  },
  spec({ elements, channels, antennas, elementPower, starts, randomPhases }, table) {
    const points = (quantity: string): PanelRow[] =>
      where(table, { quantity }).map((row) => ({
        series: String(row.scheme),
        x: numberIn(row, "elements"),
        y: numberIn(row, "value"),
        low: numberIn(row, "low"),
        high: numberIn(row, "high"),
      }));
    const gains = points("gain (dB)");
    const losses = points("loss to the bound (dB)");
    const reach = (rows: readonly PanelRow[]): number[] =>
      rows.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
    return chartSpec({
      description:
        "Gain of a reflecting surface against its number of elements for several choices of the phases",
      x: sweepAxis("Elements n", elements, true),
      series: seriesOf(series),
      panels: [
        { height: 180, y: linearAxis("Gain over no surface (dB)", [0, ...reach(gains)]), rows: gains },
        { height: 110, y: linearAxis("Below the bound (dB)", [0, ...reach(losses)]), rows: losses },
      ],
      note:
        `${antennas} antennas, Rayleigh channels; the path over one element has ${10 * Math.log10(elementPower)} dB of the direct path. `.replace(
          "-",
          "−",
        ) +
        `Best of ${starts} starts; mean power of ${randomPhases} random phases. Mean over ${channels} channels, band: 95 % t-interval; ` +
        "below: the same channels compared.",
    });
  },
};

/** B with the paths of the first elements as columns. */
function firstPaths(paths: ComplexMatrix, count: number): ComplexMatrix {
  const b = zeros(paths.cols, count);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < paths.cols; k++) {
      b.data[2 * (k * count + i)] = paths.data[2 * (i * paths.cols + k)]!;
      b.data[2 * (k * count + i) + 1] = paths.data[2 * (i * paths.cols + k) + 1]!;
    }
  }
  return b;
}

/** f(x) = -|h + B x|^2 / unit on the product of circles, with g = -2 B^H (h + B x) / unit. */
function gainProblem(h: ComplexMatrix, b: ComplexMatrix, unit: number): Problem<ComplexMatrix> {
  const received = (x: ComplexMatrix): ComplexMatrix => add(h, multiply(b, x));
  const both = (x: ComplexMatrix): { cost: number; gradient: ComplexMatrix } => {
    const y = received(x);
    return { cost: -realInner(y, y) / unit, gradient: scale(multiplyConjugateLeft(b, y), -2 / unit) };
  };
  return {
    manifold: complexCircle(b.cols),
    cost: (x) => both(x).cost,
    gradient: (x) => both(x).gradient,
    costAndGradient: both,
  };
}

interface Gains {
  readonly power: {
    readonly bound: number;
    readonly optimized: number;
    readonly eigenvector: number;
    readonly random: number;
  };
  /** From the best to the worst start. */
  readonly spreadDb: number;
  /** 1 if all starts converged. */
  readonly converged: number;
  /** Of the best start. */
  readonly iterations: number;
}

/** |h + B x|^2 by scheme. The bound is that of all x with |x|^2 = n: (n + 1) lambda_max of [h B]^H [h B]. */
function gainsOf(
  h: ComplexMatrix,
  b: ComplexMatrix,
  parameters: ReflectingSurfaceParameters,
  seed: number,
): Gains {
  const joint = zeros(b.rows, b.cols + 1);
  for (let k = 0; k < b.rows; k++) {
    joint.data.set(h.data.subarray(2 * k, 2 * k + 2), 2 * k * joint.cols);
    joint.data.set(b.data.subarray(2 * k * b.cols, 2 * (k + 1) * b.cols), 2 * (k * joint.cols + 1));
  }
  const { s, v } = svd(joint);
  const bound = joint.cols * s[0]! ** 2;
  const problem = gainProblem(h, b, bound);
  const gain = (x: ComplexMatrix): number => -bound * problem.cost(x);
  const { manifold } = problem;
  const { best, starts } = multiStart(problem, {
    starts: parameters.starts,
    seed,
    solver: lbfgs(),
    stop: gradientNorm(1e-7),
    record: false,
  });
  const stream = randomStream(seed, "phases");
  let random = 0;
  for (let i = 0; i < parameters.randomPhases; i++) random += gain(manifold.randomPoint(stream));
  const worst = Math.max(...starts.map(({ cost }) => cost));
  return {
    power: {
      bound,
      optimized: -bound * best.cost,
      eigenvector: gain(eigenvectorPhases(v)),
      random: random / parameters.randomPhases,
    },
    spreadDb: 10 * Math.log10(best.cost / worst),
    converged: starts.every(({ converged }) => converged) ? 1 : 0,
    iterations: best.iterations,
  };
}

/** The phases of the first column of v, relative to its first entry: that of the direct path, which has phase 0. */
function eigenvectorPhases(v: ComplexMatrix): ComplexMatrix {
  const x = zeros(v.rows - 1, 1);
  const phase = (i: number): number => Math.atan2(v.data[2 * i * v.cols + 1]!, v.data[2 * i * v.cols]!);
  for (let i = 1; i < v.rows; i++) {
    x.data[2 * i - 2] = Math.cos(phase(i) - phase(0));
    x.data[2 * i - 1] = Math.sin(phase(i) - phase(0));
  }
  return x;
}

/** With one antenna the best gain is (|h| + sum |b_i|)^2: the relative error of one run against it. */
function singleAntennaError(h: ComplexMatrix, b: ComplexMatrix, seed: number): number {
  const first = { rows: 1, cols: 1, data: h.data.slice(0, 2) };
  const row = { rows: 1, cols: b.cols, data: b.data.slice(0, 2 * b.cols) };
  let amplitude = Math.hypot(first.data[0]!, first.data[1]!);
  for (let i = 0; i < b.cols; i++) amplitude += Math.hypot(row.data[2 * i]!, row.data[2 * i + 1]!);
  const { best } = multiStart(gainProblem(first, row, amplitude ** 2), {
    starts: 1,
    seed,
    solver: lbfgs(),
    stop: gradientNorm(1e-7),
    record: false,
  });
  return Math.abs(best.cost + 1);
}
