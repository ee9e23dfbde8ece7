import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { place, type PlacedEntry } from '../../src/archive/tar.ts'
import { decodeContents } from '../../src/bundle/format/contents.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr } from '../support/ecr/server.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runShell } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

const CLI = resolve(import.meta.dirname, '../../src/cli.ts')
const MIB = 2 ** 20

/** Larger than what is held in memory whole, and shared; the others are small. */
const shared = layerOf({ base: noise(9 * MIB, 1) })
const image = (seed: number, platform: string): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(90_000 * seed, seed) })], { platform })
const images = {
  'team/one:1': buildIndex([image(2, 'linux/amd64'), image(3, 'linux/arm64')]),
  'team/two:2': image(4, 'linux/amd64'),
}
const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
const tgz = layerOf({
  'web/Chart.yaml': JSON.stringify(metadata),
  'web/values.yaml': 'image: { registry: SOURCE, repository: team/two, tag: "2" }\n',
})

let folder: string
let source: EmbeddedSource
let registry: DockerRegistry
let bundle: Uint8Array
let entries: readonly PlacedEntry[]
/** Every run goes to a place of its own in the registry. */
let runs = 0
let to: string

const at = (name: string): string => join(folder, name)
const SPEC = ['--spec', 'spec.yaml', '--no-prove']

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-pipes-'))
  source = await startSource({ images, charts: [{ name: 'web', version: '1.2.3', metadata, tgz }] })
  registry = await startDockerRegistry()
  writeFileSync(
    at('spec.yaml'),
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: piped
version: 1.0.0
groups:
  - name: all
    images: [${source.host}/team/one:1, ${source.host}/team/two:2]
    charts: [{ name: web, version: 1.2.3, repository: 'http://${source.host}/charts' }]
    files: [{ name: index.yaml, url: 'http://${source.host}/charts/index.yaml' }]
`,
  )
  const { code } = await piped(`mb export bundle.tar ${SPEC.join(' ')} --quiet`)
  expect(code).toBe('0')
  bundle = readFileSync(at('bundle.tar'))
  const size = bundle.indexOf(0, 512) < 0 ? 0 : headSize(bundle)
  const head = bundle.subarray(512, 512 + size)
  entries = place([{ path: 'bundle.json', size }, ...decodeContents(head).entries]).entries
})
afterAll(async () => {
  await Promise.all([source.stop(), registry.stop()])
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  runs += 1
  to = `${registry.host}/run${runs}`
})

const headSize = (tar: Uint8Array): number =>
  Number.parseInt(new TextDecoder().decode(tar.subarray(124, 135)), 8)

interface Piped {
  /** Exit codes of the programs of the pipe, with spaces between. */
  readonly code: string
  readonly stdout: string
  readonly stderr: string
}

/** Runs a line of bash, in which `mb` is the program: real processes and real pipes. */
async function piped(line: string, env: Readonly<Record<string, string>> = {}): Promise<Piped> {
  const child = start(line, env)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr?.on('data', (chunk) => (stderr += String(chunk)))
  await new Promise((closed) => child.on('close', closed))
  return { code: readFileSync(at('codes'), 'utf8').trim(), stdout, stderr }
}

function start(line: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
  rmSync(at('codes'), { force: true })
  // `exec mb` cannot be: what is to be told by its process id is called by its whole name.
  const script = `mb() { "$BUN" "$CLI" "$@"; }\n(${line}; echo "\${PIPESTATUS[@]}" >codes)`
  return spawn('bash', ['-c', script], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      DOCKER_CONFIG: folder,
      XDG_STATE_HOME: folder,
      BUN: process.execPath,
      CLI,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

const imageAt = (name: string): string => `mirrored/${source.host.replace(':', '-')}/${name}`
const tagsOf = async (name: string): Promise<unknown> =>
  (
    (await (await fetch(`http://${registry.host}/v2/run${runs}/${name}/tags/list`)).json()) as {
      tags?: unknown
    }
  ).tags
const resultIn = (text: string): Record<string, unknown> | undefined =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { type?: string; result?: Record<string, unknown> })
    .find(({ type }) => type === 'result')?.result
const importing = (...flags: readonly string[]): string =>
  `mb import - --registry ${to} --values values.yaml ${flags.join(' ')}`

