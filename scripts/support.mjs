// What the checks share: a list of failures, a verdict, and the list of what the package exports.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** One line per violation; a check pushes and goes on, so that one run shows them all. */
export const failures = [];

export const manifest = JSON.parse(readFileSync("package.json", "utf8"));

/** The exported modules as `{ subpath: "./linalg", name: "linalg", file: "./dist/linalg.js" }`. */
export const modules = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target === "object")
  .map(([subpath, target]) => ({
    subpath,
    name: subpath.replace(/^\.\/?/, "") || "index",
    specifier: subpath.replace(/^\./, manifest.name),
    file: target.default,
  }));

/** Everything exported but figures, which renders files, runs in a browser. */
export const browserModules = modules.filter(({ name }) => name !== "figures");

/** Prints the verdict and sets the exit code. */
export function report(done) {
  for (const failure of failures) console.log(`  ${failure}`);
  console.log(failures.length === 0 ? `ok: ${done}` : `${failures.length} violations`);
  if (failures.length > 0) process.exitCode = 1;
}

/** Files that are or may be committed: tracked, or new and not ignored. */
export function committedFiles() {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return [...new Set(list.split("\0"))].filter(Boolean);
}

/** Packs what `npm publish` would upload into `folder`; the build must have run. */
export function pack(folder) {
  const out = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(out)[0];
}
