/** Steps on a device: Adam on batches of its own text (Kingma, Ba 2015), its moments staying on the device. */
import { randomStream } from "airfold/core";
import { windows } from "../../federated-lora/tasks.mjs";
import { initialParameters } from "../model.mjs";

const [beta1, beta2, epsilon] = [0.9, 0.99, 1e-8];

/**
 * A client before the first round. Tensors of equal shape start alike on all clients.
 *
 * @returns { parameters, moments, steps }, moments { first, second: Float64Array } by name
 */
export function createClient({ weights, architecture, rank, bottleneck, seed }) {
  const parameters = initialParameters(weights, architecture, { rank, bottleneck, seed });
  const moments = {};
  for (const [name, { data }] of Object.entries(parameters)) {
    moments[name] = { first: new Float64Array(data.length), second: new Float64Array(data.length) };
  }
  return { parameters, moments, steps: 0 };
}

/**
 * The local steps of a round; `client` is changed. The batches depend on the seed, the client's number and the round alone, so
 * that all plans see the same ones.
 *
 * @param options model, text (tokens), client, number, round, seed, rate, local { steps, count, length }
 * @returns mean training loss of the batches, each before its step
 */
export function localSteps({ model, text, client, number, round, seed, rate, local }) {
  let sum = 0;
  for (let step = 0; step < local.steps; step++) {
    const stream = randomStream(seed, "batch", number, round, step);
    const batch = windows(text, { count: local.count, length: local.length, stream });
    const { loss, gradients } = model.lossAndGradients(batch, client.parameters);
    adamStep(client, gradients, rate);
    sum += loss / local.steps;
  }
  return sum;
}

function adamStep(client, gradients, rate) {
  client.steps += 1;
  const correct1 = 1 - beta1 ** client.steps;
  const correct2 = 1 - beta2 ** client.steps;
  for (const [name, { data }] of Object.entries(client.parameters)) {
    const gradient = gradients[name];
    const { first, second } = client.moments[name];
    for (let i = 0; i < data.length; i++) {
      first[i] += (1 - beta1) * (gradient[i] - first[i]);
      second[i] += (1 - beta2) * (gradient[i] * gradient[i] - second[i]);
      data[i] -= (rate * (first[i] / correct1)) / (Math.sqrt(second[i] / correct2) + epsilon);
    }
  }
}

/**
 * Held-out scores of one client's model.
 *
 * @returns { loss, accuracy }: nats per character, share of next characters that were the likeliest
 */
export function evaluate(model, batches, parameters) {
  let [loss, hits, characters] = [0, 0, 0];
  for (const batch of batches) {
    const scores = model.score(batch, parameters);
    for (let i = 0; i < scores.losses.length; i++) {
      loss += scores.losses[i];
      hits += scores.hits[i];
    }
    characters += scores.losses.length;
  }
  return { loss: loss / characters, accuracy: hits / characters };
}
