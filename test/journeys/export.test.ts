import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'

let folder: string
let registry: DockerRegistry
let mirror: DockerRegistry
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'export-'))
  ;[registry, mirror] = await Promise.all([startDockerRegistry(), startDockerRegistry()])
})
afterEach(async () => {
  await Promise.all([registry.stop(), mirror.stop()])
  rmSync(folder, { recursive: true })
})

const at = (name: string): string => join(folder, name)
const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([layerOf({ file: noise(20_000, seed) })], { platform })
const push = (name: string, built: BuiltImage, to = registry): Promise<void> => {
  const [repository = '', tag] = name.split(':')
  return pushImage(`http://${to.host}`, repository, tag, built)
}

/** Exports the images into `out.tar`. */
function exportImages(names: readonly string[], ...flags: readonly string[]): Promise<Outcome> {
  writeFileSync(at('spec.yaml'), `images:\n${names.map((name) => `  - ${registry.host}/${name}\n`).join('')}`)
  return runShell(['export', at('out.tar'), '--spec', at('spec.yaml'), ...flags])
}

const inTar = (path: string): string => execFileSync('tar', ['xOf', at('out.tar'), path]).toString()
const blobs = (): readonly string[] =>
  execFileSync('tar', ['tf', at('out.tar')])
    .toString()
    .split('\n')
    .flatMap((path) =>
      path.startsWith('blobs/sha256/') ? [`sha256:${path.slice('blobs/sha256/'.length)}`] : [],
    )
const resultOf = ({ json }: Outcome) =>
  json.find(({ type }) => type === 'result')?.['result'] as Record<string, unknown>

describe('platforms', () => {
  const index = buildIndex([image(1), image(2, 'linux/arm64'), image(3, 'linux/s390x')])

  it('keeps those of EKS, with a new index that says what it was', async () => {
    await push('a/multi:1', index)
    expect(await exportImages(['a/multi:1'])).toMatchObject({ code: 0 })
    expect(blobs()).toContain(index.children[0]?.digest)
    expect(blobs()).not.toContain(index.children[2]?.digest)
    expect(blobs()).not.toContain(index.digest)
    expect(JSON.parse(inTar('bundle.json'))).toMatchObject({
      roots: [
        {
          name: `${registry.host}/a/multi:1`,
          original: index.digest,
          platforms: ['linux/amd64', 'linux/arm64'],
        },
      ],
    })
  })

  it('keeps all of them byte for byte when told so, or when the reference pins a digest', async () => {
    await push('a/multi:1', index)
    expect(await exportImages(['a/multi:1'], '--platform', 'all')).toMatchObject({ code: 0 })
    expect(blobs()).toContain(index.digest)
    rmSync(at('out.tar'))
    expect(await exportImages([`a/multi@${index.digest}`])).toMatchObject({ code: 0 })
    expect(blobs()).toContain(index.digest)
    expect(blobs()).toContain(index.children[2]?.digest)
  })

  it('refuses an image that lacks one, unless that is allowed', async () => {
    await push('a/few:1', buildIndex([image(1)]))
    const refused = await exportImages(['a/few:1'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('no image for linux/arm64; it comes for linux/amd64')
    expect(refused.stderr).toContain('--allow-missing-platform')
    expect(existsSync(at('out.tar'))).toBe(false)
    expect(await exportImages(['a/few:1'], '--allow-missing-platform')).toMatchObject({ code: 0 })
  })

  it('takes a lone manifest that fits one of the default platforms, and refuses it for a named one', async () => {
    await push('a/lone:1', image(1))
    const taken = await exportImages(['a/lone:1'])
    expect(taken.code).toBe(0)
    expect(taken.stderr).toContain('no image for linux/arm64')
    expect((await exportImages(['a/lone:1'], '--platform', 'linux/arm64')).code).toBe(1)
  })
})

describe('mirrors', () => {
  it('are asked first, and the origin serves what they lack', async () => {
    await push('a/one:1', image(1))
    await push('cache/a/one:1', image(1), mirror)
    await push('a/two:1', image(2))
    const outcome = await exportImages(
      ['a/one:1', 'a/two:1'],
      '--mirror',
      `${registry.host}=${mirror.host}/cache`,
      '--json',
    )
    expect(outcome.code).toBe(0)
    expect(resultOf(outcome)['roots']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: `${registry.host}/a/one:1`, from: `${mirror.host}/cache/a/one` }),
        expect.not.objectContaining({ from: expect.anything() }),
      ]),
    )
    expect(JSON.parse(inTar('bundle.json'))).toMatchObject({
      roots: [{ name: `${registry.host}/a/one:1` }, {}],
    })
  })

  it('cannot change content that is pinned by digest', async () => {
    await push('a/one:1', image(1))
    await push('a/one:1', image(99), mirror)
    const pinned = `a/one@${image(1).digest}`
    const outcome = await exportImages([pinned], '--mirror', `${registry.host}=${mirror.host}`)
    expect(outcome.code).toBe(0)
    expect(blobs()).toContain(image(1).digest)
    expect(blobs()).not.toContain(image(99).digest)
  })

  it('make no difference to the bytes of the bundle', async () => {
    await push('a/one:1', image(1))
    await push('a/one:1', image(1), mirror)
    await exportImages(['a/one:1'])
    const straight = digestOf(readFileSync(at('out.tar')))
    await exportImages(['a/one:1'], '--mirror', `${registry.host}=${mirror.host}`, '--concurrency', '1')
    expect(digestOf(readFileSync(at('out.tar')))).toBe(straight)
  })
})

