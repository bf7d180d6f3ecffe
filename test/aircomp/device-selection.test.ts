import { describe, expect, it } from "vitest";
import {
  aggregateOverTheAir,
  channelFrom,
  type DeviceSelection,
  designBeamformers,
  estimateChannel,
  evaluateDesign,
  rayleighChannel,
  type SelectionOptions,
  type SelectionRow,
  selectDevices,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { InputError, randomStream } from "../../src/core/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";

type Problem = Omit<SelectionOptions, "threshold">;

interface Shape {
  readonly devices?: number;
  readonly streams?: number;
}

/** Crowded problems at 10 to 30 dB: few antennas, gains up to 20 dB apart. */
function problem(seed: number, shape: Shape = {}): Problem {
  const stream = randomStream(seed, "selection");
  const whole = (low: number, high: number): number => low + Math.floor(stream.uniform() * (high - low + 1));
  // small ones more often: there are 2^K sets
  const devices = shape.devices ?? Math.min(whole(4, 7), whole(4, 7));
  const streams = shape.streams ?? 1;
  const subcarriers = whole(1, 2);
  const receiveAntennas = whole(2, 4);
  const transmitAntennas = whole(streams, 2);
  const spread = 2 * stream.uniform();
  const gains = Array.from({ length: devices }, () => 10 ** (-spread * stream.uniform()));
  const sizes = { devices, subcarriers, receiveAntennas, transmitAntennas };
  return {
    channel: rayleighChannel({ ...sizes, taps: 2, gains, seed }),
    streams,
    power: subcarriers * 10 ** (1 + 2 * stream.uniform()),
    noiseVariance: 1,
  };
}

/** A threshold that all devices meet together. */
const TOGETHER = 1e6;

/** Weights from 0.2 to 1.2. */
function someWeights(devices: number, seed: number): number[] {
  const stream = randomStream(seed, "weights");
  return Array.from({ length: devices }, () => 0.2 + stream.uniform());
}

/** Asks the devices of a problem for a part of the distortion that they have together. */
function asking(options: Problem, part: number): SelectionOptions {
  return { ...options, threshold: part * selectDevices({ ...options, threshold: TOGETHER }).distortion };
}

/** The same problem with its devices in another order: device k of the result is device order[k]. */
function permuted<T extends Problem>(options: T, order: readonly number[]): T {
  const { matrices } = options.channel;
  const stack = new ComplexStack(matrices.shape);
  const size = matrices.data.length / order.length;
  order.forEach((k, i) => {
    stack.data.set(matrices.data.subarray(k * size, (k + 1) * size), i * size);
  });
  return { ...options, channel: channelFrom(stack) };
}

/** A problem whose devices have to lose some, and that has a set which meets the threshold. */
const EXAMPLE = 8;
const example = asking(problem(EXAMPLE, { devices: 6 }), 0.7);

describe("against every set", () => {
  it.each([
    ["count", 40],
    ["weight", 20],
  ] as const)("finds the best %s on %i small problems", (objective, cases) => {
    let optimal = 0;
    let partial = 0;
    for (let seed = 1; seed <= cases; seed++) {
      const drawn = problem(seed);
      const { devices } = drawn.channel;
      const weights = objective === "count" ? new Array<number>(devices).fill(1) : someWeights(devices, seed);
      const part = 0.8 + 0.18 * randomStream(seed, "threshold").uniform();
      const options = { ...asking({ ...drawn, weights }, part), objective };
      const found = selectDevices(options);
      const best = selectDevices({ ...options, exhaustive: true });
      const worth = ({ feasible, devices }: DeviceSelection): number =>
        feasible ? devices.reduce((sum, k) => sum + weights[k]!, 0) : 0;
      if (worth(found) >= worth(best) * (1 - 1e-12)) optimal++;
      if (best.feasible && best.devices.length < devices) partial++;
    }
    // measured: all of them
    expect(optimal).toBeGreaterThanOrEqual(0.95 * cases);
    expect(partial).toBeGreaterThanOrEqual(0.3 * cases);
  });

  it("finds several streams' best set too, and says what it cost", () => {
    const options = asking(problem(3, { devices: 6, streams: 2 }), 0.7);
    const found = selectDevices(options);
    const best = selectDevices({ ...options, exhaustive: true });
    expect(found.devices.length).toBe(best.devices.length);
    expect(best.reason).toBe(best.feasible ? "exhausted" : "threshold-not-met");
    expect(found.evaluations).toBeGreaterThan(0);
  });

  it("proves with certify that no larger set exists, or says that it could not", () => {
    const device = problem(5, { devices: 4 });
    const hopeless = selectDevices({ ...device, threshold: 1e-12, exhaustive: true, certify: true });
    expect(hopeless).toMatchObject({ feasible: false, certified: true, reason: "threshold-not-met" });
    const all = selectDevices({ ...device, threshold: TOGETHER, exhaustive: true, certify: true });
    expect(all).toMatchObject({ feasible: true, certified: true, reason: "all-devices" });
    // just below what the solver finds for all: a bound that is not tight cannot rule the full set out
    const tight = asking(device, 1 - 1e-9);
    const checked = selectDevices({ ...tight, exhaustive: true, certify: true });
    expect(typeof checked.certified).toBe("boolean");
    expect(selectDevices({ ...tight, exhaustive: true }).certified).toBeUndefined();
  });
});

describe("what is selected", () => {
  it("meets the threshold on the full channel, and is what the design says", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const options = {
        ...problem(seed, { streams: 1 + (seed % 2) }),
        correlation: seed % 3 === 0 ? 0.3 : 0,
      };
      const asked = asking({ ...options, weights: someWeights(options.channel.devices, seed) }, 0.8);
      const { devices, design, distortion, feasible } = selectDevices(asked);
      const { correlation, noiseVariance } = asked;
      const measured = evaluateDesign(asked.channel as TrueChannel, design, {
        noiseVariance,
        correlation: correlation!,
      });
      expect(Math.abs(measured.distortion / distortion - 1)).toBeLessThan(1e-9);
      expect(feasible).toBe(distortion <= asked.threshold);
      expect(Math.abs(design.weights.reduce((sum, w) => sum + w, 0) - 1)).toBeLessThan(1e-14);
      design.weights.forEach((w, k) => {
        const sent = design.transmit.at(k, 0).data.some((x) => x !== 0);
        expect([w > 0, sent]).toEqual([devices.includes(k), devices.includes(k)]);
      });
    }
  });

  it("is no worse than the same design made by itself", () => {
    const { devices, distortion } = selectDevices(example);
    const order = [...devices];
    const { matrices, subcarriers, receiveAntennas, transmitAntennas } = example.channel;
    const stack = new ComplexStack([order.length, subcarriers, receiveAntennas, transmitAntennas]);
    const size = matrices.data.length / example.channel.devices;
    order.forEach((k, i) => {
      stack.data.set(matrices.data.subarray(k * size, (k + 1) * size), i * size);
    });
    const { streams, power, noiseVariance } = example;
    const alone = designBeamformers({
      channel: channelFrom(stack),
      streams,
      power,
      noiseVariance,
      scheme: "manifold",
      effort: "fast",
    });
    expect(distortion).toBeLessThanOrEqual(alone.distortion * (1 + 1e-12));
  });

  it("is what the link aggregates", () => {
    const { devices, design, distortion } = selectDevices(example);
    const gradients = Array.from({ length: 6 }, (_, k) => {
      const stream = randomStream(k, "gradient");
      return Float64Array.from({ length: 4000 }, () => stream.normal());
    });
    const channel = example.channel as TrueChannel;
    const sent = aggregateOverTheAir({ gradients, channel, design, noiseVariance: 1, seed: 1 });
    const error = sent.estimate.reduce((sum, x, i) => {
      const mean = devices.reduce((total, k) => total + gradients[k]![i]! / devices.length, 0);
      return sum + (x - mean) ** 2;
    }, 0);
    const ratio = error / (4000 * sent.packScale ** 2 * distortion);
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.25);
  });

  it("grows with the threshold and shrinks with the noise", () => {
    for (const seed of [1, 2, 3]) {
      const options = problem(seed, { devices: 6 });
      const { threshold } = asking(options, 1);
      const sizes = (list: readonly SelectionOptions[]): number[] =>
        list.map(selectDevices).map(({ feasible, devices }) => (feasible ? devices.length : 0));
      const parts = [0.4, 0.6, 0.75, 0.9, 1];
      const byThreshold = sizes(parts.map((part) => ({ ...options, threshold: part * threshold })));
      expect(byThreshold).toEqual([...byThreshold].sort((a, b) => a - b));
      expect(byThreshold.at(-1)).toBe(6);
      const noises = [4, 1.3, 1, 0.8, 0.2];
      const byNoise = sizes(
        noises.map((noiseVariance) => ({ ...options, noiseVariance, threshold: 0.8 * threshold })),
      );
      expect(byNoise).toEqual([...byNoise].sort((a, b) => a - b));
    }
  });

  it("follows the devices when they change places", () => {
    const order = [3, 0, 5, 1, 4, 2];
    for (const seed of [EXAMPLE, 1, 2, 3]) {
      const options = asking(problem(seed, { devices: 6 }), 0.75);
      const before = selectDevices(options);
      const after = selectDevices(permuted(options, order));
      expect(after.devices.map((k) => order[k]!).sort((a, b) => a - b)).toEqual(before.devices);
      expect(Math.abs(after.distortion / before.distortion - 1)).toBeLessThan(1e-3);
    }
  });

  it("leaves out whom nobody hears", () => {
    const { matrices } = example.channel;
    const data = matrices.data.slice();
    data.fill(0, data.length / 6, data.length / 3); // device 1
    const channel = channelFrom(new ComplexStack(matrices.shape, data));
    const power = [100, 100, 0, 100, 100, 100]; // device 2
    const weights = [1, 1, 1, 0, 1, 1]; // device 3
    const options = { ...example, channel, power, weights, threshold: TOGETHER };
    expect(selectDevices(options)).toMatchObject({
      devices: [0, 4, 5],
      feasible: true,
      reason: "all-devices",
    });
    expect(selectDevices({ ...options, threshold: 1e-9 }).devices).not.toContain(1);
    // a device without symbols sends nothing
    const correlation = [0, 1, 2, 3, 4, 5].map((k) =>
      [0, 1, 2, 3, 4, 5].map((j) => (k === j && k < 5 ? 1 : 0)),
    );
    expect(selectDevices({ ...options, correlation }).devices).toEqual([0, 4]);
  });

  it("takes the heavy devices for the weight, many for the count", () => {
    for (const seed of [2, 5, 7, 11]) {
      const options = problem(seed, { devices: 6 });
      const weights = someWeights(6, seed);
      const asked = asking({ ...options, weights }, 0.75);
      const weight = (chosen: DeviceSelection): number =>
        chosen.devices.reduce((sum, k) => sum + weights[k]!, 0);
      const many = selectDevices(asked);
      const heavy = selectDevices({ ...asked, objective: "weight" });
      expect(heavy.feasible).toBe(many.feasible);
      if (!many.feasible) continue;
      expect(weight(heavy)).toBeGreaterThanOrEqual(weight(many) * (1 - 1e-12));
      expect(many.devices.length).toBeGreaterThanOrEqual(heavy.devices.length);
    }
  });

  it("keeps the required devices", () => {
    const free = selectDevices(example);
    const left = [0, 1, 2, 3, 4, 5].filter((k) => !free.devices.includes(k));
    expect(left.length).toBeGreaterThan(0);
    const required = [left[0]!];
    for (const exhaustive of [false, true]) {
      const bound = selectDevices({ ...example, required, exhaustive });
      expect(bound.devices).toContain(left[0]);
      if (bound.feasible) expect(bound.devices.length).toBeLessThanOrEqual(free.devices.length);
    }
    const all = selectDevices({ ...example, required: [5, 4, 3, 2, 1, 0] });
    expect(all).toMatchObject({ devices: [0, 1, 2, 3, 4, 5], feasible: false, reason: "threshold-not-met" });
  });

  it("is known to fall short where nothing meets the threshold", () => {
    const { devices, feasible, reason, distortion, rows } = selectDevices({ ...example, threshold: 1e-9 });
    expect([feasible, reason]).toEqual([false, "threshold-not-met"]);
    expect(devices.length).toBeGreaterThan(0);
    expect(rows.map((row) => row.distortion).every((d) => d >= distortion)).toBe(true);
  });

  it("is finite where nobody is heard, and where only one is", () => {
    const channel = channelFrom(new ComplexStack([3, 1, 2, 1]));
    const options = { channel, streams: 1, power: 1, noiseVariance: 1, threshold: 0.1 };
    const { devices, distortion, feasible, reason } = selectDevices(options);
    expect([devices, feasible, reason]).toEqual([[], false, "no-device-heard"]);
    expect(Math.abs(distortion - 1 / 3)).toBeLessThan(1e-12);
    const one = channelFrom(new ComplexStack([1, 1, 1, 1], Float64Array.of(1, 0)));
    expect(selectDevices({ ...options, channel: one })).toMatchObject({ devices: [0], feasible: false });
    // a device alone has omega = 1 / (1 + SNR)
    expect(selectDevices({ ...options, channel: one, power: 9.01 })).toMatchObject({ feasible: true });
  });

  it("works on estimated channels, at extreme SNR and with other schemes", () => {
    const options = problem(4, { devices: 4 });
    const estimate = estimateChannel(options.channel as TrueChannel, { pilotSnrDb: 10, seed: 1 });
    for (const changed of [
      { channel: estimate },
      { power: 1e6 },
      { power: 1e-3 },
      { scheme: "alternating" as const },
      { scheme: "mrc" as const },
    ]) {
      const { devices, distortion, feasible, threshold } = selectDevices(
        asking({ ...options, ...changed }, 0.9),
      );
      expect(devices.length).toBeGreaterThan(0);
      expect(distortion > 0 && feasible === distortion <= threshold).toBe(true);
    }
  });
});

