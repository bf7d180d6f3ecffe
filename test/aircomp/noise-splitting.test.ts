import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alternate } from "../../src/aircomp/alternating.ts";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { designBeamformers, evaluateDesign } from "../../src/aircomp/index.ts";
import { noiseSplittingBound, relaxedProblem, splittingProblem } from "../../src/aircomp/noise-splitting.ts";
import { anchoredMultiplier, waterFillingBound } from "../../src/aircomp/single-device.ts";
import {
  createEigenvalueBound,
  createSplittingCertificate,
} from "../../src/aircomp/splitting-certificate.ts";
import { createSplittingRelaxation } from "../../src/aircomp/splitting-relaxation.ts";
import { bestAmplitude } from "../../src/aircomp/start.ts";
import { receiveSubspace } from "../../src/aircomp/subspaces.ts";
import { createBlockUpdates, type TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  ComplexStack,
  eigHermitian,
  fromDiagonal,
  hermitianPart,
  identity,
  inverse,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  qr,
  randomMatrix,
  scale,
  sqrtmHermitian,
  svd,
} from "../../src/linalg/index.ts";
import { checkGradient, complexEuclidean, type Problem } from "../../src/manifold/index.ts";
import { type BeamformingProblem, beamformingProblem, type ProblemShape } from "../../src/testing/index.ts";
import { handmade, random, randomCorrelation, runs } from "./support.ts";

const small: ProblemShape = {
  devices: { min: 1, max: 5 },
  subcarriers: { min: 1, max: 3 },
  receiveAntennas: { min: 1, max: 4 },
  transmitAntennas: { min: 1, max: 3 },
  snrDb: { min: -30, max: 60 },
};
const anySmall = beamformingProblem(small);
const smoothSmall = beamformingProblem({
  ...small,
  kinds: ["rayleigh"],
  zeros: false,
  snrDb: { min: -10, max: 30 },
});
/** What rounding may do to the MSE of a design that attains the bound. */
const ROUNDING = 1 + 1e-12;

/** Random transmit beamformers that spend a random part of every budget. */
function randomTransmit(problem: TransceiverProblem, seed: number): Float64Array {
  const { devices, subcarriers, transmitAntennas: nt, streams } = problem;
  const stream = randomStream(seed, "transmit");
  const size = 2 * subcarriers * nt * streams;
  const out = new Float64Array(devices * size);
  stream.fillComplexNormal(out);
  for (let k = 0; k < devices; k++) {
    const own = out.subarray(k * size, (k + 1) * size);
    const norm = Math.sqrt(own.reduce((sum, x) => sum + x * x, 0));
    const part = stream.normal() > 0 ? 1 : Math.exp(-Math.abs(stream.normal()));
    for (let i = 0; i < size; i++) own[i]! *= (Math.sqrt(problem.power[k]!) * part) / norm;
  }
  return out;
}

/** The lowest MSE of some designs within the budgets. */
function lowestMse(problem: TransceiverProblem, seed: number): number {
  const updates = createBlockUpdates(problem);
  const { subcarriers, receiveAntennas: nr, streams } = problem;
  const receive = new Float64Array(2 * subcarriers * nr * streams);
  let lowest = updates.receive(receive, randomTransmit(problem, seed));
  for (const name of ["mrc", "random"] as const) {
    const basis = receiveSubspace(name, problem, seed);
    const t = bestAmplitude(problem, basis);
    const stop = { maxIterations: 30, relativeDecrease: 1e-7 };
    lowest = Math.min(
      lowest,
      alternate(
        problem,
        basis.data.map((x) => t * x),
        stop,
      ).mse,
    );
  }
  return lowest;
}

function channelAt(problem: TransceiverProblem, k: number, m: number): ComplexMatrix {
  const { receiveAntennas: rows, transmitAntennas: cols } = problem;
  const size = 2 * rows * cols;
  const at = (k * problem.subcarriers + m) * size;
  return { rows, cols, data: problem.channel.slice(at, at + size) };
}

