import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const main = "dist/cli/main.js";

/** Runs the built command line to its end. */
export function airfold(
  args: readonly string[],
  input?: string,
  environment: Readonly<Record<string, string>> = {},
): CommandResult {
  const { status, stdout, stderr } = spawnSync("node", [main, ...args], {
    encoding: "utf8",
    input: input ?? "",
    env: { ...process.env, ...environment },
    maxBuffer: 2 ** 28,
  });
  return { code: status, stdout, stderr };
}

/** Starts it without waiting, for signals. */
export function startAirfold(args: readonly string[]): ReturnType<typeof spawn> {
  return spawn("node", [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

/** A fresh folder. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "airfold-test-"));
}

interface Example {
  channel: Record<string, unknown>;
  link: Record<string, unknown>;
  solver: Record<string, unknown>;
  learning: Record<string, unknown>;
  lora: { [field: string]: unknown; layers: Record<string, unknown>[]; residual: Record<string, unknown> };
  [field: string]: unknown;
}

/** The example scenario, made small enough for a test. */
export function smallScenario(): Example {
  const scenario = JSON.parse(readFileSync("examples/scenario.json", "utf8")) as Example;
  scenario.channel = {
    ...scenario.channel,
    devices: 3,
    subcarriers: 2,
    receiveAntennas: 4,
    transmitAntennas: 2,
  };
  scenario.link = { ...scenario.link, streams: 2, energyPerRound: 20 };
  scenario.lora.layers = [{ dOut: 16, dIn: 12 }];
  scenario.solver = { ...scenario.solver, effort: "fast", maxRank: 12 };
  return scenario;
}

/** A small problem for `beamform`. */
export function smallProblem(): Example {
  const { channel, link, solver } = smallScenario();
  const { energyPerRound: _, latencyPerRound: __, ...plain } = link;
  const { rankSearch: ___, maxRank: ____, ...search } = solver;
  return { channel, link: plain, solver: search } as unknown as Example;
}
