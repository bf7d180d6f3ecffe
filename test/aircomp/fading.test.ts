import { describe, expect, test } from "vitest";
import { besselJ0 } from "../../src/aircomp/bessel.ts";
import {
  type Coherence,
  designBeamformers,
  evaluateDesign,
  expectedEvaluation,
  type FadingOptions,
  fadingChannel,
  outdatedChannel,
  rayleighChannel,
  ricianChannel,
} from "../../src/aircomp/index.ts";

const base = {
  devices: 2,
  subcarriers: 3,
  receiveAntennas: 3,
  transmitAntennas: 2,
  taps: 2,
  seed: 5,
} as const;
const rician = { ...base, kFactorDb: 3, gains: [2, 0.5], receiveCorrelation: 0.6 } as const;
const single = { devices: 1, subcarriers: 1, receiveAntennas: 1, transmitAntennas: 1, taps: 1 } as const;
const coherences: [string, Coherence][] = [
  ["ar1", { model: "ar1", correlation: 0.8 }],
  ["ar1 of alternating sign", { model: "ar1", correlation: -0.7 }],
  ["jakes", { model: "jakes", normalisedDoppler: 0.12, rounds: 12 }],
];

/** Mean over all entries of two rounds of Re(a conj b), with its standard error. */
function product(a: Float64Array, b: Float64Array): { readonly mean: number; readonly error: number } {
  const n = a.length / 2;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < a.length; i += 2) {
    const x = a[i]! * b[i]! + a[i + 1]! * b[i + 1]!;
    sum += x;
    squares += x * x;
  }
  return { mean: sum / n, error: Math.sqrt((squares / n - (sum / n) ** 2) / n) };
}

describe("J0", () => {
  // its power series in exact rational arithmetic
  test.each([
    [0.0, 1],
    [0.125, 0.99609756304198516],
    [1.0, 0.76519768655796661],
    [2.5, -0.048383776468197998],
    [5.0, -0.17759677131433829],
    [10.0, -0.24593576445134835],
    [20.0, 0.16702466434058316],
    [24.5, 0.023697433734067901],
    [25.0, 0.096266783275958112],
    [25.5, 0.14406215754684787],
    [30.0, -0.086367983581040211],
    [50.0, 0.055812327669251816],
    [100.0, 0.019985850304223122],
  ])("J0(%f)", (z, expected) => {
    expect(Math.abs(besselJ0(z) - expected)).toBeLessThan(3e-15);
    expect(besselJ0(-z)).toBe(besselJ0(z));
  });

  test("zeros, and both formulas alike where they meet", () => {
    for (const zero of [2.404825557695773, 5.520078110286311, 30.634606468431976]) {
      expect(Math.abs(besselJ0(zero))).toBeLessThan(3e-15);
    }
    // J0' = -J1, and J1(25) = -0.12535...
    expect(Math.abs(besselJ0(25 + 1e-13) - besselJ0(25) - 0.12535e-13)).toBeLessThan(3e-15);
  });
});

