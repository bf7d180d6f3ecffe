// Imports point one way, rooms are entered through their index.ts, and no file depends on itself.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import ts from "typescript";
import { failures, report } from "../support.mjs";

// Lower rooms first; rooms on one line must not know each other. A new room is one more line here.
const order = [
  ["core"],
  ["linalg"],
  ["manifold"],
  ["aircomp"],
  ["bounds"],
  ["lora"],
  ["fusion", "personal"],
  ["figures"],
  ["cli"],
];
// Side doors: files besides index.ts through which the named rooms may enter another.
const sideDoors = {
  "linalg/kernels/index.ts": ["manifold", "aircomp"],
  // named parameters are a matter of the rooms on models, and no part of the public face of core
  "core/parameters.ts": ["fusion", "personal"],
  "core/qfunc.ts": ["fusion", "personal"],
};
const needsNode = ["figures", "cli"];

// src/index.ts is the room "" and gathers the others; `testing` stands beside the order, below nobody.
const rank = (room) => order.findIndex((rooms) => rooms.includes(room));
const roomOf = (file) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");

const files = readdirSync("src", { recursive: true })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => /\.[cm]?[jt]sx?$/.test(file))
  .sort();
/** Every file with the files of src that it imports, types included. */
const graph = new Map(files.map((file) => [file, []]));

for (const file of files) {
  const { importedFiles } = ts.preProcessFile(readFileSync(`src/${file}`, "utf8"), true, true);
  for (const { fileName: specifier } of importedFiles) checkImport(file, specifier);
}
for (const cycle of knots(graph).map(shortestCycle)) failures.push(`cycle: ${cycle.join(" -> ")}`);
for (const entry of readdirSync("src", { withFileTypes: true })) {
  if (entry.isDirectory()) checkRoom(entry.name);
}
report(`${files.length} files, ${[...graph.values()].flat().length} imports`);

function checkRoom(room) {
  if (rank(room) < 0 && room !== "testing")
    failures.push(`src/${room}: not in the order of rooms; add it there`);
  const index = `src/${room}/index.ts`;
  if (!existsSync(index)) failures.push(`${index}: missing`);
  else if (!readFileSync(index, "utf8").startsWith("/*"))
    failures.push(`${index}: no header comment at the top`);
}

function checkImport(file, specifier) {
  const from = roomOf(file);
  const fail = (why) => failures.push(`src/${file}: "${specifier}" ${why}`);
  if (!specifier.startsWith(".")) {
    if (isBuiltin(specifier) && !needsNode.includes(from)) fail("is Node only, allowed in figures and cli");
    if (/^airfold(\/|$)/.test(specifier)) fail("imports this package by name");
    return;
  }
  const target = posix.join(posix.dirname(file), specifier);
  if (!graph.has(target)) return fail("is not a file under src");
  graph.get(file).push(target);

  const to = roomOf(target);
  if (to === from) return;
  if (to === "") return fail("imports from the root of src");
  if (to === "testing") return fail("imports testing, which nobody may");
  const allowed =
    from === "" || from === "testing" ? !needsNode.includes(to) : rank(to) >= 0 && rank(to) < rank(from);
  if (!allowed) fail(`points against the order of rooms (${from || "src/index.ts"} imports ${to})`);
  if (target !== `${to}/index.ts` && !sideDoors[target]?.includes(from))
    fail("enters past the room's index.ts");
}

/** Strongly connected components of more than one file, or of one that imports itself (Tarjan). */
function knots(edges) {
  const found = [];
  const stack = [];
  const indices = new Map();
  const lows = new Map();

  function visit(node) {
    indices.set(node, indices.size);
    lows.set(node, indices.get(node));
    stack.push(node);
    for (const next of edges.get(node)) {
      if (!indices.has(next)) visit(next);
      if (stack.includes(next)) lows.set(node, Math.min(lows.get(node), lows.get(next)));
    }
    if (lows.get(node) !== indices.get(node)) return;
    const component = stack.splice(stack.indexOf(node));
    if (component.length > 1 || edges.get(node).includes(node)) found.push(component);
  }

  for (const node of edges.keys()) if (!indices.has(node)) visit(node);
  return found;
}

/** One shortest way round among files that all depend on each other, first file repeated at the end. */
function shortestCycle([start, ...others]) {
  const ways = [[start]];
  const seen = new Set();
  for (const way of ways) {
    for (const next of graph.get(way.at(-1))) {
      if (next === start) return [...way, start];
      if (others.includes(next) && !seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
}
