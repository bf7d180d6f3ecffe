import { readFileSync } from "node:fs";
import type { UserConfig } from "tsdown";

// package.json `exports` is the one list of public modules: "./linalg" is built from src/linalg/index.ts.
const { exports: subpaths } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const names = Object.keys(subpaths)
  .filter((subpath) => subpath !== "./package.json")
  .map((subpath) => subpath.replace(/^\.\/?/, "") || "index");
const sources = names.map((name) => (name === "index" ? "src/index.ts" : `src/${name}/index.ts`));

// One build for everything, so that the command line and the rooms share chunks (and classes such as InputError).
const config: UserConfig = {
  entry: {
    ...Object.fromEntries(names.map((name, i) => [name, sources[i]!])),
    "cli/main": "src/cli/main.ts",
    "cli/worker": "src/cli/worker.ts",
  },
  format: "esm",
  platform: "neutral",
  target: ["node20", "es2022"],
  dts: { oxc: true, entry: sources },
  deps: { skipNodeModulesBundle: true, neverBundle: /^node:/ },
  outputOptions: {
    // The command line finds its worker next to itself, so its own chunks stay in its folder.
    chunkFileNames: ({ moduleIds }) =>
      moduleIds.some((id) => /[\\/]src[\\/]cli[\\/]/.test(id))
        ? "cli/[name]-[hash].js"
        : "chunks/[name]-[hash].js",
  },
  failOnWarn: true,
  logLevel: "warn",
};

export default config;
