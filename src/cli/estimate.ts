import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";
import { specifiedChannel } from "../aircomp/index.ts";
import {
  type ConstantEstimate,
  type ConstantsEstimator,
  constantsEstimator,
  type EstimatedConstants,
  type EstimateOptions,
  type LogSize,
  payloadEntries,
  type Scenario,
  scenarioSchema,
  type TrainingRecord,
} from "../bounds/index.ts";
import { canonicalJson, describe, InputError, parseInput, renameField, version } from "../core/index.ts";
import { schemaVersion } from "./documents.ts";
import { checkWritable, readJson, writeFiles } from "./files.ts";
import { readProblem } from "./input.ts";

interface EstimateFlags {
  readonly scenario?: string;
  readonly out?: string;
  readonly optimum?: string;
  readonly confidence?: string;
  readonly seed?: string;
  readonly conservative?: boolean;
}

/** A line longer than this is no line of a log (a string holds 2^29 characters). */
const longestLine = 2 ** 29 - 2 ** 16;
const newline = 10;

/** `airfold estimate`: from a training log to the constants of the bound, or to a scenario. */
export function estimateCommand(program: Command): void {
  program
    .command("estimate")
    .description("estimate the constants of the optimality gap from a training log")
    .argument(
      "<log>",
      'one JSON record per line ("-" reads standard input; see: airfold schema training-record)',
    )
    .option("--scenario <file>", "write this scenario, with the constants of the log in `learning`")
    .option("--out <file>", "write the result to this file instead of standard output")
    .option("--optimum <f>", "the least loss, where it is known (default: estimated)")
    .option("--confidence <c>", "nominal coverage of the intervals (default: 0.95)")
    .option("--conservative", "use the ends of the intervals that make the bound larger")
    .option("--seed <n>", "seed of the bootstrap (default: 1)")
    .action(async (path: string, flags: EstimateFlags) => {
      const options = optionsOf(flags);
      if (flags.out !== undefined) checkWritable(flags.out, "--out");
      if (path === "-" && flags.scenario === "-") {
        throw new InputError("--scenario", '"-", as for the log', "only one of the two from standard input");
      }
      const base = flags.scenario === undefined ? undefined : readScenario(flags.scenario);
      const estimator = renameField(flagOf, () => constantsEstimator(options));
      await readLog(path, estimator);
      const name = logName(path);
      const result = renameField(
        (field) =>
          field === "records" ? name : field.startsWith("options.") ? flagOf(field) : `${name}, ${field}`,
        () => estimator.finish(),
      );
      const document =
        base === undefined ? constantsDocument(options, result) : mergeScenario(base, result, options);
      const text = canonicalJson(document);
      if (flags.out === undefined) process.stdout.write(text);
      else writeFiles(new Map([[flags.out, text]]), "--out");
    });
}

function flagOf(field: string): string {
  return field.replace("options.", "--");
}

function optionsOf(flags: EstimateFlags): EstimateOptions & { readonly seed: number } {
  const number = (text: string, field: string): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(value)) throw new InputError(field, describe(text), "a number");
    return value;
  };
  return {
    seed: flags.seed === undefined ? 1 : number(flags.seed, "--seed"),
    use: flags.conservative === true ? "conservative" : "value",
    ...(flags.optimum === undefined ? {} : { optimum: number(flags.optimum, "--optimum") }),
    ...(flags.confidence === undefined ? {} : { confidence: number(flags.confidence, "--confidence") }),
  };
}

function logName(path: string): string {
  return path === "-" ? "standard input" : basename(path);
}

/** Feeds the estimator line by line. @throws InputError naming the line and the field. */
async function readLog(path: string, estimator: ConstantsEstimator): Promise<void> {
  const name = logName(path);
  let number = 0;
  const take = (bytes: Buffer): void => {
    number++;
    const line = bytes.toString("utf8").replace(number === 1 ? /^\uFEFF/ : /^$/, "");
    if (line.trim() === "") return;
    const where = `${name} line ${number}`;
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch (error) {
      const hint = /\b(NaN|Infinity)\b/.test(line) ? "; JSON has no NaN or Infinity" : "";
      const detail = error instanceof Error ? error.message : describe(error);
      throw new InputError(where, `what is not JSON (${detail}${hint})`, "one JSON object per line");
    }
    renameField(
      (field) => (field === "record" ? where : `${where}, ${field}`),
      () => estimator.add(record as TrainingRecord),
    );
  };
  if (path !== "-") checkFile(path);
  const stream = path === "-" ? process.stdin : createReadStream(path, { highWaterMark: 2 ** 18 });
  let parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        parts.push(chunk.subarray(start, end));
        take(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
        parts = [];
        size = 0;
        start = end + 1;
      }
      parts.push(chunk.subarray(start));
      size += chunk.length - start;
      if (size > longestLine) {
        throw new InputError(
          `${name} line ${number + 1}`,
          `more than ${longestLine} bytes`,
          "a shorter line",
        );
      }
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError("log", `"${path}", ${(error as Error).message}`, "a file that can be read");
  }
  if (size > 0) take(Buffer.concat(parts));
}

function checkFile(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) return;
  const problem = found === undefined ? "no such file or folder" : "a folder, not a file";
  throw new InputError("log", `"${path}", ${problem}`, "a file that can be read");
}

interface ScenarioText {
  readonly [field: string]: unknown;
  readonly learning: Readonly<Record<string, unknown>>;
}

interface BaseScenario {
  /** As it is written: a channel file stays a name. */
  readonly text: ScenarioText;
  /** The scenario with this learning block. @throws InputError naming what makes no sense. */
  parse(learning: Readonly<Record<string, unknown>>): Scenario;
}