describe('the lock', () => {
  it('is written next to the bundle and into it, and is replayed to the same bytes', async () => {
    await push('a/one:1', buildIndex([image(1), image(2, 'linux/arm64'), image(3, 'linux/s390x')]))
    await exportImages(['a/one:1'])
    const first = readFileSync(at('out.tar'))
    expect(readFileSync(at('out.tar.lock.json'), 'utf8')).toBe(inTar('lock.json'))
    writeFileSync(at('kept.json'), readFileSync(at('out.tar.lock.json')))
    expect(await exportImages(['a/one:1'], '--lock', at('kept.json'))).toMatchObject({ code: 0 })
    expect(readFileSync(at('out.tar')).equals(first)).toBe(true)
  })

  it('refuses a tag that has moved, and shows old and new', async () => {
    await push('a/one:1', image(1))
    expect(await runLock(['a/one:1'])).toMatchObject({ code: 0 })
    await push('a/one:1', image(2))
    const { code, stderr } = await exportImages(['a/one:1'], '--lock', at('lock.json'))
    expect(code).toBe(5)
    expect(stderr).toContain(image(1).digest)
    expect(stderr).toContain(image(2).digest)
    expect(existsSync(at('out.tar'))).toBe(false)
    const refreshed = await runLock(['a/one:1'])
    expect(refreshed.stdout).toContain(`${image(1).digest} → ${image(2).digest}`)
    expect(await exportImages(['a/one:1'], '--lock', at('lock.json'))).toMatchObject({ code: 0 })
  })

  it('refuses what it does not know', async () => {
    await push('a/one:1', image(1))
    await push('a/two:1', image(2))
    await runLock(['a/one:1'])
    const { code, stderr } = await exportImages(['a/one:1', 'a/two:1'], '--lock', at('lock.json'))
    expect(code).toBe(5)
    expect(stderr).toContain('a/two:1')
  })

  const runLock = async (names: readonly string[]): Promise<Outcome> => {
    writeFileSync(
      at('spec.yaml'),
      `images:\n${names.map((name) => `  - ${registry.host}/${name}\n`).join('')}`,
    )
    return runShell(['lock', at('lock.json'), '--spec', at('spec.yaml')])
  }
})

