import type { Command } from "commander";
import { type BeamformProblem, beamformOptions } from "../aircomp/index.ts";
import { checkWritable } from "./files.ts";
import { readProblem } from "./input.ts";
import { deliver } from "./solve.ts";
import { withCrew } from "./work.ts";

/** `airfold beamform`: the beamformers of a channel. */
export function beamformCommand(program: Command, exit: (code: number) => void): void {
  program
    .command("beamform")
    .description("design transmit and receive beamformers for one channel")
    .argument("<problem>", 'problem file (JSON; "-" reads standard input; see: airfold schema beamform)')
    .option("--out <file>", "write the result to this file instead of standard output")
    .option("--strict", "exit with 1 if the beamforming did not converge")
    .action(async (path: string, flags: { readonly out?: string; readonly strict?: boolean }) => {
      if (flags.out !== undefined) checkWritable(flags.out, "--out");
      const problem = readProblem(path) as BeamformProblem;
      beamformOptions(problem);
      const document = await withCrew(1, async (crew) => {
        const [result] = await crew.all([{ kind: "beamform" as const, problem }]);
        return result!;
      });
      deliver(document, flags, exit);
    });
}
