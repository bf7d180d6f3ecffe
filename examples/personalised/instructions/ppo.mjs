/**
 * A client's part of a round: it samples answers, scores them, and takes a few steps of PPO. Advantages, losses and their gradients
 * with respect to log-probabilities and values are those of airfold/personal; TensorFlow.js carries the former back through
 * the network, the value head is linear and has its gradient by hand. The value loss moves the head alone.
 */
import { randomStream } from "airfold/core";
import {
  combinedReward,
  deviationPenalty,
  gae,
  policyLoss,
  tokenKl,
  valueLoss,
  whiten,
} from "airfold/personal";
import { decode } from "../../federated-lora/text.mjs";
import { adamStep } from "./adam.mjs";
import { batchOf } from "./lines.mjs";
import { mergedWeights } from "./policy.mjs";
import { longestAnswer } from "./questions.mjs";
import { helpfulness, safety } from "./rewards.mjs";
import { createSampler } from "./sampler.mjs";

/**
 * Answers to questions, and what they earn.
 *
 * @param streamOf of question number and answer number: a RandomStream, or undefined for the greedy answer
 * @returns a list of { prompt, answer: tokens, logProbabilities, text, helpful, safe }
 */
export function answersTo({ parameters, sizes, links, questions, perQuestion, streamOf }) {
  const sampler = createSampler(mergedWeights(parameters, sizes), sizes, links);
  const answers = sampler.answer(
    questions.map(({ prompt }) => prompt),
    questions.map((_, q) => Array.from({ length: perQuestion }, (_, a) => streamOf(q, a))),
    longestAnswer + 1,
  );
  return questions.flatMap(({ prompt, reference }, q) =>
    answers[q].map(({ tokens, logProbabilities }) => {
      const text = decode(tokens).trim();
      return {
        prompt,
        answer: tokens,
        logProbabilities,
        reference,
        text,
        helpful: helpfulness(text, reference),
        safe: safety(text),
      };
    }),
  );
}

/**
 * Samples and takes the steps of a round, in place.
 *
 * @param client { parameters, moments, valueMoments, questions, preference: weights of the two rewards in training }
 * @param options.reference log-probabilities of a batch under the model after the warm-up
 * @param options.global shared tensors that the round began with, by name, for the penalty beta ||theta_k - theta_g||^2
 * @returns { helpful, safe, kl, clipFraction, valueLoss, penalty }: means over the answers, before the steps
 */
export function localRound(
  client,
  { policy, reference, sizes, links, settings, rate, beta, global, seed, round },
) {
  const { parameters, moments, valueMoments, questions, preference, index } = client;
  const { perRound, perQuestion, epochs, gamma, lambda, clipRange, valueRate, klCost, clipNorm } =
    settings.ppo;
  const order = randomStream(seed, "questions", index, round).permutation(questions.length);
  const asked = Array.from(order.slice(0, perRound), (i) => questions[i]);
  const answers = answersTo({
    parameters,
    sizes,
    links,
    questions: asked,
    perQuestion,
    streamOf: (q, a) => randomStream(seed, "answer", index, round, q, a),
  });
  const batch = batchOf(answers);
  const { mask, length: steps } = batch;
  const oldLogProbs = onGrid(batch, answers);
  const trained = [...moments.first.keys()];
  // layers that no client trains are computed once for all passes
  const frozen = trained.some((name) => /^(embedding|position|layer0)/.test(name))
    ? undefined
    : policy.below(parameters, batch, 1);
  const referenceLogProbs = reference(batch, frozen);
  const kl = tokenKl({ logProbs: oldLogProbs, referenceLogProbs, kind: "k1", mask });
  const rewards = kl.perToken.map((nats) => -klCost * nats);
  answers.forEach(({ prompt, answer, reference: words }, row) => {
    const first = row * steps + prompt.length - 1;
    rewardsOfCharacters(answer, words, preference).forEach((reward, t) => {
      rewards[first + t] += reward;
    });
  });
  const report = { helpful: mean(answers, "helpful"), safe: mean(answers, "safe"), kl: kl.value };
  let old;
  for (let epoch = 0; epoch < epochs; epoch++) {
    let headGradients;
    const gradients = policy.gradient(
      parameters,
      batch,
      trained,
      ({ logProbabilities, hidden }) => {
        const values = valuesOf(parameters, hidden);
        if (old === undefined) {
          const { advantages, returns } = gae({ rewards, values, gamma, lambda, mask, steps });
          old = { values, returns, advantages: whiten(advantages, { mask }) };
        }
        const loss = valueLoss({ values, returns: old.returns, oldValues: old.values, clipRange, mask });
        headGradients = headGradientsOf(loss.gradient, hidden, parameters.get("value.weight").length);
        const { advantages } = old;
        const surrogate = policyLoss({
          logProbs: logProbabilities,
          oldLogProbs,
          advantages,
          clipRange,
          mask,
        });
        report.clipFraction = surrogate.clipFraction;
        report.valueLoss ??= loss.value;
        return surrogate.gradient;
      },
      frozen,
    );
    report.penalty = addPenalty(gradients, parameters, global, beta);
    adamStep(parameters, gradients, moments, rate, clipNorm);
    adamStep(parameters, headGradients, valueMoments, valueRate);
  }
  return report;
}

