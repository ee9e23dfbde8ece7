import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'

let folder: string
let source: DockerRegistry
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'since-'))
  source = await startDockerRegistry()
})
afterEach(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})

const at = (name: string): string => join(folder, name)
const base = layerOf({ base: noise(300_000, 1) })
const own = (seed: number): Uint8Array => layerOf({ own: noise(50_000, seed) })
const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([base, own(seed)], { platform })
const push = (name: string, built: BuiltImage): Promise<void> => {
  const [repository = '', tag] = name.split(':')
  return pushImage(`http://${source.host}`, repository, tag, built)
}

/** Exports what the source has by these names now. */
function exportAs(file: string, names: readonly string[], ...flags: readonly string[]): Promise<Outcome> {
  writeFileSync(at('spec.yaml'), `images:\n${names.map((name) => `  - ${source.host}/${name}\n`).join('')}`)
  return runShell(['export', at(file), '--spec', at('spec.yaml'), ...flags])
}
const resultOf = ({ json }: Outcome) =>
  json.find(({ type }) => type === 'result')?.['result'] as Record<string, unknown>

const sizeOf = ({ blobs, raw }: BuiltImage): number =>
  [...blobs.values()].reduce((sum, blob) => sum + blob.length, raw.length)

describe('diff', () => {
  const one = image(2)
  const moved = image(3)
  const two = buildIndex([image(4), image(5, 'linux/arm64')])
  const twoMoved = buildIndex([image(4), image(6, 'linux/arm64')])
  const gone = image(7)
  const came = buildImage([own(8)])

  beforeEach(async () => {
    await Promise.all([push('a/one:1', one), push('a/two:1', two), push('a/gone:1', gone)])
    await exportAs('old.tar', ['a/one:1', 'a/two:1', 'a/gone:1'])
    await push('a/one:1', moved)
    await push('a/two:1', twoMoved)
    await push('a/came:1', came)
    await exportAs('new.tar', ['a/one:1', 'a/two:1', 'a/came:1'])
  })

  it('names what came, went and changed, with old and new digests', async () => {
    const { code, stdout, stderr } = await runShell(['diff', at('old.tar'), at('new.tar')])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`+ image ${source.host}/a/came:1  ${came.digest}`)
    expect(stdout).toContain(`- image ${source.host}/a/gone:1  ${gone.digest}`)
    expect(stdout).toContain(`~ image ${source.host}/a/one:1  ${one.digest} → ${moved.digest}`)
    expect(stdout).toContain(`${two.digest} → ${twoMoved.digest}  (linux/arm64)`)
    expect(stdout).toContain('1 added, 1 removed, 2 changed, 0 the same.')
  })

  it('counts the bytes that are new by digest', async () => {
    const result = resultOf(await runShell(['diff', at('old.tar'), at('new.tar'), '--json']))
    const [, arm] = twoMoved.children
    const fresh = [moved, arm, came].reduce(
      (sum, built) => sum + (built === undefined ? 0 : sizeOf(built)),
      0,
    )
    expect(result).toMatchObject({
      same: 0,
      // Two images have the base layer from the older bundle; the index of `two` is new as well.
      new: { bytes: fresh - 2 * base.length + twoMoved.raw.length, count: 3 * 3 + 1 },
      shared: { bytes: base.length + sizeOf(image(4)) - base.length, count: 4 },
    })
    const same = resultOf(await runShell(['diff', at('new.tar'), at('new.tar'), '--json']))
    expect(same).toMatchObject({ added: [], removed: [], changed: [], same: 3, new: { count: 0, bytes: 0 } })
  })

  it('takes a lock for a bundle', async () => {
    const { stdout } = await runShell(['diff', at('old.tar.lock.json'), at('new.tar')])
    expect(stdout).toContain('1 added, 1 removed, 2 changed, 0 the same.')
    // A lock knows no blobs, but what is below a manifest it knows: one platform of `two` is the same.
    expect(stdout).toContain('in 4 blobs are in both')
    const locks = await runShell(['diff', at('old.tar.lock.json'), at('new.tar.lock.json'), '--json'])
    expect(resultOf(locks)).toMatchObject({ same: 0, added: [{ name: `${source.host}/a/came:1` }] })
    expect(resultOf(locks)).not.toHaveProperty('new')
  })

  it('takes a layout of another tool', async () => {
    execFileSync('skopeo', [
      'copy',
      '--src-tls-verify=false',
      `docker://${source.host}/a/one:1`,
      `oci-archive:${at('foreign.tar')}:${source.host}/a/one:1`,
    ])
    const outcome = await runShell(['diff', at('foreign.tar'), at('new.tar'), '--json'])
    expect(resultOf(outcome)).toMatchObject({ same: 1, removed: [], changed: [] })
  })

  it('says what a file is that it cannot compare', async () => {
    writeFileSync(at('odd'), 'hello')
    const { code, stderr } = await runShell(['diff', at('odd'), at('new.tar')])
    expect(code).toBe(5)
    expect(stderr).toContain('not a bundle')
    expect((await runShell(['diff', at('none'), at('new.tar')])).code).toBe(2)
    expect(readFileSync(at('odd'), 'utf8')).toBe('hello')
  })
})