/** min over p >= 0, sum p <= budget, of sum 1 / (1 + p l), by bisection for the water level; and the minimiser. */
function waterFilling(l: readonly number[], budget: number): { value: number; powers: number[] } {
  let low = -400;
  let high = 400;
  const powersAt = (x: number): number[] =>
    l.map((li) => (li > 0 ? Math.max(0, Math.exp(x) / Math.sqrt(li) - 1 / li) : 0));
  const total = (powers: readonly number[]): number => powers.reduce((a, b) => a + b, 0);
  for (let i = 0; i < 200; i++) {
    const x = 0.5 * (low + high);
    if (total(powersAt(x)) > budget) high = x;
    else low = x;
  }
  const powers = powersAt(low);
  return { value: l.reduce((sum, li, i) => sum + 1 / (1 + powers[i]! * li), 0), powers };
}

/** D of a device alone in noise of full rank, and its best receive beamformers: model formulas, no code of the bound. */
function alone(
  channels: readonly ComplexMatrix[],
  noise: readonly ComplexMatrix[],
  streams: number,
  budget: number,
): { value: number; receive: ComplexMatrix[] } {
  const inverses = noise.map((theta) => hermitianPart(inverse(theta)));
  const eigen = channels.map((h, m) =>
    eigHermitian(hermitianPart(multiplyConjugateLeft(h, multiply(inverses[m]!, h)))),
  );
  const leading = (values: ArrayLike<number>): number[] => Array.from(values).reverse().slice(0, streams);
  const gains = eigen.flatMap(({ values }) => leading(values).map((x) => Math.max(0, x)));
  const { value, powers } = waterFilling(gains, budget);
  const receive = eigen.map(({ vectors }, m) => {
    const columns = vectors.cols;
    const beams = { rows: vectors.rows, cols: streams, data: new Float64Array(2 * vectors.rows * streams) };
    for (let i = 0; i < streams; i++) {
      const l = gains[m * streams + i]!;
      const p = powers[m * streams + i]!;
      for (let row = 0; row < vectors.rows; row++) {
        for (const part of [0, 1]) {
          const entry = vectors.data[2 * (row * columns + columns - 1 - i) + part]!;
          beams.data[2 * (row * streams + i) + part] = (entry * Math.sqrt(p)) / (1 + p * l);
        }
      }
    }
    return multiply(inverses[m]!, multiply(channels[m]!, beams));
  });
  return { value, receive };
}

/** Random Theta_k > 0 with sum sigma2 I. */
function randomSplitting(devices: number, n: number, noiseVariance: number, seed: number): ComplexMatrix[] {
  const stream = randomStream(seed, "splitting");
  const parts = Array.from({ length: devices }, () => {
    const g = randomMatrix(n, n, stream);
    return add(scale(multiplyConjugateRight(g, g), Math.exp(stream.normal())), scale(identity(n), 0.05));
  });
  const root = inverse(sqrtmHermitian(hermitianPart(parts.reduce(add))));
  return parts.map((part) => scale(hermitianPart(multiply(root, multiply(part, root))), noiseVariance));
}

function splittingValue(problem: TransceiverProblem, thetas: readonly (readonly ComplexMatrix[])[]): number {
  const { devices, subcarriers, streams, power, weights } = problem;
  let sum = 0;
  for (let k = 0; k < devices; k++) {
    const channels = Array.from({ length: subcarriers }, (_, m) => channelAt(problem, k, m));
    sum +=
      weights[k]! ** 2 *
      alone(
        channels,
        thetas.map((theta) => theta[k]!),
        streams,
        power[k]!,
      ).value;
  }
  return sum;
}

describe("waterFillingBound", () => {
  it("is the minimum, and never above it", () => {
    const gain = fc.integer({ min: -60, max: 60 }).map((x) => 10 ** (x / 10));
    fc.assert(
      fc.property(fc.array(fc.oneof(gain, fc.constant(0)), { minLength: 1, maxLength: 8 }), (l) => {
        const bound = waterFillingBound(
          Float64Array.from(l, (x) => 1 / x),
          l.length,
        );
        const { value } = waterFilling(l, 1);
        expect(bound).toBeLessThanOrEqual(value * ROUNDING);
        expect(bound).toBeGreaterThanOrEqual(value * (1 - 1e-11));
      }),
      runs(2000),
    );
  });

  it("counts modes without noise as perfect and unheard ones as lost", () => {
    const inf = Number.POSITIVE_INFINITY;
    expect(waterFillingBound(new Float64Array([0, 0]), 2)).toBe(0);
    expect(waterFillingBound(new Float64Array([inf, inf]), 2)).toBeCloseTo(2, 13);
    expect(waterFillingBound(new Float64Array([inf, 0]), 2)).toBeCloseTo(1, 13);
  });
});