/**
 * The reward of an answer, given out as it is earned: at the end of every word by how much the reward of what is written so far
 * has changed. The sum is the reward of the answer; without discount only the variance of the advantages is another one.
 */
export function rewardsOfCharacters(answer, words, weights) {
  const text = decode(answer);
  const ends = Array.from(text, (_, t) => t).filter(
    (t) => t === text.length - 1 || (/[a-z]/i.test(text[t]) && !/[a-z]/i.test(text[t + 1])),
  );
  const written = ends.map((t) => text.slice(0, t + 1));
  const earned = combinedReward({
    scores: { help: written.map((part) => helpfulness(part, words)), safe: written.map(safety) },
    weights,
  });
  const rewards = new Float64Array(text.length);
  ends.forEach((t, i) => {
    rewards[t] = earned[i] - (i === 0 ? 0 : earned[i - 1]);
  });
  return rewards;
}

/** The samplers' log-probabilities at the places of the targets. */
function onGrid({ count, length }, answers) {
  const grid = new Float64Array(count * length);
  answers.forEach(({ prompt, logProbabilities }, row) => {
    grid.set(logProbabilities, row * length + prompt.length - 1);
  });
  return grid;
}

/** V = hidden w + b for every character. */
function valuesOf(parameters, hidden) {
  const weight = parameters.get("value.weight");
  const [bias] = parameters.get("value.bias");
  const values = new Float64Array(hidden.length / weight.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = bias;
    for (let d = 0; d < weight.length; d++) values[i] += hidden[i * weight.length + d] * weight[d];
  }
  return values;
}

function headGradientsOf(slopes, hidden, width) {
  const weight = new Float64Array(width);
  const bias = new Float64Array(1);
  slopes.forEach((slope, i) => {
    if (slope === 0) return;
    bias[0] += slope;
    for (let d = 0; d < width; d++) weight[d] += slope * hidden[i * width + d];
  });
  return new Map([
    ["value.weight", weight],
    ["value.bias", bias],
  ]);
}

/** Adds the gradient of beta ||theta_k - theta_g||^2 over the shared tensors of the network; gives the penalty itself. */
function addPenalty(gradients, parameters, global, beta) {
  const shared = new Map([...global].filter(([name]) => gradients.has(name)));
  if (beta === 0 || shared.size === 0) return 0;
  const { value, gradient } = deviationPenalty({ parameters, global: shared, beta });
  for (const name of shared.keys()) {
    const own = gradients.get(name);
    for (let i = 0; i < own.length; i++) own[i] += gradient[name][i];
  }
  return value;
}

export const mean = (rows, name) => rows.reduce((sum, row) => sum + row[name], 0) / rows.length;
