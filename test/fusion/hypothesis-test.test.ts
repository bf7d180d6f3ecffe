import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/index.ts";
import {
  type EntryCovariance,
  flipProbability,
  logQfunc,
  type ParameterSet,
  qfunc,
  taskVectorTest,
} from "../../src/fusion/index.ts";
import { add, fieldOf, lengths, RUNS, randomSet, statistics } from "./task-support.ts";

describe("qfunc", () => {
  /** x, Q(x), log Q(x): erfc to 40 digits (mpmath), rounded to double precision. */
  const table: readonly [number, number, number][] = [
    [0.1, 0.460172162722971, -0.7761545927302733],
    [0.5, 0.3085375387259869, -1.1759117615936185],
    [1, 0.15865525393145705, -1.8410216450092636],
    [1.5, 0.06680720126885807, -2.7059444008238898],
    [2, 0.02275013194817921, -3.783184333682032],
    [2.5, 0.006209665325776135, -5.08164827727869],
    [2.9999, 0.001350341282954924, -6.607397916292055],
    [3, 0.0013498980316300946, -6.607726221510349],
    [3.5, 0.00023262907903552504, -8.366065308344092],
    [5, 2.866515718791939e-7, -15.064998393988725],
    [7.5, 3.1908916729108963e-14, -31.075890902890002],
    [10, 7.619853024160525e-24, -53.23128515051247],
    [15, 3.670966199312751e-51, -116.1313848457117],
    [20, 2.7536241186062337e-89, -203.91715537109727],
    [30, 4.906713927148187e-198, -454.3212439563432],
    [37, 5.725571222524577e-300, -689.0305855768906],
  ];

  test.each(table)("Q(%f) to 1e-12", (x, q, log) => {
    expect(Math.abs(qfunc(x) / q - 1)).toBeLessThan(1e-12);
    expect(Math.abs(logQfunc(x) / log - 1)).toBeLessThan(1e-13);
    expect(qfunc(-x)).toBeCloseTo(1 - q, 15);
    expect(Math.abs(logQfunc(-x) / Math.log1p(-q) - 1)).toBeLessThan(1e-12);
  });

  test("ends, far tails, and no jump where the formulas meet", async () => {
    expect([qfunc(0), qfunc(Infinity), qfunc(-Infinity), qfunc(60)]).toEqual([0.5, 0, 1, 0]);
    expect([logQfunc(Infinity), logQfunc(-Infinity)]).toEqual([-Infinity, 0]);
    for (const [x, log] of [
      [40, -804.6084420137538],
      [100, -5005.524208694205],
      [1e5, -5000000012.431864],
    ] as const)
      expect(Math.abs(logQfunc(x) / log - 1)).toBeLessThan(1e-14);
    expect(Math.abs(qfunc(3 - 1e-12) / qfunc(3) - 1)).toBeLessThan(1e-11);
    expect(await fieldOf(() => qfunc(Number.NaN))).toBe("x");
  });
});

const size = 12;

/** The same Sigma in the forms that can hold it; diagonal first. */
function covariances(seed: number): {
  readonly diagonal: EntryCovariance;
  readonly full: EntryCovariance;
  readonly matrix: number[];
} {
  const stream = randomStream(seed, "covariances");
  const diagonal = Object.fromEntries(
    Object.entries(lengths).map(([n, length]) => [
      n,
      Float64Array.from({ length }, () => 0.2 + stream.uniform()),
    ]),
  );
  const flat = Object.values(diagonal).flatMap((x) => [...x]);
  const matrix = Array.from({ length: size * size }, (_, i) =>
    i % (size + 1) === 0 ? flat[i / (size + 1)]! : 0,
  );
  return { diagonal: { diagonal }, full: { full: matrix }, matrix };
}

