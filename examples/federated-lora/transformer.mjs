/**
 * A character-level causal transformer with LoRA on the attention projections: decoder only, layer norm before every
 * block, learned positions, GELU, output head tied to the embedding, no bias in the linear maps, no dropout (Radford et
 * al. 2019, GPT-2).
 *
 * LoRA: W = W0 + scale loraB loraA for query, key, value and output of every layer. The model merges the adapters into
 * W, asks TensorFlow.js for dF/dW of these matrices only, and applies the chain rule of the product:
 * dF/dloraB = scale dF/dW loraA^T and dF/dloraA = scale loraB^T dF/dW. That is the same gradient, and its time hardly
 * depends on the rank.
 */
import * as tf from "@tensorflow/tfjs";
import { randomStream } from "airfold/core";
import { Matrix, QrDecomposition } from "ml-matrix";
import { addProduct, chainRule, copyTransposed } from "./adapters.mjs";
import { causalAttention, crossEntropy, frozenProduct, gelu, product, standardise } from "./blocks.mjs";

/** Sizes. Characters have the numbers 0..vocabulary - 1. */
export const architecture = { context: 64, width: 64, layers: 2, heads: 4, hidden: 256, vocabulary: 96 };

const projections = ["query", "key", "value", "output"];

/** Names and shapes of all weights; linear maps are dOut x dIn. */
export function weightShapes({ context, width, layers, hidden, vocabulary }) {
  const shapes = new Map([
    ["embedding", [vocabulary, width]],
    ["position", [context, width]],
  ]);
  for (let layer = 0; layer < layers; layer++) {
    shapes.set(`layer${layer}.norm1.gain`, [width]).set(`layer${layer}.norm1.bias`, [width]);
    for (const name of projections) shapes.set(`layer${layer}.${name}`, [width, width]);
    shapes.set(`layer${layer}.norm2.gain`, [width]).set(`layer${layer}.norm2.bias`, [width]);
    shapes.set(`layer${layer}.expand`, [hidden, width]).set(`layer${layer}.contract`, [width, hidden]);
  }
  return shapes.set("norm.gain", [width]).set("norm.bias", [width]);
}

/**
 * Normal with deviation 0.02, those that end a residual branch with 0.02 / sqrt(2 layers), as in GPT-2.
 *
 * @returns Map of { shape, data: Float32Array } by name
 */
export function initialWeights(sizes, seed) {
  const weights = new Map();
  for (const [name, shape] of weightShapes(sizes)) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (name.endsWith(".gain")) data.fill(1);
    else if (!name.endsWith(".bias")) {
      const stream = randomStream(seed, "weights", name);
      const ends = name.endsWith(".output") || name.endsWith(".contract");
      const deviation = ends ? 0.02 / Math.sqrt(2 * sizes.layers) : 0.02;
      for (let i = 0; i < data.length; i++) data[i] = deviation * stream.normal();
    }
    weights.set(name, { shape, data });
  }
  return weights;
}

/** The matrices that have adapters, layer by layer: { name, dOut, dIn }. */
export function adapterTargets({ layers, width }) {
  return Array.from({ length: layers }, (_, layer) =>
    projections.map((name) => ({ name: `layer${layer}.${name}`, dOut: width, dIn: width })),
  ).flat();
}

/** Q = sum over the targets of r (dOut + dIn). */
export function adapterEntries(sizes, rank) {
  return adapterTargets(sizes).reduce((sum, { dOut, dIn }) => sum + rank * (dOut + dIn), 0);
}

/**
 * Adapters to start from, for every target loraB (dOut x r, by rows, zeros), then loraA (r x dIn, by rows):
 * loraA loraA^T = I, its rows uniform over the r-dimensional subspaces (QR of a normal matrix).
 *
 * @returns Float64Array of Q numbers
 */
export function initialAdapters(sizes, rank, seed) {
  const parameters = new Float64Array(adapterEntries(sizes, rank));
  let offset = 0;
  for (const { name, dOut, dIn } of adapterTargets(sizes)) {
    if (rank > dIn) throw new RangeError(`rank: found ${rank}, expected at most ${dIn}`);
    const stream = randomStream(seed, "adapters", name);
    const normal = Matrix.zeros(dIn, rank);
    for (let i = 0; i < dIn; i++) for (let j = 0; j < rank; j++) normal.set(i, j, stream.normal());
    const columns = new QrDecomposition(normal).orthogonalMatrix.subMatrix(0, dIn - 1, 0, rank - 1);
    parameters.set(columns.transpose().to1DArray(), offset + dOut * rank);
    offset += rank * (dOut + dIn);
  }
  return parameters;
}

