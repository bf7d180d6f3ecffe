import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareDelay,
  drawSnr,
  ergodicRate,
  fromDecibels,
  linkCost,
  marcumQ,
  outageProbability,
  scaledExponentialIntegral,
} from "../../src/personal/index.ts";
import { integrate, mismatch, RUNS, refusal, relative } from "./tuning-support.ts";

/** Density of the SNR in the mean 1 by the Bessel series of Rice's distribution, all terms positive. */
function riceDensity(snr: number, kFactor: number): number {
  const x = kFactor * (kFactor + 1) * snr;
  let [term, sum] = [1, 1];
  for (let j = 1; j < 400; j++) sum += term *= x / j / j;
  return (kFactor + 1) * Math.exp(-kFactor - (kFactor + 1) * snr) * sum;
}

describe("scaledExponentialIntegral", () => {
  // e^x E_n(x) in 40 digits (mpmath)
  test.each([
    [1, 1e-300, 690.1983122333122],
    [1, 1e-10, 22.44863526738379],
    [1, 1e-3, 6.337874070325488],
    [1, 0.5, 0.9229106324837305],
    [1, 0.999, 0.5967513133686858],
    [1, 1, 0.5963473623231941],
    [1, 1.5, 0.448256669291583],
    [1, 10, 0.09156333393978808],
    [1, 700, 0.0014265364183008867],
    [1, 1e10, 9.999999999e-11],
    [1, 1e300, 1e-300],
    [2, 1e-10, 0.9999999977551365],
    [2, 0.1, 0.7985357455291549],
    [5, 1e-3, 0.24991670829193074],
    [5, 3, 0.1345326233616999],
    [40, 0.01, 0.025634279825878657],
    [40, 40, 0.012577633909301188],
    [1000, 1e-3, 0.001000999997994992],
    [1000, 1200, 0.0004546393417304335],
    [7, 1e6, 9.999930000559994e-7],
  ])("n = %s at %s", (n, x, expected) => {
    expect(relative(scaledExponentialIntegral(x, n), expected)).toBeLessThan(4e-15);
  });

  test("recursion, bounds and no jump where the methods meet", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -10, max: 10, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        (power, n) => {
          const x = 10 ** power;
          const [value, next] = [scaledExponentialIntegral(x, n), scaledExponentialIntegral(x, n + 1)];
          // DLMF 8.19.12 and 8.19.21
          expect(Math.abs(n * next + x * value - 1)).toBeLessThan(1e-14);
          expect(value).toBeGreaterThan((1 - 1e-14) / (x + n));
          if (n > 1) expect(value).toBeLessThanOrEqual((1 + 1e-14) / (x + n - 1));
        },
      ),
      RUNS,
    );
    expect(relative(scaledExponentialIntegral(1 - 1e-15), scaledExponentialIntegral(1))).toBeLessThan(4e-15);
    expect(refusal(() => scaledExponentialIntegral(0)).field).toBe("x");
    expect(refusal(() => scaledExponentialIntegral(1, 0)).field).toBe("n");
  });
});

