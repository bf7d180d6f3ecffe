import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encodeNpy } from "../../src/core/index.ts";
import { airfold, smallProblem, smallScenario, temporaryFolder } from "./command.ts";

type Edit = (scenario: ReturnType<typeof smallScenario>) => void;

const refuses = (
  args: readonly string[],
  input: string | undefined,
  field: string,
  message: RegExp,
): void => {
  const { code, stdout, stderr } = airfold(args, input);
  expect(stderr).toMatch(message);
  expect(stderr.startsWith(`airfold: ${field}: found `)).toBe(true);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect([code, stdout]).toEqual([2, ""]);
};

describe("bad scenarios are refused in one line, with exit code 2", () => {
  it.each<[string, RegExp, Edit]>([
    ["channel.devices", /-3.*>= 1/, (s) => (s.channel["devices"] = -3)],
    ["channel.devices", /1000000.*8192/, (s) => (s.channel["devices"] = 1e6)],
    ["channel.subcarriers", /1\.5.*whole number/, (s) => (s.channel["subcarriers"] = 1.5)],
    ["channel.taps", /"six".*number/, (s) => (s.channel["taps"] = "six")],
    ["channel.model", /"rayligh"/, (s) => (s.channel["model"] = "rayligh")],
    ["channel.delay", /unknown field/, (s) => (s.channel["delay"] = 3)],
    ["link.snrDb", /null.*number/, (s) => (s.link["snrDb"] = Number.NaN)],
    ["link.streams", /5.*at most 2/, (s) => (s.link["streams"] = 5)],
    ["learning.plConstant", /2.*mu <= L/, (s) => (s.learning["plConstant"] = 2)],
    ["learning.rounds", /-1.*>= 0/, (s) => (s.learning["rounds"] = -1)],
    ["lora.layers[0].dOut", /0.*>= 1/, (s) => (s.lora.layers[0]!["dOut"] = 0)],
    ["lora.residual.spectrum", /nothing|undefined/, (s) => delete s.lora.residual["spectrum"]],
    ["solver.scheme", /"magic".*"alternating"/, (s) => (s.solver["scheme"] = "magic")],
    ["solver.rankSearch.fixed", /99.*at most 12/, (s) => (s.solver["rankSearch"] = { fixed: 99 })],
    ["extra", /unknown field/, (s) => (s["extra"] = 1)],
    ["two\\u000alines", /unknown field/, (s) => (s["two\nlines"] = 1)],
    ["link.noiseVariance", /1e-320/, (s) => (s.link["noiseVariance"] = 1e-320)],
    ["link.energyPerRound", /1e\+300|at most|<=/, (s) => (s.link["energyPerRound"] = 1e300)],
    ["link.weights", /sum to 0/, (s) => (s.link["weights"] = [0, 0, 0])],
    ["channel.gains[0]", /1e\+308/, (s) => (s.channel["gains"] = [1e308, 1, 1])],
    ["channel.delayProfile", /array of 1 entry/, (s) => (s.channel["delayProfile"] = [1])],
    ["lora.layers[0].dIn", /<= 1048576/, (s) => (s.lora.layers[0]!["dIn"] = 1e9)],
    ["solver.maxRank", /<= 1048576/, (s) => (s.solver["maxRank"] = 1e9)],
    ["learning", /nothing/, (s) => delete (s as Record<string, unknown>)["learning"]],
  ])("%s", (field, message, edit) => {
    const scenario = smallScenario();
    edit(scenario);
    refuses(["solve", "-"], JSON.stringify(scenario), field, message);
  });
});

