import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { runShell, type Outcome } from '../support/shell.ts'

const SECRET = 'CANARY5ecret77'
let folder: string
let small: SmallBundle
let server: Server
let host: string
const asked: string[] = []

beforeAll(async () => {
  small = await makeSmallBundle()
  // A store that knows nobody but those with the signature.
  server = createServer(({ url = '' }, response) => {
    asked.push(url)
    if (url.includes(`X-Amz-Signature=${SECRET}`)) response.end('the file')
    else response.writeHead(403).end(`no signature like ${url}`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.close()
  await small.remove()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-secret-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The files of the folder, but for the spec itself, that hold the secret. */
const holding = (): readonly string[] =>
  readdirSync(folder).filter(
    (name) => name !== 'spec.yaml' && readFileSync(join(folder, name)).includes(SECRET),
  )

function exported(spec: string, ...args: readonly string[]): Promise<Outcome> {
  writeFileSync(join(folder, 'spec.yaml'), spec)
  return runShell([
    'export',
    join(folder, 'a.tar'),
    '--spec',
    join(folder, 'spec.yaml'),
    '--platform',
    'all',
    ...args,
  ])
}

it.each([
  ['as people write it', (url: string) => `'${url}'`],
  ['escaped by a program', (url: string) => JSON.stringify(url).replaceAll('&', String.raw`\x26`)],
])('fetches a file by its presigned address, which leaves no trace, %s', async (_, written) => {
  const url = `http://${host}/f.bin?X-Amz-Expires=60&X-Amz-Signature=${SECRET}`
  const spec = readFileSync(small.spec, 'utf8').replace(/url: '[^']*'/, `url: ${written(url)}`)
  const lock = join(folder, 'a.lock.json')
  const { code, stdout, stderr } = await exported(spec, '--json', '--verbose', '--lock-out', lock)
  expect(code, stderr).toBe(0)
  expect(asked.at(-1)).toContain(SECRET)
  expect(stdout + stderr).not.toContain(SECRET)
  const bundle = join(folder, 'a.tar')
  for (const args of [
    ['inspect', bundle, '--html', join(folder, 'page.html'), '--json'],
    ['report', bundle],
    ['merge', bundle, small.file, '--output', join(folder, 'merged.tar'), '--prefer', 'first'],
  ]) {
    const outcome = await runShell(args)
    expect([outcome.code, outcome.stdout.includes(SECRET)], outcome.stderr).toEqual([0, false])
  }
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(['a.lock.json', 'merged.tar', 'page.html']))
  expect(holding()).toEqual([])
  expect(readFileSync(bundle, 'latin1')).toContain(`http://${host}/f.bin`)
  // The lock pins it, and what was fetched again by the spec is the same.
  const again = await runShell([
    'export',
    join(folder, 'b.tar'),
    '--spec',
    join(folder, 'spec.yaml'),
    '--lock',
    lock,
    '--platform',
    'all',
  ])
  expect(again.code, again.stderr).toBe(0)
  expect(readFileSync(join(folder, 'b.tar')).equals(readFileSync(bundle))).toBe(true)
})

it('says nothing of a signature that the store refuses and repeats', async () => {
  const spec = readFileSync(small.spec, 'utf8').replace(
    /url: '[^']*'/,
    `url: 'http://${host}/f?sig=${SECRET}'`,
  )
  const { code, stdout, stderr } = await exported(spec, '--verbose')
  expect(code).not.toBe(0)
  expect(stderr).toContain('403')
  expect(stdout + stderr).not.toContain(SECRET)
  expect(holding()).toEqual([])
})

it.each([
  ['image', `images: ['u:${SECRET}@r.example/team/one:1']`, []],
  ['image by a token alone', `images: ['${SECRET}@r.example/team/one:1']`, []],
  ['mirror of a flag', 'images: [r.example/team/one:1]', ['--mirror', `r.example=u:${SECRET}@m.example`]],
  [
    'mirror that is a URL',
    'images: [r.example/team/one:1]',
    ['--mirror', `https://r.example=https://u:${SECRET}@m.example`],
  ],
  [
    'mirror by a token alone',
    'images: [r.example/team/one:1]',
    ['--mirror', `r.example=${SECRET}@m.example`],
  ],
  [
    'chart',
    `charts: [{ name: web, version: 1.2.3, repository: 'https://u:${SECRET}@r.example/charts' }]`,
    [],
  ],
  [
    'chart in a registry',
    `charts: [{ name: web, version: 1.2.3, repository: 'oci://u:${SECRET}@r.example/charts' }]`,
    [],
  ],
  ['file', `files: [{ name: f, url: 'https://u:${SECRET}@r.example/f' }]`, []],
  ['argument', 'images: [r.example/team/one:1]', ['--image', `u:${SECRET}@r.example/x:1`]],
])('refuses a login in the address, and does not repeat it: %s', async (_, spec, args) => {
  for (const more of [[], ['--json', '--verbose']]) {
    const { code, stdout, stderr } = await exported(`${spec}\n`, ...args, ...more)
    expect(code, stderr).toBe(2)
    expect(stdout + stderr).not.toContain(SECRET)
    expect(holding()).toEqual([])
  }
})
