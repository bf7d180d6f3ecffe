/** Rounds of personalised tuning: every client its steps of PPO, then the shared tensors are averaged over the air. */
import { designBeamformers, overTheAirLink, rayleighChannel } from "airfold/aircomp";
import { randomStream } from "airfold/core";
import { groupParameters, partialAggregate, payloadOf } from "airfold/personal";
import { decode } from "../../federated-lora/text.mjs";
import { architecture } from "../../federated-lora/transformer.mjs";
import { createMoments } from "./adam.mjs";
import {
  links,
  meanPreference,
  noiseVariance,
  plans,
  radio,
  rank,
  streams,
  symbolDuration,
  temperature,
  clients as who,
} from "./plan.mjs";
import { createPolicy, initialParameters, policyShapes } from "./policy.mjs";
import { answersTo, localRound, mean } from "./ppo.mjs";

/** The link of a seed: its channel, and beamformers for the stated SNR of an OFDM symbol, the same in all plans. */
export function openLink(snrDb, seed) {
  const channel = rayleighChannel({ ...radio, seed });
  const power = radio.subcarriers * noiseVariance * 10 ** (snrDb / 10);
  const design = designBeamformers({
    channel,
    streams,
    noiseVariance,
    power,
    scheme: "manifold",
    seed,
    certificate: false,
  });
  return { power, link: overTheAirLink({ channel, design, noiseVariance }) };
}

/** Questions of every client: those of its topic, every other one its own; the held-out ones are the same for both. */
export function questionsOf(questions, most) {
  return who.map(({ topic }, index) => ({
    train: questions.train.filter((one) => one.topic === topic).filter((_, i) => i % 2 === index % 2),
    heldOut: questions.heldOut.filter((one) => one.topic === topic).slice(0, most),
  }));
}

/** What a plan sends per round and device. */
export function costOf(planName) {
  const { sharing } = plans.find(({ name }) => name === planName);
  const sizes = new Map(
    [...policyShapes(architecture, rank)].map(([name, shape]) => [name, shape.reduce((a, b) => a * b, 1)]),
  );
  const payload = payloadOf(sharing, sizes, { streams, subcarriers: radio.subcarriers });
  return { ...payload, airTime: payload.symbols * symbolDuration };
}

/** The policy of a temperature: the head is linear, so that it is enough to scale what goes into it. */
export function tempered(weights) {
  const scaled = new Map(weights);
  for (const name of ["norm.gain", "norm.bias"]) {
    const { shape, data } = weights.get(name);
    scaled.set(name, { shape, data: data.map((value) => value / temperature) });
  }
  return scaled;
}

/** @param weights of `tempered` */
export function createTraining({ weights, planName, seed, questions, settings }) {
  const { sharing, preference } = plans.find(({ name }) => name === planName);
  const start = initialParameters(weights, architecture, rank, seed);
  const groups = groupParameters({ parameters: start, ...sharing });
  const trained = [...groups.shared, ...groups.private];
  const inNetwork = trained.filter((name) => !name.startsWith("value."));
  const own = questionsOf(questions, settings.evaluate.questions);
  const clients = who.map((client, index) => {
    // frozen tensors are the same arrays on all clients
    const parameters = new Map(start);
    for (const name of trained) parameters.set(name, start.get(name).slice());
    return {
      index,
      parameters,
      moments: createMoments(parameters, inNetwork),
      valueMoments: createMoments(parameters, ["value.weight", "value.bias"]),
      questions: own[index].train,
      heldOut: own[index].heldOut,
      preference: preference === "own" ? client.preference : meanPreference,
    };
  });
  return { groups, sharing, trained, start, clients, round: 0, rows: [] };
}

/**
 * Goes on until `rounds`.
 *
 * @param state from `createTraining`; it is changed
 * @param options.link of `openLink`; options.rate, options.beta: of the steps and of the penalty
 * @param options.look whether held-out questions are asked
 * @param options.onRound called after every round with the state and what every client had changed in the shared tensors, by tensor
 */
export function train(state, { settings, rounds, link, seed, rate, beta, look, onRound }) {
  const policy = createPolicy(architecture, links);
  const reference = (batch, frozen) => policy.evaluate(state.start, batch, frozen).logProbabilities;
  const { groups, sharing, clients, rows, trained } = state;
  const examine = (round) => {
    if (look && (round % settings.evaluate.every === 0 || round === rounds)) {
      const isLast = round === rounds;
      rows[round].heldOut = clients.map((client) => examineClient(client, settings, isLast));
    }
  };
  if (rows.length === 0) rows.push({ round: 0 });
  if (rows[0].heldOut === undefined) examine(0);
  while (state.round < rounds) {
    const { round } = state;
    const global = new Map(groups.shared.map((name) => [name, clients[0].parameters.get(name).slice()]));
    rows[round].training = clients.map((client) =>
      localRound(client, {
        policy,
        reference,
        sizes: architecture,
        links,
        settings,
        rate,
        beta,
        global,
        seed,
        round,
      }),
    );
    const before = clients.map(({ parameters }) => changeOf(parameters, global));
    const answer = partialAggregate({
      clients: clients.map(({ parameters }) => new Map(trained.map((name) => [name, parameters.get(name)]))),
      // frozen tensors stay where they are
      plan: { shared: sharing.shared, private: sharing.private },
      ...(link === undefined || groups.shared.length === 0
        ? {}
        : { global, send: (vectors) => link.aggregate(vectors, 1000 * seed + round) }),
    });
    for (const client of clients) {
      for (const name of groups.shared) client.parameters.set(name, answer.shared[name].slice());
    }
    if (groups.shared.length > 0) Object.assign(rows[round], errorOf(before, answer.shared, global));
    state.round = round + 1;
    rows.push({ round: round + 1 });
    examine(round + 1);
    onRound?.(state, before);
  }
  return state;
}

/** What a client's training changed in the shared tensors. */
function changeOf(parameters, global) {
  return [...global].map(([name, start]) => parameters.get(name).map((value, i) => value - start[i]));
}

/** Energies of the mean change and of the error that the air added to it. */
function errorOf(changes, shared, global) {
  let changeEnergy = 0;
  let errorEnergy = 0;
  [...global].forEach(([name, start], t) => {
    for (let i = 0; i < start.length; i++) {
      const mean = changes.reduce((sum, change) => sum + change[t][i], 0) / changes.length;
      changeEnergy += mean ** 2;
      errorEnergy += (shared[name][i] - start[i] - mean) ** 2;
    }
  });
  return { changeEnergy, errorEnergy };
}

/** Mean rewards of a client's sampled answers to its held-out questions, and of the greedy ones after the last round. */
export function examineClient({ parameters, heldOut, index }, { evaluate }, isLast) {
  const ask = (perQuestion, streamOf) =>
    answersTo({ parameters, sizes: architecture, links, questions: heldOut, perQuestion, streamOf });
  const sampled = ask(evaluate.perQuestion, (q, a) => randomStream(evaluate.seed, "held-out", index, q, a));
  const rewards = { helpful: mean(sampled, "helpful"), safe: mean(sampled, "safe") };
  if (!isLast) return rewards;
  const greedy = ask(1, () => undefined);
  const examples = greedy.slice(0, 3).map(({ prompt, text }) => `${decode(prompt)}${text}`);
  return { ...rewards, greedyHelpful: mean(greedy, "helpful"), greedySafe: mean(greedy, "safe"), examples };
}
