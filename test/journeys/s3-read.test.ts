import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startEcr } from '../support/ecr/server.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { startS3, type S3Double } from '../support/s3/server.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

const MIB = 2 ** 20
const LAYERS = 6
const OBJECT = 's3://bundles/exports/bundle.tar'

let folder: string
let source: EmbeddedSource
let s3: S3Double
let bytes: Uint8Array
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 's3-read-'))
  const layers = Array.from({ length: LAYERS }, (_, seed) => layerOf({ own: noise(3 * MIB, seed + 1) }))
  const images = {
    'team/one:1': buildImage(layers.slice(0, 4)),
    'team/two:2': buildImage(layers.slice(2)),
  }
  source = await startSource({ images })
  writeFileSync(at('spec.yaml'), `images: [${source.host}/team/one:1, ${source.host}/team/two:2]\n`)
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
  execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
  const exported = await runShell([
    'export',
    at('bundle.tar'),
    '--spec',
    at('spec.yaml'),
    '--sign',
    at('key.pem'),
    '--quiet',
  ])
  expect(exported).toMatchObject({ code: 0, stderr: '' })
  bytes = new Uint8Array(readFileSync(at('bundle.tar')))
  // More than the 8 MiB that opening reads: else nothing else would ever be asked for.
  expect(bytes.length).toBeGreaterThan(17 * MIB)
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  s3 = await startS3()
  s3.put('bundles', 'exports/bundle.tar', bytes)
  s3.put('bundles', 'exports/bundle.tar.sig', new Uint8Array(readFileSync(at('bundle.tar.sig'))))
})
afterEach(async () => {
  await s3.stop()
  expect(s3.errors).toEqual([])
})

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
  runShell(args, { env: { ...s3.environment, XDG_STATE_HOME: folder, ...env } })

/** What a command prints of the file, and of the object. */
async function both(command: string, ...more: readonly string[]): Promise<readonly [Outcome, Outcome]> {
  const file = await run([command, at('bundle.tar'), ...more])
  const object = await run([command, OBJECT, ...more])
  expect(object.stderr).toBe(file.stderr)
  expect(file.code).toBe(0)
  return [file, object]
}

