import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { awsConfig } from '../../../src/aws/config/config.ts'
import { mediumAt } from '../../../src/bundle/media/at.ts'
import { collect } from '../../../src/lib/bytes/bytes.ts'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { startCli } from '../../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../../support/docker-registry.ts'
import { startS3, type S3Double } from '../../support/s3/server.ts'
import { startServe } from '../../support/serve.ts'
import { runShell } from '../../support/shell.ts'
import { makeVolumeSet, SPLIT, type VolumeSet } from '../../support/volume-set.ts'

/** Each medium a bundle can lie on. */
const MEDIA = ['file', 'volumes', 's3', 'pipe'] as const
type Kind = (typeof MEDIA)[number]

const ok = 'ok'
const ONCE = 'a bundle that comes through a pipe can only be imported or verified'

/** What each command does with a bundle on each medium: it works, or this usage error says why it cannot. */
const CONTRACT: Readonly<Record<string, Readonly<Record<Kind, string>>>> = {
  export: { file: ok, volumes: ok, s3: ok, pipe: ok },
  import: { file: ok, volumes: ok, s3: ok, pipe: ok },
  verify: { file: ok, volumes: ok, s3: ok, pipe: ok },
  inspect: { file: ok, volumes: ok, s3: ok, pipe: ONCE },
  repair: { file: ok, volumes: ok, s3: 'an object in S3 cannot be repaired in place', pipe: ONCE },
  sign: { file: ok, volumes: ok, s3: ok, pipe: ONCE },
  'merge from': { file: ok, volumes: ok, s3: ok, pipe: ONCE },
  'merge into': { file: ok, volumes: ok, s3: ok, pipe: ok },
  serve: { file: ok, volumes: ok, s3: ok, pipe: ONCE },
  extract: { file: ok, volumes: ok, s3: ok, pipe: ONCE },
}

let set: VolumeSet
let s3: S3Double
let registry: DockerRegistry
let whole: Uint8Array
let runs = 0

beforeAll(async () => {
  set = await makeVolumeSet()
  s3 = await startS3()
  registry = await startDockerRegistry()
  whole = new Uint8Array(readFileSync(set.whole))
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
  execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
  // Something to merge with.
  writeFileSync(at('other.yaml'), `images: [${set.source.host}/team/four:4]\n`)
  const other = await runShell(['export', at('other.tar'), '--spec', at('other.yaml'), '--quiet'])
  expect(other).toMatchObject({ code: 0, stderr: '' })
}, 60_000)
afterAll(async () => {
  await Promise.all([set.remove(), s3.stop(), registry.stop()])
  expect(s3.errors).toEqual([])
})

const at = (name: string): string => join(set.folder, name)

/** A bundle of its own on a medium, and how a command line names it. */
interface Place {
  readonly name: string
  readonly stdin: string
  /** The bytes that lie there now. */
  bytes(): Promise<Uint8Array>
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** @param damaged with one byte of a layer changed */
function placeOn(kind: Kind, damaged = false): Place {
  runs += 1
  const content = damaged ? flipped(whole) : whole
  const stdin = ''
  if (kind === 'pipe') return { name: '-', stdin: latin1(content), bytes: () => Promise.resolve(content) }
  if (kind === 's3') {
    const key = `run${runs}/bundle.tar`
    s3.put('bundles', key, content)
    return { name: `s3://bundles/${key}`, stdin, bytes: () => s3.read('bundles', key) }
  }
  const folder = at(`run${runs}`)
  mkdirSync(folder)
  const file = join(folder, 'bundle.tar')
  if (kind === 'file') {
    writeFileSync(file, content)
    return { name: file, stdin, bytes: () => Promise.resolve(new Uint8Array(readFileSync(file))) }
  }
  cpSync(set.set, folder, { recursive: true })
  for (const [number, name] of set.names.entries())
    writeFileSync(join(folder, name), content.subarray(number * SPLIT, (number + 1) * SPLIT))
  return { name: file, stdin, bytes: () => Promise.resolve(joined(folder)) }
}

/** The middle of the bundle is in a layer. */
function flipped(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes)
  const middle = Math.floor(copy.length / 2)
  copy[middle] = (copy[middle] ?? 0) ^ 1
  return copy
}

