import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BeamformerDesign,
  channelFrom,
  type DesignOptions,
  type DesignRow,
  designBeamformers,
  evaluateDesign,
  rayleighChannel,
  type Scheme,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";
import { monotonicityResidual, powerBudgetResidual } from "../../src/testing/index.ts";
import { anyProblem, randomStack, runs } from "./support.ts";

/** Schemes that ask for no misalignment whatever the noise. */
const zeroForcing: ReadonlySet<string> = new Set(["uniform-forcing", "sdr", "sca"]);

/** What every design has to be, whatever the scheme. */
export function expectSound(design: BeamformerDesign, options: DesignOptions): void {
  const { channel, power, noiseVariance, weights } = options;
  expect(design.streams).toBe(options.streams);
  expect(Number.isFinite(design.mse)).toBe(true);
  expect(design.mse).toBeGreaterThanOrEqual(0);
  const perUse = design.streams * channel.subcarriers;
  expect(Math.abs(design.distortion * perUse - design.mse)).toBeLessThanOrEqual(1e-14 * design.mse);
  const found = evaluateDesign(channel as TrueChannel, design, {
    noiseVariance,
    ...(weights === undefined ? {} : { weights }),
  });
  expect(Math.abs(found.mse - design.mse)).toBeLessThanOrEqual(1e-11 * design.mse);
  expect(powerBudgetResidual(design, power)).toBeLessThanOrEqual(1e-9);

  // one row per iteration, the last is that of the design
  expect(design.rows.map((row) => row.iteration)).toEqual(design.rows.map((_, i) => i));
  expect(design.rows.length).toBe(design.iterations + 1);
  expect(design.rows.every((row) => Number.isFinite(row.mse))).toBe(true);
  expect(monotonicityResidual(design.rows)).toBeLessThanOrEqual(1e-12);
  expect(design.rows.at(-1)!.mse).toBe(design.mse);
  expect(design.converged).toBe(["relative-decrease", "all-draws", "closed-form"].includes(design.reason));

  if (design.kind === "analog") {
    const { devices, subcarriers, receiveAntennas, transmitAntennas } = channel;
    expect(design.receive.shape).toEqual([subcarriers, receiveAntennas, options.streams]);
    expect(design.transmit.shape).toEqual([devices, subcarriers, transmitAntennas, options.streams]);
    expect(design.receive.data.every(Number.isFinite)).toBe(true);
    expect(design.transmit.data.every(Number.isFinite)).toBe(true);
    // sending nothing costs sum_k w_k^2 per stream: no design is worse, but zero forcing has to be
    if (zeroForcing.has(design.scheme)) return;
    const list = Array.from({ length: devices }, (_, k) => weights?.[k] ?? 1);
    const total = list.reduce((sum, w) => sum + w, 0);
    const nothing = perUse * list.reduce((sum, w) => sum + (w / total) ** 2, 0);
    expect(design.mse).toBeLessThanOrEqual(nothing * (1 + 1e-12));
  }
}

