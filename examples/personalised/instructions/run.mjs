/**
 * Runs the study: node run.mjs [--quick] [--jobs n] [--out folder]. The choice of rates and penalties, then the trainings. Whatever is
 * finished is in a log, trainings under way are saved every few rounds, and a restart goes on from there.
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
import { plan, plans } from "./plan.mjs";
import { report } from "./report.mjs";
import { trainingScore } from "./scores.mjs";
import { costOf } from "./training.mjs";

const usage = "usage: run.mjs [--quick] [--jobs n] [--out folder]";
const flags = readFlags();
const settings = plan(flags.quick);
const name = flags.quick ? "personalised-instructions-quick" : "personalised-instructions";
const out = flags.out ?? fileURLToPath(new URL(`../../out/${name}`, import.meta.url));
const checkpoints = join(out, "checkpoints");
try {
  mkdirSync(checkpoints, { recursive: true });
} catch (error) {
  process.stderr.write(`--out: found ${out} (${error.code}), expected a folder that can be written\n`);
  process.exit(2);
}

const log = openLog(
  join(out, "study.ndjson"),
  JSON.stringify({ study: "personalised-instructions", settings }),
);
const pool = new Piscina({
  filename: new URL("./worker.mjs", import.meta.url).href,
  maxThreads: Number(flags.jobs),
  minThreads: Number(flags.jobs),
  idleTimeout: Number.POSITIVE_INFINITY,
});
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
// in the order of the plan, however many workers there were
tuned.sort((a, b) => order(a) - order(b));
log.rewrite([...tuned, ...trials].map(({ id }) => id));

for (const [file, content] of await report(settings, {
  tuning: tuned.map(({ id }) => log.finished.get(id)),
  trials: trials.map(({ id }) => log.finished.get(id)),
  costs: Object.fromEntries(chosen.map(({ name: planName }) => [planName, costOf(planName)])),
})) {
  writeFileSync(join(out, file), content);
  process.stderr.write(`${join(out, file)}\n`);
}

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
  for (const line of lines.slice(1)) {
    try {
      const result = JSON.parse(line);
      finished.set(result.id, result);
    } catch {
      // the run was killed while it wrote this line
    }
  }
  const rewrite = (ids) => {
    const content = [header, ...ids.map((id) => JSON.stringify(finished.get(id)))];
    writeFileSync(`${file}.new`, `${content.join("\n")}\n`);
    renameSync(`${file}.new`, file);
  };
  rewrite([...finished.keys()]);
  return {
    finished,
    append(result) {
      finished.set(result.id, result);
      appendFileSync(file, `${JSON.stringify(result)}\n`);
    },
    rewrite,
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
