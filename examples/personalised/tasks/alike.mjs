/**
 * How alike are the changes that the clients make on their own? node alike.mjs: every client tunes for some rounds from the same
 * start, with the same ranks, alone; then for every part of the model the mean cosine of the changes of two clients,
 * and the energy of the mean change over the mean energy. Changes that are orthogonal give 0 and 1/K, equal ones 1 and 1.
 */
import { startBackend } from "../../federated-lora/backend.mjs";
import { architecture } from "../../federated-lora/transformer.mjs";
import { loadWeights } from "../../federated-lora/weights.mjs";
import { createPersonalModel } from "../model.mjs";
import { loadClients } from "./clients.mjs";
import { createClient, localSteps } from "./local.mjs";
import { bottleneck, commonRank, plan } from "./plan.mjs";

const rounds = 5;
const rate = 0.008;
const parts = { adapters: /adapter/, LoRA: /lora/, head: /head/ };

await startBackend();
const weights = loadWeights();
const model = createPersonalModel(weights, architecture);
const { local, tuning, characters } = plan(false);
for (const population of ["dictionaries", "tasks"]) {
  const { seed } = tuning;
  const options = { weights, architecture, rank: commonRank, bottleneck, seed };
  const start = createClient(options).parameters;
  const clients = loadClients(population, seed, characters).map(({ train: text }, number) => {
    const client = createClient(options);
    for (let round = 0; round < rounds; round++) {
      localSteps({ model, text, client, number, round, seed, rate, local });
    }
    return client.parameters;
  });
  for (const [part, pattern] of Object.entries(parts)) {
    const names = Object.keys(start).filter((name) => pattern.test(name));
    const changes = clients.map((own) =>
      names.flatMap((name) => Array.from(own[name].data, (value, i) => value - start[name].data[i])),
    );
    const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
    const energies = changes.map((change) => dot(change, change));
    let cosines = 0;
    let whole = 0;
    changes.forEach((one, j) => {
      changes.forEach((other, k) => {
        const product = dot(one, other);
        whole += product / changes.length ** 2;
        if (j < k) cosines += product / Math.sqrt(energies[j] * energies[k]);
      });
    });
    const pairs = (changes.length * (changes.length - 1)) / 2;
    const share = whole / (energies.reduce((a, b) => a + b, 0) / energies.length);
    const text = `mean cosine ${(cosines / pairs).toFixed(3)}, energy of the mean ${share.toFixed(3)}`;
    process.stdout.write(`${population}, ${part}: ${text}\n`);
  }
}
