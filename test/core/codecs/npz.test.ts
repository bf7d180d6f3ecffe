import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ComplexArray, decodeNpz, encodeNpz, pickComplexArray } from "../../../src/core/index.ts";
import { complexArrays, expectSame, extremes, fixture, fixtureArray, inputError } from "./helpers.ts";

const h = fixtureArray();
const g: ComplexArray = { shape: [3], data: extremes };

/** The fixture with its bytes changed by `edit`, offsets counted from the first match of `signature`. */
function edited(name: string, signature: number, edit: (view: DataView, at: number) => void): Uint8Array {
  const bytes = fixture(name);
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (view.getUint32(at, true) !== signature) at++;
  edit(view, at);
  return bytes;
}

const directory = 0x02014b50;
const end = 0x06054b50;

describe(".npz", () => {
  it("returns every array bit for bit, under any name, in order", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(names, complexArrays, (keys, array) => {
        const arrays = Object.fromEntries(keys.map((key) => [key, array]));
        const read = decodeNpz(encodeNpz(arrays), "h");
        expect([...read.keys()]).toEqual(Object.keys(arrays));
        for (const entry of read.values()) expectSame(entry as ComplexArray, array);
      }),
      { seed: 13, numRuns: 100 },
    );
  });

  it("keeps names that mean something to JavaScript", () => {
    const read = decodeNpz(encodeNpz({ ["__proto__"]: g, constructor: g }), "h");
    expect([...read.keys()]).toEqual(["__proto__", "constructor"]);
  });

  it("writes the same bytes at any time and in any time zone", () => {
    const zone = process.env["TZ"];
    const written = ["UTC", "Pacific/Kiritimati", "America/New_York"].map((name) => {
      process.env["TZ"] = name;
      return encodeNpz({ h, g });
    });
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
    expect(written[1]).toEqual(written[0]);
    expect(written[2]).toEqual(written[0]);
  });

  it("reads stored and deflated files of NumPy, and keeps real arrays as the reason why they are refused", () => {
    const one = decodeNpz(fixture("one.npz"), "f");
    expect([...one.keys()]).toEqual(["h", "snr"]);
    expectSame(pickComplexArray(one, undefined, "f"), h);
    expect(inputError(() => pickComplexArray(one, "snr", "f"))).toBe(
      'f: found a .npy array of type "<f8" in variable "snr", ' +
        'expected complex128 ("<c16"): save x.astype(numpy.complex128)',
    );
    const several = decodeNpz(fixture("several.npz"), "f");
    expectSame(pickComplexArray(several, "h", "f"), h);
    expectSame(pickComplexArray(several, "g", "f"), g);
  });

  it("lists the names where one must be chosen", () => {
    const several = decodeNpz(fixture("several.npz"), "f");
    expect(inputError(() => pickComplexArray(several, undefined, "f"))).toBe(
      'f: found 2 complex arrays and no variable named, expected one of "h", "g"',
    );
    expect(inputError(() => pickComplexArray(several, "x", "f"))).toBe(
      'f: found no variable "x", expected one of "h", "g"',
    );
    const empty = decodeNpz(encodeNpz({}), "f");
    expect(inputError(() => pickComplexArray(empty, undefined, "f"))).toBe(
      "f: found a file without variables, expected a complex array",
    );
    expect(inputError(() => pickComplexArray(empty, "x", "f"))).toBe(
      'f: found no variable "x", expected a file with variables',
    );
    const real = new Map([["a", { found: "a real array", expected: "a complex array" }]]);
    expect(inputError(() => pickComplexArray(real, undefined, "f"))).toBe(
      'f: found a real array in variable "a", expected a complex array',
    );
  });

  it.each<[string, Uint8Array, string]>([
    ["no zip file", fixture("h.npy"), "bytes that are not of a whole zip archive"],
    ["nothing", new Uint8Array(0), "bytes that are not of a whole zip archive"],
    ["a cut file", fixture("one.npz").subarray(0, -1), "bytes that are not of a whole zip archive"],
    ["a password", edited("one.npz", directory, (v, at) => v.setUint8(at + 8, 1)), "an encrypted zip entry"],
    ["bzip2", edited("one.npz", directory, (v, at) => v.setUint8(at + 10, 12)), "compression method 12"],
    ["zip64", edited("one.npz", end, (v, at) => v.setUint32(at + 16, 0xffffffff, true)), "a zip64 archive"],
    [
      "a lost directory",
      edited("one.npz", end, (v, at) => v.setUint32(at + 16, 5, true)),
      "damaged directory",
    ],
    [
      "a bomb",
      edited("several.npz", directory, (v, at) => v.setUint32(at + 24, 0xfffffff0, true)),
      'damaged entry "h.npy"',
    ],
    [
      "a wrong size",
      edited("several.npz", directory, (v, at) => v.setUint32(at + 24, 513, true)),
      'damaged entry "h.npy"',
    ],
    [
      "a flipped bit of a stored number",
      edited("one.npz", 0x3fe00000, (v, at) => v.setUint8(at, 1)),
      'damaged entry "h.npy"',
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(inputError(() => decodeNpz(bytes, "f"))).toContain(message);
  });

  it("refuses to write arrays without a name or with too few numbers", () => {
    expect(inputError(() => encodeNpz({ "": g }))).toBe(
      "arrays: found an array without a name, expected a name for each array",
    );
    expect(inputError(() => encodeNpz({ g: { shape: [2], data: new Float64Array(2) } }))).toBe(
      "arrays.g: found length 2, expected length 4, two numbers per entry",
    );
  });
});
