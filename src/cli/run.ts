import { Command, CommanderError } from "commander";
import { InputError, version } from "../core/index.ts";
import { beamformCommand } from "./beamform.ts";
import { estimateCommand } from "./estimate.ts";
import { exitCodes } from "./exit.ts";
import { figuresCommand } from "./figures.ts";
import { schemaCommand } from "./schema.ts";
import { solveCommand } from "./solve.ts";
import { Interrupted } from "./work.ts";

/** Runs one command line; resolves to the exit code. Results go to stdout, everything else to stderr. */
export async function run(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = new Command("airfold")
    .description("The LoRA rank and the MIMO beamformers with the smallest optimality gap, over the air.")
    .version(version)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          `airfold: ${text
            .replace(/^error: /, "")
            .trim()
            .replace(/\s+/g, " ")} (see airfold --help)\n`,
        ),
    });
  for (const add of [solveCommand, beamformCommand, estimateCommand, figuresCommand, schemaCommand]) {
    add(program, (code) => {
      exitCode = code;
    });
  }
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // the reader has closed the pipe (`airfold schema | head`): nothing is left to say
    if (error.code === "EPIPE") process.exit(exitCodes.done);
    process.exit(tellInternalError(error));
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.badInput;
    if (error instanceof InputError) {
      process.stderr.write(`airfold: ${error.message}\n`);
      return exitCodes.badInput;
    }
    if (error instanceof Interrupted) {
      process.stderr.write("airfold: interrupted; nothing was left half-written\n");
      return exitCodes.interrupted;
    }
    return tellInternalError(error);
  }
}

/** What no one foresaw, in one line; with AIRFOLD_DEBUG=1 in the environment also where it happened. */
function tellInternalError(error: unknown): number {
  const { AIRFOLD_DEBUG: debug } = process.env;
  const line = String(error).trim().replace(/\s+/g, " ").slice(0, 400);
  process.stderr.write(
    `airfold: internal error: ${line}; please report it (AIRFOLD_DEBUG=1 shows the stack)\n`,
  );
  if (debug === "1" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return exitCodes.internalError;
}
