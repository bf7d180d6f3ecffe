import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type BeamformProblem,
  beamformOptions,
  designFrom,
  meanSquaredError,
  type TrueChannel,
} from "../../src/aircomp/index.ts";
import { encodeNpy, encodeNpz } from "../../src/core/index.ts";
import { airfold, smallProblem, smallScenario, temporaryFolder } from "./command.ts";

interface Solved {
  airfold: string;
  schemaVersion: number;
  seed: number;
  rank: number;
  gap: number | string;
  gapReason?: string;
  byRank: { rank: number; gap: number }[];
  rows: { gap: number }[];
  design: { mse: number; receive: { shape: number[]; re: number[] }; transmit: { shape: number[] } };
}

const solve = (scenario: object, ...flags: string[]): Solved => {
  const { code, stdout, stderr } = airfold(["solve", "-", ...flags], JSON.stringify(scenario));
  expect(stderr.replace(/airfold: (the beamforming stopped|no rank has a finite bound)[^\n]*\n/g, "")).toBe(
    "",
  );
  expect(code).toBe(0);
  return JSON.parse(stdout) as Solved;
};

describe("airfold solve", () => {
  it("answers with the rank, the gap and the beamformers", () => {
    const solved = solve(smallScenario());
    expect(solved).toMatchObject({
      airfold: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      schemaVersion: 1,
      seed: 1,
    });
    expect(solved.design.receive.shape).toEqual([2, 4, 2]);
    expect(solved.design.transmit.shape).toEqual([3, 2, 2, 2]);
    const chosen = solved.byRank.find((row) => row.rank === solved.rank);
    expect(chosen?.gap).toBe(solved.gap);
    expect(solved).toMatchObject({ form: "pl", rounds: 100 });
    expect(chosen).toMatchObject({ rounds: 100 });
    expect(Math.min(...solved.byRank.map((row) => row.gap))).toBe(solved.gap);
  });

  it("gives the same bytes for the same seed and for any number of jobs", () => {
    const scenario = smallScenario();
    scenario.solver["rankSearch"] = "exhaustive";
    const text = JSON.stringify(scenario);
    const outputs = ["1", "2", "3", "5"].map((jobs) => airfold(["solve", "-", "--jobs", jobs], text).stdout);
    expect(outputs[0]).toContain('"rank"');
    expect(new Set(outputs).size).toBe(1);
  });

  it("gives ranks per layer: the example, the same bytes for any number of jobs", () => {
    const path = "examples/scenario-layers.json";
    const outputs = ["1", "3"].map((jobs) => airfold(["solve", path, "--strict", "--jobs", jobs]));
    expect(outputs.map(({ code, stderr }) => [code, stderr])).toEqual(Array(2).fill([0, ""]));
    expect(outputs[1]!.stdout).toBe(outputs[0]!.stdout);
    const solved = JSON.parse(outputs[0]!.stdout) as Solved & { layerRanks: number[][]; reason: string };
    expect(solved.layerRanks.map((ranks) => ranks.length)).toEqual([12, 12, 12, 12]);
    expect(Math.max(...solved.layerRanks.flat())).toBe(solved.rank);
    expect(solved.reason).toBe("within-tolerance");
    const { lora, ...scenario } = JSON.parse(readFileSync(path, "utf8")) as { lora: object };
    const uniform = solve({ ...scenario, lora: { ...lora, ranks: "uniform" } });
    expect(solved.gap).toBeLessThan(0.95 * (uniform.gap as number));
  });

  it("refuses what ranks per layer do not take, in one line", () => {
    const scenario = smallScenario();
    scenario.lora["ranks"] = "per-layer";
    scenario.solver["rankSearch"] = "random";
    const { code, stderr } = airfold(["solve", "-"], JSON.stringify(scenario));
    expect([code, stderr.split("\n").length]).toEqual([2, 2]);
    expect(stderr).toContain("solver.rankSearch");
  });

  it("takes a payload plan, and says what a round takes", () => {
    const scenario = smallScenario();
    const [layer] = scenario.lora.layers;
    scenario.lora.layers = [layer!, { ...layer }];
    type Costs = Solved & { delay: number; energy: number[] };
    const all = solve(scenario) as Costs;
    scenario.lora["payload"] = { layers: [1], tensors: [{ name: "head", entries: 40, entriesPerRank: 1 }] };
    const some = solve(scenario) as Costs;
    for (const { delay, energy } of [all, some]) {
      expect(delay).toBeGreaterThan(0);
      expect(energy).toHaveLength(3);
      // within the budget of a round
      for (const x of energy) expect(x > 0 && x <= 20 * (1 + 1e-9)).toBe(true);
    }
    // 28 entries per layer and unit of rank, 8 in a symbol
    const duration = (scenario.link["symbolDuration"] as number | undefined) ?? 7.14e-5;
    const computation = (scenario.learning["computeTime"] as number | undefined) ?? 0;
    expect(some.delay).toBeCloseTo(duration * Math.ceil((29 * some.rank + 40) / 8) + computation, 9);
    expect(all.delay).toBeCloseTo(duration * Math.ceil((56 * all.rank) / 8) + computation, 9);
  });

  it.each([
    [{ layer: [0] }, "lora.payload.layer"],
    [{ tensors: [{ entry: 1 }] }, "lora.payload.tensors[0].entry"],
    [{ layers: [1] }, "lora.payload.layers[0]"],
    [{ layers: [] }, "lora.payload"],
  ])("refuses the payload plan %j in one line", (payload, field) => {
    const scenario = smallScenario();
    scenario.lora["payload"] = payload;
    const { code, stderr } = airfold(["solve", "-"], JSON.stringify(scenario));
    expect([code, stderr.split("\n").length]).toEqual([2, 2]);
    expect(stderr).toContain(field);
  });

  it("writes --out whole and leaves nothing else behind", () => {
    const folder = temporaryFolder();
    const out = join(folder, "result.json");
    const { code, stdout } = airfold(["solve", "-", "--out", out], JSON.stringify(smallScenario()));
    expect([code, stdout]).toEqual([0, ""]);
    expect(readdirSync(folder)).toEqual(["result.json"]);
    expect((JSON.parse(readFileSync(out, "utf8")) as Solved).rank).toBeGreaterThan(0);
  });

  it("writes an infinite gap as text, with its reason", () => {
    const scenario = smallScenario();
    scenario.learning["gradientSlope"] = 1e6;
    const solved = solve(scenario);
    expect(solved.gap).toBe("Infinity");
    expect(solved.gapReason).toContain("b2 >= 1");
    const { code, stderr } = airfold(["solve", "-", "--strict"], JSON.stringify(scenario));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^airfold: no rank has a finite bound: .*b2 >= 1.*\n$/);
  });

  it("exits with 1 under --strict when the beamforming did not converge", () => {
    const scenario = smallScenario();
    scenario.link["snrDb"] = 40;
    // at high SNR it crawls
    scenario.solver["scheme"] = "alternating";
    const text = JSON.stringify(scenario);
    expect(airfold(["solve", "-", "--strict"], text)).toMatchObject({
      code: 1,
      stderr: /before it converged/,
    });
    expect(airfold(["solve", "-"], text).code).toBe(0);
  });
});

