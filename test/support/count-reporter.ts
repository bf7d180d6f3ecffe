import { writeSync } from "node:fs";
import type { Reporter, SerializedError, TestModule, TestSuite } from "vitest/node";

/**
 * Prints `N passed, N failed` (and `, N skipped` if any) as the very last line of a run. Counted are tests, and as
 * failures also what kept tests from running: a file that could not be loaded, a failing hook of a whole file or
 * suite, an error outside every test, a run that did not reach its end.
 */
export default class CountReporter implements Reporter {
  private line = "0 passed, 1 failed";

  onInit(): void {
    // Other reporters and Vitest itself print after the run's end; nothing prints after this.
    process.once("exit", () => writeSync(1, `${this.line}\n`));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++;
      for (const suite of [module, ...module.children.allSuites()]) count.failed += ownFailures(suite);
    }
    this.line = `${count.passed} passed, ${count.failed} failed`;
    const skipped = count.skipped + count.pending;
    if (skipped > 0) this.line += `, ${skipped} skipped`;
  }
}

/** 1 for a file or suite that failed by itself, not through one of its tests. */
function ownFailures(suite: TestModule | TestSuite): number {
  return suite.errors().length > 0 ? 1 : 0;
}
