import { describe, expect, test } from "vitest";
import {
  channelFrom,
  designBeamformers,
  drawTrueChannel,
  type EstimatedChannel,
  estimateChannel,
  estimatedChannelFrom,
  evaluateDesign,
  expectedEvaluation,
  rayleighChannel,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { InputError, toComplexJson } from "../../src/core/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";
import { powerBudgetResidual } from "../../src/testing/index.ts";
import { randomStack } from "./support.ts";

const size = { devices: 3, subcarriers: 2, receiveAntennas: 4, transmitAntennas: 2, taps: 2 };
const channel = rayleighChannel({ ...size, seed: 1 });

/** Mean and its standard error. */
function meanOf(values: readonly number[]): { readonly mean: number; readonly error: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
  return { mean, error: Math.sqrt(variance / values.length) };
}

describe("estimateChannel", () => {
  test("the error has its variance and is uncorrelated with the estimate, whose variance is the rest", () => {
    // 40000 entries per device, of variances 1, 4, 0.25
    const gains = [1, 4, 0.25];
    const drawn = rayleighChannel({
      devices: 3,
      subcarriers: 1,
      receiveAntennas: 200,
      transmitAntennas: 200,
      gains,
      seed: 2,
    });
    const errorVariance = [0.3, 0.5, 0.2];
    const estimate = estimateChannel(drawn, { errorVariance, priorVariance: gains, seed: 3 });
    expect(estimate.errorVariance).toEqual(errorVariance);
    for (let k = 0; k < 3; k++) {
      const truth = drawn.matrices.at(k, 0).data;
      const known = estimate.matrices.at(k, 0).data;
      const [error, rest, cross] = [0, 0, 0].map((_, part) => {
        const terms = Array.from({ length: truth.length / 2 }, (_, i) => {
          const [er, ei] = [truth[2 * i]! - known[2 * i]!, truth[2 * i + 1]! - known[2 * i + 1]!];
          const [hr, hi] = [known[2 * i]!, known[2 * i + 1]!];
          return [er * er + ei * ei, hr * hr + hi * hi, er * hr + ei * hi][part]!;
        });
        return meanOf(terms);
      }) as [ReturnType<typeof meanOf>, ReturnType<typeof meanOf>, ReturnType<typeof meanOf>];
      expect(Math.abs(error.mean - errorVariance[k]!)).toBeLessThan(4 * error.error);
      expect(Math.abs(rest.mean - (gains[k]! - errorVariance[k]!))).toBeLessThan(4 * rest.error);
      expect(Math.abs(cross.mean)).toBeLessThan(4 * cross.error);
    }
  });

  test("pilots of SNR 1/v leave beta v/(beta + v), and the same estimate as that error variance", () => {
    const prior = [1, 2, 0.5];
    const byPilot = estimateChannel(channel, { pilotSnrDb: 10, priorVariance: prior, seed: 4 });
    const expected = prior.map((beta) => (beta * 0.1) / (beta + 0.1));
    for (const [k, variance] of byPilot.errorVariance.entries()) {
      expect(variance).toBeCloseTo(expected[k]!, 14);
    }
    const byError = estimateChannel(channel, { errorVariance: expected, priorVariance: prior, seed: 4 });
    for (const [i, x] of byError.matrices.data.entries()) {
      expect(x).toBeCloseTo(byPilot.matrices.data[i]!, 13);
    }
  });

  test("no error leaves the channel as it is; designs then have the same bits", () => {
    const estimate = estimateChannel(channel, { errorVariance: 0, seed: 1 });
    expect(estimate.matrices.data).toEqual(channel.matrices.data);
    const options = { streams: 2, power: 10, noiseVariance: 1 };
    expect(designBeamformers({ ...options, channel: estimate })).toEqual(
      designBeamformers({ ...options, channel }),
    );
  });

  test("an error as large as the channel's own variance leaves almost nothing", () => {
    const estimate = estimateChannel(channel, { errorVariance: 1 - 1e-12, seed: 1 });
    expect(Math.max(...estimate.matrices.data.map(Math.abs))).toBeLessThan(1e-5);
    const deaf = estimateChannel(channel, { pilotSnrDb: -300, seed: 1 });
    for (const variance of deaf.errorVariance) expect(variance).toBeCloseTo(1, 14);
    const design = designBeamformers({ channel: deaf, streams: 2, power: 10, noiseVariance: 1 });
    expect(Number.isFinite(design.mse)).toBe(true);
    expect(design.mse).toBeLessThanOrEqual((4 / 3) * (1 + 1e-12));
  });

  test("the same bits twice; devices and subcarriers have pilots of their own", () => {
    const options = { errorVariance: 0.2, seed: 5 };
    const first = estimateChannel(channel, options);
    expect(estimateChannel(channel, options)).toEqual(first);
    expect(estimateChannel(channel, { ...options, seed: 6 }).matrices.data).not.toEqual(first.matrices.data);
    const fewer = rayleighChannel({ ...size, devices: 2, seed: 1 });
    const prefix = estimateChannel(fewer, options).matrices.data;
    expect(first.matrices.data.subarray(0, prefix.length)).toEqual(prefix);
    // a flat channel is the same on every subcarrier, its estimate is not
    const flat = estimateChannel(rayleighChannel({ ...size, taps: 1, seed: 1 }), options);
    expect(flat.matrices.at(0, 0).data).not.toEqual(flat.matrices.at(0, 1).data);
  });

  const refused: [string, object, string, RegExp][] = [
    ["no variance", { seed: 1 }, "errorVariance", /neither/],
    ["both", { errorVariance: 0.1, pilotSnrDb: 3, seed: 1 }, "errorVariance", /both/],
    ["no seed", { errorVariance: 0.1 }, "seed", /undefined/],
    ["more error than prior", { errorVariance: 1, seed: 1 }, "errorVariance", /less than 1/],
    [
      "more error than the prior of a device",
      { errorVariance: [0.1, 0.3, 0.1], priorVariance: [1, 0.2, 1], seed: 1 },
      "errorVariance[1]",
      /less than 0.2, the prior variance of device 1/,
    ],
    ["a negative error", { errorVariance: -1, seed: 1 }, "errorVariance", />= 0|from 0/],
    ["two errors", { errorVariance: [1, 1], seed: 1 }, "errorVariance", /3 numbers/],
    ["a NaN pilot", { pilotSnrDb: Number.NaN, seed: 1 }, "pilotSnrDb", /NaN/],
    ["an unknown option", { pilots: 3, seed: 1 }, "estimateChannel.pilots", /unknown/],
  ];
  test.each(refused)("refuses %s", (_, options, field, message) => {
    const caught = caughtBy(() => estimateChannel(channel, options as never));
    expect(caught.field).toBe(field);
    expect(caught.message).toMatch(message);
  });

  test("estimates the true channel only", () => {
    const estimate = estimateChannel(channel, { errorVariance: 0.1, seed: 1 });
    const caught = caughtBy(() =>
      estimateChannel(estimate as unknown as TrueChannel, { errorVariance: 0.1, seed: 1 }),
    );
    expect(caught.field).toBe("channel.kind");
  });
});

describe("estimatedChannelFrom", () => {
  test("takes a stack or its JSON form, and copies it", () => {
    const stack = randomStack([3, 2, 4, 2], 1);
    const estimate = estimatedChannelFrom(stack, 0.1);
    expect(estimatedChannelFrom(toComplexJson(stack), [0.1, 0.1, 0.1])).toEqual(estimate);
    expect([estimate.kind, estimate.errorVariance]).toEqual(["estimated", [0.1, 0.1, 0.1]]);
    stack.data.fill(0);
    expect(estimate.matrices.data.some((x) => x !== 0)).toBe(true);
  });

  test("refuses what is no channel, and variances out of range", () => {
    expect(caughtBy(() => estimatedChannelFrom(randomStack([2, 2], 1), 0.1)).field).toBe("channel");
    const stack = randomStack([3, 2, 4, 2], 1);
    for (const value of [-1, Number.NaN, 1e101]) {
      expect(caughtBy(() => estimatedChannelFrom(stack, value)).field).toBe("errorVariance");
    }
    expect(caughtBy(() => estimatedChannelFrom(stack, [1, 1])).field).toBe("errorVariance");
  });
});

describe("designs for an estimate", () => {
  const options = { streams: 2, power: 40, noiseVariance: 1, weights: [1, 2, 3] };
  const estimate = estimatedChannelFrom(randomStack([3, 2, 4, 2], 7), [0.05, 0.2, 0]);

  test.each([0, 0.5, 1])("their MSE is the mean over the error, correlation %d", (correlation) => {
    const design = designBeamformers({ ...options, channel: estimate, correlation });
    expect(powerBudgetResidual(design, options.power)).toBeLessThan(1e-9);
    const drawn = Array.from({ length: 2000 }, (_, seed) =>
      evaluateDesign(drawTrueChannel(estimate, seed), design, { noiseVariance: 1, correlation }),
    );
    const { mean, error } = meanOf(drawn.map(({ mse }) => mse));
    expect(Math.abs(mean - design.mse)).toBeLessThan(4 * error);
    // the errors are a large part of it, and known to a few per cent
    expect(error).toBeLessThan(0.02 * design.mse);
    const expected = expectedEvaluation(estimate, design, { noiseVariance: 1, correlation });
    expect(Math.abs(expected.mse - design.mse)).toBeLessThanOrEqual(1e-11 * design.mse);
    expect(expected.mse).toBeGreaterThan(
      1.05 * expectedEvaluation(known(estimate), design, { noiseVariance: 1, correlation }).mse,
    );
    expect(expected.mse).toBeLessThanOrEqual(expected.cap * (1 + 1e-12));
  });

  test("expectedEvaluation of a true channel is evaluateDesign", () => {
    const design = designBeamformers({ ...options, channel });
    const how = { noiseVariance: 1, correlation: 0.3 };
    expect(expectedEvaluation(channel, design, how)).toEqual(evaluateDesign(channel, design, how));
  });

  test("the cap holds in the mean over the error for symbols that are aligned in the worst way", () => {
    // identical symbols up to rotations Q_k per device and subcarrier that turn every misalignment into the same
    // direction: one stream and phases
    const single = designBeamformers({ ...options, streams: 1, channel: estimate });
    const cap = expectedEvaluation(estimate, single, { noiseVariance: 1 }).cap;
    const means = Array.from({ length: 2000 }, (_, seed) => {
      const drawn = drawTrueChannel(estimate, seed);
      let total = 0;
      for (let m = 0; m < 2; m++) {
        const a = single.receive.at(m).data;
        let [re, im, gain] = [0, 0, 0];
        for (const x of a) gain += x * x;
        for (let k = 0; k < 3; k++) {
          const real = misalignment(drawn, single.weights[k]!, k, m);
          const guess = misalignment(known(estimate), single.weights[k]!, k, m);
          const size = Math.hypot(...guess);
          // s_k = conj(guess)/|guess| s
          re += (real[0] * guess[0] + real[1] * guess[1]) / size;
          im += (real[1] * guess[0] - real[0] * guess[1]) / size;
        }
        total += re * re + im * im + gain;
      }
      return total;
    });
    function misalignment(of: TrueChannel, w: number, k: number, m: number): [number, number] {
      const h = of.matrices.at(k, m).data;
      const b = single.transmit.at(k, m).data;
      const a = single.receive.at(m).data;
      let [re, im] = [-w, 0];
      for (let r = 0; r < 4; r++) {
        for (let t = 0; t < 2; t++) {
          const i = 2 * (2 * r + t);
          const x = h[i]! * b[2 * t]! - h[i + 1]! * b[2 * t + 1]!;
          const y = h[i]! * b[2 * t + 1]! + h[i + 1]! * b[2 * t]!;
          re += a[2 * r]! * x + a[2 * r + 1]! * y;
          im += a[2 * r]! * y - a[2 * r + 1]! * x;
        }
      }
      return [re, im];
    }
    // and these symbols attain it
    const { mean, error } = meanOf(means);
    expect(Math.abs(mean - cap)).toBeLessThan(4 * error);
  });

  test("knowing the error beats ignoring it, on true channels, from 10 to 30 dB", () => {
    for (const snrDb of [10, 20, 30]) {
      const logs = Array.from({ length: 12 }, (_, seed) => {
        const truth = rayleighChannel({ ...size, seed });
        const seen = estimateChannel(truth, { pilotSnrDb: 15, seed });
        const common = { streams: 2, power: 2 * 10 ** (snrDb / 10), noiseVariance: 1 };
        const onTruth = (of: TrueChannel | EstimatedChannel): number =>
          evaluateDesign(truth, designBeamformers({ ...common, channel: of }), { noiseVariance: 1 }).mse;
        return Math.log(onTruth(known(seen)) / onTruth(seen));
      });
      const { mean, error } = meanOf(logs);
      expect(mean).toBeGreaterThan(2 * error);
    }
  });

  test("the MSE is right over channels and estimates, where entries are independent", () => {
    const differences = Array.from({ length: 300 }, (_, seed) => {
      const truth = rayleighChannel({ ...size, subcarriers: 1, taps: 1, seed });
      const seen = estimateChannel(truth, { errorVariance: 0.2, seed });
      const design = designBeamformers({ ...options, power: 20, channel: seen, effort: "fast" });
      return evaluateDesign(truth, design, { noiseVariance: 1, weights: options.weights }).mse - design.mse;
    });
    const { mean, error } = meanOf(differences);
    expect(Math.abs(mean)).toBeLessThan(4 * error);
  });

  const extremes: [string, object][] = [
    ["60 dB", { power: 2e6 }],
    ["-30 dB", { power: 2e-3 }],
    ["no power", { power: [0, 0, 0] }],
    ["one silent device", { power: [1, 0, 5] }],
    ["a weight of 0", { weights: [1, 0, 1] }],
    ["an estimate of zero", { channel: estimatedChannelFrom(new ComplexStack([3, 2, 4, 2]), 1) }],
    ["an error of 1e100", { channel: estimatedChannelFrom(randomStack([3, 2, 4, 2], 7), 1e100) }],
    ["an error of 1e-300", { channel: estimatedChannelFrom(randomStack([3, 2, 4, 2], 7), 1e-300) }],
    ["correlated", { correlation: 1, power: 2e6 }],
  ];
  test.each(extremes)("%s: finite, within the budgets, never worse than silence", (_, change) => {
    const all = { ...options, channel: estimate, ...change };
    for (const scheme of ["alternating", "mrc", "random"] as const) {
      const design = designBeamformers({ ...all, scheme });
      expect(design.receive.data.every(Number.isFinite) && design.transmit.data.every(Number.isFinite)).toBe(
        true,
      );
      expect(powerBudgetResidual(design, all.power)).toBeLessThan(1e-9);
      const how = { noiseVariance: 1, correlation: (change as { correlation?: number }).correlation ?? 0 };
      const found = expectedEvaluation(all.channel, design, how);
      expect(Math.abs(found.mse - design.mse)).toBeLessThanOrEqual(1e-11 * design.mse);
      expect(design.mse).toBeLessThanOrEqual(4 * (1 + 1e-12));
    }
  });

  test("evaluation refuses an estimate", () => {
    const design = designBeamformers({ ...options, channel: estimate });
    const caught = caughtBy(() =>
      evaluateDesign(estimate as unknown as TrueChannel, design, { noiseVariance: 1 }),
    );
    expect(caught.field).toBe("channel.kind");
  });
});

/** The matrices of an estimate, taken for the truth. */
function known(estimate: EstimatedChannel): TrueChannel {
  return channelFrom(estimate.matrices);
}

function caughtBy(run: () => unknown): InputError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error("nothing was refused");
}
