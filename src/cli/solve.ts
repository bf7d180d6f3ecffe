import type { Command } from "commander";
import { rankProblem, type Scenario } from "../bounds/index.ts";
import { exitCodes } from "./exit.ts";
import { checkWritable, writeFiles } from "./files.ts";
import { readProblem } from "./input.ts";
import type { SolvedDocument } from "./jobs.ts";
import { type Crew, jobCount, progressBar, withCrew } from "./work.ts";

interface SolveFlags {
  readonly out?: string;
  readonly jobs?: string;
  readonly strict?: boolean;
}

/** `airfold solve`: the rank and beamformers of a scenario. */
export function solveCommand(program: Command, exit: (code: number) => void): void {
  program
    .command("solve")
    .description("find the LoRA rank and the beamformers with the smallest optimality gap")
    .argument("<scenario>", 'scenario file (JSON; "-" reads standard input; see: airfold schema scenario)')
    .option("--out <file>", "write the result to this file instead of standard output")
    .option("--jobs <n>", "worker threads for the exhaustive rank search (default: one per core)")
    .option("--strict", "exit with 1 if the beamforming did not converge, or no rank has a finite bound")
    .action(async (path: string, flags: SolveFlags) => {
      const jobs = jobCount(flags.jobs);
      if (flags.out !== undefined) checkWritable(flags.out, "--out");
      const scenario = readProblem(path) as Scenario;
      const parts = ranksToSplit(scenario, jobs);
      const document = await withCrew(parts.length > 0 ? jobs : 1, (crew) => solve(crew, scenario, parts));
      deliver(document, flags, exit);
    });
}

/** The ranks of an exhaustive search for each worker; none where one worker does it all. */
function ranksToSplit(scenario: Scenario, jobs: number): number[][] {
  // ranks per layer: few designs are solved, each where those before have left most to gain
  if (scenario?.lora?.ranks === "per-layer") return [];
  const problem = rankProblem(scenario);
  // the quadratic form needs the designs themselves, not only their distortions
  const parallel = problem.solver.rankSearch === "exhaustive" && problem.form !== "quadratic" && jobs > 1;
  return parallel ? splitRanks(problem.maxRank, jobs) : [];
}

async function solve(crew: Crew, scenario: Scenario, parts: readonly number[][]): Promise<SolvedDocument> {
  const bar = progressBar("ranks");
  try {
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    if (total === 0) crew.onProgress((progress) => bar.update(progress.done, progress.total, progress.text));
    const distortions = await crew.all(
      parts.map((ranks) => ({ kind: "distortions" as const, scenario, ranks })),
      (done) => bar.update(done, parts.length, "parts"),
    );
    const [document] = await crew.all([
      { kind: "solve" as const, scenario, distortions: distortions.flat() },
    ]);
    return document!;
  } finally {
    bar.stop();
  }
}

/**
 * Ranks for each worker: neighbours together, as a design starts from that of a neighbour (docs/theory.md, section
 * 3.6) and a worker makes whatever its ranks start from. Each design is a function of the scenario and its rank, so
 * the split does not matter to the result.
 */
function splitRanks(maxRank: number, jobs: number): number[][] {
  const parts = Array.from({ length: jobs }, (): number[] => []);
  for (let rank = 1; rank <= maxRank; rank++) parts[Math.floor(((rank - 1) * jobs) / maxRank)]!.push(rank);
  return parts.filter((part) => part.length > 0);
}

/** Writes a result document to --out or standard output, and sets the exit code. */
export function deliver(document: SolvedDocument, flags: SolveFlags, exit: (code: number) => void): void {
  if (flags.out === undefined) process.stdout.write(document.text);
  else writeFiles(new Map([[flags.out, document.text]]), "--out");
  if (!document.converged) {
    process.stderr.write("airfold: the beamforming stopped before it converged (see its reason)\n");
  }
  if (document.noBound !== undefined) {
    process.stderr.write(`airfold: no rank has a finite bound: ${document.noBound}\n`);
  }
  const isSound = document.converged && document.noBound === undefined;
  if (!isSound && flags.strict === true) exit(exitCodes.notConverged);
}