describe.each(coherences)("block fading, %s", (_, coherence) => {
  // independent entries: one tap, one subcarrier
  const wide = { devices: 1, subcarriers: 1, receiveAntennas: 80, transmitAntennas: 80, seed: 3 } as const;

  test("every round has the variance of the gains, every lag its correlation", () => {
    const fading = fadingChannel({ ...wide, gains: [3], coherence });
    const rounds = [0, 1, 2, 3, 5, 8, 11].map((t) => ({ t, data: fading.at(t).matrices.data }));
    for (const a of rounds) {
      for (const b of rounds) {
        if (b.t < a.t) continue;
        const { mean, error } = product(a.data, b.data);
        expect(Math.abs(mean - 3 * fading.correlation(b.t - a.t))).toBeLessThan(4.5 * error);
        expect(error).toBeLessThan(0.05);
      }
    }
  });

  test("devices, antennas and taps change by themselves", () => {
    const one = { ...wide, devices: 2, subcarriers: 2, taps: 2, delayProfile: "uniform" } as const;
    const fading = fadingChannel({ ...one, coherence });
    const taps = [2, 3].map((t) => {
      const { data } = fading.at(t).matrices;
      const size = data.length / 4;
      // H_0 = a + b, H_1 = a - b
      return [0, 1].flatMap((k) => {
        const [low, high] = [0, 1].map((m) => data.subarray((2 * k + m) * size, (2 * k + m + 1) * size));
        return [low!.map((x, i) => (x + high![i]!) / 2), low!.map((x, i) => (x - high![i]!) / 2)];
      });
    });
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        const { mean, error } = product(taps[0]![i]!, taps[1]![j]!);
        expect(Math.abs(mean - (i === j ? fading.correlation(1) / 2 : 0))).toBeLessThan(4.5 * error);
      }
      const shifted = Float64Array.from(
        taps[1]![i]!,
        (_x, n) => taps[1]![i]![(n + 2) % taps[1]![i]!.length]!,
      );
      const { mean, error } = product(taps[0]![i]!, shifted);
      expect(Math.abs(mean)).toBeLessThan(4.5 * error);
    }
  });

  test("the correlation of the antennas stays", () => {
    const fading = fadingChannel({
      ...wide,
      transmitAntennas: 400,
      receiveAntennas: 2,
      receiveCorrelation: 0.7,
      coherence,
    });
    const { data } = fading.at(6).matrices;
    const { mean, error } = product(data.subarray(0, 800), data.subarray(800));
    expect(Math.abs(mean - 0.7)).toBeLessThan(4.5 * error);
  });

  test("round 0 is the channel of the options; same seed, same bits, in any order", () => {
    expect(fadingChannel({ ...base, coherence }).at(0)).toEqual(rayleighChannel(base));
    expect(fadingChannel({ ...rician, coherence }).at(0)).toEqual(ricianChannel(rician));
    const forward = fadingChannel({ ...rician, coherence });
    const inOrder = Array.from({ length: 12 }, (_x, t) => forward.at(t));
    const other = fadingChannel({ ...rician, coherence });
    for (const t of [11, 0, 7, 7, 1, 10]) expect(other.at(t)).toEqual(inOrder[t]);
    expect(fadingChannel({ ...rician, seed: 6, coherence }).at(3)).not.toEqual(inOrder[3]);
  });

  test("the line of sight stays, and only the rest changes", () => {
    const fading = fadingChannel({ ...rician, kFactorDb: 200, taps: 1, coherence });
    const first = fading.at(0).matrices.data;
    fading.at(9).matrices.data.forEach((x, i) => {
      expect(Math.abs(x - first[i]!)).toBeLessThan(1e-9);
    });
    // the share x/(x + 1) of the first tap
    const flat = fadingChannel({ ...rician, taps: 1, coherence });
    const factor = 10 ** 0.3;
    flat.lineOfSight.at(0, 1).data.forEach((x, i, all) => {
      if (i % 2 === 0) expect(x ** 2 + all[i + 1]! ** 2).toBeCloseTo((2 * factor) / (factor + 1), 12);
    });
    flat.scatteredVariance.forEach((v, k) => {
      expect(v).toBeCloseTo(rician.gains[k]! / (factor + 1), 12);
    });
  });

  test.each([
    ["measured without noise", base, undefined],
    ["Rician, measured by pilots", { ...rician, receiveCorrelation: 0 }, { pilotSnrDb: 10, seed: 4 }],
  ])("outdated: the expected MSE is the mean over what happens since; %s", (_name, model, pilots) => {
    // the mean over both rounds of true minus expected MSE
    const differences = Array.from({ length: 200 }, (_x, seed) => {
      const fading = fadingChannel({ ...model, seed, coherence } as FadingOptions);
      const known = outdatedChannel(fading, 2, 4, pilots);
      const noiseVariance = 0.1;
      const design = designBeamformers({
        channel: known,
        streams: 1,
        power: 3,
        noiseVariance,
        scheme: "random",
        certificate: false,
        seed,
      });
      const expected = expectedEvaluation(known, design, { noiseVariance }).mse;
      return evaluateDesign(fading.at(4), design, { noiseVariance }).mse / expected - 1;
    });
    const mean = differences.reduce((sum, x) => sum + x, 0) / differences.length;
    const variance = differences.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (differences.length - 1);
    const error = Math.sqrt(variance / differences.length);
    expect(Math.abs(mean)).toBeLessThan(4 * error);
    expect(error).toBeLessThan(0.05);
  });

  test("outdated by no round at all: the channel, or its estimate", () => {
    const fading = fadingChannel({ ...rician, coherence });
    const now = outdatedChannel(fading, 3, 3);
    expect(now.errorVariance).toEqual([0, 0]);
    fading.at(3).matrices.data.forEach((x, i) => {
      expect(now.matrices.data[i]!).toBeCloseTo(x, 13);
    });
    const noisy = outdatedChannel(fading, 3, 3, { errorVariance: [0.2, 0.1], seed: 1 });
    expect(noisy.errorVariance).toEqual([0.2, 0.1]);
  });
});

