import fc from "fast-check";
import type { LoraLayer, Scenario, Spectrum } from "../bounds/index.ts";
import { dimension, type Size } from "./sizes.ts";

export interface ScenarioShape {
  /** K, default 1 to 4. */
  readonly devices?: Size;
  /** M, default 1 to 3. */
  readonly subcarriers?: Size;
  /** r_max, default 1 to 6. */
  readonly maxRank?: Size;
}

const tenths = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min: Math.round(10 * min), max: Math.round(10 * max) }).map((x) => x / 10);

const spectrum: fc.Arbitrary<Spectrum> = fc.oneof(
  fc.record({ kind: fc.constant("geometric" as const), scale: tenths(0.1, 3), ratio: tenths(0, 1) }),
  fc.record({ kind: fc.constant("power-law" as const), scale: tenths(0.1, 3), exponent: tenths(0, 2) }),
  fc.record({
    kind: fc.constant("values" as const),
    values: fc.array(tenths(0, 3), { minLength: 1, maxLength: 4 }),
  }),
);

const layer: fc.Arbitrary<LoraLayer> = fc.record({
  dOut: fc.integer({ min: 4, max: 24 }),
  dIn: fc.integer({ min: 4, max: 24 }),
  count: fc.integer({ min: 1, max: 3 }),
});

/**
 * Small scenarios that `rankProblem` and `minimizeOptimalityGap` accept: a few devices, one or two layers, rank
 * searches that take milliseconds. The energy budget is sometimes set; mu <= L always holds.
 */
export function scenario(shape: ScenarioShape = {}): fc.Arbitrary<Scenario> {
  return fc
    .record({
      channel: fc.record({
        model: fc.constant("rayleigh" as const),
        devices: dimension(shape.devices, { min: 1, max: 4 }),
        subcarriers: dimension(shape.subcarriers, { min: 1, max: 3 }),
        receiveAntennas: fc.integer({ min: 1, max: 4 }),
        transmitAntennas: fc.integer({ min: 1, max: 3 }),
        taps: fc.integer({ min: 1, max: 3 }),
        seed: fc.nat({ max: 999 }),
      }),
      streams: fc.integer({ min: 1, max: 3 }),
      snrDb: fc.integer({ min: -10, max: 30 }),
      energyPerRound: fc.constantFrom(null, 0.01, 1),
      learning: fc.record({
        smoothness: tenths(1, 4),
        plConstant: tenths(0.1, 1),
        initialGap: tenths(0, 5),
        rounds: fc.integer({ min: 0, max: 200 }),
        gradientFloor: tenths(0, 2),
        gradientSlope: tenths(0, 1),
        stochasticVariance: tenths(0, 1),
      }),
      layers: fc.array(layer, { minLength: 1, maxLength: 2 }),
      trained: fc.constantFrom("both", "loraB"),
      spectrum,
      maxRank: dimension(shape.maxRank, { min: 1, max: 6 }),
      rankSearch: fc.constantFrom("backtracking", "exhaustive"),
    })
    .map(({ channel, streams, snrDb, energyPerRound, learning, layers, trained, spectrum, ...solver }) => ({
      channel,
      link: {
        streams: Math.min(streams, channel.receiveAntennas, channel.transmitAntennas),
        snrDb,
        energyPerRound,
      },
      learning,
      lora: { layers, trained, residual: { kind: "spectral" as const, spectrum } },
      solver: { ...solver, effort: "fast" as const },
    }));
}
