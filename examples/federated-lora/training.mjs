/** Federated training of LoRA factors whose gradients are summed over the air, or exactly. */
import { designBeamformers, overTheAirLink, rayleighChannel } from "airfold/aircomp";
import { randomStream } from "airfold/core";
import { noiseVariance, radio, referenceRank, scale, streams, symbolDuration } from "./plan.mjs";
import { windows } from "./tasks.mjs";
import { adapterTargets } from "./transformer.mjs";

/** Real numbers in one OFDM symbol. */
const perSymbol = 2 * streams * radio.subcarriers;

/** Where the trained factors are in the vector of all factors, which has loraB before loraA in every target. */
export function trainedEntries(architecture, rank, trained) {
  const positions = [];
  let offset = 0;
  for (const { dOut, dIn } of adapterTargets(architecture)) {
    const count = trained === "both" ? rank * (dOut + dIn) : rank * dOut;
    for (let i = 0; i < count; i++) positions.push(offset + i);
    offset += rank * (dOut + dIn);
  }
  return Uint32Array.from(positions);
}

/** N_sym of a round. */
export const symbolsAt = (architecture, rank, trained) =>
  Math.ceil(trainedEntries(architecture, rank, trained).length / perSymbol);

/** P_k(r) for an energy per round that gives the stated SNR at the reference rank with loraB trained. */
export function powerAt({ architecture, rank, trained, snrDb }) {
  const reference = radio.subcarriers * noiseVariance * 10 ** (snrDb / 10);
  return (
    (reference * symbolsAt(architecture, referenceRank, "loraB")) / symbolsAt(architecture, rank, trained)
  );
}

/** The link of a trial: the channel of its seed, and the beamformers of its scheme at the power of its rank. */
export function openLink({ architecture, beam, rank, trained, snrDb, seed }) {
  const channel = rayleighChannel({ ...radio, seed });
  const design = designBeamformers({
    channel,
    streams,
    noiseVariance,
    power: powerAt({ architecture, rank, trained, snrDb }),
    scheme: beam,
    seed,
    certificate: false,
  });
  return { design, link: overTheAirLink({ channel, design, noiseVariance }) };
}

/** The batch of a device in a round: the same one for all schemes. */
export function batchOf(task, device, round, seed, { count, length }, replicate = 0) {
  const stream = randomStream(seed, "batch", device, round, replicate);
  return windows(task.train[device], { count, length, stream });
}

/** Mean loss over batches, in nats per character. */
export function meanLoss(model, batches, adapters) {
  return batches.reduce((sum, batch) => sum + model.loss(batch, adapters), 0) / batches.length;
}

/**
 * Trains for some rounds: every device one gradient on a batch of its own, one aggregation, one step.
 *
 * @param options.model as `createModel` gives it; options.task as `loadTask` gives it
 * @param options.link from `openLink`, or undefined for sums in double precision
 * @param options.step its length, reached after `warmUp` rounds; an aggregate longer than `clip` is shortened to that
 * @param options.update "gradient": the step goes along the aggregate; "sign": along the signs of its entries, with the same norm
 * @param options.state where to start: { round, parameters, rows }; it is changed
 * @param options.evaluate held-out loss of { rank, scale, parameters }, called every `every` rounds and at both ends
 * @param options.onRound called after every round with the state
 * @returns the state at the end; rows hold for every round the mean training loss before its step, what the aggregate
 *   reports, and the held-out loss where it was looked at
 */
export function train({
  model,
  architecture,
  task,
  rank,
  trained,
  link,
  step,
  warmUp = 1,
  clip = Number.POSITIVE_INFINITY,
  update = "gradient",
  rounds,
  seed,
  batch,
  every,
  evaluate,
  state,
  onRound,
}) {
  const { parameters, rows } = state;
  const entries = trainedEntries(architecture, rank, trained);
  const airTime = symbolsAt(architecture, rank, trained) * symbolDuration;
  const devices = task.train.length;
  const adapters = { rank, scale, parameters };
  const lookAt = (round) => {
    if (round % every === 0 || round === rounds) rows[round].heldOut = evaluate(adapters);
  };
  if (rows.length === 0) rows.push({ round: 0, airTime: 0 });
  if (rows[0].heldOut === undefined) lookAt(0);
  while (state.round < rounds) {
    const { round } = state;
    const answers = Array.from({ length: devices }, (_, device) =>
      model.lossAndGradient(batchOf(task, device, round, seed, batch), adapters),
    );
    const row = rows[round];
    row.trainLoss = answers.reduce((sum, { loss }) => sum + loss, 0) / devices;
    const gradients = answers.map(({ gradient }) =>
      entries.length === gradient.length ? gradient : pick(gradient, entries),
    );
    if (!Number.isFinite(row.trainLoss) || gradients.some((gradient) => !gradient.every(Number.isFinite))) {
      state.diverged = round;
      break;
    }
    const mean = meanOf(gradients);
    row.gradientEnergy = energyOf(mean);
    let used = mean;
    if (link !== undefined) {
      // rounds of all trials with the same seed see the same interleavings and noise
      const sum = link.aggregate(gradients, 1000 * seed + round);
      used = sum.estimate;
      row.errorEnergy = used.reduce((total, value, i) => total + (value - mean[i]) ** 2, 0);
      row.expectedErrorEnergy = sum.expectedSquaredError;
      row.distortion = sum.distortion;
      row.symbols = sum.symbols;
    }
    if (update === "sign") used = signs(used);
    const length = step * Math.min(1, (round + 1) / warmUp, clip / Math.sqrt(energyOf(used)));
    for (let i = 0; i < entries.length; i++) parameters[entries[i]] -= length * used[i];
    state.round = round + 1;
    rows.push({ round: round + 1, airTime: (round + 1) * airTime });
    lookAt(round + 1);
    onRound?.(state, { gradients, mean });
  }
  return state;
}

/** The signs of the entries, as long as the vector itself. */
function signs(vector) {
  const size = Math.sqrt(energyOf(vector) / vector.length);
  return vector.map((value) => size * Math.sign(value));
}

/** The entries at some positions. */
export const pick = (vector, positions) => vector.constructor.from(positions, (position) => vector[position]);

export function meanOf(gradients) {
  const mean = new Float64Array(gradients[0].length);
  for (const gradient of gradients) {
    for (let i = 0; i < mean.length; i++) mean[i] += gradient[i] / gradients.length;
  }
  return mean;
}

export const energyOf = (vector) => vector.reduce((sum, value) => sum + value * value, 0);
