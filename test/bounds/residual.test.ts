import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { describe, expect, it } from "vitest";
import {
  type LoraLayer,
  ofdmSymbols,
  payloadEntries,
  rankProblem,
  rankResidual,
  singularValues,
  symbolPower,
} from "../../src/bounds/index.ts";
import { InputError, randomStream } from "../../src/core/index.ts";
import { relative, smallScenario } from "./support.ts";

function randomReal(rows: number, cols: number, seed: number): Matrix {
  const stream = randomStream(seed, "matrix");
  return new Matrix(Array.from({ length: rows }, () => Array.from({ length: cols }, () => stream.normal())));
}

/** The part of the SVD of rank at most r. */
function truncated(svd: SingularValueDecomposition, rank: number): Matrix {
  const s = svd.diagonal.map((value, i) => (i < rank ? value : 0));
  return svd.leftSingularVectors.mmul(Matrix.diag(s)).mmul(svd.rightSingularVectors.transpose());
}

describe("rankResidual against explicit matrices", () => {
  const smoothness = 1.7;
  const change = randomReal(7, 5, 1);
  const svd = new SingularValueDecomposition(change, { autoTranspose: true });
  const spectrum = { kind: "values" as const, values: svd.diagonal };
  const layers = [{ dOut: 7, dIn: 5 }];
  const loss = (weights: Matrix): number =>
    (smoothness / 2) * Matrix.sub(weights, change).norm("frobenius") ** 2;

  it("is exactly the least loss that rank r reaches when F(W) = (L_W/2) ||W - W*||^2", () => {
    for (let rank = 0; rank <= 6; rank++) {
      const eps = rankResidual({ smoothness, layers, spectrum, rank });
      expect(Math.abs(loss(truncated(svd, rank)) - eps)).toBeLessThan(1e-12 * loss(Matrix.zeros(7, 5)));
    }
  });

  it("no other matrix of that rank is better (Eckart-Young)", () => {
    for (let rank = 1; rank <= 4; rank++) {
      const eps = rankResidual({ smoothness, layers, spectrum, rank });
      for (let trial = 0; trial < 50; trial++) {
        const b = randomReal(7, rank, 100 + trial);
        const a = randomReal(rank, 5, 200 + trial);
        expect(loss(b.mmul(a))).toBeGreaterThanOrEqual(eps);
        const nearby = Matrix.add(truncated(svd, rank), Matrix.mul(b.mmul(a), 1e-3));
        const again = new SingularValueDecomposition(nearby, { autoTranspose: true });
        expect(loss(truncated(again, rank))).toBeGreaterThanOrEqual(eps * (1 - 1e-12));
      }
    }
  });

  it("frozen loraA whose rows span the top right singular space: the best loraB attains it", () => {
    const rank = 3;
    const a = svd.rightSingularVectors.transpose().subMatrix(0, rank - 1, 0, 4);
    const b = change.mmul(a.transpose()); // least squares: the rows of a are orthonormal
    const eps = rankResidual({ smoothness, layers, spectrum, rank });
    expect(relative(loss(b.mmul(a)), eps)).toBeLessThan(1e-12);
  });

  it("is an upper bound for any loss of that smoothness around its optimum", () => {
    // f = sum h_ij (W - W*)_ij^2 / 2 with h <= L_W
    const stream = randomStream(5, "curvature");
    const h = Matrix.zeros(7, 5);
    for (let i = 0; i < 7; i++) for (let j = 0; j < 5; j++) h.set(i, j, smoothness * stream.uniform());
    for (let rank = 0; rank <= 5; rank++) {
      const off = Matrix.sub(truncated(svd, rank), change);
      expect(Matrix.mul(h, off).mul(off).sum() / 2).toBeLessThanOrEqual(
        rankResidual({ smoothness, layers, spectrum, rank }) + 1e-12,
      );
    }
  });

  it("adds up over layers and counts, each with its own spectrum and size", () => {
    const geometric = { kind: "geometric" as const, scale: 2, ratio: 0.5 };
    const eps = rankResidual({
      smoothness: 3,
      rank: 2,
      spectrum: geometric,
      layers: [
        { dOut: 4, dIn: 3, count: 2 },
        { dOut: 2, dIn: 9 },
        { dOut: 5, dIn: 6, spectrum: { kind: "values", values: [1, 4, 3] } },
      ],
    });
    expect(eps).toBe(1.5 * (2 * 0.5 ** 2 + 0 + 1));
  });

  it("refuses what makes no sense", () => {
    const refuses = (edit: object, field: string): void => {
      const input = { smoothness: 1, rank: 1, layers, spectrum: { kind: "geometric", scale: 1, ratio: 0.5 } };
      try {
        rankResidual({ ...input, ...edit } as Parameters<typeof rankResidual>[0]);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        expect((error as InputError).field).toBe(field);
        return;
      }
      expect.unreachable(`${field} was not refused`);
    };
    refuses({ layers: [{ dOut: 4, dIn: 4, count: Number.NaN }] }, "layers[0].count");
    refuses({ layers: [{ dOut: 4, dIn: 4, count: -1 }] }, "layers[0].count");
    refuses({ layers: [] }, "layers");
    refuses({ layers: [{ dOut: 4 }] }, "layers[0].dIn");
    refuses({ spectrum: undefined }, "spectrum");
    refuses({ spectrum: { kind: "flat" } }, "spectrum.kind");
    refuses({ spectrum: { kind: "values", values: [1, 1, 1, 1, 1, 1] } }, "spectrum.values");
    refuses(
      { layers: [{ dOut: 4, dIn: 1, spectrum: { kind: "values", values: [1, 2] } }] },
      "layers[0].spectrum.values",
    );
    refuses({ smoothness: 0 }, "smoothness");
    refuses({ rank: 1.5 }, "rank");
    refuses({ kind: "random" }, "kind");
  });
});

