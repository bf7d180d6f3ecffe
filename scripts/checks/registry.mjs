// No committed file names a package registry: readers install from the one they have configured.
import { readFileSync, statSync } from "node:fs";
import { committedFiles, failures, report } from "../support.mjs";

const patterns = [
  /\bregistry\.[\w-]+\.\w{2,}/i, // the usual host names
  /\bnpm\.(?:pkg\.)?[\w-]+\.(?:com|io|org|dev|net)\b/i,
  /^[ \t]*(?:@[\w-]+:)?registry[ \t]*=/im, // .npmrc
  /https?:\/\/[^\s"']+\.tgz\b/i, // tarball addresses
  /^[ \t]*"resolved": "(?!\.\.")/m, // package-lock.json; ".." is airfold itself
];

const files = committedFiles().filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
for (const file of files) {
  const text = readFileSync(file, "latin1");
  for (const pattern of patterns) {
    const match = pattern.exec(text);
    if (match) failures.push(`${file}:${text.slice(0, match.index).split("\n").length}: ${match[0].trim()}`);
  }
}
report(`${files.length} files`);
