import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channelSchema } from "../../src/aircomp/channel-spec.ts";
import {
  channelFrom,
  designBeamformers,
  type RayleighOptions,
  type RicianOptions,
  rayleighChannel,
  ricianChannel,
  specifiedChannel,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { parseInput, toComplexJson } from "../../src/core/index.ts";
import { ComplexStack, entry, svd } from "../../src/linalg/index.ts";
import { randomStack, runs } from "./support.ts";

const base = { devices: 3, subcarriers: 4, receiveAntennas: 3, transmitAntennas: 2, seed: 5 } as const;

/** Mean of f over the squared moduli of one device's entries, and their number. */
function meanPower(channel: TrueChannel, device: number): { mean: number; count: number } {
  const count = channel.matrices.data.length / 2 / channel.devices;
  const own = channel.matrices.data.subarray(2 * device * count, 2 * (device + 1) * count);
  return { mean: own.reduce((sum, x) => sum + x * x, 0) / count, count };
}

describe("Rayleigh", () => {
  test("E|entry|^2 is the gain of the device: independent entries", () => {
    const gains = [1, 0.01, 7, 0];
    const size = { ...base, devices: 4, subcarriers: 1, receiveAntennas: 128, transmitAntennas: 128 };
    const channel = rayleighChannel({ ...size, gains });
    gains.forEach((gain, k) => {
      const { mean, count } = meanPower(channel, k);
      // |entry|^2 is exponential: its standard deviation is its mean
      expect(Math.abs(mean - gain)).toBeLessThanOrEqual((5 * gain) / Math.sqrt(count));
    });
  });

  test("E|entry|^2 = 1 on every subcarrier for every delay profile", () => {
    for (const delayProfile of [
      "exponential",
      "uniform",
      "tdl-a",
      "tdl-b",
      "tdl-c",
      [1, 0, 2, 0, 0, 0, 0, 1],
    ] as const) {
      const size = { ...base, devices: 1, subcarriers: 6, receiveAntennas: 100, transmitAntennas: 100 };
      const channel = rayleighChannel({ ...size, taps: 8, delaySpread: 1.5, delayProfile });
      for (let m = 0; m < 6; m++) {
        const power = channel.matrices.at(0, m).data.reduce((sum, x) => sum + x * x, 0) / 1e4;
        expect(Math.abs(power - 1)).toBeLessThan(5 / 100);
      }
    }
  });

  test("real and imaginary parts are uncorrelated, with half the power each, and mean 0", () => {
    const { data } = rayleighChannel({
      ...base,
      devices: 1,
      subcarriers: 1,
      receiveAntennas: 200,
      transmitAntennas: 200,
    }).matrices;
    const n = data.length / 2;
    const sums = [0, 0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const [re, im] = [data[2 * i]!, data[2 * i + 1]!];
      [re, im, re * re - 0.5, im * im - 0.5, re * im].forEach((x, j) => {
        sums[j]! += x / n;
      });
    }
    const deviations = [Math.SQRT1_2, Math.SQRT1_2, Math.SQRT1_2, Math.SQRT1_2, 0.5];
    sums.forEach((mean, j) => {
      expect(Math.abs(mean)).toBeLessThan((5 * deviations[j]!) / Math.sqrt(n));
    });
  });

  test("same seed, same bits; another seed, another channel; more devices leave the others as they are", () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 40),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 7 }),
        (seed, devices, subcarriers) => {
          const options: RayleighOptions = {
            ...base,
            devices,
            subcarriers,
            taps: 3,
            seed,
            pathLoss: { positions: { radius: 9 }, shadowingDb: 3 },
          };
          const channel = rayleighChannel(options);
          expect(rayleighChannel(options).matrices.data).toEqual(channel.matrices.data);
          const more = rayleighChannel({ ...options, devices: devices + 2 }).matrices.data;
          expect(more.subarray(0, channel.matrices.data.length)).toEqual(channel.matrices.data);
          expect(rayleighChannel({ ...options, seed: seed + 1 }).matrices.data).not.toEqual(
            channel.matrices.data,
          );
          const rician: RicianOptions = { ...options, kFactorDb: 3 };
          const sight = ricianChannel(rician).matrices.data;
          const moreSight = ricianChannel({ ...rician, devices: devices + 2 }).matrices.data;
          expect(moreSight.subarray(0, sight.length)).toEqual(sight);
        },
      ),
      runs(30),
    );
  });

  test("H_km is the direct sum over the taps: any M, also M < taps", () => {
    const taps = 7;
    const options = { ...base, devices: 2, taps, delaySpread: 3, gains: [2, 0.5] };
    // the taps themselves, read back from a channel with as many subcarriers as taps or more
    const wide = rayleighChannel({ ...options, subcarriers: 16 }).matrices;
    const impulse = (k: number, l: number, i: number): [number, number] => {
      let [re, im] = [0, 0];
      for (let m = 0; m < 16; m++) {
        const angle = (2 * Math.PI * ((l * m) % 16)) / 16;
        const { data } = wide.at(k, m);
        re += (data[2 * i]! * Math.cos(angle) - data[2 * i + 1]! * Math.sin(angle)) / 16;
        im += (data[2 * i]! * Math.sin(angle) + data[2 * i + 1]! * Math.cos(angle)) / 16;
      }
      return [re, im];
    };
    for (let i = 0; i < 6; i++) {
      for (let l = taps; l < 16; l++) expect(Math.hypot(...impulse(0, l, i))).toBeLessThan(1e-14);
    }
    for (const subcarriers of [1, 2, 3, 5, 6, 7, 8, 12, 31]) {
      const { matrices } = rayleighChannel({ ...options, subcarriers });
      for (let k = 0; k < 2; k++) {
        for (let m = 0; m < subcarriers; m++) {
          for (let i = 0; i < 6; i++) {
            let [re, im] = [0, 0];
            for (let l = 0; l < taps; l++) {
              const angle = (-2 * Math.PI * l * m) / subcarriers;
              const [x, y] = impulse(k, l, i);
              re += x * Math.cos(angle) - y * Math.sin(angle);
              im += x * Math.sin(angle) + y * Math.cos(angle);
            }
            const { data } = matrices.at(k, m);
            expect(Math.hypot(data[2 * i]! - re, data[2 * i + 1]! - im)).toBeLessThan(1e-13);
          }
        }
      }
    }
  });

  test("Kronecker correlation: E h_ij conj(h_pq) = rho_r^|i-p| rho_t^|j-q|", () => {
    const [rhoR, rhoT, devices] = [0.7, 0.4, 20000];
    const size = { ...base, devices, subcarriers: 1, receiveAntennas: 3, transmitAntennas: 2 };
    const { data } = rayleighChannel({
      ...size,
      receiveCorrelation: rhoR,
      transmitCorrelation: rhoT,
    }).matrices;
    for (let a = 0; a < 6; a++) {
      for (let b = 0; b < 6; b++) {
        let [re, im] = [0, 0];
        for (let k = 0; k < devices; k++) {
          const [p, q] = [2 * (6 * k + a), 2 * (6 * k + b)];
          re += (data[p]! * data[q]! + data[p + 1]! * data[q + 1]!) / devices;
          im += (data[p + 1]! * data[q]! - data[p]! * data[q + 1]!) / devices;
        }
        const expected = rhoR ** Math.abs((a >> 1) - (b >> 1)) * rhoT ** Math.abs((a & 1) - (b & 1));
        // the product of two such entries has variance 1
        expect(Math.abs(re - expected)).toBeLessThan(5 / Math.sqrt(devices));
        expect(Math.abs(im)).toBeLessThan(5 / Math.sqrt(devices));
      }
    }
  });
});

