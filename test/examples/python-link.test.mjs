import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beamformOptions, designBeamformers, overTheAirLink } from "airfold/aircomp";
import { afterAll, describe, expect, test } from "vitest";

const script = "examples/python-link/link.mjs";
const run = (input, ...args) => spawnSync("node", [script, ...args], { input });
const hasPython = spawnSync("python3", ["-c", "import numpy"]).status === 0;
const folder = mkdtempSync(join(tmpdir(), "airfold-python-link-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The problem of the demonstration with a design that is found at once: every test starts processes. */
const problem = join(folder, "problem.json");
const demonstration = JSON.parse(readFileSync("examples/beamform.json", "utf8"));
writeFileSync(problem, JSON.stringify({ ...demonstration, solver: { scheme: "centroid" } }));

/** The link and the design of the problem, in this process. */
function openHere() {
  const options = beamformOptions(JSON.parse(readFileSync(problem, "utf8")));
  const { channel, noiseVariance } = options;
  const design = designBeamformers(options);
  return { design, link: overTheAirLink({ channel, noiseVariance, design }) };
}

const request = (header, numbers) =>
  Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), Buffer.from(new Float32Array(numbers).buffer)]);

/** Lines and numbers of an output in turn. */
function outputOf(stdout) {
  let rest = stdout;
  const take = (count) => {
    const part = rest.subarray(0, count);
    rest = rest.subarray(count);
    return part;
  };
  return {
    line: () => JSON.parse(take(rest.indexOf(10) + 1).toString("utf8")),
    numbers: (count) => new Float64Array(Uint8Array.from(take(8 * count)).buffer),
    left: () => rest.length,
  };
}

