/**
 * The supervised warm-up, once: node examples/personalised/instructions/warm-up.mjs [--dense] [--steps n] [--out folder]. Adam on answers to
 * questions on countries that no client is asked about, from the base of examples/federated-lora. Writes warm.bin (float16) and warm.json
 * (settings, losses) next to this file, or into the folder; with --dense, full causal attention to compare with, only warm-dense.json.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { randomStream } from "airfold/core";
import { startBackend } from "../../federated-lora/backend.mjs";
import { encode } from "../../federated-lora/text.mjs";
import { architecture } from "../../federated-lora/transformer.mjs";
import { loadWeights, saveWeights } from "../../federated-lora/weights.mjs";
import { adamStep, createMoments } from "./adam.mjs";
import { linksOf } from "./attention.mjs";
import { batchOf } from "./lines.mjs";
import { costOfAttention, dense, links, mask, rank } from "./plan.mjs";
import { createPolicy, initialParameters } from "./policy.mjs";
import { loadQuestions, warmUpAnswer } from "./questions.mjs";

const { values: flags } = parseArgs({
  options: {
    dense: { type: "boolean", default: false },
    steps: { type: "string", default: "1400" },
    out: { type: "string" },
  },
});

/** Everything the weights depend on. The rate rises linearly over the warm-up of Adam and falls as a cosine to zero. */
const settings = { seed: 6, steps: Number(flags.steps), batch: 16, peakRate: 3e-3, rise: 50, clip: 1 };
const reportEvery = 50;

await startBackend();
const questions = loadQuestions();
const policy = createPolicy(architecture, flags.dense ? linksOf(architecture.context, () => true) : links);
const base = loadWeights();
const parameters = initialParameters(base, architecture, rank, settings.seed);
const names = [...base.keys()];
const moments = createMoments(parameters, names);
const heldOut = batchOf(questions.heldOut.map((one, i) => lineOf(one, randomStream(9, "h", i))));
const losses = [];
let recent = 0;
for (let step = 0; step < settings.steps; step++) {
  const { seed, batch, peakRate, rise, clip, steps } = settings;
  const stream = randomStream(seed, "warm-up", step);
  const lines = batchOf(
    Array.from({ length: batch }, () =>
      lineOf(questions.warmUp[stream.integer(questions.warmUp.length)], stream),
    ),
  );
  const count = lines.mask.reduce((sum, one) => sum + one, 0);
  const gradients = policy.gradient(parameters, lines, names, ({ logProbabilities }) => {
    recent += lossOf(lines, logProbabilities) / reportEvery;
    return Float64Array.from(lines.mask, (one) => -one / count);
  });
  const rate = peakRate * Math.min(1, (step + 1) / rise) * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
  adamStep(parameters, gradients, moments, rate, clip);
  if ((step + 1) % reportEvery === 0) {
    const held = lossOf(heldOut, policy.evaluate(parameters, heldOut).logProbabilities);
    losses.push({ step: step + 1, train: rounded(recent), heldOut: rounded(held) });
    process.stderr.write(`step ${step + 1}: loss ${rounded(recent)}, held-out ${rounded(held)}\n`);
    recent = 0;
  }
}

const folder = flags.out ?? fileURLToPath(new URL(".", import.meta.url));
mkdirSync(folder, { recursive: true });
const note = {
  about: "mean cross entropies in nats per character of the answers",
  settings,
  attention: costOfAttention(flags.dense ? dense : mask),
  questions: Object.fromEntries(Object.entries(questions).map(([part, list]) => [part, list.length])),
  losses,
};
writeFileSync(
  join(folder, flags.dense ? "warm-dense.json" : "warm.json"),
  `${JSON.stringify(note, undefined, 2)}\n`,
);
if (!flags.dense) {
  const trained = new Map(
    [...base].map(([name, { shape }]) => [name, { shape, data: parameters.get(name) }]),
  );
  writeFileSync(join(folder, "warm.bin"), saveWeights(trained));
}

function lineOf(one, stream) {
  return { prompt: one.prompt, answer: encode(`${warmUpAnswer(one, stream)}\n`) };
}

/** Mean over the characters of the answers. */
function lossOf({ mask: counted, count, length }, logProbabilities) {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < count * length; i++) {
    if (counted[i] === 0) continue;
    sum -= logProbabilities[i];
    total++;
  }
  return sum / total;
}

function rounded(value) {
  return Number(value.toFixed(4));
}
