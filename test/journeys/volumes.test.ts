import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr } from '../support/ecr/server.ts'
import { mountSmall, type Mounted } from '../support/mount.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { LIST, makeVolumeSet, SPLIT, type VolumeSet } from '../support/volume-set.ts'

let set: VolumeSet
let other: VolumeSet
let whole: Buffer
beforeAll(async () => {
  ;[set, other] = await Promise.all([makeVolumeSet(), makeVolumeSet(2)])
  whole = readFileSync(set.whole)
})
afterAll(() => Promise.all([set.remove(), other.remove()]))

let mounts: Mounted[] = []
afterEach(async () => {
  for (const mount of mounts) await mount.unmount()
  mounts = []
  for (const name of ['a', 'b', 'c']) rmSync(at(name), { recursive: true, force: true })
})

const at = (...path: readonly string[]): string => join(set.folder, ...path)
/** Volumes by number. */
const numbered = (...numbers: readonly number[]): readonly string[] =>
  numbers.map((number) => set.names[number - 1] ?? '')
const all = (): readonly number[] => set.names.map((_, index) => index + 1)
const except = (...numbers: readonly number[]): readonly string[] =>
  numbered(...all().filter((number) => !numbers.includes(number)))
const verify = (path: string, ...flags: readonly string[]): Promise<Outcome> =>
  runShell(['verify', path, ...flags])
const resultOf = ({ json }: Outcome) =>
  json.find(({ type }) => type === 'result')?.['result'] as Record<string, unknown>
const flip = (path: string, offset: number): void => {
  const bytes = readFileSync(path)
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x55
  writeFileSync(path, bytes)
}

/** A medium of its own, as a stick is. */
async function stick(name: string, names: readonly string[]): Promise<string> {
  mkdirSync(at(name), { recursive: true })
  mounts.push(await mountSmall(at(name), 8 * 1024 * 1024))
  return set.copy(name, names)
}