describe("examples/python-link", () => {
  test("what comes back is what the link in this process gives, round after round, bad ones in between", () => {
    const { design, link } = openHere();
    const entries = 33;
    const rounds = [1, 2].map((seed) => ({
      seed,
      numbers: Array.from({ length: 10 * entries }, (_, i) => Math.fround(Math.sin(seed * i))),
    }));
    const ones = new Array(10).fill(1);
    const bad = [
      [{ devices: 10, entries: 1, seed: 1 }, [...ones.slice(1), Number.NaN], "gradients[9][0]: found NaN"],
      [{ devices: 3, entries: 2, seed: 1 }, new Array(6).fill(1), "gradients: found an array of 3"],
      [{ devices: 10, entries: 1, seed: 1.5 }, ones, "seed: found 1.5"],
      [{ devices: 10, entries: 1 }, ones, "seed: found undefined"],
      [{ devices: 10, entries: 0, seed: 1 }, [], "gradients[0]: found an array of 0"],
      [{ devices: 0, entries: 5, seed: 1 }, [], "gradients: found an array of 0"],
    ];
    const good = rounds.map(({ seed, numbers }) => request({ devices: 10, entries, seed }, numbers));
    const input = Buffer.concat([
      good[0],
      ...bad.map(([header, numbers]) => request(header, numbers)),
      good[1],
    ]);
    const { status, stdout, stderr } = run(input, problem);
    expect(status, stderr.toString()).toBe(0);
    expect(stderr).toHaveLength(0);
    const output = outputOf(stdout);
    const { weights, distortion } = design;
    expect(output.line()).toEqual({ ready: true, devices: 10, weights, distortion });
    const checkRound = ({ seed, numbers }) => {
      const gradients = Array.from({ length: 10 }, (_, k) => numbers.slice(k * entries, (k + 1) * entries));
      const { estimate, ...expected } = link.aggregate(gradients, seed);
      expect(output.line()).toEqual(JSON.parse(JSON.stringify(expected)));
      expect(output.numbers(entries)).toEqual(estimate);
    };
    checkRound(rounds[0]);
    for (const [, , message] of bad) {
      const answer = output.line();
      expect(Object.keys(answer)).toEqual(["error"]);
      expect(answer.error).toContain(message);
    }
    checkRound(rounds[1]);
    expect(output.left()).toBe(0);
  });

  const notJson = join(folder, "not.json");
  writeFileSync(notJson, "streams: 4");
  const noChannel = join(folder, "no-channel.json");
  writeFileSync(noChannel, "{}");

  test.each([
    ["no problem", [], "expected the file of a problem"],
    ["a problem that is not there", ["nothing.json"], "nothing.json"],
    ["a problem that is not JSON", [notJson], notJson],
    ["a problem without a channel", [noChannel], "channel"],
  ])("ends with code 2 and one line before it is ready: %s", (_, args, message) => {
    const { status, stderr, stdout } = run("", ...args);
    expect(status).toBe(2);
    expect(stderr.toString().trimEnd().split("\n")).toHaveLength(1);
    expect(stderr.toString()).toContain(message);
    expect(stdout).toHaveLength(0);
  });

  test.each([
    ["too few numbers", request({ devices: 10, entries: 2, seed: 1 }, [1])],
    ["half a line", '{ "devices"'],
    ["no JSON", "hello\n"],
    ["null", "null\n"],
    ["an endless line", "x".repeat(20_000)],
    ["no sizes", "{}\n"],
    ["half a device", '{ "devices": 1.5, "entries": 2, "seed": 1 }\n'],
    ["less than no entries", '{ "devices": 10, "entries": -1, "seed": 1 }\n'],
    ["more than fits", '{ "devices": 10, "entries": 1e9, "seed": 1 }\n'],
    ["a product beyond the limit", '{ "devices": 100000, "entries": 100000, "seed": 1 }\n'],
  ])("ends with code 2 and one line where it cannot tell what follows: %s", (_, input) => {
    const { status, stderr, stdout } = run(input, problem);
    expect(status).toBe(2);
    expect(stderr.toString().trimEnd().split("\n")).toHaveLength(1);
    expect(stderr.toString()).toMatch(/^request: found .* expected /);
    const output = outputOf(stdout);
    expect(output.line().ready).toBe(true);
    expect(output.left()).toBe(0);
  });

  test("needs the build of the project and no installation of the examples, and says what is missing", () => {
    const home = join(folder, "examples", "python-link");
    mkdirSync(home, { recursive: true });
    copyFileSync(script, join(home, "link.mjs"));
    const there = () => spawnSync("node", [join(home, "link.mjs"), problem], { encoding: "utf8" });
    const missing = there();
    expect(missing.status).toBe(2);
    expect(missing.stderr).toBe(
      "airfold is not built: run npm ci && npm run build in the project's folder\n",
    );
    symlinkSync(resolve("dist"), join(folder, "dist"));
    const found = there();
    expect(found.status, found.stderr).toBe(0);
    expect(JSON.parse(found.stdout).ready).toBe(true);
  });
});

