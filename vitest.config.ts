import { existsSync } from "node:fs";
import { defineConfig, type ViteUserConfig } from "vitest/config";

// Tests in these folders run what was built; the others import src.
const built = ["test/cli/**/*.test.ts", "test/package/**/*.test.ts"];
// The studies have an installation of their own: npm ci --prefix examples. Without it their tests are left out.
const examples = "test/examples/**/*.test.{ts,mjs}";
const hasExamples = existsSync("examples/node_modules/airfold");

const config: ViteUserConfig = defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/count-reporter.ts"],
    coverage: { enabled: false, include: ["src/**"] },
    projects: [
      {
        extends: true,
        // pure functions: files share their process, which saves loading src for every one of them
        test: {
          name: "source",
          include: ["test/**/*.test.ts"],
          exclude: [...built, examples],
          isolate: false,
        },
      },
      { extends: true, test: { name: "built", include: built, globalSetup: "test/support/build.ts" } },
      ...(hasExamples
        ? [
            {
              extends: true as const,
              test: { name: "examples", include: [examples], globalSetup: "test/support/build.ts" },
            },
          ]
        : []),
    ],
  },
});

export default config;
