import { describe, expect, it } from "vitest";
import {
  channelFrom,
  channelFromSpec,
  designBeamformers,
  mseLowerBound,
  type RayleighOptions,
  schemes,
} from "../../src/aircomp/index.ts";
import { minimizeOptimalityGap, optimalityGap, rankProblem, type Scenario } from "../../src/bounds/index.ts";
import { InputError } from "../../src/core/index.ts";
import {
  figureNames,
  figureParameters,
  figureTaskCount,
  parseFigureFile,
  renderFigure,
  runFigureTask,
  type TaskResult,
} from "../../src/figures/index.ts";
import { ComplexStack } from "../../src/linalg/index.ts";
import { parseCsv, runAll, type ScenarioFigure, tinyParameters } from "./support.ts";

describe.each(figureNames)("%s", (name) => {
  const parameters = tinyParameters(name);
  const results = runAll(name, parameters);

  it("renders the same bytes twice, also when the results went through JSON", async () => {
    const first = await renderFigure(name, parameters, results);
    const copy = JSON.parse(JSON.stringify(results)) as TaskResult[];
    const second = await renderFigure(name, JSON.parse(JSON.stringify(parameters)), copy);
    expect(second.svg === first.svg).toBe(true);
    expect(second.csv).toBe(first.csv);
    expect(second.json === first.json).toBe(true);
    expect(Buffer.from(second.png).equals(Buffer.from(first.png))).toBe(true);
    expect(first.svg.startsWith("<svg ") && first.svg.includes("Source Sans 3")).toBe(true);
    expect(/NaN|undefined|Infinity/.exec(first.svg)).toBe(null);
    expect([...first.png.subarray(1, 4)]).toEqual([..."PNG"].map((c) => c.charCodeAt(0)));
  });

  it("has tasks that do not depend on each other or on their order", () => {
    const count = figureTaskCount(name, parameters);
    expect(count).toBe(3);
    for (let index = count - 1; index >= 0; index--) {
      expect(runFigureTask(name, parameters, index)).toEqual(results[index]);
    }
  });

  it("has a CSV whose rows are what the specification draws", async () => {
    const { csv, json } = await renderFigure(name, parameters, results);
    const rows = parseCsv(csv);
    const { spec } = JSON.parse(json) as { spec: { vconcat: { data?: { values: { y: number }[] } }[] } };
    const drawn = spec.vconcat.flatMap(({ data }) => data?.values ?? []);
    expect(drawn.length).toBeGreaterThan(0);
    const values = new Set(rows.map((row) => Number(row.value)));
    // curves that leave the panel are drawn to a decade below its lower end
    const clipped = [1e-7, 1e-9, 1e-13, 1e-15];
    for (const { y } of drawn) expect(values.has(y) || clipped.includes(y), `${y} in the CSV`).toBe(true);
    for (const row of rows) {
      if (row.low === "") continue;
      expect(Number(row.low)).toBeLessThanOrEqual(Number(row.value));
      expect(Number(row.high)).toBeGreaterThanOrEqual(Number(row.value));
    }
  });

  it("can be drawn again from its file", async () => {
    const { json } = await renderFigure(name, parameters, results);
    const restored = parseFigureFile(JSON.parse(json));
    expect(restored.name).toBe(name);
    expect(runFigureTask(name, restored.parameters, 1)).toEqual(results[1]);
    const again = await renderFigure(name, restored.parameters, results);
    expect(again.json === json).toBe(true);
  });

  it("has parameters that its own schema accepts as they are", () => {
    for (const quick of [true, false]) {
      const own = figureParameters(name, { quick });
      expect(parseFigureFile({ figure: name, schemaVersion: 1, parameters: own }).parameters).toEqual(own);
      expect(JSON.parse(JSON.stringify(own))).toEqual(own);
    }
  });
});

