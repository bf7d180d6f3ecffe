// The npm tarball: small, nothing stray in it, and of use to a TypeScript project and to plain Node once installed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import ts from "typescript";
import { browserModules, failures, manifest, modules, pack, report } from "../support.mjs";

const maxBytes = 1_000_000;
const allowed = [
  /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|CITATION\.cff)$/,
  /^dist\/(?:[\w-]+|cli\/[\w-]+|chunks\/[\w-]+)\.(?:js|d\.ts)$/,
  /^assets\/[\w./-]+\.(?:json|svg|png|md)$/,
];

const folder = mkdtempSync(join(tmpdir(), `${manifest.name}-pack-`));
try {
  const packed = pack(folder);
  checkContents(packed);
  install(packed.filename);
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

/** Without optional dependencies: everything but drawing has to work then. */
function install(tarball) {
  write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
  const peers = Object.keys(manifest.peerDependencies).map(
    (name) => `${name}@${manifest.devDependencies[name]}`,
  );
  run("npm", [
    "install",
    "--omit=optional",
    "--ignore-scripts",
    "--prefer-offline",
    `./${tarball}`,
    ...peers,
  ]);
}

/** Imports every module under both module resolutions; none of its values may have lost its type. */
function checkTypes() {
  write(
    "consumer.ts",
    [
      "type IsAny<T> = 0 extends 1 & T ? true : false;",
      "type Untyped<M> = { [K in keyof M]: IsAny<M[K]> extends true ? K : never }[keyof M];",
      "type Verdict<M> = [keyof M] extends [never] ? 'exports nothing' : Untyped<M>;",
      "const typed = <M>(_module: M, ..._problems: [Verdict<M>] extends [never] ? [] : [Verdict<M>]): void => {};",
      ...modules.map(({ specifier }, i) => `import * as m${i} from "${specifier}";\ntyped(m${i});`),
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

function checkProgram(name, options) {
  const program = ts.createProgram([join(folder, "consumer.ts")], options);
  for (const { file, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const path = file?.fileName.slice(folder.length + 1) ?? "";
    // What a dependency's own declarations get wrong is not ours to mend.
    if (path.startsWith("node_modules/") && !path.startsWith(`node_modules/${manifest.name}/`)) continue;
    const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    failures.push(`${name}: ${path}:${line}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
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