describe('volumes', () => {
  it('are read from several media, whichever of them is named and in whichever order they are found', async () => {
    const last = set.names.length
    const [a, b, c] = [
      await stick('a', numbered(last, 2)),
      await stick('b', [...numbered(1, 4), LIST]),
      await stick('c', except(1, 2, 4, last)),
    ]
    const expected = await runShell(['inspect', set.whole, '--json'])
    for (const named of [
      join(a, 'bundle.tar.002'),
      join(b, 'bundle.tar'),
      join(b, LIST),
      join(c, 'bundle.tar'),
    ]) {
      const folders = [a, b, c].flatMap((folder) => ['--volumes', folder])
      const found = await runShell(['inspect', named, ...folders, '--json'])
      expect(found.code, found.stderr).toBe(0)
      expect(resultOf(found)).toMatchObject({
        roots: resultOf(expected)['roots'],
        size: whole.length,
      })
    }
    const env = { MA_BUNDLE_VOLUMES: `${b} ${c}` }
    expect(await runShell(['verify', join(a, 'bundle.tar'), '-q'], { env })).toMatchObject({
      code: 0,
      stderr: '',
    })
  })

  it('are known by their numbers when there is no list', async () => {
    const folder = set.copy('a', except())
    expect((await verify(join(folder, 'bundle.tar'))).code).toBe(0)
    rmSync(join(folder, 'bundle.tar.003'))
    const gap = await verify(join(folder, 'bundle.tar'))
    expect(gap.code).toBe(1)
    expect(gap.stderr).toContain('bundle.tar.003 is missing')
    const last = set.names.at(-1) ?? ''
    rmSync(join(folder, last))
    expect((await verify(join(folder, 'bundle.tar'))).stderr).toContain(
      `bundle.tar.003 and ${last} are missing`,
    )
    rmSync(join(folder, 'bundle.tar.001'))
    const headless = await verify(join(folder, 'bundle.tar'))
    expect(headless.code).toBe(2)
    expect(headless.stderr).toContain('bundle.tar.001 is missing, and so is the list of the volumes')
  })

  it('may be there twice when they are the same; what differs is named and not read', async () => {
    const folder = set.copy('a', [...except(), LIST])
    const copies = set.copy('b', numbered(2))
    expect((await verify(join(folder, 'bundle.tar'), '--volumes', copies)).stderr).not.toContain('warning')
    copyFileSync(join(other.set, 'bundle.tar.002'), join(copies, 'bundle.tar.002'))
    for (const [first, second] of [
      [folder, copies],
      [copies, folder],
    ] as const) {
      const doubled = await verify(join(first, 'bundle.tar'), '--volumes', second)
      expect(doubled.stderr).toContain('bundle.tar.002 exists twice with different content')
      expect(doubled.code).toBe(0)
    }
    rmSync(join(folder, LIST))
    const unlisted = await verify(join(folder, 'bundle.tar'), '--volumes', copies)
    expect(unlisted.code).toBe(5)
    expect(unlisted.stderr).toContain('no list of the volumes shows which is right')
  })

  it('of another bundle are named, also when only the first is', async () => {
    const folder = set.copy('a', [...except(), LIST])
    for (const number of [1, 3, set.names.length]) {
      const name = set.names[number - 1] ?? ''
      copyFileSync(join(other.set, name), join(folder, name))
      const outcome = await verify(join(folder, 'bundle.tar'))
      expect(outcome.code).toBe(5)
      expect(outcome.stderr).toMatch(
        new RegExp(`${name.replaceAll('.', '\\.')} is (cut off, or )?of another bundle`),
      )
      expect(outcome.stderr).not.toContain(set.folder)
      copyFileSync(join(set.set, name), join(folder, name))
    }
    writeFileSync(join(folder, 'bundle.tar.099'), 'stray')
    const stray = await verify(join(folder, 'bundle.tar'))
    expect(stray.code).toBe(0)
    expect(stray.stderr).toContain('bundle.tar.099 is no volume of this bundle')
  })

  it('that are cut off are named with both sizes', async () => {
    const folder = set.copy('a', [...except(), LIST])
    truncateSync(join(folder, 'bundle.tar.002'), 1000)
    for (const name of ['bundle.tar', LIST]) {
      const outcome = await verify(join(folder, name))
      expect(outcome.code).toBe(5)
      expect(outcome.stderr).toContain(`it has 1000 bytes, and ${SPLIT} are listed`)
    }
    rmSync(join(folder, LIST))
    expect((await verify(join(folder, 'bundle.tar'))).stderr).toContain('bundle.tar.002 is cut off')
    copyFileSync(join(set.set, 'bundle.tar.002'), join(folder, 'bundle.tar.002'))
    truncateSync(join(folder, 'bundle.tar.001'), 100)
    expect((await verify(join(folder, 'bundle.tar'))).stderr).toContain('bundle.tar.001 is cut off')
    truncateSync(join(folder, 'bundle.tar.001'), 0)
    expect((await verify(join(folder, 'bundle.tar'))).stderr).toContain('bundle.tar.001 is cut off')
  })

  it('that are damaged are named with the entry, by the one volume that is wrong where it reaches over several', async () => {
    const folder = set.copy('a', [...except(), LIST])
    const [layer = new Uint8Array()] = [...(set.images['team/three:3']?.blobs.values() ?? [])].toSorted(
      (a, b) => b.length - a.length,
    )
    const start = whole.indexOf(Buffer.from(layer))
    const middle = start + Math.floor(layer.length / 2)
    const name = set.names[Math.floor(middle / SPLIT)] ?? ''
    flip(join(folder, name), middle % SPLIT)
    const outcome = await verify(join(folder, 'bundle.tar'))
    expect(outcome.code).toBe(5)
    expect(outcome.stdout).toMatch(
      new RegExp(`^blobs/sha256/[0-9a-f]{64} at byte ${start}, in ${name.replaceAll('.', '\\.')}: `, 'm'),
    )
    expect(outcome.stderr).toContain('--only-volume')
    for (const each of set.names) expect((await verify(join(folder, each))).code).toBe(each === name ? 5 : 0)
  })

  it('are checked alone, without any of the others', async () => {
    const folder = set.copy('a', [...numbered(3), LIST])
    const right = await verify(join(folder, 'bundle.tar.003'))
    expect(right.code).toBe(0)
    expect(right.stdout).toBe(
      `bundle.tar.003 is complete and undamaged: volume 3 of ${set.names.length}, 256 KiB\n`,
    )
    flip(join(folder, 'bundle.tar.003'), 100_000)
    const wrong = await verify(join(folder, 'bundle.tar.003'))
    expect(wrong.code).toBe(5)
    expect(wrong.stderr).toContain('bundle.tar.003')
    rmSync(join(folder, LIST))
    const unlisted = await verify(join(folder, 'bundle.tar.003'))
    expect(unlisted.code).toBe(2)
    expect(unlisted.stderr).toContain(`${LIST} is not there`)
    expect((await verify(join(folder, 'bundle.tar.004'))).stderr).toContain('no such file')
  })

  it('with a list that is damaged are not taken for anything', async () => {
    const folder = set.copy('a', [...except(), LIST])
    const text = readFileSync(join(folder, LIST), 'utf8')
    for (const broken of ['', '{}', text.slice(0, 400), text.replace('"size":', '"size":1')]) {
      writeFileSync(join(folder, LIST), broken)
      const outcome = await verify(join(folder, 'bundle.tar'))
      expect(outcome.code).toBe(5)
      expect(outcome.stderr).toContain('the list of the volumes cannot be used')
    }
    expect((await verify(join(folder, 'bundle.tar'), '--volumes', at('none'))).code).toBe(2)
  })
})