describe("anchoredMultiplier", () => {
  it("solves its equation", () => {
    const decibels = fc.integer({ min: -80, max: 80 }).map((x) => 10 ** (x / 10));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(decibels, fc.constant(0)), { maxLength: 6 }),
        decibels,
        decibels,
        fc.constantFrom(0.1, 0.2, 1),
        (t, gain, anchor, softness) => {
          const v = anchoredMultiplier(Float64Array.from(t), t.length, gain, anchor, softness);
          const power = t.reduce((sum, x) => sum + (gain * x) / (x + v) ** 2, 0);
          expect(v).toBeGreaterThan(0);
          expect(Math.abs(softness * Math.log(v / anchor) - power + 1)).toBeLessThan(1e-10 * (1 + power));
        },
      ),
      runs(1000),
    );
  });
});

describe("createEigenvalueBound", () => {
  it("is at least the largest eigenvalue, and hardly more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(9999), fc.boolean(), (n, seed, repeated) => {
        const u = qr(random(n, n, seed)).q;
        const stream = randomStream(seed, "values");
        const values = Array.from({ length: n }, (_, i) =>
          repeated ? i % 2 : Math.exp(9 * stream.normal()),
        );
        values[0] = Math.max(...values, 1);
        const matrix = hermitianPart(
          multiplyConjugateRight(multiply(u, fromDiagonal(Float64Array.from(values))), u),
        );
        const trace = values.reduce((a, b) => a + b, 0);
        const bound = createEigenvalueBound(n)(matrix.data, trace);
        expect(bound).toBeGreaterThanOrEqual(values[0]! * (1 - 1e-14));
        expect(bound).toBeLessThanOrEqual(values[0]! * (1 + 1e-10));
      }),
      runs(500),
    );
  });
});

