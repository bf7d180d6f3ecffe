import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import numeric from "numeric";
import { describe, expect, it } from "vitest";
import {
  estimateSpectrum,
  frozenResidual,
  type RealMatrix,
  rankResidual,
  singularValues,
} from "../../src/bounds/index.ts";
import { InputError, type RandomStream, randomStream } from "../../src/core/index.ts";
import { relative } from "./support.ts";

function gaussian(stream: RandomStream, rows: number, columns: number): Matrix {
  const result = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result.set(i, j, stream.normal());
  return result;
}

function orthonormal(stream: RandomStream, rows: number, columns: number): Matrix {
  return new SingularValueDecomposition(gaussian(stream, rows, columns)).leftSingularVectors;
}

/** A matrix with the given singular values. */
function withValues(stream: RandomStream, rows: number, columns: number, values: readonly number[]): Matrix {
  const left = orthonormal(stream, rows, values.length);
  const right = orthonormal(stream, columns, values.length);
  return left.mmul(Matrix.diag([...values])).mmul(right.transpose());
}

const energy = (values: readonly number[]): number => values.reduce((sum, s) => sum + s * s, 0);

describe("estimateSpectrum", () => {
  it("small matrices: all singular values, as numeric.js has them, wide or tall", () => {
    const stream = randomStream(1, "small");
    for (const [rows, columns] of [
      [7, 4],
      [4, 7],
      [1, 5],
      [6, 6],
    ] as const) {
      const m = gaussian(stream, rows, columns).to2DArray();
      const tall = rows >= columns ? m : numeric.transpose(m);
      const { values, tail } = estimateSpectrum(m);
      const expected = (numeric.svd(tall).S as number[]).sort((a, b) => b - a);
      expect(values.length).toBe(Math.min(rows, columns));
      values.forEach((s, i) => {
        expect(Math.abs(s - expected[i]!)).toBeLessThan(1e-13 * expected[0]!);
      });
      expect(tail).toBeUndefined();
    }
  });

  it("entries of any size that can be squared; larger ones are refused", () => {
    for (const size of [1e-310, 1e-200, 1e150]) {
      const { values } = estimateSpectrum([
        [size, 0],
        [0, size / 2],
      ]);
      expect(relative(values[0]!, size)).toBeLessThan(1e-12);
      expect(relative(values[1]!, size / 2)).toBeLessThan(1e-12);
    }
    for (const size of [1e154, 1e308]) {
      const full = [
        [size, size],
        [size, size],
      ];
      expect(() => estimateSpectrum(full)).toThrow(expect.objectContaining({ field: "matrix" }));
    }
  });

  it("a shorter list carries the energy of the rest", () => {
    const m = withValues(randomStream(2, "short"), 12, 9, [5, 4, 3, 2, 1]);
    const { values, tail } = estimateSpectrum(m, { rank: 2 });
    expect([values[0], values[1], tail].map((x) => Number(x!.toFixed(10)))).toEqual([5, 4, 14]);
    const seen = singularValues({ kind: "values", values, tail: tail! }, 9);
    expect(relative(energy([...seen].slice(2)), 14)).toBeLessThan(1e-12);
    expect(seen[8]).toBe(seen[2]);
  });

  it("large matrices: seeded, exact for low rank, and every tail an upper bound", () => {
    const stream = randomStream(3, "large");
    const low = withValues(stream, 300, 280, [9, 7, 5, 1]);
    const exact = estimateSpectrum(low, { rank: 6 });
    [9, 7, 5, 1, 0, 0].forEach((s, i) => {
      if (i < exact.values.length) expect(Math.abs(exact.values[i]! - s)).toBeLessThan(1e-12);
    });
    expect(exact.tail).toBeLessThan(1e-20);

    const truth = Array.from({ length: 270 }, (_, i) => (i + 1) ** -0.7);
    const m = withValues(stream, 290, 270, truth);
    for (const powerIterations of [0, 2]) {
      const options = { rank: 20, oversampling: 5, powerIterations };
      const spectrum = estimateSpectrum(m, options);
      expect(estimateSpectrum(m, options)).toEqual(spectrum);
      expect(estimateSpectrum(m, { ...options, seed: 2 })).not.toEqual(spectrum);
      expect(relative(energy(spectrum.values) + spectrum.tail!, energy(truth))).toBeLessThan(1e-12);
      spectrum.values.forEach((s, i) => {
        expect(s).toBeLessThanOrEqual(truth[i]! * (1 + 1e-12));
        if (powerIterations === 2 && i < 10) expect(s).toBeGreaterThan(0.98 * truth[i]!);
      });
      const estimated = singularValues(spectrum, 270);
      for (let rank = 0; rank <= 270; rank++) {
        const tail = energy([...estimated].slice(rank));
        expect(tail).toBeGreaterThanOrEqual(energy(truth.slice(rank)) * (1 - 1e-12));
      }
    }
  });

  it("a flat spectrum, whose rest would not fit below the listed values, stays legal and an upper bound", () => {
    const flat = orthonormal(randomStream(4, "flat"), 300, 260);
    const spectrum = estimateSpectrum(flat, { rank: 5, oversampling: 0, powerIterations: 0 });
    const estimated = singularValues(spectrum, 260);
    for (const rank of [0, 3, 5, 100, 259]) {
      expect(energy([...estimated].slice(rank))).toBeGreaterThanOrEqual((260 - rank) * (1 - 1e-12));
    }
    expect(singularValues(estimateSpectrum([[0, 0]]), 1)[0]).toBe(0);
  });

  it("takes rows, typed rows, ml-matrix matrices and entries of any magnitude", () => {
    const rows = [
      [3, 0],
      [4, 5],
    ];
    const { values } = estimateSpectrum(rows);
    for (const same of [rows.map((row) => Float32Array.from(row)), new Matrix(rows)] as RealMatrix[]) {
      expect(estimateSpectrum(same).values).toEqual(values);
    }
    for (const scale of [1e-150, 1e150]) {
      const scaled = estimateSpectrum(rows.map((row) => row.map((x) => x * scale))).values;
      scaled.forEach((s, i) => {
        expect(relative(s, scale * values[i]!)).toBeLessThan(1e-14);
      });
    }
  });

  it("refuses what is no matrix", () => {
    for (const bad of [[], [[]], [[1, 2], [3]], [[Number.NaN]], null, 3, { rows: 1, columns: 1 }]) {
      expect(() => estimateSpectrum(bad as unknown as RealMatrix)).toThrow(InputError);
    }
    expect(() => estimateSpectrum([[1]], { rank: 2 })).toThrow(InputError);
    expect(() => estimateSpectrum([[1]], { ranks: 1 } as object)).toThrow(/ranks/);
  });
});