describe.runIf(hasPython)("examples/python-link from Python", () => {
  /** Runs lines of Python with a link; they print JSON. */
  const python = (...lines) => {
    const code = [
      "import json, os, sys",
      `sys.path.insert(0, ${JSON.stringify(resolve("examples/python-link"))})`,
      "import numpy as np",
      "from airfold_link import AirfoldLink",
      `problem = ${JSON.stringify(problem)}`,
      "ones = np.ones((10, 3))",
      "def error(call):",
      "    try:",
      "        call()",
      "    except Exception as caught:",
      "        return [type(caught).__name__, str(caught)]",
      ...lines,
    ].join("\n");
    const { status, stdout, stderr } = spawnSync("python3", ["-W", "error", "-c", code], {
      encoding: "utf8",
      timeout: 30_000,
    });
    expect(status, stderr).toBe(0);
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  };

  test("trains over the air", () => {
    const { status, stdout, stderr } = spawnSync("python3", ["examples/python-link/airfold_link.py"], {
      encoding: "utf8",
    });
    expect(status, stderr).toBe(0);
    const { squared_error_over_initial: left, measured, design } = JSON.parse(stdout);
    expect(left).toBeLessThan(0.1);
    expect(measured).toBeGreaterThan(0);
    expect(design).toBeLessThan(0.1);
  });

  test("knows the design; gives the estimate of this process, writable; takes seeds of NumPy", () => {
    const { design, link } = openHere();
    const result = python(
      "with AirfoldLink(problem) as link:",
      "    gradients = np.arange(30).reshape(10, 3)",
      "    estimate, report = link.aggregate(gradients, seed=np.int64(7))",
      "    first = estimate.tolist()",
      "    estimate *= 2",
      "    print(json.dumps({'devices': link.devices, 'weights': link.weights.tolist(),",
      "        'distortion': link.distortion, 'estimate': first, 'symbols': report['symbols'],",
      "        'type': str(estimate.dtype), 'twice': estimate.tolist()}))",
    );
    const gradients = Array.from({ length: 10 }, (_, k) => [3 * k, 3 * k + 1, 3 * k + 2]);
    const { estimate, symbols } = link.aggregate(gradients, 7);
    expect(result).toEqual({
      devices: 10,
      weights: design.weights,
      distortion: design.distortion,
      estimate: Array.from(estimate),
      symbols,
      type: "float64",
      twice: Array.from(estimate, (x) => 2 * x),
    });
  });

  test("a round that cannot be sent is a ValueError or TypeError, and the next one works", () => {
    const result = python(
      "with AirfoldLink(problem) as link:",
      "    bad = ones.copy()",
      "    bad[2, 1] = np.nan",
      "    caught = [",
      "        error(lambda: link.aggregate(bad, seed=1)),",
      "        error(lambda: link.aggregate(ones[:3], seed=1)),",
      "        error(lambda: link.aggregate(ones, seed=-1)),",
      "        error(lambda: link.aggregate(ones[:, :0], seed=1)),",
      "        error(lambda: link.aggregate(ones[0], seed=1)),",
      "        error(lambda: link.aggregate(ones, seed=1.5)),",
      "    ]",
      "    print(json.dumps({'caught': caught, 'estimate': link.aggregate(ones, seed=1)[0].tolist()}))",
    );
    const [nan, few, seed, empty, flat, half] = result.caught;
    expect(nan).toEqual(["ValueError", expect.stringContaining("gradients[2][1]: found NaN")]);
    expect(few).toEqual(["ValueError", expect.stringContaining("10 gradients, one per device")]);
    expect(seed).toEqual(["ValueError", expect.stringContaining("seed: found -1")]);
    expect(empty[0]).toBe("ValueError");
    expect(flat).toEqual(["ValueError", "gradients: found shape (3,), expected [10, Q]"]);
    expect(half[0]).toBe("TypeError");
    expect(result.estimate).toEqual([1, 1, 1]);
  });

  test("a link that does not start says why", () => {
    const result = python(
      "print(json.dumps([",
      "    error(lambda: AirfoldLink('nothing.json')),",
      "    error(lambda: AirfoldLink(problem, node='no-such-node')),",
      "]))",
    );
    expect(result[0]).toEqual(["RuntimeError", expect.stringMatching(/^the link has ended.*nothing\.json/)]);
    expect(result[1]).toEqual(["RuntimeError", expect.stringMatching(/^no-such-node does not start/)]);
  });

  test("a link that died says so, also in the middle of a large round, and the block still ends", () => {
    const result = python(
      "caught = []",
      "with AirfoldLink(problem) as link:",
      "    link._node.kill()",
      "    caught.append(error(lambda: link.aggregate(np.ones((10, 200000)), seed=1)))",
      "    caught.append(error(lambda: link.aggregate(ones, seed=1)))",
      "with AirfoldLink(problem) as link:",
      "    link._node.stdin.write(b'nonsense\\n')",
      "    caught.append(error(lambda: link.aggregate(np.ones((10, 200000)), seed=1)))",
      "with AirfoldLink(problem) as link:",
      "    link._node.kill()",
      "link.close()",
      "caught.append(error(lambda: link.aggregate(ones, seed=1)))",
      "print(json.dumps(caught))",
    );
    for (const [type] of result) expect(type).toBe("RuntimeError");
    expect(result[0][1]).toMatch(/^the link has ended \(code -9\)/);
    expect(result[1]).toEqual(result[0]);
    expect(result[2][1]).toContain("code 2): request: found nonsense, expected");
    expect(result[3][1]).toBe("the link is closed");
  });
});
