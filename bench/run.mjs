// Runs the benchmarks of this folder in the order of their names: `npm run bench -- [name ...] [--quick]`.
// A benchmark is a file bench/<name>.mjs that exports `run({ quick })` and prints its own results.
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { basename } from "node:path";

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const wanted = args.filter((arg) => arg !== "--quick").map((arg) => basename(arg, ".mjs"));

const folder = new URL(".", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".mjs") && !["run.mjs", "support.mjs"].includes(file))
  .map((file) => basename(file, ".mjs"))
  .sort();
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no benchmark called ${unknown.join(", ")}; there are ${names.join(", ") || "none"}`);
  process.exit(2);
}

console.log(`node ${process.version}, ${cpus()[0]?.model.trim() ?? "unknown cpu"}, ${cpus().length} cores`);
for (const name of wanted.length > 0 ? names.filter((name) => wanted.includes(name)) : names) {
  console.log(`\n${name}`);
  const { run } = await import(new URL(`${name}.mjs`, folder).href);
  await run({ quick });
}