describe("Rician", () => {
  const size = { ...base, receiveAntennas: 4, transmitAntennas: 3 };

  test("K-factor 300 dB: rank one on every subcarrier, entries of modulus 1, phases of the steering vectors", () => {
    const arrivalAngles = [0.3, -0.8, 0];
    const departureAngles = [0.5, 0, -1];
    const { matrices } = ricianChannel({ ...size, kFactorDb: 300, arrivalAngles, departureAngles });
    for (let k = 0; k < 3; k++) {
      for (let m = 0; m < 4; m++) {
        const h = matrices.at(k, m);
        const { s } = svd(h);
        expect(s[1]!).toBeLessThan(1e-14 * s[0]!);
        for (let row = 0; row < 4; row++) {
          for (let col = 0; col < 3; col++) {
            const phase = Math.PI * (row * Math.sin(arrivalAngles[k]!) - col * Math.sin(departureAngles[k]!));
            const ratio = entry(h, row, col).div(entry(h, 0, 0));
            expect(ratio.re).toBeCloseTo(Math.cos(phase), 12);
            expect(ratio.im).toBeCloseTo(Math.sin(phase), 12);
            expect(entry(h, row, col).abs()).toBeCloseTo(1, 12);
          }
        }
      }
    }
  });

  test("K-factor -300 dB: the Rayleigh channel of the same seed", () => {
    const options = { ...size, taps: 3 };
    const plain = rayleighChannel(options).matrices.data;
    const found = ricianChannel({ ...options, kFactorDb: -300 }).matrices.data;
    found.forEach((x, i) => {
      expect(x).toBeCloseTo(plain[i]!, 12);
    });
  });

  test("split of the power between line of sight and scattering; mean power 1", () => {
    const factor = 10 ** 0.5;
    const n = 60;
    const devices = 40;
    const options = { ...base, devices, subcarriers: 1, receiveAntennas: n, transmitAntennas: n };
    const angles = Array.from({ length: devices }, () => 0);
    const { matrices } = ricianChannel({
      ...options,
      kFactorDb: 5,
      arrivalAngles: angles,
      departureAngles: angles,
    });
    let direct = 0;
    let total = 0;
    let phases = 0;
    for (let k = 0; k < devices; k++) {
      const { data } = matrices.at(k, 0);
      let [re, im] = [0, 0];
      for (let i = 0; i < data.length; i += 2) {
        re += data[i]! / n ** 2;
        im += data[i + 1]! / n ** 2;
      }
      // at broadside all entries share the line of sight
      direct += (re * re + im * im) / devices;
      phases += re / Math.hypot(re, im) / devices;
      total += data.reduce((sum, x) => sum + x * x, 0) / n ** 2 / devices;
    }
    const scattered = 1 / (factor + 1);
    const share = factor * scattered;
    // the mean of n^2 scattered entries adds scattered/n^2 in the mean, and a cross term to the deviation
    const deviation = Math.sqrt((2 * share * scattered) / n ** 2 / devices);
    expect(Math.abs(direct - share - scattered / n ** 2)).toBeLessThan(5 * deviation);
    expect(Math.abs(total - 1)).toBeLessThan(
      5 * Math.sqrt((scattered ** 2 + 2 * share * scattered) / n ** 2 / devices),
    );
    // the common phase is random
    expect(Math.abs(phases)).toBeLessThan(5 * Math.sqrt(0.5 / devices));
  });

  test("only the first tap has a line of sight", () => {
    const options = {
      ...size,
      devices: 1,
      subcarriers: 8,
      taps: 4,
      delayProfile: "uniform" as const,
      kFactorDb: 300,
    };
    const { matrices } = ricianChannel(options);
    const mean = (row: number, col: number) => {
      let [re, im] = [0, 0];
      for (let m = 0; m < 8; m++) {
        re += entry(matrices.at(0, m), row, col).re / 8;
        im += entry(matrices.at(0, m), row, col).im / 8;
      }
      return Math.hypot(re, im);
    };
    // the mean over the subcarriers is tap 0: sqrt(1/4) everywhere
    for (let row = 0; row < 4; row++)
      for (let col = 0; col < 3; col++) expect(mean(row, col)).toBeCloseTo(0.5, 12);
    expect(svd(matrices.at(0, 0)).s[1]!).toBeGreaterThan(1e-3);
  });
});

