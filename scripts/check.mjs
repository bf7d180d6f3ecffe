// npm run check: builds, then runs every check below, two at a time, one line each; fails if any of them failed.
// `npm run check layering types` runs only those named (and builds only if one of them reads dist).
import { spawn } from "node:child_process";
import { delimiter, resolve } from "node:path";

const script = (name) => ["node", [`scripts/checks/${name}.mjs`]];

// The longest first. `built` checks read dist and wait for the build.
const checks = [
  { name: "build", run: ["npm", ["run", "--silent", "build"]] },
  { name: "pack", built: true, run: script("pack") },
  { name: "typecheck", run: ["tsc", ["--noEmit"]] },
  { name: "types", built: true, run: script("types") },
  { name: "knip", run: ["knip", ["--no-progress"]] },
  { name: "lint", run: ["biome", ["ci", "--error-on-warnings", "--colors=off"]] },
  { name: "publint", built: true, run: ["publint", ["run", "--pack", "false", "--strict"]] },
  { name: "browser", built: true, run: script("browser") },
  { name: "layering", run: script("layering") },
  { name: "determinism", run: script("determinism") },
  { name: "registry", run: script("registry") },
  { name: "lockfile", run: script("lockfile") },
  { name: "version", run: script("version") },
];

const names = process.argv.slice(2);
const unknown = names.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(
    `no check called ${unknown.join(", ")}; there are ${checks.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}
const wanted = checks.filter(({ name }) => names.length === 0 || names.includes(name));
if (wanted.some(({ built }) => built) && wanted[0] !== checks[0]) wanted.unshift(checks[0]);

const started = performance.now();
const failed = [];
let built = wanted[0] !== checks[0];
const building = built ? Promise.resolve() : runCheck(wanted.shift());
building.then(() => (built = true));
// While the build runs, the other worker takes what does not need it.
await Promise.all([building.then(work), work()]);

const total = seconds(started);
if (failed.length > 0) console.log(`\n${failed.length} checks failed (${failed.join(", ")}) in ${total}`);
else console.log(`\nall checks passed in ${total}`);
process.exitCode = failed.length > 0 ? 1 : 0;

async function work() {
  while (wanted.length > 0) {
    const next = wanted.findIndex((check) => built || !check.built);
    if (next >= 0) await runCheck(wanted.splice(next, 1)[0]);
    else await building;
  }
}

function runCheck({ name, run: [command, args], built: readsDist }) {
  if (readsDist && failed.includes("build")) {
    failed.push(name);
    console.log(`FAIL ${name.padEnd(12)} not run: the build failed`);
    return Promise.resolve();
  }
  const start = performance.now();
  const path = [resolve("node_modules/.bin"), process.env.PATH].join(delimiter);
  const child = spawn(command, args, {
    env: { ...process.env, PATH: path, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  return new Promise((done) => {
    child.on("error", (error) => (output += error.message));
    child.on("close", (code) => {
      if (code !== 0) failed.push(name);
      const said = /^ok: (.*)$/m.exec(output)?.[1] ?? "";
      console.log(
        `${code === 0 ? "ok  " : "FAIL"} ${name.padEnd(12)} ${seconds(start).padStart(6)}  ${said}`.trimEnd(),
      );
      if (code !== 0) console.log(output.trimEnd().replace(/^/gm, "     "));
      done();
    });
  });
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