/** The file with one byte changed. */
function spoilt(offset: number): void {
  const copy = Buffer.from(bundle)
  copy[offset] = (copy[offset] ?? 0) ^ 1
  writeFileSync(at('spoilt.tar'), copy)
}
const entryOf = (size: number): PlacedEntry => {
  const found = entries.findLast((entry) => entry.size === size)
  if (found === undefined) throw new Error(`no entry of ${size} bytes`)
  return found
}
const clear = (text: string): void => {
  expect(text).not.toMatch(/\n\s+at /)
  expect(text).not.toContain('bug in ma-bundle')
}

describe('export -', () => {
  it('writes the bytes of the file and nothing else to standard output', async () => {
    const { code, stdout, stderr } = await piped(
      `mb export - ${SPEC.join(' ')} --json | tee streamed.tar | sha256sum`,
    )
    expect(code).toBe('0 0 0')
    expect(stdout.slice(0, 64)).toBe(digestOf(bundle).slice(7))
    expect(resultIn(stderr)).toMatchObject({ bundle: 'standard output', size: bundle.length, kept: 0 })
  })

  it('writes lock and signature where it is told, and the same as beside a file', async () => {
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
    execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
    const refused = await piped(`mb export - ${SPEC.join(' ')} --sign key.pem | wc -c`)
    expect(refused).toMatchObject({ code: '2 0', stdout: '0\n' })
    expect(refused.stderr).toContain('--signature-out')
    const { code } = await piped(
      `mb export - ${SPEC.join(' ')} --sign key.pem --signature-out s.sig --lock-out l.json >signed.tar`,
    )
    expect(code).toBe('0')
    expect(readFileSync(at('l.json'), 'utf8')).toBe(readFileSync(at('bundle.tar.lock.json'), 'utf8'))
    const verify = await runShell([
      'verify',
      at('signed.tar'),
      '--verify-key',
      at('pub.pem'),
      '--signature',
      at('s.sig'),
    ])
    expect(verify.code).toBe(0)
  })

  it('writes no bundle for a dry run, for an error, nor to a terminal', async () => {
    expect(await piped(`mb export - ${SPEC.join(' ')} --dry-run --json | wc -c`)).toMatchObject({
      code: '0 0',
      stdout: '0\n',
    })
    expect(await piped(`mb export - --json --unknown | wc -c`)).toMatchObject({ code: '2 0', stdout: '0\n' })
    expect(await piped(`mb export - --json --spec none.yaml | wc -c`)).toMatchObject({
      code: '2 0',
      stdout: '0\n',
    })
    const terminal = await runShell(['export', '-', '--spec', at('spec.yaml')], {
      terminal: { columns: 80, rows: 24 },
    })
    expect(terminal.code).toBe(2)
    expect(terminal.stderr).toContain('standard output is a terminal')
  })

  it('is where a merge can write to as well', async () => {
    await runShell(['merge', at('bundle.tar'), at('bundle.tar'), '--output', at('merged.tar')])
    const { code, stdout } = await piped('mb merge bundle.tar bundle.tar --output - --quiet | sha256sum')
    expect(code).toBe('0 0')
    expect(stdout.slice(0, 64)).toBe(digestOf(readFileSync(at('merged.tar'))).slice(7))
  })

  it('says that its reader has gone, or that the disk is full', async () => {
    const gone = await piped(`mb export - ${SPEC.join(' ')} --quiet | head -c 3000000 >taken`)
    expect(gone.code).toBe('1 0')
    expect(gone.stderr).toContain('who read the pipe has gone')
    clear(gone.stderr)
    const full = await piped(`mb export - ${SPEC.join(' ')} --quiet >/dev/full`)
    expect(full.code).toBe('1')
    expect(full.stderr).toContain('the disk is full')
    expect(full.stderr.match(/error:/g)?.length).toBe(1)
    clear(full.stderr)
  })

  it('stops at once when it is told to, though nobody reads', async () => {
    const line = `(exec "$BUN" "$CLI" export - ${SPEC.join(' ')} --quiet) & echo $! >writer; wait $!; echo $? >stopped`
    start(`(${line}) | (echo $BASHPID >reader; exec sleep 60)`)
    await expect.poll(() => readOr(at('reader')), POLL).not.toBe('')
    const blobs = source.requests.length
    await expect
      .poll(() => source.requests.slice(blobs).some((one) => one.includes('/blobs/')), POLL)
      .toBe(true)
    process.kill(Number(readOr(at('writer'))), 'SIGINT')
    await expect.poll(() => readOr(at('stopped')), POLL).toBe('130\n')
    process.kill(Number(readOr(at('reader'))), 'SIGKILL')
  })
})

