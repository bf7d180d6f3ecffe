/**
 * What the study runs: clients and what they prefer, plans of sharing, the radio, seeds, and the rates that each plan may try. What was fixed
 * when: README.md.
 */
import { attentionCost, causalMask, globalMask, sharingPlan, unionMask, windowMask } from "airfold/personal";
import { architecture } from "../../federated-lora/transformer.mjs";
import { radioOf } from "../../shared/radio.mjs";
import { linksOf } from "./attention.mjs";

/** The radio: 6 devices with 4 antennas, 4 streams, a server with 16 antennas, 4 subcarriers. */
export const radio = radioOf(6);
export { noiseVariance, streams, symbolDuration } from "../../shared/radio.mjs";

/** Rank of LoRA, in the plans that have it. */
export const rank = 4;

/** Two clients per topic, who ask about different countries and want different answers: weights of the two rewards. */
export const preferences = { helpful: { help: 0.97, safe: 0.03 }, careful: { help: 0.6, safe: 0.4 } };
export const clients = ["imports", "exports", "resources"].flatMap((topic) =>
  Object.entries(preferences).map(([kind, preference]) => ({ topic, kind, preference })),
);

/** What a server would ask for that knows nothing of the clients: the mean of their weights. */
export const meanPreference = {
  help: clients.reduce((sum, { preference }) => sum + preference.help / clients.length, 0),
  safe: clients.reduce((sum, { preference }) => sum + preference.safe / clients.length, 0),
};

/** Sparse attention: a causal window, and the first characters (the topic's) for everybody. */
const window = 16;
const globals = [0, 1, 2, 3, 4, 5];
export const mask = unionMask(
  windowMask(architecture.context, window),
  globalMask(architecture.context, globals),
);
export const links = linksOf(
  architecture.context,
  (t, s) => mask.allowed[t * architecture.context + s] === 1,
);
/** Full causal attention, to compare with. */
export const dense = causalMask(architecture.context);

export const costOfAttention = (of = mask) =>
  attentionCost(of, { headDimension: architecture.width / architecture.heads, heads: architecture.heads });

/** Names of the parameters by part. */
const parts = {
  lora: "layer1.*.lora?",
  lastLayers: /^layer1\.(query|key|value|output|expand|contract)$/,
  norms: ["layer1.norm?.*", "norm.*"],
  body: ["embedding", "position", /^layer0\.(norm[12]\.(gain|bias)|query|key|value|output|expand|contract)$/],
  head: "value.*",
};

/** What is trained where clients may differ: the last layer, and LoRA, norms and value head, which PFIT keeps private. */
const own = { lora: parts.lora, lastLayers: parts.lastLayers, head: [parts.head, ...parts.norms] };

/**
 * The plans: what is trained (parts), what of it is shared, whose weights of the rewards count. Every plan trains on the same number of
 * answers, in the same number of steps.
 */
export const plans = [
  {
    name: "vanilla",
    label: "vanilla",
    sharing: sharingPlan("vanilla", {
      body: parts.body,
      lastLayers: [parts.lastLayers, ...parts.norms],
      head: parts.head,
    }),
    preference: "mean",
  },
  {
    name: "lora-shared",
    label: "LoRA shared",
    sharing: sharingPlan("lora-shared", { lora: parts.lora, head: parts.head }),
    preference: "mean",
  },
  {
    name: "local-only",
    label: "local only",
    sharing: sharingPlan("local-only", own),
    preference: "own",
  },
  {
    name: "pfit",
    label: "PFIT",
    sharing: sharingPlan("last-layers-shared", own),
    preference: "own",
  },
];

/** The policy is softmax(logits / temperature); a smaller one makes the answers after the warm-up better formed. */
export const temperature = 0.7;

/** The settings of the full study and of the quick one. */
export function plan(quick) {
  return {
    rounds: quick ? 2 : 12,
    /** held-out questions are asked so often; questions of a topic at most, and answers to each */
    evaluate: { every: quick ? 2 : 6, questions: quick ? 3 : 24, perQuestion: quick ? 1 : 2, seed: 77 },
    ppo: {
      /** questions of a client and round, and answers to each */
      perRound: quick ? 2 : 8,
      perQuestion: 2,
      epochs: 2,
      gamma: 1,
      lambda: 0.95,
      clipRange: 0.2,
      /** of the value head */
      valueRate: 1e-2,
      /** taken off the reward of a character per nat */
      klCost: 0.01,
      clipNorm: 1,
    },
    snrDb: 10,
    /** on one seed, with so many rounds: rates, then penalties at the best rate */
    tuning: {
      rates: quick ? [4e-3] : [2e-3, 4e-3, 8e-3],
      betas: quick ? [] : [0.05],
      rounds: quick ? 1 : 5,
      seed: quick ? 1 : 2000,
    },
    seeds: quick ? [1] : [11, 12, 13],
    plans: quick ? ["vanilla", "pfit"] : plans.map(({ name }) => name),
  };
}
