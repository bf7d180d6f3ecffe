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
    .option("--strict", "exit with 1 if the beamforming did not converge")
    .action(async (path: string, flags: SolveFlags) => {
      const jobs = jobCount(flags.jobs);
      if (flags.out !== undefined) checkWritable(flags.out, "--out");
      const scenario = readProblem(path) as Scenario;
      const problem = rankProblem(scenario);
      const parallel = problem.solver.rankSearch === "exhaustive" && jobs > 1;
      const document = await withCrew(parallel ? jobs : 1, (crew) =>
        solve(crew, scenario, parallel ? splitRanks(problem.maxRank, jobs) : []),
      );
      deliver(document, flags, exit);
    });
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
 * Ranks for each worker. The design of rank r starts from that of floor(r/2), a binary tree; whole subtrees go
 * to one worker, so that only the few ranks above them are solved twice.
 */
export function splitRanks(maxRank: number, jobs: number): number[][] {
  let level = 1;
  while (level < jobs) level *= 2;
  const parts = Array.from({ length: jobs }, (): number[] => []);
  for (let rank = 1; rank <= maxRank; rank++) {
    let ancestor = rank;
    while (ancestor >= 2 * level) ancestor = Math.floor(ancestor / 2);
    parts[ancestor % jobs]!.push(rank);
  }
  return parts.filter((part) => part.length > 0);
}

/** Writes a result document to --out or standard output, and sets the exit code. */
export function deliver(document: SolvedDocument, flags: SolveFlags, exit: (code: number) => void): void {
  if (flags.out === undefined) process.stdout.write(document.text);
  else writeFiles(new Map([[flags.out, document.text]]), "--out");
  if (!document.converged) {
    process.stderr.write("airfold: the beamforming stopped before it converged (see its reason)\n");
    if (flags.strict === true) exit(exitCodes.notConverged);
  }
}
