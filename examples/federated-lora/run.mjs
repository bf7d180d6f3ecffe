/**
 * Runs the study: node run.mjs [--quick] [--jobs n] [--out folder]. Pilots, the choice of ranks, the choice of steps, then
 * the trainings. Whatever is finished is in a log, trainings under way are saved every few rounds, and a restart goes on
 * from there.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../shared/log.mjs";
import { openFolder, openPool, readFlags, writeFiles } from "../shared/study.mjs";
import { plan, schemes, sweep, trialsOf, tuningTrial, tuningTrialsOf } from "./plan.mjs";
import { interpolate } from "./rank-choice.mjs";
import { finalLoss, report } from "./report.mjs";

const usage = "usage: run.mjs [--quick] [--jobs n] [--out folder]";
const flags = readFlags(usage);
const settings = plan(flags.quick);
const name = flags.quick ? "federated-lora-quick" : "federated-lora";
const { out, inside: checkpoints } = openFolder(flags.out, name, "checkpoints");

const log = openLog(join(out, "study.ndjson"), JSON.stringify({ study: "federated-lora", settings }));
const trials = trialsOf(settings);
const tuning = tuningTrialsOf(settings);
const pilotJobs = settings.tasks.flatMap((task) =>
  settings.pilot.ranks.map((rank) => ({ id: `pilot ${task} rank ${rank}`, kind: "pilot", task, rank })),
);
// one choice per task, SNR and channel; the channel of the tuning has another seed
const rankJobs = [...new Map([...tuning, ...trials].map((trial) => [rankId(trial), trial])).values()];
const progress = createProgress([
  ...pilotJobs.map(({ id }) => [id, settings.pilot.rounds]),
  ...rankJobs.map((trial) => [rankId(trial), 1]),
  ...tuning.map(({ id }) => [id, settings.tuning.rounds]),
  ...trials.map(({ id }) => [id, settings.rounds]),
]);

const pool = openPool(new URL("./worker.mjs", import.meta.url), flags.jobs);
await runAll(pilotJobs, (job) => job);
await runAll(
  rankJobs.map((trial) => ({ ...trial, id: rankId(trial) })),
  ({ task, snrDb, seed }) => ({ kind: "rank", pilots: pilotsOf(task), snrDb, seed }),
);
await runAll(tuning, (trial) => trainingJob(trial, trial.step));
// while the best step of a scheme is the largest that it tried, it tries twice that
for (let wider = widerSteps(); wider.length > 0; wider = widerSteps()) {
  tuning.push(...wider);
  await runAll(wider, (trial) => trainingJob(trial, trial.step));
}
await runAll(trials, (trial) => trainingJob(trial, bestStep(trial)));
await pool.destroy();
rmSync(checkpoints, { recursive: true, force: true });
log.sort([
  ...pilotJobs.map(({ id }) => id),
  ...rankJobs.map(rankId),
  ...[...tuning, ...trials].map(({ id }) => id),
]);

writeFiles(
  out,
  await report(settings, {
    pilots: Object.fromEntries(settings.tasks.map((task) => [task, pilotsOf(task)])),
    ranks: rankJobs.map(({ task, snrDb, seed, tuning: isTuning }) => ({
      task,
      snrDb,
      seed,
      tuning: isTuning === true,
      ...log.finished.get(rankId({ task, snrDb, seed })),
    })),
    tuning: tuning.map(({ id }) => log.finished.get(id)),
    trials: trials.map(({ id }) => log.finished.get(id)),
  }),
);

/** Does what is not in the log yet. */
async function runAll(jobs, jobOf) {
  await Promise.all(
    jobs
      .filter(({ id }) => !log.finished.has(id))
      .map(async (job) => {
        const result = await pool.run({ settings, ...jobOf(job) });
        log.append({ ...result, id: job.id });
        progress.done(job.id);
      }),
  );
}

function rankId({ task, snrDb, seed }) {
  return `rank ${task} ${snrDb} dB channel ${seed}`;
}

function pilotsOf(task) {
  return settings.pilot.ranks.map((rank) => log.finished.get(`pilot ${task} rank ${rank}`));
}

function rankOf(trial) {
  if (trial.fixedRank !== undefined) return trial.fixedRank;
  const { rank } = schemes.find((scheme) => scheme.name === trial.scheme);
  if (rank === "smallest") return settings.smallestRank;
  if (rank === "largest") return settings.largestRank;
  return log.finished.get(rankId(trial)).rank;
}

/** @param multiple the step in units of 1/L of the rank */
function trainingJob(trial, multiple) {
  const rank = rankOf(trial);
  const atRank = (name) => interpolate(pilotsOf(trial.task), name, settings.largestRank)[rank - 1];
  return {
    kind: "training",
    trial,
    rank,
    multiple,
    step: multiple / atRank("smoothness"),
    clip: atRank("gradientNorm"),
    checkpoint: join(checkpoints, `${trial.id.replaceAll(" ", "-")}.json`),
  };
}

/** One more step for every scheme whose best one is the largest that it tried. */
function widerSteps() {
  const last = new Map(tuning.map((trial) => [`${trial.task} ${trial.scheme}`, trial]));
  return [...last.values()]
    .map((trial) => ({ trial, best: bestStep(trial) }))
    .filter(({ trial, best }) => best === trial.step && best < settings.tuning.largestStep)
    .map(({ trial }) => tuningTrial(settings, trial.task, trial.scheme, 2 * trial.step));
}

/** The step of the lowest training loss, in the mean over the last tuning rounds; of equal ones the smallest. */
function bestStep({ task, scheme }) {
  const tuned = scheme === sweep.name ? sweep.stepOf : scheme;
  const tried = tuning
    .filter((trial) => trial.task === task && trial.scheme === tuned)
    .map(({ id, step }) => ({ step, loss: finalLoss(log.finished.get(id)) }));
  return tried.reduce((best, one) => (one.loss < best.loss ? one : best)).step;
}

/** One line per finished job, with the time left: that of the work done in this run, scaled to what is missing. */
function createProgress(jobs) {
  const weights = new Map(jobs);
  const total = jobs.reduce((sum, [, weight]) => sum + weight, 0);
  const before = jobs.reduce((sum, [id, weight]) => sum + (log.finished.has(id) ? weight : 0), 0);
  const began = performance.now();
  let now = before;
  return {
    done(id) {
      now += weights.get(id) ?? 0;
      // steps tried in addition count for nothing
      const minutes = ((performance.now() - began) / 60_000 / (now - before)) * (total - now);
      const left = now > before ? `, ${minutes.toFixed(1)} minutes left` : "";
      const share = ((100 * now) / total).toFixed(0);
      process.stderr.write(`${id}: done; ${share} % of the study${left}\n`);
    },
  };
}