describe("limits", () => {
  test("rho = 1 and no Doppler shift: constant; rho = 0: nothing is left of round 0; rho = -1: the sign turns", () => {
    const at = (coherence: Coherence, t: number) => fadingChannel({ ...base, coherence }).at(t).matrices.data;
    const first = rayleighChannel(base).matrices.data;
    expect(at({ model: "ar1", correlation: 1 }, 7)).toEqual(first);
    expect(at({ model: "ar1", normalisedDoppler: 0 }, 7)).toEqual(first);
    expect(at({ model: "jakes", normalisedDoppler: 0, rounds: 9 }, 7)).toEqual(first);
    expect(at({ model: "ar1", correlation: -1 }, 3)).toEqual(first.map((x) => -x));
    const independent = fadingChannel({ ...base, coherence: { model: "ar1", correlation: 0 } });
    const unlike = fadingChannel({ ...base, coherence: { model: "ar1", correlation: 1e-300 } });
    expect(independent.at(1).matrices.data).toEqual(unlike.at(1).matrices.data);
    expect(outdatedChannel(independent, 0, 1).errorVariance).toEqual([1, 1]);
  });

  test("the Doppler frequency gives rho = J0(2 pi f); Jakes has it at every lag", () => {
    const f = 0.2;
    const ar1 = fadingChannel({ ...base, coherence: { model: "ar1", normalisedDoppler: f } });
    const jakes = fadingChannel({ ...base, coherence: { model: "jakes", normalisedDoppler: f, rounds: 4 } });
    expect(ar1.correlation(1)).toBe(jakes.correlation(1));
    expect(ar1.correlation(-3)).toBeCloseTo(besselJ0(2 * Math.PI * f) ** 3, 15);
    expect(jakes.correlation(3)).toBe(besselJ0(2 * Math.PI * f * 3));
  });

  test.each([
    [{ coherence: undefined }, /^coherence: found undefined/],
    [{ coherence: { model: "x" } }, /^coherence.model: found "x"/],
    [{ coherence: { model: "ar1" } }, /^coherence.correlation: found undefined/],
    [{ coherence: { model: "ar1", correlation: 1.1 } }, /correlation: found 1.1/],
    [
      { coherence: { model: "ar1", correlation: 1, normalisedDoppler: 1 } },
      /^coherence: found both correlation and normalisedDoppler/,
    ],
    [{ coherence: { model: "jakes", normalisedDoppler: 0.1 } }, /rounds: found undefined/],
    [
      { coherence: { model: "jakes", normalisedDoppler: 1e4, rounds: 1e9 } },
      /rounds: found 1000000000 rounds/,
    ],
    [
      // one entry: there is room, but not in a reasonable time
      { ...single, coherence: { model: "jakes", normalisedDoppler: 0.1, rounds: 200_000 } },
      /rounds: found 200000 rounds .* expected fewer rounds, a lower Doppler .* at most 65536 scatterers/,
    ],
    [{ devices: 0 }, /^channel.devices/],
    [{ surprise: 1 }, /^channel.surprise: found an unknown option/],
  ])("refuses %j", (change, message) => {
    const coherence = { model: "ar1", correlation: 0.5 };
    expect(() => fadingChannel({ ...base, coherence, ...change } as never)).toThrow(message);
  });

  test("refuses rounds that do not exist", () => {
    const fading = fadingChannel({
      ...base,
      coherence: { model: "jakes", normalisedDoppler: 0.1, rounds: 3 },
    });
    expect(() => fading.at(3)).toThrow(/^round: found 3, expected a whole number from 0 to 2/);
    expect(() => fading.at(-1)).toThrow(/^round: found -1/);
    const ar1 = fadingChannel({ ...base, coherence: { model: "ar1", correlation: 0.5 } });
    expect(() => ar1.at(2 ** 24 + 1)).toThrow(
      /^round: found 16777217, expected a whole number from 0 to 16777216/,
    );
    expect(() => outdatedChannel(fading, 2, 1)).toThrow(/^used: found 1/);
  });
});
