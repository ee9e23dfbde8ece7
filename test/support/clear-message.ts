import { expect } from 'vitest'
import type { CliOutcome } from './cli.ts'

/**
 * Expects a failure as people should meet it: the documented exit code, one error that says what, where and what next,
 * nothing of the program's inside.
 */
export function expectClearFailure(
  { code, stdout, stderr }: CliOutcome,
  expected: { readonly code: number; readonly says: readonly (string | RegExp)[] },
): void {
  for (const part of expected.says) expect(stderr).toMatch(part)
  expect(code, stderr).toBe(expected.code)
  expect(stderr.match(/^error: /gm)).toHaveLength(1)
  expect(stderr).toMatch(/^ *next: +\S/m)
  expect(stderr).not.toMatch(/^ +at |bug in ma-bundle|undefined|\[object/m)
  expect(stdout).toBe('')
}
