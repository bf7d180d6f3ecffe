/**
 * One training of the study in a worker thread of run.mjs. It writes where it is to a file every few rounds and goes on
 * from there after it was killed.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { startBackend } from "../../federated-lora/backend.mjs";
import { heldOutBatches } from "../../federated-lora/tasks.mjs";
import { architecture } from "../../federated-lora/transformer.mjs";
import { loadWeights } from "../../federated-lora/weights.mjs";
import { createPersonalModel } from "../model.mjs";
import { loadClients } from "./clients.mjs";
import { createClient, evaluate } from "./local.mjs";
import { bottleneck, plans, ranksOf } from "./plan.mjs";
import { delays, openLink, payload, train } from "./training.mjs";

let model;
let weights;
const texts = new Map();

/**
 * @param job { trial, rate, settings, checkpoint }
 * @returns the trial with its payload, delays, training losses, and scores of every client: `before` the first round and `looks` at
 *   some rounds (test text; of a tuning, the last round's validation text)
 */
export default async function work({ trial, rate, settings, checkpoint }) {
  await startBackend();
  weights ??= loadWeights();
  model ??= createPersonalModel(weights, architecture);
  const { seed, link: kind, population } = trial;
  const { snrDb, local } = settings;
  const clients = textsOf(population, seed, trial.characters);
  const plan = plans.find(({ name }) => name === trial.plan);
  const opened = kind === "air" ? openLink({ snrDb, seed }) : undefined;
  const { count, length, rounds: lookRounds } = settings.evaluate;
  const scored = trial.tuning ? "validation" : "test";
  const batches = clients.map((client) => heldOutBatches(client[scored], { count, length, batches: 1 }));
  const lookAt = (states) => states.map((state, k) => evaluate(model, batches[k], state.parameters));

  const { rounds } = settings;
  const key = JSON.stringify({ trial, rate, settings });
  const fresh = () => ({
    round: 0,
    clients: ranksOf(plan).map((rank) => createClient({ weights, architecture, rank, bottleneck, seed })),
    rows: [],
    looks: [],
  });
  const state = readCheckpoint(checkpoint, key, fresh()) ?? fresh();
  const before = trial.tuning || state.round > 0 ? state.before : lookAt(state.clients);
  state.before = before;
  train({
    model,
    texts: clients.map(({ train: text }) => text),
    patterns: plan.patterns,
    link: opened?.link,
    rate,
    local,
    rounds,
    seed,
    state,
    onRound: (now) => {
      const isLast = now.round === rounds;
      // rates are chosen by the validation text, never by the test text
      if (trial.tuning ? isLast : lookRounds.includes(now.round)) {
        now.looks.push({ round: now.round, scores: lookAt(now.clients) });
      }
      if (now.round % settings.saveEvery === 0 && !isLast) writeCheckpoint(checkpoint, key, now);
    },
  });
  rmSync(checkpoint, { force: true });
  const sent = payload(plan.patterns, state.clients[0]);
  const { rows, looks, diverged } = state;
  return {
    ...trial,
    rate,
    ...(diverged === undefined ? {} : { diverged }),
    payload: sent,
    delay: delays(sent, { snrDb, seed }),
    ...(opened && { distortion: opened.design.distortion, designConverged: opened.design.converged }),
    ...(before && { before }),
    rows,
    looks,
  };
}

function textsOf(population, seed, characters) {
  const name = `${population} ${seed} ${characters}`;
  if (!texts.has(name)) texts.set(name, loadClients(population, seed, characters));
  return texts.get(name);
}

/** All arrays of the clients in a fixed order. */
const arraysOf = (clients) =>
  clients.flatMap(({ parameters, moments }) =>
    Object.keys(parameters).flatMap((name) => [
      parameters[name].data,
      moments[name].first,
      moments[name].second,
    ]),
  );

/** Fills the arrays of `state`, which is a fresh one; undefined where nothing fitting was saved. */
function readCheckpoint(file, key, state) {
  if (!existsSync(file)) return undefined;
  const saved = JSON.parse(readFileSync(file, "utf8"));
  if (saved.key !== key) return undefined;
  const bytes = Buffer.from(saved.arrays, "base64");
  const numbers = new Float64Array(bytes.length / 8);
  Buffer.from(numbers.buffer).set(bytes);
  let offset = 0;
  for (const array of arraysOf(state.clients)) {
    array.set(numbers.subarray(offset, offset + array.length));
    offset += array.length;
  }
  state.clients.forEach((client, k) => {
    client.steps = saved.steps[k];
  });
  const { round, rows, looks, before } = saved;
  return Object.assign(state, { round, rows, looks, before });
}

/** Written next to it and moved, so that a kill leaves the old one or the new one. */
function writeCheckpoint(file, key, { round, clients, rows, looks, before }) {
  const parts = arraysOf(clients).map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );
  const arrays = Buffer.concat(parts).toString("base64");
  const steps = clients.map((client) => client.steps);
  writeFileSync(`${file}.new`, JSON.stringify({ key, round, rows, looks, before, steps, arrays }));
  renameSync(`${file}.new`, file);
}