describe("the record", () => {
  it("improves from row to row, and is the same every time", () => {
    const seen: SelectionRow[] = [];
    const first = selectDevices({ ...example, onProgress: (row) => seen.push(row) });
    const second = selectDevices(example);
    expect(seen).toEqual(first.rows);
    expect(JSON.stringify(second)).toBe(JSON.stringify(first));
    expect(second.design.receive.data).toEqual(first.design.receive.data);
    expect(second.design.transmit.data).toEqual(first.design.transmit.data);
    expect(first.rows.at(-1)).toMatchObject({ devices: first.devices, distortion: first.distortion });
    first.rows.slice(1).forEach((row, i) => {
      const before = first.rows[i]!;
      const order = [
        Number(row.feasible) - Number(before.feasible),
        row.feasible ? row.size - before.size : 0,
        before.distortion - row.distortion,
      ];
      expect(order.find((x) => x !== 0)).toBeGreaterThan(0);
    });
  });

  it("ends early when aborted, with the best so far", () => {
    const control = new AbortController();
    const whole = selectDevices(example);
    const cut = selectDevices({
      ...example,
      signal: control.signal,
      onProgress: ({ evaluations }) => evaluations > 3 && control.abort(),
    });
    expect(cut.reason).toBe("aborted");
    expect(cut.evaluations).toBeLessThan(whole.evaluations);
    expect(cut.devices).toEqual(cut.rows.at(-1)!.devices);
    control.abort();
    for (const exhaustive of [false, true]) {
      const none = selectDevices({ ...example, exhaustive, signal: control.signal });
      expect([none.reason, Number.isFinite(none.distortion)]).toEqual(["aborted", true]);
    }
  });
});

