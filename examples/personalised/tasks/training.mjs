/** Rounds of personalised tuning: local steps on every client, then the shared group goes over the air. */
import { designBeamformers, overTheAirLink, rayleighChannel } from "airfold/aircomp";
import { svdValues } from "airfold/linalg";
import { compareDelay, partialAggregate, payloadOf } from "airfold/personal";
import { localSteps } from "./local.mjs";
import { bandwidth, noiseVariance, radio, streams, symbolDuration } from "./plan.mjs";

/** The SNR is that of an OFDM symbol, for all plans: who sends more of them spends more energy and time. */
const powerAt = (snrDb) => radio.subcarriers * noiseVariance * 10 ** (snrDb / 10);

/** The link of a seed: its channel, and beamformers for it. */
export function openLink({ snrDb, seed }) {
  const channel = rayleighChannel({ ...radio, seed });
  const design = designBeamformers({
    channel,
    streams,
    noiseVariance,
    power: powerAt(snrDb),
    scheme: "manifold",
    seed,
    certificate: false,
  });
  return { channel, design, link: overTheAirLink({ channel, design, noiseVariance }) };
}

/** Flat arrays by name. */
const arraysOf = ({ parameters }) =>
  Object.fromEntries(Object.entries(parameters).map(([name, { data }]) => [name, data]));

/** Q, N_sym and bytes (float32) of a plan for one client's parameters. */
export function payload(patterns, client) {
  return payloadOf(patterns, arraysOf(client), { streams, subcarriers: radio.subcarriers });
}

/**
 * Seconds per round, over the air and digital: one client after the other at the capacity of its own channel, all antennas, the
 * same power evenly on them, no errors.
 */
export function delays({ bytes, symbols }, { snrDb, seed }) {
  const channel = rayleighChannel({ ...radio, seed });
  const snrs = capacities(channel, powerAt(snrDb)).map((efficiency) => 2 ** efficiency - 1);
  const { digital, overTheAir } = compareDelay({
    bytes,
    symbols,
    symbolDuration,
    snrs,
    clients: radio.devices,
    bandwidth,
  });
  return { digital: digital.meanDelay, air: overTheAir.delay };
}

/** Mean over the subcarriers of log2 det(I + P/(M N_t sigma2) H H^H) of every client, bit/s/Hz. */
export function capacities({ matrices }, power) {
  const { devices, subcarriers, transmitAntennas } = radio;
  const share = power / (subcarriers * transmitAntennas * noiseVariance);
  return Array.from({ length: devices }, (_, k) => {
    let sum = 0;
    for (let m = 0; m < subcarriers; m++) {
      for (const value of svdValues(matrices.at(k, m))) sum += Math.log2(1 + share * value * value);
    }
    return sum / subcarriers;
  });
}

/**
 * Tunes for some rounds.
 *
 * @param options.model as `createPersonalModel` gives it; options.texts: training tokens of every client
 * @param options.patterns of a plan; options.link from `openLink`, or undefined for exact means
 * @param options.rate of Adam; options.local { steps, count, length }
 * @param options.state { round, clients, rows }, which is changed
 * @param options.onRound called after every round with the state
 */
export function train({ model, texts, patterns, link, rate, local, rounds, seed, state, onRound }) {
  const { clients, rows } = state;
  while (state.round < rounds) {
    const { round } = state;
    const before = arraysOf(clients[0]);
    const global = Object.fromEntries(Object.entries(before).map(([name, data]) => [name, data.slice()]));
    const losses = clients.map((client, number) =>
      localSteps({ model, text: texts[number], client, number, round, seed, rate, local }),
    );
    const row = { trainLoss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length };
    if (!Number.isFinite(row.trainLoss)) {
      state.diverged = round;
      break;
    }
    Object.assign(row, share(clients, patterns, link && { link, global, seed: 1000 * seed + round }));
    rows.push(row);
    state.round = round + 1;
    onRound?.(state);
  }
  return state;
}

/**
 * Replaces the shared tensors of all clients by their mean, or by what the radio makes of it.
 *
 * @param air { link, global: the shared tensors before the local steps, seed }; undefined for the exact mean
 * @returns energies of the mean change and of the error where the radio was used
 */
function share(clients, patterns, air) {
  const row = {};
  const send = (vectors) => {
    // rounds of all plans with the same seed see the same channel; lengths differ, so interleavings and noise do too
    const sum = air.link.aggregate(vectors, air.seed);
    row.changeEnergy = 0;
    row.errorEnergy = 0;
    for (let i = 0; i < sum.estimate.length; i++) {
      const mean = vectors.reduce((total, vector) => total + vector[i], 0) / vectors.length;
      row.changeEnergy += mean * mean;
      row.errorEnergy += (sum.estimate[i] - mean) ** 2;
    }
    row.expectedErrorEnergy = sum.expectedSquaredError;
    return sum;
  };
  const result = partialAggregate({
    clients: clients.map(arraysOf),
    plan: patterns,
    ...(air === undefined ? {} : { send, global: air.global }),
  });
  clients.forEach(({ parameters }, k) => {
    for (const name of result.groups.shared) parameters[name].data.set(result.clients[k][name]);
  });
  return row;
}
