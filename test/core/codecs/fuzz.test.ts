import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMat, decodeNpy, decodeNpz, encodeNpz } from "../../../src/core/index.ts";
import { decodes, fixture, fixtureArray } from "./helpers.ts";
import { concat, tag, writeMat } from "./mat-writer.ts";

const h = fixtureArray();
const small = writeMat([{ name: "x", shape: [1, 2], re: [1, 2], im: [3, 4], storage: "miINT8" }], {
  little: false,
});
const files: readonly [string, (bytes: Uint8Array, field: string) => unknown, Uint8Array][] = [
  ["h.npy", decodeNpy, fixture("h.npy")],
  ["h-big-endian.npy", decodeNpy, fixture("h-big-endian.npy")],
  ["h-version-2.npy", decodeNpy, fixture("h-version-2.npy")],
  ["h-complex64.npy", decodeNpy, fixture("h-complex64.npy")],
  ["one.npz", decodeNpz, fixture("one.npz")],
  ["several.npz", decodeNpz, fixture("several.npz")],
  ["written.npz", decodeNpz, encodeNpz({ h })],
  ["scipy.mat", decodeMat, fixture("scipy.mat")],
  ["scipy-compressed.mat", decodeMat, fixture("scipy-compressed.mat")],
  ["octave-v6.mat", decodeMat, fixture("octave-v6.mat")],
  ["octave-v7.mat", decodeMat, fixture("octave-v7.mat")],
  ["small.mat", decodeMat, small],
];

/** Bounds the whole of a case: a decoder that hangs or crawls fails here. */
const limit = 60_000;

describe.each(files)("damaged %s", (name, decode, bytes) => {
  it("is refused at every truncation, unless it ends between two variables", { timeout: limit }, () => {
    const whole: number[] = [];
    for (let length = 0; length < bytes.length; length++) {
      if (decodes(() => decode(bytes.subarray(0, length), "f"))) whole.push(length);
    }
    // Only .mat has neither a count nor a checksum of its variables; padding after the last one is not missed either.
    if (!name.endsWith(".mat")) expect(whole).toEqual([]);
    expect(whole.length).toBeLessThan(20);
  });

  it("decodes or is refused with every single byte replaced", { timeout: limit }, () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0x10, 0x80, 0xff]) {
        const damaged = bytes.slice();
        damaged[at]! ^= flip;
        decodes(() => decode(damaged, "f"));
      }
    }
  });

  it("decodes or is refused with several random bytes", { timeout: limit }, () => {
    const place = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 8 }), fc.nat(bytes.length), (places, length) => {
        const damaged = length % 3 === 0 ? bytes.slice(0, length) : bytes.slice();
        for (const [at, value] of places) if (at < damaged.length) damaged[at] = value;
        decodes(() => decode(damaged, "f"));
      }),
      { seed: 17, numRuns: 1000 },
    );
  });
});

describe("damage below a checksum", () => {
  it("inside a compressed .mat element, with the checksum made right again", { timeout: limit }, () => {
    const inner = small.subarray(128);
    for (let at = 0; at < inner.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = inner.slice();
        damaged[at] = value;
        const stream = new Uint8Array(deflateSync(damaged));
        const bytes = concat([writeMat([], { little: false }), tag(15, stream.length, false), stream]);
        decodes(() => decodeMat(bytes, "f"));
      }
    }
  });

  it("arbitrary bytes are never anything but refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        for (const decode of [decodeNpy, decodeNpz, decodeMat]) {
          expect(decodes(() => decode(bytes, "f"))).toBe(false);
        }
      }),
      { seed: 18, numRuns: 300 },
    );
  });
});
