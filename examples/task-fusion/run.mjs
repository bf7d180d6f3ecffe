/**
 * Runs the study: node run.mjs [--tasks digits | mixed] [--quick] [--jobs n] [--out folder]. First the models of every
 * seed, then everything that is received. Whatever is finished is in a log, models are kept in files, and a restart goes
 * on from there.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../shared/log.mjs";
import { openFolder, openPool, readFlags, writeFiles } from "../shared/study.mjs";
import { missing, taskSets } from "./data.mjs";
import { jobsOf, plan } from "./plan.mjs";
import { report } from "./report.mjs";

const usage = "usage: run.mjs [--tasks digits | mixed] [--quick] [--jobs n] [--out folder]";
const flags = readFlags(usage, { tasks: { type: "string", default: "digits" } }, ({ tasks }) => {
  if (!Object.hasOwn(taskSets, tasks)) {
    throw new Error(`--tasks: found "${tasks}", expected ${Object.keys(taskSets).join(" or ")}`);
  }
  const absent = missing(tasks);
  if (absent !== undefined) throw new Error(`--tasks: found "${tasks}", but ${absent}`);
});
const settings = plan(flags.tasks, flags.quick);
const name = [
  "task-fusion",
  ...(flags.tasks === "digits" ? [] : [flags.tasks]),
  ...(flags.quick ? ["quick"] : []),
];
const { out, inside: folder } = openFolder(flags.out, name.join("-"), "models");

const log = openLog(join(out, "study.ndjson"), JSON.stringify({ study: "task-fusion", settings }));
const { models, conditions } = jobsOf(settings);
const pool = openPool(new URL("./worker.mjs", import.meta.url), flags.jobs);
pool.on("message", (text) => process.stderr.write(`${text}\n`));
await runAll(models, (job) => job);
await runAll(conditions, (job) => ({ ...job, coefficients: modelsOf(job.seed).coefficients }));
await pool.destroy();
rmSync(folder, { recursive: true, force: true });
log.sort([...models, ...conditions].map(({ id }) => id));

const finished = (jobs) => jobs.map(({ id }) => log.finished.get(id));
writeFiles(out, await report(settings, finished(models), finished(conditions)));

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
