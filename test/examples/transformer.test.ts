/**
 * The transformer of examples/federated-lora against a forward pass in double precision that is written here from the
 * formulas, one character at a time, and finite differences of it.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { startBackend } from "../../examples/federated-lora/backend.mjs";
import {
  adapterEntries,
  adapterTargets,
  architecture,
  createModel,
  initialAdapters,
  initialWeights,
  weightShapes,
} from "../../examples/federated-lora/transformer.mjs";
import { loadWeights, saveWeights } from "../../examples/federated-lora/weights.mjs";
import { randomStream } from "../../src/core/index.ts";

interface Sizes {
  context: number;
  width: number;
  layers: number;
  heads: number;
  hidden: number;
  vocabulary: number;
}
type Weights = Map<string, { shape: number[]; data: Float32Array }>;
interface Batch {
  inputs: Int32Array;
  targets: Int32Array;
  count: number;
  length: number;
}
interface Adapters {
  rank: number;
  scale: number;
  parameters: Float64Array;
}

/** Nothing is a multiple of four, so that what is rounded up inside is tested too. */
const small: Sizes = { context: 7, width: 10, layers: 2, heads: 2, hidden: 14, vocabulary: 9 };

let memory: () => number;
beforeAll(async () => {
  const tf = await startBackend();
  memory = () => tf.memory().numTensors;
});

/** Weights large enough that attention and losses are far from uniform. */
function strongWeights(sizes: Sizes, seed: number, factor = 20): Weights {
  const weights: Weights = initialWeights(sizes, seed);
  const stream = randomStream(seed, "norms");
  for (const [name, { data }] of weights) {
    if (name.includes("norm")) for (let i = 0; i < data.length; i++) data[i]! += 0.2 * stream.normal();
    else for (let i = 0; i < data.length; i++) data[i]! *= factor;
  }
  return weights;
}

function randomBatch(sizes: Sizes, seed: number, count: number, length: number): Batch {
  const stream = randomStream(seed, "batch");
  const draw = () => Int32Array.from({ length: count * length }, () => stream.integer(sizes.vocabulary));
  return { inputs: draw(), targets: draw(), count, length };
}

function randomAdapters(sizes: Sizes, rank: number, seed: number, deviation: number): Adapters {
  const stream = randomStream(seed, "adapter entries");
  const parameters: Float64Array = initialAdapters(sizes, rank, seed);
  return { rank, scale: 0.7, parameters: parameters.map((value) => value + deviation * stream.normal()) };
}

/** Mean cross entropy in double precision; `weights` as rows of numbers by name. */
function oracle(weights: Map<string, Float64Array>, sizes: Sizes, batch: Batch): number {
  const { width, layers, heads, hidden, vocabulary } = sizes;
  const of = (name: string) => weights.get(name)!;
  const apply = (name: string, dOut: number, x: number[]) => {
    const matrix = of(name);
    const result = new Array<number>(dOut).fill(0);
    for (let i = 0; i < dOut; i++) {
      for (let j = 0; j < x.length; j++) result[i]! += matrix[i * x.length + j]! * x[j]!;
    }
    return result;
  };
  const norm = (name: string, x: number[]) => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    return x.map(
      (v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * of(`${name}.gain`)[i]! + of(`${name}.bias`)[i]!,
    );
  };
  const gelu = (v: number) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
  const size = width / heads;
  let total = 0;
  for (let b = 0; b < batch.count; b++) {
    const keys: number[][][] = Array.from({ length: layers }, () => []);
    const values: number[][][] = Array.from({ length: layers }, () => []);
    for (let t = 0; t < batch.length; t++) {
      const at = b * batch.length + t;
      let x = Array.from(
        { length: width },
        (_, i) => of("embedding")[batch.inputs[at]! * width + i]! + of("position")[t * width + i]!,
      );
      for (let l = 0; l < layers; l++) {
        const normed = norm(`layer${l}.norm1`, x);
        const query = apply(`layer${l}.query`, width, normed);
        keys[l]!.push(apply(`layer${l}.key`, width, normed));
        values[l]!.push(apply(`layer${l}.value`, width, normed));
        const mixed = new Array<number>(width).fill(0);
        for (let h = 0; h < heads; h++) {
          const scores = keys[l]!.map((key) => {
            let sum = 0;
            for (let d = h * size; d < (h + 1) * size; d++) sum += query[d]! * key[d]!;
            return Math.exp(sum / Math.sqrt(size));
          });
          const all = scores.reduce((a, c) => a + c, 0);
          for (let s = 0; s <= t; s++) {
            for (let d = h * size; d < (h + 1) * size; d++)
              mixed[d]! += (scores[s]! / all) * values[l]![s]![d]!;
          }
        }
        const attended = apply(`layer${l}.output`, width, mixed);
        x = x.map((v, i) => v + attended[i]!);
        const inner = apply(`layer${l}.expand`, hidden, norm(`layer${l}.norm2`, x)).map(gelu);
        const contracted = apply(`layer${l}.contract`, width, inner);
        x = x.map((v, i) => v + contracted[i]!);
      }
      const logits = apply("embedding", vocabulary, norm("norm", x));
      total += Math.log(logits.reduce((sum, v) => sum + Math.exp(v), 0)) - logits[batch.targets[at]!]!;
    }
  }
  return total / (batch.count * batch.length);
}

