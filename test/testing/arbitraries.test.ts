import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { designBeamformers, rayleighChannel } from "../../src/aircomp/index.ts";
import { minimizeOptimalityGap } from "../../src/bounds/index.ts";
import { cholesky, svd } from "../../src/linalg/index.ts";
import * as testing from "../../src/testing/index.ts";

const RUNS = { seed: 7, numRuns: 100 } as const;

/** The counterexample that fast-check shrinks to when `fails` holds. */
function smallest<T>(arbitrary: fc.Arbitrary<T>, fails: (value: T) => boolean): T {
  const details = fc.check(
    fc.property(arbitrary, (value) => !fails(value)),
    { seed: 3, numRuns: 500 },
  );
  expect(details.failed).toBe(true);
  return details.counterexample![0];
}

describe("matrices", () => {
  test("sizes, shapes and entries are as asked for", () => {
    fc.assert(
      fc.property(testing.complexMatrix({ rows: 3, cols: { min: 2, max: 4 } }), (m) => {
        expect(m.rows).toBe(3);
        expect(m.data.length).toBe(6 * m.cols);
        expect(m.cols).toBeGreaterThanOrEqual(2);
        expect(m.cols).toBeLessThanOrEqual(4);
        expect(m.data.every((x) => Number.isInteger(x) && Math.abs(x) <= 9)).toBe(true);
      }),
      RUNS,
    );
    fc.assert(
      fc.property(testing.complexMatrix({ entries: "doubles" }), (m) =>
        m.data.every((x) => Number.isFinite(x) && Math.abs(x) <= 1e3),
      ),
      RUNS,
    );
    fc.assert(
      fc.property(testing.wideMatrix(), testing.tallMatrix(), (w, t) => w.cols > w.rows && t.rows > t.cols),
      RUNS,
    );
  });

  test.each(["integers", "doubles"] as const)("structure holds with %s", (entries) => {
    fc.assert(
      fc.property(
        testing.hermitianMatrix({ entries }),
        testing.positiveDefiniteMatrix({ entries }),
        testing.unitaryMatrix({ entries }),
        testing.rankDeficientMatrix({ entries }),
        (hermitian, positive, unitary, deficient) => {
          expect(testing.hermitianResidual(hermitian)).toBe(0);
          expect(testing.hermitianResidual(positive)).toBe(0);
          expect(() => cholesky(positive)).not.toThrow();
          expect(testing.unitaryResidual(unitary)).toBeLessThan(1e-13);
          const { s } = svd(deficient);
          expect(s[s.length - 1]!).toBeLessThanOrEqual(1e-13 * s[0]!);
        },
      ),
      RUNS,
    );
  });

  test("counterexamples shrink to readable ones", () => {
    const m = smallest(testing.complexMatrix(), ({ data }) => data.some((x) => x > 4));
    expect(m.rows * m.cols).toBeLessThanOrEqual(2);
    expect(Array.from(m.data).filter((x) => x !== 0)).toEqual([5]);
    const identity = smallest(testing.positiveDefiniteMatrix({ size: 2 }), () => true);
    expect(Array.from(identity.data)).toEqual([1, 0, 0, 0, 0, 0, 1, 0]);
    const unitary = smallest(testing.unitaryMatrix({ size: 2 }), () => true);
    expect(Array.from(unitary.data, Math.abs)).toEqual([1, 0, 0, 0, 0, 0, 1, 0]);
    const zero = smallest(testing.rankDeficientMatrix(), () => true);
    expect(Array.from(zero.data)).toEqual([0, 0]);
  });
});

