import fc from "fast-check";
import { dump } from "npyjs";
import { describe, expect, it } from "vitest";
import { decodeNpy, encodeNpy } from "../../../src/core/index.ts";
import { complexArrays, expectSame, extremes, fixture, fixtureArray, inputError } from "./helpers.ts";

const h = fixtureArray();
const wanted = 'expected complex128 ("<c16"): save x.astype(numpy.complex128)';

/** A file with the given header text and entries, of format 1.0, without any padding. */
function npy(header: string, payload: Uint8Array = new Uint8Array(0), major = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  return Uint8Array.of(
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    major,
    0,
    text.length & 0xff,
    text.length >> 8,
    ...text,
    ...payload,
  );
}

describe(".npy", () => {
  it("returns every array bit for bit", () => {
    fc.assert(
      fc.property(complexArrays, (array) => expectSame(decodeNpy(encodeNpy(array), "h"), array)),
      { seed: 12, numRuns: 200 },
    );
  });

  it.each([
    ["h.npy", h],
    ["extremes.npy", { shape: [3], data: extremes }],
    ["scalar.npy", { shape: [], data: Float64Array.of(1, 2) }],
    ["empty.npy", { shape: [3, 0, 2], data: new Float64Array(0) }],
  ])("writes %s byte for byte as NumPy does, and reads it", (name, array) => {
    expect(encodeNpy(array)).toEqual(fixture(name));
    expectSame(decodeNpy(fixture(name), "h"), array);
  });

  it.each(["h-fortran.npy", "h-big-endian.npy", "h-version-2.npy", "h-complex64.npy"])("reads %s", (name) => {
    expectSame(decodeNpy(fixture(name), "h"), h);
  });

  it("pads the header to 64 bytes whatever its length", () => {
    for (const shape of [[], [1], [2 ** 20, 0], new Array<number>(32).fill(1)]) {
      const bytes = encodeNpy({ shape, data: new Float64Array(shape.includes(0) ? 0 : 2) });
      const length = bytes[8]! + 256 * bytes[9]!;
      expect((10 + length) % 64).toBe(0);
      expect(bytes[9 + length]).toBe(10);
    }
  });

  it("reads entries at any alignment: a view into a larger buffer, an unpadded header, npyjs's own files", () => {
    const larger = new Uint8Array(1000);
    larger.set(fixture("h.npy"), 3);
    expectSame(decodeNpy(larger.subarray(3, 515), "h"), h);
    const payload = new Uint8Array(Float64Array.of(1, 2).buffer);
    for (let spaces = 0; spaces < 8; spaces++) {
      const header = `{'shape':(1,),'fortran_order':False,'descr':'<c16'}${" ".repeat(spaces)}`;
      expectSame(decodeNpy(npy(header, payload), "h"), { shape: [1], data: Float64Array.of(1, 2) });
    }
    expectSame(decodeNpy(new Uint8Array(dump(h.data, [...h.shape], { dtype: "c16" })), "h"), h);
  });

  it("returns numbers of its own", () => {
    const bytes = fixture("h.npy");
    const array = decodeNpy(bytes, "h");
    bytes.fill(0);
    expectSame(array, h);
    expect(array.data.buffer.byteLength).toBe(array.data.byteLength);
  });

  it("keeps NaN and infinite entries: whether they may be there is for the reader of the numbers", () => {
    const data = Float64Array.of(Number.NaN, Number.NEGATIVE_INFINITY);
    expect(decodeNpy(encodeNpy({ shape: [1], data }), "h").data).toEqual(data);
  });

  it.each([
    ["real.npy", `link.h: found a .npy array of type "<f8", ${wanted}`],
    ["strings-empty.npy", `link.h: found a .npy array of type "<U1", ${wanted}`],
    ["structured.npy", `link.h: found a .npy file of no simple type, ${wanted}`],
    [
      "scipy.mat",
      "link.h: found bytes that are not of a .npy file, expected a .npy file as numpy.save writes it",
    ],
  ])("refuses %s", (name, message) => {
    expect(inputError(() => decodeNpy(fixture(name), "link.h"))).toBe(message);
  });

  it("does not hang on strings of no length, which npyjs never returns from", () => {
    const bytes = npy(
      "{'descr':'<U0','fortran_order':False,'shape':(2,)}    ",
      Uint8Array.of(65, 0, 0, 0, 65, 0, 0, 0),
    );
    expect(inputError(() => decodeNpy(bytes, "h"))).toBe(`h: found a .npy array of type "<U0", ${wanted}`);
  });

  it.each([
    ["{'descr':'<c16','fortran_order':False,'shape':(-1,)}", "with a damaged header"],
    ["{'descr':'<c16','fortran_order':False,'shape':(1.5,)}", "with a damaged header"],
    ["{'descr':'<c16','fortran_order':False}", "with a damaged header"],
    ["{'descr':'<c16','shape':(0,)}", "with a damaged header"],
    [
      "{'descr':'<c16','fortran_order':False,'shape':(9007199254740993,)}",
      ".npy shape of (9007199254740992)",
    ],
    ["{'descr':'<c16','fortran_order':False,'shape':(100000,100000)}", ".npy shape of (100000, 100000)"],
    ["{'descr':'<c16','fortran_order':False,'shape':(2,)}", "found 16 bytes of entries, expected 32 bytes"],
    ["{'descr':'<c8','fortran_order':True,'shape':(3,)}", "found 16 bytes of entries, expected 24 bytes"],
    ["{'descr':'<c16','fortran_order':False,'shape':(0,)}", "found 16 bytes of entries, expected 0 bytes"],
  ])("refuses the header %s", (header, part) => {
    expect(inputError(() => decodeNpy(npy(header, new Uint8Array(16)), "h"))).toContain(part);
  });

  it("refuses unknown versions and cut headers", () => {
    expect(inputError(() => decodeNpy(npy("{}", undefined, 4), "h"))).toContain("found .npy format 4");
    expect(inputError(() => decodeNpy(fixture("h.npy").subarray(0, 100), "h"))).toContain(
      "cut off in its header",
    );
    expect(inputError(() => decodeNpy(fixture("h-version-2.npy").subarray(0, 10), "h"))).toContain("cut off");
    expect(inputError(() => encodeNpy({ shape: [3], data: new Float64Array(4) }))).toContain(
      "array.data: found",
    );
  });
});