describe("bad input", () => {
  const dead = { ...example, power: [1, 1, 1, 1, 1, 0] };
  it.each([
    ["threshold", { ...example, threshold: 0 }],
    ["threshold", { ...example, threshold: Number.NaN }],
    ["objective", { ...example, objective: "size" }],
    ["required", { ...example, required: 3 }],
    ["required[0]", { ...example, required: [6] }],
    ["required[0]", { ...example, required: [0.5] }],
    ["required[1]", { ...example, required: [2, 2] }],
    ["required[0]", { ...dead, required: [5] }],
    ["scheme", { ...example, scheme: "digital" }],
    ["effort", { ...example, effort: "much" }],
    ["seed", { ...example, seed: -1 }],
    ["signal", { ...example, signal: 1 }],
    ["onProgress", { ...example, onProgress: 1 }],
    ["exhaustive", { ...example, exhaustive: 1 }],
    ["exhaustive", { ...problem(1, { devices: 13 }), threshold: 0.1, exhaustive: true }],
    ["certify", { ...example, certify: true }],
    ["streams", { ...example, streams: 9 }],
    ["selectDevices.treshold", { ...example, treshold: 1 }],
  ])("names %s", (field, options) => {
    const call = (): unknown => selectDevices(options as SelectionOptions);
    expect(call).toThrow(InputError);
    expect(call).toThrow(expect.objectContaining({ field }));
  });
});