describe("radio", () => {
  test("every kind of channel occurs, with finite entries", () => {
    const shapes = new Set<string>();
    for (const kind of testing.channelKinds) {
      fc.assert(
        fc.property(testing.channel({ kinds: [kind], receiveAntennas: 4, transmitAntennas: 3 }), (h) => {
          shapes.add(h.matrices.shape.join());
          expect(h.matrices.data.every(Number.isFinite)).toBe(true);
          const { s } = svd(h.matrices.at(h.devices - 1, 0));
          const rank = s.filter((x) => x > 1e-12 * Math.max(s[0]!, 1e-300)).length;
          const most = { "rank-one": 1, "rank-deficient": 2, "dead-device": 0, zero: 0 };
          if (kind in most) expect(rank).toBeLessThanOrEqual(most[kind as keyof typeof most]);
        }),
        RUNS,
      );
    }
    expect(shapes.size).toBeGreaterThan(10);
  });

  test("problems are accepted by designBeamformers, and shrink to one device", () => {
    fc.assert(
      fc.property(testing.beamformingProblem({ snrDb: 10 }), (problem) => {
        expect(designBeamformers({ ...problem, effort: "fast" }).distortion).toBeGreaterThanOrEqual(0);
      }),
      { ...RUNS, numRuns: 30 },
    );
    const { channel, ...rest } = smallest(testing.beamformingProblem(), () => true);
    expect(channel.matrices.shape).toEqual([1, 1, 1, 1]);
    expect(rest.streams).toBe(1);
    expect(rest.noiseVariance).toBe(1);
    fc.assert(
      fc.property(testing.beamformingProblem({ zeros: false }), ({ power, weights }) => {
        expect(Math.min(...power, ...weights)).toBeGreaterThan(0);
      }),
      RUNS,
    );
  });

  test("gradients of one length", () => {
    fc.assert(
      fc.property(testing.gradients({ devices: 3, entries: { min: 2, max: 9 } }), (list) => {
        expect(list.length).toBe(3);
        expect(new Set(list.map((g) => g.length)).size).toBe(1);
        expect(list.every((g) => g.every(Number.isFinite))).toBe(true);
      }),
      RUNS,
    );
    expect(smallest(testing.gradients(), () => true).map((g) => Array.from(g))).toEqual([[0]]);
  });
});

test("scenarios are accepted by minimizeOptimalityGap", () => {
  fc.assert(
    fc.property(testing.scenario(), (scenario) => {
      const { rank, gap } = minimizeOptimalityGap(scenario);
      expect(rank).toBeGreaterThanOrEqual(1);
      expect(gap).toBeGreaterThanOrEqual(0);
    }),
    { ...RUNS, numRuns: 40 },
  );
});

describe("invariants tell right from wrong", () => {
  const channel = rayleighChannel({
    devices: 2,
    subcarriers: 2,
    receiveAntennas: 3,
    transmitAntennas: 2,
    seed: 1,
  });
  const options = { noiseVariance: 0.5 };
  const design = designBeamformers({ channel, streams: 2, power: 3, ...options });

  test("power budgets", () => {
    expect(testing.powerBudgetResidual(design, 3)).toBeLessThan(1e-9);
    expect(testing.powerBudgetResidual(design, [3, 1.5])).toBeCloseTo(1, 6);
    expect(testing.powerBudgetResidual(design, [3, 0])).toBe(Number.POSITIVE_INFINITY);
    expect(
      testing.powerBudgetResidual(
        designBeamformers({ channel, streams: 2, power: 3, ...options, scheme: "ideal" }),
        0,
      ),
    ).toBe(0);
  });

  test("monotone rows", () => {
    expect(testing.monotonicityResidual([])).toBe(0);
    expect(testing.monotonicityResidual([{ mse: 2 }, { mse: 1 }, { mse: 1 }])).toBe(0);
    expect(testing.monotonicityResidual([{ mse: 2 }, { mse: 3 }, { mse: 1 }])).toBe(0.5);
  });

  test("unitary and scale invariance", () => {
    const [unitary] = fc.sample(testing.unitaryMatrix({ size: 2 }), RUNS);
    expect(testing.unitaryInvarianceResidual(channel, design, unitary!, options)).toBeLessThan(1e-12);
    const stretched = { ...unitary!, data: unitary!.data.map((x) => 1.01 * x) };
    expect(testing.unitaryInvarianceResidual(channel, design, stretched, options)).toBeGreaterThan(1e-4);
    expect(testing.scaleInvarianceResidual(channel, design, 7, options)).toBeLessThan(1e-12);
  });
});
