import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transceiverProblem } from "../../src/aircomp/design.ts";
import { channelFrom, type TrueChannel } from "../../src/aircomp/index.ts";
import { receiveSubspace } from "../../src/aircomp/subspaces.ts";
import {
  add,
  type ComplexMatrix,
  ComplexStack,
  eigHermitian,
  inverse,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  scale,
  svd,
  trace,
  zeros,
} from "../../src/linalg/index.ts";
import { unitaryResidual } from "../../src/testing/index.ts";
import { anyProblem, runs } from "./support.ts";

interface Case {
  readonly name: string;
  readonly seed: number;
  readonly devices: number;
  readonly receiveAntennas: number;
  readonly transmitAntennas: number;
  readonly streams: number;
  readonly firstEntry: readonly [number, number];
  readonly centroid: number;
}

const fixture = new URL("../fixtures/aircomp/uniform-forcing.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, "utf8")) as { cases: readonly Case[] };

function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The channel of a case, as the description in the fixture says. */
function channelOf({ seed, devices, receiveAntennas: nr, transmitAntennas: nt }: Case): TrueChannel {
  const uniform = mulberry32(seed);
  const stack = new ComplexStack([devices, 1, nr, nt]);
  for (let k = 0; k < devices; k++) {
    const { data } = stack.at(k, 0);
    for (let col = 0; col < nt; col++) {
      for (let row = 0; row < nr; row++) {
        const radius = Math.sqrt(-Math.log(1 - uniform()));
        const angle = 2 * Math.PI * uniform();
        data[2 * (row * nt + col)] = radius * Math.cos(angle);
        data[2 * (row * nt + col) + 1] = radius * Math.sin(angle);
      }
    }
  }
  return channelFrom(stack);
}

/** max_k tr((G^H H_k H_k^H G)^-1), G = F/sqrt(S). */
function forcingObjective(channel: TrueChannel, basis: ComplexMatrix): number {
  const g = scale(basis, 1 / Math.sqrt(basis.cols));
  let worst = 0;
  for (let k = 0; k < channel.devices; k++) {
    const seen = multiplyConjugateLeft(channel.matrices.at(k, 0), g);
    worst = Math.max(worst, trace(inverse(multiplyConjugateLeft(seen, seen))).re);
  }
  return worst;
}

function columns(m: ComplexMatrix, chosen: readonly number[]): ComplexMatrix {
  const out = zeros(m.rows, chosen.length);
  for (let row = 0; row < m.rows; row++) {
    chosen.forEach((col, j) => {
      const from = 2 * (row * m.cols + col);
      out.data.set(m.data.subarray(from, from + 2), 2 * (row * chosen.length + j));
    });
  }
  return out;
}

/** Leading eigenvectors of sum_k s_n(H_k)^2 U_k U_k^H, U_k all n = N_t < N_r left singular vectors. */
function centroidBasis(channel: TrueChannel, streams: number): ComplexMatrix {
  const nr = channel.receiveAntennas;
  const n = channel.transmitAntennas;
  let sum: ComplexMatrix = zeros(nr, nr);
  for (let k = 0; k < channel.devices; k++) {
    const { u, s } = svd(channel.matrices.at(k, 0));
    const leading = columns(
      u,
      Array.from({ length: n }, (_, i) => i),
    );
    sum = add(sum, scale(multiplyConjugateRight(leading, leading), s[n - 1]! ** 2));
  }
  return columns(
    eigHermitian(sum).vectors,
    Array.from({ length: streams }, (_, i) => nr - 1 - i),
  );
}

describe.each(cases)("channels of case $name", (given) => {
  const channel = channelOf(given);
  const problem = transceiverProblem({ channel, streams: given.streams, power: 1, noiseVariance: 1 });

  test("are those of the reference", () => {
    const { data } = channel.matrices;
    expect([data[0]!, data[1]!]).toEqual(given.firstEntry);
  });

  test("the centroid is that of the reference, built by hand and by airfold", () => {
    const value = forcingObjective(channel, centroidBasis(channel, given.streams));
    expect(Math.abs(value / given.centroid - 1)).toBeLessThan(1e-9);
    const ours = forcingObjective(channel, receiveSubspace("centroid", problem, 1).at(0));
    expect(Math.abs(ours / given.centroid - 1)).toBeLessThan(1e-9);
  });
});

test("subspaces are orthonormal, for any channel", () => {
  fc.assert(
    fc.property(anyProblem, fc.nat(999), (problem, seed) => {
      const inner = transceiverProblem(problem);
      for (const name of ["centroid", "mrc", "random"] as const) {
        const basis = receiveSubspace(name, inner, seed);
        for (let m = 0; m < inner.subcarriers; m++) {
          expect(unitaryResidual(basis.at(m))).toBeLessThan(1e-13 * inner.receiveAntennas);
        }
      }
    }),
    runs(60),
  );
});

test("MRC takes the dominant eigenvectors of sum_k w_k P_k H_k H_k^H", () => {
  fc.assert(
    fc.property(anyProblem, (problem) => {
      const inner = transceiverProblem(problem);
      const nr = inner.receiveAntennas;
      const basis = receiveSubspace("mrc", inner, 1).at(0);
      let energy: ComplexMatrix = zeros(nr, nr);
      for (let k = 0; k < inner.devices; k++) {
        const h = problem.channel.matrices.at(k, 0);
        energy = add(energy, scale(multiplyConjugateRight(h, h), inner.weights[k]! * inner.power[k]!));
      }
      // the energy that the subspace captures is the sum of the largest eigenvalues
      const { values } = eigHermitian(energy);
      const most = values.slice(-inner.streams).reduce((sum, x) => sum + x, 0);
      const captured = trace(multiplyConjugateLeft(basis, multiplyConjugateLeft(energy, basis))).re;
      expect(Math.abs(captured - most)).toBeLessThanOrEqual(1e-12 * values[nr - 1]! * nr);
    }),
    runs(60),
  );
});
