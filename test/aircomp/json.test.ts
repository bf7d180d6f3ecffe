import { describe, expect, test } from "vitest";
import {
  aggregateOverTheAir,
  designBeamformers,
  designFrom,
  evaluateDesign,
  meanSquaredError,
  rayleighChannel,
} from "../../src/aircomp/index.ts";

const channel = rayleighChannel({
  devices: 3,
  subcarriers: 2,
  receiveAntennas: 4,
  transmitAntennas: 2,
  seed: 5,
});
const noiseVariance = 0.1;
const weights = [0.5, 0.2, 0.3];

describe("designs as JSON", () => {
  test.each(["alternating", "ideal"] as const)("%s survives JSON.stringify", (scheme) => {
    const design = designBeamformers({ channel, streams: 2, power: 4, noiseVariance, weights, scheme });
    const again = designFrom(JSON.parse(JSON.stringify(design)));
    expect(evaluateDesign(channel, again, { noiseVariance })).toEqual(
      evaluateDesign(channel, design, { noiseVariance }),
    );
    const gradients = [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 10],
    ];
    const send = (sent: typeof again) =>
      aggregateOverTheAir({ gradients, channel, design: sent, noiseVariance, seed: 1 });
    expect(send(again)).toEqual(send(design));
  });

  test.each([
    [null, /^design: found null/],
    [{ kind: "magic" }, /^design.kind: found "magic"/],
    [{ kind: "ideal", streams: 1 }, /^design.weights: found undefined/],
    [{ kind: "analog", streams: 1, weights: [1], receive: 3 }, /^design.receive/],
  ])("%j is refused", (value, message) => {
    expect(() => designFrom(value)).toThrow(message);
  });
});

test("evaluation and link use the weights of the design", () => {
  const design = designBeamformers({ channel, streams: 2, power: 4, noiseVariance, weights });
  const own = meanSquaredError(channel, design, { noiseVariance });
  expect(Math.abs(own / design.mse - 1)).toBeLessThan(1e-12);
  expect(meanSquaredError(channel, design, { noiseVariance, weights })).toBe(own);
  expect(meanSquaredError(channel, design, { noiseVariance, weights: [1, 1, 1] })).toBeGreaterThan(own);
});

test("weights of any size mean their ratios", () => {
  const of = (factor: number) =>
    designBeamformers({
      channel,
      streams: 1,
      power: 1,
      noiseVariance,
      weights: weights.map((w) => factor * w),
    });
  expect(of(1e308).mse).toBeCloseTo(of(1).mse, 12);
});

test("a design or channel that is none is refused by name", () => {
  // @ts-expect-error no design
  expect(() => meanSquaredError(channel, null, { noiseVariance })).toThrow(/^design: found null/);
  const design = designBeamformers({ channel, streams: 2, power: 4, noiseVariance });
  const plain = JSON.parse(JSON.stringify(design)) as typeof design;
  expect(() => meanSquaredError(channel, plain, { noiseVariance })).toThrow(/^design.receive: .*designFrom/);
});
