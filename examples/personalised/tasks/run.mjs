/**
 * Runs the study: node run.mjs [--quick] [--jobs n] [--out folder]. The choice of learning rates, then the trainings, then
 * tables and figures. Whatever is finished is in a log, trainings under way are saved every few rounds, and a restart goes on
 * from there.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Piscina } from "piscina";
import { plan, trialsOf, tuningTrial, tuningTrialsOf } from "./plan.mjs";
import { lossOf, report } from "./report.mjs";

const usage = "usage: run.mjs [--quick] [--jobs n] [--out folder]";
const flags = readFlags();
const settings = plan(flags.quick);
const name = flags.quick ? "personalised-tasks-quick" : "personalised-tasks";
const out = flags.out ?? fileURLToPath(new URL(`../../out/${name}`, import.meta.url));
const checkpoints = join(out, "checkpoints");
try {
  mkdirSync(checkpoints, { recursive: true });
} catch (error) {
  process.stderr.write(`--out: found ${out} (${error.code}), expected a folder that can be written\n`);
  process.exit(2);
}

const log = openLog(join(out, "study.ndjson"), JSON.stringify({ study: "personalised-tasks", settings }));
const trials = trialsOf(settings);
const tuning = tuningTrialsOf(settings);
const planned = [...tuning, ...trials].map(({ id }) => id);
const progress = createProgress(planned);
const pool = new Piscina({
  filename: new URL("./worker.mjs", import.meta.url).href,
  maxThreads: Number(flags.jobs),
  minThreads: Number(flags.jobs),
  idleTimeout: Number.POSITIVE_INFINITY,
});
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
for (const [file, content] of await report(settings, { tuning: results(tuning), trials: results(trials) })) {
  writeFileSync(join(out, file), content);
  process.stderr.write(`${join(out, file)}\n`);
}

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

/** What an earlier run finished; a log of other settings is refused, a line that was cut off is left out. */
function openLog(file, header) {
  const finished = new Map();
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  if (lines.length > 0 && lines[0] !== header) {
    process.stderr.write(
      `--out: found ${file} of other settings (another version of the study, or --quick), expected a folder of its own\n`,
    );
    process.exit(2);
  }
  const whole = [header];
  for (const line of lines.slice(1)) {
    try {
      const result = JSON.parse(line);
      finished.set(result.id, result);
      whole.push(line);
    } catch {
      // the run was killed while it wrote this line
    }
  }
  const rewrite = (content) => {
    writeFileSync(`${file}.new`, `${content.join("\n")}\n`);
    renameSync(`${file}.new`, file);
  };
  rewrite(whole);
  return {
    finished,
    append(result) {
      finished.set(result.id, result);
      appendFileSync(file, `${JSON.stringify(result)}\n`);
    },
    /** In the order of the plan, however many workers there were. */
    sort(ids) {
      rewrite([header, ...ids.map((id) => JSON.stringify(finished.get(id)))]);
    },
  };
}

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
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
    if (!/^[1-9]\d*$/.test(values.jobs)) {
      throw new Error(`--jobs: found "${values.jobs}", expected a whole number >= 1`);
    }
    return values;
  } catch (error) {
    process.stderr.write(`${error.message.split("\n")[0]}; ${usage}\n`);
    process.exit(2);
  }
}