/** The conformance suite: run it for every name in `schemes`. */
export function testScheme(scheme: Scheme): void {
  const solve = (options: DesignOptions): BeamformerDesign => designBeamformers({ ...options, scheme });
  const size = { devices: 4, subcarriers: 2, receiveAntennas: 4, transmitAntennas: 2, taps: 2, seed: 1 };
  const channel = rayleighChannel(size);
  const plain: DesignOptions = { channel, streams: 2, power: 10, noiseVariance: 1 };

  describe(`scheme ${scheme}`, () => {
    test("any problem: budgets, MSE as evaluated, monotone rows, finite numbers", () => {
      fc.assert(
        fc.property(anyProblem, (problem) => {
          const options: DesignOptions = { ...problem, effort: "fast" };
          const design = solve(options);
          expect(design.scheme).toBe(scheme);
          expectSound(design, options);
        }),
        runs(60),
      );
    });

    test("the same bits twice, and untouched arguments", () => {
      const power = [10, 1, 5, 3];
      const options = { ...plain, power, weights: [1, 2, 3, 4], seed: 7 };
      const before = channel.matrices.data.slice();
      const first = solve(options);
      expect(solve(options)).toEqual(first);
      expect(channel.matrices.data).toEqual(before);
      expect(power).toEqual([10, 1, 5, 3]);
    });

    const zero = channelFrom(new ComplexStack([4, 2, 4, 2]));
    const dead = channelFrom(withDevice(channel.matrices, 3, 0));
    const faint = channelFrom(withDevice(channel.matrices, 3, 1e-9));
    const cases: [string, Partial<DesignOptions>][] = [
      ["60 dB", { power: 2e6 }],
      ["-30 dB", { power: 2e-3 }],
      ["large units", { power: 1e20, noiseVariance: 1e20 }],
      ["small units", { power: 1e-20, noiseVariance: 1e-20 }],
      ["a power of 0", { power: [10, 0, 1, 1e6] }],
      ["all powers 0", { power: [0, 0, 0, 0] }],
      ["a weight of 0", { weights: [1, 0, 1, 1] }],
      ["one weight only", { weights: [0, 0, 1, 0] }],
      ["very unequal weights", { weights: [1, 1e-12, 1e12, 3] }],
      ["a zero channel", { channel: zero }],
      ["a dead device", { channel: dead }],
      ["a faint device", { channel: faint, power: 1e6 }],
      ["rank-one channels, two streams", { channel: channelFrom(constantStack([4, 2, 4, 2])), power: 1e4 }],
      ["one stream", { streams: 1 }],
      ["one device", { channel: rayleighChannel({ ...size, devices: 1 }) }],
      [
        "one subcarrier, one antenna",
        {
          channel: rayleighChannel({ ...size, subcarriers: 1, receiveAntennas: 1, transmitAntennas: 1 }),
          streams: 1,
        },
      ],
      [
        "correlated antennas",
        { channel: rayleighChannel({ ...size, receiveCorrelation: 0.999 }), power: 1e4 },
      ],
      [
        "gains 120 dB apart",
        { channel: rayleighChannel({ ...size, gains: [1, 1e-12, 1e-3, 1] }), power: 1e6 },
      ],
      ["more streams than some channels have rank", { channel: dead, weights: [0, 0, 0, 1] }],
    ];
    test.each(cases)("%s", (_, change) => {
      const options = { ...plain, ...change };
      expectSound(solve(options), options);
    });

    test.each(["fast", "default", "thorough"] as const)("effort %s; more effort is never worse", (effort) => {
      const options = { ...plain, power: 100, effort };
      const design = solve(options);
      expectSound(design, options);
      expect(design.mse).toBeLessThanOrEqual(solve({ ...options, effort: "fast" }).mse);
    });

    test("onProgress sees the rows that are returned, in order", () => {
      const rows: DesignRow[] = [];
      const design = solve({ ...plain, onProgress: (row) => rows.push(row) });
      if (design.reason !== "closed-form") expect(rows).toEqual(design.rows);
    });

    test("an aborted signal ends it at once, with a sound design", () => {
      const controller = new AbortController();
      controller.abort();
      const options = { ...plain, signal: controller.signal };
      const design = solve(options);
      expectSound(design, options);
      if (design.reason !== "closed-form") {
        expect(design.reason).toBe("aborted");
        expect(design.converged).toBe(false);
        expect(design.iterations).toBe(0);
      }
    });

    test("a signal that fires on the way ends it there", () => {
      const controller = new AbortController();
      const onProgress = (row: DesignRow): void => {
        if (row.iteration === 2) controller.abort();
      };
      const options: DesignOptions = {
        ...plain,
        power: 1e4,
        effort: "thorough",
        signal: controller.signal,
        onProgress,
      };
      const design = solve(options);
      expectSound(design, options);
      if (design.reason !== "closed-form") {
        expect(design.reason).toBe("aborted");
        expect(design.iterations).toBe(2);
      }
    });

    test("accepts the start of another design", () => {
      const options = { ...plain, initial: { receive: randomStack([2, 4, 2], 3) } };
      const before = options.initial.receive.data.slice();
      expectSound(solve(options), options);
      expect(options.initial.receive.data).toEqual(before);
    });
  });
}

function withDevice(stack: ComplexStack, device: number, factor: number): ComplexStack {
  const size = stack.data.length / stack.shape[0]!;
  const data = stack.data.map((x, i) => (Math.floor(i / size) === device ? factor * x : x));
  return new ComplexStack(stack.shape, data);
}

/** Every matrix is the same of rank one. */
function constantStack(shape: readonly number[]): ComplexStack {
  const stack = new ComplexStack(shape);
  for (let i = 0; i < stack.data.length; i += 2) stack.data[i] = 1;
  return stack;
}
