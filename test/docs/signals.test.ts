import { describe, expect, it } from "vitest";
import { misalignments } from "../../src/aircomp/evaluate.ts";
import {
  type AnalogDesign,
  aggregateOverTheAir,
  channelFrom,
  designBeamformers,
  evaluateDesign,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import { planPacking } from "../../src/aircomp/packing.ts";
import { powerMultiplier } from "../../src/aircomp/secular.ts";
import { randomStream } from "../../src/core/index.ts";
import { ComplexStack, svd } from "../../src/linalg/index.ts";

/** Formulas of docs/theory.md, sections 1 and 3, that no room's own tests check in this form. */

describe("interleaving with random signs", () => {
  it("the measured distortion is the mean over interleavings and noise, for gradients with means", () => {
    const channel = rayleighChannel({
      devices: 3,
      subcarriers: 2,
      receiveAntennas: 3,
      transmitAntennas: 2,
      seed: 4,
    });
    const noiseVariance = 0.3;
    const design = designBeamformers({ channel, streams: 2, power: 1, noiseVariance });
    const stream = randomStream(9, "gradients");
    const gradients = [2, -1, 0.2].map((mean) =>
      Float64Array.from({ length: 16 }, () => mean + stream.normal()),
    );
    const trials = 4000;
    let sum = 0;
    let squares = 0;
    let expected = 0;
    for (let seed = 1; seed <= trials; seed++) {
      const result = aggregateOverTheAir({ gradients, channel, design, noiseVariance, seed });
      expected = result.expectedSquaredError;
      let error = 0;
      for (let i = 0; i < 16; i++) {
        const mean = gradients.reduce((total, g) => total + g[i]! / 3, 0);
        error += (result.estimate[i]! - mean) ** 2;
      }
      sum += error;
      squares += error * error;
    }
    const mean = sum / trials;
    const standardError = Math.sqrt((squares / trials - mean * mean) / trials);
    expect(Math.abs(mean - expected)).toBeLessThan(4 * standardError);
    expect(standardError / mean).toBeLessThan(0.02);
  });
});

describe("caps on the mean squared error", () => {
  const channel = channelFrom({ shape: [2, 1, 2, 2], re: [1, 0, 0, 1, 1, 0, 0, 1], im: Array(8).fill(0) });
  const noiseVariance = 1e-9;
  // E_1 = -c 11^T, E_2 = 0: the worst case for a device whose entries have a mean
  const c = 0.1;
  const receive = new ComplexStack([1, 2, 2], Float64Array.from([1, 0, 0, 0, 0, 0, 1, 0]));
  const own = [0.5 - c, 0, -c, 0, -c, 0, 0.5 - c, 0];
  const transmit = new ComplexStack([2, 1, 2, 2], Float64Array.from([...own, 0.5, 0, 0, 0, 0, 0, 0.5, 0]));
  const base = designBeamformers({ channel, streams: 2, power: 1, noiseVariance });
  const design: AnalogDesign = { ...base, receive, transmit };

  it("streams that are uncorrelated within a device stay below the simple cap, for every correlation", () => {
    const { cap } = evaluateDesign(channel, design, { noiseVariance });
    for (const correlation of [0, 0.5, 1]) {
      expect(evaluateDesign(channel, design, { noiseVariance, correlation }).mse).toBeLessThanOrEqual(
        cap * (1 + 1e-12),
      );
    }
  });

  it("holds for devices whose entries are constant, in the worst case for plain interleaving", () => {
    const length = 64;
    const gradients = [new Float64Array(length).fill(1), new Float64Array(length).fill(-1)];
    const { cap } = evaluateDesign(channel, design, { noiseVariance });
    let sum = 0;
    const trials = 400;
    for (let seed = 1; seed <= trials; seed++) {
      const { estimate, distortion } = aggregateOverTheAir({
        gradients,
        channel,
        design,
        noiseVariance,
        seed,
      });
      expect(distortion.measured).toBeLessThanOrEqual(distortion.cap * (1 + 1e-12));
      expect(Math.abs(distortion.cap / (cap / 2) - 1)).toBeLessThan(1e-9);
      sum += estimate.reduce((total, x) => total + x * x, 0) / length;
    }
    // the weighted mean is 0; plain interleaving errs twice as much as the cap here
    expect(sum / trials).toBeLessThan((cap / 2) * 1.02);
  });

  it("a device of constant entries radiates its budget and no more, on average", () => {
    const length = 256;
    const perSymbol = 4;
    const gradients = [new Float64Array(length).fill(1), new Float64Array(length).fill(-1)];
    const beam = base.transmit.at(0, 0).data;
    const budget = beam.reduce((sum, x) => sum + x * x, 0);
    let radiated = 0;
    const trials = 200;
    for (let seed = 1; seed <= trials; seed++) {
      const { order, signs } = planPacking(gradients, Float64Array.of(0.5, 0.5), perSymbol, seed);
      for (let use = 0; use < length; use += perSymbol) {
        for (let row = 0; row < 2; row++) {
          let [re, im] = [0, 0];
          for (let stream = 0; stream < 2; stream++) {
            const [br, bi] = [beam[4 * row + 2 * stream]!, beam[4 * row + 2 * stream + 1]!];
            const p = use + 2 * stream;
            const symbol = [p, p + 1].map((i) => signs[i]! * gradients[0]![order[i]!]! * Math.SQRT1_2);
            re += br * symbol[0]! - bi * symbol[1]!;
            im += br * symbol[1]! + bi * symbol[0]!;
          }
          radiated += re * re + im * im;
        }
      }
    }
    const uses = (trials * length) / perSymbol;
    expect(Math.abs(radiated / uses / budget - 1)).toBeLessThan(5 * Math.sqrt(2 / uses));
  });
});

describe("the secular equation of the transmit update", () => {
  const stream = randomStream(5, "secular");
  const f = (l: readonly number[], nu: number): number => l.reduce((sum, li) => sum + li / (li + nu) ** 2, 0);

  it("1/sqrt(f) is concave and increasing; Newton from the left rises monotonically to powerMultiplier", () => {
    for (let trial = 0; trial < 300; trial++) {
      const l = Array.from({ length: 1 + stream.integer(6) }, () => 10 ** (6 * stream.uniform() - 3));
      const h = (nu: number): number => f(l, nu) ** -0.5;
      const a = 10 ** (6 * stream.uniform() - 3);
      const b = a * (1 + stream.uniform());
      expect(h(b)).toBeGreaterThan(h(a));
      expect(h((a + b) / 2)).toBeGreaterThanOrEqual(((h(a) + h(b)) / 2) * (1 - 1e-12));
      const weight = 0.5;
      const budget = weight * weight * f(l, 0) * (0.05 + 0.9 * stream.uniform());
      const root = powerMultiplier(Float64Array.from(l), Float64Array.from(l), l.length, weight, budget);
      expect(Math.abs((weight * weight * f(l, root)) / budget - 1)).toBeLessThan(1e-12);
      let nu = 0;
      for (let i = 0; i < 30; i++) {
        const slope = l.reduce((sum, li) => sum + li / (li + nu) ** 3, 0);
        const next = nu + (f(l, nu) / slope) * ((weight * Math.sqrt(f(l, nu))) / Math.sqrt(budget) - 1);
        expect(next).toBeGreaterThanOrEqual(nu - 1e-12 * root);
        expect(next).toBeLessThanOrEqual(root * (1 + 1e-12));
        nu = next;
      }
      expect(Math.abs(nu / root - 1)).toBeLessThan(1e-9);
    }
  });

  it("the misalignment that a full transmit update leaves has singular values w nu/(l + nu)", () => {
    const channel = rayleighChannel({
      devices: 1,
      subcarriers: 1,
      receiveAntennas: 3,
      transmitAntennas: 2,
      seed: 3,
    });
    const design = designBeamformers({
      channel,
      streams: 2,
      power: 0.2,
      noiseVariance: 0.5,
      effort: "thorough",
    });
    const [error] = misalignments(channel, design, Float64Array.from([1]), 0);
    const { data } = channel.matrices.at(0, 0);
    // G = H^H A
    const g = new Float64Array(8);
    for (let t = 0; t < 2; t++) {
      for (let s = 0; s < 2; s++) {
        for (let r = 0; r < 3; r++) {
          const h = 2 * (r * 2 + t);
          const a = 2 * (r * 2 + s);
          const beam = design.receive.at(0).data;
          g[2 * (2 * t + s)]! += data[h]! * beam[a]! + data[h + 1]! * beam[a + 1]!;
          g[2 * (2 * t + s) + 1]! += data[h]! * beam[a + 1]! - data[h + 1]! * beam[a]!;
        }
      }
    }
    const l = svd({ rows: 2, cols: 2, data: g }).s.map((s) => s * s);
    const nu = powerMultiplier(l, l, 2, 1, 0.2);
    const expected = [...l].map((li) => nu / (li + nu)).sort((a, b) => b - a);
    const found = svd({ rows: 2, cols: 2, data: error! }).s;
    // the design pairs the last receive update with the transmit update before it
    for (const i of [0, 1]) expect(Math.abs(found[i]! - expected[i]!)).toBeLessThan(1e-4);
  });
});
