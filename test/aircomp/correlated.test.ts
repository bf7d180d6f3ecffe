import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { correlationFactor, correlationMatrix } from "../../src/aircomp/correlation.ts";
import {
  type BeamformProblem,
  beamformDistortion,
  beamformOptions,
  channelFrom,
  designBeamformers,
  estimatedChannelFrom,
  evaluateDesign,
  rayleighChannel,
  specifiedChannel,
} from "../../src/aircomp/index.ts";
import { toComplexJson } from "../../src/core/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";
import {
  type BeamformingProblem,
  deviceCorrelation,
  monotonicityResidual,
  powerBudgetResidual,
} from "../../src/testing/index.ts";
import {
  anyProblem,
  embeddedMse,
  randomCorrelation,
  randomStack,
  runs,
  shares,
  smoothProblem,
} from "./support.ts";

const withCorrelation = (problems: fc.Arbitrary<BeamformingProblem>) =>
  problems.chain((problem) => fc.tuple(fc.constant(problem), deviceCorrelation(problem.channel.devices)));

describe("correlationFactor", () => {
  test("L L^T = R, with as many columns as R has rank", () => {
    const devices = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(
        devices.chain((n) => fc.tuple(fc.constant(n), deviceCorrelation(n))),
        ([n, given]) => {
          const r = correlationMatrix(given, n);
          const { rank, factor } = correlationFactor(r, n);
          expect(rank).toBeLessThanOrEqual(n);
          for (let k = 0; k < n; k++) {
            for (let j = 0; j < n; j++) {
              let sum = 0;
              for (let l = 0; l < rank; l++) sum += factor[k * rank + l]! * factor[j * rank + l]!;
              const scale = Math.sqrt(r[k * n + k]! * r[j * n + j]!);
              expect(Math.abs(sum - r[k * n + j]!)).toBeLessThanOrEqual(1e-13 * n * scale);
            }
          }
        },
      ),
      runs(200),
    );
  });

  test("I for R = I, one column for identical devices, none for silence, unequal powers kept", () => {
    const identity = correlationMatrix(0, 4);
    expect(correlationFactor(identity, 4)).toEqual({ rank: 4, factor: identity });
    expect(correlationFactor(correlationMatrix(1, 5), 5)).toEqual({
      rank: 1,
      factor: Float64Array.of(1, 1, 1, 1, 1),
    });
    expect(correlationFactor(new Float64Array(9), 3).rank).toBe(0);
    const { factor } = correlationFactor(Float64Array.of(1e20, 0, 0, 1e-8), 2);
    expect(Array.from(factor)).toEqual([1e10, 0, 0, 1e-4]);
  });

  test("a matrix that is symmetric to rounding becomes so exactly", () => {
    const r = correlationMatrix(
      [
        [1, 0.5 + 1e-12],
        [0.5, 1],
      ],
      2,
    );
    expect(r[1]).toBe(r[2]);
  });
});

