import { Complex } from "complex.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  channelFrom,
  designBeamformers,
  evaluateDesign,
  meanSquaredError,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { ComplexStack, entry, multiplyConjugateLeft, pseudoInverse, scale } from "../../src/linalg/index.ts";
import { beamformingProblem } from "../../src/testing/index.ts";
import {
  anyProblem,
  embeddedMse,
  handmade,
  random,
  randomCorrelation,
  randomDesign,
  runs,
  shares,
} from "./support.ts";

const small = beamformingProblem({ devices: { min: 1, max: 5 } });

describe("MSE formula", () => {
  test("agrees with the real embedding in ml-matrix: R = I, (1-c) I + c 11^T, and any PSD R", () => {
    fc.assert(
      fc.property(small, fc.nat(999), fc.double({ min: 0, max: 1, noNaN: true }), (problem, seed, c) => {
        const design = randomDesign(problem, seed);
        const { channel, noiseVariance, weights } = problem;
        const share = shares(weights);
        const k = channel.devices;
        for (const correlation of [0, c, 1, randomCorrelation(k, k, seed), randomCorrelation(k, 1, seed)]) {
          const expected = embeddedMse(channel, design, noiseVariance, share, correlation);
          const found = evaluateDesign(channel, design, { noiseVariance, weights, correlation });
          expect(Math.abs(found.mse / expected - 1)).toBeLessThan(1e-12);
          expect(found.mse).toBeLessThanOrEqual(found.cap * (1 + 1e-12));
          expect(found.distortion).toBeCloseTo(found.mse / (design.streams * channel.subcarriers), 12);
          expect(found.misalignment + found.noise).toBe(found.mse);
          const sum = found.perSubcarrier.reduce((total, x) => total + x, 0);
          expect(Math.abs(sum / found.mse - 1)).toBeLessThan(1e-12);
        }
      }),
      runs(100),
    );
  });

  test("agrees with the expansion in complex.js: one stream, entry by entry", () => {
    fc.assert(
      fc.property(beamformingProblem({ streams: 1 }), fc.nat(999), (problem, seed) => {
        const design = randomDesign(problem, seed);
        const { channel, noiseVariance, weights } = problem;
        const share = shares(weights);
        let expected = 0;
        for (let m = 0; m < channel.subcarriers; m++) {
          const a = design.receive.at(m);
          for (let r = 0; r < a.rows; r++) expected += noiseVariance * entry(a, r, 0).abs() ** 2;
          for (let k = 0; k < channel.devices; k++) {
            let gain = new Complex(-share[k]!, 0);
            for (let r = 0; r < channel.receiveAntennas; r++) {
              for (let t = 0; t < channel.transmitAntennas; t++) {
                const path = entry(channel.matrices.at(k, m), r, t).mul(
                  entry(design.transmit.at(k, m), t, 0),
                );
                gain = gain.add(entry(a, r, 0).conjugate().mul(path));
              }
            }
            expected += gain.abs() ** 2;
          }
        }
        const found = meanSquaredError(channel, design, { noiseVariance, weights });
        expect(Math.abs(found / expected - 1)).toBeLessThan(1e-12);
      }),
      runs(100),
    );
  });

  test("is what a design reports", () => {
    fc.assert(
      fc.property(anyProblem, (problem) => {
        const { channel, noiseVariance, weights } = problem;
        const design = designBeamformers({ ...problem, effort: "fast" });
        const found = evaluateDesign(channel, design, { noiseVariance, weights });
        expect(Math.abs(found.mse - design.mse)).toBeLessThanOrEqual(1e-12 * design.mse);
        expect(Math.abs(found.distortion - design.distortion)).toBeLessThanOrEqual(1e-12 * design.distortion);
      }),
      runs(100),
    );
  });

  test("the cap is reached by symbols that make all misalignments add up", () => {
    // one subcarrier and stream, identical symbols, misalignments of one phase: E_k = -w_k
    const channel = channelFrom(new ComplexStack([3, 1, 1, 1]));
    const design = designBeamformers({ channel, streams: 1, power: 1, noiseVariance: 1 });
    const { mse, cap } = evaluateDesign(channel, design, { noiseVariance: 1, correlation: 1 });
    expect(mse).toBeCloseTo(1, 14);
    expect(cap).toBeCloseTo(1, 14);
    expect(evaluateDesign(channel, design, { noiseVariance: 1 }).mse).toBeCloseTo(1 / 3, 14);
  });

  test("subcarriers may be permuted", () => {
    fc.assert(
      fc.property(beamformingProblem({ subcarriers: { min: 2, max: 6 } }), fc.nat(999), (problem, seed) => {
        const design = randomDesign(problem, seed);
        const { noiseVariance, weights } = problem;
        const channel = channelFrom(reversed(problem.channel.matrices, problem.channel));
        const other = {
          ...design,
          receive: reversed(design.receive, problem.channel),
          transmit: reversed(design.transmit, problem.channel),
        };
        const before = evaluateDesign(problem.channel, design, { noiseVariance, weights });
        const after = evaluateDesign(channel, other, { noiseVariance, weights });
        expect(Array.from(after.perSubcarrier).reverse()).toEqual(Array.from(before.perSubcarrier));
        expect(Math.abs(after.mse / before.mse - 1)).toBeLessThan(1e-12);
      }),
      runs(60),
    );
  });
});