describe("numbers against a direct computation", () => {
  const scenario = (name: ScenarioFigure, channel: number, snrDb: number): Scenario => {
    const { scenario: base, firstSeed } = tinyParameters(name);
    return {
      ...base,
      channel: { ...base.channel, seed: firstSeed + channel } as Scenario["channel"],
      // one OFDM symbol of M = 2 subcarriers and 71 us at the SNR
      link: { ...base.link, snrDb, energyPerRound: 2 * 10 ** (snrDb / 10) * 7.1e-5 },
      // the seed of the channel is also that of the scheme's starts
      solver: { ...base.solver, seed: firstSeed + channel },
    };
  };

  it("gap-versus-rank", () => {
    const rows = runAll("gap-versus-rank", tinyParameters("gap-versus-rank"))[2]!.rows;
    const at = rows.find((row) => row.rank === 4 && row.snrDb === 10 && row.scheme === "manifold")!;
    const point = scenario("gap-versus-rank", 2, 10);
    const solver = { ...point.solver, scheme: "manifold", rankSearch: { fixed: 4 } } as const;
    const found = minimizeOptimalityGap({ ...point, solver });
    expect(at.gap).toBe(found.gap);
    const direct = optimalityGap(rankProblem(point).gapInput(4, found.design.distortion));
    expect(at.gap).toBe(direct.gap);
    expect(at.distortion).toBe(found.design.mse / (2 * 2));
  });

  it("gap-versus-snr and gap-versus-rounds agree with gap-versus-rank where they meet", () => {
    const curve = runFigureTask("gap-versus-rank", tinyParameters("gap-versus-rank"), 1).rows;
    const gaps = curve
      .filter((row) => row.snrDb === 0 && row.scheme === "manifold")
      .map((row) => row.gap as number);
    const points = runFigureTask("gap-versus-snr", tinyParameters("gap-versus-snr"), 1).rows;
    const best = points.find((row) => row.snrDb === 0 && row.scheme === "manifold")!;
    expect(best.gap).toBe(Math.min(...gaps));
    const hundred = { ...tinyParameters("gap-versus-rounds"), rounds: [0, 100] };
    const rounds = runFigureTask("gap-versus-rounds", hundred, 1).rows;
    const last = rounds.find((row) => row.snrDb === 0 && row.scheme === "manifold" && row.rounds === 100)!;
    expect(last.gap).toBe(best.gap);
  });

  it("distortion-versus-antennas, with nested channels", () => {
    const parameters = tinyParameters("distortion-versus-antennas");
    const { rows } = runFigureTask("distortion-versus-antennas", parameters, 0);
    const { model: _, ...options } = parameters.scenario.channel as { model: "rayleigh" } & RayleighOptions;
    const full = channelFromSpec({ model: "rayleigh", ...options, seed: 1 });
    const part = new ComplexStack([3, 2, 2, 2]);
    for (let k = 0; k < 3; k++) {
      for (let m = 0; m < 2; m++) {
        const source = full.matrices.at(k, m);
        for (let i = 0; i < 2 * 2 * 2; i++) part.at(k, m).data[i] = source.data[i]!;
      }
    }
    for (const [antennas, channel] of [
      [4, full],
      [2, channelFrom(part)],
    ] as const) {
      const power = 2 * 10;
      const design = designBeamformers({
        channel,
        streams: 2,
        power,
        noiseVariance: 1,
        effort: "fast",
        scheme: "mrc",
      });
      const row = rows.find((row) => row.scheme === "mrc" && row.receiveAntennas === antennas)!;
      expect(row.distortion).toBe(design.distortion);
    }
  });

  it("distortion-versus-snr and distortion-versus-devices, every scheme", () => {
    const [tinySnr, tinyDevices] = [
      tinyParameters("distortion-versus-snr"),
      tinyParameters("distortion-versus-devices"),
    ];
    const bySnr = runFigureTask("distortion-versus-snr", tinySnr, 1).rows;
    const byDevices = runFigureTask("distortion-versus-devices", tinyDevices, 1).rows;
    const compared = schemes.filter((scheme) => scheme !== "ideal");
    for (const scheme of compared) {
      const channel = channelFromSpec({ ...tinySnr.scenario.channel, seed: 2 } as Scenario["channel"]);
      const common = { channel, streams: 2, power: 2 * 10, noiseVariance: 1, seed: 2 };
      const { distortion } = designBeamformers({ ...common, scheme, effort: "fast" });
      const atSnr = bySnr.find((row) => row.scheme === scheme && row.snrDb === 10)!;
      const atDevices = byDevices.find((row) => row.scheme === scheme && row.devices === 3)!;
      expect([atSnr.distortion, atDevices.distortion]).toEqual([distortion, distortion]);
    }
    expect(new Set(bySnr.map((row) => row.scheme))).toEqual(new Set(compared));
  });

  it("convergence", () => {
    const parameters = tinyParameters("convergence");
    const { rows } = runFigureTask("convergence", parameters, 0);
    const channel = channelFromSpec({ ...parameters.scenario.channel, seed: 1 } as Scenario["channel"]);
    const common = { channel, streams: 2, power: 2 * 10, noiseVariance: 1 };
    const found = {
      alternating: designBeamformers({ ...common, scheme: "alternating", effort: "thorough" }).rows.slice(
        0,
        31,
      ),
      manifold: designBeamformers({ ...common, scheme: "manifold", effort: "fast" }).rows,
    };
    const best = Math.min(...Object.values(found).map((iterates) => iterates.at(-1)!.mse));
    for (const scheme of ["alternating", "manifold"] as const) {
      const row = rows.find((row) => row.snrDb === 10 && row.scheme === scheme && row.updates === 10)!;
      expect(row.excess).toBe(found[scheme][5]!.mse / best - 1);
      expect(row.excess as number).toBeGreaterThanOrEqual(0);
    }
  });

  it("certificate: designs lie above the bound of their kind", () => {
    const parameters = tinyParameters("certificate");
    const { rows } = runFigureTask("certificate", parameters, 2);
    for (const row of rows) expect(row.ratio as number).toBeGreaterThanOrEqual(1);
    const channel = channelFromSpec({ ...parameters.scenario.channel, seed: 3 } as Scenario["channel"]);
    const link = { channel, streams: 2, power: 2 * 10, noiseVariance: 1 };
    for (const scheme of ["manifold", "uniform-forcing"] as const) {
      const row = rows.find((row) => row.size === 0 && row.snrDb === 10 && row.scheme === scheme)!;
      const design = designBeamformers({ ...link, scheme, effort: "fast", seed: 3 });
      const bound = mseLowerBound({ ...link, zeroForcing: scheme === "uniform-forcing" })!;
      expect([row.distortion, row.bound]).toEqual([design.distortion, bound.value]);
      expect((row.ratio as number) * bound.value).toBeCloseTo(design.mse, 12);
    }
  });

  it("correlation: what is assumed reaches the design and the bound", () => {
    const { rows } = runFigureTask("correlation", tinyParameters("correlation"), 1);
    const point = scenario("correlation", 1, 0);
    for (const assumed of [0, 1, "cap"] as const) {
      const link = { ...point.link, correlation: assumed };
      const found = minimizeOptimalityGap({ ...point, link });
      const row = rows.find((row) => row.snrDb === 0 && row.correlation === String(assumed))!;
      expect([row.gap, row.rank]).toEqual([found.gap, found.rank]);
    }
  });
});

