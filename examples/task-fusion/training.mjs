/** Training of the base and of the single-task models: Adam, with everything kept inside the backend. */
import * as tf from "@tensorflow/tfjs";
import { gradientOf, tensorsOf, toDevice } from "./network.mjs";

/**
 * Adam (Kingma and Ba, ICLR 2015) with a learning rate that falls along half a cosine. The samples are taken in their
 * order, again and again: the split has shuffled them.
 *
 * @param options.start parameters; they are not changed
 * @param options.samples one per task that is trained: { task, inputs, labels, count }
 * @param options.batch samples per task and step; divides their counts
 * @param options.trains name => whether the tensor moves
 * @returns parameters after `steps`
 */
export function train({ architecture, start, samples, batch, steps, learningRate, trains }) {
  for (const { count } of samples) {
    if (count % batch !== 0) throw new RangeError(`batch: found ${batch}, expected a divisor of ${count}`);
  }
  const weights = tensorsOf(
    architecture,
    start,
    samples.map(({ task }) => task),
  );
  const data = samples.map((one) => toDevice(architecture, one));
  const moments = new Map(
    [...weights.keys()]
      .filter(trains)
      .map((name) => [name, [tf.zerosLike(weights.get(name)), tf.zerosLike(weights.get(name))]]),
  );
  for (let step = 0; step < steps; step++) {
    const rate = (learningRate * (1 + Math.cos((Math.PI * step) / steps))) / 2;
    tf.tidy(() => {
      const batches = data.map(({ task, count, x, wanted }) => {
        const first = (step * batch) % count;
        const rows = (tensor) => tf.slice(tensor, [first, 0], [batch, tensor.shape[1]]);
        return { task, count: batch, x: rows(x), wanted: rows(wanted) };
      });
      const { gradient } = gradientOf(architecture, weights, batches);
      for (const [name, [first, second]] of moments) {
        const g = gradient.get(name);
        const next = adam(weights.get(name), g, first, second, rate, step + 1);
        weights.get(name).dispose();
        first.dispose();
        second.dispose();
        weights.set(name, tf.keep(next[0]));
        moments.set(name, [tf.keep(next[1]), tf.keep(next[2])]);
      }
    });
  }
  const trained = [...moments.keys()].map((name) => [name, Float32Array.from(weights.get(name).dataSync())]);
  for (const { x, wanted } of data) tf.dispose([x, wanted]);
  tf.dispose([...weights.values()]);
  tf.dispose([...moments.values()].flat());
  const kept = Object.entries(start).map(([name, values]) => [name, values.slice()]);
  return { ...Object.fromEntries(kept), ...Object.fromEntries(trained) };
}

function adam(point, gradient, first, second, rate, step) {
  const m = tf.add(tf.mul(first, 0.9), tf.mul(gradient, 0.1));
  const v = tf.add(tf.mul(second, 0.999), tf.mul(tf.mul(gradient, gradient), 0.001));
  // the bias corrections of both moments, and epsilon = 1e-8 times that of the root
  const root = Math.sqrt(1 - 0.999 ** step);
  const length = (rate * root) / (1 - 0.9 ** step);
  return [tf.sub(point, tf.mul(tf.div(m, tf.add(tf.sqrt(v), 1e-8 * root)), length)), m, v];
}
