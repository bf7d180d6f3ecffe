import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  allocateRanks,
  type LoraLayer,
  minimizeOptimalityGap,
  ofdmSymbols,
  optimalityGap,
  type PayloadPlan,
  payloadEntries,
  rankProblem,
  type Scenario,
  type TrainedFactors,
} from "../../src/bounds/index.ts";
import { InputError, randomStream } from "../../src/core/index.ts";
import {
  type ModelParts,
  payloadOf,
  scenarioPayload,
  sharingPlan,
  sharingPlanNames,
} from "../../src/personal/index.ts";
import { RUNS } from "./support.ts";

const layers: readonly LoraLayer[] = [
  { dOut: 12, dIn: 8, count: 2 },
  { dOut: 6, dIn: 10 },
  { dOut: 9, dIn: 9, spectrum: { kind: "geometric", scale: 1.5, ratio: 0.5 } },
];

const base: Scenario = {
  channel: {
    model: "rayleigh",
    devices: 3,
    subcarriers: 2,
    receiveAntennas: 4,
    transmitAntennas: 2,
    taps: 2,
    seed: 3,
  },
  link: { streams: 2, snrDb: 5, symbolDuration: 1e-3, energyPerRound: 0.2 },
  learning: {
    smoothness: 2,
    plConstant: 0.2,
    initialGap: 3,
    rounds: 60,
    gradientFloor: 0.4,
    gradientSlope: 0.05,
  },
  lora: { layers, residual: { kind: "spectral", spectrum: { kind: "geometric", scale: 1, ratio: 0.7 } } },
  solver: { scheme: "centroid", rankSearch: "exhaustive", maxRank: 8, seed: 1 },
};

function withPayload(payload: PayloadPlan | undefined, scenario: Scenario = base): Scenario {
  return { ...scenario, lora: { ...scenario.lora, ...(payload === undefined ? {} : { payload }) } };
}

/** A model whose LoRA has the rank of the device. */
function model(rank: number, bottleneck = 4): Record<string, number> {
  return {
    "embed.weight": 1000,
    "q.loraB": 12 * rank,
    "q.loraA": 8 * rank,
    "adapter.down": 10 * bottleneck,
    "adapter.up": 10 * bottleneck,
    "last.weight": 50,
    "head.weight": 30,
  };
}

const parts: ModelParts = { lora: "*.lora?", adapters: "adapter.*", lastLayers: "last.*", head: "head.*" };

describe("payloadOf", () => {
  it("counts what is shared", () => {
    const options = { streams: 2, subcarriers: 3, bitsPerEntry: 12 };
    expect(payloadOf(sharingPlan("split", parts), model(3), options)).toEqual({
      entries: 60 + 80 + 50,
      complexSymbols: 95,
      symbols: 16,
      bytes: 285,
      privateEntries: 30,
      frozenEntries: 1000,
    });
    expect(payloadOf(sharingPlan("local-only", parts), model(3)).entries).toBe(0);
    expect(payloadOf({ shared: "x" }, { x: new Float32Array(7) })).toMatchObject({
      complexSymbols: 4,
      bytes: 28,
    });
  });

  it("does not depend on private ranks, in any plan that keeps LoRA private", () => {
    for (const name of ["local-only", "adapters-shared", "last-layers-shared"] as const) {
      const plan = sharingPlan(name, parts);
      const { privateEntries: _, ...small } = payloadOf(plan, model(1), { streams: 1, subcarriers: 1 });
      expect(payloadOf(plan, model(32), { streams: 1, subcarriers: 1 })).toMatchObject(small);
    }
  });

  it("never falls when more is shared, and covers the model with private and frozen", () => {
    const names = Object.keys(model(2));
    fc.assert(
      fc.property(
        fc.subarray(names),
        fc.subarray(names),
        fc.integer({ min: 1, max: 9 }),
        (some, more, rank) => {
          const link = { streams: 2, subcarriers: 4 };
          const small = payloadOf({ shared: some, rest: "private" }, model(rank), link);
          const large = payloadOf(
            { shared: [...new Set([...some, ...more])], rest: "private" },
            model(rank),
            link,
          );
          for (const key of ["entries", "complexSymbols", "symbols", "bytes"] as const) {
            expect(large[key]).toBeGreaterThanOrEqual(small[key]!);
          }
          expect(large.symbols).toBe(ofdmSymbols(large.entries, 2, 4));
          const total = Object.values(model(rank)).reduce((sum, n) => sum + n, 0);
          expect(small.entries + small.privateEntries + small.frozenEntries).toBe(total);
        },
      ),
      RUNS,
    );
  });

  it("orders the plans", () => {
    const entries = sharingPlanNames.map((name) => payloadOf(sharingPlan(name, parts), model(8)).entries);
    expect(entries).toEqual([320, 160, 0, 80, 50, 290]);
  });

  it("refuses half a link, unknown options and odd bits", () => {
    const plan = sharingPlan("split", parts);
    expect(() => payloadOf(plan, model(1), { streams: 1 })).toThrow(/subcarriers/);
    expect(() => payloadOf(plan, model(1), { bits: 3 } as never)).toThrow(/bits/);
    expect(() => payloadOf(plan, model(1), { bitsPerEntry: 0 })).toThrow(/bitsPerEntry/);
    expect(() => payloadOf({ shared: "nothing" }, model(1))).toThrow(/plan\.shared/);
  });
});

