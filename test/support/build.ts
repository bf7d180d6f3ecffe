import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";

const globals = globalThis as { airfoldIsBuilt?: boolean };

/**
 * Builds dist once before the first test that runs it; Vitest calls this only if such a test was chosen. If the
 * build fails there is no dist left to pass by accident: the tests that need it fail, and the others still run.
 */
export default function setup(): void {
  // two projects ask for it, once is enough
  if (globals.airfoldIsBuilt === true) return;
  globals.airfoldIsBuilt = true;
  try {
    execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "ignore", "inherit"] });
  } catch {
    console.error("the build failed; tests of the built package will fail");
    rmSync("dist", { recursive: true, force: true });
  }
}
