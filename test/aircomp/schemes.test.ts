import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { designBeamformers, schemes } from "../../src/aircomp/index.ts";
import { testScheme } from "./scheme-suite.ts";
import { randomStack, runs, smoothProblem } from "./support.ts";

for (const scheme of schemes) testScheme(scheme);

describe("schemes compared", () => {
  test("the ideal scheme has no error", () => {
    fc.assert(
      fc.property(smoothProblem, (problem) => {
        const { kind, mse, distortion, converged, reason } = designBeamformers({
          ...problem,
          scheme: "ideal",
        });
        expect({ kind, mse, distortion, converged, reason }).toEqual({
          kind: "ideal",
          mse: 0,
          distortion: 0,
          converged: true,
          reason: "closed-form",
        });
      }),
      runs(20),
    );
  });

  test("random subspaces depend on the seed, the others do not", () => {
    fc.assert(
      fc.property(smoothProblem, (problem) => {
        for (const scheme of ["alternating", "mrc", "centroid"] as const) {
          const [a, b] = [1, 2].map((seed) => designBeamformers({ ...problem, scheme, seed }));
          expect(b).toEqual(a);
        }
      }),
      runs(20),
    );
    const [problem] = fc.sample(smoothProblem, { seed: 3, numRuns: 1 });
    const design = (seed: number) => designBeamformers({ ...problem!, scheme: "random", seed }).receive.data;
    expect(design(1)).not.toEqual(design(2));
  });

  test("a warm start is never worse than where it started, and a solved design is its own solution", () => {
    fc.assert(
      fc.property(smoothProblem, fc.nat(99), (problem, seed) => {
        const { subcarriers, receiveAntennas } = problem.channel;
        const receive = randomStack([subcarriers, receiveAntennas, problem.streams], seed);
        const first = designBeamformers({ ...problem, initial: { receive } });
        const again = designBeamformers({ ...problem, initial: first });
        expect(again.mse).toBeLessThanOrEqual(first.mse * (1 + 1e-12));
        expect(again.iterations).toBeLessThanOrEqual(first.iterations + 1);
      }),
      runs(30),
    );
  });

  test("more power is never worse, at the same start", () => {
    fc.assert(
      fc.property(smoothProblem, (problem) => {
        const first = designBeamformers(problem);
        const power = problem.power.map((p) => 2 * p);
        const stronger = designBeamformers({ ...problem, power, initial: first });
        expect(stronger.mse).toBeLessThanOrEqual(first.mse * (1 + 1e-12));
      }),
      runs(30),
    );
  });
});
