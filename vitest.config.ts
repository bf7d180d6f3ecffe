import { defineConfig, type ViteUserConfig } from "vitest/config";

// Tests in these folders run what was built; the others import src.
const built = ["test/cli/**/*.test.ts", "test/package/**/*.test.ts"];

const config: ViteUserConfig = defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/count-reporter.ts"],
    coverage: { enabled: false, include: ["src/**"] },
    projects: [
      { extends: true, test: { name: "source", include: ["test/**/*.test.ts"], exclude: built } },
      { extends: true, test: { name: "built", include: built, globalSetup: "test/support/build.ts" } },
    ],
  },
});

export default config;
