/**
 * Which curvature do errors meet? node curvature.mjs: along the first gradient, along random directions (the mean of
 * the Hessian's eigenvalues, which is what the noise of the air meets), and the largest that the pilots saw. In nats per squared
 * unit of loraB, on the pilots' batches.
 */
import { randomStream } from "airfold/core";
import { startBackend } from "./backend.mjs";
import { pilotDirections, startAdapters } from "./pilot.mjs";
import { plan, scale, trained } from "./plan.mjs";
import { loadTask } from "./tasks.mjs";
import { batchOf, energyOf, meanLoss, meanOf, pick, trainedEntries } from "./training.mjs";
import { architecture, createModel } from "./transformer.mjs";
import { loadWeights } from "./weights.mjs";

/** Length of the step of the second differences, and how many random directions. */
const reach = 0.5;
const directionsTried = 12;

await startBackend();
const model = createModel(loadWeights(new URL("./base.bin", import.meta.url)), architecture);
const settings = plan(false);
for (const name of settings.tasks) {
  const task = loadTask(name);
  const directions = pilotDirections(model, architecture, task, settings.batch);
  const batches = task.train.map((_, device) =>
    batchOf(task, device, 0, settings.pilot.seed, settings.batch),
  );
  for (const rank of [4, settings.largestRank]) {
    const parameters = startAdapters(architecture, directions, rank);
    const entries = trainedEntries(architecture, rank, trained);
    const lossAt = (direction, distance) => {
      const moved = parameters.slice();
      entries.forEach((position, i) => {
        moved[position] += distance * direction[i];
      });
      return meanLoss(model, batches, { rank, scale, parameters: moved });
    };
    const here = meanLoss(model, batches, { rank, scale, parameters });
    /** d^T H d of a unit vector, by a second difference of the loss. */
    const curvature = (direction, distance) =>
      (lossAt(direction, distance) - 2 * here + lossAt(direction, -distance)) / distance ** 2;
    const gradient = meanOf(
      batches.map((batch) =>
        pick(model.lossAndGradient(batch, { rank, scale, parameters }).gradient, entries),
      ),
    );
    const random = Array.from({ length: directionsTried }, (_, i) => {
      const stream = randomStream(1, "curvature", name, rank, i);
      return curvature(unit(Float64Array.from(entries, () => stream.normal())), reach);
    });
    const mean = random.reduce((a, b) => a + b, 0) / random.length;
    const deviation = Math.sqrt(
      random.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (random.length - 1) / random.length,
    );
    const along = curvature(unit(gradient), 0.1);
    process.stdout.write(
      `${JSON.stringify({ task: name, rank, alongGradient: along, random: mean, deviation })}\n`,
    );
  }
}

function unit(vector) {
  const size = Math.sqrt(energyOf(vector));
  return vector.map((value) => value / size);
}