/** A random symmetric positive definite matrix and a factor of it. */
function spd(seed: number): { readonly matrix: number[]; readonly factor: number[] } {
  const stream = randomStream(seed, "spd");
  const factor = Array.from(
    { length: size * size },
    (_, i) => 0.3 * stream.normal() + (i % (size + 1) === 0 ? 1 : 0),
  );
  const matrix = factor.map((_, e) => {
    const [i, j] = [Math.floor(e / size), e % size];
    return Array.from({ length: size }, (_, k) => factor[i * size + k]! * factor[j * size + k]!).reduce(
      (a, b) => a + b,
      0,
    );
  });
  return { matrix, factor };
}

function flat(set: ParameterSet): number[] {
  return Object.keys(lengths).flatMap((n) => [...set[n]!]);
}

describe("taskVectorTest", () => {
  const pairs = fc.record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    apart: fc.double({ min: 0.01, max: 2, noNaN: true }),
  });
  const draw = ({ seed, apart }: { seed: number; apart: number }) => {
    const stream = randomStream(seed, "pair");
    const first = randomSet(lengths, stream);
    return {
      first,
      second: add(first, randomSet(lengths, stream), apart),
      received: randomSet(lengths, stream),
    };
  };

  test("all forms of one covariance agree, and the statistic is the log-likelihood ratio", () => {
    fc.assert(
      fc.property(pairs, (own) => {
        const { first, second, received } = draw(own);
        const { diagonal, full, matrix } = covariances(own.seed);
        const one = taskVectorTest({ first, second, covariance: diagonal });
        const other = taskVectorTest({ first, second, covariance: full });
        expect(other.distance / one.distance).toBeCloseTo(1, 11);
        const [a, b, y] = [flat(first), flat(second), flat(received)];
        const ratio = y.reduce(
          (sum, x, i) => sum + ((x - b[i]!) ** 2 - (x - a[i]!) ** 2) / 2 / matrix[i * (size + 1)]!,
          0,
        );
        for (const { statistic } of [one, other]) {
          expect(Math.abs(statistic(received) - ratio)).toBeLessThan(1e-10 * (1 + Math.abs(ratio)));
        }
        const perTensor = { perTensor: Object.fromEntries(Object.keys(lengths).map((n) => [n, 0.7])) };
        const scalars = [0.7, perTensor].map(
          (covariance) => taskVectorTest({ first, second, covariance }).distance,
        );
        expect(scalars[0]).toBe(scalars[1]);
      }),
      RUNS,
    );
  });

  test("the error is in (0, 1/2) and grows with the noise; the means decide for themselves", () => {
    fc.assert(
      fc.property(pairs, fc.double({ min: 1.001, max: 10, noNaN: true }), (own, factor) => {
        const { first, second } = draw(own);
        const variance = 0.5;
        const quiet = taskVectorTest({ first, second, covariance: variance });
        const loud = taskVectorTest({ first, second, covariance: variance * factor });
        expect(quiet.error).toBeGreaterThan(0);
        expect(loud.error).toBeLessThan(0.5);
        expect(quiet.error).toBeLessThan(loud.error);
        expect(quiet.error).toBe(qfunc(quiet.distance / 2));
        expect(Math.exp(quiet.logError)).toBeCloseTo(quiet.error, 14);
        expect([quiet.decide(first), quiet.decide(second)]).toEqual([1, 2]);
        expect(quiet.statistic(first) / quiet.distance ** 2).toBeCloseTo(0.5, 9);
      }),
      RUNS,
    );
  });

  test.each([undefined, [0.8, 0.2]] as const)(
    "errors against draws, full covariance, priors %j",
    (priors) => {
      const { first, second } = draw({ seed: 3, apart: 0.1 });
      const { matrix, factor } = spd(4);
      const own = taskVectorTest({
        first,
        second,
        covariance: { full: matrix },
        ...(priors === undefined ? {} : { priors }),
      });
      const stream = randomStream(1, "decisions");
      const wrong = ([first, second] as const).map((mean, h) =>
        Array.from({ length: 20_000 }, () => {
          const z = Float64Array.from({ length: size }, () => stream.normal());
          let at = 0;
          const received = Object.fromEntries(
            Object.entries(mean).map(([n, x]) => [
              n,
              x.map((value) => {
                const row = at++;
                return value + z.reduce((sum, v, k) => sum + factor[row * size + k]! * v, 0);
              }),
            ]),
          );
          return own.decide(received) === h + 1 ? 0 : 1;
        }),
      );
      const [a, b] = wrong.map(statistics);
      expect(own.error).toBeGreaterThan(0.02);
      expect(a!.deviations(own.errorFirst)).toBeLessThan(4);
      expect(b!.deviations(own.errorSecond)).toBeLessThan(4);
      const [p1, p2] = priors ?? [0.5, 0.5];
      expect(own.error).toBeCloseTo(p1 * own.errorFirst + p2 * own.errorSecond, 14);
      // Q(d) in the place of Q(d/2), and priors forgotten, are seen
      expect(a!.deviations(qfunc(own.distance))).toBeGreaterThan(8);
      if (priors !== undefined) expect(a!.deviations(qfunc(own.distance / 2))).toBeGreaterThan(8);
    },
  );

  test("equal vectors leave the priors; far ones leave a logarithm", () => {
    const first = { w: Float64Array.of(1, 2) };
    const same = (priors?: readonly [number, number]) =>
      taskVectorTest({ first, second: first, covariance: 1, ...(priors === undefined ? {} : { priors }) });
    expect([same().error, same([0.9, 0.1]).error, same([0.3, 0.7]).error]).toEqual([
      0.5,
      expect.closeTo(0.1, 15),
      0.3,
    ]);
    expect([same([0.9, 0.1]).decide(first), same([0.3, 0.7]).decide(first), same().decide(first)]).toEqual([
      1, 2, 2,
    ]);
    const far = taskVectorTest({ first, second: { w: Float64Array.of(101, 2) }, covariance: 1 });
    expect(far.error).toBe(0);
    expect(far.logError).toBeCloseTo(logQfunc(50), 9);
  });

  test("refuses by field", async () => {
    const { first, second } = draw({ seed: 1, apart: 1 });
    const own = { first, second, covariance: 1 as EntryCovariance };
    const at = (covariance: unknown) =>
      fieldOf(() => taskVectorTest({ ...own, covariance: covariance as EntryCovariance }));
    expect(await at(0)).toBe("covariance");
    expect(await at({ perTensor: { "head.weight": 1 } })).toBe('covariance.perTensor["encoder.0.weight"]');
    expect(await at({ perTensor: { other: 1 } })).toBe('covariance.perTensor["other"]');
    expect(await at({ full: [1] })).toBe("covariance.full");
    expect(await at({ full: new Float64Array(size * size).fill(1) })).toBe("covariance.full");
    expect(await at({ variance: 1 })).toBe("covariance");
    expect(await at({ diagonal: { ...first } })).toMatch(
      /^covariance\.diagonal\["encoder\.0\.weight"\]\[\d\]$/,
    );
    expect(await fieldOf(() => taskVectorTest({ ...own, priors: [1, 0] }))).toBe("priors");
    expect(await fieldOf(() => taskVectorTest({ ...own, priors: [0.5, 0.4] }))).toBe("priors");
    expect(await fieldOf(() => taskVectorTest({ ...own, second: { w: Float64Array.of(1) } }))).toBe(
      'second["w"]',
    );
    expect(await fieldOf(() => taskVectorTest(own).statistic({}))).toBe("received");
  });
});

