/** What the commands of the studies share: flags, the folder of a run, threads, and the files of the report. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Piscina } from "piscina";

/**
 * --quick, --jobs n, --out folder, --help and `more`. A wrong flag ends the process with one line and code 2.
 *
 * @param more further options as parseArgs takes them
 * @param check may throw an Error on their values
 */
export function readFlags(usage, more = {}, check = () => undefined) {
  try {
    const { values } = parseArgs({
      options: {
        ...more,
        quick: { type: "boolean", default: false },
        jobs: { type: "string", default: String(availableParallelism()) },
        out: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(`${usage}\n`);
      process.exit(0);
    }
    check(values);
    if (!/^[1-9]\d*$/.test(values.jobs)) {
      throw new Error(`--jobs: found "${values.jobs}", expected a whole number >= 1`);
    }
    return values;
  } catch (error) {
    process.stderr.write(`${error.message.split("\n")[0]}; ${usage}\n`);
    process.exit(2);
  }
}

/**
 * Makes the folder of a run, `out` or out/`name` in the folder of the examples, with a folder `inside` it for what is under way.
 *
 * @returns { out, inside }
 */
export function openFolder(out, name, inside) {
  const path = out ?? fileURLToPath(new URL(`../out/${name}`, import.meta.url));
  try {
    makeFolder(resolve(path, inside));
  } catch (error) {
    process.stderr.write(`--out: found ${path} (${error.code}), expected a folder that can be written\n`);
    process.exit(2);
  }
  return { out: path, inside: join(path, inside) };
}

/** One level at a time: mkdir with `recursive` never returns where a level cannot be made (Node 20, /proc). */
function makeFolder(path) {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

/** Threads that stay until the study is over. */
export function openPool(worker, jobs) {
  return new Piscina({
    filename: worker.href,
    maxThreads: Number(jobs),
    minThreads: Number(jobs),
    idleTimeout: Number.POSITIVE_INFINITY,
  });
}

/** @param files contents by name */
export function writeFiles(out, files) {
  for (const [file, content] of files) {
    writeFileSync(join(out, file), content);
    process.stderr.write(`${join(out, file)}\n`);
  }
}
