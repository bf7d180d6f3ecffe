/**
 * Why does digital OFDMA, which sends less than a bit per entry, train faster than exact sums? node update-rule.mjs results/summary.json
 * trains with steps along the signs of the aggregate, for exact sums, airfold and digital, seed 11 at the middle SNR, with the steps
 * of the study (and larger ones while the largest is the best). A line of JSON per training.
 */
import { readFileSync } from "node:fs";
import { startBackend } from "./backend.mjs";
import { pilotDirections, startAdapters } from "./pilot.mjs";
import { plan, schemes, trained } from "./plan.mjs";
import { interpolate } from "./rank-choice.mjs";
import { finalLoss } from "./report.mjs";
import { heldOutBatches, loadTask } from "./tasks.mjs";
import { meanLoss, openLink, train } from "./training.mjs";
import { architecture, createModel } from "./transformer.mjs";
import { loadWeights } from "./weights.mjs";

const { pilots, ranks } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const [only] = process.argv.slice(3);
const settings = plan(false);
const { count, batches } = settings.evaluate;
const { length } = settings.batch;
await startBackend();
const model = createModel(loadWeights(new URL("./base.bin", import.meta.url)), architecture);

for (const name of settings.tasks.filter((task) => only === undefined || task === only)) {
  const task = loadTask(name);
  const directions = pilotDirections(model, architecture, task, settings.batch);
  const heldOut = heldOutBatches(task.heldOut, { count, length, batches });
  const pickedAt = (seed) =>
    ranks.find((one) => one.task === name && one.snrDb === settings.middleSnrDb && one.seed === seed).rank;
  for (const scheme of ["ideal-picked", "airfold", "digital"]) {
    const { beam } = schemes.find((one) => one.name === scheme);
    const run = (seed, multiple, rounds, evaluate) => {
      const rank = pickedAt(seed);
      const at = (constant) => interpolate(pilots[name], constant, settings.largestRank)[rank - 1];
      const { link } = openLink({ architecture, beam, rank, trained, snrDb: settings.middleSnrDb, seed });
      const { rows, diverged } = train({
        model,
        architecture,
        task,
        rank,
        trained,
        link,
        step: multiple / at("smoothness"),
        warmUp: settings.warmUp,
        clip: at("gradientNorm"),
        update: "sign",
        rounds,
        seed,
        batch: settings.batch,
        every: Number.POSITIVE_INFINITY,
        evaluate,
        state: { round: 0, parameters: startAdapters(architecture, directions, rank), rows: [] },
      });
      return { rank, loss: finalLoss({ rows, diverged }), heldOut: rows.at(-1).heldOut };
    };
    const { seed, rounds, steps, largestStep } = settings.tuning;
    const tried = [...steps];
    const losses = tried.map((multiple) => run(seed, multiple, rounds, () => undefined).loss);
    const best = () => tried[losses.indexOf(Math.min(...losses))];
    while (best() === tried.at(-1) && best() < largestStep) {
      tried.push(2 * tried.at(-1));
      losses.push(run(seed, tried.at(-1), rounds, () => undefined).loss);
    }
    const trainedRun = run(settings.sweep.seeds[0], best(), settings.rounds, (adapters) =>
      meanLoss(model, heldOut, adapters),
    );
    process.stdout.write(
      `${JSON.stringify({
        task: name,
        scheme,
        update: "sign",
        seed: settings.sweep.seeds[0],
        rank: trainedRun.rank,
        tuning: Object.fromEntries(tried.map((multiple, i) => [multiple, Number(losses[i].toFixed(4))])),
        step: best(),
        trainingLoss: Number(trainedRun.loss.toFixed(4)),
        perplexity: Number(Math.exp(trainedRun.heldOut).toFixed(4)),
      })}\n`,
    );
  }
}
