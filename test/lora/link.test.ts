import { describe, expect, test } from "vitest";
import {
  designBeamformers,
  errorParts,
  overTheAirLink,
  powerFromSnr,
  rayleighChannel,
  type Scheme,
} from "../../src/aircomp/index.ts";
import { randomStream } from "../../src/core/index.ts";
import { adapterError, aggregateAdapters, entryVariance, loraProduct } from "../../src/lora/index.ts";
import { add, norm, normals, sample } from "./support.ts";

const devices = 4;
const noiseVariance = 1;
const layers = [{ name: "query", dOut: 96, dIn: 64, rank: 4 }];
const channel = rayleighChannel({
  devices,
  subcarriers: 4,
  receiveAntennas: 8,
  transmitAntennas: 2,
  taps: 2,
  seed: 3,
});

/** Adapters with a common part, loraA half as large as loraB. */
const stream = randomStream(5, "adapters");
const commonB = normals(96 * 4, stream);
const commonA = normals(4 * 64, stream, 0.5);
const adapters = Array.from({ length: devices }, () => ({
  layers: [
    {
      loraB: commonB.map((x) => x + 0.5 * stream.normal()),
      loraA: commonA.map((x) => x + 0.25 * stream.normal()),
    },
  ],
}));
const exact = aggregateAdapters({ mode: "joint", layers, adapters }).adapter;
const target = loraProduct(layers[0]!, exact.layers[0]!);

function setUp(
  scheme: Scheme,
  snrDb: number,
): {
  readonly link: ReturnType<typeof overTheAirLink>;
  readonly gain: number;
} {
  const power = powerFromSnr(snrDb, devices, channel.subcarriers, noiseVariance);
  const design = designBeamformers({ channel, streams: 2, noiseVariance, power, scheme });
  return {
    link: overTheAirLink({ channel, design, noiseVariance }),
    gain: errorParts(channel, design, { noiseVariance }).gain,
  };
}

describe("factors over the air", () => {
  test.each([
    ["uniform-forcing", 0],
    ["uniform-forcing", 10],
    ["alternating", -10],
    ["alternating", 10],
  ] as const)("%s at %i dB: the error of the product is the predicted one", (scheme, snrDb) => {
    const { link, gain } = setUp(scheme, snrDb);
    for (const perFactor of [false, true]) {
      let predicted = 0;
      let withoutGain = 0;
      let distortion = 0;
      const sampled = sample(250, (seed) => {
        const { adapter, transmissions } = aggregateAdapters({
          mode: "joint",
          layers,
          adapters,
          perFactor,
          send: (vectors, { index }) => link.aggregate(vectors, 2 * seed + index),
        });
        const [first, last] = [transmissions[0]!, transmissions.at(-1)!];
        distortion = Math.max(first.distortion.measured, last.distortion.measured);
        predicted = adapterError({
          layers,
          adapter: exact,
          varianceB: entryVariance(first, { gain }),
          varianceA: entryVariance(last, { gain }),
          gainB: gain,
          gainA: gain,
        }).total;
        withoutGain = adapterError({
          layers,
          adapter: exact,
          varianceB: entryVariance(first),
          varianceA: entryVariance(last),
        }).total;
        return norm(add(loraProduct(layers[0]!, adapter.layers[0]!), target, -1)) ** 2;
      });
      // entries that share a use of the channel are slightly correlated (docs/lora-aggregation.md, section 2)
      const positions = perFactor ? 4 * 64 : 4 * (96 + 64);
      const crossTalk = gain === 1 ? 0 : (6 * distortion * norm(target) ** 2) / (positions - 1);
      expect(Math.abs(predicted - sampled.mean)).toBeLessThan(crossTalk + 4 * sampled.standardError);
      if (snrDb < 0) expect(Math.abs(withoutGain / sampled.mean - 1)).toBeGreaterThan(0.2);
    }
  });

  test("entryVariance times Q is the expected squared error; the gain takes off what it explains", () => {
    const { link, gain } = setUp("alternating", -10);
    const { transmissions } = aggregateAdapters({
      mode: "joint",
      layers,
      adapters,
      send: (vectors) => link.aggregate(vectors, 1),
    });
    const sent = transmissions[0]!;
    expect(entryVariance(sent) * sent.estimate.length).toBeCloseTo(sent.expectedSquaredError, 8);
    const mean = norm(exact.layers[0]!.loraB) ** 2 + norm(exact.layers[0]!.loraA) ** 2;
    const centred = mean / sent.estimate.length - sent.packMean ** 2;
    expect(entryVariance(sent) - entryVariance(sent, { gain })).toBeCloseTo((1 - gain) ** 2 * centred, 12);
  });

  test("an ideal link gives what no link gives, in every mode that sends", () => {
    const power = 1;
    const design = designBeamformers({ channel, streams: 2, noiseVariance, power, scheme: "ideal" });
    const link = overTheAirLink({ channel, design, noiseVariance });
    const shared = adapters.map(({ layers: own }) => ({
      layers: [{ loraB: own[0]!.loraB, loraA: commonA }],
    }));
    for (const mode of ["joint", "loraB", "alternating", "padded", "product"] as const) {
      const options = { mode, layers, adapters: shared, ...(mode === "alternating" ? { round: 2 } : {}) };
      const { adapter, transmissions, entries } = aggregateAdapters({
        ...options,
        send: (vectors, { index }) => link.aggregate(vectors, index),
      });
      const plain = aggregateAdapters(options);
      expect(transmissions).toHaveLength(1);
      expect(transmissions[0]!.estimate).toHaveLength(entries);
      const at = (own: typeof adapter): Float64Array => loraProduct(layers[0]!, own.layers[0]!);
      expect(norm(add(at(adapter), at(plain.adapter), -1))).toBeLessThan(1e-10);
    }
  });
});
