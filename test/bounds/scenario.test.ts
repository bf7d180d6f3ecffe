import { describe, expect, it } from "vitest";
import { z } from "zod";
import { minimizeOptimalityGap, rankProblem, type Scenario, scenarioSchema } from "../../src/bounds/index.ts";
import { InputError } from "../../src/core/index.ts";
import { type MutableScenario, smallScenario } from "./support.ts";

function refuses(scenario: unknown, field: string | RegExp, message: RegExp): void {
  try {
    minimizeOptimalityGap(scenario as Scenario);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).field).toMatch(
      typeof field === "string" ? new RegExp(`^${literal(field)}$`) : field,
    );
    expect((error as InputError).message).toMatch(message);
    return;
  }
  expect.unreachable(`${field} was not refused`);
}

const literal = (text: string): string => text.replace(/[.[\]]/g, "\\$&");
const values = (count: number): object => ({ kind: "values", values: Array<number>(count).fill(1) });

type Case = [field: string | RegExp, message: RegExp, edit: (s: MutableScenario) => unknown];
const cases: readonly Case[] = [
  // counts
  ["channel.devices", /-3.*>= 1/, (s) => (s.channel["devices"] = -3)],
  ["channel.subcarriers", /1\.5.*whole number/, (s) => (s.channel["subcarriers"] = 1.5)],
  ["channel.receiveAntennas", /0.*>= 1/, (s) => (s.channel["receiveAntennas"] = 0)],
  ["channel.seed", /-1.*>= 0/, (s) => (s.channel["seed"] = -1)],
  [/streams$/, /3.*at most 2/, (s) => (s.link["streams"] = 3)],
  ["learning.rounds", /-1.*>= 0/, (s) => (s.learning["rounds"] = -1)],
  ["learning.rounds", /2\.5.*whole number/, (s) => (s.learning["rounds"] = 2.5)],
  ["lora.layers[0].dOut", /0.*>= 1/, (s) => (s.lora.layers[0]!["dOut"] = 0)],
  ["lora.layers[0].count", /1\.5.*whole number/, (s) => (s.lora.layers[0]!["count"] = 1.5)],
  ["lora.layers", /0 entries.*>= 1/, (s) => (s.lora.layers = [])],
  ["solver.maxRank", /0.*>= 1/, (s) => (s.solver["maxRank"] = 0)],
  ["solver.rankSearch.fixed", /0.*>= 1/, (s) => (s.solver["rankSearch"] = { fixed: 0 })],
  ["solver.rankSearch.fixed", /21.*at most 20/, (s) => (s.solver["rankSearch"] = { fixed: 21 })],
  ["solver.initialRank", /25.*at most 20/, (s) => (s.solver["initialRank"] = 25)],
  // values
  ["learning.gradientFloor", /NaN.*number/, (s) => (s.learning["gradientFloor"] = Number.NaN)],
  ["learning.initialGap", /Infinity.*number/, (s) => (s.learning["initialGap"] = Number.POSITIVE_INFINITY)],
  ["learning.smoothness", /0.*> 0/, (s) => (s.learning["smoothness"] = 0)],
  ["learning.plConstant", /2.*mu <= L/, (s) => (s.learning["plConstant"] = 2)],
  ["learning.plConstant", /2.*mu <= L/, (s) => (s.learning["plConstant"] = Array(19).fill(0.1).concat(2))],
  ["learning.gradientFloor", /2 values.*at least 3/, (s) => (s.learning["gradientFloor"] = [1, 2])],
  ["learning.gradientSlope", /-1.*>= 0/, (s) => (s.learning["gradientSlope"] = -1)],
  ["learning.gradientFloor[1]", /-2.*>= 0/, (s) => (s.learning["gradientFloor"] = [1, -2])],
  ["link.snrDb", /2 values.*4, one per device/, (s) => (s.link["snrDb"] = [1, 2])],
  ["link.energyPerRound", /2 values.*4, one per device/, (s) => (s.link["energyPerRound"] = [1, 2])],
  ["link.energyPerRound", /0.*>= 1e-80/, (s) => (s.link["energyPerRound"] = 0)],
  [
    "link.latencyPerRound",
    /at least 0\.\d+ s, the air time of rank 1/,
    (s) => (s.link["latencyPerRound"] = 1e-4),
  ],
  [/weights$/, /2 entries|2 values/, (s) => (s.link["weights"] = [1, 2])],
  [/weights$/, /sum to 0/, (s) => (s.link["weights"] = [0, 0, 0, 0])],
  [
    "learning.participation.missingWeight",
    /1.*< 1/,
    (s) => (s.learning["participation"] = { missingWeight: 1, heterogeneityFloor: 1 }),
  ],
  // correlation and estimates
  ["link.correlation", /2.*<= 1/, (s) => (s.link["correlation"] = 2)],
  ["link.correlation", /"none".*"cap"/, (s) => (s.link["correlation"] = "none")],
  ["link.correlation", /2 entries.*4 x 4/, (s) => (s.link["correlation"] = [[1, 0], [0, 1]])], // biome-ignore format: a matrix
  [
    "channel.estimation.errorVariance",
    /1.*less than 1/,
    (s) => (s.channel["estimation"] = { errorVariance: 1 }),
  ],
  ["channel.estimation.foo", /unknown/, (s) => (s.channel["estimation"] = { foo: 1 })],
  // unknown fields at every level
  ["extra", /unknown/, (s) => (s["extra"] = 1)],
  ["channel.delay", /unknown/, (s) => (s.channel["delay"] = 1)],
  ["channel.pathLoss.foo", /unknown/, (s) => (s.channel["pathLoss"] = { positions: { radius: 1 }, foo: 1 })],
  ["link.snr", /unknown/, (s) => (s.link["snr"] = 1)],
  ["learning.mu", /unknown/, (s) => (s.learning["mu"] = 1)],
  [
    "learning.participation.v",
    /unknown/,
    (s) => (s.learning["participation"] = { missingWeight: 0.1, heterogeneityFloor: 1, v: 1 }),
  ],
  ["lora.alpha", /unknown/, (s) => (s.lora["alpha"] = 1)],
  ["lora.layers[0].rank", /unknown/, (s) => (s.lora.layers[0]!["rank"] = 1)],
  ["lora.residual.foo", /unknown/, (s) => (s.lora.residual["foo"] = 1)],
  [
    "lora.residual.spectrum.foo",
    /unknown/,
    (s) => Object.assign(s.lora.residual["spectrum"] as object, { foo: 1 }),
  ],
  ["solver.foo", /unknown/, (s) => (s.solver["foo"] = 1)],
  ["solver.rankSearch.foo", /unknown/, (s) => (s.solver["rankSearch"] = { fixed: 1, foo: 1 })],
  // kinds
  ["channel.model", /"rayligh"/, (s) => (s.channel["model"] = "rayligh")],
  ["lora.residual.kind", /"sketch".*"spectral"/, (s) => (s.lora.residual["kind"] = "sketch")],
  ["lora.trained", /"loraA".*"both"/, (s) => (s.lora["trained"] = "loraA")],
  [/^lora\.residual\.spectrum/, /./, (s) => (s.lora.residual["spectrum"] = { kind: "flat" })],
  ["solver.scheme", /"magic".*"alternating"/, (s) => (s.solver["scheme"] = "magic")],
  ["solver.rankSearch", /"greedy".*"backtracking"/, (s) => (s.solver["rankSearch"] = "greedy")],
  ["solver.effort", /"huge".*"fast"/, (s) => (s.solver["effort"] = "huge")],
  ["learning", /null.*object/, (s) => Object.assign(s, { learning: null })],
  ["learning", /nothing.*object/, (s) => delete (s as Record<string, unknown>)["learning"]],
  // spectra
  ["lora.residual.spectrum", /nothing.*layers\[0\]/, (s) => delete s.lora.residual["spectrum"]],
  [
    "lora.residual.spectrum.values",
    /25 values.*at most 24/,
    (s) => (s.lora.residual["spectrum"] = values(25)),
  ],
  [
    "lora.layers[0].spectrum.values",
    /25 values.*at most 24/,
    (s) => (s.lora.layers[0]!["spectrum"] = values(25)),
  ],
  // given channels
  ["channel.matrices", /nothing/, (s) => (s["channel"] = { model: "given" })],
  ["channel.file", /"h\.npy".*command line/, (s) => (s["channel"] = { model: "given", file: "h.npy" })],
  [
    "channel.matrices.re",
    /3 entries.*4 numbers/,
    (s) =>
      (s["channel"] = { model: "given", matrices: { shape: [1, 1, 2, 2], re: [1, 2, 3], im: [1, 2, 3, 4] } }),
  ],
];

