/**
 * One job of the study in a worker thread of run.mjs: a pilot, the choice of a rank, or a training. A training writes where it
 * is to a file every few rounds and goes on from there after it was killed.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { startBackend } from "./backend.mjs";
import { pilotDirections, runPilot, startAdapters } from "./pilot.mjs";
import { schemes, sweep, trained as usual } from "./plan.mjs";
import { chooseRank } from "./rank-choice.mjs";
import { heldOutBatches, loadTask } from "./tasks.mjs";
import { meanLoss, openLink, train } from "./training.mjs";
import { architecture, createModel } from "./transformer.mjs";
import { loadWeights } from "./weights.mjs";

/** Rounds between two saved states. */
const saveEvery = 5;

let model;
const tasks = new Map();
const directions = new Map();

/** @param job { kind, settings, ... }; see the functions below */
export default async function work(job) {
  if (job.kind === "rank") return chooseRank({ architecture, ...job });
  await startBackend();
  model ??= createModel(loadWeights(new URL("./base.bin", import.meta.url)), architecture);
  return job.kind === "pilot" ? pilot(job) : training(job);
}

function taskOf(name) {
  if (!tasks.has(name)) tasks.set(name, loadTask(name));
  return tasks.get(name);
}

/** Where the rows of loraA start: computed by every worker that needs it, always the same. */
function directionsOf(name, { batch }) {
  if (!directions.has(name)) {
    directions.set(name, pilotDirections(model, architecture, taskOf(name), batch));
  }
  return directions.get(name);
}

function pilot({ task, rank, settings }) {
  const { rounds, seed } = settings.pilot;
  return runPilot({
    model,
    architecture,
    task: taskOf(task),
    directions: directionsOf(task, settings),
    rank,
    rounds,
    seed,
    batch: settings.batch,
  });
}

/** @param job.trial as `trialsOf` and `tuningTrialsOf` give it; job.step, which is job.multiple / L */
function training({ trial, rank, multiple, step, clip, settings, checkpoint }) {
  const task = taskOf(trial.task);
  const { beam, trained = usual } = [...schemes, sweep].find(({ name }) => name === trial.scheme);
  const { design, link } = openLink({
    architecture,
    beam,
    rank,
    trained,
    snrDb: trial.snrDb,
    seed: trial.seed,
  });
  const key = JSON.stringify({ trial, rank, step, clip, settings });
  const state = readCheckpoint(checkpoint, key) ?? {
    round: 0,
    parameters: startAdapters(architecture, directionsOf(trial.task, settings), rank),
    rows: [],
  };
  const { count, batches } = settings.evaluate;
  const { length } = settings.batch;
  const rounds = trial.tuning ? settings.tuning.rounds : settings.rounds;
  const heldOut = heldOutBatches(task.heldOut, { count, length, batches });
  train({
    model,
    architecture,
    task,
    rank,
    trained,
    link,
    step,
    warmUp: settings.warmUp,
    clip,
    rounds,
    seed: trial.seed,
    batch: settings.batch,
    // steps are chosen by the training loss, never by the held-out text
    every: trial.tuning ? Number.POSITIVE_INFINITY : settings.evaluate.every,
    evaluate: (adapters) => (trial.tuning ? undefined : meanLoss(model, heldOut, adapters)),
    state,
    onRound: (now) => {
      if (now.round % saveEvery === 0 && now.round < rounds) writeCheckpoint(checkpoint, key, now);
    },
  });
  rmSync(checkpoint, { force: true });
  const { rows, diverged } = state;
  const designed = { converged: design.converged, reason: design.reason, distortion: design.distortion };
  return {
    ...trial,
    rank,
    multiple,
    step,
    ...(diverged === undefined ? {} : { diverged }),
    design: designed,
    rows,
  };
}

function readCheckpoint(file, key) {
  if (!existsSync(file)) return undefined;
  const saved = JSON.parse(readFileSync(file, "utf8"));
  if (saved.key !== key) return undefined;
  const bytes = Buffer.from(saved.parameters, "base64");
  const parameters = new Float64Array(bytes.length / 8);
  Buffer.from(parameters.buffer).set(bytes);
  return { round: saved.round, parameters, rows: saved.rows };
}

/** Written next to it and moved, so that a kill leaves the old one or the new one. */
function writeCheckpoint(file, key, { round, parameters, rows }) {
  const bytes = Buffer.from(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  writeFileSync(`${file}.new`, JSON.stringify({ key, round, rows, parameters: bytes.toString("base64") }));
  renameSync(`${file}.new`, file);
}
