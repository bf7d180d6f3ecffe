// One version: package.json, its lock, the constant in src, and the citation file.
import { readFileSync } from "node:fs";
import { failures, manifest, report } from "../support.mjs";

const places = {
  "package-lock.json": /^ {2}"version": "(.*)"/m,
  "src/core/version.ts": /^export const version: string = "(.*)";/m,
  "CITATION.cff": /^version: "?([^"\s]+)"?/m,
};

for (const [file, pattern] of Object.entries(places)) {
  const found = pattern.exec(readFileSync(file, "utf8"))?.[1];
  if (found !== manifest.version)
    failures.push(`${file}: ${found ?? "no version"}, package.json: ${manifest.version}`);
}
report(manifest.version);
