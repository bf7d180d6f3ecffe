/**
 * Runs the study: node run.mjs [--quick] [--jobs n] [--out folder]. The choice of rates and penalties, then the trainings. Whatever is
 * finished is in a log, trainings under way are saved every few rounds, and a restart goes on from there.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../../shared/log.mjs";
import { openFolder, openPool, readFlags, writeFiles } from "../../shared/study.mjs";
import { plan, plans } from "./plan.mjs";
import { report } from "./report.mjs";
import { trainingScore } from "./scores.mjs";
import { costOf } from "./training.mjs";

const usage = "usage: run.mjs [--quick] [--jobs n] [--out folder]";
const flags = readFlags(usage);
const settings = plan(flags.quick);
const name = flags.quick ? "personalised-instructions-quick" : "personalised-instructions";
const { out, inside: checkpoints } = openFolder(flags.out, name, "checkpoints");

const log = openLog(
  join(out, "study.ndjson"),
  JSON.stringify({ study: "personalised-instructions", settings }),
);
const pool = openPool(new URL("./worker.mjs", import.meta.url), flags.jobs);
const tuned = [];
const chosen = plans.filter(({ name: planName }) => settings.plans.includes(planName));
await Promise.all(chosen.map(tune));
const trials = settings.seeds.flatMap((seed) =>
  chosen.map(({ name: planName }) => {
    const { rate, beta } = bestOf(planName);
    return { id: `${planName} seed ${seed}`, planName, seed, rate, beta };
  }),
);
await Promise.all(trials.map(run));
await pool.destroy();
rmSync(checkpoints, { recursive: true, force: true });
tuned.sort((a, b) => order(a) - order(b));
log.sort([...tuned, ...trials].map(({ id }) => id));

writeFiles(
  out,
  await report(settings, {
    tuning: tuned.map(({ id }) => log.finished.get(id)),
    trials: trials.map(({ id }) => log.finished.get(id)),
    costs: Object.fromEntries(chosen.map(({ name: planName }) => [planName, costOf(planName)])),
  }),
);

/** Does what is not in the log yet. */
async function run(trial) {
  if (log.finished.has(trial.id)) return;
  const checkpoint = join(checkpoints, `${trial.id.replaceAll(" ", "-")}.bin`);
  log.append(await pool.run({ trial, settings, checkpoint }));
  process.stderr.write(`${trial.id}: done, ${log.finished.size} finished\n`);
}

/**
 * The trainings that choose the rate and then the penalty of a plan, by the same rule for every plan: the rates of the settings; if the best one
 * is the smallest or the largest, half or twice that too; then the best of them with a penalty. Where nothing is shared there is no
 * penalty, and 1.19 times the best rate is tried instead.
 */
async function tune({ name: planName, sharing }) {
  const { rates, betas, seed } = settings.tuning;
  const attempt = async (rate, beta) => {
    const trial = {
      id: `tuning ${planName} rate ${rate} beta ${beta}`,
      planName,
      seed,
      rate,
      beta,
      tuning: true,
    };
    tuned.push(trial);
    await run(trial);
  };
  await Promise.all(rates.map((rate) => attempt(rate, 0)));
  if (rates.length > 1) {
    const { rate } = bestOf(planName);
    if (rate === rates[0]) await attempt(rate / 2, 0);
    else if (rate === rates.at(-1)) await attempt(rate * 2, 0);
  }
  const { rate } = bestOf(planName);
  const isLocal = sharing.shared.length === 0;
  await Promise.all(betas.map((beta) => (isLocal ? attempt(rounded(rate * 1.19), 0) : attempt(rate, beta))));
}

function rounded(rate) {
  return Number(rate.toPrecision(3));
}

/** The setting of the highest score in training; of equal ones the first. */
function bestOf(planName) {
  return tuned
    .filter((trial) => trial.planName === planName && log.finished.has(trial.id))
    .sort((a, b) => order(a) - order(b))
    .map((trial) => ({ ...trial, score: trainingScore(log.finished.get(trial.id).rows) }))
    .reduce((best, one) => (one.score > best.score ? one : best));
}

/** Trials of the tuning by plan, penalty and rate. */
function order({ planName, beta, rate }) {
  return 1e3 * plans.findIndex((one) => one.name === planName) + 1e2 * Math.min(beta, 5) + rate;
}
