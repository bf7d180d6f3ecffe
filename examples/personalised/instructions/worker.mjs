/**
 * One training of the study in a worker thread of run.mjs. It writes where it is to a file every few rounds and goes on from there after
 * it was killed.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { startBackend } from "../../federated-lora/backend.mjs";
import { loadWeights } from "../../federated-lora/weights.mjs";
import { loadQuestions } from "./questions.mjs";
import { createTraining, openLink, tempered, train } from "./training.mjs";

/** Rounds between two saved states. */
const saveEvery = 5;

/** The weights after the warm-up. */
const warmed = new URL("./warm.bin", import.meta.url);

let weights;
let questions;
const opened = new Map();

/** @param job { trial, settings, checkpoint }; trial as run.mjs makes it */
export default async function work({ trial, settings, checkpoint }) {
  await startBackend();
  weights ??= tempered(loadWeights(warmed));
  questions ??= loadQuestions();
  const { planName, seed, rate, beta, tuning } = trial;
  const state = createTraining({ weights, planName, seed, questions, settings });
  const key = JSON.stringify({ trial, settings });
  restore(state, checkpoint, key);
  const rounds = tuning ? settings.tuning.rounds : settings.rounds;
  if (!opened.has(seed)) opened.set(seed, openLink(settings.snrDb, seed));
  const { link, power } = opened.get(seed);
  train(state, {
    settings,
    rounds,
    link,
    seed,
    rate,
    beta,
    // rates are chosen by the rewards in training, never by the held-out questions
    look: !tuning,
    onRound: (now) => {
      if (now.round % saveEvery === 0 && now.round < rounds) store(now, checkpoint, key);
    },
  });
  rmSync(checkpoint, { force: true });
  return { ...trial, power, rows: state.rows };
}

/** Arrays of a client that change. */
function arraysOf({ clients, trained }) {
  return clients.flatMap(({ parameters, moments, valueMoments }) => [
    ...trained.map((name) => parameters.get(name)),
    ...[moments, valueMoments].flatMap(({ first, second }) => [...first.values(), ...second.values()]),
  ]);
}

/** A line of JSON, then all numbers. Written next to it and moved, so that a kill leaves the old one or the new one. */
function store(state, file, key) {
  const { round, rows, clients } = state;
  const steps = clients.map(({ moments, valueMoments }) => [moments.step, valueMoments.step]);
  const bytes = arraysOf(state).map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );
  writeFileSync(
    `${file}.new`,
    Buffer.concat([Buffer.from(`${JSON.stringify({ key, round, rows, steps })}\n`), ...bytes]),
  );
  renameSync(`${file}.new`, file);
}

function restore(state, file, key) {
  if (!existsSync(file)) return;
  const bytes = readFileSync(file);
  const end = bytes.indexOf("\n");
  const saved = JSON.parse(bytes.toString("utf8", 0, end));
  if (saved.key !== key) return;
  let offset = end + 1;
  for (const { buffer, byteOffset, byteLength } of arraysOf(state)) {
    bytes.copy(Buffer.from(buffer, byteOffset, byteLength), 0, offset);
    offset += byteLength;
  }
  state.round = saved.round;
  state.rows = saved.rows;
  state.clients.forEach(({ moments, valueMoments }, k) => {
    [moments.step, valueMoments.step] = saved.steps[k];
  });
}