/** The stack [..., M, rows, cols] with its subcarriers in reverse order. */
function reversed(stack: ComplexStack, { subcarriers }: TrueChannel): ComplexStack {
  const out = new ComplexStack(stack.shape);
  const size = 2 * stack.rows * stack.cols;
  for (let i = 0; i < stack.count; i++) {
    const m = i % subcarriers;
    const target = i - m + (subcarriers - 1 - m);
    out.data.set(stack.data.subarray(i * size, (i + 1) * size), target * size);
  }
  return out;
}

test("zero-forcing designs do not depend on R: their MSE is the noise", () => {
  const shape = {
    kinds: ["rayleigh"],
    receiveAntennas: { min: 4, max: 6 },
    transmitAntennas: { min: 2, max: 3 },
  } as const;
  fc.assert(
    fc.property(beamformingProblem({ ...shape, streams: { max: 2 } }), fc.nat(999), (problem, seed) => {
      const { channel, streams, noiseVariance, weights } = problem;
      const share = shares(weights);
      const receive = new ComplexStack([channel.subcarriers, channel.receiveAntennas, streams]);
      const transmit = new ComplexStack([
        channel.devices,
        channel.subcarriers,
        channel.transmitAntennas,
        streams,
      ]);
      for (let m = 0; m < channel.subcarriers; m++) {
        const a = random(channel.receiveAntennas, streams, seed + m);
        receive.at(m).data.set(a.data);
        for (let k = 0; k < channel.devices; k++) {
          const seen = multiplyConjugateLeft(a, channel.matrices.at(k, m));
          transmit.at(k, m).data.set(scale(pseudoInverse(seen), share[k]!).data);
        }
      }
      const design = handmade(problem, receive, transmit);
      const options = { noiseVariance, weights };
      const { noise } = evaluateDesign(channel, design, options);
      for (const correlation of [0, 0.5, 1, randomCorrelation(channel.devices, 2, seed)]) {
        const { mse, cap } = evaluateDesign(channel, design, { ...options, correlation });
        expect(Math.abs(mse / noise - 1)).toBeLessThan(1e-12);
        expect(Math.abs(cap / noise - 1)).toBeLessThan(1e-12);
      }
    }),
    runs(60),
  );
});

describe("input errors", () => {
  const channel = channelFrom(new ComplexStack([2, 1, 2, 1]));
  const design = designBeamformers({ channel, streams: 1, power: 1, noiseVariance: 1 });
  const bad: [string, object, RegExp][] = [
    ["noise variance 0", { noiseVariance: 0 }, /^noiseVariance: found 0, expected a finite number > 0/],
    ["no noise variance", {}, /^noiseVariance: found undefined/],
    [
      "correlation 1.1",
      { noiseVariance: 1, correlation: 1.1 },
      /^correlation: found 1.1, expected a finite number from 0 to 1/,
    ],
    [
      "correlation of 3 devices",
      { noiseVariance: 1, correlation: [[1]] },
      /^correlation: found an array of 1 entry/,
    ],
    [
      "ragged",
      { noiseVariance: 1, correlation: [[1, 0], [0]] },
      /^correlation\[1\]: found an array of 1 entry/,
    ],
    [
      "not symmetric",
      {
        noiseVariance: 1,
        correlation: [
          [1, 0.5],
          [0, 1],
        ],
      },
      /^correlation\[1\]\[0\]/,
    ],
    [
      "indefinite",
      {
        noiseVariance: 1,
        correlation: [
          [1, 2],
          [2, 1],
        ],
      },
      /^correlation: found an indefinite matrix/,
    ],
    [
      "indefinite with a zero pivot",
      {
        noiseVariance: 1,
        correlation: [
          [0, 1],
          [1, 1],
        ],
      },
      /^correlation: found an indefinite matrix/,
    ],
    [
      "NaN",
      {
        noiseVariance: 1,
        correlation: [
          [1, Number.NaN],
          [0, 1],
        ],
      },
      /^correlation\[0\]\[1\]: found NaN/,
    ],
    ["weights", { noiseVariance: 1, weights: [1] }, /^weights: found an array of 1 entry/],
    ["negative weight", { noiseVariance: 1, weights: [1, -1] }, /^weights\[1\]: found -1/],
    ["weights of sum 0", { noiseVariance: 1, weights: [0, 0] }, /^weights: found weights that sum to 0/],
    ["unknown", { noiseVariance: 1, snr: 3 }, /^options.snr: found an unknown option/],
  ];
  test.each(bad)("%s", (_, options, message) => {
    expect(() => evaluateDesign(channel, design, options as never)).toThrow(message);
  });

  test("designs of another shape and channels of another type", () => {
    const other = channelFrom(new ComplexStack([2, 1, 3, 1]));
    const options = { noiseVariance: 1 };
    expect(() => meanSquaredError(other, design, options)).toThrow(
      /^design.receive: found shape \[1, 2, 1\], expected shape \[1, 3, 1\]/,
    );
    const fewer = { ...design, transmit: new ComplexStack([1, 1, 1, 1]) };
    expect(() => meanSquaredError(channel, fewer, options)).toThrow(
      /^design.transmit: found shape \[1, 1, 1, 1\]/,
    );
    expect(() => meanSquaredError(channel, {} as never, options)).toThrow(/^design.receive: found undefined/);
    expect(() => meanSquaredError({ kind: "estimated" } as never, design, options)).toThrow(/^channel.kind/);
    expect(() => meanSquaredError(null as never, design, options)).toThrow(/^channel: found null/);
  });
});