describe("flipProbability", () => {
  test.each([
    ["white", [4, 0, 0, 0, 4, 0, 0, 0, 4]],
    ["with a common part, which changes nothing", [7, 3, 3, 3, 7, 3, 3, 3, 7]],
  ])("three classes by quadrature, noise %s", (_, covariance) => {
    // the first stays largest: E Phi(x + 2 / 2)^2 over x ~ N(0, 1), by the rectangle rule
    let stays = 0;
    for (let x = -9; x < 9; x += 0.01) {
      stays += (0.01 * Math.exp((-x * x) / 2) * (1 - qfunc(x + 1)) ** 2) / Math.sqrt(2 * Math.PI);
    }
    const flip = flipProbability({
      outputs: [2, 0, 0],
      covariance,
      method: "monte-carlo",
      draws: 40_000,
      seed: 1,
    });
    expect(Math.abs(flip.probability - (1 - stays))).toBeLessThan(4 * flip.standardError);
  });

  test("two outputs: exact, against draws", () => {
    const outputs = [1, 0.4];
    const covariance = [0.5, 0.2, 0.2, 0.3];
    const flip = flipProbability({ outputs, covariance });
    expect(flip).toMatchObject({ kind: "exact", lower: flip.upper, standardError: 0 });
    expect(flip.probability).toBeCloseTo(qfunc(0.6 / Math.sqrt(0.4)), 14);
    const stream = randomStream(1, "two");
    const factor = [Math.sqrt(0.5), 0.2 / Math.sqrt(0.5), Math.sqrt(0.3 - 0.04 / 0.5)];
    const flips = Array.from({ length: 40_000 }, () => {
      const [a, b] = [stream.normal(), stream.normal()];
      return outputs[0]! + factor[0]! * a < outputs[1]! + factor[1]! * a + factor[2]! * b ? 1 : 0;
    });
    expect(statistics(flips).deviations(flip.probability)).toBeLessThan(4);
    // the variance without its covariance part is seen
    expect(statistics(flips).deviations(qfunc(0.6 / Math.sqrt(0.8)))).toBeGreaterThan(8);
  });

  test("more outputs: draws lie between the bounds, and everything grows with the noise", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 3, maxLength: 6 }),
        fc.integer({ min: 0, max: 1e6 }),
        (outputs, seed) => {
          const n = outputs.length;
          const stream = randomStream(seed, "factor");
          // of rank 2: singular, as the covariance of a few directions is
          const factor = Array.from({ length: 2 * n }, () => stream.normal());
          const covariance = Array.from({ length: n * n }, (_, e) => {
            const [i, j] = [Math.floor(e / n), e % n];
            return factor[2 * i]! * factor[2 * j]! + factor[2 * i + 1]! * factor[2 * j + 1]!;
          });
          const drawn = flipProbability({ outputs, covariance, method: "monte-carlo", draws: 2000, seed });
          const slack = 5 * Math.max(drawn.standardError, 1 / 2000);
          expect(drawn.probability).toBeGreaterThanOrEqual(drawn.lower - slack);
          expect(drawn.probability).toBeLessThanOrEqual(drawn.upper + slack);
          const louder = flipProbability({ outputs, covariance: covariance.map((x) => 2 * x) });
          expect(louder.lower).toBeGreaterThanOrEqual(drawn.lower);
          expect(louder.upper).toBeGreaterThanOrEqual(drawn.upper);
        },
      ),
      { ...RUNS, numRuns: 60 },
    );
  });

  test("forms of the covariance, no noise, common noise, refusals", async () => {
    const outputs = [0, 1, 0.5];
    const forms = [0.3, [0.3, 0.3, 0.3], [0.3, 0, 0, 0, 0.3, 0, 0, 0, 0.3]];
    const found = forms.map((covariance) => flipProbability({ outputs, covariance }));
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
    expect(flipProbability({ outputs, covariance: 0 }).probability).toBe(0);
    expect(flipProbability({ outputs, covariance: new Float64Array(9).fill(4) }).probability).toBe(0);
    expect(await fieldOf(() => flipProbability({ outputs: [1], covariance: 1 }))).toBe("outputs");
    expect(await fieldOf(() => flipProbability({ outputs, covariance: [1, 2] }))).toBe("covariance");
    expect(await fieldOf(() => flipProbability({ outputs, covariance: [1, 2, -3] }))).toBe("covariance[2]");
    expect(await fieldOf(() => flipProbability({ outputs: [1, 2], covariance: [1, 2, 2, 1] }))).toBe(
      "covariance",
    );
    expect(await fieldOf(() => flipProbability({ outputs: [1, 2], covariance: [1, 0, 1, 1] }))).toBe(
      "covariance",
    );
  });
});