/**
 * The model on the backend that is set (backend.mjs).
 *
 * Batches are { inputs, targets: Int32Array(count * length), count, length } with length <= context; adapters are
 * { rank, scale, parameters } with parameters as `initialAdapters` orders them. Losses are mean cross entropies in nats
 * per character. Arithmetic is float32; the same input gives the same bits.
 *
 * @param weights Map of { shape, data } by name
 */
export function createModel(weights, sizes) {
  const { context, width, layers, heads, vocabulary } = sizes;
  const targets = adapterTargets(sizes);
  const shapes = weightShapes(sizes);
  const host = new Map();
  /** frozen weights, and the transposes that products and their gradients need */
  const fixed = new Map();
  for (const [name, shape] of shapes) {
    const found = weights.get(name);
    if (found === undefined || String(found.shape) !== String(shape)) {
      throw new RangeError(`weights: found ${name} ${found?.shape ?? "missing"}, expected ${shape}`);
    }
    update(name, found.data);
  }

  function update(name, data) {
    host.set(name, new Float32Array(data));
    const put = (key, tensor) => {
      fixed.get(key)?.dispose();
      fixed.set(key, tensor);
    };
    put(name, tf.tensor(host.get(name), shapes.get(name)));
    if (/embedding|expand|contract/.test(name)) put(`${name}^T`, tf.transpose(fixed.get(name)));
  }

  /**
   * Cross entropy of every character.
   *
   * @param attention per layer { project: width x 3 width, output: width x width }, to be multiplied from the right
   * @param all every weight by name where all are trained; without it only `attention` has a gradient
   */
  function forward({ inputs, targets: wanted, count, length }, attention, all) {
    const linear = (x, name) =>
      all === undefined
        ? frozenProduct(x, fixed.get(`${name}^T`), fixed.get(name))
        : product(x, tf.transpose(all.get(name)));
    const norm = (x, name) => {
      const [gain, bias] = [`${name}.gain`, `${name}.bias`].map((key) => (all ?? fixed).get(key));
      return tf.add(tf.mul(standardise(x), gain), bias);
    };
    const rows = count * length;
    const embedding = (all ?? fixed).get("embedding");
    const position = tf.slice((all ?? fixed).get("position"), 0, length);
    const embedded = tf.reshape(product(oneHot(inputs, vocabulary), embedding, false), [
      count,
      length,
      width,
    ]);
    let x = tf.reshape(tf.add(embedded, position), [rows, width]);
    for (let layer = 0; layer < layers; layer++) {
      const { project, output } = attention[layer];
      const normed = norm(x, `layer${layer}.norm1`);
      const projected = product(normed, project, all !== undefined || layer > 0);
      const mixed = causalAttention(projected, { count, length, heads, width });
      x = tf.add(x, product(mixed, output));
      const inner = gelu(linear(norm(x, `layer${layer}.norm2`), `layer${layer}.expand`));
      x = tf.add(x, linear(inner, `layer${layer}.contract`));
    }
    return crossEntropy(linear(norm(x, "norm"), "embedding"), oneHot(wanted, vocabulary));
  }

  /** The attention matrices with the adapters merged, transposed: [project, output] of layer 0, of layer 1, ... */
  function mergedTensors(adapters) {
    let offset = 0;
    return Array.from({ length: layers }, (_, layer) => {
      const project = new Float64Array(3 * width * width);
      const output = new Float64Array(width * width);
      targets.slice(4 * layer, 4 * layer + 4).forEach(({ name, dOut, dIn }, index) => {
        const place = placeOf(index);
        const to = index < 3 ? project : output;
        copyTransposed(to, host.get(name), place, dOut, dIn);
        if (adapters === undefined) return;
        addProduct(to, adapters, place, offset, dOut, dIn);
        offset += adapters.rank * (dOut + dIn);
      });
      return [
        tf.tensor(new Float32Array(project), [width, 3 * width]),
        tf.tensor(new Float32Array(output), [width, width]),
      ];
    }).flat();
  }

  /** Where query, key, value, output stand in their tensor. */
  const placeOf = (index) =>
    index < 3 ? { columns: 3 * width, first: index * width } : { columns: width, first: 0 };

  const attentionOf = (tensors) =>
    Array.from({ length: layers }, (_, l) => ({ project: tensors[2 * l], output: tensors[2 * l + 1] }));

  /** Cross entropy of every character, count x length. */
  function characterLosses(batch, adapters) {
    check(batch);
    checkAdapters(adapters);
    let losses;
    tf.tidy(() => {
      losses = forward(batch, attentionOf(mergedTensors(adapters))).dataSync();
    });
    return losses;
  }

  const loss = (batch, adapters) => meanOf(characterLosses(batch, adapters));

  /**
   * Mean loss and its gradients in the tensors that `run` is a function of, as arrays. The tidy returns nothing:
   * TensorFlow.js looks for tensors in every entry of what it returns.
   */
  function differentiate(batch, makeTensors, run) {
    check(batch);
    const rows = batch.count * batch.length;
    const result = {};
    tf.tidy(() => {
      const { value, grads } = tf.valueAndGrads(run)(makeTensors(), tf.fill([rows], 1 / rows));
      result.loss = meanOf(value.dataSync());
      result.gradients = grads.map((gradient) => gradient.dataSync());
    });
    return result;
  }

  /** Loss, and per target dF/dW^T as { from, place }. */
  function projectionGradients(batch, adapters) {
    const run = (...tensors) => forward(batch, attentionOf(tensors));
    const { loss, gradients } = differentiate(batch, () => mergedTensors(adapters), run);
    const parts = targets.map((_, t) => ({
      from: gradients[2 * Math.floor(t / 4) + (t % 4 < 3 ? 0 : 1)],
      place: placeOf(t % 4),
    }));
    return { loss, parts };
  }

  function lossAndGradient(batch, adapters) {
    checkAdapters(adapters);
    const { loss, parts } = projectionGradients(batch, adapters);
    const gradient = new Float32Array(adapters.parameters.length);
    let offset = 0;
    targets.forEach(({ dOut, dIn }, t) => {
      chainRule(gradient, parts[t], adapters, offset, dOut, dIn);
      offset += adapters.rank * (dOut + dIn);
    });
    return { loss, gradient };
  }

  function weightGradientOf(batch, names, adapters) {
    checkAdapters(adapters);
    const { parts } = projectionGradients(batch, adapters);
    return new Map(
      names.map((name) => {
        const t = targets.findIndex((target) => target.name === name);
        const { dOut, dIn } = targets[t];
        const { from, place } = parts[t];
        const matrix = new Float32Array(dOut * dIn);
        for (let i = 0; i < dOut; i++) {
          for (let j = 0; j < dIn; j++) matrix[i * dIn + j] = from[j * place.columns + place.first + i];
        }
        return [name, matrix];
      }),
    );
  }

  function lossAndWeightGradient(batch) {
    const names = [...shapes.keys()];
    const run = (...tensors) => {
      const all = new Map(names.map((name, i) => [name, tensors[i]]));
      const attention = Array.from({ length: layers }, (_, layer) => {
        const [query, key, value, output] = projections.map((name) => all.get(`layer${layer}.${name}`));
        return { project: tf.transpose(tf.concat([query, key, value])), output: tf.transpose(output) };
      });
      return forward(batch, attention, all);
    };
    const { loss, gradients } = differentiate(batch, () => names.map((name) => fixed.get(name)), run);
    return { loss, gradients: new Map(names.map((name, i) => [name, gradients[i]])) };
  }

  function check({ inputs, targets: wanted, count, length }) {
    if (length > context) throw new RangeError(`length: found ${length}, expected at most ${context}`);
    if (inputs.length !== count * length || wanted.length !== count * length) {
      throw new RangeError(`batch: found ${inputs.length} characters, expected ${count * length}`);
    }
  }

  function checkAdapters(adapters) {
    const found = adapters?.parameters.length;
    const expected = adapters && adapterEntries(sizes, adapters.rank);
    if (found !== expected) throw new RangeError(`adapters: found ${found} parameters, expected ${expected}`);
  }

  function dispose() {
    for (const tensor of fixed.values()) tensor.dispose();
    fixed.clear();
  }

  return { loss, characterLosses, lossAndGradient, lossAndWeightGradient, weightGradientOf, update, dispose };
}

/** N x vocabulary, a one in every row. */
function oneHot(characters, vocabulary) {
  const data = new Float32Array(characters.length * vocabulary);
  for (let i = 0; i < characters.length; i++) data[i * vocabulary + characters[i]] = 1;
  return tf.tensor(data, [characters.length, vocabulary]);
}

function meanOf(values) {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
