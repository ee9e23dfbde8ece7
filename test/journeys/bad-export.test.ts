import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { expectClearFailure } from '../support/clear-message.ts'
import { runCli, startCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, buildIndex, layerOf, noise } from '../support/images.ts'
import { mountReadOnly, mountSmall } from '../support/mount.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

const layer = layerOf({ data: noise(3_000_000, 1) })
const image = buildIndex(['linux/amd64', 'linux/arm64'].map((platform) => buildImage([layer], { platform })))
let folder: string
let source: EmbeddedSource
let guarded: DockerRegistry

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bad-export-'))
  source = await startSource({ images: { 'team/app:1': image } })
  guarded = await startDockerRegistry({ user: { username: 'reader', password: 'right' } })
})
afterAll(async () => {
  await Promise.all([source.stop(), guarded.stop()])
  await rm(folder, { recursive: true })
})

/** Exports these images to `<name>.tar`, and expects no file of that name. */
async function exporting(
  name: string,
  images: readonly string[],
  more: { readonly args?: readonly string[]; readonly stdin?: string; readonly bundle?: string } = {},
) {
  const { args = [], stdin = '', bundle = `${name}.tar` } = more
  await writeFile(join(folder, `${name}.yaml`), `images:\n${images.map((one) => `  - ${one}\n`).join('')}`)
  const outcome = await runCli(['export', bundle, '--spec', `${name}.yaml`, ...args], { cwd: folder, stdin })
  expect(existsSync(join(folder, bundle))).toBe(false)
  expect(existsSync(join(folder, `${bundle}.lock.json`))).toBe(false)
  return outcome
}

type Broken = (response: ServerResponse) => void

/** A source whose big layer is answered in another way. */
const brokenSource = (broken: Broken): Promise<EmbeddedSource> =>
  startSource({
    images: { 'team/app:1': image },
    intercept(request: IncomingMessage, response) {
      if (request.url?.endsWith(`/blobs/${digestOf(layer)}`) !== true) return false
      broken(response)
      return true
    },
  })

