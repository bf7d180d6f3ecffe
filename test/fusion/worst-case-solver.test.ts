import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type WorstCaseNoiseOptions, worstCaseNoise } from "../../src/fusion/index.ts";
import { certify, type JammingProblem } from "../../src/fusion/worst-case-certificate.ts";
import { solveJamming } from "../../src/fusion/worst-case-solver.ts";
import {
  add,
  conjugateTranspose as adjoint,
  type ComplexMatrix,
  cholesky,
  frobeniusNorm,
  fromDiagonal,
  hermitianPart,
  identity,
  inverse,
  logDet,
  multiply,
  realInner,
  scale,
  subtract,
  trace,
} from "../../src/linalg/index.ts";
import {
  congruence,
  gram,
  magnitude,
  random,
  randomCovariance,
  randomJamming,
  randomUnitary,
  runs,
  smallestEigenvalue,
  traceOf,
} from "./channel-support.ts";

const jammed = fc.record({
  n: fc.integer({ min: 1, max: 5 }),
  antennas: fc.integer({ min: 1, max: 6 }),
  rank: fc.integer({ min: 1, max: 5 }),
  power: magnitude(-2, 3),
  floor: magnitude(-2, 1),
  seed: fc.integer({ min: 0, max: 1e6 }),
  objective: fc.constantFrom("sum-rate" as const, "mse" as const),
});

function objectiveAt(problem: JammingProblem, jamming: ComplexMatrix): number {
  const noise = add(problem.base, congruence(problem.channel, jamming));
  const signal = gram(problem.factor);
  if (problem.kind === "rate") return logDet(add(noise, signal)) - logDet(noise);
  return traceOf(multiply(signal, inverse(add(noise, signal)))) - problem.factor.cols;
}

