import { execFileSync } from "node:child_process";

/** Builds dist once before the first test that runs it; Vitest calls this only if such a test was chosen. */
export default function setup(): void {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "ignore", "inherit"] });
}