describe('export tells clearly of', () => {
  it('images and tags that are not there, all of them at once', async () => {
    const { host } = source
    const outcome = await exporting('missing', [
      `${host}/team/app:1`,
      `${host}/team/no:1`,
      `${host}/team/app:2`,
    ])
    expectClearFailure(outcome, {
      code: 1,
      says: [
        'error: 2 of 3 ',
        `failed (2): ${host} answered 404: MANIFEST_UNKNOWN: `,
        `\n  image ${host}/team/app:2\n  image ${host}/team/no:1\n`,
        'next:  check the name, the tag and the registry',
      ],
    })
  })

  it('a host where nothing listens', async () => {
    expectClearFailure(await exporting('refused', ['127.0.0.1:1/team/app:1']), {
      code: 4,
      says: ['unavailable: image 127.0.0.1:1/team/app:1', 'the connection was refused', 'check the host'],
    })
  })

  it('a host that does not exist', async () => {
    expectClearFailure(await exporting('nohost', ['registry.invalid/team/app:1']), {
      code: 4,
      says: ['registry.invalid: host name not found', 'check the spelling'],
    })
  })

  it('missing credentials', async () => {
    expectClearFailure(await exporting('anonymous', [`${guarded.host}/team/app:1`]), {
      code: 3,
      says: [`${guarded.host} answered 401`, 'UNAUTHORIZED', `docker login ${guarded.host}`],
    })
  })

  it('wrong credentials, without showing them', async () => {
    const args = ['--username', `${guarded.host}=reader`, '--password-stdin']
    const outcome = await exporting('wrong', [`${guarded.host}/team/app:1`], { args, stdin: 'hunter2' })
    expectClearFailure(outcome, { code: 3, says: [`${guarded.host} answered 401`, 'credentials'] })
    expect(outcome.stderr).not.toContain('hunter2')
    expect(outcome.stderr).not.toContain(Buffer.from('reader:hunter2').toString('base64'))
  })

  it('a layer that always breaks off', async () => {
    const broken = await brokenSource((response) => {
      response.writeHead(200, { 'content-length': layer.length })
      response.write(layer.subarray(0, 1000), () => response.destroy())
    })
    const outcome = await exporting('cut', [`${broken.host}/team/app:1`], { args: ['--quiet'] })
    await broken.stop()
    expectClearFailure(outcome, {
      code: 4,
      says: [`${broken.host}/team/app`, 'connection was cut', digestOf(layer)],
    })
  })

  it('a layer that is shorter than its manifest says', async () => {
    const broken = await brokenSource((response) => response.end(layer.subarray(0, 1000)))
    const outcome = await exporting('short', [`${broken.host}/team/app:1`])
    await broken.stop()
    expectClearFailure(outcome, {
      code: 5,
      says: [`image ${broken.host}/team/app:1`, `1000 of them instead of ${layer.length}`],
    })
  })

  it('a layer with one wrong bit, and never keeps it', async () => {
    const wrong = Buffer.from(layer)
    wrong[1000] = (wrong[1000] ?? 0) ^ 1
    const broken = await brokenSource((response) => response.end(wrong))
    const outcome = await exporting('flipped', [`${broken.host}/team/app:1`])
    await broken.stop()
    expectClearFailure(outcome, {
      code: 5,
      says: [`content of ${digestOf(layer)} is wrong: its digest is ${digestOf(wrong)}`],
    })
    const partial = await runCli(['verify', 'flipped.tar.partial'], { cwd: folder })
    expect(partial.code).toBe(5)
  })

  it('a disk without room, before anything is asked', async () => {
    const disk = join(folder, 'disk')
    await mkdir(disk)
    const mounted = await mountSmall(disk, 1024 * 1024)
    try {
      const outcome = await exporting('full', [`${source.host}/team/app:1`], { bundle: 'disk/full.tar' })
      expectClearFailure(outcome, {
        code: 1,
        says: [/not enough room: the bundle needs 3\.\d+ MiB more, 1\.00 MiB are free/, 'larger disk'],
      })
      expect(await readdir(disk)).toEqual([])
    } finally {
      await mounted.unmount()
    }
  })

  it('a folder that cannot be written to', async () => {
    const shelf = join(folder, 'shelf')
    await mkdir(shelf)
    const mounted = await mountReadOnly(shelf)
    try {
      const outcome = await exporting('readonly', [`${source.host}/team/app:1`], { bundle: 'shelf/x.tar' })
      expectClearFailure(outcome, {
        code: 2,
        says: ['cannot write the bundle: the file system is read-only'],
      })
    } finally {
      await mounted.unmount()
    }
  })

  it('a folder that is not there', async () => {
    const before = source.requests.length
    const outcome = await exporting('nowhere', [`${source.host}/team/app:1`], { bundle: 'no/where.tar' })
    expectClearFailure(outcome, { code: 2, says: ['the folder does not exist', 'where: where.tar'] })
    expect(source.requests).toHaveLength(before)
  })

  it('a folder in the place of the bundle, before anything is asked', async () => {
    await mkdir(join(folder, 'taken'))
    await writeFile(join(folder, 'ok.yaml'), `images: ["${source.host}/team/app:1"]\n`)
    const before = source.requests.length
    const outcome = await runCli(['export', 'taken', '--spec', 'ok.yaml'], { cwd: folder })
    expectClearFailure(outcome, { code: 2, says: ['it is a folder', 'where: taken'] })
    expect(source.requests).toHaveLength(before)
  })

  it('a typo in the spec, by line and column', async () => {
    const spec =
      'apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: x\nversion: 1.0.0\ngroups:\n  - name: a\n    imges: [a/b:1]\n'
    await writeFile(join(folder, 'typo.yaml'), spec)
    const outcome = await runCli(['export', 'typo.tar', '--spec', 'typo.yaml'], { cwd: folder })
    expectClearFailure(outcome, { code: 2, says: ['typo.yaml:7:5: ', '"imges"', 'did you mean images?'] })
    expect(existsSync(join(folder, 'typo.tar'))).toBe(false)
  })

  it('Ctrl-C, and leaves nothing under the final name', async () => {
    const reached = Promise.withResolvers<void>()
    const stalled = await brokenSource((response) => {
      response.writeHead(200, { 'content-length': layer.length })
      response.write(layer.subarray(0, 1000), () => reached.resolve())
    })
    await writeFile(join(folder, 'stop.yaml'), `images: ["${stalled.host}/team/app:1"]\n`)
    const child = startCli(['export', 'stop.tar', '--spec', 'stop.yaml'], { cwd: folder })
    const texts = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    await reached.promise
    child.kill('SIGINT')
    const [stdout, stderr] = await texts
    await stalled.stop()
    expectClearFailure(
      { code: await child.exited, stdout, stderr },
      { code: 130, says: ['error: stopped', 'run the same command again'] },
    )
    expect(existsSync(join(folder, 'stop.tar'))).toBe(false)
  })
})
