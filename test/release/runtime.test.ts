import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pinnedRuntime, PLATFORMS } from './runtime.ts'

const root = join(import.meta.dirname, '..', '..')

describe('the runtimes of a release', () => {
  it.each(PLATFORMS)('are pinned for %s with the bun of package-lock.json', async (platform) => {
    const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly version: string }>>
    }
    const { name, version, integrity } = await pinnedRuntime(platform, root)
    expect(name).toMatch(/^@oven\/bun-linux-(?:x64|aarch64)$/)
    expect(version).toBe(packages['node_modules/bun']?.version)
    expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
  })

  it('are for no other machine', async () => {
    await expect(pinnedRuntime('linux/s390x', root)).rejects.toThrow('linux/amd64, linux/arm64')
  })
})