describe("a tail in a spectrum", () => {
  it("spread evenly over the values that are not listed", () => {
    expect([...singularValues({ kind: "values", values: [4, 3], tail: 8 }, 4)]).toEqual([4, 3, 2, 2]);
    expect([...singularValues({ kind: "values", values: [], tail: 8 }, 2)]).toEqual([2, 2]);
    const at = (rank: number): number =>
      rankResidual({
        smoothness: 2,
        layers: [{ dOut: 4, dIn: 9 }],
        spectrum: { kind: "values", values: [4, 3], tail: 8 },
        rank,
      });
    expect([0, 1, 2, 3, 4].map(at)).toEqual([33, 17, 8, 4, 0]);
  });

  it("is never below any descending spectrum with the same listed values and energy", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 3, maxLength: 12 }),
        fc.nat(),
        (raw, pick) => {
          const truth = raw.sort((a, b) => b - a);
          const listed = 1 + (pick % (truth.length - 1));
          const tail = energy(truth.slice(listed));
          const bound = singularValues(
            { kind: "values", values: truth.slice(0, listed), tail },
            truth.length,
          );
          for (let rank = 0; rank <= truth.length; rank++) {
            expect(energy([...bound].slice(rank))).toBeGreaterThanOrEqual(
              energy(truth.slice(rank)) * (1 - 1e-8),
            );
          }
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it("refuses a tail above (p - n) s_n^2, and one where everything is listed", () => {
    const values = { kind: "values", values: [2, 1], tail: 2.1 } as const;
    expect(() => singularValues(values, 4)).toThrow(/tail.*2\.1.*at most 2/);
    expect(() => singularValues(values, 2)).toThrow(/tail.*0: all 2/);
    expect(() => singularValues({ ...values, tail: -1 }, 4)).toThrow(InputError);
    expect([...singularValues({ ...values, tail: 2 }, 4)]).toEqual([2, 1, 1, 1]);
  });
});

