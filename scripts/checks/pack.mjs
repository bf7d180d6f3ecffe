// The npm tarball: small, nothing stray in it, and of use to a TypeScript project and to plain Node once installed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import ts from "typescript";
import { browserModules, failures, manifest, modules, pack, report } from "../support.mjs";

const maxBytes = 1_000_000;
const allowed = [
  /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|CITATION\.cff)$/,
  /^dist\/(?:[\w-]+|cli\/[\w-]+|chunks\/[\w-]+)\.(?:js|d\.ts)$/,
  /^(?:docs\/[\w./-]+\.(?:md|png|svg)|examples\/[\w-]+\.(?:json|ndjson))$/,
  /^assets\/[\w./-]+\.(?:json|svg|png|ttf|md|txt)$/,
];

const folder = mkdtempSync(join(tmpdir(), `${manifest.name}-pack-`));
try {
  const packed = pack(folder);
  checkContents(packed);
  install(packed);
  checkTypes();
  checkNode();
  report(
    `${packed.files.length} files, ${Math.ceil(packed.size / 1024)} kB packed; ${modules.length} modules typed`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function checkContents({ size, files }) {
  if (size > maxBytes) failures.push(`the tarball has ${size} bytes, more than ${maxBytes}`);
  const paths = files.map(({ path }) => path);
  for (const path of paths)
    if (!allowed.some((pattern) => pattern.test(path))) failures.push(`packs ${path}`);
  const needed = [...modules.map(({ file }) => file), ...Object.values(manifest.bin)];
  for (const path of needed) if (!paths.includes(path.slice(2))) failures.push(`does not pack ${path}`);
}

/**
 * Installs without optional dependencies: everything but drawing has to work then. The versions are those of our own
 * lock (npm drops what is not needed), which spares npm from asking the registry about every package.
 */
function install({ filename, integrity }) {
  const dependencies = { [manifest.name]: `file:${filename}` };
  for (const name of Object.keys(manifest.peerDependencies))
    dependencies[name] = manifest.devDependencies[name];
  const consumer = { name: "consumer", version: "0.0.0", private: true, type: "module", dependencies };
  write("package.json", JSON.stringify(consumer));

  const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const { devDependencies: _, ...installed } = lock.packages[""];
  lock.packages[""] = consumer;
  lock.packages[`node_modules/${manifest.name}`] = { ...installed, resolved: `file:${filename}`, integrity };
  write("package-lock.json", JSON.stringify(lock));
  run("npm", ["install", "--omit=optional", "--ignore-scripts", "--prefer-offline"]);
}

/** Imports every module under both module resolutions; none of its values may have lost its type. */
function checkTypes() {
  write(
    "consumer.ts",
    [
      "type IsAny<T> = 0 extends 1 & T ? true : false;",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a template literal type of the consumer
      "type Untyped<M> = { [K in keyof M & string]: IsAny<M[K]> extends true ? `${K} is any` : never }[keyof M & string];",
      "type Verdict<M> = [keyof M] extends [never] ? 'no exports' : [Untyped<M>] extends [never] ? 'typed' : Untyped<M>;",
      ...modules.map(
        ({ specifier }, i) =>
          `import * as m${i} from "${specifier}"; export const verdict${i}: Verdict<typeof m${i}> = "typed";`,
      ),
    ].join("\n"),
  );
  const shared = { strict: true, noEmit: true, target: ts.ScriptTarget.ES2022, skipLibCheck: false };
  const { ModuleKind, ModuleResolutionKind } = ts;
  checkProgram("nodenext", {
    ...shared,
    module: ModuleKind.NodeNext,
    moduleResolution: ModuleResolutionKind.NodeNext,
    types: ["node"],
    typeRoots: [resolve("node_modules/@types")],
  });
  checkProgram("bundler", {
    ...shared,
    module: ModuleKind.ESNext,
    moduleResolution: ModuleResolutionKind.Bundler,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
    types: [],
  });
}

/** Looks at our declarations and the consumer only: what a dependency gets wrong in its own is not ours to mend. */
function checkProgram(name, options) {
  const program = ts.createProgram([join(folder, "consumer.ts")], options);
  const dependency = new RegExp(`/node_modules/(?!${manifest.name}/)`);
  const ours = program.getSourceFiles().filter(({ fileName }) => !dependency.test(fileName));
  const found = ours.flatMap((file) => [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ]);
  for (const { file, start, messageText } of [...program.getOptionsDiagnostics(), ...found]) {
    const where =
      file && `${relative(folder, file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}`;
    failures.push(`${name}: ${where ?? "options"}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
  }
}

function checkNode() {
  const imports = browserModules.map(({ specifier }) => `await import("${specifier}");`);
  write("consumer.mjs", imports.join("\n"));
  run("node", ["consumer.mjs"]);
  const printed = run("node", [join("node_modules/.bin", manifest.name), "--version"]);
  if (printed?.trim() !== manifest.version) failures.push(`--version prints ${JSON.stringify(printed)}`);
}

function write(name, text) {
  writeFileSync(join(folder, name), text);
}

function run(command, args) {
  try {
    return execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    failures.push(`${command} ${args.join(" ")}: ${(error.stderr || error.message).trim()}`);
  }
}