const joined = (folder: string): Uint8Array =>
  Buffer.concat(
    readdirSync(folder)
      .filter((name) => /^bundle\.tar\.\d{3}$/.test(name))
      .toSorted()
      .map((name) => readFileSync(join(folder, name))),
  )

interface Ran {
  readonly code: number
  readonly stderr: string
  /** Raw, for a bundle that comes out. */
  readonly stdout: Uint8Array
}

/** In this process, with what comes in as bytes. */
async function run(args: readonly string[], stdin = ''): Promise<Ran> {
  const { code, stderr, stdout } = await runShell(args, {
    env: { ...s3.environment, XDG_STATE_HOME: set.folder },
    stdin,
  })
  return { code, stderr, stdout: new TextEncoder().encode(stdout) }
}

/** In a process of its own, whose standard output is a pipe that takes a bundle. */
async function runPiped(args: readonly string[]): Promise<Ran> {
  const child = startCli(args, { cwd: set.folder, env: s3.environment })
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, stdout, stderr }
}

/** A command that writes a bundle, and the bundle that it wrote. */
async function write(kind: Kind, argsFor: (output: string) => readonly string[]): Promise<Ran> {
  runs += 1
  if (kind === 'pipe') return runPiped(argsFor('-'))
  if (kind === 's3') {
    const key = `run${runs}/bundle.tar`
    const ran = await run(argsFor(`s3://bundles/${key}`))
    return { ...ran, stdout: await s3.read('bundles', key) }
  }
  const folder = at(`run${runs}`)
  mkdirSync(folder)
  const file = join(folder, 'bundle.tar')
  const ran = await run([...argsFor(file), ...(kind === 'volumes' ? ['--split', String(SPLIT)] : [])])
  return { ...ran, stdout: kind === 'file' ? new Uint8Array(readFileSync(file)) : joined(folder) }
}

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

/** Runs a command on a medium; when it worked, what it did is looked at too. */
const COMMANDS: Readonly<Record<string, (kind: Kind) => Promise<Ran>>> = {
  async export(kind) {
    const ran = await write(kind, (output) => ['export', output, '--spec', set.spec, '--quiet'])
    expect(sameBytes(ran.stdout, whole)).toBe(true)
    return ran
  },
  async import(kind) {
    const { name, stdin } = placeOn(kind)
    const to = `${registry.host}/run${runs}`
    const ran = await run(['import', name, '--registry', to, '--values', at('values.yaml')], stdin)
    if (ran.code === 0) {
      const repository = `run${runs}/mirrored/${set.source.host.replace(':', '-')}/team/two`
      const found = await fetch(`http://${registry.host}/v2/${repository}/manifests/2`, {
        headers: { accept: OCI_MANIFEST },
      })
      expect(new Uint8Array(await found.arrayBuffer())).toEqual(set.images['team/two:2']?.raw)
    }
    return ran
  },
  async verify(kind) {
    const damaged = placeOn(kind, true)
    expect(await run(['verify', damaged.name], damaged.stdin)).toMatchObject({ code: 5 })
    const { name, stdin } = placeOn(kind)
    return run(['verify', name], stdin)
  },
  async inspect(kind) {
    const { name, stdin } = placeOn(kind)
    return run(['inspect', name], stdin)
  },
  async repair(kind) {
    const place = placeOn(kind, true)
    const ran = await run(['verify', place.name, '--repair-from', set.whole], place.stdin)
    expect(sameBytes(await place.bytes(), whole)).toBe(ran.code === 0)
    return ran
  },
  async sign(kind) {
    const { name, stdin } = placeOn(kind)
    const ran = await run(['sign', name, '--key', at('key.pem')], stdin)
    if (ran.code === 0)
      expect(await run(['verify', name, '--verify-key', at('pub.pem')])).toMatchObject({ code: 0 })
    return ran
  },
  async 'merge from'(kind) {
    const { name, stdin } = placeOn(kind)
    const ran = await run(['merge', name, at('other.tar'), '-o', at(`merged${runs}.tar`)], stdin)
    if (ran.code === 0) expect(await run(['verify', at(`merged${runs}.tar`)])).toMatchObject({ code: 0 })
    return ran
  },
  async 'merge into'(kind) {
    const ran = await write(kind, (output) => ['merge', set.whole, at('other.tar'), '-o', output, '--quiet'])
    const file = at(`into${runs}.tar`)
    writeFileSync(file, ran.stdout)
    expect(await run(['verify', file])).toMatchObject({ code: 0 })
    return ran
  },
  async serve(kind) {
    const { name, stdin } = placeOn(kind)
    if (CONTRACT['serve']?.[kind] !== ok) return run(['serve', name, '--listen', '127.0.0.1:0'], stdin)
    const served = await startServe(name, set.folder, [], s3.environment)
    const found = await fetch(`${served.url}/v2/${set.source.host.replace(':', '-')}/team/two/manifests/2`)
    expect(found.status).toBe(200)
    const { code } = await served.stop()
    return { code: code === 130 ? 0 : code, stderr: '', stdout: new Uint8Array() }
  },
  async extract(kind) {
    const { name, stdin } = placeOn(kind)
    const folder = at(`extracted${runs}`)
    mkdirSync(folder)
    const ran = await run(['extract', name, 'team/two', '--output', folder], stdin)
    expect(readdirSync(folder)).toHaveLength(ran.code === 0 ? 1 : 0)
    return ran
  },
}

