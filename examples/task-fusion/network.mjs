/**
 * The network: a trunk of two hidden layers that all tasks share, and a linear head per task. Smooth units (SiLU,
 * x sigmoid(x)), because the prediction of disentanglement takes second derivatives. Gradients are written out: the
 * backend's own would multiply by transposed matrices, which is slow there.
 *
 * Parameters are named Float32Arrays: layer1.weight (dIn x dOut, by rows), layer1.bias, layer2..., head0.weight...
 */
import * as tf from "@tensorflow/tfjs";
import { randomStream } from "airfold/core";

/** Names and shapes. */
export function shapesOf({ inputs, hidden, classes }) {
  const shapes = new Map();
  let width = inputs;
  hidden.forEach((next, i) => {
    shapes.set(`layer${i + 1}.weight`, [width, next]).set(`layer${i + 1}.bias`, [next]);
    width = next;
  });
  classes.forEach((count, t) => {
    shapes.set(`head${t}.weight`, [width, count]).set(`head${t}.bias`, [count]);
  });
  return shapes;
}

/** Weights normal of variance 2 / dIn (He et al. 2015), in the heads 1 / dIn; biases 0. */
export function initialParameters(architecture, seed) {
  return Object.fromEntries(
    [...shapesOf(architecture)].map(([name, [rows, cols]]) => {
      const data = new Float32Array(rows * (cols ?? 1));
      if (cols === undefined) return [name, data];
      const deviation = Math.sqrt((name.startsWith("head") ? 1 : 2) / rows);
      const stream = randomStream(seed, "initial", name);
      return [name, data.map(() => deviation * stream.normal())];
    }),
  );
}

/**
 * Logits of one task.
 *
 * @param samples { inputs, count }
 * @returns one Float32Array per sample
 */
export function logits(architecture, parameters, samples, task) {
  const classes = architecture.classes[task];
  const flat = tf.tidy(() => {
    const weights = tensorsOf(architecture, parameters, [task]);
    const x = tf.tensor2d(samples.inputs, [samples.count, architecture.inputs]);
    return headOf(weights, task, trunkOf(architecture, weights, x).at(-1).y).dataSync();
  });
  return Array.from({ length: samples.count }, (_, s) => flat.subarray(s * classes, (s + 1) * classes));
}

/** Share of the samples whose largest logit is that of their label. */
export function accuracy(architecture, parameters, samples, task) {
  const rows = logits(architecture, parameters, samples, task);
  return rows.filter((row, s) => argMax(row) === samples.labels[s]).length / samples.count;
}

function argMax(row) {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
  return best;
}

/**
 * Cross entropy in nats, the mean over the batches of the mean over their samples, and its gradient.
 *
 * @param batches [{ task, inputs, labels, count }], each task at most once
 * @returns { loss, gradient: Float32Array by name, of the trunk and the heads of these tasks }
 */
export function lossAndGradient(architecture, parameters, batches) {
  return tf.tidy(() => {
    const tasks = batches.map(({ task }) => task);
    const weights = tensorsOf(architecture, parameters, tasks);
    const onDevice = batches.map((batch) => toDevice(architecture, batch));
    const { gradient, shares } = gradientOf(architecture, weights, onDevice);
    let loss = 0;
    batches.forEach(({ task, labels, count }, b) => {
      const classes = architecture.classes[task];
      const share = shares[b].dataSync();
      for (let s = 0; s < count; s++) {
        loss -= Math.log(Math.max(share[s * classes + labels[s]], 1e-38)) / count / batches.length;
      }
    });
    const read = [...gradient].map(([name, tensor]) => [name, tensor.dataSync()]);
    return { loss, gradient: Object.fromEntries(read) };
  });
}

/** Samples as tensors: x (count x inputs), and the labels one-hot. */
export function toDevice(architecture, { task, inputs, labels, count }) {
  const classes = architecture.classes[task];
  const wanted = new Float32Array(count * classes);
  labels.forEach((label, s) => {
    wanted[s * classes + label] = 1;
  });
  return {
    task,
    count,
    x: tf.tensor2d(inputs, [count, architecture.inputs]),
    wanted: tf.tensor2d(wanted, [count, classes]),
  };
}

/**
 * The gradient of the mean cross entropy, without leaving the backend. To be called inside `tf.tidy`.
 *
 * @param weights tensors by name; batches as `toDevice` makes them
 * @returns { gradient: Map of tensors by name, shares: the softmax per batch }
 */
export function gradientOf(architecture, weights, batches) {
  const x = batches.length === 1 ? batches[0].x : tf.concat(batches.map((batch) => batch.x));
  const layers = trunkOf(architecture, weights, x);
  const features = layers.at(-1).y;
  const gradient = new Map();
  const shares = [];
  let row = 0;
  const backs = batches.map(({ task, count, wanted }) => {
    const own = batches.length === 1 ? features : tf.slice(features, [row, 0], [count, features.shape[1]]);
    row += count;
    const share = tf.softmax(headOf(weights, task, own));
    shares.push(share);
    const dy = tf.mul(tf.sub(share, wanted), 1 / count / batches.length);
    gradient.set(`head${task}.weight`, tf.matMul(tf.transpose(own), dy));
    gradient.set(`head${task}.bias`, tf.sum(dy, 0));
    return tf.matMul(dy, tf.transpose(weights.get(`head${task}.weight`)));
  });
  let dy = backs.length === 1 ? backs[0] : tf.concat(backs);
  for (let i = layers.length; i >= 1; i--) {
    const { x: before, gate, y } = layers[i - 1];
    // d/dz z s = s + z s (1 - s)
    const dz = tf.mul(dy, tf.add(gate, tf.mul(y, tf.sub(1, gate))));
    gradient.set(`layer${i}.weight`, tf.matMul(tf.transpose(before), dz));
    gradient.set(`layer${i}.bias`, tf.sum(dz, 0));
    if (i > 1) dy = tf.matMul(dz, tf.transpose(weights.get(`layer${i}.weight`)));
  }
  return { gradient, shares };
}

/** Every layer's input x, gate sigmoid(z) and output y = z sigmoid(z). */
function trunkOf({ hidden }, weights, x) {
  return hidden.map((_, i) => {
    const before = x;
    const z = tf.add(
      tf.matMul(before, weights.get(`layer${i + 1}.weight`)),
      weights.get(`layer${i + 1}.bias`),
    );
    const gate = tf.sigmoid(z);
    x = tf.mul(z, gate);
    return { x: before, gate, y: x };
  });
}

function headOf(weights, task, features) {
  return tf.add(tf.matMul(features, weights.get(`head${task}.weight`)), weights.get(`head${task}.bias`));
}

/** The parameters of the trunk and of some heads. */
export function tensorsOf(architecture, parameters, tasks) {
  const needed = [...shapesOf(architecture)].filter(
    ([name]) => !name.startsWith("head") || tasks.some((task) => name.startsWith(`head${task}.`)),
  );
  return new Map(needed.map(([name, shape]) => [name, tf.tensor(parameters[name], shape)]));
}