describe("designs for correlated devices", () => {
  test("any problem and R: budgets, monotone rows, MSE as evaluated and as by ml-matrix, no worse than silence", () => {
    fc.assert(
      fc.property(withCorrelation(anyProblem), ([problem, correlation]) => {
        const { channel, noiseVariance, weights } = problem;
        for (const scheme of ["alternating", "mrc"] as const) {
          const design = designBeamformers({ ...problem, correlation, scheme, effort: "fast" });
          expect(powerBudgetResidual(design, problem.power)).toBeLessThanOrEqual(1e-9);
          expect(monotonicityResidual(design.rows.filter((row) => row.mse > 0))).toBeLessThanOrEqual(1e-12);
          const { mse, cap } = evaluateDesign(channel, design, { noiseVariance, weights, correlation });
          expect(Math.abs(mse - design.mse)).toBeLessThanOrEqual(1e-11 * design.mse);
          expect(mse).toBeLessThanOrEqual(cap * (1 + 1e-12));
          const w = shares(weights);
          const direct = embeddedMse(channel, design, noiseVariance, w, correlation);
          // the direct sum cancels where devices make up for each other
          const scale = Math.max(cap, direct);
          expect(Math.abs(mse - direct)).toBeLessThanOrEqual(1e-9 * scale);
          const r = correlationMatrix(correlation, channel.devices);
          let silence = 0;
          for (let k = 0; k < w.length; k++) {
            for (let j = 0; j < w.length; j++) silence += w[k]! * r[k * w.length + j]! * w[j]!;
          }
          silence *= problem.streams * channel.subcarriers;
          expect(design.mse).toBeLessThanOrEqual(silence * (1 + 1e-9) + 1e-300);
        }
      }),
      runs(120),
    );
  });

  test("correlation 0 has the bits of no correlation; so has I as a matrix", () => {
    fc.assert(
      fc.property(smoothProblem, (problem) => {
        const { devices } = problem.channel;
        const plain = designBeamformers({ ...problem, effort: "fast" });
        const identity = Array.from({ length: devices }, (_, k) =>
          Array.from({ length: devices }, (_, j) => +(j === k)),
        );
        expect(designBeamformers({ ...problem, effort: "fast", correlation: 0 })).toEqual(plain);
        expect(designBeamformers({ ...problem, effort: "fast", correlation: identity })).toEqual(plain);
      }),
      runs(20),
    );
  });

  test("4 I is R = I with a quarter of the noise, in units of 4", () => {
    fc.assert(
      fc.property(smoothProblem, fc.nat({ max: 999 }), (problem, seed) => {
        const { devices, subcarriers, receiveAntennas } = problem.channel;
        const correlation = Array.from({ length: devices }, (_, k) =>
          Array.from({ length: devices }, (_, j) => (j === k ? 4 : 0)),
        );
        // the search for the start is exact to the flatness of its minimum only: both get the same one
        const initial = { receive: randomStack([subcarriers, receiveAntennas, problem.streams], seed) };
        const options = { ...problem, initial, effort: "fast" } as const;
        const design = designBeamformers({ ...options, correlation });
        const quieter = designBeamformers({ ...options, noiseVariance: problem.noiseVariance / 4 });
        expect(Math.abs(design.mse - 4 * quieter.mse)).toBeLessThanOrEqual(1e-9 * design.mse);
      }),
      runs(20),
    );
  });

  test("started from the design for R = I, never worse than that", () => {
    fc.assert(
      fc.property(withCorrelation(smoothProblem), ([problem, correlation]) => {
        const { channel, noiseVariance, weights } = problem;
        const initial = designBeamformers({ ...problem, effort: "fast" });
        const design = designBeamformers({ ...problem, correlation, initial, effort: "fast" });
        const plain = evaluateDesign(channel, initial, { noiseVariance, weights, correlation }).mse;
        expect(design.mse).toBeLessThanOrEqual(plain * (1 + 1e-9));
      }),
      runs(40),
    );
  });

  // with one antenna each everything is real up to phases that the beamformers undo
  test.each([0.3, 0.9, 1])("two devices of one antenna, c = %d: as good as brute force", (c) => {
    for (const [h1, h2, power, noise] of [
      [1, 0.5, 1, 0.5],
      [2, 0.1, 4, 1],
      [1, 1, 0.1, 1],
    ] as const) {
      const stack = new ComplexStack([2, 1, 1, 1], Float64Array.of(0.6 * h1, 0.8 * h1, 0, h2));
      const design = designBeamformers({
        channel: channelFrom(stack),
        streams: 1,
        power,
        noiseVariance: noise,
        weights: [1, 3],
        correlation: c,
        effort: "thorough",
      });
      const cost = (a: number, b1: number, b2: number): number => {
        const e1 = a * h1 * b1 - 0.25;
        const e2 = a * h2 * b2 - 0.75;
        return e1 * e1 + e2 * e2 + 2 * c * e1 * e2 + noise * a * a;
      };
      let best = { value: Number.POSITIVE_INFINITY, at: [0, 0, 0] };
      const root = Math.sqrt(power);
      let [centre, width] = [
        [1, 0, 0],
        [1, root, root],
      ];
      for (let zoom = 0; zoom < 100; zoom++) {
        const steps = 8;
        for (let i = -steps; i <= steps; i++) {
          for (let j = -steps; j <= steps; j++) {
            for (let l = -steps; l <= steps; l++) {
              const a = Math.max(0, centre[0]! + (width[0]! * i) / steps);
              const b1 = Math.max(-root, Math.min(root, centre[1]! + (width[1]! * j) / steps));
              const b2 = Math.max(-root, Math.min(root, centre[2]! + (width[2]! * l) / steps));
              const value = cost(a, b1, b2);
              if (value < best.value) best = { value, at: [a, b1, b2] };
            }
          }
        }
        centre = best.at;
        width = width.map((x) => 0.85 * x);
      }
      expect(design.mse).toBeLessThanOrEqual(best.value * (1 + 1e-7));
      expect(design.mse).toBeGreaterThanOrEqual(best.value * (1 - 1e-7));
    }
  });

  test("designing for R instead of I pays below 0 dB", () => {
    const size = { devices: 8, subcarriers: 2, receiveAntennas: 8, transmitAntennas: 2, taps: 2 };
    for (const snrDb of [-20, -10, 0]) {
      for (const correlation of [0.5, 1]) {
        const channel = rayleighChannel({ ...size, seed: 3 });
        const options = { channel, streams: 2, power: 2 * 10 ** (snrDb / 10), noiseVariance: 1 };
        const plain = evaluateDesign(channel, designBeamformers(options), {
          noiseVariance: 1,
          correlation,
        }).mse;
        expect(designBeamformers({ ...options, correlation }).mse).toBeLessThan(0.9 * plain);
      }
    }
  });
});

