/**
 * Runs the study: node run.mjs [--quick] [--jobs n] [--out folder]. The choice of learning rates, then the trainings, then
 * tables and figures. Whatever is finished is in a log, trainings under way are saved every few rounds, and a restart goes on
 * from there.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../../shared/log.mjs";
import { openFolder, openPool, readFlags, writeFiles } from "../../shared/study.mjs";
import { plan, trialsOf, tuningTrial, tuningTrialsOf } from "./plan.mjs";
import { lossOf, report } from "./report.mjs";

const usage = "usage: run.mjs [--quick] [--jobs n] [--out folder]";
const flags = readFlags(usage);
const settings = plan(flags.quick);
const name = flags.quick ? "personalised-tasks-quick" : "personalised-tasks";
const { out, inside: checkpoints } = openFolder(flags.out, name, "checkpoints");

const log = openLog(join(out, "study.ndjson"), JSON.stringify({ study: "personalised-tasks", settings }));
const trials = trialsOf(settings);
const tuning = tuningTrialsOf(settings);
const planned = [...tuning, ...trials].map(({ id }) => id);
const progress = createProgress(planned);
const pool = openPool(new URL("./worker.mjs", import.meta.url), flags.jobs);
for (const population of Object.keys(settings.populations)) {
  const own = (list) => list.filter((trial) => trial.population === population);
  await runAll(own(tuning), ({ rate }) => rate);
  // while the best rate of a plan is the largest or the smallest that it tried, it tries one more
  for (let wider = widerRates(population); wider.length > 0; wider = widerRates(population)) {
    tuning.push(...wider);
    await runAll(wider, ({ rate }) => rate);
  }
  await runAll(own(trials), bestRate);
}
await pool.destroy();
rmSync(checkpoints, { recursive: true, force: true });
log.sort([...tuning, ...trials].map(({ id }) => id));

const results = (list) => list.map(({ id }) => log.finished.get(id));
writeFiles(out, await report(settings, { tuning: results(tuning), trials: results(trials) }));

/** Does what is not in the log yet. */
async function runAll(jobs, rateOf) {
  await Promise.all(
    jobs
      .filter(({ id }) => !log.finished.has(id))
      .map(async (trial) => {
        const checkpoint = join(checkpoints, `${trial.id.replaceAll(" ", "-")}.json`);
        const result = await pool.run({ trial, rate: rateOf(trial), settings, checkpoint });
        log.append(result);
        progress.done(trial.id);
      }),
  );
}

/** What a plan tried in a population: { rate, loss }, by rate. */
function tried({ population, plan: planName }) {
  return tuning
    .filter((one) => one.population === population && one.plan === planName)
    .map(({ id, rate }) => ({ rate, loss: lossOf(log.finished.get(id)) }))
    .sort((a, b) => a.rate - b.rate);
}

/** The rate of the lowest validation loss; of equal ones the smallest. */
function bestRate(trial) {
  return tried(trial).reduce((best, one) => (one.loss < best.loss ? one : best)).rate;
}

/** One more rate for every plan whose best one is at an end of those that it tried. */
function widerRates(population) {
  const [smallest, largest] = settings.tuning.bounds;
  return settings.populations[population].air.flatMap((planName) => {
    const rates = tried({ population, plan: planName }).map(({ rate }) => rate);
    const best = bestRate({ population, plan: planName });
    const next = best === rates.at(-1) ? 2 * best : best === rates[0] ? best / 2 : undefined;
    if (next === undefined || next < smallest || next > largest) return [];
    return [tuningTrial(settings, population, planName, next)];
  });
}

/** One line per finished training, with the time left: that of those done in this run, times what is missing. */
function createProgress(ids) {
  const left = new Set(ids.filter((id) => !log.finished.has(id)));
  const began = performance.now();
  let now = 0;
  return {
    done(id) {
      left.delete(id);
      now += 1;
      const minutes = ((performance.now() - began) / 60_000 / now) * left.size;
      process.stderr.write(`${id}: done; ${left.size} to go, ${minutes.toFixed(1)} minutes left\n`);
    },
  };
}
