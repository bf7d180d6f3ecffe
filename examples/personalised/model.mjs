/**
 * The transformer of federated-lora with what is tuned on a device: LoRA on query, key, value and output, bottleneck
 * adapters after the attention and after the MLP of every layer, and the output head. The base stays as it is.
 *
 * Adapter on the output h of a block: h + up gelu(down h), before it joins the residual stream (Houlsby et al. 2019);
 * up = 0 at the start, so that tuning starts at the base. The head is a matrix of its own that starts as the embedding.
 *
 * Parameters are a plain object of { shape, data: Float64Array } by name, linear maps dOut x dIn by rows:
 * layer<l>.<query|key|value|output>.loraB and .loraA, layer<l>.<attention|mlp>.adapter.down and .up, head.weight.
 */
import * as tf from "@tensorflow/tfjs";
import { randomStream } from "airfold/core";
import { addProduct, chainRule, copyTransposed } from "../federated-lora/adapters.mjs";
import {
  causalAttention,
  crossEntropy,
  frozenProduct,
  gelu,
  product,
  standardise,
} from "../federated-lora/blocks.mjs";
import { adapterTargets, initialAdapters } from "../federated-lora/transformer.mjs";

const places = ["attention", "mlp"];

/** Names and shapes of what is tuned, for a LoRA rank and a width of the adapters. */
export function parameterShapes({ layers, width, vocabulary }, { rank, bottleneck }) {
  const shapes = new Map();
  for (const { name, dOut, dIn } of adapterTargets({ layers, width })) {
    shapes.set(`${name}.loraB`, [dOut, rank]).set(`${name}.loraA`, [rank, dIn]);
  }
  for (let layer = 0; layer < layers; layer++) {
    for (const place of places) {
      shapes.set(`layer${layer}.${place}.adapter.down`, [bottleneck, width]);
      shapes.set(`layer${layer}.${place}.adapter.up`, [width, bottleneck]);
    }
  }
  return shapes.set("head.weight", [vocabulary, width]);
}

/**
 * Parameters with which the model is the base: loraB = 0, loraA with orthonormal rows, up = 0, down normal with
 * variance 1/width, the head a copy of the embedding.
 *
 * @param weights of the base
 * @param options { rank, bottleneck, seed }; loraA depends on the rank, nothing else does
 * @returns { shape, data: Float64Array } by name
 */
export function initialParameters(weights, sizes, { rank, bottleneck, seed }) {
  const lora = initialAdapters(sizes, rank, seed);
  let offset = 0;
  const parameters = {};
  for (const [name, shape] of parameterShapes(sizes, { rank, bottleneck })) {
    const count = shape[0] * shape[1];
    const data = new Float64Array(count);
    if (/\.lora[AB]$/.test(name)) {
      data.set(lora.subarray(offset, offset + count));
      offset += count;
    } else if (name.endsWith(".down")) {
      const stream = randomStream(seed, "bottleneck", name);
      for (let i = 0; i < count; i++) data[i] = stream.normal() / Math.sqrt(sizes.width);
    } else if (name === "head.weight") data.set(weights.get("embedding").data);
    parameters[name] = { shape, data };
  }
  return parameters;
}

/**
 * The model on the backend that is set (federated-lora/backend.mjs). Batches as in federated-lora, { inputs, targets:
 * Int32Array(count * length), count, length }. Arithmetic is float32; the same input gives the same bits.
 *
 * @param weights of the base, Map of { shape, data } by name
 */
