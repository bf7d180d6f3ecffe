import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { beamformOptions, designBeamformers, overTheAirLink } from "airfold/aircomp";
import { describe, expect, test } from "vitest";

const script = "examples/python-link/link.mjs";
const problem = "examples/beamform.json";
const run = (input, ...args) => spawnSync("node", [script, ...args], { input });
const hasPython = spawnSync("python3", ["-c", "import numpy"]).status === 0;

const request = (header, numbers) =>
  Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), Buffer.from(new Float32Array(numbers).buffer)]);

describe("examples/python-link", () => {
  test("what comes back is what the link in this process gives, round after round", () => {
    const options = beamformOptions(JSON.parse(readFileSync(problem, "utf8")));
    const { channel, noiseVariance } = options;
    const link = overTheAirLink({ channel, noiseVariance, design: designBeamformers(options) });
    const entries = 33;
    const rounds = [1, 2].map((seed) => ({
      seed,
      numbers: Array.from({ length: 10 * entries }, (_, i) => Math.fround(Math.sin(seed * i))),
    }));
    const input = Buffer.concat(
      rounds.map(({ seed, numbers }) => request({ devices: 10, entries, seed }, numbers)),
    );
    const { status, stdout, stderr } = run(input, problem);
    expect(status, stderr.toString()).toBe(0);
    let rest = stdout;
    for (const { seed, numbers } of rounds) {
      const end = rest.indexOf(10);
      const report = JSON.parse(rest.toString("utf8", 0, end));
      const bytes = Uint8Array.from(rest.subarray(end + 1, end + 1 + 8 * entries));
      rest = rest.subarray(end + 1 + 8 * entries);
      const gradients = Array.from({ length: 10 }, (_, k) => numbers.slice(k * entries, (k + 1) * entries));
      const { estimate, ...expected } = link.aggregate(gradients, seed);
      expect(new Float64Array(bytes.buffer)).toEqual(estimate);
      expect(report).toEqual(JSON.parse(JSON.stringify(expected)));
    }
    expect(rest).toHaveLength(0);
  });

  test.each([
    ["no problem", [], ""],
    ["a problem that is not there", ["nothing.json"], ""],
    ["too few devices", [problem], request({ devices: 3, entries: 2, seed: 1 }, new Array(6).fill(1))],
    ["too few numbers", [problem], request({ devices: 10, entries: 2, seed: 1 }, [1])],
    [
      "a gradient that is not finite",
      [problem],
      request({ devices: 10, entries: 1, seed: 1 }, new Array(10).fill(Number.NaN)),
    ],
    ["half a line", [problem], '{ "devices"'],
  ])("ends with code 2 and one line: %s", (_, args, input) => {
    const { status, stderr, stdout } = run(input, ...args);
    expect(status).toBe(2);
    expect(stderr.toString().trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toHaveLength(0);
  });

  test.runIf(hasPython)("Python trains over the air", () => {
    const { status, stdout, stderr } = spawnSync("python3", ["examples/python-link/airfold_link.py"], {
      encoding: "utf8",
    });
    expect(status, stderr).toBe(0);
    const { left, measured, design } = JSON.parse(stdout);
    expect(left).toBeLessThan(0.1);
    expect(measured).toBeGreaterThan(0);
    expect(design).toBeLessThan(0.1);
  });
});
