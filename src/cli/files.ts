import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { describe, InputError } from "../core/index.ts";

/** Reads a file, or standard input for "-". @throws InputError naming `field` if that fails. */
export function readBytes(path: string, field: string): Uint8Array {
  try {
    return readFileSync(path === "-" ? 0 : path);
  } catch (error) {
    throw new InputError(field, `"${path}", ${fileProblem(error)}`, "a file that can be read");
  }
}

/** Reads and parses a JSON document. @throws InputError if it cannot be read or is not JSON. */
export function readJson(path: string, field: string): unknown {
  const text = new TextDecoder().decode(readBytes(path, field));
  try {
    return JSON.parse(text);
  } catch (error) {
    const detail = error instanceof Error ? error.message : describe(error);
    throw new InputError(field, `"${path}", which is not JSON (${detail})`, "a complete JSON document");
  }
}

/** Refuses an output path that cannot be written, before any work is done. */
export function checkWritable(path: string, field: string): void {
  if (path === "" || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new InputError(field, `"${path}", ${path === "" ? "no name" : "a folder"}`, "a file name");
  }
  try {
    const probe = join(dirname(resolve(path)), `.airfold.${process.pid}.tmp`);
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw new InputError(
      field,
      `"${path}", whose folder cannot be written: ${fileProblem(error)}`,
      "a writable folder",
    );
  }
}

/** Creates a folder. @throws InputError naming `field` if that fails. */
export function makeFolder(path: string, field: string): void {
  try {
    // level by level: Node's recursive mode does not return for some places, such as below /proc
    const missing: string[] = [];
    for (let level = resolve(path); !existsSync(level); level = dirname(level)) missing.unshift(level);
    for (const level of missing) mkdirSync(level);
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new InputError(field, `"${path}", ${fileProblem(error)}`, "a folder that can be written");
  }
}

const unfinished = new Set<string>();

/** Writes all files or none: each under a temporary name next to its own, then renamed together. */
export function writeFiles(files: ReadonlyMap<string, string | Uint8Array>, field: string): void {
  const renames: [string, string][] = [];
  try {
    for (const [path, content] of files) {
      const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
      unfinished.add(temporary);
      writeFileSync(temporary, content);
      renames.push([temporary, path]);
    }
    for (const [temporary, path] of renames) {
      renameSync(temporary, path);
      unfinished.delete(temporary);
    }
  } catch (error) {
    removeUnfinished();
    throw new InputError(field, fileProblem(error), "files that can be written");
  }
}

/** Removes temporary files of writes that did not finish. */
export function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { force: true });
  unfinished.clear();
}

function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  const known: Record<string, string> = {
    ENOENT: "no such file or folder",
    EACCES: "permission denied",
    EPERM: "not permitted",
    EISDIR: "a folder, not a file",
    ENOTDIR: "a file where a folder is needed",
    EEXIST: "a file where a folder is needed",
    ENOSPC: "no space left",
    EROFS: "a read-only file system",
  };
  return (
    (code === undefined ? undefined : known[code]) ?? (error instanceof Error ? error.message : String(error))
  );
}
