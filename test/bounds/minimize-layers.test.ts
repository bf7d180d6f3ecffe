import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { designBeamformers } from "../../src/aircomp/index.ts";
import {
  minimizeOptimalityGap,
  ofdmSymbols,
  optimalityGap,
  rankDistortion,
  rankProblem,
  type Scenario,
  singularValues,
  symbolPower,
} from "../../src/bounds/index.ts";
import { layerProblem } from "../../src/bounds/layer-problem.ts";
import { boundedSearch, everySymbol, type SymbolObjective } from "../../src/bounds/symbol-search.ts";
import { InputError } from "../../src/core/index.ts";
import { type MutableScenario, relative, smallScenario } from "./support.ts";

/** Three shapes, four matrices, of which no two widths are equal. */
const layers = [
  { dOut: 6, dIn: 5 },
  { dOut: 9, dIn: 3, count: 2, spectrum: { kind: "geometric", scale: 1.2, ratio: 0.7 } },
  { dOut: 4, dIn: 13, spectrum: { kind: "values", values: [1.5, 1.4, 0.2] } },
];

const perLayer = (edit: (scenario: MutableScenario) => void = () => undefined): Scenario =>
  smallScenario((s) => {
    s.lora.layers = structuredClone(layers);
    s.lora["ranks"] = "per-layer";
    s.link["energyPerRound"] = 0.003;
    s.solver["scheme"] = "mrc";
    s.solver["maxRank"] = 3;
    edit(s);
  });

const uniform = (scenario: Scenario): Scenario => ({
  ...scenario,
  lora: { ...scenario.lora, ranks: "uniform" },
});

const exhaustive = (scenario: Scenario): Scenario => ({
  ...scenario,
  solver: { ...scenario.solver, rankSearch: "exhaustive" },
});

/** The best over every choice of ranks, each with the powers, rounds and residual of its own number of symbols. */
function bruteForce(scenario: Scenario): number {
  const { lora, learning, link, solver } = scenario;
  const { channel, streams, noiseVariance, gapInput } = rankProblem({
    ...uniform(scenario),
    link: { ...link, latencyPerRound: null },
    learning: { ...learning, totalTime: null, computeTime: 0, rounds: learning.rounds ?? 1 },
  });
  const peaks = rankProblem({
    ...uniform(scenario),
    link: { ...link, latencyPerRound: null, energyPerRound: null },
    learning: { ...learning, totalTime: null, computeTime: 0, rounds: learning.rounds ?? 1 },
  }).payloadAt(1).power;
  const matrices = lora.layers.flatMap((layer) => Array(layer.count ?? 1).fill({ ...layer, count: 1 }));
  const omegas = new Map<number, number>();
  const omega = (symbols: number): number => {
    let found = omegas.get(symbols);
    if (found === undefined) {
      const energy = link!.energyPerRound as number | readonly number[] | null;
      const power = [...peaks].map((p, k) => {
        return symbolPower(
          p,
          typeof energy === "object" && energy !== null ? energy[k]! : energy,
          symbols * link!.symbolDuration!,
        );
      });
      const { scheme, effort, seed } = solver!;
      const options = { channel, streams, noiseVariance, power, scheme, effort, seed };
      found = designBeamformers({ ...options, certificate: false }).distortion;
      omegas.set(symbols, found);
    }
    return found;
  };
  let best = Number.POSITIVE_INFINITY;
  const visit = (at: number, entries: number, tail: number): void => {
    if (at < matrices.length) {
      const { dOut, dIn, spectrum } = matrices[at]!;
      const values = singularValues(spectrum ?? lora.residual!.spectrum!, Math.min(dOut, dIn));
      for (let r = 0; r <= Math.min(solver!.maxRank!, dOut, dIn); r++) {
        const left = values.slice(r).reduce((sum, s) => sum + s * s, 0);
        visit(at + 1, entries + r * (lora.trained === "loraB" ? dOut : dOut + dIn), tail + left);
      }
      return;
    }
    const symbols = ofdmSymbols(entries, streams, channel.subcarriers);
    const airTime = symbols * link!.symbolDuration!;
    if (symbols === 0 || airTime > (link!.latencyPerRound ?? Number.POSITIVE_INFINITY)) return;
    const fitting = Math.floor((learning.totalTime ?? 0) / ((learning.computeTime ?? 0) + airTime) + 1e-12);
    const rounds = typeof learning.totalTime === "number" ? fitting : learning.rounds!;
    if (rounds === 0) return;
    const L = lora.residual!.smoothness ?? (learning.smoothness as number);
    const { gap } = optimalityGap({ ...gapInput(1, omega(symbols)), rounds, residual: (L / 2) * tail });
    best = Math.min(best, gap);
  };
  visit(0, 0, 0);
  return best;
}