describe("bad scenarios are refused with the name of the field", () => {
  it.each(cases)("%s: %s", (field, message, edit) => {
    refuses(
      smallScenario((s) => {
        edit(s);
      }),
      field,
      message,
    );
  });

  it.each([null, undefined, 3, "scenario", []])("%j is no scenario", (value) =>
    refuses(value, "input", /object/),
  );
});

describe("good scenarios", () => {
  it("defaults: link and solver may be left out", () => {
    const { link: _, solver: __, ...least } = smallScenario((s) => (s.channel["transmitAntennas"] = 1));
    const problem = rankProblem(least);
    expect([problem.streams, problem.noiseVariance, problem.maxRank]).toEqual([1, 1, 24]);
    expect(problem.solver).toMatchObject({
      scheme: "manifold",
      effort: "default",
      seed: 1,
      rankSearch: "backtracking",
    });
  });

  it("a layer's own spectrum makes the common one unnecessary", () => {
    const scenario = smallScenario((s) => {
      s.lora.layers = [{ dOut: 3, dIn: 2, spectrum: { kind: "values", values: [2, 1] } }];
      delete s.lora.residual["spectrum"];
    });
    const problem = rankProblem(scenario);
    expect(problem.maxRank).toBe(2);
    expect(problem.gapInput(1, 0).residual).toBe(0.5);
  });

  it("the scenario itself is not changed", () => {
    const scenario = smallScenario();
    const before = JSON.stringify(scenario);
    minimizeOptimalityGap(scenario);
    expect(JSON.stringify(scenario)).toBe(before);
  });

  it("the schema converts to JSON Schema, input side", () => {
    const schema = z.toJSONSchema(scenarioSchema, { io: "input" }) as {
      required: string[];
      properties: Record<string, unknown>;
      additionalProperties: boolean;
    };
    expect(schema.required.sort()).toEqual(["channel", "learning", "lora"]);
    expect(Object.keys(schema.properties).sort()).toEqual(["channel", "learning", "link", "lora", "solver"]);
    expect(schema.additionalProperties).toBe(false);
  });
});
