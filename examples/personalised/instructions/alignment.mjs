/**
 * Do the clients' changes of the shared tensors point the same way? node alignment.mjs: PFIT on the seed of the tuning with its chosen rate,
 * four rounds; cosines between the changes of two clients, by what the two have in common. Answers on standard output.
 */
import { parseArgs } from "node:util";
import { startBackend } from "../../federated-lora/backend.mjs";
import { loadWeights } from "../../federated-lora/weights.mjs";
import { clients, plan } from "./plan.mjs";
import { loadQuestions } from "./questions.mjs";
import { mean } from "./scores.mjs";
import { createTraining, openLink, tempered, train } from "./training.mjs";

const { values: flags } = parseArgs({
  options: {
    rate: { type: "string", default: "0.016" },
    beta: { type: "string", default: "0.05" },
    rounds: { type: "string", default: "4" },
  },
});

await startBackend();
const settings = plan(false);
const { seed } = settings.tuning;
const weights = tempered(loadWeights(new URL("./warm.bin", import.meta.url)));
const state = createTraining({ weights, planName: "pfit", seed, questions: loadQuestions(), settings });
const cosines = new Map();
const shares = [];
train(state, {
  settings,
  rounds: Number(flags.rounds),
  link: openLink(settings.snrDb, seed).link,
  seed,
  rate: Number(flags.rate),
  beta: Number(flags.beta),
  look: false,
  onRound: (_, changes) => {
    const inner = clients.map((_, a) => clients.map((_, b) => dot(changes[a], changes[b])));
    clients.forEach((one, a) => {
      clients.slice(0, a).forEach((other, b) => {
        const key = `${one.topic === other.topic ? "same" : "other"} topic, ${one.kind === other.kind ? "same" : "other"} weights`;
        if (!cosines.has(key)) cosines.set(key, []);
        cosines.get(key).push(inner[a][b] / Math.sqrt(inner[a][a] * inner[b][b]));
      });
    });
    const total = inner.flat().reduce((sum, one) => sum + one, 0) / clients.length ** 2;
    shares.push(total / mean(clients.map((_, a) => inner[a][a])));
  },
});
const answer = {
  cosines: Object.fromEntries([...cosines].map(([key, list]) => [key, Number(mean(list).toFixed(4))])),
  "energy of the mean change / mean energy of the changes": Number(mean(shares).toFixed(4)),
};
process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);

function dot(a, b) {
  let sum = 0;
  a.forEach((tensor, t) => {
    for (let i = 0; i < tensor.length; i++) sum += tensor[i] * b[t][i];
  });
  return sum;
}