describe("solver figures end at what linear algebra says", () => {
  it("reflecting-surface: one antenna has a closed form", async () => {
    const parameters = tinyParameters("reflecting-surface");
    const { csv } = await renderFigure(
      "reflecting-surface",
      parameters,
      runAll("reflecting-surface", parameters),
    );
    const errors = parseCsv(csv).flatMap((row) =>
      row.largestSingleAntennaError === "" ? [] : [Number(row.largestSingleAntennaError)],
    );
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).toBeLessThan(1e-9);
  });
});

describe("schemes that cannot", () => {
  it("are counted as infinite, and named in the figure", async () => {
    const tiny = tinyParameters("distortion-versus-snr");
    const { channel } = tiny.scenario;
    // a device without a channel: nobody arrives with its weight
    const gains = { ...channel, gains: [1, 1, 0] } as Scenario["channel"];
    const parameters = { ...tiny, scenario: { ...tiny.scenario, channel: gains } };
    const results = runAll("distortion-versus-snr", parameters);
    const of = (scheme: string): unknown[] =>
      results.flatMap(({ rows }) => rows.filter((row) => row.scheme === scheme).map((row) => row.distortion));
    expect(new Set(of("sdr"))).toEqual(new Set(["Infinity"]));
    expect(of("manifold").every((distortion) => typeof distortion === "number")).toBe(true);
    const { csv, svg } = await renderFigure("distortion-versus-snr", parameters, results);
    const points = parseCsv(csv).filter(({ scheme }) => scheme === "sdr");
    expect(points.every(({ value, infinite }) => value === "Infinity" && infinite === "3")).toBe(true);
    expect(svg.includes("are infinite")).toBe(true);
  });
});

describe("infinite gaps", () => {
  it("are counted in the CSV and named in the figure", async () => {
    const tiny = tinyParameters("gap-versus-rank");
    const { scenario } = tiny;
    // omega a2 >= 1 at low SNR: no contraction
    const learning = { ...scenario.learning, gradientSlope: 8 };
    const parameters = { ...tiny, snrDb: [-20, 30], scenario: { ...scenario, learning } };
    const results = runAll("gap-versus-rank", parameters);
    expect(results[0]!.rows.some((row) => row.gap === "Infinity")).toBe(true);
    const { csv, svg, json } = await renderFigure("gap-versus-rank", parameters, results);
    expect(parseCsv(csv).some((row) => row.value === "Infinity" && Number(row.infinite) > 0)).toBe(true);
    expect(svg.includes("are infinite")).toBe(true);
    expect(parseFigureFile(JSON.parse(json)).name).toBe("gap-versus-rank");
  });
});

describe("bad input", () => {
  const file = { figure: "convergence", schemaVersion: 1, parameters: tinyParameters("convergence") };
  it.each([
    ["no object", 3, "input"],
    ["an unknown figure", { ...file, figure: "pie-chart" }, "figure"],
    ["another version of the file", { ...file, schemaVersion: 2 }, "schemaVersion"],
    ["no parameters", { figure: "convergence", schemaVersion: 1 }, "parameters"],
    ["unknown parameters", { ...file, parameters: { ...file.parameters, color: 1 } }, "parameters.color"],
    ["no channels", { ...file, parameters: { ...file.parameters, channels: 0 } }, "parameters.channels"],
    ["parameters of another figure", { ...file, figure: "gap-versus-rounds" }, "parameters"],
  ])("parseFigureFile refuses %s", (_, value, field) => {
    expect(() => parseFigureFile(value)).toThrow(InputError);
    try {
      parseFigureFile(value);
    } catch (error) {
      expect((error as InputError).field.startsWith(field)).toBe(true);
    }
  });

  it("tasks out of range, missing results and unknown names are refused", async () => {
    const { parameters } = file;
    expect(() => runFigureTask("convergence", parameters, 3)).toThrow(/index/);
    expect(() => runFigureTask("pie" as "convergence", parameters, 0)).toThrow(/figure: found "pie"/);
    await expect(renderFigure("convergence", parameters, [])).rejects.toThrow(/results: found 0 results/);
  });
});
