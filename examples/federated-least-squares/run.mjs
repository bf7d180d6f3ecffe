/**
 * Runs the studies: node examples/federated-least-squares/run.mjs [--quick] [--only bound-check | rank-choice]
 * [--jobs n] [--out folder]. Every finished trial is appended to a file, and a restart goes on from there.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Piscina } from "piscina";
import * as boundCheck from "./bound-check.mjs";
import * as rankChoice from "./rank-choice.mjs";
import { report as reportBounds } from "./report-bounds.mjs";
import { report as reportRanks } from "./report-ranks.mjs";

const studies = [
  { ...boundCheck, report: reportBounds },
  { ...rankChoice, report: reportRanks },
];

const flags = readFlags();
const out =
  flags.out ?? join("out", flags.quick ? "federated-least-squares-quick" : "federated-least-squares");

mkdirSync(out, { recursive: true });
const pool = new Piscina({
  filename: new URL("./worker.mjs", import.meta.url).href,
  maxThreads: Number(flags.jobs),
});
for (const study of studies) {
  if (flags.only !== undefined && study.name !== flags.only) continue;
  const trials = await runStudy(study);
  for (const [file, content] of await study.report(study.plan(flags.quick), trials)) {
    writeFileSync(join(out, file), content);
    process.stderr.write(`${join(out, file)}\n`);
  }
}
await pool.destroy();

/** All trials of a study in the order of their seeds, those of an earlier run from its log. */
async function runStudy({ name, plan }) {
  const settings = plan(flags.quick);
  const log = join(out, `${name}.ndjson`);
  const header = JSON.stringify({ study: name, settings });
  const finished = readLog(log, header);
  const missing = settings.seeds.filter((seed) => !finished.has(seed));
  const began = performance.now();
  let done = 0;
  await Promise.all(
    missing.map(async (seed) => {
      const trial = await pool.run({ study: name, plan: settings, seed });
      finished.set(seed, trial);
      appendFileSync(log, `${JSON.stringify(trial, infinite)}\n`);
      done++;
      const left = ((performance.now() - began) / done / 60_000) * (missing.length - done);
      process.stderr.write(`${name}: ${done} of ${missing.length}, ${left.toFixed(1)} minutes left\n`);
    }),
  );
  return settings.seeds.map((seed) => finished.get(seed));
}

/** What an earlier run finished; a log of other settings is started anew, a line cut off is left out. */
function readLog(log, header) {
  const finished = new Map();
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n") : [];
  if (lines[0] !== header) {
    writeFileSync(log, `${header}\n`);
    return finished;
  }
  const whole = [header];
  for (const line of lines.slice(1)) {
    try {
      const trial = JSON.parse(line, (_, value) => (value === "Infinity" ? Number.POSITIVE_INFINITY : value));
      finished.set(trial.seed, trial);
      whole.push(line);
    } catch {
      // the run was killed while it wrote this line
    }
  }
  writeFileSync(log, `${whole.join("\n")}\n`);
  return finished;
}

function infinite(_, value) {
  return value === Number.POSITIVE_INFINITY ? "Infinity" : value;
}

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        jobs: { type: "string", default: String(availableParallelism()) },
        out: { type: "string" },
      },
    });
    const names = studies.map(({ name }) => name);
    if (values.only !== undefined && !names.includes(values.only)) {
      throw new Error(`--only: found "${values.only}", expected ${names.join(" or ")}`);
    }
    if (!/^[1-9]\d*$/.test(values.jobs)) {
      throw new Error(`--jobs: found "${values.jobs}", expected a whole number >= 1`);
    }
    return values;
  } catch (error) {
    process.stderr.write(`${error.message.split("\n")[0]}\n`);
    process.exit(2);
  }
}