describe("noiseSplittingBound is a lower bound", () => {
  it("on the MSE of alternating, baseline and random designs, at -30 to 60 dB", () => {
    fc.assert(
      fc.property(anySmall, fc.nat(9999), (drawn, seed) => {
        const problem = transceiverProblem(drawn);
        const bound = noiseSplittingBound(problem)!;
        expect(bound.value).toBeLessThanOrEqual(lowestMse(problem, seed) * ROUNDING);
        expect(bound.value).toBeGreaterThanOrEqual(bound.startValue);
        expect(bound.limit).toBeGreaterThanOrEqual(bound.value);
        // certified: hardly any splitting would prove more
        expect(bound.value).toBeGreaterThan(0.9 * bound.limit);
      }),
      runs(1200),
    );
  });

  it("whatever the splitting, and from factors that are not what they should be", () => {
    fc.assert(
      fc.property(anySmall, fc.nat(9999), fc.constantFrom(0, 1e-8, 1e-2), (drawn, seed, damage) => {
        const problem = transceiverProblem(drawn);
        const { splitting } = splittingProblem(problem);
        const { devices, subcarriers, receiveAntennas: nr, transmitAntennas: nt } = splitting;
        const most = Math.min(nr, nt);
        const slots = devices * subcarriers;
        const stream = randomStream(seed, "factors");
        const bases = new Float64Array(2 * slots * most * nt);
        const vectors = new Float64Array(2 * slots * most * most);
        for (let m = 0; m < subcarriers; m++) {
          for (let k = 0; k < devices; k++) {
            const slot = m * devices + k;
            const { v } = svd(channelAt(problem, k, m));
            for (let i = 0; i < most; i++) {
              for (let j = 0; j < nt; j++) {
                bases[2 * ((slot * most + i) * nt + j)] = v.data[2 * (j * most + i)]!;
                bases[2 * ((slot * most + i) * nt + j) + 1] = -v.data[2 * (j * most + i) + 1]!;
              }
            }
            vectors.set(qr(randomMatrix(most, most, stream)).q.data, 2 * slot * most * most);
          }
        }
        for (let i = 0; i < bases.length; i++) bases[i]! += damage * stream.normal();
        for (let i = 0; i < vectors.length; i++) vectors[i]! += damage * stream.normal();
        const noise = Float64Array.from({ length: slots * most }, () => Math.exp(4 * stream.normal()));
        const ranks = new Int32Array(slots).fill(most);
        const certificate = createSplittingCertificate(splitting, { ranks, bases, vectors, noise });
        const value = certificate();
        expect(value).toBeLessThanOrEqual(lowestMse(problem, seed) * ROUNDING);
        expect(value).toBeGreaterThanOrEqual(0);
        for (const broken of [Number.POSITIVE_INFINITY, Number.NaN]) {
          noise[seed % noise.length] = broken;
          if (splitting.gains[Math.floor((seed % noise.length) / most) % devices]! > 0)
            expect(certificate()).toBeNaN();
        }
      }),
      runs(400),
    );
  });

  it("and so is the textbook form for random Theta, which never beats the limit", () => {
    fc.assert(
      fc.property(anySmall, fc.nat(9999), (drawn, seed) => {
        const problem = transceiverProblem(drawn);
        const { devices, subcarriers, receiveAntennas: nr, noiseVariance } = problem;
        const thetas = Array.from({ length: subcarriers }, (_, m) =>
          randomSplitting(devices, nr, noiseVariance, 3 * seed + m),
        );
        const value = splittingValue(problem, thetas);
        expect(value).toBeLessThanOrEqual(lowestMse(problem, seed) * (1 + 1e-9));
        expect(value).toBeLessThanOrEqual(
          noiseSplittingBound(problem, { effort: "fast" })!.limit * (1 + 1e-9),
        );
      }),
      runs(200),
    );
  });

  it("for correlated devices and estimation errors", () => {
    let positive = 0;
    fc.assert(
      fc.property(
        anySmall,
        fc.nat(9999),
        fc.constantFrom(0, 0.3, 0.9),
        fc.constantFrom(0, 0.05, 2),
        (drawn, seed, c, se2) => {
          const perfect = transceiverProblem(drawn);
          const { devices, subcarriers } = perfect;
          const correlation = Float64Array.from(
            randomCorrelation(devices, devices, seed).flatMap((row, k) =>
              row.map((x, j) => (seed % 2 === 0 ? (k === j ? 1 : c) : 0.7 * x + (k === j ? 0.3 : 0))),
            ),
          );
          const errorVariance = Float64Array.from({ length: devices }, (_, k) => se2 * (1 + (k % 3)));
          const problem: TransceiverProblem = { ...perfect, correlation, errorVariance };
          const bound = noiseSplittingBound(problem, { effort: "fast" });
          if (bound === undefined) return;
          positive++;
          const updates = createBlockUpdates(problem);
          const { receiveAntennas: nr, transmitAntennas: nt, streams } = problem;
          const receive = new Float64Array(2 * subcarriers * nr * streams);
          const transmit = randomTransmit(problem, seed);
          for (let i = 0; i < 4; i++) {
            const mse = updates.receive(receive, transmit);
            expect(bound.value).toBeLessThanOrEqual(mse * ROUNDING);
            updates.transmit(transmit, receive);
          }
          // the same figure from the public evaluation, with the model's term for the estimation errors
          const design = handmade(
            drawn,
            new ComplexStack([subcarriers, nr, streams], receive),
            new ComplexStack([devices, subcarriers, nt, streams], transmit),
          );
          const rows = Array.from({ length: devices }, (_, k) =>
            Array.from(correlation.subarray(k * devices, (k + 1) * devices)),
          );
          let mse = evaluateDesign(drawn.channel, design, {
            noiseVariance: drawn.noiseVariance,
            correlation: rows,
          }).mse;
          const square = (data: Float64Array): number => data.reduce((sum, x) => sum + x * x, 0);
          for (let k = 0; k < devices; k++) {
            for (let m = 0; m < subcarriers; m++) {
              const energy = square(design.receive.at(m).data) * square(design.transmit.at(k, m).data);
              mse += correlation[k * devices + k]! * errorVariance[k]! * energy;
            }
          }
          expect(bound.value).toBeLessThanOrEqual(mse * ROUNDING);
        },
      ),
      runs(300),
    );
    expect(positive).toBeGreaterThan(240);
  });

  it("that estimation errors raise", () => {
    fc.assert(
      fc.property(smoothSmall, (drawn) => {
        const problem = transceiverProblem(drawn);
        const errorVariance = new Float64Array(problem.devices).fill(0.2);
        const exact = noiseSplittingBound(problem, { effort: "thorough" })!;
        const poor = noiseSplittingBound({ ...problem, errorVariance }, { effort: "thorough" })!;
        expect(poor.limit).toBeGreaterThan(exact.value);
      }),
      runs(30),
    );
  });
});