describe("channelFrom", () => {
  test("copies a stack or its JSON form", () => {
    const stack = randomStack([2, 3, 4, 2], 1);
    const channel = channelFrom(stack);
    expect(channel).toMatchObject({
      kind: "true",
      devices: 2,
      subcarriers: 3,
      receiveAntennas: 4,
      transmitAntennas: 2,
    });
    expect(channel.matrices.data).toEqual(stack.data);
    const before = channel.matrices.data.slice();
    stack.data.fill(0);
    expect(channel.matrices.data).toEqual(before);
    const json = JSON.parse(JSON.stringify(toComplexJson(channel.matrices)));
    expect(channelFrom(json).matrices.data).toEqual(before);
  });

  test.each([
    [new ComplexStack([2, 3, 4]), /^channel: found shape \[2, 3, 4\], expected shape \[K, M, Nr, Nt\]/],
    [new ComplexStack([2, 0, 1, 1]), /^channel: found shape \[2, 0, 1, 1\], expected every dimension >= 1/],
    [
      new ComplexStack([1, 1, 1, 1], Float64Array.of(0, Number.NaN)),
      /^channel: found NaN \(imaginary part of entry \[0, 0, 0, 0\]\), expected at most 1e100/,
    ],
    [
      new ComplexStack([1, 1, 1, 2], Float64Array.of(0, 1, 1 / 0, 0)),
      /^channel: found Infinity \(real part of entry \[0, 0, 0, 1\]\)/,
    ],
    [{ shape: [1, 1, 1, 1], re: [1], im: [] }, /^channel.im/],
    [{ shape: [1, 1, 1, 1], re: [1] }, /^channel.im/],
    [null, /^channel: found null/],
    ["h.npy", /^channel: found "h.npy"/],
    [undefined, /^channel: found undefined/],
  ])("refuses %#", (source, message) => {
    expect(() => channelFrom(source as ComplexStack)).toThrow(message);
  });
});

