import type { Reporter, TestModule } from 'vitest/node'

/**
 * Closes a run with one plain line, `N passed, N failed`, whatever else was printed. What broke outside a test
 * (a file that does not load, an unhandled rejection) counts as failed. A run without a passed test fails, and
 * in CI also one with a skipped test: no test may skip because a part is missing.
 */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1
      for (const test of module.children.allTests()) count[test.result().state] += 1
    }
    const skipped = count.skipped + count.pending
    if (count.passed === 0 || (process.env.CI !== undefined && skipped > 0)) process.exitCode = 1
    const rest = skipped === 0 ? '' : `, ${skipped} skipped`
    process.stdout.write(`${count.passed} passed, ${count.failed} failed${rest}\n`)
  }
}