describe("bad files and flags", () => {
  const folder = temporaryFolder();
  const path = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const given = (file: string): string =>
    JSON.stringify({ ...smallProblem(), channel: { model: "given", file } });

  it("missing file", () => refuses(["solve", "nowhere.json"], undefined, "file", /no such file/));
  it("a folder", () => refuses(["solve", folder], undefined, "file", /a folder/));
  it("truncated JSON", () => {
    const cut = JSON.stringify(smallScenario()).slice(0, 200);
    refuses(["solve", path("cut.json", cut)], undefined, "file", /not JSON/);
  });
  it("not an object", () => refuses(["solve", "-"], "[1]", "input", /array.*object/));
  it(".npy of the wrong dtype", () => {
    const real = Buffer.from("\x93NUMPY\x01\x00", "latin1");
    const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1), }"
      .padEnd(117)
      .concat("\n");
    const bytes = Buffer.concat([real, Buffer.from([118, 0]), Buffer.from(header), Buffer.alloc(8)]);
    path("real.npy", bytes);
    refuses(["beamform", path("p1.json", given("real.npy"))], undefined, "channel.file", /f8.*complex128/);
  });
  it(".npy of the wrong shape", () => {
    path("flat.npy", encodeNpy({ shape: [2, 2], data: new Float64Array(8).fill(1) }));
    refuses(
      ["beamform", path("p2.json", given("flat.npy"))],
      undefined,
      "channel.file",
      /\[2, 2\].*four|K, M, Nr, Nt/,
    );
  });
  it(".npy that is missing", () => {
    refuses(["beamform", path("p3.json", given("gone.npy"))], undefined, "channel.file", /no such file/);
  });
  it("--out in a folder that is not there, before any work", () => {
    const out = join(folder, "no", "where.json");
    refuses(["solve", "-", "--out", out], JSON.stringify(smallScenario()), "--out", /folder/);
    expect(existsSync(out)).toBe(false);
  });
  it("bad input leaves no output file", () => {
    const clean = temporaryFolder();
    const scenario = smallScenario();
    scenario.link["streams"] = 9;
    const { code } = airfold(["solve", "-", "--out", join(clean, "r.json")], JSON.stringify(scenario));
    expect([code, readdirSync(clean)]).toEqual([2, []]);
  });
  it.each(["0", "-1", "1.5", "many", ""])("--jobs %j", (jobs) => {
    refuses(["solve", "-", `--jobs=${jobs}`], JSON.stringify(smallScenario()), "--jobs", /whole number/);
  });
  it("a file and matrices", () => {
    const both = { model: "given", file: "h.npy", matrices: { shape: [1, 1, 1, 1], re: [1], im: [0] } };
    refuses(
      ["beamform", "-"],
      JSON.stringify({ ...smallProblem(), channel: both }),
      "channel",
      /one of the two/,
    );
  });
  it.each(["", "/proc/nowhere.json"])("--out %j, before any work", (out) => {
    refuses(
      ["solve", "-", "--out", out],
      JSON.stringify(smallScenario()),
      "--out",
      /file name|writable folder/,
    );
  });
  it("figures into a folder that cannot be made", () => {
    refuses(["figures", "--quick", "--out", "/proc/nowhere"], undefined, "--out", /folder/);
  });
  it("unknown figure", () =>
    refuses(["figures", "--only", "gap"], undefined, "--only", /"gap".*gap-versus-rank/));
  it("unknown schema", () => refuses(["schema", "gap"], undefined, "schema", /"gap".*scenario/));
  it.each([[["sovle"]], [["solve"]], [["solve", "-", "--fast"]]])("%j is no command line", (args) => {
    const { code, stdout, stderr } = airfold(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^airfold: .*\(see airfold --help\)\n$/);
  });
});

describe("what no one foresaw", () => {
  // the command line runs with a broken JSON.stringify
  const sabotage = 'JSON.stringify=()=>{throw(new(RangeError)("no\\nluck"))}';
  const broken = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(sabotage)}` };

  it("is one line and exit code 70; with AIRFOLD_DEBUG=1 also the stack", () => {
    const { code, stdout, stderr } = airfold(["schema", "scenario"], undefined, {
      ...broken,
      AIRFOLD_DEBUG: "",
    });
    const line =
      "airfold: internal error: RangeError: no luck; please report it (AIRFOLD_DEBUG=1 shows the stack)\n";
    expect([code, stdout, stderr]).toEqual([70, "", line]);
    const verbose = airfold(["schema", "scenario"], undefined, { ...broken, AIRFOLD_DEBUG: "1" });
    expect(verbose.code).toBe(70);
    expect(verbose.stderr.startsWith(`${line}RangeError: no\nluck\n    at `)).toBe(true);
  });
});
