import { join } from "node:path";
import type { Command } from "commander";
import { canonicalJson, checkChoice, InputError, version } from "../core/index.ts";
import {
  checkPlotPackages,
  type FigureName,
  type FigureParameters,
  figureNames,
  figureParameters,
  figureTaskCount,
  parseFigureFile,
  renderFigure,
} from "../figures/index.ts";
import { schemaVersion } from "./documents.ts";
import { makeFolder, readJson, writeFiles } from "./files.ts";
import { type Bar, type Crew, jobCount, progressBar, withCrew } from "./work.ts";

interface FigureFlags {
  readonly only?: readonly string[];
  readonly from?: string;
  readonly out: string;
  readonly quick?: boolean;
  readonly jobs?: string;
}

interface Plan {
  readonly name: FigureName;
  readonly parameters: FigureParameters;
}

/** `airfold figures`: computes and draws the figures. */
export function figuresCommand(program: Command): void {
  program
    .command("figures")
    .description("compute and draw the figures: SVG, PNG, CSV, and the JSON that regenerates each exactly")
    .option("--only <name...>", `only these: ${figureNames.join(", ")}`)
    .option("--from <file>", "draw again what this JSON file of an earlier run describes")
    .option("--out <folder>", "where to write", "out/figures")
    .option("--quick", "fewer channels and points")
    .option("--jobs <n>", "worker threads (default: one per core)")
    .action(async (flags: FigureFlags) => {
      const jobs = jobCount(flags.jobs);
      const plans = planFigures(flags);
      await checkPlotPackages();
      makeFolder(flags.out, "--out");
      const written = await withCrew(jobs, (crew) => {
        process.stderr.write(
          `airfold: drawing ${plans.map(({ name }) => name).join(", ")} (${jobs} ${jobs === 1 ? "job" : "jobs"})\n`,
        );
        return drawAll(crew, plans, flags.out);
      });
      process.stdout.write(canonicalJson({ airfold: version, schemaVersion, figures: written }));
    });
}

function planFigures(flags: FigureFlags): Plan[] {
  if (flags.from !== undefined) {
    if (flags.only !== undefined || flags.quick === true) {
      throw new InputError("--from", "also --only or --quick", "--from alone: the file says what to draw");
    }
    return [parseFigureFile(readJson(flags.from, "--from"))];
  }
  const names = flags.only?.map((name) => checkChoice(name, "--only", figureNames)) ?? figureNames;
  return [...new Set(names)].map((name) => {
    return { name, parameters: figureParameters(name, { quick: flags.quick === true }) };
  });
}

async function drawAll(crew: Crew, plans: readonly Plan[], folder: string): Promise<object[]> {
  const counts = plans.map(({ name, parameters }) => figureTaskCount(name, parameters));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const written: object[] = [];
  let before = 0;
  const bar = progressBar("figures");
  try {
    for (const [position, plan] of plans.entries()) {
      written.push(await draw(crew, plan, counts[position]!, folder, bar, before, total));
      before += counts[position]!;
    }
  } finally {
    bar.stop();
  }
  return written;
}

async function draw(
  crew: Crew,
  plan: Plan,
  count: number,
  folder: string,
  bar: Bar,
  before: number,
  total: number,
): Promise<object> {
  const { name, parameters } = plan;
  bar.update(before, total, name);
  const tasks = Array.from({ length: count }, (_, index) => ({
    kind: "figure" as const,
    name,
    parameters,
    index,
  }));
  const results = await crew.all(tasks, (done) => bar.update(before + done, total, name));
  const drawing = await renderFigure(name, parameters, results);
  const files = new Map<string, string | Uint8Array>([
    [join(folder, `${name}.svg`), drawing.svg],
    [join(folder, `${name}.png`), drawing.png],
    [join(folder, `${name}.csv`), drawing.csv],
    [join(folder, `${name}.json`), drawing.json],
  ]);
  writeFiles(files, "--out");
  process.stderr.write(`airfold: ${name} -> ${join(folder, name)}.{svg,png,csv,json}\n`);
  return { name, files: [...files.keys()] };
}
