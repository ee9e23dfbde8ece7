import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const script = join(import.meta.dirname, '..', 'quickstart', 'quickstart.ts')
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quickstart-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const start = (name: string) =>
  Bun.spawn([process.execPath, script], {
    env: { PATH: process.env.PATH ?? '', HOME: folder, QUICKSTART_FOLDER: join(folder, name) },
    stdout: 'pipe',
    stderr: 'pipe',
  })

describe('the quick start', () => {
  it('carries everything over and says so', async () => {
    const child = start('whole')
    const [text, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    expect(await child.exited, errors).toBe(0)
    expect(errors).not.toMatch(/warning|error|retry/)
    expect(text.match(/ identical$/gm)).toHaveLength(7)
    expect(text).toMatch(/uploaded again +0 B +8 requests/)
    expect(text).toMatch(/image: "127\.0\.0\.1:\d+\/mirrored\/registry\.example\/shop\/api:2\.0\.1"/)
    const values = await readFile(join(folder, 'whole', 'ma-bundle-values.yaml'), 'utf8')
    expect(values).toContain('/mirrored/registry.example/shop/migrate:0.9.0')
  })

  it('is stopped by Ctrl-C, and cleans up', async () => {
    const child = start('stopped')
    const reader = child.stdout.getReader()
    const decoder = new TextDecoder()
    let text = ''
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += decoder.decode(part.value)
      if (text.includes('$ ma-bundle export')) child.kill('SIGINT')
    }
    expect(await child.exited).toBe(130)
    expect(text).not.toContain('What is where')
    expect(existsSync(join(folder, 'stopped'))).toBe(false)
  })
})
