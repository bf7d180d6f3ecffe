import { dirname, resolve } from "node:path";
import { decodeComplexFile, InputError, toComplexJson } from "../core/index.ts";
import { readBytes, readJson } from "./files.ts";

/**
 * A JSON problem whose channel file, if it names one, has been read in. Relative paths are relative to the
 * problem's own folder (to the working folder for standard input).
 *
 * @throws InputError if a file cannot be read or does not hold what is expected.
 */
export function readProblem(path: string): unknown {
  const problem = readJson(path, "file");
  if (!isRecord(problem) || !isRecord(problem["channel"])) return problem;
  const channel = problem["channel"];
  const { file, variable, ...rest } = channel;
  if (channel["model"] !== "given" || typeof file !== "string") return problem;
  if (channel["matrices"] !== undefined)
    throw new InputError("channel", "a file and matrices", "one of the two");
  const folder = path === "-" ? process.cwd() : dirname(path);
  const bytes = readBytes(resolve(folder, file), "channel.file");
  const array = decodeComplexFile(file, bytes, {
    field: "channel.file",
    variable: typeof variable === "string" ? variable : undefined,
  });
  // MATLAB drops trailing dimensions of length 1: [K, M, Nr, 1] arrives as [K, M, Nr]
  const shape = [...array.shape];
  if (file.toLowerCase().endsWith(".mat")) while (shape.length < 4) shape.push(1);
  if (shape.length !== 4 || shape.some((n) => n < 1)) {
    throw new InputError(
      "channel.file",
      `shape [${shape.join(", ")}]`,
      "shape [K, M, Nr, Nt], every dimension >= 1",
    );
  }
  return { ...problem, channel: { ...rest, matrices: toComplexJson({ shape, data: array.data }) } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
