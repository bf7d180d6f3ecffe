import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channelFrom, designBeamformers, type TrueChannel } from "../../src/aircomp/index.ts";
import {
  type ComplexMatrix,
  ComplexStack,
  frobeniusNorm,
  multiply,
  multiplyConjugateRight,
  qr,
  scale,
  subtract,
} from "../../src/linalg/index.ts";
import {
  beamformingProblem,
  rotatedDesign,
  scaledChannel,
  scaleInvarianceResidual,
  unitaryInvarianceResidual,
  unitaryMatrix,
} from "../../src/testing/index.ts";
import { anyProblem, random, randomDesign, randomStack, runs, smoothProblem } from "./support.ts";

function unitary(n: number, seed: number): ComplexMatrix {
  return qr(random(n, n, seed)).q;
}

/** U H_km V_k with one U for all devices and one V_k for each. */
function rotatedChannel(channel: TrueChannel, seed: number): TrueChannel {
  const stack = new ComplexStack(channel.matrices.shape);
  const left = unitary(channel.receiveAntennas, seed);
  for (let k = 0; k < channel.devices; k++) {
    const right = unitary(channel.transmitAntennas, seed + 1 + k);
    for (let m = 0; m < channel.subcarriers; m++) {
      stack.at(k, m).data.set(multiply(multiply(left, channel.matrices.at(k, m)), right).data);
    }
  }
  return channelFrom(stack);
}

function relativeChange(a: number, b: number): number {
  return Math.abs(a / b - 1);
}

describe("evaluating", () => {
  test("(A U, B U) has the same MSE", () => {
    fc.assert(
      fc.property(anyProblem, fc.nat(999), (problem, seed) => {
        const design = randomDesign(problem, seed);
        const residual = unitaryInvarianceResidual(
          problem.channel,
          design,
          unitary(problem.streams, seed),
          problemOptions(problem),
        );
        expect(residual).toBeLessThan(1e-9);
      }),
      runs(100),
    );
    const readable = beamformingProblem({ receiveAntennas: 3, transmitAntennas: 3, streams: 3 });
    fc.assert(
      fc.property(readable, unitaryMatrix({ size: 3 }), (problem, u) => {
        const design = randomDesign(problem, 1);
        expect(unitaryInvarianceResidual(problem.channel, design, u, problemOptions(problem))).toBeLessThan(
          1e-9,
        );
      }),
      runs(50),
    );
  });

  test("H -> cH, sigma2 -> c^2 sigma2, A -> A/c has the same MSE", () => {
    fc.assert(
      fc.property(anyProblem, fc.nat(999), fc.constantFrom(1e-6, 0.3, 1e5), (problem, seed, c) => {
        const design = randomDesign(problem, seed);
        expect(scaleInvarianceResidual(problem.channel, design, c, problemOptions(problem))).toBeLessThan(
          1e-9,
        );
      }),
      runs(100),
    );
  });
});

describe("solving", () => {
  test("from a start A U ends at the same MSE", () => {
    fc.assert(
      fc.property(smoothProblem, fc.nat(999), (problem, seed) => {
        const { channel, streams } = problem;
        const receive = randomStack([channel.subcarriers, channel.receiveAntennas, streams], seed);
        const plain = designBeamformers({ ...problem, initial: { receive } });
        const design = { ...plain, receive };
        const rotated = rotatedDesign(design, unitary(streams, seed));
        const other = designBeamformers({ ...problem, initial: rotated });
        expect(relativeChange(other.mse, plain.mse)).toBeLessThan(1e-6);
      }),
      runs(40),
    );
  });

  test("antennas may be mixed by unitary matrices, on either side", () => {
    fc.assert(
      fc.property(smoothProblem, fc.nat(999), (problem, seed) => {
        const channel = rotatedChannel(problem.channel, seed);
        for (const scheme of ["alternating", "mrc", "centroid"] as const) {
          const plain = designBeamformers({ ...problem, scheme });
          const other = designBeamformers({ ...problem, channel, scheme });
          expect(relativeChange(other.mse, plain.mse)).toBeLessThan(1e-6);
        }
      }),
      runs(40),
    );
  });

  test("scaling channel and noise changes nothing but A", () => {
    fc.assert(
      fc.property(smoothProblem, fc.constantFrom(1e-3, 0.3, 7, 1e4), (problem, c) => {
        for (const scheme of ["alternating", "mrc", "centroid", "random"] as const) {
          const plain = designBeamformers({ ...problem, scheme });
          const other = designBeamformers({
            ...problem,
            scheme,
            channel: scaledChannel(problem.channel, c),
            noiseVariance: c * c * problem.noiseVariance,
          });
          expect(relativeChange(other.mse, plain.mse)).toBeLessThan(1e-6);
          // A is determined up to A U, so A A^H is compared; it is less well determined than the MSE
          for (let m = 0; m < problem.channel.subcarriers; m++) {
            const [a, b] = [plain.receive.at(m), scale(other.receive.at(m), c)];
            const [before, after] = [multiplyConjugateRight(a, a), multiplyConjugateRight(b, b)];
            expect(frobeniusNorm(subtract(after, before))).toBeLessThanOrEqual(1e-3 * frobeniusNorm(before));
          }
        }
      }),
      runs(40),
    );
  });

  test("powers in units of the noise: P -> cP, sigma2 -> c sigma2 has B -> sqrt(c) B", () => {
    fc.assert(
      fc.property(smoothProblem, fc.constantFrom(1e-3, 7, 1e4), (problem, c) => {
        const plain = designBeamformers(problem);
        const other = designBeamformers({
          ...problem,
          power: problem.power.map((p) => c * p),
          noiseVariance: c * problem.noiseVariance,
        });
        expect(relativeChange(other.mse, plain.mse)).toBeLessThan(1e-6);
      }),
      runs(40),
    );
  });
});

function problemOptions(problem: { noiseVariance: number; weights: readonly number[] }) {
  return { noiseVariance: problem.noiseVariance, weights: problem.weights };
}

test("the conjugate channel has the same MSE", () => {
  fc.assert(
    fc.property(smoothProblem, (problem) => {
      const conjugated = channelFrom(
        new ComplexStack(
          problem.channel.matrices.shape,
          problem.channel.matrices.data.map((x, i) => (i % 2 === 1 ? -x : x)),
        ),
      );
      const plain = designBeamformers(problem);
      const other = designBeamformers({ ...problem, channel: conjugated });
      expect(relativeChange(other.mse, plain.mse)).toBeLessThan(1e-6);
    }),
    runs(20),
  );
});