describe("jammer behind a channel", () => {
  it("certifies: no random feasible jamming is worse by more than the gap", () => {
    fc.assert(
      fc.property(jammed, ({ n, antennas, rank, power, floor, seed, objective }) => {
        const signal = randomCovariance(n, Math.min(n, rank), seed);
        const jammerChannel = random(n, antennas, seed + 1);
        const options: WorstCaseNoiseOptions = {
          signalCovariances: [signal],
          power,
          floor,
          jammerChannel,
          objective,
        };
        const found = worstCaseNoise(options);
        expect(found.reason).toMatch(/gap|closed-form/);
        // wrong second derivatives or a wrong path take several times as many
        expect(found.iterations).toBeLessThan(40);
        expect(found.dualityGap).toBeLessThanOrEqual(1e-7 * Math.max(1, found.value));
        expect(found.jamming.rows).toBe(antennas);
        expect(traceOf(found.jamming) / power).toBeCloseTo(1, 11);
        expect(smallestEigenvalue(found.jamming)).toBeGreaterThan(-1e-12 * power);
        const valueAt = (jamming: ComplexMatrix): number => {
          const noise = add(congruence(jammerChannel, jamming), scale(identity(n), floor));
          return objective === "mse"
            ? traceOf(multiply(noise, inverse(add(noise, signal))))
            : logDet(hermitianPart(add(noise, signal))) - logDet(hermitianPart(noise));
        };
        const rounding = 1e-10 * Math.max(1, found.value);
        expect(Math.abs(valueAt(found.jamming) - found.value)).toBeLessThan(rounding);
        const even = add(
          congruence(jammerChannel, scale(identity(antennas), power / antennas)),
          scale(identity(n), floor),
        );
        expect(frobeniusNorm(subtract(found.whiteNoise, even))).toBeLessThan(1e-14 * frobeniusNorm(even));
        const sign = objective === "mse" ? -1 : 1;
        expect(sign * found.whiteNoiseValue).toBeGreaterThan(
          sign * found.value - found.dualityGap - rounding,
        );
        for (let draw = 0; draw < 3; draw++) {
          const value = valueAt(randomJamming(antennas, power, seed + 10 + draw));
          expect(sign * value).toBeGreaterThan(sign * found.value - found.dualityGap - rounding);
        }
      }),
      runs(50),
    );
  });

  it("agrees with the closed form to the certificate: a unitary channel is none", () => {
    fc.assert(
      fc.property(jammed, ({ n, rank, power, floor, seed, objective }) => {
        const signal = randomCovariance(n, Math.min(n, rank), seed);
        const direct = worstCaseNoise({ signalCovariances: [signal], power, floor, objective });
        const jammerChannel = randomUnitary(n, seed + 1);
        const behind = worstCaseNoise({
          signalCovariances: [signal],
          power,
          floor,
          objective,
          jammerChannel,
        });
        expect(behind.method).toBe("interior-point");
        expect(Math.abs(behind.value - direct.value)).toBeLessThan(behind.dualityGap + 1e-11 * direct.value);
        expect(behind.whiteNoiseValue).toBeCloseTo(direct.whiteNoiseValue, 9);
      }),
      runs(40),
    );
  });

  it("has the closed form of the seen signal without a floor, which the solver approaches as the floor goes", () => {
    for (const objective of ["sum-rate", "mse"] as const) {
      const options = {
        signalCovariances: [randomCovariance(4, 4, 3)],
        power: 2,
        jammerChannel: random(4, 6, 4),
        objective,
      };
      const exact = worstCaseNoise(options);
      expect(exact.method).toBe("closed-form");
      expect(exact.jamming.rows).toBe(6);
      expect(traceOf(exact.jamming)).toBeCloseTo(2, 12);
      const near = worstCaseNoise({ ...options, floor: 1e-9, tolerance: 1e-9 });
      expect(near.value).toBeCloseTo(exact.value, 6);
      expect(near.whiteNoiseValue).toBeCloseTo(exact.whiteNoiseValue, 6);
      // a jammer without a null space would be as strong: the spare antennas are not used for nothing
      expect(exact.value).not.toBeCloseTo(exact.whiteNoiseValue, 3);
    }
  });

  it.each(["sum-rate", "mse"] as const)("tells the value of the next unit of power: %s", (objective) => {
    const at = (power: number): ReturnType<typeof worstCaseNoise> =>
      worstCaseNoise({
        signalCovariances: [randomCovariance(4, 3, 3)],
        power,
        floor: 0.3,
        jammerChannel: random(4, 3, 4),
        objective,
        tolerance: 1e-12,
      });
    const step = 1e-3;
    const slope = Math.abs(at(5 + step).value - at(5 - step).value) / (2 * step);
    expect(Math.abs(at(5).multiplier / slope - 1)).toBeLessThan(1e-6);
  });

  it("counts in the gap what rounding does to the value where the noise is far from white", () => {
    for (let seed = 0; seed < 12; seed++) {
      const [power, floor, n] = [1e6, 1e-6, 4];
      const [user, jammer] = [random(n, 1, seed), random(n, 1, seed + 100)];
      const found = worstCaseNoise({
        signalCovariances: [gram(user)],
        power,
        floor,
        jammerChannel: jammer,
        objective: "sum-rate",
      });
      // one antenna has no choice; (floor I + power j j^H)^-1 by Sherman and Morrison
      const [uu, jj, cross] = [traceOf(gram(user)), traceOf(gram(jammer)), multiply(adjoint(jammer), user)];
      const seen = uu - (power * traceOf(gram(cross))) / (floor + power * jj);
      expect(Math.abs(found.value - Math.log1p(seen / floor))).toBeLessThan(found.dualityGap);
      expect(found.dualityGap).toBeLessThan(0.1);
      expect(found).toMatchObject({ converged: false, reason: "stalled" });
    }
  });

  it("knows that a channel of zeros does nothing", () => {
    const found = worstCaseNoise({
      signalCovariances: [fromDiagonal([4, 1])],
      power: 1,
      floor: 1,
      jammerChannel: scale(identity(2), 0),
      objective: "sum-rate",
    });
    expect(found.value).toBeCloseTo(Math.log(10), 13);
    expect(found.dualityGap).toBe(0);
  });

  it("reports what it has when it may not go on", () => {
    const found = worstCaseNoise({
      signalCovariances: [randomCovariance(4, 4, 3)],
      power: 2,
      floor: 0.1,
      jammerChannel: random(4, 4, 4),
      objective: "sum-rate",
      maxIterations: 1,
    });
    expect(found).toMatchObject({ converged: false, reason: "max-iterations", iterations: 1 });
    expect(found.dualityGap).toBeGreaterThan(1e-3);
    expect(found.value).toBeLessThan(found.whiteNoiseValue + found.dualityGap);
  });
});

