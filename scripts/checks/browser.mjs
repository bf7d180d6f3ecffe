// Every browser-safe module bundles for a browser: no Node built-in, nothing unresolved, dependencies included.
import { isBuiltin } from "node:module";
import { Rolldown } from "tsdown";
import { browserModules, failures, manifest, report } from "../support.mjs";

// A peer dependency is the reader's own; airfold/testing leaves fast-check to them.
const external = Object.keys(manifest.peerDependencies ?? {});
const sizes = [];

for (const { name, file } of browserModules) {
  const fail = (why) => failures.push(`${file}: ${why}`);
  try {
    const bundle = await Rolldown.rolldown({
      input: file,
      platform: "browser",
      external,
      plugins: [{ name: "no-built-ins", resolveId: { order: "pre", handler: refuseBuiltin } }],
      onLog(_level, log) {
        if (log.code === "UNRESOLVED_IMPORT") fail(log.message.split("\n")[0]);
      },
    });
    const { output } = await bundle.generate({ format: "esm", minify: true });
    const chunks = output.filter(({ type }) => type === "chunk");
    for (const imported of new Set(
      chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]),
    )) {
      const known = external.includes(imported) || chunks.some(({ fileName }) => fileName === imported);
      if (!known) fail(`the bundle still imports "${imported}"`);
    }
    const bytes = chunks.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0);
    sizes.push(`${name} ${Math.ceil(bytes / 1024)}`);
  } catch (error) {
    fail(error.message);
  }
}
report(`minified kB: ${sizes.join(", ")}`);

function refuseBuiltin(specifier, importer) {
  if (isBuiltin(specifier) && importer)
    throw new Error(`Node built-in "${specifier}" imported by ${importer}`);
}
