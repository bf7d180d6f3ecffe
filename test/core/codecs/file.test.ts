import { describe, expect, it } from "vitest";
import { canonicalJson, decodeComplexFile, encodeNpy, toComplexJson } from "../../../src/core/index.ts";
import { expectSame, fixture, fixtureArray, inputError } from "./helpers.ts";

const h = fixtureArray();
const field = "channel.file";
const utf8 = new TextEncoder();

describe("decodeComplexFile", () => {
  it.each<[string, Uint8Array, string | undefined]>([
    ["h.json", utf8.encode(canonicalJson(toComplexJson(h))), undefined],
    ["runs/3.1/H.NPY", fixture("h.npy"), undefined],
    ["one.npz", fixture("one.npz"), undefined],
    ["several.npz", fixture("several.npz"), "h"],
    ["C:\\data\\scipy.Mat", fixture("scipy.mat"), "h"],
  ])("reads %s by its ending", (name, bytes, variable) => {
    expectSame(decodeComplexFile(name, bytes, { variable, field }), h);
  });

  it.each<[string, Uint8Array, string | undefined, string]>([
    [
      "h.csv",
      fixture("h.npy"),
      undefined,
      'a file named "h.csv", expected a name that ends in .json, .npy, .npz or .mat',
    ],
    [
      "npy",
      fixture("h.npy"),
      undefined,
      'a file named "npy", expected a name that ends in .json, .npy, .npz or .mat',
    ],
    [
      "h.npy",
      fixture("h.npy"),
      "h",
      'a variable "h" to take from a .npy file, expected no variable: it has one',
    ],
    [
      "h.mat",
      fixture("scipy.mat"),
      undefined,
      '2 complex arrays and no variable named, expected one of "h", "row"',
    ],
    ["h.mat", fixture("scipy.mat"), "H", 'no variable "H", expected one of "h", "row", "text", "snr"'],
    ["h.npz", fixture("h.npy"), undefined, "bytes that are not of a whole zip archive"],
    ["h.json", utf8.encode("{"), undefined, "a file that is not JSON ("],
    ["h.json", Uint8Array.of(0xff, 0xfe), undefined, "a file that is not JSON (not UTF-8 text)"],
  ])("refuses %s", (name, bytes, variable, message) => {
    expect(inputError(() => decodeComplexFile(name, bytes, { variable, field }))).toContain(
      `${field}: found ${message}`,
    );
  });

  it("names the place in the JSON form and the entry that is not finite", () => {
    const json = utf8.encode('{"shape":[1],"re":[1]}');
    expect(inputError(() => decodeComplexFile("h.json", json, { field }))).toContain(
      "channel.file.im: found nothing",
    );
    const bytes = encodeNpy({ shape: [2], data: Float64Array.of(1, 2, Number.NaN, 4) });
    expect(inputError(() => decodeComplexFile("h.npy", bytes, { field }))).toBe(
      "channel.file.data[2]: found NaN, expected a finite number",
    );
  });
});