describe('verify --repair-from', () => {
  it('mends volumes in place, wherever each lies, until they are those of the list again', async () => {
    const folder = set.copy('a', [...except(2, 4), LIST])
    const rest = set.copy('b', numbered(2, 4))
    flip(join(folder, 'bundle.tar.003'), 1000)
    flip(join(rest, 'bundle.tar.004'), SPLIT - 1)
    flip(join(folder, 'bundle.tar.005'), 0)
    for (const from of [set.whole, 'sources', join(set.set, 'bundle.tar')]) {
      const mended = await verify(join(folder, 'bundle.tar'), '--volumes', rest, '--repair-from', from)
      expect(mended.code, mended.stderr).toBe(0)
      expect(mended.stderr).toMatch(/^repaired blobs/m)
      for (const number of all()) {
        const name = set.names[number - 1] ?? ''
        const bytes = readFileSync(join([2, 4].includes(number) ? rest : folder, name))
        expect(bytes.equals(readFileSync(join(set.set, name))), name).toBe(true)
      }
      flip(join(folder, 'bundle.tar.003'), 1000)
    }
  })

  it('does not make a volume that is missing: it says which, and how that is made', async () => {
    const folder = set.copy('a', [...except(3), LIST])
    const outcome = await verify(join(folder, 'bundle.tar'), '--repair-from', set.whole)
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('bundle.tar.003 is missing')
  })
})