describe('a bundle in S3 is as good as a file', () => {
  test('inspect needs one request for what it lists, one for the end, and one to see whether there is a signature', async () => {
    const [file, object] = await both('inspect')
    expect(object.stdout).toBe(file.stdout)
    expect(s3.log.map(({ key }) => key)).toEqual([
      'exports/bundle.tar',
      'exports/bundle.tar',
      'exports/bundle.tar.sig',
    ])
  })

  test('verify reads every byte, several layers at a time, and none twice', async () => {
    await s3.stop()
    s3 = await startS3({ latencyMs: 30 })
    s3.put('bundles', 'exports/bundle.tar', bytes)
    const [file, object] = await both('verify', '--quiet')
    expect(object.stdout).toBe(file.stdout)
    expect(s3.atOnce('GetObject')).toBeGreaterThan(1)
    const beyond = s3.log.filter(({ range }) => !range.startsWith('bytes=0-'))
    // One a layer that does not lie in the first 8 MiB.
    expect(beyond.length).toBeLessThanOrEqual(LAYERS - 2)
    const sent = s3.log.reduce((sum, { responseBytes }) => sum + responseBytes, 0)
    expect(sent).toBeLessThan(bytes.length + LAYERS * 1024)
  })

  test('verify names what is damaged', async () => {
    const bad = Uint8Array.from(bytes)
    const spot = bytes.length - 2 * MIB
    bad[spot] = (bad[spot] ?? 0) ^ 1
    s3.put('bundles', 'exports/bundle.tar', bad)
    const { code, stdout, stderr } = await run(['verify', OBJECT])
    expect(code).toBe(5)
    expect(stdout + stderr).toMatch(/blobs\/sha256\/[0-9a-f]{64}/)
  })

  test('the signature beside it is found, and its absence is an error', async () => {
    const key = ['--verify-key', at('pub.pem')]
    expect(await run(['verify', OBJECT, ...key])).toMatchObject({ code: 0 })
    s3.bucket('bundles').objects.delete('exports/bundle.tar.sig')
    const { code, stderr } = await run(['verify', OBJECT, ...key])
    expect({ code, stderr }).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('no signature next to it') as string,
    })
    const elsewhere = await run(['verify', OBJECT, ...key, '--signature', at('bundle.tar.sig')])
    expect(elsewhere.code).toBe(0)
  })

  test('sign writes the signature beside it', async () => {
    s3.bucket('bundles').objects.delete('exports/bundle.tar.sig')
    expect(await run(['sign', OBJECT, '--key', at('key.pem')])).toMatchObject({ code: 0 })
    expect(await run(['verify', OBJECT, '--verify-key', at('pub.pem')])).toMatchObject({ code: 0 })
  })

  test('import pushes the same as from the file, and reads each layer with one request a repository', async () => {
    const tags = async (bundle: string) => {
      const ecr = await startEcr({ tls: false, quotas: 'none' })
      const { code, stderr } = await run(
        [
          'import',
          bundle,
          '--registry',
          ecr.registry,
          '--endpoint-url',
          ecr.endpoint,
          '--region',
          ecr.region,
          '--values',
          at('values.yaml'),
        ],
        { ...ecr.environment, ...s3.environment },
      )
      const found = ecr.tags()
      await ecr.stop()
      expect({ code, stderr }).toMatchObject({ code: 0 })
      return found
    }
    expect(await tags(OBJECT)).toEqual(await tags(at('bundle.tar')))
    expect(s3.count('GetObject')).toBeLessThanOrEqual(1 + 4 + 4)
  })

  test('extract, diff, --reuse and --since read it too', async () => {
    await both('report', '--output', at('report'))
    expect(await run(['diff', OBJECT, at('bundle.tar')])).toMatchObject({ code: 0 })
    const extracted = await run(['extract', OBJECT, `${source.host}/team/one:1`, '--output', at('out')])
    expect(extracted).toMatchObject({ code: 0 })
    const before = source.requests.length
    expect(
      await run(['export', at('again.tar'), '--spec', at('spec.yaml'), '--reuse', OBJECT, '--quiet']),
    ).toMatchObject({ code: 0 })
    expect(source.requests.slice(before).filter((line) => line.includes('/blobs/'))).toHaveLength(2)
    expect(Buffer.compare(readFileSync(at('again.tar')), bytes)).toBe(0)
    expect(
      await run(['export', at('delta.tar'), '--spec', at('spec.yaml'), '--since', OBJECT, '--quiet']),
    ).toMatchObject({ code: 0 })
    expect(readFileSync(at('delta.tar')).length).toBeLessThan(MIB)
  })

  test('an object in S3 is not mended in place', async () => {
    const { code, stderr } = await run(['verify', OBJECT, '--repair-from', at('bundle.tar')])
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot be repaired in place') as string,
    })
  })
})

describe('what is wrong is said in words', () => {
  test.each([
    ['s3://bundles', 2, 'it names a folder, not an object'],
    ['s3:///x', 2, 'it names no bucket'],
    ['s3://bundles/a/../b', 2, 'its key has a part "." or ".."'],
    ['s3://nowhere/x.tar', 2, 'there is no bucket "nowhere"'],
    ['s3://bundles/x.tar', 2, 'no such object'],
  ])('%s', async (name, code, words) => {
    const outcome = await run(['inspect', name])
    expect(outcome).toMatchObject({ code, stderr: expect.stringContaining(words) as string })
    expect(outcome.stderr).not.toMatch(/\n\s+at /)
  })

  test('no credentials anywhere', async () => {
    const { code, stderr } = await runShell(['inspect', OBJECT], {
      env: {
        AWS_ENDPOINT_URL_S3: s3.endpoint,
        AWS_REGION: 'eu-central-1',
        AWS_PROFILE: 'no-such-profile',
        HOME: folder,
      },
    })
    expect(code).toBe(3)
    expect(stderr).toContain('no usable AWS credentials')
  })
})