describe("noiseSplittingBound is tight", () => {
  /** The best beamformers of devices that do not disturb each other, and their MSE with the best receiver. */
  function separateOptimum(problem: TransceiverProblem): { closed: number; attained: number } {
    const { devices, subcarriers, streams, transmitAntennas: nt, power, weights, noiseVariance } = problem;
    const transmit = new Float64Array(2 * devices * subcarriers * nt * streams);
    let closed = 0;
    for (let k = 0; k < devices; k++) {
      const parts = Array.from({ length: subcarriers }, (_, m) => svd(channelAt(problem, k, m)));
      const gains = parts.flatMap(({ s }) =>
        Array.from(s.subarray(0, streams), (x) => (x * x) / noiseVariance),
      );
      const { value, powers } = waterFilling(gains, power[k]!);
      closed += weights[k]! ** 2 * value;
      parts.forEach(({ v }, m) => {
        for (let row = 0; row < nt; row++) {
          for (let i = 0; i < streams; i++) {
            const to = 2 * (((k * subcarriers + m) * nt + row) * streams + i);
            const from = 2 * (row * v.cols + i);
            const root = Math.sqrt(powers[m * streams + i]!);
            transmit[to] = root * v.data[from]!;
            transmit[to + 1] = root * v.data[from + 1]!;
          }
        }
      });
    }
    const receive = new Float64Array(2 * subcarriers * problem.receiveAntennas * streams);
    return { closed, attained: createBlockUpdates(problem).receive(receive, transmit) };
  }

  it("for a single device: the closed form", () => {
    fc.assert(
      fc.property(beamformingProblem({ ...small, devices: 1 }), (drawn) => {
        const problem = transceiverProblem(drawn);
        const { closed, attained } = separateOptimum(problem);
        const { value } = noiseSplittingBound(problem)!;
        expect(value).toBeLessThanOrEqual(attained * ROUNDING);
        expect(Math.abs(value / closed - 1)).toBeLessThan(1e-8);
        expect(Math.abs(value / attained - 1)).toBeLessThan(1e-8);
      }),
      runs(400),
    );
  });

  it("for devices whose signals do not meet", () => {
    fc.assert(
      fc.property(
        beamformingProblem({ ...small, devices: 1, kinds: ["rayleigh", "integers", "rank-deficient"] }),
        fc.nat(9999),
        (drawn, seed) => {
          const one = transceiverProblem(drawn);
          const { receiveAntennas: nr, transmitAntennas: nt, subcarriers, streams } = one;
          // device k is heard by antennas k N_r ... only, seen through a common unitary matrix
          const channel = new ComplexStack([2, subcarriers, 2 * nr, nt]);
          for (let m = 0; m < subcarriers; m++) {
            const u = qr(random(2 * nr, 2 * nr, seed + m)).q;
            for (let k = 0; k < 2; k++) {
              const h = k === 0 ? channelAt(one, 0, m) : random(nr, nt, seed + 100 + m);
              const padded = { rows: 2 * nr, cols: nt, data: new Float64Array(4 * nr * nt) };
              padded.data.set(h.data, 2 * k * nr * nt);
              channel.at(k, m).data.set(multiply(u, padded).data);
            }
          }
          const problem: TransceiverProblem = {
            ...one,
            devices: 2,
            receiveAntennas: 2 * nr,
            streams,
            channel: channel.data,
            weights: new Float64Array([0.7, 0.3]),
            power: new Float64Array([one.power[0]!, 3 * one.noiseVariance]),
          };
          const { closed, attained } = separateOptimum(problem);
          const { value } = noiseSplittingBound(problem)!;
          expect(value).toBeLessThanOrEqual(attained * ROUNDING);
          expect(Math.abs(value / closed - 1)).toBeLessThan(1e-8);
        },
      ),
      runs(150),
    );
  });

  it("to its own limit", () => {
    fc.assert(
      fc.property(smoothSmall, (drawn) => {
        const { value, limit } = noiseSplittingBound(transceiverProblem(drawn), { effort: "thorough" })!;
        expect(value / limit).toBeGreaterThan(0.9995);
      }),
      runs(60),
    );
  });
});

