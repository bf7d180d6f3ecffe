import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../../src/core/index.ts";

describe("canonicalJson", () => {
  it("keeps the order of keys, puts numbers on one line and everything else on its own", () => {
    const value = {
      zeta: 1,
      alpha: { list: Float64Array.of(1.5, -0, 1e300), empty: [], nothing: {}, left: undefined },
      rows: [{ a: 1 }, { a: null }],
      nested: [[1, 2], [3], []],
      gap: Number.POSITIVE_INFINITY,
      text: ['quote " and é', true],
      bounds: [Number.NEGATIVE_INFINITY, 0],
    };
    expect(canonicalJson(value)).toBe(`{
  "zeta": 1,
  "alpha": {
    "list": [1.5, -0, 1e+300],
    "empty": [],
    "nothing": {}
  },
  "rows": [
    {
      "a": 1
    },
    {
      "a": null
    }
  ],
  "nested": [
    [1, 2],
    [3],
    []
  ],
  "gap": "Infinity",
  "text": [
    "quote \\" and é",
    true
  ],
  "bounds": ["-Infinity", 0]
}
`);
  });

  it("says what JSON.parse reads back, numbers bit for bit", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(value);
      }),
      { seed: 15, numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(Object.is(JSON.parse(canonicalJson([number]))[0], number)).toBe(true);
      }),
      { seed: 16, numRuns: 1000 },
    );
  });

  it("takes one value twice, but no cycle", () => {
    const shared = [1];
    expect(canonicalJson({ a: shared, b: shared })).toBe('{\n  "a": [1],\n  "b": [1]\n}\n');
    const cycle: Record<string, unknown> = {};
    cycle["self"] = { cycle };
    expect(() => canonicalJson(cycle)).toThrow("value.self.cycle: JSON cannot hold a cycle");
  });

  it.each<[unknown, string]>([
    [{ rows: [{ mse: Number.NaN }] }, "value.rows[0].mse: JSON cannot hold NaN"],
    [{ data: Float64Array.of(1, Number.NaN) }, "value.data[1]: JSON cannot hold NaN"],
    [[undefined], "value[0]: JSON cannot hold Undefined"],
    [new Array(1), "value[0]: JSON cannot hold Undefined"],
    [() => 1, "value: JSON cannot hold Function"],
    [{ n: 1n }, "value.n: JSON cannot hold BigInt"],
    [new BigInt64Array(1), "value[0]: JSON cannot hold BigInt"],
    [{ m: new Map() }, "value.m: JSON cannot hold a Map"],
    [new Date(0), "value: JSON cannot hold a Date"],
    [new DataView(new ArrayBuffer(8)), "value: JSON cannot hold a DataView"],
  ])("throws for %o", (value, message) => {
    expect(() => canonicalJson(value)).toThrow(new Error(message));
  });
});