describe('referrers', () => {
  const subject = image(1)
  const signature = (of: BuiltImage): BuiltImage => {
    const about = { mediaType: of.mediaType, digest: of.digest, size: of.raw.length }
    const built = buildImage([layerOf({ signature: of.digest })])
    const raw = new TextEncoder().encode(
      JSON.stringify({
        ...JSON.parse(new TextDecoder().decode(built.raw)),
        artifactType: 'application/x.sig',
        subject: about,
      }),
    )
    return { ...built, raw, digest: digestOf(raw) }
  }

  it('come along, by cosign’s tag and by subject, and are listed again where they land', async () => {
    const signed = signature(subject)
    await push('a/one:1', subject)
    await push(`a/one:sha256-${subject.digest.slice(7)}.sig`, image(50))
    // Debian's registry has no referrers API, so the tag that stands in for it is kept by hand, as oras does.
    await pushImage(`http://${registry.host}`, 'a/one', undefined, signed)
    await push(`a/one:sha256-${subject.digest.slice(7)}`, buildIndex([{ ...signed, children: [] }]))
    expect(await exportImages(['a/one:1'], '--referrers')).toMatchObject({ code: 0 })
    expect(blobs()).toEqual(expect.arrayContaining([subject.digest, image(50).digest, signed.digest]))

    const values = at('values.yaml')
    const imported = await runShell(['import', at('out.tar'), '--registry', mirror.host, '--values', values])
    expect(imported.code).toBe(0)
    const get = (reference: string) =>
      fetch(`${base}/${reference}`, { headers: { accept: `${OCI_MANIFEST}, ${OCI_INDEX}` } })
    const base = `http://${mirror.host}/v2/mirrored/${registry.host.replace(':', '-')}/a/one/manifests`
    expect((await get(`sha256-${subject.digest.slice(7)}.sig`)).status).toBe(200)
    const list = await get(`sha256-${subject.digest.slice(7)}`)
    expect(await list.json()).toMatchObject({
      manifests: [{ digest: signed.digest, artifactType: 'application/x.sig' }],
    })
    const again = await runShell([
      'import',
      at('out.tar'),
      '--registry',
      mirror.host,
      '--values',
      values,
      '--json',
    ])
    expect(resultOf(again)['roots']).toEqual([
      expect.objectContaining({ outcome: 'unchanged' }),
      expect.objectContaining({ outcome: 'unchanged' }),
      expect.objectContaining({ outcome: 'unchanged' }),
    ])
  })
})

describe('a dry run', () => {
  it('tells sizes and time, and writes nothing', async () => {
    await push('a/one:1', image(1))
    const outcome = await exportImages(['a/one:1'], '--dry-run', '--json', '--rate', '1KiB')
    expect(outcome.code).toBe(0)
    expect(resultOf(outcome)).toMatchObject({
      dryRun: true,
      seconds: expect.any(Number),
      roots: [{ kind: 'image' }],
    })
    expect(readdirSync(folder)).toEqual(['spec.yaml'])
  })
})

describe('files', () => {
  it('are fetched, pinned and checked', async () => {
    const content = noise(100_000, 5)
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response(new Uint8Array(content)),
    })
    try {
      const spec = (sha256: string) => `
apiVersion: ma-bundle/v1
kind: BundleSpec
name: files
version: "1"
groups:
  - name: all
    files:
      - { name: dash.json, url: "http://127.0.0.1:${server.port}/dash.json", sha256: "${sha256}" }
`
      writeFileSync(at('spec.yaml'), spec(digestOf(content).slice(7)))
      const right = await runShell(['export', at('out.tar'), '--spec', at('spec.yaml')])
      expect(right.stderr).not.toContain('error')
      expect(right).toMatchObject({ code: 0 })
      expect(execFileSync('tar', ['xOf', at('out.tar'), 'files/dash.json']).equals(content)).toBe(true)
      writeFileSync(at('spec.yaml'), spec('0'.repeat(64)))
      const wrong = await runShell(['export', at('wrong.tar'), '--spec', at('spec.yaml')])
      expect(wrong.code).toBe(5)
      expect(existsSync(at('wrong.tar'))).toBe(false)
    } finally {
      await server.stop(true)
    }
  })
})