/** Small scenarios with any of the couplings. */
const scenarios = fc
  .record({
    seed: fc.integer({ min: 1, max: 1000 }),
    scheme: fc.constantFrom("mrc", "centroid"),
    energy: fc.oneof(
      fc.constant(null),
      fc.double({ min: -4, max: -1, noNaN: true }).map((x) => 10 ** x),
      fc.constant([1e-4, 1e-3, 5e-3, 2e-2]),
    ),
    latency: fc.option(fc.integer({ min: 4, max: 20 }), { nil: null }),
    rounds: fc.option(fc.integer({ min: 20, max: 200 }), { nil: null }),
    floor: fc.double({ min: -2, max: 1.5, noNaN: true }).map((x) => 10 ** x),
    slope: fc.constantFrom(0, 0, 0.3),
    variance: fc.constantFrom(0, 0, 0.01),
    trained: fc.constantFrom("both", "loraB"),
  })
  .map((given) =>
    perLayer((s) => {
      s.channel["seed"] = given.seed;
      s.link["energyPerRound"] = given.energy;
      s.link["latencyPerRound"] = given.latency === null ? null : given.latency * 7.1e-5;
      if (given.rounds !== null) {
        s.learning["totalTime"] = given.rounds * 20 * 7.1e-5;
        s.learning["computeTime"] = 1e-4;
        delete s.learning["rounds"];
      }
      s.learning["gradientFloor"] = given.floor;
      s.learning["gradientSlope"] = given.slope;
      s.learning["stochasticVariance"] = given.variance;
      s.lora["trained"] = given.trained;
      s.solver["scheme"] = given.scheme;
    }),
  );

