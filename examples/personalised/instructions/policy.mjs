/**
 * The transformer of examples/federated-lora as a policy: sparse attention, LoRA on the attention projections, a linear value head
 * on the last hidden state, and the log-probability of every character. Which weights have a gradient is chosen at every call.
 *
 * Parameters are a Map of Float64Array by name: those of `weightShapes`, for every target <name>.loraB (dOut x r) and <name>.loraA
 * (r x dIn), value.weight (width) and value.bias (1). W = W0 + loraB loraA is merged before the products, and the gradients of the factors follow
 * from dF/dW, as in federated-lora/adapters.mjs. A batch is { inputs, targets: Int32Array(count * length), count, length }.
 */
import * as tf from "@tensorflow/tfjs";
import { randomStream } from "airfold/core";
import { addProduct, chainRule, copyTransposed } from "../../federated-lora/adapters.mjs";
import { crossEntropy, frozenProduct, gelu, product, standardise } from "../../federated-lora/blocks.mjs";
import { adapterTargets, weightShapes } from "../../federated-lora/transformer.mjs";
import { attend, attendGradient } from "./attention.mjs";

/** Names and shapes of all parameters. */
export function policyShapes(sizes, rank) {
  const shapes = weightShapes(sizes);
  for (const { name, dOut, dIn } of adapterTargets(sizes)) {
    shapes.set(`${name}.loraB`, [dOut, rank]).set(`${name}.loraA`, [rank, dIn]);
  }
  return shapes.set("value.weight", [sizes.width]).set("value.bias", [1]);
}

/**
 * Parameters to start from: the given weights, loraB and the value head zero, loraA normal with variance 1 / dIn.
 *
 * @param weights Map of { data } by name
 */
export function initialParameters(weights, sizes, rank, seed) {
  const parameters = new Map();
  for (const [name, shape] of policyShapes(sizes, rank)) {
    const data = Float64Array.from(weights.get(name)?.data ?? new Float64Array(shape[0] * (shape[1] ?? 1)));
    if (name.endsWith(".loraA")) {
      const stream = randomStream(seed, "policy", name);
      for (let i = 0; i < data.length; i++) data[i] = stream.normal() / Math.sqrt(shape[1]);
    }
    parameters.set(name, data);
  }
  return parameters;
}

/** The weights with the adapters merged, as Float64Array by name: what a sampler needs. */
export function mergedWeights(parameters, sizes) {
  const merged = new Map([...weightShapes(sizes).keys()].map((name) => [name, parameters.get(name)]));
  for (const { name, dOut, dIn } of adapterTargets(sizes)) {
    const weight = Float64Array.from(parameters.get(name));
    const loraB = parameters.get(`${name}.loraB`);
    const loraA = parameters.get(`${name}.loraA`);
    const rank = loraB.length / dOut;
    for (let i = 0; i < dOut; i++) {
      for (let k = 0; k < rank; k++) {
        const b = loraB[i * rank + k];
        if (b === 0) continue;
        for (let j = 0; j < dIn; j++) weight[i * dIn + j] += b * loraA[k * dIn + j];
      }
    }
    merged.set(name, weight);
  }
  return merged;
}

/**
 * The policy on the backend that is set (federated-lora/backend.mjs).
 *
 * @param links of the attention, for sizes.context characters (attention.mjs)
 */