describe("frozenResidual", () => {
  it("equals the best loraB by least squares", () => {
    const stream = randomStream(5, "frozen");
    for (const [rank, columns] of [
      [2, 5],
      [5, 5],
      [7, 4],
      [1, 3],
    ] as const) {
      const change = gaussian(stream, 6, columns);
      const loraA = gaussian(stream, rank, columns);
      // rows of the change projected onto the rows of loraA by Gram-Schmidt
      const basis: number[][] = [];
      for (const row of loraA.to2DArray()) {
        for (let pass = 0; pass < 2; pass++) {
          for (const b of basis) {
            const inner = numeric.dot(row, b) as number;
            row.forEach((_, i) => {
              row[i]! -= inner * b[i]!;
            });
          }
        }
        const length = numeric.norm2(row);
        if (length > 1e-10) basis.push(row.map((x) => x / length));
      }
      let missed = 0;
      for (const row of change.to2DArray()) {
        missed += energy(row) - basis.reduce((sum, b) => sum + (numeric.dot(row, b) as number) ** 2, 0);
      }
      const residual = frozenResidual({ smoothness: 3, change, loraA });
      expect(Math.abs(residual - 1.5 * missed)).toBeLessThan(1e-12 * energy(change.to1DArray()));
    }
  });

  it("rank-deficient, zero, and badly scaled loraA", () => {
    const change = [[3, 4, 12]];
    const at = (loraA: RealMatrix): number => frozenResidual({ smoothness: 2, change, loraA });
    expect(at([[0, 0, 0]])).toBe(169);
    expect(relative(at([[1, 0, 0], [2, 0, 0]]), 160)).toBeLessThan(1e-14); // biome-ignore format: a matrix
    expect(relative(at([[1e-200, 0, 0]]), 160)).toBeLessThan(1e-14);
    expect(
      relative(frozenResidual({ smoothness: 2, change: [[3e150, 4e-150]], loraA: [[0, 1]] }), 9e300),
    ).toBeLessThan(1e-14);
    expect(() => at([[1, 2]])).toThrow(InputError);
  });

  it("the mean over random loraA is the residual of kind frozen", () => {
    const stream = randomStream(6, "haar");
    const change = withValues(stream, 6, 8, [3, 2, 1]);
    const layers = [{ dOut: 6, dIn: 8 }];
    const spectrum = { kind: "values", values: [3, 2, 1] } as const;
    for (const rank of [1, 3, 6]) {
      const trials = 1000;
      let [sum, squares] = [0, 0];
      for (let i = 0; i < trials; i++) {
        const x = frozenResidual({ smoothness: 2, change, loraA: gaussian(stream, rank, 8) });
        sum += x;
        squares += x * x;
      }
      const error = Math.sqrt((squares / trials - (sum / trials) ** 2) / trials);
      const expected = rankResidual({ kind: "frozen", smoothness: 2, layers, spectrum, rank });
      expect(relative(expected, 14 * (1 - rank / 8))).toBeLessThan(1e-14);
      expect(Math.abs(sum / trials - expected)).toBeLessThan(4 * error);
    }
  });
});