describe("ranks per layer", () => {
  it("equal brute force over every choice of ranks, by both searches", () => {
    fc.assert(
      fc.property(scenarios, (scenario) => {
        const best = bruteForce(scenario);
        const [bounded, all] = [minimizeOptimalityGap(scenario), minimizeOptimalityGap(exhaustive(scenario))];
        expect(relative(all.gap, best)).toBeLessThan(1e-12);
        expect(relative(bounded.gap, best)).toBeLessThan(1e-12);
        expect(bounded.byRank.length).toBeLessThanOrEqual(all.byRank.length);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it("are within 1e-4 of brute force for schemes that search", () => {
    for (const scheme of ["alternating", "manifold", "uniform-forcing"]) {
      for (const energy of [3e-4, 3e-3]) {
        const scenario = perLayer((s) => {
          s.solver["scheme"] = scheme;
          s.link["energyPerRound"] = energy;
        });
        const all = minimizeOptimalityGap(exhaustive(scenario));
        const bounded = minimizeOptimalityGap(scenario);
        expect(bounded.gap).toBeLessThanOrEqual(all.gap * (1 + 1e-4));
        expect(bounded.gap).toBeGreaterThanOrEqual(all.gap);
        expect([bounded.reason, all.reason]).toEqual(["within-tolerance", "all-symbols"]);
        for (const row of bounded.byRank) expect(all.byRank).toContainEqual(row);
      }
    }
  });

  it("are never worse than one rank for all", () => {
    let better = 0;
    fc.assert(
      fc.property(scenarios, (scenario) => {
        let one: number;
        try {
          one = minimizeOptimalityGap(exhaustive(uniform(scenario))).gap;
        } catch {
          return; // rank 1 of all layers is more than the budgets allow
        }
        const each = minimizeOptimalityGap(scenario).gap;
        expect(each).toBeLessThanOrEqual(one * (1 + 1e-12));
        if (each < one * 0.999) better++;
      }),
      { seed: 2, numRuns: 60 },
    );
    expect(better).toBeGreaterThan(20);
  });

  it("give equal layers of one spectrum equal ranks up to 1, and the steeper spectrum of two the lower rank", () => {
    const same = minimizeOptimalityGap(
      perLayer((s) => {
        s.lora.layers = [
          { dOut: 16, dIn: 12, count: 3 },
          { dOut: 12, dIn: 16, count: 2 },
        ];
        s.solver["maxRank"] = 12;
      }),
    ).layerRanks!;
    expect(same.map((ranks) => ranks.length)).toEqual([3, 2]);
    const all = same.flat();
    expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(1);
    expect(Math.min(...all)).toBeGreaterThan(0);
    const [steep, flat] = minimizeOptimalityGap(
      perLayer((s) => {
        const spectrum = (exponent: number) => ({ kind: "power-law", scale: 1, exponent });
        s.lora.layers = [
          { dOut: 16, dIn: 12, spectrum: spectrum(2) },
          { dOut: 16, dIn: 12, spectrum: spectrum(0.5) },
        ];
        s.solver["maxRank"] = 12;
      }),
    ).layerRanks!;
    expect(steep![0]!).toBeLessThan(flat![0]!);
  });

  it("meet the budgets, and the row, the ranks and the design belong together", () => {
    fc.assert(
      fc.property(scenarios, (scenario) => {
        const found = minimizeOptimalityGap(scenario);
        const { link, learning, lora } = scenario;
        const row = found.byRank.find((one) => one.symbols === found.rows.at(-1)!.symbols)!;
        const ranks = found.layerRanks!;
        const entries = lora.layers.reduce((sum, { dOut, dIn }, l) => {
          return sum + ranks[l]!.reduce((s, r) => s + r, 0) * (lora.trained === "loraB" ? dOut : dOut + dIn);
        }, 0);
        expect([row.entries, row.symbols]).toEqual([entries, ofdmSymbols(entries, 2, 2)]);
        expect([found.rank, row.rank]).toEqual([Math.max(...ranks.flat()), found.rank]);
        expect(Math.max(...ranks.flat())).toBeLessThanOrEqual(3);
        expect([row.gap, row.distortion]).toEqual([found.gap, found.design.distortion]);
        expect(row.airTime).toBeLessThanOrEqual(link!.latencyPerRound ?? Number.POSITIVE_INFINITY);
        if (typeof learning.totalTime === "number") {
          expect(learning.computeTime! + row.airTime).toBeLessThanOrEqual(learning.totalTime);
        }
        if (found.design.kind !== "analog") return expect.unreachable();
        const { transmit } = found.design;
        const perDevice = transmit.data.length / 4;
        const energy = link!.energyPerRound;
        for (let k = 0; k < 4; k++) {
          const sent = transmit.data
            .subarray(k * perDevice, (k + 1) * perDevice)
            .reduce((s, x) => s + x * x, 0);
          const budget = typeof energy === "object" && energy !== null ? energy[k]! : (energy ?? Infinity);
          expect(sent * row.airTime).toBeLessThanOrEqual(budget * (1 + 1e-12));
        }
        const rows = found.rows.map(({ gap }) => gap);
        expect(rows).toEqual([...rows].sort((a, b) => b - a));
        const steps = found.byRank.map(({ symbols }) => symbols);
        expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
      }),
      { seed: 3, numRuns: 40 },
    );
  });

  it("same input, same bits; also where the chosen one is settled, which never ends above effort fast", () => {
    const settled = perLayer((s) => {
      s.solver["scheme"] = "manifold";
      s.solver["effort"] = "default";
    });
    const found = minimizeOptimalityGap(settled);
    expect(minimizeOptimalityGap(settled)).toEqual(found);
    const quick = minimizeOptimalityGap({ ...settled, solver: { ...settled.solver, effort: "fast" } });
    expect(found.gap).toBeLessThanOrEqual(quick.gap * (1 + 1e-4));
    expect(found.solves.settling).toBeGreaterThan(0);
    expect(quick.solves.settling).toBe(0);
    expect(found.design).toHaveProperty("lowerBound");
  });

  it("an infinite gap has its reason, and the fewest symbols the least slope", () => {
    const hopeless = minimizeOptimalityGap(
      perLayer((s) => {
        s.learning["gradientSlope"] = 1e6;
      }),
    );
    expect([hopeless.gap, hopeless.gapReason]).toEqual([Number.POSITIVE_INFINITY, expect.any(String)]);
    expect(hopeless.rows.at(-1)!.symbols).toBe(hopeless.byRank[0]!.symbols);
  });

  it("report progress, and end early with what they have", () => {
    const scenario = perLayer();
    const seen: number[] = [];
    const whole = minimizeOptimalityGap(scenario, { onProgress: ({ evaluated }) => seen.push(evaluated) });
    expect(seen.length).toBeGreaterThan(2);
    expect(seen).toEqual(whole.byRank.map((_, i) => i + 1));
    const controller = new AbortController();
    const early = minimizeOptimalityGap(scenario, {
      signal: controller.signal,
      onProgress: ({ evaluated }) => evaluated === 2 && controller.abort(),
    });
    expect([early.reason, early.converged, early.byRank.length]).toEqual(["aborted", false, 2]);
    expect(early.gap).toBe(Math.min(...early.byRank.map(({ gap }) => gap)));
  });
});

describe("scenarios that ranks per layer do not take", () => {
  const refused = (edit: (scenario: MutableScenario) => void): string => {
    try {
      minimizeOptimalityGap(perLayer(edit));
      return "nothing";
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      expect(`${error.found} ${error.expected}`).not.toMatch(/undefined|NaN/);
      return error.field;
    }
  };

  it("are refused with the field that is at fault", () => {
    const set = (section: string, field: string, value: unknown) => (s: MutableScenario) => {
      (s[section] as Record<string, unknown>)[field] = value;
    };
    const cases: [string, (s: MutableScenario) => void][] = [
      ["solver.rankSearch", set("solver", "rankSearch", "random")],
      ["solver.rankSearch", set("solver", "rankSearch", { fixed: 2 })],
      ["solver.initialRank", set("solver", "initialRank", 2)],
      ["learning.form", set("learning", "form", "non-convex")],
      ["learning.form", set("learning", "form", "quadratic")],
      ["link.energyPerRound", set("link", "energyPerRound", [1, 2])],
      ["link.latencyPerRound", set("link", "latencyPerRound", 7.1e-5)],
      ["learning.totalTime", set("learning", "totalTime", 7.1e-5)],
      ["learning.rounds", (s) => delete s.learning["rounds"]],
      ["lora.ranks", set("lora", "ranks", "each")],
      ["lora.residual.spectrum", (s) => delete s.lora.residual["spectrum"]],
      ["learning.plConstant", set("learning", "plConstant", 2)],
    ];
    for (const kind of ["frozen", "projection", "sketch"]) {
      cases.push(["lora.residual.kind", (s) => (s.lora.residual["kind"] = kind)]);
    }
    for (const name of ["smoothness", "plConstant", "gradientFloor", "gradientSlope", "stochasticVariance"]) {
      cases.push([`learning.${name}`, set("learning", name, [1, 1, 1])]);
    }
    for (const [field, edit] of cases) expect(refused(edit)).toBe(field);
    const zeros = (s: MutableScenario): void => {
      s.lora.layers = [{ dOut: 4, dIn: 4 }];
      s.lora.residual["spectrum"] = { kind: "values", values: [0, 0] };
    };
    expect(refused(zeros)).toBe("lora.residual.spectrum");
  });

  it("more numbers of symbols than an exhaustive search takes", () => {
    const many = (s: MutableScenario): void => {
      s.lora.layers = [{ dOut: 768, dIn: 768, count: 24 }];
      s.solver["maxRank"] = 768;
      s.solver["rankSearch"] = "exhaustive";
    };
    expect(refused(many)).toBe("solver.rankSearch");
  });

  it("functions of one rank", () => {
    expect(() => rankProblem(perLayer())).toThrow("lora.ranks");
    expect(() => rankDistortion(perLayer(), [1])).toThrow("lora.ranks");
  });
});

describe("the search over symbols", () => {
  /** omega = c n^power of a scenario without designs, in a range of many numbers of symbols. */
  const objective = (power: number, totalTime: number | null, variance: number): SymbolObjective => {
    const scenario = perLayer((s) => {
      s.lora.layers = [
        { dOut: 60, dIn: 50, count: 4 },
        { dOut: 97, dIn: 32, count: 3, spectrum: { kind: "geometric", scale: 1, ratio: 0.95 } },
      ];
      s.solver["maxRank"] = 32;
      s.learning["totalTime"] = totalTime;
      s.learning["rounds"] = 100;
      s.learning["stochasticVariance"] = variance;
      s.learning["plConstant"] = 0.03;
    });
    const problem = layerProblem(scenario);
    const distortionAt = (n: number): number => 0.1 * (n / problem.maxRank) ** power;
    return {
      ...problem,
      last: problem.maxRank,
      distortionAt,
      valueAt: (n) => problem.boundAt(n, distortionAt(n)).gap,
      tieAt: (n) => n,
      shapeBetween: () => "concave",
    };
  };

  it("with a concave omega finds what the search of all finds, with few evaluations", () => {
    for (const power of [0, 0.3, 0.7, 1]) {
      for (const totalTime of [null, 1, 20]) {
        for (const variance of [0, 0.02]) {
          const all = objective(power, totalTime, variance);
          const best = everySymbol(all).symbols;
          const count = { solved: 0 };
          const known = new Map<number, number>();
          const counted: SymbolObjective = {
            ...all,
            distortionAt: (n) => {
              if (!known.has(n)) count.solved++;
              known.set(n, all.distortionAt(n));
              return known.get(n)!;
            },
            valueAt: (n) => {
              counted.distortionAt(n);
              return all.valueAt(n);
            },
          };
          const exact = boundedSearch(counted, 0);
          expect(relative(all.valueAt(exact.symbols), all.valueAt(best))).toBeLessThan(1e-13);
          known.clear();
          count.solved = 0;
          const near = boundedSearch(counted, 1e-4);
          expect(all.valueAt(near.symbols)).toBeLessThanOrEqual(all.valueAt(best) * (1 + 1.0001e-4));
          expect(count.solved).toBeLessThan(40);
        }
      }
    }
  });

  it("takes omega for concave only where no device changes from its peak power to its energy", () => {
    // 0.003 / (n 7.1e-5) falls below the peak power of 20 at n = 3
    const one = layerProblem(perLayer());
    const powers = [1, 2, 3].map((n) => one.payloadAt(n).power[0]!);
    expect(powers.slice(0, 2)).toEqual([20, 20]);
    expect(powers[2]).toBeLessThan(20);
    expect([one.shapeBetween(1, 2), one.shapeBetween(3, one.maxRank)]).toEqual(["concave", "concave"]);
    expect([one.shapeBetween(1, 3), one.shapeBetween(2, one.maxRank)]).toEqual(["sublinear", "sublinear"]);
    const own = layerProblem(perLayer((s) => (s.link["energyPerRound"] = [1e-4, 1e-3, 5e-3, 2e-2])));
    expect(own.shapeBetween(1, own.maxRank)).toBe("sublinear");
    const digital = layerProblem(perLayer((s) => (s.solver["scheme"] = "digital")));
    expect(digital.shapeBetween(3, digital.maxRank)).toBe("increasing");
  });

  it("leastGap is a lower bound: no n of an interval has a smaller gap with more distortion", () => {
    const some = objective(0.5, 3, 0.02);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: some.last }),
        fc.integer({ min: 1, max: some.last }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: -5, max: 1, noNaN: true }),
        (a, b, share, power) => {
          const [from, to] = [Math.min(a, b), Math.max(a, b)];
          const n = Math.round(from + share * (to - from));
          const omega = 10 ** power;
          const gap = some.leastGap(n, n, omega * (1 + share));
          expect(gap).toBeGreaterThanOrEqual(some.leastGap(from, to, omega) * (1 - 1e-12));
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});