const plans = fc.record({
  layers: fc.subarray([0, 1, 2]),
  tensors: fc.array(
    fc.record({
      entries: fc.nat({ max: 60 }),
      entriesPerRank: fc.nat({ max: 5 }),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 2 },
  ),
});

describe("payloadEntries with a plan", () => {
  it("is the plain sum over shared layers and tensors", () => {
    const trained = fc.constantFrom<TrainedFactors>("both", "loraB", "alternating");
    fc.assert(
      fc.property(plans, fc.integer({ min: 1, max: 12 }), trained, (plan, rank, factors) => {
        const sides = (side: "dOut" | "dIn"): number =>
          plan.layers.reduce((sum, i) => {
            const { dOut, dIn, count = 1 } = layers[i]!;
            return sum + count * Math.min(rank, dOut, dIn) * layers[i]![side];
          }, 0);
        const lora = {
          both: sides("dOut") + sides("dIn"),
          loraB: sides("dOut"),
          alternating: Math.max(sides("dOut"), sides("dIn")),
        }[factors];
        const extra = plan.tensors.reduce(
          (sum, t) => sum + t.count * (t.entries + rank * t.entriesPerRank),
          0,
        );
        expect(payloadEntries(layers, rank, factors, plan)).toBe(lora + extra);
      }),
      RUNS,
    );
  });

  it("refuses holes, which forEach and map pass over", () => {
    const hole = <T>(x: T): T[] => Object.assign([x], { length: 2 });
    const [layer] = [{ dOut: 3, dIn: 4 }];
    const count = (list: (typeof layer)[], plan: object) => () => payloadEntries(list, 1, "both", plan);
    expect(count(hole(layer), {})).toThrow(/^layers\[1\]/);
    expect(count([layer, layer], { layers: hole(0) })).toThrow(/^payload\.layers\[1\]/);
    expect(count([layer], { tensors: hole({ entries: 1 }) })).toThrow(/^payload\.tensors\[1\]/);
  });

  it("an adapter whose bottleneck is the rank: (d_in + d_out) and a bias per unit, and a fixed bias", () => {
    const plan = { tensors: [{ name: "biases", entries: 10, entriesPerRank: 1 }] };
    const adapter = [{ dOut: 10, dIn: 10 }];
    for (const bottleneck of [1, 3, 7]) {
      const sizes = { down: 10 * bottleneck, "down.bias": bottleneck, up: 10 * bottleneck, "up.bias": 10 };
      const { entries } = payloadOf({ rest: "shared" }, sizes);
      expect(payloadEntries(adapter, bottleneck, "both", plan)).toBe(entries);
    }
  });
});

describe("scenarioPayload", () => {
  const named = [
    { dOut: 12, dIn: 8, tensors: "q.lora?" },
    { dOut: 10, dIn: 10, tensors: ["adapter.*"] },
  ];

  it.each(sharingPlanNames.filter((name) => name !== "local-only"))(
    "%s: Q at the rank of the model",
    (name) => {
      const plan = sharingPlan(name, parts);
      for (const rank of [1, 2, 5]) {
        const found = scenarioPayload(plan, model(rank, rank), named);
        const { entries } = payloadOf(plan, model(rank, rank));
        expect(payloadEntries(found.layers, rank, "both", found.payload)).toBe(entries);
      }
    },
  );

  it("says which layers are shared, and the tensors besides", () => {
    expect(scenarioPayload(sharingPlan("adapters-shared", parts), model(3), named)).toEqual({
      layers: [
        { dOut: 12, dIn: 8 },
        { dOut: 10, dIn: 10 },
      ],
      payload: { layers: [1], tensors: [] },
    });
    expect(scenarioPayload(sharingPlan("last-layers-shared", parts), model(3), named).payload).toEqual({
      layers: [],
      tensors: [{ name: "last.weight", entries: 50 }],
    });
  });

  it("refuses factors of two groups or two layers, and names without a match", () => {
    const half = { shared: "q.loraA", private: "q.loraB" };
    expect(() => scenarioPayload(half, model(1), named)).toThrow(/layers\[0\]\.tensors/);
    const plan = sharingPlan("vanilla", parts);
    expect(() => scenarioPayload(plan, model(1), [named[0]!, named[0]!])).toThrow(/layers\[1\]\.tensors/);
    expect(() => scenarioPayload(plan, model(1), [{ ...named[0]!, tensors: "k.*" }])).toThrow(/k\.\*/);
    expect(() => scenarioPayload(plan, model(1), [])).toThrow(/layers/);
    expect(() => scenarioPayload(plan, model(1), [{ ...named[0]!, dIn: 0 }])).toThrow(/layers\[0\]\.dIn/);
    const holes = Object.assign([named[0]!], { length: 2 });
    expect(() => scenarioPayload(plan, model(1), holes)).toThrow(/layers\[1\]/);
  });
});

describe("minimizeOptimalityGap with a payload plan", () => {
  it("answers as without one where nothing is private", () => {
    for (const solver of [base.solver, { ...base.solver, scheme: "alternating", effort: "fast" } as const]) {
      const scenario = { ...base, solver };
      const plain = minimizeOptimalityGap(scenario);
      const all = minimizeOptimalityGap(withPayload({ layers: [2, 0, 1], tensors: [] }, scenario));
      expect(all).toEqual(plain);
      expect(minimizeOptimalityGap(withPayload({}, scenario))).toEqual(plain);
      expect(JSON.stringify(all)).toBe(JSON.stringify(plain));
    }
  });

  it("answers as if private layers were not there", () => {
    fc.assert(
      fc.property(fc.subarray([0, 1, 2], { minLength: 1, maxLength: 2 }), (indices) => {
        const { assumptions: told, ...found } = minimizeOptimalityGap(withPayload({ layers: indices }));
        const kept = { ...base.lora, layers: indices.map((i) => layers[i]!) };
        const { assumptions, ...without } = minimizeOptimalityGap({ ...base, lora: kept });
        expect(found).toEqual(without);
        const more = told.filter((sentence) => !assumptions.includes(sentence));
        expect(more).toHaveLength(1);
        expect(more[0]).toMatch(/private/);
        expect(told).toHaveLength(assumptions.length + 1);
      }),
      { ...RUNS, numRuns: 6 },
    );
  });

  it("shortens the rounds, and says what they take", () => {
    const all = minimizeOptimalityGap({ ...base, solver: { ...base.solver, rankSearch: { fixed: 4 } } });
    const some = minimizeOptimalityGap(
      withPayload({ layers: [1] }, { ...base, solver: { ...base.solver, rankSearch: { fixed: 4 } } }),
    );
    expect(all.byRank[0]!.entries).toBe(4 * (2 * 20 + 16 + 18));
    expect(some.byRank[0]!.entries).toBe(4 * 16);
    expect(some.byRank[0]!.symbols).toBe(8);
    expect(some.delay).toBe(some.byRank[0]!.airTime);
    expect(some.delay).toBeLessThan(all.delay);
    expect(some.distortion).toBeLessThan(all.distortion);
    for (const { energy, byRank } of [all, some]) {
      expect(energy).toHaveLength(3);
      const most = Math.min(0.2, 2 * 10 ** 0.5 * byRank[0]!.airTime);
      energy.forEach((e) => {
        expect(e).toBeGreaterThan(0);
        expect(e).toBeLessThanOrEqual(most * (1 + 1e-12));
      });
      expect(Math.max(...energy)).toBeCloseTo(most, 9);
    }
  });

  it("counts the computation into the delay, and none of the energy of an ideal link", () => {
    const { rounds: _, ...learning } = base.learning;
    const timed = { ...base, learning: { ...learning, totalTime: 30, computeTime: 0.25 } };
    const found = minimizeOptimalityGap(timed);
    const chosen = found.byRank.find(({ rank }) => rank === found.rank)!;
    expect(found.delay).toBe(0.25 + chosen.airTime);
    expect(found.rounds).toBe(Math.floor(30 / found.delay));
    const ideal = minimizeOptimalityGap({ ...base, solver: { ...base.solver, scheme: "ideal" } });
    expect(ideal.energy).toEqual([0, 0, 0]);
    const digital = minimizeOptimalityGap({
      ...base,
      solver: { ...base.solver, scheme: "digital", maxRank: 2 },
    });
    digital.energy.forEach((e) => {
      expect(e).toBeLessThanOrEqual(0.2 * (1 + 1e-12));
    });
  });

  it("at a fixed rank and a given number of rounds the gap never falls when more is shared", () => {
    fc.assert(
      fc.property(plans, plans, fc.integer({ min: 1, max: 8 }), fc.nat({ max: 99 }), (a, b, rank, seed) => {
        const union = {
          layers: [...new Set([...a.layers, ...b.layers])],
          tensors: [...a.tensors, ...b.tensors],
        };
        fc.pre(payloadEntries(layers, rank, "both", a) > 0 && payloadEntries(layers, 1, "both", a) > 0);
        const scenario = {
          ...base,
          channel: { ...base.channel, seed } as Scenario["channel"],
          solver: { ...base.solver, rankSearch: { fixed: rank } },
        };
        const less = minimizeOptimalityGap(withPayload(a, scenario));
        const more = minimizeOptimalityGap(withPayload(union, scenario));
        expect(more.byRank[0]!.symbols).toBeGreaterThanOrEqual(less.byRank[0]!.symbols);
        expect(more.gap).toBeGreaterThanOrEqual(less.gap * (1 - 1e-12));
      }),
      { ...RUNS, numRuns: 40 },
    );
  });

  it("with a total time it can fall: where the errors are above the start, fewer rounds do less harm", () => {
    const { rounds: _, ...learning } = base.learning;
    const scenario: Scenario = {
      ...base,
      learning: { ...learning, initialGap: 0.1, totalTime: 2, gradientFloor: 2, gradientSlope: 0 },
      lora: { ...base.lora, residual: { kind: "spectral", spectrum: { kind: "values", values: [0] } } },
      solver: { ...base.solver, rankSearch: { fixed: 4 } },
      link: { ...base.link, energyPerRound: null },
    };
    const plain = {
      ...scenario,
      lora: { ...scenario.lora, layers: layers.map(({ dOut, dIn }) => ({ dOut, dIn })) },
    };
    const less = minimizeOptimalityGap(withPayload({ layers: [1] }, plain));
    const more = minimizeOptimalityGap(plain);
    expect(more.rounds).toBeLessThan(less.rounds);
    expect(more.gap).toBeLessThan(less.gap);
  });

  it("without shared layers the rank is that of the devices, and given", () => {
    const tensors = [{ name: "adapters", entries: 100 }];
    const { residual: _, ...lora } = base.lora;
    const scenario: Scenario = { ...base, lora: { ...lora, payload: { layers: [], tensors } } };
    const at = (rank: number) => {
      const {
        rank: _own,
        byRank,
        rows,
        ...rest
      } = minimizeOptimalityGap({
        ...scenario,
        solver: { ...base.solver, rankSearch: { fixed: rank } },
      });
      return { rest, entries: byRank[0]!.entries };
    };
    expect(at(1)).toEqual(at(7));
    expect(at(1).entries).toBe(100);
    expect(at(1).rest.terms.residual).toBe(0);
    expect(() => minimizeOptimalityGap(scenario)).toThrow(/solver\.rankSearch.*no layer is shared/);
    const perRank = {
      ...scenario,
      learning: { ...base.learning, gradientFloor: [3, 0.1, 0.2, 0.4, 1, 1, 1, 1] },
    };
    expect(minimizeOptimalityGap(perRank).rank).toBe(2);
  });

  it.each<[string, Scenario, string]>([
    ["an index that is no layer", withPayload({ layers: [3] }), "lora.payload.layers[0]"],
    ["an index twice", withPayload({ layers: [1, 1] }), "lora.payload.layers[1]"],
    ["a fraction", withPayload({ layers: [0.5] }), "lora.payload.layers[0]"],
    ["an unknown field", withPayload({ layer: [0] } as never), "lora.payload.layer"],
    [
      "an unknown field of a tensor",
      withPayload({ tensors: [{ size: 3 } as never] }),
      "lora.payload.tensors[0].size",
    ],
    ["negative entries", withPayload({ tensors: [{ entries: -1 }] }), "lora.payload.tensors[0].entries"],
    ["nothing shared", withPayload({ layers: [] }), "lora.payload"],
    [
      "a spectrum that a shared layer misses, by its own index",
      withPayload({ layers: [2, 1] }, { ...base, lora: { layers, residual: { kind: "spectral" } } }),
      "lora.residual.spectrum",
    ],
    [
      "private layers in the quadratic form",
      withPayload(
        { layers: [0] },
        {
          ...base,
          learning: { ...base.learning, form: "quadratic" },
          lora: { ...base.lora, trained: "loraB" },
        },
      ),
      "lora.payload.layers",
    ],
    [
      "other tensors beside a sketch",
      withPayload(
        { tensors: [{ entries: 1 }] },
        { ...base, lora: { layers, trained: "loraB", residual: { kind: "sketch" } } },
      ),
      "lora.payload.tensors",
    ],
    [
      "a drawn loraA that nobody shares",
      withPayload(
        { layers: [], tensors: [{ entries: 1 }] },
        { ...base, lora: { layers, trained: "loraB", residual: { kind: "projection" } } },
      ),
      "lora.residual.kind",
    ],
  ])("refuses %s", (_, scenario, field) => {
    let found: unknown;
    try {
      minimizeOptimalityGap(scenario);
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(InputError);
    const { field: named, expected } = found as InputError;
    expect(named).toBe(field);
    if (field.endsWith("spectrum")) expect(expected).toContain("layers[1]");
  });
});

describe("ranks per layer with a payload plan", () => {
  const perLayer: Scenario = { ...base, lora: { ...base.lora, ranks: "per-layer" } };

  it("answers as without one where nothing is private, and as if private layers were not there", () => {
    const plain = minimizeOptimalityGap(perLayer);
    expect(minimizeOptimalityGap(withPayload({ layers: [0, 1, 2] }, perLayer))).toEqual(plain);
    const {
      assumptions: _a,
      layerRanks,
      ...some
    } = minimizeOptimalityGap(withPayload({ layers: [0, 2] }, perLayer));
    const kept = { ...perLayer.lora, layers: [layers[0]!, layers[2]!] };
    const {
      assumptions: _b,
      layerRanks: ranks,
      ...without
    } = minimizeOptimalityGap({ ...perLayer, lora: kept });
    expect(some).toEqual(without);
    expect(layerRanks).toEqual([ranks![0], [], ranks![1]]);
  });

  it("gives the ranks what fixed tensors leave of the symbols", () => {
    const tensors = [{ entries: 21, count: 2 }];
    const found = minimizeOptimalityGap(withPayload({ layers: [0, 1], tensors }, perLayer));
    expect(found.byRank.length).toBeGreaterThan(10);
    for (const { symbols, entries, terms } of found.byRank) {
      const best = allocateRanks({
        layers: layers.slice(0, 2),
        spectrum: base.lora.residual!.spectrum!,
        maxRank: 8,
        entries: symbols * 8 - 42,
      });
      expect(terms.residual).toBeCloseTo(best.tailEnergy, 12);
      expect(entries).toBe(best.entries + 42);
      expect(Math.ceil(entries / 8)).toBeLessThanOrEqual(symbols);
    }
    const used = found.layerRanks!.flat().reduce((sum, r, i) => sum + r * (i < 2 ? 20 : 16), 0);
    expect(found.byRank.some(({ entries }) => entries === used + 42)).toBe(true);
  });

  it("refuses tensors that follow the rank, and no layer", () => {
    const growing = { tensors: [{ entriesPerRank: 2 }] };
    expect(() => minimizeOptimalityGap(withPayload(growing, perLayer))).toThrow(/lora\.payload\.tensors/);
    const none = { layers: [], tensors: [{ entries: 2 }] };
    expect(() => minimizeOptimalityGap(withPayload(none, perLayer))).toThrow(/lora\.payload\.layers/);
  });
});

describe("the bound with private weights, on quadratic losses of shared and private weights", () => {
  const [shared, mu, smoothness, rounds] = [5, 0.1, 1, 80];

  interface Client {
    readonly size: number;
    readonly hessian: readonly (readonly number[])[];
    readonly optimum: readonly number[];
  }

  /** Eigenvalues in [mu, L] in a random basis, made by reflections. */
  function client(seed: number, own: number): Client {
    const stream = randomStream(seed, "client");
    const size = shared + own;
    const hessian = Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_x, j) => {
        if (i !== j) return 0;
        return i === 0 ? mu : i === 1 ? smoothness : mu + (smoothness - mu) * stream.uniform();
      }),
    );
    for (let n = 0; n < 4; n++) {
      const v = Array.from({ length: size }, () => stream.normal());
      const norm = v.reduce((sum, x) => sum + x * x, 0);
      // H - (2/||v||^2) v (H v)^T, then the same from the other side
      for (const side of ["left", "right"] as const) {
        const at = (i: number, j: number): number => (side === "left" ? hessian[i]![j]! : hessian[j]![i]!);
        const product = v.map((_, j) => v.reduce((sum, x, i) => sum + x * at(i, j), 0));
        for (let i = 0; i < size; i++) {
          for (let j = 0; j < size; j++) {
            const change = (2 / norm) * v[i]! * product[j]!;
            if (side === "left") hessian[i]![j]! -= change;
            else hessian[j]![i]! -= change;
          }
        }
      }
    }
    return { size, hessian, optimum: Array.from({ length: size }, () => stream.normal()) };
  }

  function gradient({ hessian, optimum }: Client, x: readonly number[]): number[] {
    return hessian.map((row) => row.reduce((sum, h, j) => sum + h * (x[j]! - optimum[j]!), 0));
  }

  /** Loss after the rounds less its least value; `error` is the squared norm of the error of a shared gradient. */
  function train(
    clients: readonly Client[],
    weights: readonly number[],
    error: (gradient: readonly number[], round: number) => readonly number[],
    privateStep: (k: number) => number = () => 1,
    privateNoise: () => number = () => 0,
  ): { readonly start: number; readonly end: number } {
    const run = (count: number, noisy: boolean): { loss: number; start: number } => {
      const common = new Array<number>(shared).fill(0);
      const own = clients.map(({ size }) => new Array<number>(size - shared).fill(0));
      const loss = (): number =>
        clients.reduce((sum, one, k) => {
          const x = [...common, ...own[k]!];
          const g = gradient(one, x);
          return sum + (weights[k]! / 2) * g.reduce((s, gi, i) => s + gi * (x[i]! - one.optimum[i]!), 0);
        }, 0);
      const start = loss();
      for (let t = 0; t < count; t++) {
        const gradients = clients.map((one, k) => gradient(one, [...common, ...own[k]!]));
        const mean = common.map((_, i) => gradients.reduce((sum, g, k) => sum + weights[k]! * g[i]!, 0));
        const e = noisy ? error(mean, t) : mean.map(() => 0);
        // shared weights by the received mean, private ones by the client's own gradient, which its weight does not scale
        for (let i = 0; i < shared; i++) common[i]! -= (mean[i]! + e[i]!) / smoothness;
        for (const [k, p] of own.entries()) {
          for (let i = 0; i < p.length; i++) {
            const slope = gradients[k]![shared + i]! + (noisy ? privateNoise() : 0);
            p[i]! -= ((noisy ? privateStep(k) : 1) * slope) / smoothness;
          }
        }
      }
      return { loss: loss(), start };
    };
    const least = run(4000, false).loss;
    const { loss, start } = run(rounds, true);
    return { start: start - least, end: loss - least };
  }

  it.each([
    [
      "random errors",
      (b1: number, seed: number) => {
        const stream = randomStream(seed, "errors");
        return (g: readonly number[]) => {
          const e = g.map(() => stream.normal());
          const scale = Math.sqrt(b1) / Math.hypot(...e);
          return e.map((x) => scale * x);
        };
      },
    ],
    [
      "one direction",
      (b1: number) => (g: readonly number[]) => g.map((_, i) => (i === 0 ? Math.sqrt(b1) : 0)),
    ],
    [
      "against the gradient",
      (b1: number) => (g: readonly number[]) => {
        const norm = Math.hypot(...g);
        return g.map((x) => (-Math.sqrt(b1) * x) / norm);
      },
    ],
  ] as const)("holds for L and mu of every client, any weights and private sizes: %s", (_, errors) => {
    let tightest = 0;
    for (let seed = 0; seed < 12; seed++) {
      const clients = [2, 4, 1].map((own, k) => client(10 * seed + k, own));
      const weights = [0.7, 0.25, 0.05];
      const floor = 0.05 * 10 ** (seed % 4);
      const { start, end } = train(clients, weights, errors(0.3 * floor, seed));
      const { gap } = optimalityGap({
        smoothness,
        plConstant: mu,
        initialGap: start,
        rounds,
        distortion: 0.3,
        gradientFloor: floor,
        gradientSlope: 0,
        stochasticVariance: 0,
        residual: 0,
      });
      expect(end).toBeLessThanOrEqual(gap * (1 + 1e-9));
      tightest = Math.max(tightest, end / gap);
    }
    expect(tightest).toBeGreaterThan(0.05);
  });

  it("counts minibatches of the private gradients by the weights, not by their squares", () => {
    const clients = [2, 4, 1].map((own, k) => client(k, own));
    const weights = [0.7, 0.25, 0.05];
    const [variance, runs] = [0.02, 12];
    const exact = (g: readonly number[]): number[] => g.map(() => 0);
    let mean = 0;
    let start = 0;
    for (let seed = 0; seed < runs; seed++) {
      const stream = randomStream(seed, "private minibatches");
      const noise = (): number => Math.sqrt(variance) * stream.normal();
      const run = train(clients, weights, exact, () => 1, noise);
      mean += run.end / runs;
      start = run.start;
    }
    const bound = (stochasticVariance: number): number =>
      optimalityGap({
        smoothness,
        plConstant: mu,
        initialGap: start,
        rounds,
        distortion: 0,
        gradientFloor: 0,
        gradientSlope: 0,
        stochasticVariance,
        residual: 0,
      }).gap;
    const counted = weights.reduce((sum, w, k) => sum + w * variance * (clients[k]!.size - shared), 0);
    expect(mean).toBeLessThan(bound(counted));
    expect(mean).toBeGreaterThan(2 * bound(0));
  });

  it("needs private steps that the weight of the client does not scale", () => {
    const clients = [2, 4, 1].map((own, k) => client(k, own));
    const weights = [0.7, 0.25, 0.05];
    const exact = (g: readonly number[]): number[] => g.map(() => 0);
    const bound = (initialGap: number): number => initialGap * (1 - mu / smoothness) ** rounds;
    const own = train(clients, weights, exact);
    expect(own.end).toBeLessThanOrEqual(bound(own.start));
    const scaled = train(clients, weights, exact, (k) => weights[k]!);
    expect(scaled.end).toBeGreaterThan(bound(scaled.start));
  });
});

describe("rankProblem", () => {
  it("grows the payload with the shared set", () => {
    fc.assert(
      fc.property(plans, plans, (a, b) => {
        fc.pre(payloadEntries(layers, 1, "both", a) > 0);
        const fixed = { ...base, solver: { ...base.solver, rankSearch: { fixed: 1 } } };
        const union = {
          layers: [...new Set([...a.layers, ...b.layers])],
          tensors: [...a.tensors, ...b.tensors],
        };
        const [less, more] = [a, union].map((plan) => rankProblem(withPayload(plan, fixed)));
        for (const rank of [1, 3]) {
          expect(more!.payloadAt(rank).symbols).toBeGreaterThanOrEqual(less!.payloadAt(rank).symbols);
        }
      }),
      { ...RUNS, numRuns: 40 },
    );
  });
});