describe('import -', () => {
  const all = (outcome: string): unknown => [
    expect.objectContaining({ name: `${source.host}/team/one:1`, tags: ['1'], outcome }),
    expect.objectContaining({ name: `${source.host}/team/two:2`, tags: ['2'], outcome }),
    expect.objectContaining({ repository: `run${runs}/charts/web`, tags: ['1.2.3'], outcome }),
  ]

  it('gives what the way over a file gives, from export - in a pipe', async () => {
    const { code, stdout } = await piped(`mb export - ${SPEC.join(' ')} -q | ${importing('--json')}`)
    expect(code).toBe('0 0')
    expect(resultIn(stdout)).toMatchObject({ bundle: 'standard input', roots: all('pushed') })
    const flags = ['--registry', to, '--values', at('by-file.yaml'), '--json']
    const byFile = await runShell(['import', at('bundle.tar'), ...flags])
    expect(resultIn(byFile.stdout)?.['roots']).toEqual(all('unchanged'))
    expect(readFileSync(at('values.yaml'), 'utf8')).toBe(readFileSync(at('by-file.yaml'), 'utf8'))
    expect(readFileSync(at('values.d/web.yaml'), 'utf8')).toBe(readFileSync(at('by-file.d/web.yaml'), 'utf8'))
    const verified = await runShell(['verify', at('bundle.tar'), '--registry', to])
    expect(verified.stdout).toContain('3 of 3 are in')
    const again = await piped(`cat bundle.tar | ${importing('--json')}`)
    expect(again.code).toBe('0 0')
    expect(resultIn(again.stdout)?.['roots']).toEqual(all('unchanged'))
  })

  it('waits for a slow writer, and makes a fast one wait', async () => {
    const slow = `while dd bs=700000 count=1 iflag=fullblock of=piece 2>dd && [ -s piece ]; do cat piece; sleep 0.05; done`
    const { code } = await piped(`mb export - ${SPEC.join(' ')} -q | (${slow}) | ${importing('--quiet')}`)
    expect(code).toBe('0 0 0')
    expect(await tagsOf(imageAt('team/one'))).toEqual(['1'])
  })

  it.each([true, false])('brings each blob into ECR once, where mounting is %s', async (blobMounting) => {
    const ecr = await startEcr({ tls: false, quotas: 'none', blobMounting })
    try {
      const place = `--registry ${ecr.registry} --endpoint-url ${ecr.endpoint} --region ${ecr.region}`
      const line = `cat bundle.tar | mb import - ${place} --values v.yaml -q`
      expect((await piped(line, ecr.environment)).code).toBe('0 0')
      expect(ecr.tags()).toEqual({
        [imageAt('team/one:1')]: images['team/one:1'].digest,
        [imageAt('team/two:2')]: images['team/two:2'].digest,
        'charts/web:1.2.3': expect.any(String),
      })
      const mounts = ecr.log.requests('POST').filter(({ query }) => query.includes('mount='))
      const blobs = new Set(entries.map(({ path }) => path).filter((path) => path.startsWith('blobs/')))
      const manifests = ecr.log.count('PutImage')
      // What two images share comes from the pipe once. To the other it is mounted, else copied in the registry.
      const copied = blobMounting ? 0 : 1
      expect(ecr.log.count('CompleteLayerUpload')).toBe(blobs.size - manifests + copied)
      expect(mounts.map(({ status }) => status)).toEqual(blobMounting ? [201] : [])
      ecr.log.clear()
      expect((await piped(line, ecr.environment)).code).toBe('0 0')
      expect(ecr.log.counts()).toEqual({ GetAuthorizationToken: 1, BatchGetImage: 3 })
    } finally {
      await ecr.stop()
    }
  })

  it('says what a pipe lacks that was cut, keeps what is whole, and goes on when it is sent again', async () => {
    const cut = await piped(`head -c ${bundle.length - 2000} bundle.tar | ${importing('--json')}`)
    expect(cut.code).toBe('0 5')
    expect(cut.stderr).toContain(`the pipe ended after ${bundle.length - 2000} bytes of ${bundle.length}`)
    clear(cut.stderr)
    const again = await piped(`cat bundle.tar | ${importing('--json')}`)
    expect(again.code).toBe('0 0')
    const sent = again.stdout.split('\n').filter((line) => line.includes('"outcome":"copied"'))
    expect(sent.length).toBeLessThan(4)
  })

  it('begins an upload anew that breaks off early, and says plainly when it is too late for that', async () => {
    const early = await startBreaking(registry.host, 4 * MIB)
    const line = (host: string): string =>
      `cat bundle.tar | mb import - --registry ${host}/run${runs} --values values.yaml`
    const mended = await piped(line(early.host))
    early.stop()
    expect(mended).toMatchObject({ code: '0 0', stderr: expect.stringContaining('retry 1 of') })
    runs += 1
    const late = await startBreaking(registry.host, 8.6 * MIB)
    const broken = await piped(line(late.host))
    expect(broken.code).toBe('0 4')
    expect(broken.stderr).toContain('came through a pipe only once')
    clear(broken.stderr)
    // The chart needs nothing of it.
    expect(await tagsOf('charts/web')).toEqual(['1.2.3'])
    expect(await tagsOf(imageAt('team/one'))).toBeUndefined()
    const again = await piped(line(late.host))
    late.stop()
    expect(again.code).toBe('0 0')
    expect(await tagsOf(imageAt('team/one'))).toEqual(['1'])
  })

  it('fails what needs a blob that came wrong, and brings the rest', async () => {
    const own = [...images['team/two:2'].blobs.values()].at(-1)?.length ?? 0
    spoilt(entryOf(own).dataAt + 1000)
    const { code, stderr } = await piped(`cat spoilt.tar | ${importing()}`)
    expect(code).toBe('0 5')
    expect(stderr).toContain('is wrong: its digest is')
    expect(stderr).toContain('1 of 3 images and charts were not imported')
    clear(stderr)
    expect(await tagsOf(imageAt('team/one'))).toEqual(['1'])
    expect(await tagsOf(imageAt('team/two'))).toBeUndefined()
    // A large one goes straight from the pipe to the registry.
    spoilt(entryOf(shared.length).dataAt + 5 * MIB)
    runs += 1
    to = `${registry.host}/run${runs}`
    const large = await piped(`cat spoilt.tar | ${importing()}`)
    expect(large.code).toBe('0 5')
    expect(await tagsOf(imageAt('team/one'))).toBeUndefined()
    expect(await tagsOf('charts/web')).toEqual(['1.2.3'])
  })

  it('refuses in plain words what is no bundle of ours, or goes on behind it', async () => {
    const wrong = async (line: string, words: string): Promise<void> => {
      const { code, stderr } = await piped(`${line} | ${importing('--quiet')}`)
      expect(code.split(' ').at(-1), line).toBe('5')
      expect(stderr, line).toContain(words)
      clear(stderr)
    }
    await wrong('true', 'nothing came through the pipe')
    await wrong('echo no bundle', 'not a bundle as "ma-bundle export" writes it')
    await wrong('tar cf - spec.yaml', 'not a bundle as "ma-bundle export" writes it')
    await wrong('gzip -c bundle.tar', 'not a bundle as "ma-bundle export" writes it')
    await wrong('head -c 700 bundle.tar', 'the pipe ended after 700 bytes')
    await wrong('(rm -rf un; mkdir un; tar xf bundle.tar -C un; tar cf - -C un .)', 'not a bundle as')
    await wrong('(cat bundle.tar; echo more)', 'the pipe continues after the end of the bundle')
    await wrong(`head -c ${bundle.length - 700} bundle.tar`, 'before its end mark was whole')
    spoilt(entryOf(shared.length).headerAt + 3)
    await wrong('cat spoilt.tar', `is not at byte ${entryOf(shared.length).headerAt}`)
    spoilt(600)
    await wrong('cat spoilt.tar', 'bundle.json')
    expect(await tagsOf(imageAt('team/one'))).toBeUndefined()
  })

  it('takes the zeros that tapes and diodes add', async () => {
    const { code } = await piped(`dd if=bundle.tar bs=1M conv=sync 2>dd | ${importing('--quiet')}`)
    expect(code).toBe('0 0')
  })

  it('checks the signature before anything is pushed', async () => {
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
    execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
    await runShell(['sign', at('bundle.tar'), '--key', at('key.pem'), '--output', at('b.sig')])
    const good = await piped(`cat bundle.tar | ${importing('--verify-key pub.pem --signature b.sig -q')}`)
    expect(good.code).toBe('0 0')
    runs += 1
    to = `${registry.host}/run${runs}`
    writeFileSync(at('bad.sig'), Buffer.alloc(64, 7).toString('base64'))
    const bad = await piped(`cat bundle.tar | ${importing('--verify-key pub.pem --signature bad.sig -q')}`)
    expect(bad.code.endsWith(' 5')).toBe(true)
    expect(bad.stderr).toContain('the signature is not of this bundle')
    expect(await tagsOf(imageAt('team/one'))).toBeUndefined()
    const none = await piped(`cat bundle.tar | ${importing('--verify-key pub.pem -q')}`)
    expect(none.code.endsWith(' 2')).toBe(true)
    expect(none.stderr).toContain('--signature')
  })

  it('refuses a terminal, and a password from where the bundle comes', async () => {
    const { code, stderr } = await piped(`cat bundle.tar | ${importing('--username me --password-stdin -q')}`)
    expect(code.endsWith(' 2')).toBe(true)
    expect(stderr).toContain('standard input cannot be both')
  })

  it('ends in words when the other side is killed, and costs only the rest when run again', async () => {
    const writer = `(exec "$BUN" "$CLI" export - ${SPEC.join(' ')} --quiet) & echo $! >writer; wait $!; echo $? >stopped`
    const slow = `while dd bs=300000 count=1 iflag=fullblock of=piece 2>dd && [ -s piece ]; do cat piece; sleep 0.1; done`
    rmSync(at('writer'), { force: true })
    const run = piped(`(${writer}) | (${slow}) | ${importing('--json')}`)
    await expect.poll(() => readOr(at('piece')).length, POLL).toBeGreaterThan(0)
    process.kill(Number(readOr(at('writer'))), 'SIGKILL')
    const cut = await run
    expect(cut.code).toBe('0 0 5')
    expect(cut.stderr).toContain('the pipe ended after')
    clear(cut.stderr)
    const reader = `(exec "$BUN" "$CLI" import - --registry ${to} -q) & echo $! >reader; wait $!`
    rmSync(at('reader'), { force: true })
    const other = piped(`mb export - ${SPEC.join(' ')} --quiet | (exec <&0; ${reader} <&0)`)
    await expect.poll(() => readOr(at('reader')), POLL).not.toBe('')
    process.kill(Number(readOr(at('reader'))), 'SIGKILL')
    const gone = await other
    expect(gone.code.startsWith('1 ')).toBe(true)
    expect(gone.stderr).toContain('who read the pipe has gone')
    expect((await piped(`cat bundle.tar | ${importing('-q')}`)).code).toBe('0 0')
  })
})