export function createPolicy(sizes, links) {
  const { width, layers, heads, vocabulary } = sizes;
  const shapes = weightShapes(sizes);
  const targets = adapterTargets(sizes);

  /** The tensors of a forward pass by name; attention matrices merged, transposed and side by side. */
  function tensorsOf(parameters) {
    const tensors = new Map();
    for (const [name, shape] of shapes) {
      if (!/\.(query|key|value|output)$/.test(name)) {
        tensors.set(name, tf.tensor(new Float32Array(parameters.get(name)), shape));
      }
    }
    for (let layer = 0; layer < layers; layer++) {
      const project = new Float64Array(3 * width * width);
      const output = new Float64Array(width * width);
      targets.slice(4 * layer, 4 * layer + 4).forEach(({ name, dOut, dIn }, index) => {
        const to = index < 3 ? project : output;
        copyTransposed(to, parameters.get(name), placeOf(index), dOut, dIn);
        const adapters = adaptersOf(parameters, name, dOut);
        if (adapters.parameters.some((value, i) => i < adapters.rank * dOut && value !== 0)) {
          addProduct(to, adapters, placeOf(index), 0, dOut, dIn);
        }
      });
      tensors.set(`layer${layer}.project`, tf.tensor(new Float32Array(project), [width, 3 * width]));
      tensors.set(`layer${layer}.output`, tf.tensor(new Float32Array(output), [width, width]));
    }
    return tensors;
  }

  const placeOf = (index) =>
    index < 3 ? { columns: 3 * width, first: index * width } : { columns: width, first: 0 };

  function adaptersOf(parameters, name, dOut) {
    const loraB = parameters.get(`${name}.loraB`);
    const both = new Float64Array(loraB.length + parameters.get(`${name}.loraA`).length);
    both.set(loraB);
    both.set(parameters.get(`${name}.loraA`), loraB.length);
    return { rank: loraB.length / dOut, scale: 1, parameters: both };
  }

  /** The tensor that a trained parameter is a part of; none for the value head. */
  function tensorName(name) {
    const plain = name.replace(/\.lora[AB]$/, "");
    if (plain.startsWith("value.")) return undefined;
    return plain.replace(/\.(query|key|value)$/, ".project");
  }

  /**
   * -log p of every target (N), and the hidden states under the head (N x width).
   *
   * @param trained names of the tensors that have a gradient
   * @param options.frozen what is known before: { layers, states }, the output of the first layers for this batch
   * @param options.upTo layers after which to stop, with their output
   */
  function forward(
    { inputs, targets: wanted, count, length },
    tensors,
    trained,
    { frozen, upTo = layers } = {},
  ) {
    const weight = (name) => tensors.get(name);
    // nothing that is trained lies before this
    let below = !trained.has("embedding") && !trained.has("position");
    const linear = (x, name) =>
      trained.has(name)
        ? product(x, tf.transpose(weight(name)), !below)
        : frozenProduct(x, tf.transpose(weight(name)), weight(name));
    const apply = (x, matrix, name) =>
      trained.has(name) ? product(x, matrix, !below) : frozenProduct(x, matrix, tf.transpose(matrix));
    const norm = (x, name) => {
      const y = tf.add(tf.mul(standardise(x), weight(`${name}.gain`)), weight(`${name}.bias`));
      if (trained.has(`${name}.gain`) || trained.has(`${name}.bias`)) below = false;
      return y;
    };
    const touch = (name) => {
      if (trained.has(name)) below = false;
    };
    let x =
      frozen === undefined
        ? embed(inputs, count, length, weight)
        : tf.tensor(frozen.states, [count * length, width]);
    for (let layer = frozen?.layers ?? 0; layer < upTo; layer++) {
      const projected = apply(
        norm(x, `layer${layer}.norm1`),
        weight(`layer${layer}.project`),
        `layer${layer}.project`,
      );
      touch(`layer${layer}.project`);
      const mixed = sparseAttention(projected, { count, length, heads, width });
      x = tf.add(x, apply(mixed, weight(`layer${layer}.output`), `layer${layer}.output`));
      touch(`layer${layer}.output`);
      const expanded = linear(norm(x, `layer${layer}.norm2`), `layer${layer}.expand`);
      touch(`layer${layer}.expand`);
      x = tf.add(x, linear(gelu(expanded), `layer${layer}.contract`));
      touch(`layer${layer}.contract`);
    }
    if (upTo < layers) return { states: x };
    const hidden = norm(x, "norm");
    return { hidden, losses: crossEntropy(linear(hidden, "embedding"), oneHot(wanted, vocabulary)) };
  }

  function embed(inputs, count, length, weight) {
    const embedded = product(oneHot(inputs, vocabulary), weight("embedding"), false);
    const position = tf.slice(weight("position"), 0, length);
    const sum = tf.add(tf.reshape(embedded, [count, length, width]), position);
    return tf.reshape(sum, [count * length, width]);
  }

  function sparseAttention(projections, batch) {
    return tf.customGrad((input, save) => {
      const { output, shares } = attend(input.dataSync(), links, batch);
      save([input]);
      return {
        value: tf.tensor(output, [input.shape[0], width]),
        gradFunc: (dy, [saved]) =>
          tf.tensor(attendGradient(saved.dataSync(), shares, dy.dataSync(), links, batch), saved.shape),
      };
    })(projections);
  }

  /** The output of the first layers, to be given to the functions below as long as these layers do not change. */
  function below(parameters, batch, count) {
    check(batch);
    let states;
    tf.tidy(() => {
      states = forward(batch, tensorsOf(parameters), new Set(), { upTo: count }).states.dataSync();
    });
    return { layers: count, states };
  }

  /** Log-probability of every target (N) and hidden states (N x width). */
  function evaluate(parameters, batch, frozen) {
    check(batch);
    const result = {};
    tf.tidy(() => {
      const { hidden, losses } = forward(batch, tensorsOf(parameters), new Set(), { frozen });
      result.logProbabilities = losses.dataSync().map((loss) => -loss);
      result.hidden = hidden.dataSync();
    });
    return result;
  }

  /**
   * Gradients of an objective of the log-probabilities.
   *
   * @param names parameters that have a gradient; those of the value head are left out
   * @param objective of { logProbabilities, hidden }: gives dF/dlogProbabilities (N numbers), which is what goes back through the
   *   network: the gradient of sum_i stop(g_i) log p_i is that of F
   * @param frozen of `below`; what is trained lies above it
   * @returns Map of Float32Array by name
   */
  function gradient(parameters, batch, names, objective, frozen) {
    check(batch);
    const wanted = [...new Set(names.map(tensorName).filter((name) => name !== undefined))];
    const found = new Map();
    tf.tidy(() => {
      const tensors = tensorsOf(parameters);
      const run = (...given) => {
        const used = new Map([...tensors, ...wanted.map((name, i) => [name, given[i]])]);
        const { hidden, losses } = forward(batch, used, new Set(wanted), { frozen });
        const states = hidden.dataSync();
        return tf.customGrad((values) => {
          const slopes = objective({
            logProbabilities: values.dataSync().map((loss) => -loss),
            hidden: states,
          });
          return {
            value: tf.scalar(0),
            gradFunc: () =>
              tf.tensor(
                Float32Array.from(slopes, (slope) => -slope),
                values.shape,
              ),
          };
        })(losses);
      };
      const grads = tf.valueAndGrads(run)(wanted.map((name) => tensors.get(name))).grads;
      wanted.forEach((name, i) => {
        found.set(name, grads[i].dataSync());
      });
    });
    return unpack(parameters, names, found);
  }

  /** Gradients of parameters from those of the tensors. */
  function unpack(parameters, names, found) {
    const gradients = new Map();
    const inAttention = new Map(targets.map((target, t) => [target.name, { ...target, index: t % 4 }]));
    const factors = new Map();
    for (const name of names) {
      if (name.startsWith("value.")) continue;
      const plain = name.replace(/\.lora[AB]$/, "");
      const from = found.get(tensorName(name));
      const target = inAttention.get(plain);
      if (target === undefined) {
        gradients.set(name, from);
        continue;
      }
      const { dOut, dIn, index } = target;
      const place = placeOf(index);
      if (name === plain) {
        const matrix = new Float32Array(dOut * dIn);
        for (let i = 0; i < dOut; i++) {
          for (let j = 0; j < dIn; j++) matrix[i * dIn + j] = from[j * place.columns + place.first + i];
        }
        gradients.set(name, matrix);
        continue;
      }
      if (!factors.has(plain)) {
        const adapters = adaptersOf(parameters, plain, dOut);
        const both = new Float32Array(adapters.parameters.length);
        chainRule(both, { from, place }, adapters, 0, dOut, dIn);
        factors.set(plain, { both, split: adapters.rank * dOut });
      }
      const { both, split } = factors.get(plain);
      gradients.set(name, name.endsWith("B") ? both.subarray(0, split) : both.subarray(split));
    }
    return gradients;
  }

  function check({ inputs, targets: wanted, count, length }) {
    if (length > sizes.context) {
      throw new RangeError(`length: found ${length}, expected at most ${sizes.context}`);
    }
    if (inputs.length !== count * length || wanted.length !== count * length) {
      throw new RangeError(`batch: found ${inputs.length} characters, expected ${count * length}`);
    }
  }

  return { below, evaluate, gradient };
}

/** N x vocabulary, a one in every row. */
function oneHot(characters, vocabulary) {
  const data = new Float32Array(characters.length * vocabulary);
  for (let i = 0; i < characters.length; i++) data[i * vocabulary + characters[i]] = 1;
  return tf.tensor(data, [characters.length, vocabulary]);
}