describe("noiseSplittingBound does not depend on", () => {
  const changed = (
    problem: TransceiverProblem,
    change: (h: ComplexMatrix, k: number, m: number) => ComplexMatrix,
  ): TransceiverProblem => {
    const { devices, subcarriers, receiveAntennas, transmitAntennas } = problem;
    const channel = new ComplexStack([devices, subcarriers, receiveAntennas, transmitAntennas]);
    for (let k = 0; k < devices; k++) {
      for (let m = 0; m < subcarriers; m++)
        channel.at(k, m).data.set(change(channelAt(problem, k, m), k, m).data);
    }
    return { ...problem, channel: channel.data };
  };

  it("unitary matrices on either side", () => {
    fc.assert(
      fc.property(smoothSmall, fc.nat(999), (drawn, seed) => {
        const problem = transceiverProblem(drawn);
        const rotated = changed(problem, (h, k, m) => {
          const left = qr(random(h.rows, h.rows, seed + m)).q;
          return multiply(left, multiply(h, qr(random(h.cols, h.cols, seed + 7 * k + 100 * m)).q));
        });
        const [a, b] = [problem, rotated].map((p) => noiseSplittingBound(p, { maxIterations: 0 })!.value) as [
          number,
          number,
        ];
        expect(Math.abs(a / b - 1)).toBeLessThan(1e-8);
        const [c, d] = [problem, rotated].map((p) => noiseSplittingBound(p, { effort: "thorough" })!) as [
          never,
          never,
        ];
        expect((c as { value: number }).value).toBeLessThanOrEqual(
          (d as { limit: number }).limit * (1 + 1e-9),
        );
        expect((d as { value: number }).value).toBeLessThanOrEqual(
          (c as { limit: number }).limit * (1 + 1e-9),
        );
      }),
      runs(30),
    );
  });

  it("the unit of the channel: the same bits for powers of two", () => {
    fc.assert(
      fc.property(anySmall, fc.constantFrom(2, 2 ** -20, 2 ** 30), (drawn, c) => {
        const problem = transceiverProblem(drawn);
        const scaled = changed({ ...problem, noiseVariance: problem.noiseVariance * c * c }, (h) =>
          scale(h, c),
        );
        expect(noiseSplittingBound(scaled, { effort: "fast" })).toEqual(
          noiseSplittingBound(problem, { effort: "fast" }),
        );
      }),
      runs(100),
    );
  });

  it("the order of the devices, nor on where power and noise are counted", () => {
    fc.assert(
      fc.property(smoothSmall, (drawn) => {
        const problem = transceiverProblem(drawn);
        const { devices } = problem;
        const reversed: TransceiverProblem = {
          ...changed(problem, (_, k, m) => channelAt(problem, devices - 1 - k, m)),
          weights: problem.weights.slice().reverse(),
          power: problem.power.slice().reverse(),
        };
        const louder: TransceiverProblem = {
          ...problem,
          power: problem.power.map((p) => 3 * p),
          noiseVariance: 3 * problem.noiseVariance,
        };
        const first = noiseSplittingBound(problem, { maxIterations: 0 })!.value;
        for (const other of [reversed, louder]) {
          expect(Math.abs(noiseSplittingBound(other, { maxIterations: 0 })!.value / first - 1)).toBeLessThan(
            1e-8,
          );
        }
      }),
      runs(60),
    );
  });

  it("and falls with power", () => {
    fc.assert(
      fc.property(anySmall, fc.double({ min: 1, max: 30, noNaN: true }), (drawn, factor) => {
        const problem = transceiverProblem(drawn);
        const louder = { ...problem, power: problem.power.map((p) => factor * p) };
        const [a, b] = [noiseSplittingBound(problem)!, noiseSplittingBound(louder)!];
        expect(b.value).toBeLessThanOrEqual(a.limit * (1 + 1e-9));
        expect(b.value).toBeLessThanOrEqual(1.05 * a.value);
      }),
      runs(200),
    );
  });
});