test.each(MEDIA)('the bytes of a bundle come in order from %s', async (kind) => {
  const { name, stdin } = placeOn(kind)
  const medium = await mediumAt(name, {
    env: s3.environment,
    aws: () => Promise.resolve(awsConfig(s3.environment)),
    signal: new AbortController().signal,
    emit: () => undefined,
    stdin: Readable.from([stdin]),
    stdout: new Writable(),
  })
  expect(medium.kind).toBe(kind)
  expect(sameBytes(await medium.stream(collect), whole)).toBe(true)
})

test('a file whose name ends in a year is no volume', async () => {
  const file = at('bundle.2024')
  writeFileSync(file, whole)
  expect(await run(['verify', file])).toMatchObject({ code: 0 })
})

test('the lock goes where --lock-out says, into S3 too', async () => {
  const lock = 's3://bundles/locks/there.json'
  const args = ['export', at('locked.tar'), '--spec', set.spec, '--lock-out', lock, '--quiet']
  expect(await run(args)).toMatchObject({ code: 0, stderr: '' })
  expect(Buffer.from(await s3.read('bundles', 'locks/there.json'))).toEqual(
    readFileSync(`${set.whole}.lock.json`),
  )
  expect(existsSync(at('locked.tar.lock.json'))).toBe(false)
})

test.each(['file', 'volumes', 'pipe'] as const)('flags for S3 are refused for %s', async (kind) => {
  const split = kind === 'volumes' ? ['--split', String(SPLIT)] : []
  const output = kind === 'pipe' ? '-' : at('never.tar')
  const { code, stderr } = await run(['export', output, '--spec', set.spec, '--sse', 'AES256', ...split])
  expect(code).toBe(2)
  expect(stderr).toContain('are for bundles in S3: s3://bucket/key')
})

describe.each(Object.entries(CONTRACT))('%s', { timeout: 60_000 }, (command, cells) => {
  test.each(MEDIA)('on %s', async (kind) => {
    const wanted = cells[kind]
    const { code, stderr } = (await COMMANDS[command]?.(kind)) ?? { code: -1, stderr: '' }
    if (wanted === ok) expect({ code, stderr }).toMatchObject({ code: 0 })
    else {
      expect(code).toBe(2)
      expect(stderr).toContain(wanted)
    }
  })
})
