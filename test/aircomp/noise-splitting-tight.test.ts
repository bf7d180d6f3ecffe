import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { designBeamformers } from "../../src/aircomp/index.ts";
import { noiseSplittingBound, relaxedProblem, splittingProblem } from "../../src/aircomp/noise-splitting.ts";
import { createSplittingRelaxation } from "../../src/aircomp/splitting-relaxation.ts";
import { createBlockUpdates, type TransceiverProblem } from "../../src/aircomp/updates.ts";
import { randomStream } from "../../src/core/index.ts";
import {
  add,
  type ComplexMatrix,
  ComplexStack,
  hermitianPart,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  qr,
  scale,
  svd,
} from "../../src/linalg/index.ts";
import { checkGradient, complexEuclidean, type Problem } from "../../src/manifold/index.ts";
import { type BeamformingProblem, beamformingProblem } from "../../src/testing/index.ts";
import {
  alone,
  anySmall,
  channelAt,
  lowestMse,
  ROUNDING,
  small,
  smoothSmall,
  waterFilling,
} from "./noise-splitting-support.ts";
import { random, runs } from "./support.ts";

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
