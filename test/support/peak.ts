import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect } from 'vitest'

/** Runs the program from source, which has to succeed and say nothing, and returns its peak memory in bytes. */
export async function peakOf(
  args: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const root = resolve(import.meta.dirname, '../..')
  const file = join(folder, 'peak')
  const preload = join(root, 'test/support/peak-memory.ts')
  const child = Bun.spawn(
    [process.execPath, '--preload', preload, join(root, 'src/cli.ts'), ...args, '--quiet'],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, ...env, PEAK_MEMORY_FILE: file },
      stdout: 'ignore',
      stderr: 'pipe',
    },
  )
  expect(await new Response(child.stderr).text()).toBe('')
  expect(await child.exited).toBe(0)
  return Number(await readFile(file, 'utf8'))
}