describe("correlation of a link in JSON form", () => {
  const size = { devices: 4, subcarriers: 2, receiveAntennas: 6, transmitAntennas: 2, taps: 2, seed: 1 };
  const problem = (link: object, channel: object = {}): BeamformProblem => ({
    channel: { model: "rayleigh", ...size, ...channel },
    link: { streams: 2, snrDb: -5, weights: [1, 2, 3, 0], ...link },
    solver: { effort: "fast" },
  });
  const rows = randomCorrelation(4, 3, 5);

  test.each([[0.4], [rows]])("a number or a matrix is that of the design", (correlation) => {
    const stated = problem({ correlation });
    const design = designBeamformers(beamformOptions(stated));
    const { correlation: _, ...rest } = beamformOptions(stated);
    expect(designBeamformers({ ...rest, correlation })).toEqual(design);
    const found = beamformDistortion(stated, design);
    expect(Math.abs(found.distortion - design.distortion)).toBeLessThanOrEqual(1e-12 * design.distortion);
    expect(found.cap).toBeGreaterThanOrEqual(found.distortion * (1 - 1e-12));
    expect(found.onTrueChannel).toBeUndefined();
  });

  test.each([
    ["known", {}],
    ["estimated", { estimation: { pilotSnrDb: 5 } }],
  ])("cap, channel %s: the design bounds it, and has a smaller one than that for R = I", (_, channel) => {
    const stated = problem({ correlation: "cap" }, channel);
    const design = designBeamformers(beamformOptions(stated));
    const found = beamformDistortion(stated, design);
    expect(found.distortion).toBe(found.cap);
    expect(found.cap).toBeLessThanOrEqual(design.distortion * (1 + 1e-12));
    const plain = problem({}, channel);
    expect(found.cap).toBeLessThan(
      0.9 * beamformDistortion(plain, designBeamformers(beamformOptions(plain))).cap,
    );
  });

  test("an estimation is that of the drawn channel, with its gains and seed as defaults", () => {
    const gains = [1, 2, 0.5, 1];
    const stated = problem({}, { gains, estimation: { errorVariance: 0.1 } });
    const { known, truth } = specifiedChannel(stated.channel);
    expect(truth).toEqual(rayleighChannel({ ...size, gains }));
    const explicit = problem(
      {},
      { gains, estimation: { errorVariance: [0.1, 0.1, 0.1, 0.1], priorVariance: gains, seed: 1 } },
    );
    expect(specifiedChannel(explicit.channel).known).toEqual(known);
    const options = beamformOptions(stated);
    expect(options.channel).toEqual(known);
    const found = beamformDistortion(stated, designBeamformers(options));
    const how = { noiseVariance: 1 };
    const onTruth = evaluateDesign(truth!, designBeamformers(options), how);
    expect(found.onTrueChannel).toEqual({ distortion: onTruth.distortion, cap: onTruth.cap / 4 });
  });

  test("path loss is the default prior variance of an estimate", () => {
    const pathLoss = { positions: { radius: 100, minimum: 10 }, shadowingDb: 4 };
    const { known } = specifiedChannel({
      model: "rician",
      kFactorDb: 0,
      ...size,
      pathLoss,
      estimation: { pilotSnrDb: 60 },
    });
    const list = known.kind === "estimated" ? known.errorVariance : [];
    const gains = specifiedChannel({
      model: "rayleigh",
      ...size,
      devices: 4,
      receiveAntennas: 64,
      transmitAntennas: 64,
      pathLoss,
    });
    // beta v / (beta + v) of the gains that the channel was drawn with: 4096 entries show them to a few per cent
    for (let k = 0; k < 4; k++) {
      const data = gains.truth!.matrices.at(k, 0).data;
      const beta = data.reduce((sum, x) => sum + x * x, 0) / 4096;
      expect(list[k]! / ((beta * 1e-6) / (beta + 1e-6))).toBeCloseTo(1, 0);
      expect(list[k]).toBeLessThan(1e-6);
    }
  });

  test("given matrices may be an estimate", () => {
    const { matrices } = rayleighChannel(size);
    const channel = {
      model: "given",
      matrices: toComplexJson(matrices),
      errorVariance: [0, 0.1, 0.2, 0],
    } as const;
    expect(specifiedChannel(channel)).toEqual({ known: estimatedChannelFrom(matrices, [0, 0.1, 0.2, 0]) });
    expect(beamformOptions({ channel }).channel.kind).toBe("estimated");
    expect(specifiedChannel({ ...channel, errorVariance: 0 }).truth).toEqual(channelFrom(matrices));
  });

  const { matrices } = rayleighChannel(size);
  const given = { model: "given", matrices: toComplexJson(matrices) };
  test.each([
    [problem({ correlation: 1.5 }), /^link.correlation: found 1.5, expected .*<= 1/],
    [problem({ correlation: -0.1 }), /^link.correlation: found -0.1/],
    [problem({ correlation: "most" }), /^link.correlation: found "most"/],
    [problem({ correlation: [[1]] }), /^link.correlation: found an array of 1 entry, expected .*4 x 4/],
    [problem({ correlation: [[1, 2], [1]] }), /^link.correlation/],
    [problem({ correlation: [...rows.slice(1), [1, "x", 0, 0]] }), /^link.correlation\[3\]\[1\]/],
    [
      problem({
        correlation: [
          [1, 2, 0, 0],
          [2, 1, 0, 0],
          [0, 0, 1, 0],
          [0, 0, 0, 1],
        ],
      }),
      /^link.correlation: found an indefinite matrix/,
    ],
    [problem({}, { estimation: {} }), /^channel.estimation.errorVariance: found neither/],
    [
      problem({}, { estimation: { errorVariance: 0.1, pilotSnrDb: 1 } }),
      /^channel.estimation.errorVariance: found both/,
    ],
    [
      problem({}, { estimation: { errorVariance: 1 } }),
      /^channel.estimation.errorVariance: found 1, expected less than 1/,
    ],
    [
      problem({}, { estimation: { errorVariance: [0.1, 0.1] } }),
      /^channel.estimation.errorVariance: .*4 numbers/,
    ],
    [problem({}, { estimation: { pilotSnrDb: 400 } }), /^channel.estimation.pilotSnrDb/],
    [problem({}, { estimation: { pilotSnrDb: 1, priorVariance: -1 } }), /^channel.estimation.priorVariance/],
    [problem({}, { estimation: { snr: 1 } }), /^channel.estimation.snr: found an unknown field/],
    [problem({}, { errorVariance: 0.1 }), /^channel.errorVariance: found an unknown field/],
    [{ channel: { ...given, errorVariance: -1 } }, /^channel.errorVariance/],
    [{ channel: { ...given, errorVariance: [1] } }, /^channel.errorVariance: .*4 numbers/],
    [{ channel: { ...given, estimation: { pilotSnrDb: 1 } } }, /^channel.estimation: found an unknown field/],
  ])("refuses %#", (stated, message) => {
    expect(() => beamformOptions(stated as BeamformProblem)).toThrow(message);
  });
});
