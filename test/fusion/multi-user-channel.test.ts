import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  iterativeWaterFilling,
  mmseSicErrors,
  saddlePoint,
  sicRates,
  signalCovariance,
  worstCaseNoise,
} from "../../src/fusion/index.ts";
import {
  add,
  type ComplexMatrix,
  fromDiagonal,
  identity,
  logDet,
  multiply,
  scale,
} from "../../src/linalg/index.ts";
import {
  congruence,
  diagonalOf,
  orders,
  random,
  randomCovariance,
  randomJamming,
  runs,
  traceOf,
} from "./channel-support.ts";

const setting = fc.record({
  n: fc.integer({ min: 1, max: 4 }),
  users: fc.integer({ min: 1, max: 4 }),
  streams: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

const channelsOf = (n: number, streams: number, users: number, seed: number): ComplexMatrix[] =>
  Array.from({ length: users }, (_, q) => random(n, streams, seed + 31 * q));
const noiseOf = (n: number, seed: number): ComplexMatrix =>
  add(randomCovariance(n, n, seed + 999), scale(identity(n), 0.1));

describe("successive interference cancellation", () => {
  it("sums to the sum rate in every order; R = -log det E; tr(E) / N >= exp(-R / N)", () => {
    fc.assert(
      fc.property(setting, ({ n, users, streams, seed }) => {
        const channels = channelsOf(n, streams, users, seed);
        const signals = channels.map((h) => signalCovariance(h));
        const noise = noiseOf(n, seed);
        const total = signals.reduce((a, b) => add(a, b), noise);
        const sumRate = logDet(total) - logDet(noise);
        for (const order of orders(users)) {
          const { rates, sumRate: reported } = sicRates({ signalCovariances: signals, noise, order });
          expect(reported).toBeCloseTo(sumRate, 9);
          expect(rates.reduce((a, b) => a + b, 0)).toBeCloseTo(sumRate, 9);
          const mmse = mmseSicErrors({ channels, noise, order });
          for (let q = 0; q < users; q++) {
            expect(mmse.rates[q]).toBeCloseTo(rates[q]!, 9);
            expect(-logDet(mmse.errors[q]!)).toBeCloseTo(rates[q]!, 9);
            expect(traceOf(mmse.errors[q]!) / streams).toBeCloseTo(mmse.meanSquaredErrors[q]!, 12);
            expect(mmse.meanSquaredErrors[q]!).toBeGreaterThan(Math.exp(-rates[q]! / streams) * (1 - 1e-12));
          }
        }
      }),
      runs(30),
    );
  });

  it("ties the MSE objective to MMSE receivers: sum of errors = value + streams - n", () => {
    const channel = random(4, 3, 8);
    const found = worstCaseNoise({
      signalCovariances: [signalCovariance(channel)],
      power: 3,
      floor: 0.2,
      objective: "mse",
    });
    const { errors } = mmseSicErrors({ channels: [channel], noise: found.covariance });
    expect(traceOf(errors[0]!)).toBeCloseTo(found.value + 3 - 4, 11);
  });

  it("refuses bad orders, sizes and singular noise", () => {
    const signalCovariances = [identity(2), identity(2)];
    const fails = (field: string, options: object): void => {
      const all = { signalCovariances, noise: identity(2), ...options };
      expect(() => sicRates(all)).toThrow(expect.objectContaining({ name: "InputError", field }));
    };
    fails("order", { order: [0, 0] });
    fails("order", { order: [0] });
    fails("order", { order: [0, 2] });
    fails("noise", { noise: identity(3) });
    fails("noise", { noise: fromDiagonal([1, 0]) });
    fails("signalCovariances[1]", { signalCovariances: [identity(2), fromDiagonal([1, -1])] });
  });
});

describe("iterative water-filling", () => {
  it("is plain water-filling for one user", () => {
    const channel = fromDiagonal([2, 1, 0.1]);
    const found = iterativeWaterFilling({ channels: [channel], powers: 1, noise: identity(3) });
    // level - 1/4 + level - 1 = 1, the third mode (1 / gain = 100) is off
    const power = diagonalOf(found.transmitCovariances[0]!).sort((a, b) => b - a);
    [0.875, 0.125, 0].forEach((p, i) => {
      expect(power[i]).toBeCloseTo(p, 12);
    });
    expect(found.value).toBeCloseTo(Math.log(1 + 4 * 0.875) + Math.log(1.125), 12);
  });

  it("is certified: no random transmit covariances within the powers reach value + gap", () => {
    fc.assert(
      fc.property(
        setting,
        fc.double({ min: -2, max: 3, noNaN: true }),
        ({ n, users, streams, seed }, exponent) => {
          const channels = channelsOf(n, streams, users, seed);
          const noise = noiseOf(n, seed);
          const powers = channels.map((_, q) => 10 ** exponent / (1 + q));
          const found = iterativeWaterFilling({ channels, powers, noise });
          expect(found.converged).toBe(true);
          found.transmitCovariances.forEach((q, i) => {
            expect(traceOf(q) / powers[i]!).toBeCloseTo(1, 10);
          });
          for (let draw = 0; draw < 5; draw++) {
            const signals = channels.map((h, q) =>
              congruence(h, randomJamming(streams, powers[q]!, seed + draw + q)),
            );
            const { sumRate } = sicRates({ signalCovariances: signals, noise });
            expect(sumRate).toBeLessThan(found.value + found.gap + 1e-11);
          }
        },
      ),
      runs(40),
    );
  });

  it("has the gap of the gradients: by hand at the white start", () => {
    // M = diag(4 / (1 + 2), 1 / (1 + 1/2)): lambda_max - tr M / 2
    const options = { channels: [fromDiagonal([2, 1])], powers: 1, noise: identity(2), maxIterations: 0 };
    expect(iterativeWaterFilling(options).gap).toBeCloseTo(4 / 3 - 1, 13);
  });

  it("tells when it may not go on", () => {
    const channels = channelsOf(4, 2, 4, 5);
    const found = iterativeWaterFilling({ channels, powers: 1, noise: identity(4), maxIterations: 0 });
    expect(found).toMatchObject({ converged: false, reason: "max-iterations", iterations: 0 });
    expect(found.gap).toBeGreaterThan(1e-3);
  });
});

describe("saddle point", () => {
  it.each([
    { n: 3, users: 3, streams: 2, floor: 0, jammer: 0, power: 1 },
    { n: 4, users: 1, streams: 2, floor: 0, jammer: 0, power: 10 },
    { n: 3, users: 2, streams: 2, floor: 0.2, jammer: 0, power: 5 },
    { n: 4, users: 2, streams: 2, floor: 0.1, jammer: 2, power: 5 },
    { n: 3, users: 2, streams: 2, floor: 0, jammer: 4, power: 5 },
  ])("brackets the game: $users users, n $n, floor $floor, $jammer jammer antennas", (test) => {
    const { n, users, streams, floor, power } = test;
    const channels = channelsOf(n, streams, users, 17);
    const jammerChannel = test.jammer === 0 ? undefined : random(n, test.jammer, 18);
    const found = saddlePoint({
      channels,
      powers: 2,
      jammerPower: power,
      floor,
      ...(jammerChannel === undefined ? {} : { jammerChannel }),
    });
    expect(found).toMatchObject({ converged: true, reason: "gap" });
    expect(found.upperBound - found.lowerBound).toBeCloseTo(found.gap, 12);
    // the jammer cannot push these users below the lower bound ...
    const answer = worstCaseNoise({
      signalCovariances: found.signalCovariances,
      power,
      floor,
      objective: "sum-rate",
      ...(jammerChannel === undefined ? {} : { jammerChannel }),
    });
    expect(answer.value).toBeGreaterThan(found.lowerBound - 1e-9);
    // ... and the users cannot get above the upper bound against this jammer
    if (n <= users * streams) {
      const best = iterativeWaterFilling({ channels, powers: 2, noise: found.covariance });
      expect(best.value).toBeLessThan(found.upperBound + 1e-9);
      expect(best.value + best.gap).toBeGreaterThan(found.value);
    }
  });

  it("is symmetric for equal parallel channels: white against white", () => {
    const found = saddlePoint({ channels: [identity(3)], powers: 6, jammerPower: 3 });
    expect(found.value).toBeCloseTo(3 * Math.log(3), 10);
    diagonalOf(found.covariance).forEach((z) => {
      expect(z).toBeCloseTo(1, 8);
    });
  });

  it("agrees with a search over both sides for two parallel channels", () => {
    // H = diag(2, 1), users' power p, 2 - p; the jammer's answer is a search as well
    const value = (p: number, z: number): number =>
      Math.log1p((4 * p) / (0.5 + z)) + Math.log1p((2 - p) / (1.5 - z));
    let game = 0;
    for (let i = 0; i <= 400; i++) {
      let worst = Number.POSITIVE_INFINITY;
      for (let j = 0; j <= 400; j++) worst = Math.min(worst, value(i / 200, j / 400));
      game = Math.max(game, worst);
    }
    const found = saddlePoint({ channels: [fromDiagonal([2, 1])], powers: 2, jammerPower: 1, floor: 0.5 });
    expect(Math.abs(found.value - game)).toBeLessThan(1e-4);
  });

  it("has bounds where the noise is singular in doubles", () => {
    const jammerChannel = scale(random(3, 2, 1), 1e30);
    const found = saddlePoint({
      channels: channelsOf(3, 2, 2, 1),
      powers: 1,
      jammerPower: 1,
      floor: 1,
      jammerChannel,
    });
    const { lowerBound, upperBound, value, gap, converged } = found;
    expect([lowerBound, upperBound, value, gap].some(Number.isNaN)).toBe(false);
    expect(lowerBound).toBeLessThanOrEqual(upperBound);
    if (converged) expect(gap).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  it("refuses users that cannot be heard", () => {
    const options = { channels: [scale(identity(2), 0)], powers: 1, jammerPower: 1 };
    expect(() => saddlePoint(options)).toThrow(expect.objectContaining({ field: "powers" }));
    expect(() => saddlePoint({ ...options, channels: [identity(2)], jammerPower: 0 })).toThrow(
      expect.objectContaining({ field: "jammerPower" }),
    );
  });
});

it("a signal covariance is H G G^H H^H", () => {
  const [h, g] = [random(3, 2, 1), random(2, 1, 2)];
  expect(traceOf(signalCovariance(h, g))).toBeCloseTo(traceOf(signalCovariance(multiply(h, g))), 12);
});