/** What the log may provide: any numbers, for a check of the rest before the log is read. */
const provided = { smoothness: 1, initialGap: 1, gradientFloor: 1 };

function readScenario(path: string): BaseScenario {
  const base = renameField(
    (field) => (field === "file" ? "--scenario" : field),
    () => readJson(path, "--scenario"),
  );
  const problem = path === "-" ? base : readProblem(path);
  const isObject = (value: unknown): value is ScenarioText =>
    value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject(problem)) parseInput(scenarioSchema, problem as Scenario);
  const { learning = {}, ...rest } = problem as Partial<ScenarioText>;
  const parse = (block: object): Scenario =>
    parseInput(scenarioSchema, { ...rest, learning: block } as Scenario);
  parse(isObject(learning) ? { ...provided, ...learning } : learning);
  return { text: { ...(base as object), learning }, parse };
}

/** The base with the constants of the log; its rounds, and what the log cannot tell, stay. */
function mergeScenario(
  base: BaseScenario,
  { constants, learning, missing, log, notes }: EstimatedConstants,
  { use }: EstimateOptions,
): ScenarioText {
  const given = base.text.learning;
  const { rounds, ...estimated } = learning;
  const merged: Record<string, unknown> = { ...given, ...estimated };
  if (given["rounds"] === undefined && typeof given["totalTime"] !== "number") merged["rounds"] = rounds;
  const end = ({ value, interval }: ConstantEstimate): number => (use === "value" ? value : interval[1]);
  // constants that one form of the bound alone has
  if (merged["form"] === "non-convex") delete merged["plConstant"];
  if (merged["form"] === "quadratic") {
    for (const name of ["dissimilarityFloor", "dissimilaritySlope"] as const) {
      const estimate = constants[name];
      if (estimate !== undefined) merged[name] = end(estimate);
    }
  }
  const { heterogeneityFloor, heterogeneitySlope } = constants;
  if (
    merged["participation"] !== undefined &&
    heterogeneityFloor !== undefined &&
    heterogeneitySlope !== undefined
  ) {
    merged["participation"] = {
      ...(merged["participation"] as object),
      heterogeneityFloor: end(heterogeneityFloor),
      heterogeneitySlope: end(heterogeneitySlope),
    };
  }
  const { smoothness, plConstant } = merged as { readonly smoothness: unknown; readonly plConstant: unknown };
  if (typeof smoothness === "number" && typeof plConstant === "number" && plConstant > smoothness) {
    throw new InputError(
      "learning.plConstant",
      `${plConstant}, of the ${constants.plConstant === undefined ? "scenario" : "log"}`,
      `at most the smoothness ${smoothness}, of the ${constants.smoothness === undefined ? "scenario" : "log"}`,
    );
  }
  for (const name of ["smoothness", "plConstant", "initialGap", "gradientFloor"] as const) {
    if (merged[name] !== undefined || (name === "plConstant" && merged["form"] === "non-convex")) continue;
    throw new InputError(
      `learning.${name}`,
      `nothing in the scenario, nor in the log (${missing[name]})`,
      "a number in the scenario, or a log that tells it",
    );
  }
  const scenario = base.parse(merged);
  for (const note of notes) warn(note);
  for (const [name, reason] of Object.entries(missing)) {
    if (!(name in merged) && name !== "stochasticVariance") continue;
    warn(`learning.${name} stays as it was: ${reason}`);
  }
  for (const doubt of doubts(scenario, log)) warn(doubt);
  const { residual } = scenario.lora;
  const isScaled = residual?.kind === "spectral" || residual?.kind === "frozen";
  if (isScaled && residual.smoothness === undefined && merged["smoothness"] !== given["smoothness"]) {
    const before = typeof given["smoothness"] === "number" ? ` from ${given["smoothness"]}` : "";
    warn(
      `learning.smoothness changes${before} to ${merged["smoothness"]}, and the residual with it, which is scaled by it as ` +
        "lora.residual.smoothness (L_W) is absent",
    );
  }
  return { ...base.text, learning: merged };
}

function warn(text: string): void {
  process.stderr.write(`airfold: ${text}\n`);
}

/** What speaks against log and scenario being of the same training. */
function doubts({ channel, lora, solver }: Scenario, { parameters, devices }: LogSize): string[] {
  const found: string[] = [];
  const { known } = specifiedChannel(channel);
  if (devices !== 0 && devices !== known.devices) {
    found.push(`the log has ${devices} devices, the scenario ${known.devices}`);
  }
  const { layers, trained = "both", ranks, payload } = lora;
  const widest = Math.max(...layers.map(({ dOut, dIn }) => Math.min(dOut, dIn)));
  const maxRank = Math.min(widest, solver!.maxRank!);
  // a round of factors in turn sends one of them, a log may hold both
  const kinds = trained === "alternating" ? (["both", "alternating"] as const) : [trained];
  const isRank = kinds.some((kind) => {
    let rank = 1;
    while (rank < maxRank && payloadEntries(layers, rank, kind, payload) < parameters) rank++;
    return payloadEntries(layers, rank, kind, payload) === parameters;
  });
  if (ranks !== "per-layer" && !isRank) {
    found.push(
      `the log has ${parameters} parameters, as many as no rank of the scenario sends (lora.layers)`,
    );
  }
  return found;
}

function constantsDocument(
  { seed }: { readonly seed: number },
  { constants, missing, learning, log, notes }: EstimatedConstants,
): object {
  return { airfold: version, schemaVersion, seed, constants, missing, learning, log, notes };
}
