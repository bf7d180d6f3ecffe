import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { alternate } from "../../src/aircomp/alternating.ts";
import { noiseLevels, raisedNoise } from "../../src/aircomp/continuation.ts";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import {
  channelFrom,
  type DesignOptions,
  designBeamformers,
  estimateChannel,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import { type Chart, type ReducedSpace, receiveSpace } from "../../src/aircomp/reduced.ts";
import { transmitSpace } from "../../src/aircomp/reduced-transmit.ts";
import { informedStart } from "../../src/aircomp/schemes/alternating.ts";
import { createBlockUpdates, type TransceiverProblem } from "../../src/aircomp/updates.ts";
import { ComplexStack, svd } from "../../src/linalg/index.ts";
import { checkGradient, lbfgs, maxIterations, minimize } from "../../src/manifold/index.ts";
import { monotonicityResidual } from "../../src/testing/index.ts";
import { runs, waterFilling } from "./support.ts";

const size = { devices: 6, subcarriers: 2, receiveAntennas: 6, transmitAntennas: 3, taps: 2 };

/** K = 6, M = 2, N_r = 6, N_t = 3, S = 2. */
function optionsAt(snrDb: number, seed: number, more: Partial<DesignOptions> = {}): DesignOptions {
  const channel = rayleighChannel({ ...size, seed });
  return { channel, streams: 2, power: 2 * 10 ** (snrDb / 10), noiseVariance: 1, ...more };
}

/** R = (1 - c) I + c 11^T with unequal powers q_k. */
function unequal(c: number): number[][] {
  const q = [1, 0.5, 0.9, 0.2, 1, 0.7];
  return q.map((a, k) => q.map((b, j) => (k === j ? a : c * Math.sqrt(a * b))));
}

const uncertain = (seed: number): Partial<DesignOptions> => ({
  channel: estimateChannel(rayleighChannel({ ...size, seed }), { errorVariance: 0.05, seed }),
});

describe("reduced problems", () => {
  const spaces: [string, (problem: TransceiverProblem) => ReducedSpace<never>, Partial<DesignOptions>][] = [
    ["receive side", receiveSpace as never, {}],
    ["receive side, estimated channel", receiveSpace as never, uncertain(3)],
    ["transmit side", transmitSpace as never, {}],
    ["transmit side, correlated devices", transmitSpace as never, { correlation: 0.6 }],
    ["transmit side, unequal powers", transmitSpace as never, { correlation: unequal(0.9) }],
    ["transmit side, correlated, estimated", transmitSpace as never, { ...uncertain(3), correlation: 0.6 }],
  ];
  describe.each(spaces)("%s", (_, make, more) => {
    const problem = transceiverProblem(optionsAt(8, 3, more));
    const space = make(problem);
    const chartAt = (extraNoise: number): Chart<never> =>
      space.open(extraNoise, space.enter(informedStart(problem, 1)))!;

    test.each([0, 3])(
      "gradient with extra noise %d; half of it and its conjugate are refused",
      (extraNoise) => {
        const { problem: reduced, x0 } = chartAt(extraNoise);
        // the last of a few steps: no budget is at its edge by construction
        const at = minimize(reduced, x0, { solver: lbfgs(), stop: maxIterations(3), record: false }).point;
        for (const seed of [1, 2, 3]) expect(checkGradient(reduced, { point: at, seed }).passed).toBe(true);
        const mutated = (change: (g: Float64Array) => Float64Array): typeof reduced => {
          const { costAndGradient: _joint, ...rest } = reduced;
          return {
            ...rest,
            gradient: (x) => {
              const { data, ...shape } = reduced.gradient(x) as unknown as ComplexStack;
              const changed = change(data.slice());
              return (
                "shape" in shape
                  ? new ComplexStack(shape.shape, changed)
                  : { ...(shape as object), data: changed }
              ) as never;
            },
          };
        };
        const half = mutated((g) => g.map((x) => x / 2));
        const conjugate = mutated((g) => g.map((x, i) => (i % 2 === 0 ? x : -x)));
        expect(checkGradient(half, { point: at, seed: 1 }).passed).toBe(false);
        expect(checkGradient(conjugate, { point: at, seed: 1 }).passed).toBe(false);
      },
    );

    test("the MSE at the true noise, from the cost at the raised one", () => {
      const { problem: reduced, x0, state } = chartAt(3);
      const at = state(x0);
      const { receive, transmit } = space.design(at);
      const updates = createBlockUpdates(problem);
      const mse = updates.mse(receive, transmit);
      expect(Math.abs(space.measure(at) / mse - 1)).toBeLessThan(1e-12);
      expect(Math.abs(space.mseAt(at, reduced.cost(x0), 3) / mse - 1)).toBeLessThan(1e-12);
      // the side that was eliminated is at its best
      expect(updates.receive(receive.slice(), transmit)).toBeLessThanOrEqual(mse * (1 + 1e-12));
    });
  });

  test("both sides have the same minimum", () => {
    for (const seed of [1, 2, 3]) {
      const problem = transceiverProblem(optionsAt(5, seed));
      const start = informedStart(problem, 1);
      const costs = [receiveSpace(problem), transmitSpace(problem)].map((space) => {
        const chart = (space as ReducedSpace<never>).open(0, space.enter(start))!;
        const { cost } = minimize(chart.problem, chart.x0, { solver: lbfgs(), stop: maxIterations(500) });
        return cost;
      });
      expect(Math.abs(costs[1]! / costs[0]! - 1)).toBeLessThan(1e-7);
    }
  });
});

test("noise levels: from the median device's 0 dB in steps of about 10 dB to the true noise", () => {
  const channel = channelFrom(new ComplexStack([3, 1, 1, 1], Float64Array.of(1, 0, 10, 0, 0.1, 0)));
  const problem = transceiverProblem({ channel, streams: 1, power: 1000, noiseVariance: 1 });
  expect(raisedNoise(problem, 0)).toBeCloseTo(999, 9);
  expect(raisedNoise(problem, -10)).toBeCloseTo(9999, 8);
  expect(raisedNoise(problem, 40)).toBe(0);
  expect(noiseLevels(problem).map((x) => Math.round(x + 1))).toEqual([1000, 100, 10, 1]);
  expect(noiseLevels({ ...problem, noiseVariance: 1000 })).toEqual([0]);
  expect(noiseLevels({ ...problem, channel: new Float64Array(6) })).toEqual([0]);
});

describe("optimality", () => {
  test("one device: the water-filling optimum to 1e-10", () => {
    const shape = fc.record({
      seed: fc.nat(9999),
      snr: fc.integer({ min: -30, max: 45 }),
      subcarriers: fc.integer({ min: 1, max: 4 }),
      streams: fc.integer({ min: 1, max: 3 }),
      more: fc.integer({ min: 0, max: 1 }),
    });
    fc.assert(
      fc.property(shape, ({ seed, snr, subcarriers, streams, more }) => {
        const antennas = { receiveAntennas: streams + more, transmitAntennas: streams + 1 - more };
        const channel = rayleighChannel({ devices: 1, subcarriers, ...antennas, taps: 2, seed });
        const power = subcarriers * 10 ** (snr / 10);
        const gains = Array.from({ length: subcarriers }, (_, m) =>
          Array.from(svd(channel.matrices.at(0, m)).s.slice(0, streams), (s) => s * s),
        ).flat();
        const { mse } = designBeamformers({
          channel,
          streams,
          power,
          noiseVariance: 1,
          scheme: "manifold",
          effort: "thorough",
        });
        expect(Math.abs(mse / waterFilling(gains, power) - 1)).toBeLessThan(1e-10);
      }),
      runs(20),
    );
  });

  test("one antenna everywhere: the exact scalar optimum to 1e-10", () => {
    fc.assert(
      fc.property(
        fc.nat(9999),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: -20, max: 40 }),
        (seed, devices, snr) => {
          const antennas = { receiveAntennas: 1, transmitAntennas: 1 };
          const channel = rayleighChannel({ devices, subcarriers: 1, ...antennas, seed });
          const power = 10 ** (snr / 10);
          const reach = Array.from({ length: devices }, (_, k) => {
            const { data } = channel.matrices.at(k, 0);
            return Math.hypot(data[0]!, data[1]!) * Math.sqrt(power);
          });
          const { mse } = designBeamformers({
            channel,
            streams: 1,
            power,
            noiseVariance: 1,
            scheme: "manifold",
            effort: "thorough",
          });
          expect(Math.abs(mse / scalarOptimum(reach, 1 / devices) - 1)).toBeLessThan(1e-10);
        },
      ),
      runs(30),
    );
  });

  const settings: [string, Partial<DesignOptions> | ((seed: number) => Partial<DesignOptions>)][] = [
    ["R = I", {}],
    ["correlation 0.5", { correlation: 0.5 }],
    ["identical gradients", { correlation: 1 }],
    ["unequal powers", { correlation: unequal(0.3) }],
    ["an estimated channel", uncertain],
  ];
  test.each(settings)(
    "%s: in the mean not above 2000 alternating iterations, fixed points of both updates",
    (_, more) => {
      const ratios: number[] = [];
      for (const snr of [0, 10, 20]) {
        for (const seed of [11, 12]) {
          const options = optionsAt(snr, seed, typeof more === "function" ? more(seed) : more);
          const problem = transceiverProblem(options);
          const rule = { maxIterations: 2000, relativeDecrease: 0 };
          const crawled = alternate(problem, informedStart(problem, 1), rule);
          const design = designBeamformers({ ...options, scheme: "manifold" });
          ratios.push(Math.log(design.mse / crawled.mse));
          expect(monotonicityResidual(design.rows)).toBe(0);
          const updates = createBlockUpdates(problem);
          const receive = design.receive.data.slice();
          const transmit = design.transmit.data.slice();
          updates.transmit(transmit, receive);
          expect(updates.receive(receive, transmit)).toBeGreaterThan(design.mse * (1 - 1e-6));
        }
      }
      expect(ratios.reduce((sum, x) => sum + x, 0)).toBeLessThan(1e-6);
      // single channels may end in a worse valley
      expect(Math.max(...ratios)).toBeLessThan(0.01);
    },
  );

  test("what 2000 alternating iterations reach takes at most a tenth of their block updates, in the median", () => {
    for (const snr of [0, 10, 20, 30]) {
      const counts = Array.from({ length: 7 }, (_, i) => {
        const options = optionsAt(snr, 500 + i);
        const problem = transceiverProblem(options);
        const rule = { maxIterations: 2000, relativeDecrease: 0 };
        const { mse } = alternate(problem, informedStart(problem, 1), rule);
        const { rows } = designBeamformers({ ...options, scheme: "manifold" });
        return rows.findIndex((row) => row.mse <= mse * (1 + 1e-7));
      }).map((count) => (count < 0 ? Number.POSITIVE_INFINITY : count));
      // an iteration is at most two evaluations, an evaluation one transmit update and one quadratic form
      expect(counts.sort((a, b) => a - b)[3]).toBeLessThanOrEqual(100);
    }
  });
});

