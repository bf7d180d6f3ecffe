import { writeSync } from "node:fs";
import type { Reporter, SerializedError, TestModule, TestSuite } from "vitest/node";

/**
 * Prints `N passed, N failed` (and `, N skipped` if any) as the very last line of a run. Counted are tests, and as
 * failures also what kept tests from running: a file that could not be loaded, a failing hook of a whole file or
 * suite, an error outside every test, a run that exits with an error for any other reason.
 */
export default class CountReporter implements Reporter {
  private passed = 0;
  private failed = 0;
  private skipped = 0;

  onInit(): void {
    // Other reporters and Vitest itself print after the run's end; nothing prints after this.
    process.once("exit", (code) => {
      const failed = code === 0 ? this.failed : Math.max(1, this.failed);
      const skipped = this.skipped > 0 ? `, ${this.skipped} skipped` : "";
      writeSync(1, `${this.passed} passed, ${failed} failed${skipped}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++;
      for (const suite of [module, ...module.children.allSuites()]) count.failed += ownFailures(suite);
    }
    this.passed = count.passed;
    this.failed = count.failed;
    this.skipped = count.skipped + count.pending;
  }
}

/** 1 for a file or suite that failed by itself, not through one of its tests. */
function ownFailures(suite: TestModule | TestSuite): number {
  return suite.errors().length > 0 ? 1 : 0;
}
