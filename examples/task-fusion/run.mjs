/**
 * Runs the study: node run.mjs [--tasks digits | mixed] [--quick] [--jobs n] [--out folder]. First the models of every
 * seed, then everything that is received. Whatever is finished is in a log, models are kept in files, and a restart goes
 * on from there.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Piscina } from "piscina";
import { openLog } from "../shared/log.mjs";
import { missing, taskSets } from "./data.mjs";
import { jobsOf, plan } from "./plan.mjs";
import { report } from "./report.mjs";

const usage = "usage: run.mjs [--tasks digits | mixed] [--quick] [--jobs n] [--out folder]";
const flags = readFlags();
const settings = plan(flags.tasks, flags.quick);
const name = [
  "task-fusion",
  ...(flags.tasks === "digits" ? [] : [flags.tasks]),
  ...(flags.quick ? ["quick"] : []),
];
const out = flags.out ?? fileURLToPath(new URL(`../out/${name.join("-")}`, import.meta.url));
const folder = join(out, "models");
try {
  mkdirSync(folder, { recursive: true });
} catch (error) {
  process.stderr.write(`--out: found ${out} (${error.code}), expected a folder that can be written\n`);
  process.exit(2);
}

const log = openLog(join(out, "study.ndjson"), JSON.stringify({ study: "task-fusion", settings }));
const { models, conditions } = jobsOf(settings);
const pool = new Piscina({
  filename: new URL("./worker.mjs", import.meta.url).href,
  maxThreads: Number(flags.jobs),
  minThreads: Number(flags.jobs),
  idleTimeout: Number.POSITIVE_INFINITY,
});
pool.on("message", (text) => process.stderr.write(`${text}\n`));
await runAll(models, (job) => job);
await runAll(conditions, (job) => ({ ...job, coefficients: modelsOf(job.seed).coefficients }));
await pool.destroy();
rmSync(folder, { recursive: true, force: true });
log.sort([...models, ...conditions].map(({ id }) => id));

const finished = (jobs) => jobs.map(({ id }) => log.finished.get(id));
for (const [file, content] of await report(settings, finished(models), finished(conditions))) {
  writeFileSync(join(out, file), content);
  process.stderr.write(`${join(out, file)}\n`);
}

/** Does what is not in the log yet, and says how long the rest will take. */
async function runAll(jobs, jobOf) {
  const left = jobs.filter(({ id }) => !log.finished.has(id));
  const began = performance.now();
  let done = 0;
  await Promise.all(
    left.map(async (job) => {
      const result = await pool.run({ settings, folder, ...jobOf(job) });
      log.append({ id: job.id, ...result });
      done++;
      const minutes = ((performance.now() - began) / 60_000 / done) * (left.length - done);
      process.stderr.write(`${job.id}: done; ${minutes.toFixed(1)} minutes left of this part\n`);
    }),
  );
}

function modelsOf(seed) {
  return log.finished.get(models.find((job) => job.seed === seed).id);
}

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        tasks: { type: "string", default: "digits" },
        quick: { type: "boolean", default: false },
        jobs: { type: "string", default: String(availableParallelism()) },
        out: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(`${usage}\n`);
      process.exit(0);
    }
    if (!Object.hasOwn(taskSets, values.tasks)) {
      throw new Error(`--tasks: found "${values.tasks}", expected ${Object.keys(taskSets).join(" or ")}`);
    }
    const absent = missing(values.tasks);
    if (absent !== undefined) throw new Error(`--tasks: found "${values.tasks}", but ${absent}`);
    if (!/^[1-9]\d*$/.test(values.jobs)) {
      throw new Error(`--jobs: found "${values.jobs}", expected a whole number >= 1`);
    }
    return values;
  } catch (error) {
    process.stderr.write(`${error.message.split("\n")[0]}; ${usage}\n`);
    process.exit(2);
  }
}
