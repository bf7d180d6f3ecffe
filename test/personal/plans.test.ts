import { describe, expect, it } from "vitest";
import {
  conventionalParts,
  groupParameters,
  type ModelParts,
  type SharingPlan,
  type SharingPlanName,
  sharingPlan,
  sharingPlanNames,
} from "../../src/personal/index.ts";

const parameters = {
  "embed.weight": 40,
  "blocks.0.q.loraA": 8,
  "blocks.0.q.loraB": 8,
  "blocks.0.adapter.down": 6,
  "blocks.0.adapter.up": 6,
  "blocks.1.mlp.weight": 30,
  "head.weight": 10,
};
const parts: ModelParts = { ...conventionalParts, lastLayers: "blocks.1.mlp.*" };
const lora = ["blocks.0.q.loraA", "blocks.0.q.loraB"];
const adapters = ["blocks.0.adapter.down", "blocks.0.adapter.up"];
const last = ["blocks.1.mlp.weight"];
const head = ["head.weight"];

describe("sharingPlan", () => {
  it.each<[SharingPlanName, readonly string[], readonly string[]]>([
    ["vanilla", [...lora, ...adapters, ...last, ...head], []],
    ["lora-shared", lora, [...adapters, ...last, ...head]],
    ["local-only", [], [...lora, ...adapters, ...last, ...head]],
    ["adapters-shared", adapters, [...lora, ...last, ...head]],
    ["last-layers-shared", last, [...lora, ...adapters, ...head]],
    ["split", [...lora, ...adapters, ...last], head],
  ])("%s", (name, shared, own) => {
    const groups = groupParameters({ parameters, ...sharingPlan(name, parts) });
    expect(groups.shared).toEqual(shared);
    expect(groups.private).toEqual(own);
    expect(groups.frozen).toEqual(["embed.weight"]);
  });

  it("has a row above for every name, and the usual parts by default", () => {
    expect(sharingPlanNames).toHaveLength(6);
    const { "blocks.1.mlp.weight": _, ...usual } = parameters;
    expect(groupParameters({ parameters: usual, ...sharingPlan("adapters-shared") }).shared).toEqual(
      adapters,
    );
  });

  it("is plain data that goes through JSON", () => {
    for (const name of sharingPlanNames) {
      const made = sharingPlan(name, parts);
      const read = JSON.parse(JSON.stringify(made)) as SharingPlan;
      expect(read).toEqual(made);
      expect(groupParameters({ parameters, ...read })).toEqual(groupParameters({ parameters, ...made }));
    }
  });

  it("takes other names, also as regular expressions", () => {
    const named = { body: [/^blocks/, "embed.*"], head: "head.*" };
    expect(groupParameters({ parameters, ...sharingPlan("split", named) }).private).toEqual(head);
  });

  it.each<[string, () => unknown, RegExp]>([
    ["an unknown plan", () => sharingPlan("pftt" as never), /name/],
    ["an unknown part", () => sharingPlan("vanilla", { tail: "*" } as never), /parts\.tail/],
    ["no parts", () => sharingPlan("vanilla", {}), /parts/],
    ["a plan without its part", () => sharingPlan("lora-shared", { head: "head.*" }), /parts\.lora/],
    ["empty patterns as a part", () => sharingPlan("split", { head: [], lora: "*" }), /parts\.head/],
    ["what is no pattern", () => sharingPlan("split", { head: [3 as never], lora: "*" }), /parts\.head\[0\]/],
    ["null as a part", () => sharingPlan("vanilla", { head: null as never }), /parts\.head/],
    [
      "a part that the model does not have",
      () => groupParameters({ parameters: { "head.weight": 1 }, ...sharingPlan("vanilla") }),
      /\*lora\*/,
    ],
  ])("refuses %s", (_, call, message) => {
    expect(call).toThrow(message);
  });
});