describe('verify -', () => {
  it('checks a bundle in one pass, its signature too, and says what is damaged', async () => {
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
    execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
    await runShell(['sign', at('bundle.tar'), '--key', at('key.pem'), '--output', at('b.sig')])
    const good = await piped('cat bundle.tar | mb verify - --verify-key pub.pem --signature b.sig -q')
    expect(good).toMatchObject({ code: '0 0', stderr: '' })
    expect(good.stdout).toContain(`is whole: ${entries.length} entries`)
    const { dataAt, path } = entryOf(shared.length)
    spoilt(dataAt + 5 * MIB)
    const bad = await piped('cat spoilt.tar | mb verify - -q')
    expect(bad.code).toBe('0 5')
    expect(bad.stdout).toContain(`${path} at byte ${dataAt}: content of`)
    clear(bad.stderr)
  })

  it('is refused for what needs to read here and there', async () => {
    const { code, stderr } = await piped('cat bundle.tar | mb inspect -')
    expect(code.endsWith(' 2')).toBe(true)
    expect(stderr).toContain('can only be imported or verified')
  })
})

/** Stands before a registry, and once cuts a connection that has sent so many bytes. */
async function startBreaking(to: string, bytes: number): Promise<{ readonly host: string; stop(): void }> {
  let isBroken = false
  const open = new Set<Socket>()
  const server = createServer((inner) => {
    const outer = connect(Number(to.split(':')[1]), '127.0.0.1')
    let sent = 0
    for (const socket of [inner, outer]) {
      open.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => open.delete(socket))
    }
    inner.on('data', (chunk: Buffer) => {
      sent += chunk.length
      if (!isBroken && sent > bytes) {
        isBroken = true
        inner.destroy()
        outer.destroy()
      }
    })
    inner.pipe(outer).pipe(inner)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  return {
    host: `127.0.0.1:${typeof address === 'object' ? (address?.port ?? '') : ''}`,
    stop() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

const POLL = { timeout: 20_000, interval: 20 }

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
