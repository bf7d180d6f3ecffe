import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channelFrom, designBeamformers, rayleighChannel } from "../../src/aircomp/index.ts";
import { ComplexStack, svd } from "../../src/linalg/index.ts";
import { random, runs, waterFilling } from "./support.ts";

const decibels = fc.integer({ min: -30, max: 40 });

describe("one device", () => {
  test("one antenna, one subcarrier: sigma2 / (P |h|^2 + sigma2)", () => {
    fc.assert(
      fc.property(fc.nat(999), decibels, fc.constantFrom(1, 1e-6, 50), (seed, snr, noiseVariance) => {
        const channel = rayleighChannel({
          devices: 1,
          subcarriers: 1,
          receiveAntennas: 1,
          transmitAntennas: 1,
          seed,
        });
        const power = noiseVariance * 10 ** (snr / 10);
        const gain = channel.matrices.data.reduce((sum, x) => sum + x * x, 0);
        const { mse } = designBeamformers({ channel, streams: 1, power, noiseVariance, effort: "thorough" });
        expect(Math.abs((mse * (power * gain + noiseVariance)) / noiseVariance - 1)).toBeLessThan(1e-10);
      }),
      runs(100),
    );
  });

  test("one antenna, equal subcarriers: the budget is shared equally", () => {
    fc.assert(
      fc.property(fc.nat(999), decibels, fc.integer({ min: 1, max: 16 }), (seed, snr, subcarriers) => {
        // one tap: the same channel on every subcarrier
        const channel = rayleighChannel({
          devices: 1,
          subcarriers,
          receiveAntennas: 1,
          transmitAntennas: 1,
          seed,
        });
        const each = 10 ** (snr / 10);
        const gain = channel.matrices.data[0]! ** 2 + channel.matrices.data[1]! ** 2;
        const { mse } = designBeamformers({
          channel,
          streams: 1,
          power: subcarriers * each,
          noiseVariance: 1,
          effort: "thorough",
        });
        expect(Math.abs((mse * (each * gain + 1)) / subcarriers - 1)).toBeLessThan(1e-10);
      }),
      runs(60),
    );
  });

  test("any channel: never below the water-filling optimum, and at it to 1e-6 where all modes are used", () => {
    let reached = 0;
    let count = 0;
    fc.assert(
      fc.property(
        fc.nat(999),
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        (seed, snr, subcarriers, streams, more) => {
          const channel = rayleighChannel({
            devices: 1,
            subcarriers,
            receiveAntennas: streams + more,
            transmitAntennas: streams,
            taps: 3,
            seed,
          });
          const power = subcarriers * 10 ** (snr / 10);
          const modes: number[] = [];
          for (let m = 0; m < subcarriers; m++)
            modes.push(...svd(channel.matrices.at(0, m)).s.map((s) => s * s));
          const { mse } = designBeamformers({
            channel,
            streams,
            power,
            noiseVariance: 1,
            effort: "thorough",
          });
          const best = waterFilling(modes, power);
          expect(mse).toBeGreaterThanOrEqual(best * (1 - 1e-10));
          count++;
          if (mse <= best * (1 + 1e-6)) reached++;
        },
      ),
      runs(60),
    );
    expect(reached / count).toBeGreaterThan(0.9);
  });
});

describe("many devices", () => {
  test("equal scalar channels and budgets: sigma2 / (K (K P |h|^2 + sigma2))", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), decibels, (devices, snr) => {
        const stack = new ComplexStack([devices, 1, 1, 1]);
        for (let k = 0; k < devices; k++) stack.data.set([0.6, 0.8], 2 * k);
        const power = 10 ** (snr / 10);
        const channel = channelFrom(stack);
        const { mse } = designBeamformers({
          channel,
          streams: 1,
          power,
          noiseVariance: 1,
          effort: "thorough",
        });
        expect(Math.abs(mse * devices * (devices * power + 1) - 1)).toBeLessThan(1e-10);
      }),
      runs(60),
    );
  });

  test("one antenna each, any weights: the minimum over the scalar receive factor", () => {
    fc.assert(
      fc.property(
        fc.nat(999),
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: -20, max: 20 }),
        (seed, devices, snr) => {
          const channel = rayleighChannel({
            devices,
            subcarriers: 1,
            receiveAntennas: 1,
            transmitAntennas: 1,
            seed,
          });
          const power = 10 ** (snr / 10);
          const raw = Array.from({ length: devices }, (_, k) => 1 + (k % 3));
          const total = raw.reduce((sum, w) => sum + w, 0);
          // with |a| = t device k leaves (w_k - t |h_k| sqrt(P))_+ : a piecewise quadratic of t, solved exactly
          const levels = raw.map((w, k) => ({
            w: w / total,
            g:
              Math.sqrt(power) * Math.hypot(channel.matrices.data[2 * k]!, channel.matrices.data[2 * k + 1]!),
          }));
          const cost = (t: number): number =>
            t * t + levels.reduce((sum, { w, g }) => sum + Math.max(0, w - t * g) ** 2, 0);
          const candidates: number[] = [];
          for (let limited = 1; limited <= devices; limited++) {
            const active = [...levels].sort((a, b) => b.w / b.g - a.w / a.g).slice(0, limited);
            const top = active.reduce((sum, { w, g }) => sum + w * g, 0);
            candidates.push(cost(top / (1 + active.reduce((sum, { g }) => sum + g * g, 0))));
          }
          const best = Math.min(...candidates);
          const { mse } = designBeamformers({
            channel,
            streams: 1,
            power,
            noiseVariance: 1,
            weights: raw,
            effort: "thorough",
          });
          expect(mse).toBeGreaterThanOrEqual(best * (1 - 1e-12));
          expect(mse).toBeLessThanOrEqual(best * (1 + 1e-8));
        },
      ),
      runs(60),
    );
  });

  test("a silent device leaves w_k^2 S M, a zero channel leaves sum_k w_k^2 S M", () => {
    const stack = new ComplexStack([2, 3, 4, 2]);
    for (let m = 0; m < 3; m++) stack.at(0, m).data.set(random(4, 2, m).data);
    const options = { streams: 2, power: 1e6, noiseVariance: 1, weights: [1, 3] } as const;
    const dead = designBeamformers({ channel: channelFrom(stack), ...options });
    expect(dead.mse).toBeGreaterThan(0.5625 * 6);
    expect(dead.mse).toBeLessThan(0.5625 * 6 + 1e-3);
    const zero = designBeamformers({ channel: channelFrom(new ComplexStack([2, 3, 4, 2])), ...options });
    expect(zero.mse).toBeCloseTo(0.625 * 6, 12);
  });
});