describe("D of a single device", () => {
  const device = fc.record({
    n: fc.integer({ min: 1, max: 4 }),
    nt: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(9999),
  });
  const spd = (n: number, seed: number): ComplexMatrix => {
    const g = random(n, n, seed);
    return add(hermitianPart(multiplyConjugateRight(g, g)), scale(identity(n), 0.1));
  };
  const inner = (a: ComplexMatrix, b: ComplexMatrix): number =>
    a.data.reduce((sum, x, i) => sum + x * b.data[i]!, 0);

  it("is concave in Theta, with the supergradient A A^H", () => {
    fc.assert(
      fc.property(device, fc.double({ min: 0, max: 1, noNaN: true }), ({ n, nt, seed }, t) => {
        const streams = 1 + (seed % Math.min(n, nt));
        const channels = [random(n, nt, seed), random(n, nt, seed + 1)];
        const at = (thetas: ComplexMatrix[]): ReturnType<typeof alone> => alone(channels, thetas, streams, 3);
        const from = [spd(n, seed + 2), spd(n, seed + 3)];
        const to = [spd(n, seed + 4), spd(n, seed + 5)];
        const between = from.map((theta, m) => add(scale(theta, 1 - t), scale(to[m]!, t)));
        const [a, b, c] = [at(from), at(to), at(between)];
        expect(c.value).toBeGreaterThanOrEqual((1 - t) * a.value + t * b.value - 1e-10);
        const slope = a.receive.reduce((sum, beams, m) => {
          const step = add(to[m]!, scale(from[m]!, -1));
          return sum + inner(multiplyConjugateRight(beams, beams), step);
        }, 0);
        expect(b.value).toBeLessThanOrEqual(a.value + slope + 1e-10);
      }),
      runs(300),
    );
  });

  const conjugated = (g: ComplexMatrix): ComplexMatrix => ({
    ...g,
    data: g.data.map((x, i) => (i % 2 === 0 ? x : -x)),
  });

  it("has the gradient 2 A A^H F for Theta = F F^H; half of it and its conjugate are refused", () => {
    for (let seed = 0; seed < 10; seed++) {
      const h = random(4, 3, seed);
      const at = (f: ComplexMatrix): ReturnType<typeof alone> =>
        alone([h], [hermitianPart(multiplyConjugateRight(f, f))], 3, 20);
      const problem: Problem<ComplexMatrix> = {
        manifold: complexEuclidean(4, 4),
        cost: (f) => at(f).value,
        gradient: (f) => {
          const beams = at(f).receive[0]!;
          return scale(multiply(beams, multiplyConjugateLeft(beams, f)), 2);
        },
      };
      const point = random(4, 4, seed + 50);
      expect(checkGradient(problem, { point })).toMatchObject({ passed: true });
      for (const wrong of [conjugated, (g: ComplexMatrix) => scale(g, 0.5)]) {
        const mutant = { ...problem, gradient: (f: ComplexMatrix) => wrong(problem.gradient(f)) };
        expect(checkGradient(mutant, { point }).passed).toBe(false);
      }
    }
  });

  it("the gradient of the relaxation is right, with and without anchors; mutants are refused", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const drawn = fc.sample(
        beamformingProblem({
          devices: 3,
          subcarriers: 2,
          receiveAntennas: 4,
          transmitAntennas: 3,
          kinds: ["rayleigh"],
          zeros: false,
          snrDb: { min: -5, max: 15 },
        }),
        { seed, numRuns: 1 },
      )[0]!;
      const { splitting } = splittingProblem(transceiverProblem(drawn));
      const relaxation = createSplittingRelaxation(splitting);
      const stream = randomStream(seed, "point");
      const point = new ComplexStack([2, 4, 4]);
      stream.fillComplexNormal(point.data, 0.01);
      relaxation.costAndGradient(point.data, new Float64Array(point.data.length));
      const amplitude = Math.sqrt(relaxation.bestScale(point.data));
      for (let i = 0; i < point.data.length; i++) point.data[i]! *= 0.8 * amplitude;
      relaxation.costAndGradient(point.data, new Float64Array(point.data.length));
      if (seed % 2 === 0) relaxation.anchor(0.2, 1e-3);
      const { costAndGradient: _joint, ...separate } = relaxedProblem(relaxation, 2);
      const problem = {
        ...separate,
        gradient: (y: ComplexStack) => new ComplexStack(y.shape, separate.gradient(y).data.slice()),
      };
      expect(checkGradient(problem, { point })).toMatchObject({ passed: true });
      for (const factor of [(i: number) => (i % 2 === 0 ? 1 : -1), () => 0.5]) {
        const gradient = (y: ComplexStack): ComplexStack =>
          new ComplexStack(
            y.shape,
            problem.gradient(y).data.map((x, i) => x * factor(i)),
          );
        expect(checkGradient({ ...problem, gradient }, { point }).passed).toBe(false);
      }
    }
  });
});

