import { describe, expect, it } from "vitest";
import { type ConstantName, estimateConstants } from "../../src/bounds/index.ts";
import { type QuadraticLog, quadraticLog } from "./estimate-support.ts";

const logs = 120;

interface Coverage {
  readonly given: number;
  readonly rate: number;
}

/** How many of the logs of seeds 1, 2, ... have an interval, and how many of these hold the truth of the whole space. */
function coverage<Name extends ConstantName>(
  log: QuadraticLog,
  names: readonly Name[],
): Readonly<Record<Name, Coverage>> {
  const counts = names.map(() => ({ given: 0, covered: 0 }));
  for (let seed = 1; seed <= logs; seed++) {
    const { records, initialGap, stochasticVariance } = quadraticLog(seed, log);
    const truth = { smoothness: 1, plConstant: 1 / log.condition, initialGap, stochasticVariance };
    const { constants } = estimateConstants(records);
    names.forEach((name, i) => {
      const interval = constants[name]?.interval;
      if (interval === undefined) return;
      counts[i]!.given++;
      const value = truth[name as keyof typeof truth];
      // exact logs: rounding of a loss relative to the differences that are used
      if (interval[0] <= value * (1 + 1e-9) && value * (1 - 1e-9) <= interval[1]) counts[i]!.covered++;
    });
  }
  const rates = names.map((name, i) => {
    const { given, covered } = counts[i]!;
    return [name, { given, rate: covered / given }] as const;
  });
  return Object.fromEntries(rates) as Record<Name, Coverage>;
}

/** Nominal 95 % less three standard errors of the rate over all logs. */
const nominal = 0.95 - 3 * Math.sqrt((0.95 * 0.05) / logs);

const exact: QuadraticLog = {
  entries: 4,
  condition: 5,
  rounds: 30,
  devices: 1,
  replicates: 1,
  noise: 0,
  step: 1,
};
const noisy: QuadraticLog = { ...exact, devices: 4, replicates: 3, noise: 0.1, rounds: 20 };

describe("coverage of nominal 95 % intervals over seeded logs", () => {
  it("chi2 by replicates, for many and for few degrees of freedom, and the initial gap of noisy logs", () => {
    const few: QuadraticLog = { ...noisy, entries: 1, replicates: 2, rounds: 12 };
    for (const log of [noisy, few]) {
      const { stochasticVariance, initialGap } = coverage(log, ["stochasticVariance", "initialGap"]);
      expect(stochasticVariance.given).toBe(logs);
      expect(stochasticVariance.rate).toBeGreaterThan(nominal);
      expect(stochasticVariance.rate).toBeLessThan(1);
      expect(initialGap.rate).toBeGreaterThan(nominal);
    }
  });

  it("exact logs: initial gap, and L of the whole space where steps of 1/L excite the steepest direction", () => {
    const { initialGap, smoothness } = coverage(exact, ["initialGap", "smoothness"]);
    expect(initialGap).toMatchObject({ given: logs });
    expect(initialGap.rate).toBeGreaterThan(nominal);
    expect(smoothness.rate).toBeGreaterThan(nominal);
  });

  it("L and mu of the whole space are not covered where the path hides them, as documented", () => {
    const slow: QuadraticLog = { ...exact, entries: 8, condition: 20, rounds: 100, step: 0.1 };
    const { smoothness, plConstant } = coverage(slow, ["smoothness", "plConstant"]);
    expect(smoothness.rate).toBeLessThan(0.6);
    expect(plConstant.rate).toBeLessThan(0.7);
  });
});
