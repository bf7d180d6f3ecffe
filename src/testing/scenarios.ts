import fc from "fast-check";
import type { LoraLayer, PayloadPlan, Scenario, Spectrum } from "../bounds/index.ts";
import { dimension, type Size } from "./sizes.ts";

export interface ScenarioShape {
  /** K, default 1 to 4. */
  readonly devices?: Size;
  /** M, default 1 to 3. */
  readonly subcarriers?: Size;
  /** r_max, default 1 to 6. */
  readonly maxRank?: Size;
  /** true: scenarios with a `lora.payload`, which shares a layer at least. Default false: everything is shared. */
  readonly payload?: boolean;
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
  // no layer is smaller than 4 x 4, so that at least one value is not listed
  fc
    .record({ values: fc.array(tenths(0.1, 3), { minLength: 1, maxLength: 3 }), part: tenths(0, 1) })
    .map(({ values, part }) => ({ kind: "values" as const, values, tail: part * Math.min(...values) ** 2 })),
);

/** Which factors are trained and which form of the bound is asked for: the pairings that a theorem covers. */
const mode = fc.constantFrom(
  { trained: "both", form: "pl", residual: "spectral" } as const,
  { trained: "both", form: "pl", residual: "spectral", region: "sublevel" } as const,
  { trained: "alternating", form: "pl", residual: "spectral" } as const,
  { trained: "loraB", form: "pl", residual: "spectral", region: "global" } as const,
  { trained: "loraB", form: "pl", residual: "frozen" } as const,
  { trained: "loraB", form: "pl", residual: "projection" } as const,
  { trained: "loraB", form: "pl", residual: "sketch" } as const,
  { trained: "both", form: "non-convex" } as const,
  { trained: "alternating", form: "non-convex" } as const,
  { trained: "loraB", form: "non-convex", residual: "projection" } as const,
  { trained: "loraB", form: "non-convex", residual: "sketch", region: "sublevel" } as const,
);

const layer: fc.Arbitrary<LoraLayer> = fc.record({
  dOut: fc.integer({ min: 4, max: 24 }),
  dIn: fc.integer({ min: 4, max: 24 }),
  count: fc.integer({ min: 1, max: 3 }),
});

/** Which of up to two layers are shared, and further tensors. */
const payload: fc.Arbitrary<Required<PayloadPlan>> = fc.record({
  layers: fc.constantFrom([0], [1], [0, 1], [1, 0]),
  tensors: fc.array(
    fc.record({
      entries: fc.nat({ max: 40 }),
      entriesPerRank: fc.nat({ max: 4 }),
      count: fc.integer({ min: 1, max: 2 }),
    }),
    { maxLength: 2 },
  ),
});

/** What of the plan the layers and the mode allow: a sketch has no other tensors. */
function fitting(
  { layers, tensors }: Required<PayloadPlan>,
  count: number,
  kind: string | undefined,
): PayloadPlan {
  return {
    layers: count === 1 ? [0] : layers,
    ...(kind === "sketch" ? {} : { tensors }),
  };
}

/**
 * Small scenarios that `rankProblem` and `minimizeOptimalityGap` accept: a few devices, one or two layers, every pairing
 * of training and bound, rank searches that take milliseconds. The energy budget is sometimes set, and sometimes a total
 * time instead of rounds; mu <= L always holds.
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
        initialGap: tenths(0, 5),
        gradientFloor: tenths(0, 2),
        gradientSlope: tenths(0, 1),
        stochasticVariance: tenths(0, 1),
      }),
      plConstant: tenths(0.1, 1),
      duration: fc.oneof(
        fc.record({ rounds: fc.integer({ min: 0, max: 200 }) }),
        // rank 1 of the largest layers takes less than 0.03 s
        fc.record({ totalTime: tenths(0.1, 3), computeTime: fc.constantFrom(0, 0.01) }),
      ),
      layers: fc.array(layer, { minLength: 1, maxLength: 2 }),
      mode,
      spectrum,
      maxRank: dimension(shape.maxRank, { min: 1, max: 6 }),
      rankSearch: fc.constantFrom("backtracking", "exhaustive"),
      plan: shape.payload === true ? payload : fc.constant(undefined),
    })
    .map(({ channel, streams, snrDb, energyPerRound, mode, maxRank, ...rest }) => {
      const { trained, form } = mode;
      const kind = "residual" in mode ? mode.residual : undefined;
      const spectrum = kind === "spectral" || kind === "frozen" ? { spectrum: rest.spectrum } : {};
      // without a residual a larger rank is never better: there is nothing to search
      const largest = Math.min(maxRank, ...rest.layers.map((layer) => Math.min(layer.dOut, layer.dIn)));
      const rankSearch = kind === undefined ? { fixed: largest } : rest.rankSearch;
      return {
        channel,
        link: {
          streams: Math.min(streams, channel.receiveAntennas, channel.transmitAntennas),
          snrDb,
          energyPerRound,
        },
        learning: {
          ...rest.learning,
          ...rest.duration,
          form,
          ...("region" in mode ? { region: mode.region } : {}),
          ...(form === "pl" ? { plConstant: rest.plConstant } : {}),
        },
        lora: {
          layers: rest.layers,
          trained,
          ...(kind === undefined ? {} : { residual: { kind, ...spectrum } }),
          ...(rest.plan === undefined ? {} : { payload: fitting(rest.plan, rest.layers.length, kind) }),
        },
        solver: { maxRank, rankSearch, effort: "fast" as const },
      };
    });
}
