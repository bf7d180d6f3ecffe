import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ComplexArray, decodeMat, pickComplexArray } from "../../../src/core/index.ts";
import { complexArrays, expectSame, extremes, fixture, fixtureArray, inputError } from "./helpers.ts";
import { concat, type MatVariable, type StorageType, tag, writeMat } from "./mat-writer.ts";

const h = fixtureArray();
const orders = [true, false];

/** Column-major parts of a row-major array, by the definition of both orders. */
function variableOf(name: string, { shape, data }: ComplexArray): MatVariable {
  const count = data.length / 2;
  const re = new Array<number>(count);
  const im = new Array<number>(count);
  for (let i = 0; i < count; i++) {
    let rest = i;
    const index = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    const to = index.reduceRight((sum, at, axis) => sum * shape[axis]! + at, 0);
    re[to] = data[2 * i]!;
    im[to] = data[2 * i + 1]!;
  }
  return { name, shape: shape.length === 1 ? [...shape, 1] : shape, re, im };
}

const twoByTwo = (
  storage: StorageType,
  re: number[],
  im: number[],
  imStorage: StorageType = storage,
): MatVariable => ({
  name: "x",
  shape: [2, 2],
  re,
  im,
  storage,
  imStorage,
});

describe(".mat", () => {
  it("reads what the writer of this test writes, in both byte orders, compressed or not", () => {
    fc.assert(
      fc.property(complexArrays, fc.boolean(), fc.boolean(), (array, little, compressed) => {
        const variable = variableOf("h", array);
        const bytes = writeMat([variable, { ...variable, name: "second" }], { little, compressed });
        const archive = decodeMat(bytes, "f");
        expect([...archive.keys()]).toEqual(["h", "second"]);
        const expected = { shape: variable.shape, data: array.data };
        for (const entry of archive.values()) expectSame(entry as ComplexArray, expected);
      }),
      { seed: 14, numRuns: 200 },
    );
  });

  it.each(["scipy.mat", "scipy-compressed.mat"])("reads %s", (name) => {
    const archive = decodeMat(fixture(name), "f");
    expect([...archive.keys()]).toEqual(["h", "row", "text", "snr"]);
    expectSame(pickComplexArray(archive, "h", "f"), h);
    expectSame(pickComplexArray(archive, "row", "f"), { shape: [1, 3], data: extremes });
  });

  it.each(["octave-v6.mat", "octave-v7.mat"])("reads %s", (name) => {
    const archive = decodeMat(fixture(name), "f");
    expectSame(pickComplexArray(archive, "h", "f"), h);
    expectSame(pickComplexArray(archive, "half", "f"), h);
    expectSame(pickComplexArray(archive, "small", "f"), {
      shape: [2, 3, 4],
      data: h.data.map((number, i) => (i % 2 === 0 ? Math.floor(number) : ((i - 1) / 2) % 4)),
    });
    expectSame(pickComplexArray(archive, "empty", "f"), { shape: [0, 3], data: new Float64Array(0) });
    for (const [variable, found] of [
      ["real_only", "a real MATLAB array"],
      ["text", "a MATLAB char array"],
      ["list", "a MATLAB cell array"],
      ["record", "a MATLAB struct"],
      ["sparse_h", "a MATLAB sparse array"],
    ] as const) {
      expect(inputError(() => pickComplexArray(archive, variable, "f"))).toContain(
        `f: found ${found} in variable "${variable}", expected a complex array`,
      );
    }
  });

  it.each<[StorageType, number[]]>([
    ["miINT8", [-128, 127, 0, 1]],
    ["miUINT8", [0, 255, 128, 1]],
    ["miINT16", [-32768, 32767, 0, 1]],
    ["miUINT16", [0, 65535, 256, 1]],
    ["miINT32", [-(2 ** 31), 2 ** 31 - 1, 0, 1]],
    ["miUINT32", [0, 2 ** 32 - 1, 65536, 1]],
    ["miINT64", [-(2 ** 53), 2 ** 53, 0, 1]],
    ["miUINT64", [0, 2 ** 53, 2 ** 32, 1]],
    ["miSINGLE", [-0.5, 2 ** -149, 2 ** 127, 1]],
    ["miDOUBLE", [-0.1, 5e-324, 1e300, -0]],
  ])("reads parts stored as %s, small elements included", (storage, numbers) => {
    const [a, b, c, d] = numbers as [number, number, number, number];
    for (const little of orders) {
      const expected = { shape: [2, 2], data: Float64Array.of(a, 0.5, c, 2.5, b, 1.5, d, 3.5) };
      const mixed = writeMat([twoByTwo(storage, numbers, [0.5, 1.5, 2.5, 3.5], "miDOUBLE")], { little });
      expectSame(pickComplexArray(decodeMat(mixed, "f"), "x", "f"), expected);
      const one: MatVariable = { name: "a_long_name", shape: [1, 1], re: [b], im: [a], storage };
      const single = decodeMat(writeMat([one], { little, compressed: true }), "f");
      expectSame(pickComplexArray(single, undefined, "f"), { shape: [1, 1], data: Float64Array.of(b, a) });
    }
  });

  it("accepts complex arrays of every numeric class, and skips what has no name", () => {
    for (let arrayClass = 6; arrayClass <= 15; arrayClass++) {
      const x = { ...twoByTwo("miINT8", [1, 2, 3, 4], [5, 6, 7, 8]), arrayClass };
      const archive = decodeMat(writeMat([x, { ...x, name: "" }]), "f");
      expect([...archive.keys()]).toEqual(["x"]);
      expect(pickComplexArray(archive, "x", "f").data).toEqual(Float64Array.of(1, 5, 3, 7, 2, 6, 4, 8));
    }
  });

  it("refuses v4 and v7.3 files with the way out", () => {
    const advice = "expected a MATLAB v5 file: save with -v7";
    expect(inputError(() => decodeMat(fixture("scipy-v4.mat"), "f"))).toBe(
      `f: found a MATLAB v4 file, ${advice}`,
    );
    const hdf = `f: found a MATLAB v7.3 (HDF5) file, ${advice}`;
    expect(inputError(() => decodeMat(new TextEncoder().encode("MATLAB 7.3 MAT-file"), "f"))).toBe(hdf);
    expect(inputError(() => decodeMat(Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10), "f"))).toBe(hdf);
    for (const little of orders) {
      expect(inputError(() => decodeMat(writeMat([], { little, version: 0x0200 }), "f"))).toBe(hdf);
      expect(inputError(() => decodeMat(writeMat([], { little, version: 0x0300 }), "f"))).toBe(
        `f: found a .mat file of version 3, ${advice}`,
      );
    }
    expect(inputError(() => decodeMat(new Uint8Array(0), "f"))).toBe(
      `f: found bytes that are not of a .mat file, ${advice}`,
    );
  });

  const x = twoByTwo("miDOUBLE", [1, 2, 3, 4], [5, 6, 7, 8]);
  it.each<[string, Uint8Array, string]>([
    ["a negative extent", writeMat([{ ...x, shape: [-2, 2] }]), "an array of -2 x 2"],
    ["a single extent", writeMat([{ ...x, shape: [4] }]), "damaged extents"],
    [
      "absurd extents",
      writeMat([{ ...x, shape: [2 ** 30, 2 ** 30] }]),
      "an array of 1073741824 x 1073741824",
    ],
    [
      "large extents",
      writeMat([{ ...x, shape: [2 ** 13, 2 ** 13] }]),
      "32 bytes where 67108864 numbers need 536870912",
    ],
    ["a short imaginary part", writeMat([{ ...x, im: [1] }]), "8 bytes where 4 numbers need 32"],
    ["an unknown class", writeMat([{ ...x, arrayClass: 99 }]), "an array of unknown class 99"],
    [
      "another element on top",
      concat([writeMat([]), tag(9, 0, true)]),
      "an element of type 9 in place of a variable",
    ],
    [
      "a compressed element of junk",
      concat([writeMat([]), tag(15, 8, true), new Uint8Array(8)]),
      "a damaged compressed",
    ],
    ["a cut element", concat([writeMat([]), tag(14, 100, true)]), "an element cut off"],
    [
      "a long small element",
      concat([writeMat([]), tag(0x5000e, 0, true)]),
      "a small element of more than 4 bytes",
    ],
    ["a name twice", writeMat([x, x]), 'two variables named "x"'],
  ])("refuses %s", (_, bytes, message) => {
    expect(inputError(() => decodeMat(bytes, "f"))).toContain(message);
  });

  it("stops inflating where the element ends: a stream that goes on is no data", () => {
    const bomb = new Uint8Array(2 ** 26);
    bomb.set(tag(14, 16, true));
    const bytes = concat([writeMat([]), compressedElement(bomb)]);
    expect(inputError(() => decodeMat(bytes, "f"))).toContain("a compressed element longer than it declares");
  });
});

function compressedElement(content: Uint8Array): Uint8Array {
  const stream = new Uint8Array(deflateSync(content));
  return concat([tag(15, stream.length, true), stream]);
}