test("scaling channel and noise, or powers and noise, changes nothing but the units", () => {
  const options = optionsAt(15, 7);
  const plain = designBeamformers({ ...options, scheme: "manifold" }).mse;
  const stack = (options.channel.matrices as ComplexStack).data;
  const louder = channelFrom(
    new ComplexStack(
      options.channel.matrices.shape,
      stack.map((x) => 1024 * x),
    ),
  );
  const inChannel = designBeamformers({
    ...options,
    channel: louder,
    noiseVariance: 1024 ** 2,
    scheme: "manifold",
  });
  expect(Math.abs(inChannel.mse / plain - 1)).toBeLessThan(1e-6);
  const power = (options.power as number) * 4096;
  const inPower = designBeamformers({ ...options, power, noiseVariance: 4096, scheme: "manifold" });
  expect(Math.abs(inPower.mse / plain - 1)).toBeLessThan(1e-6);
});

/**
 * min over a >= 0 of a^2 + sum_k max(0, w - a reach_k)^2 (noise variance 1): on each stretch between the points where
 * a device begins to reach w, a parabola.
 */
function scalarOptimum(reach: readonly number[], w: number): number {
  const cost = (a: number): number => a * a + reach.reduce((sum, r) => sum + Math.max(0, w - a * r) ** 2, 0);
  const corners = reach.map((r) => w / r);
  const candidates = corners.map((corner) => {
    const short = reach.filter((r) => w / r >= corner);
    return (w * short.reduce((sum, r) => sum + r, 0)) / (1 + short.reduce((sum, r) => sum + r * r, 0));
  });
  return Math.min(...corners.map(cost), ...candidates.map(cost));
}
