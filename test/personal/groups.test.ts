import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../../src/core/index.ts";
import { type GroupOptions, groupParameters } from "../../src/personal/index.ts";
import { RUNS } from "./support.ts";

const parameters = {
  "embed.weight": new Float32Array(4),
  "blocks.0.q.loraA": new Float32Array(2),
  "blocks.0.q.loraB": new Float32Array(2),
  "blocks.0.adapter.up": new Float32Array(3),
  "head.weight": new Float32Array(5),
};

function problem(call: () => unknown): InputError {
  try {
    call();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error("nothing thrown");
}

describe("groupParameters", () => {
  it("sorts by patterns of all kinds, in the order of the model", () => {
    expect(
      groupParameters({
        parameters,
        shared: ["*.adapter.?p", /^head/],
        private: "*.lora*",
        frozen: "embed.*",
      }),
    ).toEqual({
      frozen: ["embed.weight"],
      shared: ["blocks.0.adapter.up", "head.weight"],
      private: ["blocks.0.q.loraA", "blocks.0.q.loraB"],
    });
  });

  it("puts the rest where it is told, by default with the frozen", () => {
    const frozen = groupParameters({ parameters, shared: "*adapter*" });
    expect(frozen.frozen).toHaveLength(4);
    expect(frozen.private).toEqual([]);
    expect(groupParameters({ parameters, frozen: "embed*", rest: "shared" }).shared).toHaveLength(4);
    expect(groupParameters({ parameters, rest: "private" }).private).toEqual(Object.keys(parameters));
  });

  it("takes Maps, and sizes instead of tensors", () => {
    const sizes = Object.fromEntries(Object.entries(parameters).map(([name, { length }]) => [name, length]));
    const expected = groupParameters({ parameters, shared: "*lora*" });
    expect(groupParameters({ parameters: sizes, shared: "*lora*" })).toEqual(expected);
    expect(groupParameters({ parameters: new Map(Object.entries(sizes)), shared: "*lora*" })).toEqual(
      expected,
    );
    expect(groupParameters({ parameters: new Map(Object.entries(parameters)), shared: "*lora*" })).toEqual(
      expected,
    );
  });

  it.each<[string, Partial<GroupOptions>, string, RegExp]>([
    ["a pattern without a match", { shared: ["*lora*", "adaptor*"] }, "shared[1]", /adaptor\*/],
    ["a single pattern without a match", { private: /loraC$/ }, "private", /loraC/],
    [
      "an overlap",
      { shared: "*.0.*", private: ["*.loraA"] },
      "private[0]",
      /\*\.loraA.*blocks\.0\.q\.loraA.*\*\.0\.\*/,
    ],
    ["no pattern", { shared: [3 as never] }, "shared[0]", /3/],
    ["another group", { rest: "public" as never }, "rest", /public/],
    ["an unknown option", { trainable: "*" } as never, "groupParameters.trainable", /unknown/],
    ["no parameters", { parameters: {} }, "parameters", /no tensors/],
    ["a size that is none", { parameters: { a: 1.5 } }, 'parameters["a"]', /1\.5/],
    ["an ordinary array", { parameters: { a: [1] as never } }, 'parameters["a"]', /array/],
  ])("refuses %s", (_, options, field, message) => {
    const error = problem(() => groupParameters({ parameters, ...options }));
    expect(error.field).toBe(field);
    expect(error.message).toMatch(message);
  });

  it("refuses holes in lists of patterns, which map and forEach pass over", () => {
    const holes = ["a*"];
    holes.length = 2;
    for (const shared of [holes, ["a*", undefined] as never]) {
      expect(() => groupParameters({ parameters: { a1: 1 }, shared })).toThrow(/^shared\[1\]: found nothing/);
    }
  });

  it("covers every name exactly once, or refuses an overlap", () => {
    const pattern = fc.constantFrom("a*", "b*", "*1", "*2", "c?", "*");
    const patterns = fc.uniqueArray(pattern, { maxLength: 2 });
    const options = fc.record({
      shared: patterns,
      private: patterns,
      frozen: patterns,
      rest: fc.constantFrom("frozen" as const, "shared" as const, "private" as const),
    });
    const names = ["a1", "a2", "b1", "b2", "c1", "c2"];
    const sizes = Object.fromEntries(names.map((name, i) => [name, i]));
    const matches = (list: readonly string[], name: string): boolean =>
      list.some((p) => new RegExp(`^${p.replace("*", ".*").replace("?", ".")}$`).test(name));
    fc.assert(
      fc.property(options, (given) => {
        const held = names.map((name) =>
          (["frozen", "shared", "private"] as const).filter((group) => matches(given[group], name)),
        );
        if (held.some((groups) => groups.length > 1)) {
          expect(() => groupParameters({ parameters: sizes, ...given })).toThrow(/every tensor in one group/);
          return;
        }
        const groups = groupParameters({ parameters: sizes, ...given });
        names.forEach((name, i) => {
          const expected = held[i]![0] ?? given.rest;
          for (const group of ["frozen", "shared", "private"] as const) {
            expect(groups[group].filter((x) => x === name)).toHaveLength(group === expected ? 1 : 0);
          }
        });
      }),
      RUNS,
    );
  });
});
