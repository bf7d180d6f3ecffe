// Makes examples/training-log.ndjson: toy federated least squares, logged as `airfold estimate` reads it.
// Usage, after `npm run build`: node scripts/training-log.mjs > examples/training-log.ndjson
import { randomStream } from "airfold/core";

const devices = 5;
const entries = 8;
const samples = 2000; // of each device
const batch = 500;
const replicates = 2; // independent minibatches per device and round
const rounds = 20;
const step = 0.8;

const stream = randomStream(1, "training-log");
const target = Array.from({ length: entries }, () => 2 * stream.normal());
// device k: rows a with features of falling scale, labels b = <a, target + own shift> + noise
const data = Array.from({ length: devices }, () => {
  const shift = target.map(() => 0.3 * stream.normal());
  return Array.from({ length: samples }, () => {
    const row = target.map((_, i) => 0.8 ** i * stream.normal());
    const label = row.reduce((sum, a, i) => sum + a * (target[i] + shift[i]), 0.05 * stream.normal());
    return { row, label };
  });
});

/** Mean of (<a, x> - b)^2 / 2 over a random minibatch, and its gradient. */
function minibatch(rows, x) {
  const gradient = x.map(() => 0);
  let loss = 0;
  for (let n = 0; n < batch; n++) {
    const { row, label } = rows[stream.integer(samples)];
    const error = row.reduce((sum, a, i) => sum + a * x[i], -label);
    loss += error ** 2 / (2 * batch);
    for (let i = 0; i < entries; i++) gradient[i] += (error * row[i]) / batch;
  }
  return { gradient, loss };
}

const short = (value) => Number(value.toPrecision(7));
let parameters = target.map(() => 0);
for (let round = 0; round < rounds; round++) {
  const mean = parameters.map(() => 0);
  for (let device = 0; device < devices; device++) {
    for (let replicate = 0; replicate < replicates; replicate++) {
      const { gradient, loss } = minibatch(data[device], parameters);
      for (let i = 0; i < entries; i++) mean[i] += gradient[i] / (devices * replicates);
      console.log(
        JSON.stringify({ round, device, loss: short(loss), parameters, gradient: gradient.map(short) }),
      );
    }
  }
  parameters = parameters.map((value, i) => short(value - step * mean[i]));
}