export function createPersonalModel(weights, sizes) {
  const { layers, width, heads, vocabulary } = sizes;
  const targets = adapterTargets(sizes);
  const fixed = new Map();
  for (const [name, { shape, data }] of weights) {
    fixed.set(name, tf.tensor(data, shape));
    if (/expand|contract/.test(name)) fixed.set(`${name}^T`, tf.transpose(fixed.get(name)));
  }

  /** Logits, N x vocabulary, from the tensors of `tensorsOf`. */
  function forward({ inputs, count, length }, tensors) {
    const linear = (x, name) => frozenProduct(x, fixed.get(`${name}^T`), fixed.get(name));
    const norm = (x, name) =>
      tf.add(tf.mul(standardise(x), fixed.get(`${name}.gain`)), fixed.get(`${name}.bias`));
    const adapt = (h, down, up) => tf.add(h, product(gelu(product(h, down)), up));
    const embedded = tf.gather(fixed.get("embedding"), tf.tensor1d(inputs, "int32"));
    const position = tf.tile(tf.slice(fixed.get("position"), 0, length), [count, 1]);
    let x = tf.add(embedded, position);
    for (let layer = 0; layer < layers; layer++) {
      const [project, output, down1, up1, down2, up2] = tensors.slice(6 * layer, 6 * layer + 6);
      const projected = product(norm(x, `layer${layer}.norm1`), project, layer > 0);
      const mixed = causalAttention(projected, { count, length, heads, width });
      x = tf.add(x, adapt(product(mixed, output), down1, up1));
      const inner = gelu(linear(norm(x, `layer${layer}.norm2`), `layer${layer}.expand`));
      x = tf.add(x, adapt(linear(inner, `layer${layer}.contract`), down2, up2));
    }
    return product(norm(x, "norm"), tensors[6 * layers]);
  }

  /**
   * What the forward pass multiplies with, transposed: per layer [project, output] with LoRA merged (scale 1), the
   * adapters' four; then the head.
   */
  function tensorsOf(parameters) {
    const tensors = [];
    for (let layer = 0; layer < layers; layer++) {
      const project = new Float64Array(3 * width * width);
      const output = new Float64Array(width * width);
      targets.slice(4 * layer, 4 * layer + 4).forEach(({ name, dOut, dIn }, index) => {
        const to = index < 3 ? project : output;
        copyTransposed(to, weights.get(name).data, placeOf(index), dOut, dIn);
        addProduct(to, loraOf(parameters, name), placeOf(index), 0, dOut, dIn);
      });
      tensors.push(
        tf.tensor(new Float32Array(project), [width, 3 * width]),
        tf.tensor(new Float32Array(output), [width, width]),
      );
      for (const name of adapterNames(layer)) tensors.push(transposed(parameters[name]));
    }
    tensors.push(transposed(parameters["head.weight"]));
    return tensors;
  }

  /** Where query, key, value, output stand in their tensor. */
  const placeOf = (index) =>
    index < 3 ? { columns: 3 * width, first: index * width } : { columns: width, first: 0 };

  /**
   * Losses in nats and hits of every character: 1 where the likeliest next character is the right one.
   *
   * @returns { losses: Float32Array, hits: Uint8Array }, both count x length
   */
  function score(batch, parameters) {
    const rows = batch.count * batch.length;
    const result = { hits: new Uint8Array(rows) };
    tf.tidy(() => {
      const logits = forward(batch, tensorsOf(parameters));
      result.losses = crossEntropy(logits, oneHot(batch.targets, vocabulary)).dataSync();
      const values = logits.dataSync();
      for (let i = 0; i < rows; i++) {
        const at = i * vocabulary;
        let best = 0;
        for (let c = 1; c < vocabulary; c++) if (values[at + c] > values[at + best]) best = c;
        result.hits[i] = best === batch.targets[i] ? 1 : 0;
      }
    });
    return result;
  }

  /**
   * The weighted sum of the characters' losses, and its gradients by name.
   *
   * @param characterWeights count x length numbers; 1/N each by default, which makes it the mean
   * @returns { loss, gradients: Float32Array by name }
   */
  function lossAndGradients(batch, parameters, characterWeights) {
    const rows = batch.count * batch.length;
    const shares = characterWeights ?? new Float32Array(rows).fill(1 / rows);
    const gradients = {};
    let loss = 0;
    tf.tidy(() => {
      const run = (...tensors) => crossEntropy(forward(batch, tensors), oneHot(batch.targets, vocabulary));
      const { value, grads } = tf.valueAndGrads(run)(tensorsOf(parameters), tf.tensor1d(shares, "float32"));
      value.dataSync().forEach((one, i) => {
        loss += shares[i] * one;
      });
      const arrays = grads.map((gradient) => gradient.dataSync());
      targets.forEach(({ name, dOut, dIn }, t) => {
        const from = arrays[6 * Math.floor(t / 4) + (t % 4 < 3 ? 0 : 1)];
        const lora = loraOf(parameters, name);
        const both = new Float32Array(lora.parameters.length);
        chainRule(both, { from, place: placeOf(t % 4) }, lora, 0, dOut, dIn);
        gradients[`${name}.loraB`] = both.subarray(0, dOut * lora.rank);
        gradients[`${name}.loraA`] = both.subarray(dOut * lora.rank);
      });
      for (let layer = 0; layer < layers; layer++) {
        adapterNames(layer).forEach((name, i) => {
          gradients[name] = transposedBack(arrays[6 * layer + 2 + i], parameters[name].shape);
        });
      }
      gradients["head.weight"] = transposedBack(arrays[6 * layers], parameters["head.weight"].shape);
    });
    return { loss, gradients };
  }

  function dispose() {
    for (const tensor of fixed.values()) tensor.dispose();
    fixed.clear();
  }

  return { score, lossAndGradients, dispose };
}

const adapterNames = (layer) =>
  places.flatMap((place) => ["down", "up"].map((name) => `layer${layer}.${place}.adapter.${name}`));

/** The factors of one target as federated-lora/adapters.mjs takes them. */
function loraOf(parameters, name) {
  const { shape, data } = parameters[`${name}.loraB`];
  const after = parameters[`${name}.loraA`].data;
  const both = new Float64Array(data.length + after.length);
  both.set(data);
  both.set(after, data.length);
  return { rank: shape[1], scale: 1, parameters: both };
}

/** dIn x dOut for a matrix dOut x dIn. */
function transposed({ shape: [dOut, dIn], data }) {
  const to = new Float32Array(data.length);
  copyTransposed(to, data, { columns: dOut, first: 0 }, dOut, dIn);
  return tf.tensor(to, [dIn, dOut]);
}

function transposedBack(from, [dOut, dIn]) {
  const to = new Float32Array(from.length);
  copyTransposed(to, from, { columns: dIn, first: 0 }, dIn, dOut);
  return to;
}

/** N x vocabulary, a one in every row. */
function oneHot(characters, vocabulary) {
  const data = new Float32Array(characters.length * vocabulary);
  for (let i = 0; i < characters.length; i++) data[i * vocabulary + characters[i]] = 1;
  return tf.tensor(data, [characters.length, vocabulary]);
}
