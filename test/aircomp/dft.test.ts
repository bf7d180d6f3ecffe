import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTransform } from "../../src/aircomp/index.ts";
import { randomStack, runs } from "./support.ts";

/** sum_l x[l] exp(sign 2 pi i l m / n), term by term; l m is reduced mod n so that the angle is exact. */
function directTransform(x: Float64Array, sign: 1 | -1): Float64Array {
  const n = x.length / 2;
  const cos = Float64Array.from({ length: n }, (_, i) => Math.cos((2 * Math.PI * i) / n));
  const sin = Float64Array.from({ length: n }, (_, i) => sign * Math.sin((2 * Math.PI * i) / n));
  const out = new Float64Array(2 * n);
  for (let m = 0; m < n; m++) {
    for (let l = 0; l < n; l++) {
      const i = (l * m) % n;
      out[2 * m]! += x[2 * l]! * cos[i]! - x[2 * l + 1]! * sin[i]!;
      out[2 * m + 1]! += x[2 * l]! * sin[i]! + x[2 * l + 1]! * cos[i]!;
    }
  }
  return out;
}

function distance(a: Float64Array, b: Float64Array): number {
  return Math.hypot(...a.map((x, i) => x - b[i]!)) / Math.hypot(...b);
}

const lengths = [...Array.from({ length: 40 }, (_, i) => i + 1), 64, 100, 1009];

describe.each(lengths)("length %i", (n) => {
  const x = randomStack([1, n], n).data;
  const transform = createTransform(n);
  const out = new Float64Array(2 * n);

  test("forward and inverse agree with the direct sums", () => {
    const before = x.slice();
    transform.forward(out, x);
    expect(distance(out, directTransform(x, -1))).toBeLessThan(1e-13 * Math.sqrt(n + 10));
    transform.inverse(out, x);
    expect(
      distance(
        out,
        directTransform(x, 1).map((y) => y / n),
      ),
    ).toBeLessThan(1e-13 * Math.sqrt(n + 10));
    expect(x).toEqual(before);
    expect(transform.length).toBe(n);
  });

  test("Parseval, round trip, impulse", () => {
    transform.forward(out, x);
    expect(Math.hypot(...out) / (Math.sqrt(n) * Math.hypot(...x))).toBeCloseTo(1, 12);
    const back = new Float64Array(2 * n);
    transform.inverse(back, out);
    expect(distance(back, x)).toBeLessThan(1e-13);
    const impulse = new Float64Array(2 * n);
    impulse[1] = 3;
    transform.forward(out, impulse);
    const expected = Float64Array.from({ length: 2 * n }, (_, i) => (i % 2 === 1 ? 3 : 0));
    expect(distance(out, expected)).toBeLessThan(1e-13);
  });
});

test("linear, at every length and scale", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.nat(999),
      fc.constantFrom(1e-120, 1, 1e120),
      (n, seed, size) => {
        const transform = createTransform(n);
        const x = randomStack([1, n], seed).data;
        const [a, b] = [new Float64Array(2 * n), new Float64Array(2 * n)];
        transform.forward(a, x);
        transform.forward(
          b,
          x.map((v) => size * v),
        );
        expect(
          distance(
            b.map((v) => v / size),
            a,
          ),
        ).toBeLessThan(1e-13);
      },
    ),
    runs(100),
  );
});

test.each([0, -1, 1.5, Number.NaN, 2 ** 25, "8"])("refuses length %s", (n) => {
  expect(() => createTransform(n as number)).toThrow(/^length: found .*, expected a whole number from 1 to/);
});
