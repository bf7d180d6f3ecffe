import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { payloadEntries } from "../../src/bounds/index.ts";
import { InputError } from "../../src/core/index.ts";
import { loraLayout, modePayload } from "../../src/lora/index.ts";
import { cases, RUNS, shapes } from "./support.ts";

const modes = fc.constantFrom(
  { trained: "both" } as const,
  { trained: "loraB" } as const,
  { trained: "alternating", round: 0 } as const,
  { trained: "alternating", round: 7 } as const,
);

/** The error that a call throws. */
function thrown(call: () => unknown): InputError {
  try {
    call();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error("nothing thrown");
}

describe("a layout", () => {
  test("unpack undoes pack, pack undoes unpack, and the segments tile the vector", () => {
    fc.assert(
      fc.property(cases(), modes, ({ layers, adapters }, mode) => {
        const layout = loraLayout({ layers, ...mode });
        const vector = layout.pack(adapters[0]!);
        expect(vector).toHaveLength(layout.entries);
        const { layers: back } = layout.unpack(vector);
        for (const { layer, factor } of layout.segments) {
          expect(back[layer]![factor]).toEqual(adapters[0]!.layers[layer]![factor]);
        }
        expect(layout.pack({ layers: back })).toEqual(vector);
        let end = 0;
        for (const { offset, rows, columns } of layout.segments) {
          expect(offset).toBe(end);
          end += rows * columns;
        }
        expect(end).toBe(layout.entries);
        const present = back.flatMap((factors) => Object.keys(factors)).length;
        expect(present).toBe(layout.segments.length);
      }),
      RUNS,
    );
  });

  test("takes Float32Array and plain arrays, and neither aliases nor changes them", () => {
    const layout = loraLayout({ layers: [{ name: "query", dOut: 2, dIn: 3, rank: 1 }] });
    const loraB = Float32Array.of(1, 2);
    const vector = layout.pack({ layers: [{ loraB, loraA: [3, 4, 5] }] });
    expect([...vector]).toEqual([1, 2, 3, 4, 5]);
    vector[0] = 9;
    const { layers } = layout.unpack(vector);
    layers[0]!.loraB![0] = 7;
    expect(loraB[0]).toBe(1);
    expect(vector[0]).toBe(9);
  });

  test("sends as many entries as the optimality gap counts, at one rank for all layers", () => {
    const kinds = fc.constantFrom("both", "loraB", "alternating");
    fc.assert(
      fc.property(shapes(), fc.integer({ min: 1, max: 6 }), kinds, (list, rank, trained) => {
        const layers = list.map((shape) => ({ ...shape, rank: Math.min(rank, shape.dOut, shape.dIn) }));
        const counted = payloadEntries(
          list.map(({ dOut, dIn }) => ({ dOut, dIn })),
          rank,
          trained,
        );
        const rounds = trained === "alternating" ? [0, 1] : [undefined];
        const entries = rounds.map(
          (round) => loraLayout({ layers, trained, ...(round === undefined ? {} : { round }) }).entries,
        );
        expect(Math.max(...entries)).toBe(counted);
        const mode = trained === "both" ? "joint" : trained;
        expect(modePayload({ mode, layers, devices: 3 })).toEqual({
          entries: counted,
          superposed: true,
          airEntries: counted,
        });
      }),
      RUNS,
    );
  });

  test("alternating rounds begin with loraB", () => {
    const layers = [{ dOut: 3, dIn: 2, rank: 1 }];
    const factorOf = (round: number): string =>
      loraLayout({ layers, trained: "alternating", round }).segments[0]!.factor;
    expect([0, 1, 2, 3].map(factorOf)).toEqual(["loraB", "loraA", "loraB", "loraA"]);
  });

  test("names what is wrong", () => {
    const layers = [
      { dOut: 2, dIn: 2, rank: 1 },
      { dOut: 2, dIn: 2, rank: 1 },
    ];
    const good = { loraB: [1, 2], loraA: [3, 4] };
    const layout = loraLayout({ layers });
    expect(thrown(() => layout.pack({ layers: [good] })).field).toBe("adapter.layers");
    expect(thrown(() => layout.pack({ layers: [good, { loraB: [1, 2] }] })).field).toBe(
      "adapter.layers[1].loraA",
    );
    expect(thrown(() => layout.pack({ layers: [good, { ...good, loraB: [1, Number.NaN] }] })).field).toBe(
      "adapter.layers[1].loraB[1]",
    );
    expect(thrown(() => layout.unpack(new Float64Array(3))).field).toBe("vector");
    expect(thrown(() => loraLayout({ layers, round: 1 })).field).toBe("round");
    expect(thrown(() => loraLayout({ layers, trained: "alternating" })).field).toBe("round");
    expect(thrown(() => loraLayout({ layers: [] })).field).toBe("layers");
    expect(thrown(() => loraLayout({ layers: [{ dOut: 2, dIn: 0, rank: 1 }] })).field).toBe("layers[0].dIn");
    expect(thrown(() => loraLayout({ layers, ranks: 3 } as never)).field).toBe("loraLayout.ranks");
  });
});

test("payload of the other modes, by hand", () => {
  const layers = [
    { dOut: 10, dIn: 6, rank: 2 },
    { dOut: 3, dIn: 4, rank: 1 },
  ];
  const at = (mode: Parameters<typeof modePayload>[0]["mode"], ranks?: (number | number[])[]): unknown =>
    modePayload({ mode, layers, devices: 3, ...(ranks === undefined ? {} : { ranks }) });
  expect(at("padded")).toEqual({ entries: 39, superposed: true, airEntries: 39 });
  expect(at("product")).toEqual({ entries: 72, superposed: true, airEntries: 72 });
  expect(at("stacked")).toEqual({ entries: 39, superposed: false, airEntries: 117 });
  expect(at("stacked", [1, [2, 1], 2])).toEqual({ entries: 39, superposed: false, airEntries: 23 + 39 + 39 });
  expect(thrown(() => at("joint", [1, 1, 1])).field).toBe("ranks");
});