describe("marcumQ", () => {
  // Q1 and 1 - Q1 in 40 digits (mpmath)
  test.each([
    [1e-3, 0.5, 0.8824969577406389, 0.1175030422593611],
    [0.5, 1, 0.6427142302725438, 0.3572857697274562],
    [1, 1, 0.7328798037968202, 0.2671201962031798],
    [1, 5, 7.436210694179458e-5, 0.9999256378930582],
    [5, 1, 0.9999872089763835, 1.279102361650681e-5],
    [3, 0.01, 0.9999994445015707, 5.554984292637669e-7],
    [10, 12, 0.02532947429794142, 0.9746705257020586],
    [30, 2, 1, 2.083175245408133e-173],
    [2, 30, 3.154841566119971e-172, 1],
    [100, 100, 0.5019947363373024, 0.4980052636626976],
    [100, 90, 1, 7.224986189401812e-24],
    [1000, 1001, 0.15877620907759596, 0.841223790922404],
    [1000, 970, 1, 4.8324705455507e-198],
    [20, 50, 7.76174540986042e-198, 1],
  ])("a = %s, b = %s", (a, b, q, complement) => {
    const own = marcumQ(a, b);
    expect(relative(own.q, q)).toBeLessThan(1e-12);
    expect(relative(own.complement, complement)).toBeLessThan(1e-12);
  });

  test("monotone, complementary, and at the ends", () => {
    const size = fc.double({ min: 0, max: 200, noNaN: true });
    fc.assert(
      fc.property(size, size, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, more) => {
        const { q, complement } = marcumQ(a, b);
        expect(q >= 0 && q <= 1 && complement >= 0 && complement <= 1).toBe(true);
        expect(Math.abs(q + complement - 1)).toBeLessThan(1e-14);
        expect(marcumQ(a, b + more).q).toBeLessThanOrEqual(q * (1 + 1e-12));
        expect(marcumQ(a + more, b).q).toBeGreaterThanOrEqual(q * (1 - 1e-12));
      }),
      RUNS,
    );
    expect(marcumQ(3, 0)).toEqual({ q: 1, complement: 0 });
    expect(marcumQ(0, 1).q).toBeCloseTo(Math.exp(-0.5), 15);
    expect(marcumQ(1, 1e-200)).toEqual({ q: 1, complement: 0 });
    expect(marcumQ(1e6, 1e6).q).toBeCloseTo(0.5, 6);
    expect(marcumQ(1, 1e300)).toEqual({ q: 0, complement: 1 });
  });
});

describe("outage and ergodic rate", () => {
  const meanSnr = fromDecibels(5);

  test("the values of the model", () => {
    expect(outageProbability({ rate: 1, meanSnr })).toBeCloseTo(0.27110658589, 11);
    expect(ergodicRate({ meanSnr })).toBeCloseTo(1.71597418507, 11);
  });

  // 30 digits (mpmath quadrature of the Rice density)
  test.each([
    [0.1, 3, 1.670293142855649],
    [1, 3.16227766016838, 1.774335800120549],
    [5, 10, 3.262348925028661],
    [10, 1e-3, 0.001441849253667056],
    [10, 1e4, 13.15039470899323],
    [100, 10, 3.447608551132756],
    [1000, 10, 3.458240308850854],
    [3, 1e-8, 1.442695030519593e-8],
    [3, 1e8, 26.17921216839861],
    [30, 100, 6.611903785627785],
  ])("Rician, K = %s, mean %s", (kFactor, mean, expected) => {
    expect(relative(ergodicRate({ meanSnr: mean, kFactor }), expected)).toBeLessThan(1e-13);
  });

  test("against numerical integration of the density", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 12, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        fc.double({ min: 0.1, max: 5, noNaN: true }),
        (kFactor, power, rate) => {
          const mean = 10 ** power;
          const threshold = (2 ** rate - 1) / mean;
          const end = 40;
          // in the square root, which resolves what is near 0
          const over = (f: (x: number) => number, to: number) =>
            integrate((u) => 2 * u * f(u * u) * riceDensity(u * u, kFactor), 0, Math.sqrt(to), 150);
          const below = over(() => 1, Math.min(end, threshold));
          expect(outageProbability({ rate, meanSnr: mean, kFactor })).toBeCloseTo(below, 11);
          const average = over((x) => Math.log1p(mean * x) / Math.LN2, end);
          expect(relative(ergodicRate({ meanSnr: mean, kFactor }), average)).toBeLessThan(1e-11);
        },
      ),
      { ...RUNS, numRuns: 25 },
    );
  });

  test("limits: small K is Rayleigh, large K no fading, tiny and huge SNR, small outages keep their digits", () => {
    for (const mean of [1e-10, 1e-3, 1, 1e3, 1e10]) {
      const rayleigh = ergodicRate({ meanSnr: mean });
      expect(relative(ergodicRate({ meanSnr: mean, kFactor: 1e-14 }), rayleigh)).toBeLessThan(1e-13);
      const still = Math.log1p(mean) / Math.LN2;
      const steady = ergodicRate({ meanSnr: mean, kFactor: 1e6 });
      expect(steady).toBeLessThan(still);
      expect(relative(steady, still)).toBeLessThan(2e-6);
      expect(rayleigh).toBeLessThan(still);
      expect(ergodicRate({ meanSnr: mean, kFactor: 4 })).toBeGreaterThan(rayleigh);
    }
    expect(relative(ergodicRate({ meanSnr: 1e-10 }), (1e-10 * (1 - 1e-10)) / Math.LN2)).toBeLessThan(1e-15);
    expect(relative(ergodicRate({ meanSnr: 1e-99 }), 1e-99 / Math.LN2)).toBeLessThan(1e-15);
    expect(ergodicRate({ meanSnr: 0 })).toBe(0);
    expect(Number.isFinite(ergodicRate({ meanSnr: 1e300, kFactor: 1e6 }))).toBe(true);
    expect(relative(outageProbability({ rate: 1, meanSnr: 1e20 }), 1e-20)).toBeLessThan(1e-15);
    // Rician, rare outage: (K + 1) e^-K t/mean to first order
    const rare = outageProbability({ rate: 1, meanSnr: 1e20, kFactor: 5 });
    expect(relative(rare, 6 * Math.exp(-5) * 1e-20)).toBeLessThan(1e-12);
    expect(outageProbability({ rate: 0, meanSnr: 1 })).toBe(0);
    expect(outageProbability({ rate: 1, meanSnr: 0 })).toBe(1);
    expect(outageProbability({ rate: 900, meanSnr: 1e-300, kFactor: 1e6 })).toBe(1);
    expect(refusal(() => ergodicRate({ meanSnr: -1 })).field).toBe("meanSnr");
    expect(refusal(() => outageProbability({ rate: -1, meanSnr: 1 })).field).toBe("rate");
  });
});