describe('every command', () => {
  it('takes volumes where it takes a bundle', async () => {
    const folder = set.copy('a', [...except(2), LIST])
    const rest = set.copy('b', numbered(2))
    const named = join(folder, 'bundle.tar.001')
    const run = (command: string, ...flags: readonly string[]): Promise<Outcome> =>
      runShell([command, named, '--volumes', rest, ...flags])
    expect((await run('extract', 'team/three:3', '--output', at('c'))).code).toBe(0)
    const same = await runShell(['diff', set.whole, named, '--volumes', rest])
    expect(same.stdout).toContain('0 added, 0 removed, 0 changed, 4 the same.')
    expect((await run('values', '--registry', 'registry.example')).code).toBe(0)
    expect((await run('report')).code).toBe(0)
    expect(readFileSync(join(folder, 'bundle.tar.report.md'), 'utf8')).toContain('team/three:3')
    const before = set.source.requests.length
    const reused = await runShell([
      'export',
      at('reused.tar'),
      '--spec',
      set.spec,
      '--reuse',
      named,
      '--volumes',
      rest,
    ])
    expect(reused.code).toBe(0)
    expect(readFileSync(at('reused.tar')).equals(whole)).toBe(true)
    const layers = [...(set.images['team/three:3']?.blobs ?? [])].filter(
      ([, bytes]) => bytes.length > 100_000,
    )
    for (const [digest] of layers)
      expect(set.source.requests.slice(before).filter((request) => request.includes(digest))).toEqual([])
    const merged = at('merged.tar')
    const args = ['--volumes', rest, '--split', '1MiB', '--json']
    const both = await runShell(['merge', named, set.whole, '--output', merged, ...args])
    expect(both.code, both.stderr).toBe(0)
    expect(resultOf(both)['volumes']).toHaveLength(3)
    expect((await runShell(['verify', merged])).code).toBe(0)
    const since = await runShell([
      'export',
      at('since.tar'),
      '--spec',
      set.spec,
      '--since',
      named,
      '--volumes',
      rest,
    ])
    expect(since.stdout).toMatch(/Left out \d+ blobs/)
  })

  it('finds the signature by the name of the bundle, with whichever volume it lies', async () => {
    const { generateKeyPairSync } = await import('node:crypto')
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    writeFileSync(at('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(at('pub.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
    const folder = set.copy('a', [...except(2), LIST])
    const rest = set.copy('b', numbered(2))
    const named = join(folder, 'bundle.tar.003')
    const signed = await runShell(['sign', named, '--volumes', rest, '--key', at('key.pem')])
    expect(signed.code, signed.stderr).toBe(0)
    expect(signed.stdout).toContain('bundle.tar.sig')
    const key = ['--volumes', rest, '--verify-key', at('pub.pem')]
    expect((await verify(named, ...key)).code).toBe(0)
    copyFileSync(join(folder, 'bundle.tar.sig'), join(rest, 'bundle.tar.sig'))
    rmSync(join(folder, 'bundle.tar.sig'))
    expect((await verify(named, ...key)).code).toBe(0)
    rmSync(join(rest, 'bundle.tar.sig'))
    const unsigned = await verify(named, ...key)
    expect(unsigned.code).toBe(5)
    expect(unsigned.stderr).toContain('bundle.tar.sig')
  })
})

describe('an import', () => {
  let registry: DockerRegistry
  beforeAll(async () => {
    registry = await startDockerRegistry()
  })
  afterAll(() => registry.stop())

  const landed = async (image: string): Promise<string | null> => {
    const [repository, tag] = image.split(':')
    const from = set.source.host.replace(':', '-')
    const response = await fetch(
      `http://${registry.host}/v2/mirrored/${from}/${repository}/manifests/${tag}`,
      {
        method: 'HEAD',
        headers: { accept: set.images[image]?.mediaType ?? '' },
      },
    )
    return response.ok ? response.headers.get('docker-content-digest') : null
  }

  it('with a volume missing brings what is there, names the volume, and is completed by a second one', async () => {
    const [layer = new Uint8Array()] = [...(set.images['team/three:3']?.blobs.values() ?? [])].toSorted(
      (a, b) => b.length - a.length,
    )
    const lacking = Math.floor((whole.indexOf(Buffer.from(layer)) + layer.length / 2) / SPLIT) + 1
    const folder = await stick('a', [...except(lacking), LIST])
    const args = ['--registry', registry.host, '--values', at('values.yaml')]
    const first = await runShell(['import', join(folder, 'bundle.tar.001'), ...args])
    expect(first.code).toBe(1)
    const name = set.names[lacking - 1] ?? ''
    expect(first.stderr).toContain(`
  ${name} is missing
`)
    expect(first.stderr).toContain('--volumes <folder>')
    expect(await landed('team/three:3')).toBeNull()
    expect(await landed('team/four:4')).toBe(set.images['team/four:4']?.digest)

    const rest = await stick('b', numbered(lacking))
    const second = await runShell([
      'import',
      join(folder, 'bundle.tar.001'),
      '--volumes',
      rest,
      ...args,
      '--json',
    ])
    expect(second.code, second.stderr).toBe(0)
    for (const [image, { digest }] of Object.entries(set.images)) expect(await landed(image)).toBe(digest)
    const sent = second.json.filter(({ type, outcome }) => type === 'transferred' && outcome === 'copied')
    const before = await runShell(['import', join(set.set, 'bundle.tar'), ...args, '--json'])
    expect(before.json.filter(({ type }) => type === 'transferred')).toEqual([])
    // Of all blobs only those that touch the missing volume were left to send.
    expect(sent.length).toBeLessThan(
      new Set(Object.values(set.images).flatMap(({ blobs }) => [...blobs.keys()])).size,
    )
  })

  it('is completed by media that are swapped, neighbours at a time, while the first volume stays', async () => {
    const fresh = await startDockerRegistry()
    try {
      const first = set.copy('a', [...numbered(1), LIST])
      const args = ['--registry', fresh.host, '--values', at('v.yaml'), '--volumes', first]
      const codes: number[] = []
      let said = ''
      // The largest layers reach over five volumes.
      for (let number = 2; number + 4 <= set.names.length; number += 1) {
        rmSync(at('b'), { recursive: true, force: true })
        const stick = set.copy('b', numbered(...[0, 1, 2, 3, 4].map((next) => number + next)))
        const outcome = await runShell(['import', join(stick, 'bundle.tar'), ...args])
        codes.push(outcome.code)
        said += outcome.stderr
      }
      expect(codes[0]).toBe(1)
      expect(codes.at(-1), said).toBe(0)
      expect(said).toMatch(/where: content in bundle\.tar\.\d+ (?:to|and) bundle\.tar\.\d+, needed at once/)
      const checked = await verify(join(set.set, 'bundle.tar'), '--registry', fresh.host)
      expect(checked.code).toBe(0)
    } finally {
      await fresh.stop()
    }
  })

  it('into ECR goes the same way', async () => {
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    try {
      const folder = set.copy('a', [...except(5), LIST])
      const run = (...more: readonly string[]): Promise<Outcome> =>
        runShell(
          [
            'import',
            join(folder, 'bundle.tar'),
            '--registry',
            ecr.registry,
            '--region',
            ecr.region,
            '--endpoint-url',
            ecr.endpoint,
            '--values',
            at('v.yaml'),
            ...more,
          ],
          { env: { ...ecr.environment, XDG_STATE_HOME: folder } },
        )
      const first = await run()
      expect(first.code).toBe(1)
      expect(first.stderr).toContain('bundle.tar.005 is missing')
      const there = Object.keys(ecr.tags()).length
      expect(there).toBeLessThan(4)
      const second = await run('--volumes', set.copy('b', numbered(5)))
      expect(second.code, second.stderr).toBe(0)
      expect(Object.values(ecr.tags()).toSorted()).toEqual(
        Object.values(set.images)
          .map(({ digest }) => digest)
          .toSorted(),
      )
    } finally {
      await ecr.stop()
    }
  })

  it('of a damaged volume pushes nothing wrong, and names the volume', async () => {
    const fresh = await startDockerRegistry()
    try {
      const folder = set.copy('a', [...except(), LIST])
      const [layer = new Uint8Array()] = [...(set.images['team/two:2']?.blobs.values() ?? [])].toSorted(
        (a, b) => b.length - a.length,
      )
      const wrong = whole.indexOf(Buffer.from(layer)) + 5000
      const name = set.names[Math.floor(wrong / SPLIT)] ?? ''
      flip(join(folder, name), wrong % SPLIT)
      const outcome = await runShell([
        'import',
        join(folder, 'bundle.tar'),
        '--registry',
        fresh.host,
        '--values',
        at('v.yaml'),
      ])
      expect(outcome.code).toBe(5)
      expect(outcome.stderr).toContain(name)
      const tags = await fetch(
        `http://${fresh.host}/v2/mirrored/${set.source.host.replace(':', '-')}/team/two/tags/list`,
      )
      expect(tags.status).toBe(404)
    } finally {
      await fresh.stop()
    }
  })

  it('without the first volume says which one it needs', async () => {
    const folder = set.copy('a', [...except(1), LIST])
    const outcome = await runShell(['import', join(folder, 'bundle.tar.002'), '--registry', registry.host])
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('bundle.tar.001 is missing')
  })
})