describe("noiseSplittingBound at the edges", () => {
  const base = (): TransceiverProblem =>
    transceiverProblem(
      fc.sample(
        beamformingProblem({
          devices: 3,
          subcarriers: 2,
          receiveAntennas: 4,
          transmitAntennas: 2,
          streams: 2,
          kinds: ["rayleigh"],
          zeros: false,
          snrDb: 10,
        }),
        { seed: 3, numRuns: 1 },
      )[0]!,
    );

  it("is the whole of the symbols where nothing is heard or sent", () => {
    const problem = base();
    const whole = problem.weights.reduce((sum, w) => sum + w * w, 0) * 2 * 2;
    for (const silent of [
      { ...problem, channel: new Float64Array(problem.channel.length) },
      { ...problem, power: new Float64Array(3) },
    ]) {
      expect(noiseSplittingBound(silent)!.value / whole).toBeCloseTo(1, 12);
    }
  });

  it("is undefined where nothing is proved", () => {
    const problem = base();
    expect(noiseSplittingBound({ ...problem, weights: new Float64Array(3) })).toBeUndefined();
    expect(noiseSplittingBound({ ...problem, correlation: new Float64Array(9).fill(1) })).toBeUndefined();
    const huge = { ...problem, power: new Float64Array(3).fill(1e300), noiseVariance: 1e-300 };
    expect(noiseSplittingBound(huge)?.value ?? 0).toBeLessThan(1e-200);
  });

  it("stays finite and valid at extreme levels", () => {
    for (const snr of [1e-120, 1e-12, 1e12, 1e30, 1e120]) {
      const problem = { ...base(), power: new Float64Array(3).fill(snr), noiseVariance: 1 };
      const value = noiseSplittingBound(problem)?.value ?? 0;
      expect(value).toBeLessThanOrEqual(lowestMse(problem, 1) * ROUNDING);
      expect(value).toBeGreaterThanOrEqual(0);
    }
  });

  it("is the same bits twice, keeps its arguments, and obeys limits and signals", () => {
    const problem = base();
    const before = problem.channel.slice();
    expect(noiseSplittingBound(problem)).toEqual(noiseSplittingBound(problem));
    expect(problem.channel).toEqual(before);
    for (const most of [0, 5, 17]) {
      expect(noiseSplittingBound(problem, { maxIterations: most })!.iterations).toBeLessThanOrEqual(most);
    }
    const aborted = noiseSplittingBound(problem, { signal: AbortSignal.abort() })!;
    expect(aborted).toMatchObject({ iterations: 0, value: aborted.startValue });
  });

  it("is below every scheme of designBeamformers", () => {
    fc.assert(
      fc.property(anySmall, (drawn: BeamformingProblem) => {
        const { value } = noiseSplittingBound(transceiverProblem(drawn), { effort: "fast" })!;
        for (const scheme of ["alternating", "centroid", "mrc", "random"] as const) {
          expect(value).toBeLessThanOrEqual(
            designBeamformers({ ...drawn, scheme, effort: "fast" }).mse * ROUNDING,
          );
        }
      }),
      runs(150),
    );
  });
});