test.each([
  [{ devices: 0 }, /^channel.devices: found 0, expected a whole number >= 1/],
  [{ devices: 1.5 }, /^channel.devices: found 1.5/],
  [{ subcarriers: -1 }, /^channel.subcarriers: found -1/],
  [{ receiveAntennas: Number.NaN }, /^channel.receiveAntennas: found NaN/],
  [{ transmitAntennas: "2" }, /^channel.transmitAntennas: found "2"/],
  [{ taps: 0 }, /^channel.taps: found 0/],
  [{ seed: undefined }, /^channel.seed: found undefined/],
  [{ seed: -1 }, /^channel.seed: found -1/],
  [{ speed: 3 }, /^channel.speed: found an unknown option, expected one of devices, /],
  [{ kFactorDb: 3 }, /^channel.kFactorDb: found an unknown option/],
  [{ gains: [1, 1] }, /^channel.gains: found an array of 2 entries, expected an array of 3 numbers/],
  [{ gains: [1, 1, -1] }, /^channel.gains\[2\]: found -1/],
  [
    { gains: [1, 1, 1], pathLoss: { positions: { radius: 1 } } },
    /^channel.gains: found both gains and pathLoss/,
  ],
  [{ receiveCorrelation: 1 }, /^channel.receiveCorrelation: found 1/],
  [{ transmitCorrelation: -0.5 }, /^channel.transmitCorrelation: found -0.5/],
  [
    { devices: 4096, subcarriers: 65536, receiveAntennas: 64 },
    /^channel: found \d+ entries .* expected at most 2\^26/,
  ],
  [{ delayProfile: "flat" }, /elayProfile: found "flat"/],
  [{ delaySpread: 0, taps: 2 }, /elaySpread: found 0/],
  [{ pathLoss: { positions: [] } }, /pathLoss.positions: found an array of 0 entries/],
])("refuses options %j", (change, message) => {
  expect(() => rayleighChannel({ ...base, ...change } as RayleighOptions)).toThrow(message);
});

test.each([
  [{}, /^channel.kFactorDb: found undefined/],
  [{ kFactorDb: 301 }, /^channel.kFactorDb: found 301/],
  [{ kFactorDb: 3, arrivalAngles: [0] }, /^channel.arrivalAngles: found an array of 1 entry/],
  [{ kFactorDb: 3, departureAngles: [0, 0, "x"] }, /^channel.departureAngles\[2\]: found "x"/],
])("refuses Rician options %j", (change, message) => {
  expect(() => ricianChannel({ ...base, ...change } as RicianOptions)).toThrow(message);
});

test("designs and specifications refuse more devices than K x K matrices can be stored for, at once", () => {
  const size = { ...base, subcarriers: 1, receiveAntennas: 1, transmitAntennas: 1 };
  const refused = { name: "InputError", field: "channel.devices", found: "8193" };
  const channel = rayleighChannel({ ...size, devices: 8193 });
  const design = (): unknown => designBeamformers({ channel, streams: 1, power: 1, noiseVariance: 1 });
  expect(design).toThrow(expect.objectContaining(refused));
  const spec = (devices: number): unknown =>
    parseInput(channelSchema, { model: "rayleigh", ...size, devices });
  expect(() => spec(8193)).toThrow(expect.objectContaining({ name: "InputError", found: "8193" }));
  expect(() => spec(8192)).not.toThrow();
  const matrices = toComplexJson(channel.matrices);
  expect(() => specifiedChannel({ model: "given", matrices })).toThrow(/channel\.matrices.*8192 devices/);
});
