import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  sicRates,
  type WorstCaseNoise,
  type WorstCaseNoiseOptions,
  worstCaseNoise,
} from "../../src/fusion/index.ts";
import {
  add,
  type ComplexMatrix,
  eigHermitian,
  frobeniusNorm,
  fromDiagonal,
  identity,
  inverse,
  multiply,
  scale,
  subtract,
} from "../../src/linalg/index.ts";
import {
  congruence,
  diagonalOf,
  magnitude,
  random,
  randomCovariance,
  randomJamming,
  randomUnitary,
  runs,
  smallestEigenvalue,
  traceOf,
} from "./channel-support.ts";

/** An oracle apart from the implementation: differences of log determinants. */
function rate(signal: ComplexMatrix, noise: ComplexMatrix): number {
  return sicRates({ signalCovariances: [signal], noise }).sumRate;
}

function errorOf(signal: ComplexMatrix, noise: ComplexMatrix): number {
  return traceOf(multiply(noise, inverse(add(noise, signal))));
}

const diagonalCase = (s: readonly number[], options: Partial<WorstCaseNoiseOptions>): WorstCaseNoise =>
  worstCaseNoise({ signalCovariances: [fromDiagonal(s)], power: 1, objective: "sum-rate", ...options });

/** A random closed-form problem over many scales and ranks. */
const problem = fc
  .record({
    n: fc.integer({ min: 1, max: 6 }),
    rank: fc.integer({ min: 1, max: 6 }),
    size: magnitude(-6, 6),
    power: magnitude(-6, 6),
    floor: fc.oneof(fc.constant(0), magnitude(-6, 3)),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .map(({ n, rank, size, ...rest }) => ({
    ...rest,
    n,
    signal: scale(randomCovariance(n, Math.min(rank, n), rest.seed), size),
    fullRank: rank >= n,
  }));

describe("worst-case noise: reference values", () => {
  it.each([
    { s: [4, 1], power: 1, floor: 0, z: [0.55848156, 0.44151844], value: 3.28275578 },
    { s: [4, 1], power: 10, floor: 0, z: [6.3935509, 3.6064491], value: 0.73062934 },
    { s: [9, 4, 1], power: 3, floor: 0, z: [1.18223213, 1.05779601, 0.75997187], value: 4.55775497 },
    { s: [4, 1], power: 2, floor: 0.5, z: [1.80566492, 1.19433508], value: 1.77619471 },
  ])("s = $s, power $power, floor $floor", ({ s, power, floor, z, value }) => {
    const found = diagonalCase(s, { power, floor });
    diagonalOf(found.covariance).forEach((x, i) => {
      expect(Math.abs(x - z[i]!)).toBeLessThan(0.51e-8);
    });
    expect(Math.abs(found.value - value)).toBeLessThan(0.51e-8);
    expect(found).toMatchObject({ method: "closed-form", converged: true, reason: "closed-form" });
    expect(found.dualityGap).toBeLessThan(1e-14);
  });

  it("s = (4, 1), power 1: multiplier and white noise", () => {
    const found = diagonalCase([4, 1], {});
    expect(Math.abs(found.multiplier - 1.57119812)).toBeLessThan(0.51e-8);
    expect(Math.abs(found.whiteNoiseValue - 3.29583687)).toBeLessThan(0.51e-8);
  });

  it("MSE-worst: s = (4, 1), power 5", () => {
    const found = diagonalCase([4, 1], { power: 5, objective: "mse" });
    const [a, b] = diagonalOf(found.covariance);
    expect(a).toBeCloseTo(8 / 3, 13);
    expect(b).toBeCloseTo(7 / 3, 13);
    expect(found.value).toBeCloseTo(1.1, 13);
    expect(found.multiplier).toBeCloseTo(0.09, 13);
  });
});

describe("worst-case noise: properties of the closed forms", () => {
  it("meets trace and floor, commutes with the signal, and is the worst of what is feasible", () => {
    fc.assert(
      fc.property(
        problem,
        fc.constantFrom("sum-rate", "mse"),
        ({ n, signal, power, floor, seed }, objective) => {
          const found = worstCaseNoise({ signalCovariances: [signal], power, floor, objective });
          const total = power + n * floor;
          expect(Math.abs(traceOf(found.covariance) - total)).toBeLessThan(1e-12 * total);
          expect(smallestEigenvalue(found.covariance)).toBeGreaterThan(floor - 1e-13 * total);
          const [zg, gz] = [multiply(found.covariance, signal), multiply(signal, found.covariance)];
          expect(frobeniusNorm(subtract(zg, gz))).toBeLessThan(1e-12 * frobeniusNorm(signal) * total);
          const sign = objective === "mse" ? -1 : 1;
          const slack = 1e-9 * (1 + Math.abs(found.value));
          expect(sign * found.value).toBeLessThan(sign * found.whiteNoiseValue + slack);
          for (let draw = 0; draw < 3; draw++) {
            // some white jamming as well, so that the noise is well conditioned without a floor
            const jamming = add(
              randomJamming(n, 0.9 * power, seed + draw),
              scale(identity(n), (0.1 * power) / n),
            );
            const noise = add(jamming, scale(identity(n), floor));
            const value = objective === "mse" ? errorOf(signal, noise) : rate(signal, noise);
            expect(sign * found.value).toBeLessThan(sign * value + slack);
          }
        },
      ),
      runs(150),
    );
  });

  it("has no KKT residual: g / (z (z + g)) = t above the floor and at most t on it", () => {
    fc.assert(
      fc.property(problem, ({ n, signal, power, floor }) => {
        const found = worstCaseNoise({ signalCovariances: [signal], power, floor, objective: "sum-rate" });
        expect(found.dualityGap).toBeLessThan(1e-12 * Math.max(1, found.value));
        const { values, vectors } = eigHermitian(signal);
        const z = diagonalOf(multiply(multiply(inverse(vectors), found.covariance), vectors));
        for (let i = 0; i < n; i++) {
          const g = values[i]!;
          if (g < 1e-6 * values[n - 1]!) continue;
          const marginal = g / (z[i]! * (z[i]! + g)) / found.multiplier;
          expect(marginal).toBeLessThan(1 + 1e-6);
          if (z[i]! > floor + 1e-6 * power) expect(marginal).toBeGreaterThan(1 - 1e-6);
        }
      }),
      runs(150),
    );
  });

  it("does not change when signal, floor and power are scaled, or everything is rotated", () => {
    fc.assert(
      fc.property(
        problem,
        magnitude(-20, 20),
        fc.constantFrom("sum-rate", "mse"),
        ({ n, signal, power, floor, seed }, c, objective) => {
          const found = worstCaseNoise({ signalCovariances: [signal], power, floor, objective });
          const scaledUp = { signalCovariances: [scale(signal, c)], power: c * power, floor: c * floor };
          expect(worstCaseNoise({ ...scaledUp, objective }).value / found.value).toBeCloseTo(1, 10);
          const u = randomUnitary(n, seed + 1);
          const turned = worstCaseNoise({
            signalCovariances: [congruence(u, signal)],
            power,
            floor,
            objective,
          });
          expect(Math.abs(turned.value / found.value - 1)).toBeLessThan(1e-7);
          const difference = subtract(turned.covariance, congruence(u, found.covariance));
          expect(frobeniusNorm(difference)).toBeLessThan(1e-6 * (power + n * floor));
        },
      ),
      runs(100),
    );
  });

  it("is white on the support for little power, and proportional to the roots for much", () => {
    const s = [4, 1, 0.25, 0];
    const little = diagonalOf(diagonalCase(s, { power: 1e-9 }).covariance);
    expect(little.map((x) => x / 1e-9).slice(0, 3)).toEqual([1, 1, 1].map((x) => expect.closeTo(x / 3, 7)));
    expect(little[3]).toBe(0);
    const much = diagonalOf(diagonalCase(s, { power: 1e9 }).covariance);
    expect(much.map((x) => x / 1e9)).toEqual(
      [2 / 3.5, 1 / 3.5, 0.5 / 3.5, 0].map((x) => expect.closeTo(x, 8)),
    );
  });

  it("tells the value of the next unit of power", () => {
    for (const objective of ["sum-rate", "mse"] as const) {
      const at = (power: number): WorstCaseNoise =>
        diagonalCase([9, 4, 1, 0], { power, floor: 0.3, objective });
      const step = 1e-5;
      const slope = (at(2 + step).value - at(2 - step).value) / (2 * step);
      expect(Math.abs(slope)).toBeCloseTo(at(2).multiplier, 8);
    }
  });

  it("stays finite at the ends of the range, and with a singular, repeated or zero covariance", () => {
    for (const objective of ["sum-rate", "mse"] as const) {
      for (const size of [0, 1e-100, 1, 1e100]) {
        for (const power of [1e-100, 1, 1e100]) {
          for (const floor of [0, 1e-100, 1, 1e100]) {
            for (const s of [[1], [1, 1, 1], [1, 1e-5, 0]]) {
              const found = diagonalCase(
                s.map((x) => x * size),
                { power, floor, objective },
              );
              const numbers = [
                ...diagonalOf(found.covariance),
                found.value,
                found.multiplier,
                found.dualityGap,
              ];
              expect(numbers.every((x) => Number.isFinite(x) && x >= 0)).toBe(true);
              const total = power + s.length * floor;
              expect(Math.abs(traceOf(found.covariance) / total - 1)).toBeLessThan(1e-12);
              expect(found.dualityGap).toBeLessThanOrEqual(1e-9 * Math.max(1, found.value));
            }
          }
        }
      }
    }
  });

  it("leaves a jammer without power the floor", () => {
    const found = diagonalCase([4, 1], { power: 0, floor: 0.5 });
    expect(diagonalOf(found.covariance)).toEqual([0.5, 0.5]);
    expect(found.value).toBeCloseTo(Math.log(9 * 3), 13);
    // the strongest direction is the first that a little power attacks: g / (floor (floor + g))
    expect(found.multiplier).toBeCloseTo(4 / (0.5 * 4.5), 12);
    const { value } = diagonalCase([4, 1], { power: 1e-6, floor: 0.5 });
    expect((found.value - value) / 1e-6).toBeCloseTo(found.multiplier, 4);
  });
});

describe("worst-case noise: the strongest user", () => {
  const signals = [1, 2, 3].map((q) => scale(randomCovariance(4, 2, q), q));

  it("is the one of the largest rate at white noise, decoded last by default", () => {
    const found = worstCaseNoise({ signalCovariances: signals, power: 2, objective: "strongest-user" });
    const white = signals.map((signal) => rate(signal, scale(identity(4), 0.5)));
    expect(found.user).toBe(white.indexOf(Math.max(...white)));
    const alone = worstCaseNoise({
      signalCovariances: [signals[found.user!]!],
      power: 2,
      objective: "sum-rate",
    });
    expect(found.value).toBe(alone.value);
    expect(
      worstCaseNoise({ signalCovariances: signals, power: 2, objective: "strongest-user", user: 0 }).user,
    ).toBe(0);
  });

  it("decoded first: the certificate holds, and other users' covariances are only noise", () => {
    for (const floor of [0, 0.1]) {
      const options = { signalCovariances: signals, power: 2, floor, objective: "strongest-user" } as const;
      const found = worstCaseNoise({ ...options, decoded: "first" });
      const rest = signals.filter((_, q) => q !== found.user).reduce((a, b) => add(a, b));
      expect(found).toMatchObject({ method: "interior-point", converged: true, reason: "gap" });
      expect(found.value).toBeCloseTo(rate(signals[found.user!]!, add(found.covariance, rest)), 9);
      expect(found.value).toBeLessThan(worstCaseNoise(options).value);
      expect(found.value).toBeLessThan(found.whiteNoiseValue);
      expect(Math.abs(traceOf(found.covariance) - 2 - 4 * floor)).toBeLessThan(1e-12);
      for (let seed = 0; seed < 20; seed++) {
        const noise = add(add(randomJamming(4, 2, seed), scale(identity(4), floor)), rest);
        expect(rate(signals[found.user!]!, noise)).toBeGreaterThan(found.value - found.dualityGap - 1e-12);
      }
    }
  });

  it("decoded first among commuting users agrees with a search over powers", () => {
    const [signal, rest] = [fromDiagonal([4, 1]), fromDiagonal([0.5, 2])];
    const options = {
      signalCovariances: [signal, rest],
      power: 3,
      objective: "strongest-user",
      user: 0,
    } as const;
    const found = worstCaseNoise({ ...options, decoded: "first", tolerance: 1e-10 });
    const value = (a: number): number => Math.log1p(4 / (0.5 + a)) + Math.log1p(1 / (2 + 3 - a));
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i <= 30000; i++) best = Math.min(best, value(i / 1e4));
    expect(found.value).toBeLessThan(best + 1e-9);
    expect(found.value).toBeGreaterThan(best - 1e-8);
  });
});

describe("worst-case noise: bad input", () => {
  const signal = fromDiagonal([4, 1]);
  const base: WorstCaseNoiseOptions = { signalCovariances: [signal], power: 1, objective: "sum-rate" };
  const skewed = fromDiagonal([4, 1]);
  skewed.data[2] = 1;
  it.each([
    ["signalCovariances", { signalCovariances: [] }],
    ["signalCovariances[0]", { signalCovariances: [random(2, 3, 1)] }],
    ["signalCovariances[0]", { signalCovariances: [skewed] }],
    ["signalCovariances[0]", { signalCovariances: [fromDiagonal([4, -1])] }],
    ["signalCovariances[1]", { signalCovariances: [signal, identity(3)] }],
    [
      "signalCovariances[0].data[0]",
      { signalCovariances: [{ ...signal, data: new Float64Array(8).fill(Number.NaN) }] },
    ],
    ["signalCovariances[0].data[0]", { signalCovariances: [scale(signal, 1e150)] }],
    ["signalCovariances[1]", { signalCovariances: [signal, null] }],
    ["power", { power: -1 }],
    ["power", { power: Number.NaN }],
    ["power", { power: 0 }],
    ["power", { power: 1e-200 }],
    ["floor", { floor: -1 }],
    ["floor", { jammerChannel: random(2, 1, 1) }],
    ["jammerChannel", { jammerChannel: random(3, 3, 1) }],
    ["objective", { objective: "rate" }],
    ["decoded", { decoded: "first" }],
    ["user", { objective: "strongest-user", user: 1 }],
    ["tolerance", { tolerance: Number.NaN }],
    ["worstCaseNoise.powr", { powr: 1 }],
  ])("names %s", (field, options) => {
    const all = { ...base, ...options } as WorstCaseNoiseOptions;
    expect(() => worstCaseNoise(all)).toThrow(expect.objectContaining({ name: "InputError", field }));
  });

  it("does not write to its input", () => {
    const before = signal.data.slice();
    worstCaseNoise({ ...base, jammerChannel: identity(2), floor: 1 });
    expect(signal.data).toEqual(before);
  });
});