describe("singularValues", () => {
  it("power law, geometric, given (sorted, zeros beyond)", () => {
    expect([...singularValues({ kind: "power-law", scale: 2, exponent: 1 }, 4)]).toEqual([2, 1, 2 / 3, 0.5]);
    expect([...singularValues({ kind: "geometric", scale: 3, ratio: 0.5 }, 3)]).toEqual([3, 1.5, 0.75]);
    expect([...singularValues({ kind: "values", values: [1, 3, 2] }, 5)]).toEqual([3, 2, 1, 0, 0]);
    expect([...singularValues({ kind: "values", values: [0, 0, 5] }, 2)]).toEqual([5, 0]);
    expect([...singularValues({ kind: "geometric", scale: 3, ratio: 0 }, 3)]).toEqual([3, 0, 0]);
    expect([...singularValues({ kind: "power-law", scale: 3, exponent: 0 }, 2)]).toEqual([3, 3]);
    expect(singularValues({ kind: "power-law", scale: 1, exponent: 1 }, 0)).toHaveLength(0);
  });
});

describe("payload, symbols and power by hand", () => {
  it("Q(r), a layer using at most its own smaller dimension", () => {
    const layers: LoraLayer[] = [
      { dOut: 10, dIn: 6, count: 2 },
      { dOut: 3, dIn: 20 },
    ];
    expect(payloadEntries(layers, 2, "both")).toBe(2 * 2 * 16 + 2 * 23);
    expect(payloadEntries(layers, 2, "loraB")).toBe(2 * 2 * 10 + 2 * 3);
    expect(payloadEntries(layers, 5, "both")).toBe(2 * 5 * 16 + 3 * 23);
    expect(payloadEntries(layers, 99, "both")).toBe(2 * 6 * 16 + 3 * 23);
    expect(() => payloadEntries(layers, 0, "both")).toThrow("rank");
    expect(() => payloadEntries([{ dOut: 2 ** 20, dIn: 2 ** 20, count: 2 ** 20 }], 2 ** 20, "both")).toThrow(
      "2^53",
    );
  });

  it("N_sym = ceil(Q / (2 S M))", () => {
    expect(ofdmSymbols(64, 2, 4)).toBe(4);
    expect(ofdmSymbols(65, 2, 4)).toBe(5);
    expect(ofdmSymbols(1, 2, 4)).toBe(1);
    expect(ofdmSymbols(0, 2, 4)).toBe(0);
  });

  it("P_k(r) = min(Pmax_k, E_k/(N_sym T_s))", () => {
    expect(symbolPower(10, null, 1)).toBe(10);
    expect(symbolPower(10, 3, 0.5)).toBe(6);
    expect(symbolPower(10, 8, 0.5)).toBe(10);
  });

  it("they meet in a scenario: two devices, one limited by its energy, and a latency budget", () => {
    const problem = rankProblem(
      smallScenario((s) => {
        s.channel["devices"] = 2;
        s.link = {
          streams: 2,
          snrDb: [10, 20],
          noiseVariance: 0.5,
          symbolDuration: 1e-3,
          energyPerRound: [1, 0.1],
          latencyPerRound: 0.0705,
        };
        s.lora.layers = [{ dOut: 14, dIn: 10 }];
      }),
    );
    // 2 S M = 8 reals per symbol, Q(r) = 24 r, N_sym = 3 r, at most 70 symbols; the layer allows rank 10
    const { entries, symbols, airTime, power } = problem.payloadAt(4);
    expect([entries, symbols]).toEqual([96, 12]);
    expect(relative(airTime, 0.012)).toBeLessThan(1e-15);
    // Pmax = M sigma2 10^(dB/10) = 10 and 100; energy per symbol 1/0.012 = 83.3 and 0.1/0.012 = 8.33
    expect(power[0]).toBe(10);
    expect(relative(power[1]!, 0.1 / 0.012)).toBeLessThan(1e-14);
    expect(problem.maxRank).toBe(10);
    const tight = smallScenario((s) => {
      s.link["latencyPerRound"] = 0.02;
      s.link["symbolDuration"] = 1e-3;
      s.lora.layers = [{ dOut: 14, dIn: 10 }];
    });
    expect(rankProblem(tight).maxRank).toBe(6); // 3 r <= 20
  });
});