describe("airfold beamform", () => {
  it("converges on the example, and its design can be evaluated again", () => {
    const { code, stdout, stderr } = airfold(["beamform", "examples/beamform.json", "--strict"]);
    expect([code, stderr]).toEqual([0, ""]);
    const problem = JSON.parse(readFileSync("examples/beamform.json", "utf8")) as BeamformProblem;
    const { channel, noiseVariance } = beamformOptions(problem);
    const design = designFrom(JSON.parse(stdout));
    expect(
      Math.abs(meanSquaredError(channel as TrueChannel, design, { noiseVariance }) / design.mse - 1),
    ).toBeLessThan(1e-12);
  });

  it("takes spectra of a million entries and a thousand ranks in its stride", () => {
    const scenario = smallScenario();
    scenario.lora.layers = [{ dOut: 2 ** 20, dIn: 2 ** 20 }];
    scenario.solver["maxRank"] = 1000;
    scenario.link["energyPerRound"] = null;
    expect(solve(scenario).byRank.length).toBeLessThan(60);
  });

  it("reads the channel from .json, .npy and .npz next to the problem, with the same answer", () => {
    const folder = temporaryFolder();
    const shape = [2, 1, 2, 2];
    const data = Float64Array.from({ length: 16 }, (_, i) => Math.sin(3 * i + 1));
    const re = Array.from({ length: 8 }, (_, i) => data[2 * i]);
    const im = Array.from({ length: 8 }, (_, i) => data[2 * i + 1]);
    writeFileSync(join(folder, "h.json"), JSON.stringify({ shape, re, im }));
    writeFileSync(join(folder, "h.npy"), encodeNpy({ shape, data }));
    writeFileSync(join(folder, "h.npz"), encodeNpz({ h: { shape, data }, other: { shape, data } }));
    const channels = [
      { model: "given", file: "h.json" },
      { model: "given", file: "h.npy" },
      { model: "given", file: "h.npz", variable: "h" },
      { model: "given", matrices: { shape, re, im } },
    ];
    const outputs = channels.map((channel, i) => {
      const path = join(folder, `p${i}.json`);
      writeFileSync(path, JSON.stringify({ ...smallProblem(), channel }));
      const { code, stdout, stderr } = airfold(["beamform", path]);
      expect([code, stderr.replace(/airfold: the beamforming stopped[^\n]*\n/, "")]).toEqual([0, ""]);
      return stdout;
    });
    expect(new Set(outputs).size).toBe(1);
    expect(JSON.parse(outputs[0]!)).toMatchObject({
      kind: "analog",
      scheme: "manifold",
      schemaVersion: 1,
    });
  });
});

describe("airfold schema", () => {
  it("prints JSON Schema of one input, or of all", () => {
    const one = JSON.parse(airfold(["schema", "scenario"]).stdout) as { properties: object };
    expect(Object.keys(one.properties)).toEqual(["channel", "link", "learning", "lora", "solver"]);
    const all = JSON.parse(airfold(["schema"]).stdout) as Record<string, object>;
    expect(Object.keys(all)).toEqual(["scenario", "beamform", "training-record"]);
    expect(all["scenario"]).toEqual(one);
  });
});
