// package-lock.json installs on every platform, and from whatever registry its reader uses.
//
// npm leaves out of the lock the platform packages (`...-darwin-arm64`) whose metadata it could not fetch, and
// `npm ci` then refuses that lock. Run with --fix to write the missing entries: they are the exact versions that
// their parents ask for, and are only ever installed on the platform they name.
import { readFileSync, writeFileSync } from "node:fs";
import { failures, report } from "../support.mjs";

let count = 0;
for (const path of ["package-lock.json", "examples/package-lock.json"]) count += checkLock(path);
report(`${count} packages`);

/** @returns how many packages it locks */
function checkLock(path) {
  const lock = JSON.parse(readFileSync(path, "utf8"));
  for (const [key, entry] of Object.entries(lock.packages)) {
    // a link to airfold itself is not an address
    if (entry.resolved && !entry.link)
      failures.push(
        `${path}: ${key}: has a "resolved" address; see omit-lockfile-registry-resolved in .npmrc`,
      );
    // what airfold itself needs is in its own lock
    if (key.startsWith("..")) continue;
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(lock, key, name)) continue;
      if (process.argv.includes("--fix"))
        lock.packages[`node_modules/${name}`] = platformEntry(entry, name, version);
      else
        failures.push(
          `${path}: ${name}@${version} (optional, of ${key || "the project"}) is not locked; run with --fix`,
        );
    }
  }
  if (process.argv.includes("--fix")) {
    const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"));
    writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
  }
  return Object.keys(lock.packages).length;
}

/** Whether `name`, asked for by the package at `from`, is found inside it or in a node_modules above it. */
function isLocked(lock, from, name) {
  const parts = from.split("/node_modules/");
  const above = parts.map(
    (_, depth) => `${parts.slice(0, depth + 1).join("/node_modules/")}/node_modules/${name}`,
  );
  return [`node_modules/${name}`, ...above].some((key) => lock.packages[key]);
}

function platformEntry(parent, name, version) {
  const words = name.split(/[/-]/);
  const pick = (choices) => choices.filter((choice) => words.includes(choice));
  const os = pick(["android", "darwin", "freebsd", "linux", "openharmony", "win32"]);
  const cpu = pick(["arm", "arm64", "ia32", "ppc64", "riscv64", "s390x", "loong64", "x64"]);
  if (os.length !== 1 || cpu.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(`cannot write a lock entry for ${name}@${version}: its name does not tell one platform`);
  }
  const libc =
    os[0] !== "linux" ? undefined : words.some((word) => word.startsWith("musl")) ? ["musl"] : ["glibc"];
  return { version, cpu, ...(parent.dev && { dev: true }), ...(libc && { libc }), optional: true, os };
}