describe("drawSnr", () => {
  test.each([0, 3])("K = %s: mean, outage and ergodic rate of the draws", (kFactor) => {
    const rounds = 40_000;
    const snrs = drawSnr({ clients: 1, meanSnr: 3, kFactor, rounds, seed: 1 });
    const mean = snrs.reduce((sum, x) => sum + x, 0) / rounds;
    // standard deviations of |h|^2: sqrt(2 K + 1)/(K + 1)
    expect(Math.abs(mean / 3 - 1) / (Math.sqrt(2 * kFactor + 1) / (kFactor + 1) / 200)).toBeLessThan(4);
    const outage = outageProbability({ rate: 1, meanSnr: 3, kFactor });
    const share = snrs.filter((x) => Math.log2(1 + x) < 1).length / rounds;
    expect(Math.abs(share - outage) / Math.sqrt((outage * (1 - outage)) / rounds)).toBeLessThan(4);
    const rates = snrs.map((x) => Math.log2(1 + x));
    const rate = rates.reduce((sum, x) => sum + x, 0) / rounds;
    const variance = rates.reduce((sum, x) => sum + (x - rate) ** 2, 0) / rounds;
    expect(Math.abs(rate - ergodicRate({ meanSnr: 3, kFactor })) / Math.sqrt(variance / rounds)).toBeLessThan(
      4,
    );
  });

  test("refuses more draws than fit into memory", () => {
    expect(() => drawSnr({ clients: 2 ** 24, meanSnr: 1, rounds: 2 ** 24, seed: 1 })).toThrow(/^rounds/);
  });

  test("same seed, same bits; more clients or rounds change nothing of the others", () => {
    const given = { clients: 3, meanSnr: [1, 2, 0], kFactor: [0, 4, 1], rounds: 5, seed: 7 };
    const snrs = drawSnr(given);
    expect(drawSnr(given)).toEqual(snrs);
    expect(drawSnr({ ...given, rounds: 2 })).toEqual(snrs.slice(0, 6));
    const more = drawSnr({ ...given, clients: 4, meanSnr: [1, 2, 0, 1], kFactor: [0, 4, 1, 0] });
    expect(more.filter((_, i) => i % 4 < 3)).toEqual(snrs);
    expect(snrs.filter((_, i) => i % 3 === 2).every((x) => x === 0)).toBe(true);
    expect(drawSnr({ ...given, seed: 8 })[0]).not.toBe(snrs[0]);
    expect(refusal(() => drawSnr({ ...given, meanSnr: [1] })).field).toBe("meanSnr");
  });
});