describe("numbers beyond doubles", () => {
  it("gives a bound, says so, and neither throws nor returns NaN", () => {
    const reasons = new Set<string>();
    fc.assert(
      fc.property(
        fc.array(magnitude(-90, 90), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom("sum-rate" as const, "mse" as const, "strongest-user" as const),
        ([a, b, power, floor, gain], n, objective) => {
          const found = worstCaseNoise({
            signalCovariances: [scale(randomCovariance(n, n, 1), a!), scale(randomCovariance(n, 1, 2), b!)],
            power: power!,
            floor: floor!,
            jammerChannel: scale(random(n, 2, 3), Math.sqrt(gain!)),
            objective,
            ...(objective === "strongest-user" ? { decoded: "first" as const } : {}),
          });
          reasons.add(found.reason);
          const numbers = [found.value, found.dualityGap, found.multiplier, ...found.covariance.data];
          expect(numbers.some(Number.isNaN)).toBe(false);
          expect(found.dualityGap).toBeGreaterThanOrEqual(0);
          if (found.reason === "stalled") expect(found.converged).toBe(false);
        },
      ),
      runs(100),
    );
    expect(reasons).toContain("gap");
    expect(reasons).toContain("stalled");
  });

  it("bounds what the best jammer may reach by all there is", () => {
    // three of four directions drown: the error is above 3
    const found = worstCaseNoise({
      signalCovariances: [randomCovariance(4, 4, 1)],
      power: 1,
      floor: 100,
      jammerChannel: scale(random(4, 3, 2), 1e30),
      objective: "mse",
    });
    expect(found).toMatchObject({ converged: false, reason: "stalled" });
    expect(found.value + found.dualityGap).toBeGreaterThan(3);
  });
});

describe("the solver", () => {
  const problems: JammingProblem[] = (["rate", "error"] as const).map((kind) => ({
    kind,
    base: add(randomCovariance(5, 2, 1), scale(identity(5), 0.2)),
    channel: random(5, 4, 2),
    factor: random(5, 3, 3),
    power: 2,
  }));

  it.each(problems)(
    "minimises what its $kind certificate differentiates: gradient by differences",
    (problem) => {
      const jamming = add(randomJamming(4, 1.5, 5), scale(identity(4), 0.125));
      const factor = cholesky(jamming);
      const certificate = certify(problem, factor, 0);
      // gap = power lambda_max(R) - tr R J and the multiplier lambda_max(R) from R by central differences
      const gradient = numericalDescent(problem, jamming);
      const values = smallestEigenvalue(scale(gradient, -1));
      expect(certificate.multiplier).toBeCloseTo(-values, 7);
      expect(certificate.gap).toBeCloseTo(2 * -values - realInner(gradient, jamming), 7);
    },
  );

  it.each(problems)("has a $kind gap that a wrong answer does not pass", (problem) => {
    const found = solveJamming(problem, 1e-9, 100)!;
    expect(found.reason).toBe("gap");
    expect(objectiveAt(problem, found.jamming)).toBeCloseTo(found.objective, 9);
    // 1 % white jamming mixed in
    const mixed = add(scale(found.jamming, 0.99), scale(identity(4), 0.005));
    const loss = objectiveAt(problem, mixed) - found.objective;
    const certificate = certify(problem, cholesky(mixed), 0);
    expect(loss).toBeGreaterThan(1e-7);
    expect(certificate.gap).toBeGreaterThan(loss - 1e-9);
  });
});

/** R of -df = <R, dJ>, entry by entry. */
function numericalDescent(problem: JammingProblem, jamming: ComplexMatrix): ComplexMatrix {
  const r = jamming.rows;
  const out = scale(identity(r), 0);
  const step = 1e-5;
  for (let i = 0; i < r; i++) {
    for (let j = 0; j <= i; j++) {
      for (const part of i === j ? [0] : [0, 1]) {
        const direction = scale(identity(r), 0);
        direction.data[2 * (i * r + j) + part] = 1;
        direction.data[2 * (j * r + i) + part] = part === 0 ? 1 : -1;
        const at = (t: number): number => objectiveAt(problem, add(jamming, scale(direction, t)));
        const slope = (at(step) - at(-step)) / (2 * step);
        const entry = -slope / trace(multiply(direction, direction)).re;
        for (let p = 0; p < out.data.length; p++) out.data[p] = out.data[p]! + entry * direction.data[p]!;
      }
    }
  }
  return out;
}
