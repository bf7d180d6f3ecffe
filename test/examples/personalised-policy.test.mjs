import { randomStream } from "airfold/core";
import { combinedReward } from "airfold/personal";
import { beforeAll, describe, expect, test } from "vitest";
import {
  attend as attendAll,
  attendGradient as attendAllGradient,
} from "../../examples/federated-lora/attention.mjs";
import { startBackend } from "../../examples/federated-lora/backend.mjs";
import { decode, encode } from "../../examples/federated-lora/text.mjs";
import { architecture } from "../../examples/federated-lora/transformer.mjs";
import { loadWeights } from "../../examples/federated-lora/weights.mjs";
import { attend, attendGradient, linksOf } from "../../examples/personalised/instructions/attention.mjs";
import { batchOf } from "../../examples/personalised/instructions/lines.mjs";
import { links, rank } from "../../examples/personalised/instructions/plan.mjs";
import {
  createPolicy,
  initialParameters,
  mergedWeights,
} from "../../examples/personalised/instructions/policy.mjs";
import { rewardsOfCharacters } from "../../examples/personalised/instructions/ppo.mjs";
import { loadQuestions } from "../../examples/personalised/instructions/questions.mjs";
import { helpfulness, safety } from "../../examples/personalised/instructions/rewards.mjs";
import { createSampler } from "../../examples/personalised/instructions/sampler.mjs";

const prompts = ["imports of Chad: ", "exports of Costa Rica: ", "resources of Iran: "].map(encode);

describe("examples/personalised/instructions: the policy", () => {
  let policy;
  let parameters;
  beforeAll(async () => {
    await startBackend();
    policy = createPolicy(architecture, links);
    const warmed = new URL("../../examples/personalised/instructions/warm.bin", import.meta.url);
    parameters = initialParameters(loadWeights(warmed), architecture, rank, 5);
    // LoRA that does something
    const stream = randomStream(5, "loraB");
    for (const [name, data] of parameters) {
      if (name.endsWith(".loraB")) for (let i = 0; i < data.length; i++) data[i] = 0.1 * stream.normal();
    }
  }, 120_000);

  const sample = (all, greedy) =>
    createSampler(mergedWeights(all, architecture), architecture, links).answer(
      prompts,
      prompts.map((_, q) => [0, 1].map((a) => (greedy ? undefined : randomStream(5, "answer", q, a)))),
      25,
    );
  const linesOf = (answers) =>
    answers.flatMap((own, q) => own.map(({ tokens }) => ({ prompt: prompts[q], answer: tokens })));

  test("the sampler's log-probabilities are those of the model", () => {
    const answers = sample(parameters);
    const lines = linesOf(answers);
    expect(new Set(lines.map(({ answer }) => answer.length)).size).toBeGreaterThan(1);
    const batch = batchOf(lines);
    const { logProbabilities } = policy.evaluate(parameters, batch);
    answers.flat().forEach((one, row) => {
      one.logProbabilities.forEach((value, t) => {
        const place = row * batch.length + lines[row].prompt.length - 1 + t;
        expect(Math.abs(logProbabilities[place] - value)).toBeLessThan(1e-5);
      });
    });
    const counted = batch.mask.reduce((sum, one) => sum + one, 0);
    expect(counted).toBe(lines.reduce((sum, { answer }) => sum + answer.length, 0));
  });

  test("greedy answers are the same for every answer, and end at a newline or at the limit", () => {
    for (const [first, second] of sample(parameters, true)) {
      expect(second).toEqual(first);
      expect(first.tokens.length === 25 || first.tokens.at(-1) === 0).toBe(true);
      expect(first.tokens.slice(0, -1)).not.toContain(0);
    }
  });

  test("gradients are the slopes of the sampler's double precision log-probabilities", () => {
    const answers = sample(parameters);
    const batch = batchOf(linesOf(answers));
    const factors = Float64Array.from(batch.mask, (one, i) => one * Math.sin(i));
    const names = [...parameters.keys()].filter((name) => !/^value\./.test(name));
    const gradients = policy.gradient(parameters, batch, names, () => factors);
    const forced = answers.map((own) => own.map(({ tokens }) => tokens));
    const lines = linesOf(answers);
    const objective = (all) => {
      const sampler = createSampler(mergedWeights(all, architecture), architecture, links);
      const scored = sampler.answer(prompts, forced, 25).flat();
      expect(scored.map(({ tokens }) => tokens)).toEqual(forced.flat());
      return scored.reduce((sum, { logProbabilities }, row) => {
        const start = row * batch.length + lines[row].prompt.length - 1;
        return sum + logProbabilities.reduce((own, value, t) => own + factors[start + t] * value, 0);
      }, 0);
    };
    const step = 1e-5;
    for (const name of names) {
      const direction = gradients.get(name);
      const size = Math.hypot(...direction);
      const shifted = (sign) => {
        const own = parameters.get(name).map((value, i) => value + (sign * step * direction[i]) / size);
        return objective(new Map([...parameters, [name, own]]));
      };
      const slope = (shifted(1) - shifted(-1)) / (2 * step);
      expect(Math.abs(slope / size - 1), `${name}: ${size} against ${slope}`).toBeLessThan(1e-3);
    }
  });

  test("layers that are computed once give the same as all of them", () => {
    const batch = batchOf(linesOf(sample(parameters)));
    const names = [...parameters.keys()].filter((name) => /^(layer1|norm)/.test(name));
    const frozen = policy.below(parameters, batch, 1);
    expect(policy.evaluate(parameters, batch, frozen)).toEqual(policy.evaluate(parameters, batch));
    const slopes = () => Float64Array.from(batch.mask);
    expect(policy.gradient(parameters, batch, names, slopes, frozen)).toEqual(
      policy.gradient(parameters, batch, names, slopes),
    );
  });

  test("with all links it is full causal attention", () => {
    const sizes = { count: 2, length: 12, heads: 4, width: 64 };
    const stream = randomStream(5, "attention");
    const normal = (length) => Float32Array.from({ length }, () => stream.normal());
    const projections = normal(24 * 192);
    const back = normal(24 * 64);
    const all = linesUpTo(12);
    const ours = attend(projections, all, sizes);
    const theirs = attendAll(projections, sizes);
    expect(largestDifference(ours.output, theirs.output)).toBeLessThan(1e-6);
    expect(
      largestDifference(
        attendGradient(projections, ours.shares, back, all, sizes),
        attendAllGradient(projections, theirs.shares, back, sizes),
      ),
    ).toBeLessThan(1e-5);
  });
});