describe("link cost", () => {
  test("rate, delay, energy", () => {
    expect(linkCost({ bits: 6e6, bandwidth: 1e6, snr: 3, power: 0.1 })).toEqual({
      rate: 2e6,
      delay: 3,
      energy: 0.1 * 3,
    });
    expect(linkCost({ bits: 1, bandwidth: 1, snr: 0 }).delay).toBe(Number.POSITIVE_INFINITY);
    expect(linkCost({ bits: 0, bandwidth: 1, snr: 0 }).energy).toBe(0);
    expect(refusal(() => linkCost({ bits: 1, bandwidth: 0, snr: 1 })).field).toBe("bandwidth");
  });

  const given = {
    bytes: 1000,
    symbols: 10,
    symbolDuration: 1e-4,
    snrs: [3, 15, 3, 3],
    clients: 2,
    bandwidth: 1e6,
  };

  test("time: the sum; frequency: the slowest share; over the air: N_sym T_s for all", () => {
    const time = compareDelay(given);
    expect(mismatch(time.digital.delays, [6e-3, 8e-3])).toBeLessThan(1e-14);
    expect(mismatch(time.digital.energies, [6e-3, 8e-3])).toBeLessThan(1e-14);
    expect(time.overTheAir.delay).toBeCloseTo(1e-3, 15);
    expect(time.overTheAir.energy).toBeCloseTo(2e-3, 15);
    expect(time.delayRatio).toBeCloseTo(7, 12);
    // half the band at twice the SNR
    const { digital } = compareDelay({ ...given, access: "frequency" });
    const slow = 8000 / (5e5 * Math.log2(7));
    expect(digital.delays[0]).toBeCloseTo(slow, 12);
    expect(digital.energies[1]).toBeCloseTo(2 * slow, 12);
    const uneven = compareDelay({ ...given, access: "frequency", shares: [1, 0] });
    expect(uneven.digital.delays[0]).toBe(Number.POSITIVE_INFINITY);
    const alone = compareDelay({ ...given, access: "frequency", shares: [1, 0], bytes: [1000, 0] });
    expect(alone.digital.delays[0]).toBeCloseTo(4e-3, 14);
  });

  test("more bytes, more clients take longer digitally; the air does not mind the clients", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 1e6 }),
        fc.constantFrom("time" as const, "frequency" as const),
        (clients, seed, access) => {
          const at = (bytes: number, count: number) => {
            const snrs = drawSnr({ clients: count, meanSnr: 3, rounds: 3, seed });
            return compareDelay({ ...given, bytes, snrs, clients: count, access });
          };
          const [one, twice, more] = [at(100, clients), at(200, clients), at(100, clients + 1)];
          one.digital.delays.forEach((delay, t) => {
            expect(twice.digital.delays[t]! / delay).toBeCloseTo(2, 12);
            expect(more.digital.delays[t]).toBeGreaterThan(delay);
          });
          expect(more.overTheAir.delay).toBe(one.overTheAir.delay);
        },
      ),
      RUNS,
    );
  });

  test("nothing to send costs nothing", () => {
    const { digital, overTheAir, delayRatio } = compareDelay({ ...given, bytes: 0, symbols: 0 });
    expect([digital.meanDelay, digital.meanEnergy, overTheAir.delay, delayRatio]).toEqual([0, 0, 0, 1]);
  });

  test.each([
    ["snrs", { snrs: [1, 2, 3] }],
    ["snrs[0]", { snrs: [-1, 2] }],
    ["bytes", { bytes: [1] }],
    ["symbols", { symbols: 1.5 }],
    ["shares", { shares: [0.5, 0.5] }],
    ["shares", { access: "frequency", shares: [0.5, 0.4] }],
    ["access", { access: "code" }],
  ])("refuses %s", (field, change) => {
    expect(refusal(() => compareDelay({ ...given, ...change } as typeof given)).field).toBe(field);
  });
});