/** W0 + scale loraB loraA in double precision. */
function merged(weights: Weights, sizes: Sizes, adapters?: Adapters): Map<string, Float64Array> {
  const result = new Map([...weights].map(([name, { data }]) => [name, new Float64Array(data)]));
  if (adapters === undefined) return result;
  const { rank, scale, parameters } = adapters;
  let offset = 0;
  for (const { name, dOut, dIn } of adapterTargets(sizes)) {
    const matrix = result.get(name)!;
    const loraA = offset + dOut * rank;
    for (let i = 0; i < dOut; i++) {
      for (let j = 0; j < dIn; j++) {
        for (let k = 0; k < rank; k++) {
          matrix[i * dIn + j]! +=
            scale * parameters[offset + i * rank + k]! * parameters[loraA + k * dIn + j]!;
        }
      }
    }
    offset += rank * (dOut + dIn);
  }
  return result;
}

/** Central differences; in double precision with this step their error is about 1e-10. */
function differences(point: Float64Array, value: () => number, step = 1e-5): Float64Array {
  return point.map((_, i) => {
    const here = point[i]!;
    point[i] = here + step;
    const ahead = value();
    point[i] = here - step;
    const behind = value();
    point[i] = here;
    return (ahead - behind) / (2 * step);
  });
}