describe("examples/personalised/instructions: questions and rewards", () => {
  test("no country is in two parts, and every line fits", () => {
    const questions = loadQuestions();
    const parts = Object.values(questions).map((list) => new Set(list.map(({ country }) => country)));
    parts.forEach((part, i) => {
      for (const other of parts.slice(i + 1)) expect([...part].filter((one) => other.has(one))).toEqual([]);
    });
    for (const { prompt } of Object.values(questions).flat())
      expect(prompt.length + 25).toBeLessThanOrEqual(64);
  });

  test("rewards of examples", () => {
    const reference = new Set(["machinery", "food", "oil", "textiles"]);
    expect(helpfulness("machinery, food and oil", reference)).toBe(1);
    expect(helpfulness("machinery, food, tea, tea", reference)).toBe(0.5);
    expect(helpfulness("food, food, food", reference)).toBeCloseTo(1 / 3, 15);
    expect(helpfulness("food", reference)).toBeCloseTo(Math.exp(-2), 15);
    expect(helpfulness("", reference)).toBe(0);
    expect([safety("food, tea"), safety("food, crude oil"), safety(", "), safety("oilseed")]).toEqual([
      1, 0, 0, 1,
    ]);
  });

  test("what the characters earn is what the answer earns", () => {
    const reference = new Set(["machinery", "food", "oil"]);
    const weights = { help: 0.7, safe: 0.3 };
    for (const text of ["food, tea, crude oil\n", "\n", "tea, food", ", x\n", "machinery and food, oil\n"]) {
      const rewards = rewardsOfCharacters(encode(text), reference, weights);
      expect(rewards).toHaveLength(text.length);
      const scores = { help: [helpfulness(text, reference)], safe: [safety(text)] };
      const total = rewards.reduce((sum, one) => sum + one, 0);
      expect(total).toBeCloseTo(combinedReward({ scores, weights })[0], 12);
      rewards.forEach((reward, t) => {
        // in the middle of a word nothing is earned
        if (/[a-z]/.test(text[t]) && /[a-z]/.test(text[t + 1] ?? " ")) expect(reward).toBe(0);
      });
    }
    expect(decode(encode("tea\n"))).toBe("tea\n");
  });
});

const linesUpTo = (length) => linksOf(length, () => true);

const largestDifference = (a, b) => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
