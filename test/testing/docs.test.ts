import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as aircomp from "../../src/aircomp/index.ts";
import * as testing from "../../src/testing/index.ts";

const page = readFileSync(new URL("../../docs/testing.md", import.meta.url), "utf8");

/** Runs a snippet of the page: its imports become look-ups in `modules`. */
async function run(snippet: string, modules: Readonly<Record<string, object>>): Promise<void> {
  const body = snippet
    .replace(/import\s+(\w+)\s+from\s+"([^"]+)"/g, 'const { default: $1 } = modules["$2"]')
    .replace(/import\s+(\{[^}]*\})\s+from\s+"([^"]+)"/g, 'const $1 = modules["$2"]');
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (modules: Readonly<Record<string, object>>) => Promise<void>;
  await new AsyncFunction("modules", body)(modules);
}

test("the example of the page is a passing test", async () => {
  const snippets = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);
  expect(snippets.length).toBe(1);
  const names: string[] = [];
  const runNow = (name: string, body: () => void): void => {
    names.push(name);
    body();
  };
  await run(snippets[0]!, {
    "fast-check": { default: fc },
    vitest: { test: runNow },
    "airfold/aircomp": aircomp,
    "airfold/testing": testing,
  });
  expect(names).toEqual(["designs keep the power budgets, and the MSE never increases"]);
});

test("the page names everything that is exported", () => {
  for (const name of Object.keys(testing)) {
    if (name !== "channelKinds") expect(page).toContain(`\`${name}`);
  }
});