function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (found[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return Math.sqrt(error / size);
}

/**
 * Some hundred float32 roundings of 6e-8 on the way, most of them in different directions: 7e-7 is the most that is seen, with room for another order of the sums.
 */
const rounding = 3e-6;

describe("gradients of the transformer", () => {
  const weights = strongWeights(small, 1);

  for (const rank of [1, 4, 7]) {
    it(`agree with differences of a forward pass in double precision, rank ${rank}`, () => {
      const model = createModel(weights, small);
      const batch = randomBatch(small, rank, 2, rank === 1 ? 7 : 5);
      const adapters = randomAdapters(small, rank, rank, 0.3);
      const { loss, gradient } = model.lossAndGradient(batch, adapters);
      const value = () => oracle(merged(weights, small, adapters), small, batch);
      expect(Math.abs(loss - value())).toBeLessThan(1e-5);
      expect(model.loss(batch, adapters)).toBe(loss);
      const expected = differences(adapters.parameters, value);
      expect(relativeError(gradient, expected)).toBeLessThan(rounding);

      // the comparison is worth something: it finds wrong factors, blocks and orders
      const { dOut, dIn } = adapterTargets(small)[0]!;
      const block = rank * (dOut + dIn);
      const mutants = [
        gradient.map((v: number) => 0.9 * v),
        gradient.map((_: number, i: number) => gradient[(i + block) % gradient.length]),
        gradient.map((v: number, i: number) => (i < dOut * rank ? v / adapters.scale : v)),
      ];
      if (rank > 1) {
        mutants.push(
          gradient.map((v: number, i: number) =>
            i < dOut * rank ? gradient[(i % dOut) * rank + Math.floor(i / dOut)] : v,
          ),
        );
      }
      for (const mutant of mutants) expect(relativeError(mutant, expected)).toBeGreaterThan(0.03);
      model.dispose();
    });
  }

  it("agree for all weights, and for the projections alone", () => {
    const model = createModel(weights, small);
    const batch = randomBatch(small, 5, 2, 5);
    const { loss, gradients } = model.lossAndWeightGradient(batch);
    const numbers = merged(weights, small);
    const value = () => oracle(numbers, small, batch);
    expect(Math.abs(loss - value())).toBeLessThan(1e-5);
    for (const [name, shape] of weightShapes(small)) {
      expect(gradients.get(name).length).toBe(shape.reduce((a: number, b: number) => a * b, 1));
      expect(relativeError(gradients.get(name), differences(numbers.get(name)!, value)), name).toBeLessThan(
        rounding,
      );
    }
    const names = adapterTargets(small).map(({ name }) => name);
    for (const [name, matrix] of model.weightGradientOf(batch, names)) {
      expect(relativeError(matrix, gradients.get(name)), name).toBeLessThan(rounding);
    }
    model.dispose();
  });

  /**
   * The model of the study itself, float32 alone. A loss is wrong by about d = 1e-6 (rounding of single losses, some of
   * it the same on both sides), so that a difference over 2 h along a unit vector is wrong by d / h + h^2 F''' / 6. With
   * directions that mix the gradient's own with random ones the slope is about ||gradient|| / sqrt(2).
   */
  it("agree with differences of the float32 loss at the size of the study", () => {
    const weights = strongWeights(architecture, 2, 5);
    const model = createModel(weights, architecture);
    const batch = randomBatch(architecture, 3, 2, 64);
    const adapters = randomAdapters(architecture, 8, 4, 0.05);
    const { gradient } = model.lossAndGradient(batch, adapters);
    const unit = (x: Float64Array) => {
      const size = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
      return x.map((v) => v / size);
    };
    const along = unit(Float64Array.from(gradient as Float32Array));
    const stream = randomStream(7, "directions");
    const step = 0.03;
    const slopes: number[] = [];
    const expected: number[] = [];
    for (let n = 0; n < 6; n++) {
      const random = unit(along.map(() => stream.normal()));
      const direction = unit(random.map((v, i) => v + along[i]!));
      const at = (h: number) =>
        model.loss(batch, {
          ...adapters,
          parameters: adapters.parameters.map((v, i) => v + h * direction[i]!),
        });
      expected.push((at(step) - at(-step)) / (2 * step));
      slopes.push(direction.reduce((sum, v, i) => sum + v * gradient[i], 0));
    }
    const error = relativeError(slopes, expected);
    expect(error).toBeLessThan(1e-3);
    const smaller = slopes.map((v) => 0.9 * v);
    expect(relativeError(smaller, expected)).toBeGreaterThan(0.05);
    model.dispose();
  });
});

describe("the model", () => {
  it("is causal: a character changes no loss before it", () => {
    const model = createModel(strongWeights(small, 3), small);
    const batch = randomBatch(small, 8, 2, 7);
    const adapters = randomAdapters(small, 3, 1, 0.3);
    const before = model.characterLosses(batch, adapters);
    for (let t = 0; t < 7; t++) {
      const inputs = batch.inputs.slice();
      inputs[7 + t] = (inputs[7 + t]! + 1) % small.vocabulary;
      const after = model.characterLosses({ ...batch, inputs }, adapters);
      const changed = [...after.keys()].filter((i) => after[i] !== before[i]);
      // the second sequence alone, from this character on
      expect(Math.min(...changed)).toBe(7 + t);
      expect(changed.length).toBe(7 - t);
    }
    model.dispose();
  });

  it("is the base while loraB = 0, and merging gives the same loss", () => {
    const weights = strongWeights(architecture, 4, 5);
    const model = createModel(weights, architecture);
    const batch = randomBatch(architecture, 9, 2, 64);
    const parameters = initialAdapters(architecture, 8, 1);
    expect(model.loss(batch, { rank: 8, scale: 1, parameters })).toBe(model.loss(batch));
    const adapters = randomAdapters(architecture, 8, 2, 0.1);
    const numbers = merged(weights, architecture, adapters);
    const whole = createModel(
      new Map(
        [...weights].map(([name, { shape }]) => [
          name,
          { shape, data: new Float32Array(numbers.get(name)!) },
        ]),
      ),
      architecture,
    );
    expect(Math.abs(model.loss(batch, adapters) - model.loss(batch))).toBeGreaterThan(0.01);
    expect(Math.abs(whole.loss(batch) - model.loss(batch, adapters))).toBeLessThan(1e-6);
    // one weight at a time: the same as a new model
    for (const [name, { data }] of weights) whole.update(name, data);
    expect(whole.loss(batch)).toBe(model.loss(batch));
    model.dispose();
    whole.dispose();
  });

  it("trains the same on ten devices with exact sums as on the pooled batch", () => {
    const model = createModel(strongWeights(architecture, 5, 5), architecture);
    const federated = initialAdapters(architecture, 4, 3) as Float64Array;
    const central = federated.slice();
    const start = federated.slice();
    const step = 0.5;
    for (let round = 0; round < 5; round++) {
      const batches = Array.from({ length: 10 }, (_, k) => randomBatch(architecture, 100 * round + k, 2, 32));
      const mean = new Float64Array(federated.length);
      for (const batch of batches) {
        const { gradient } = model.lossAndGradient(batch, { rank: 4, scale: 1, parameters: federated });
        for (let i = 0; i < mean.length; i++) mean[i]! += gradient[i] / 10;
      }
      const join = (key: "inputs" | "targets") =>
        Int32Array.from(batches.flatMap((batch) => [...batch[key]]));
      const pooled = { inputs: join("inputs"), targets: join("targets"), count: 20, length: 32 };
      const { gradient } = model.lossAndGradient(pooled, { rank: 4, scale: 1, parameters: central });
      expect(relativeError(mean, gradient)).toBeLessThan(rounding);
      for (let i = 0; i < mean.length; i++) {
        federated[i]! -= step * mean[i]!;
        central[i]! -= step * gradient[i];
      }
    }
    const moved = (x: Float64Array) => x.map((v, i) => v - start[i]!);
    expect(Math.sqrt(moved(central).reduce((sum, v) => sum + v * v, 0))).toBeGreaterThan(0.1);
    expect(relativeError(moved(federated), moved(central))).toBeLessThan(rounding);
    model.dispose();
  });

  it("keeps no tensors and gives the same bits again", () => {
    const model = createModel(initialWeights(architecture, 6), architecture);
    const batch = randomBatch(architecture, 10, 2, 64);
    const adapters = randomAdapters(architecture, 8, 5, 0.1);
    const once = () => {
      const answer = model.lossAndGradient(batch, adapters);
      const { gradients } = model.lossAndWeightGradient(batch);
      return [answer.loss, answer.gradient, gradients, model.loss(batch, adapters), model.loss(batch)];
    };
    const first = once();
    const tensors = memory();
    model.loss(randomBatch(architecture, 11, 3, 40), adapters);
    model.weightGradientOf(batch, ["layer0.query"], adapters);
    expect(once()).toEqual(first);
    const again = createModel(initialWeights(architecture, 6), architecture);
    expect(again.lossAndGradient(batch, adapters).gradient).toEqual(first[1]);
    again.dispose();
    expect(memory()).toBe(tensors);
    model.dispose();
    expect(memory()).toBe(0);
  });

  it("says what does not fit", () => {
    const model = createModel(initialWeights(small, 1), small);
    const batch = randomBatch(small, 1, 1, 4);
    const parameters = new Float64Array(adapterEntries(small, 2));
    expect(() => model.loss({ ...batch, length: 8 })).toThrow("length: found 8, expected at most 7");
    expect(() => model.loss({ ...batch, count: 2 })).toThrow("found 4 characters, expected 8");
    expect(() => model.loss(batch, { rank: 3, scale: 1, parameters })).toThrow(
      "found 320 parameters, expected 480",
    );
    expect(() => createModel(initialWeights(small, 1), { ...small, hidden: 8 })).toThrow("layer0.expand");
    model.dispose();
  });
});

describe("weights and adapters", () => {
  it("start as documented", () => {
    for (const rank of [1, 7, 32]) {
      const parameters = initialAdapters(architecture, rank, 5);
      expect(parameters.length).toBe(adapterEntries(architecture, rank));
      expect(parameters.length).toBe(8 * rank * 128);
      expect(initialAdapters(architecture, rank, 5)).toEqual(parameters);
      let largest = 0;
      for (let target = 0; target < 8; target++) {
        const block = parameters.subarray(target * rank * 128, (target + 1) * rank * 128);
        expect(block.subarray(0, 64 * rank).every((v: number) => v === 0)).toBe(true);
        const row = (k: number) => block.subarray(64 * (rank + k), 64 * (rank + k + 1));
        for (let a = 0; a < rank; a++) {
          for (let b = 0; b <= a; b++) {
            const inner = row(a).reduce((sum: number, v: number, i: number) => sum + v * row(b)[i], 0);
            largest = Math.max(largest, Math.abs(inner - (a === b ? 1 : 0)));
          }
        }
      }
      expect(largest).toBeLessThan(1e-12);
    }
    expect(() => initialAdapters(architecture, 65, 1)).toThrow("rank: found 65, expected at most 64");
    const weights: Weights = initialWeights(architecture, 1);
    const deviation = (name: string) => {
      const { data } = weights.get(name)!;
      return Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);
    };
    expect(deviation("layer1.expand")).toBeCloseTo(0.02, 3);
    expect(deviation("layer1.contract")).toBeCloseTo(0.01, 3);
    expect(deviation("norm.gain")).toBe(1);
    expect(deviation("norm.bias")).toBe(0);
  });

  it("come back from a file as the nearest float16", () => {
    const weights: Weights = strongWeights(architecture, 1);
    const bytes = saveWeights(weights, { seed: 1 });
    expect(bytes.length).toBeLessThan(1_000_000);
    const loaded: Weights = loadWeights(bytes);
    expect([...loaded.keys()]).toEqual([...weights.keys()]);
    for (const [name, { shape, data }] of weights) {
      expect(loaded.get(name)!.shape).toEqual(shape);
      const wrong = data.filter((value, i) => {
        const error = Math.abs(loaded.get(name)!.data[i]! - value);
        return !(error <= Math.max(Math.abs(value) * 2 ** -11, 2 ** -25));
      });
      expect(wrong.length).toBe(0);
    }
    expect(saveWeights(loaded, { seed: 1 })).toEqual(bytes);
  });

  it("keep every finite float16, and round ties to even", () => {
    const patterns = Array.from({ length: 65536 }, (_, i) => i).filter(
      (i) => (i & 0x7fff) < 0x7c00 && i !== 0x8000,
    );
    const empty = { shape: [patterns.length], data: new Float32Array(patterns.length) };
    const bytes = saveWeights(new Map([["x", empty]]));
    new Uint8Array(bytes.buffer).set(
      new Uint8Array(Uint16Array.from(patterns).buffer),
      bytes.length - 2 * patterns.length,
    );
    const loaded: Weights = loadWeights(bytes);
    const { data } = loaded.get("x")!;
    expect([data[1], data[0x3c00], data[0x7bff], data[0x400]]).toEqual([2 ** -24, 1, 65504, 2 ** -14]);
    expect(saveWeights(loaded)).toEqual(bytes);
    const ties = Float32Array.of(
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      2 ** -25,
      3 * 2 ** -25,
      1e6,
      -1e6,
      2 - 2 ** -12,
    );
    const rounded = loadWeights(saveWeights(new Map([["x", { shape: [7], data: ties }]]))).get("x").data;
    expect([...rounded]).toEqual([1, 1 + 2 ** -9, 0, 2 ** -23, 65504, -65504, 2]);
  });
});
