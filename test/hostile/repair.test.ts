import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { random } from '../support/random.ts'
import { runShell } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let folder: string
let small: SmallBundle
let registry: DockerRegistry
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'repair-'))
  ;[small, registry] = await Promise.all([makeSmallBundle(), startDockerRegistry()])
  const values = join(folder, 'values.yaml')
  expect((await runShell(['import', small.file, '--registry', registry.host, '--values', values])).code).toBe(
    0,
  )
})
afterAll(async () => {
  await Promise.all([small.remove(), registry.stop()])
  rmSync(folder, { recursive: true })
})

const file = (): string => join(folder, 'damaged.tar')
const flip = (bytes: Uint8Array, at: number): void => {
  bytes[at] = (bytes[at] ?? 0) ^ 0x55
}
const offsetOf = (content: Uint8Array): number => Buffer.from(small.bytes).indexOf(Buffer.from(content))
const whole = (): boolean => Buffer.compare(readFileSync(file()), small.bytes) === 0
const repair = (from: string) => runShell(['verify', file(), '--repair-from', from])

describe('another bundle', () => {
  it('mends whatever one byte can damage, the table too', async () => {
    const next = random('repair')
    for (let round = 0; round < 60; round += 1) {
      const bytes = Uint8Array.from(small.bytes)
      const at = Math.floor(next() * bytes.length)
      flip(bytes, at)
      writeFileSync(file(), bytes)
      const { code, stderr } = await repair(small.file)
      if (code !== 0) {
        // The first header, or the place where the list of digests stands: nothing is left to know the bundle by.
        expect(at, stderr).toBeLessThan(512)
        expect(code).toBe(5)
        continue
      }
      expect(whole(), `byte ${at}: ${stderr}`).toBe(true)
      expect(stderr).toMatch(/^repaired .+ at byte \d+$/m)
    }
  })

  it('mends many places at once, and what was added behind the end', async () => {
    const bytes = Uint8Array.from(small.bytes)
    for (const blob of small.images['team/two:2']?.blobs.values() ?? []) flip(bytes, offsetOf(blob) + 3)
    writeFileSync(file(), Buffer.concat([bytes, Buffer.from('more')]))
    expect((await repair(small.file)).code).toBe(0)
    expect(whole()).toBe(true)
  })

  it('is not taken for the table of another list', async () => {
    const other = await makeSmallBundle()
    try {
      const bytes = Uint8Array.from(small.bytes)
      flip(bytes, 600)
      writeFileSync(file(), bytes)
      const { code, stderr } = await repair(other.file)
      expect(code).toBe(5)
      expect(stderr).toContain('bundle.json')
      expect(Buffer.compare(readFileSync(file()), bytes)).toBe(0)
      // What both lists share is mended all the same.
      const again = Uint8Array.from(small.bytes)
      const [layer = new Uint8Array()] = [...(small.images['team/two:2']?.blobs.values() ?? [])].slice(-1)
      flip(again, offsetOf(layer))
      writeFileSync(file(), again)
      expect((await repair(other.file)).code).toBe(0)
      expect(whole()).toBe(true)
    } finally {
      await other.remove()
    }
  })

  it('that is damaged at the same place does not mend', async () => {
    const bytes = Uint8Array.from(small.bytes)
    const at = offsetOf(small.images['team/two:2']?.raw ?? new Uint8Array())
    flip(bytes, at + 1)
    writeFileSync(file(), bytes)
    const copy = join(folder, 'copy.tar')
    writeFileSync(copy, bytes)
    const { code, stdout } = await repair(copy)
    expect(code).toBe(5)
    expect(stdout).toContain(`at byte ${at}`)
  })
})

describe.each([
  ['the registry it was imported into', () => registry.host],
  ['the registries it came from', () => 'sources'],
])('%s', (_, from) => {
  it('mends manifests, configs and layers, and fetches nothing else', async () => {
    const bytes = Uint8Array.from(small.bytes)
    const two = small.images['team/two:2']
    const child = small.images['team/one:1']?.children[0]
    const [config, layer] = [...(two?.blobs.values() ?? [])].slice(0, 2)
    for (const content of [two?.raw, child?.raw, config, layer])
      flip(bytes, offsetOf(content ?? new Uint8Array()) + 1)
    writeFileSync(file(), bytes)
    const before = small.source.requests.length
    const { code, stderr } = await repair(from())
    expect(stderr).not.toContain('bug')
    expect(code).toBe(0)
    expect(whole()).toBe(true)
    const asked = small.source.requests
      .slice(before)
      .filter((request) => /^GET .*\/(?:blobs|manifests)\//.test(request))
    expect(asked.length).toBe(from() === 'sources' ? 4 : 0)
  })

  it('leaves a chart to its second copy within the bundle', async () => {
    const bytes = Uint8Array.from(small.bytes)
    const chart = Buffer.from(small.bytes).indexOf(Buffer.from('charts/web-1.2.3.tgz\0'))
    flip(bytes, chart + 512 + 20)
    writeFileSync(file(), bytes)
    expect((await repair(from())).code).toBe(0)
    expect(whole()).toBe(true)
  })

  it('cannot mend the table, and says what can', async () => {
    const bytes = Uint8Array.from(small.bytes)
    flip(bytes, 600)
    writeFileSync(file(), bytes)
    const { code, stderr } = await repair(from())
    expect(code).toBe(5)
    expect(stderr).toContain('name another copy of the same bundle')
    expect(Buffer.compare(readFileSync(file()), bytes)).toBe(0)
  })
})

it('a bundle of which only the beginning is left is not written to', async () => {
  const bytes = Buffer.from(small.bytes)
  writeFileSync(file(), bytes.subarray(0, 1024))
  const { code } = await repair(small.file)
  expect(code).toBe(5)
  expect(readFileSync(file())).toHaveLength(1024)
})
