// The packed declarations resolve as they should for ESM readers (are-the-types-wrong).
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failures, pack, report } from "../support.mjs";

const folder = mkdtempSync(join(tmpdir(), "airfold-types-"));
try {
  const tarball = join(folder, pack(folder).filename);
  const args = [tarball, "--profile", "esm-only", "--format", "ascii", "--no-emoji", "--no-color"];
  const { status, stdout, stderr } = spawnSync("node_modules/.bin/attw", args, { encoding: "utf8" });
  if (status !== 0) failures.push(`attw:\n${stdout}${stderr}`);
  report("attw finds no problem");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
