import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { userInfo, hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { runCli } from '../support/cli.ts'
import { fakeProgram } from '../support/elf.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { makeVolumeSet, SPLIT, type VolumeSet } from '../support/volume-set.ts'
import { basic, CANARIES, createCanaryPlace, environment, expectFolderClean, expectClean } from './canary.ts'

/** The spec, the logins and the key lie there for the runs to find. */
const canary = createCanaryPlace(['config.json', 'spec.yaml', 'key.pem', 'dist/ma-bundle-linux-amd64'])
const image = buildImage([layerOf({ file: noise(3_000_000, 1) })])
let set: VolumeSet
let registry: RegistryDouble
beforeAll(async () => {
  const access = { kind: 'basic', username: CANARIES.user, password: CANARIES.password } as const
  ;[set, registry] = await Promise.all([makeVolumeSet(), startDouble({ access })])
  for (const content of image.blobs.values()) registry.addBlob('a/b', content)
  registry.addManifest('a/b', image.raw, '1')
}, 60_000)
afterAll(async () => {
  await Promise.all([set.remove(), registry.stop()])
  canary.remove()
})

/** A spec of a registry that wants a login, with the login. */
function spec(at: string): string {
  writeFileSync(join(at, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth: basic() } } }))
  writeFileSync(join(at, 'spec.yaml'), `images: ["${registry.host}/a/b:1"]\n`)
  return join(at, 'spec.yaml')
}
const common = (at: string): readonly string[] => ['--spec', spec(at), '--allow-missing-platform']

describe('no canary, and no path, comes out of', () => {
  it.each<[string, (at: string) => readonly string[], number | readonly number[]]>([
    [
      'volumes, their list and sums',
      (at) => ['export', join(at, 'o.tar'), ...common(at), '--split', '1MiB'],
      0,
    ],
    [
      'volumes into no folder',
      (at) => ['export', join(at, 'no', 'o.tar'), ...common(at), '--split', '1MiB'],
      [1, 2],
    ],
    ['a plan', (at) => ['plan', join(at, 'o.tar'), ...common(at)], 0],
    [
      'a plan against a registry',
      (at) => ['plan', ...common(at), '--registry', registry.host, '--against', set.whole],
      0,
    ],
    ['a lock', (at) => ['lock', join(at, 'x.lock.json'), ...common(at)], 0],
    ['a merge', (at) => ['merge', set.whole, join(set.set, set.names[0] ?? ''), '-o', join(at, 'm.tar')], 0],
    ['a merge of nothing', (at) => ['merge', set.whole, join(at, 'none.tar'), '-o', join(at, 'm.tar')], 2],
    ['a report', (at) => ['report', set.whole, '--output', join(at, 'r')], 0],
    ['a report into no folder', (at) => ['report', set.whole, '--output', join(at, 'no', 'r')], [1, 2]],
    ['a page', (at) => ['inspect', set.whole, '--html', join(at, 'page.html')], 0],
    [
      'a page that compares',
      (at) => ['inspect', set.whole, '--html', join(at, 'p.html'), '--compare', `${set.whole}.lock.json`],
      0,
    ],
    ['a page into no folder', (at) => ['inspect', set.whole, '--html', join(at, 'no', 'p.html')], [1, 2]],
    ['a volume alone', () => ['verify', join(set.set, set.names[1] ?? '')], [0, 1]],
    [
      'volumes some of which are elsewhere',
      (at) => ['verify', join(set.set, set.names[0] ?? ''), '--volumes', at],
      0,
    ],
    [
      'volumes in no folder',
      (at) => ['verify', join(set.set, set.names[0] ?? ''), '--volumes', join(at, 'no')],
      [0, 1, 2],
    ],
    [
      'an importer that is not there',
      (at) => ['export', join(at, 'o.tar'), ...common(at), '--with-cli', '--cli-from', join(at, 'no')],
      [1, 2],
    ],
    [
      'an inventory',
      (at) => ['inventory', '--registry', registry.host, '--output', (spec(at), join(at, 'i.json'))],
      [0, 1, 2],
    ],
    ['a schema', () => ['schema'], 0],
    ['a signature by a key that is not there', (at) => ['sign', set.whole, '--key', join(at, 'no.pem')], 2],
    ['a pipe that is empty', () => ['import', '-', '--registry', registry.host], [1, 2, 5]],
  ])('%s', async (what, args, code) => {
    await canary.everyWay(what, (at) => ({ args: args(at) }), code)
  })

  it('an importer that is carried along', async () => {
    const { version } = manifest
    await canary.everyWay(
      'with-cli',
      (at) => {
        execFileSync('mkdir', [join(at, 'dist')])
        writeFileSync(
          join(at, 'dist', 'ma-bundle-linux-amd64'),
          fakeProgram({ version, platform: 'linux/amd64' }),
        )
        const flags = ['--with-cli', '--cli-from', join(at, 'dist')]
        return { args: ['export', join(at, 'o.tar'), ...common(at), ...flags] }
      },
      0,
    )
  })

  it('an export that its lock makes again, and both locks', async () => {
    await canary.everyWay(
      'lock/2',
      async (at) => {
        const file = join(at, 'first.tar')
        const { code, stderr } = await runCli(['export', file, ...common(at)], {
          cwd: at,
          env: environment(at),
        })
        expect(code, stderr).toBe(0)
        return { args: ['export', join(at, 'again.tar'), '--lock', `${file}.lock.json`] }
      },
      0,
    )
  })

  it('pipes: the stream, what is said beside it, lock and signature', async () => {
    const at = canary.place()
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', join(at, 'key.pem')])
    const beside = [
      '--lock-out',
      join(at, 'l.json'),
      '--sign',
      join(at, 'key.pem'),
      '--signature-out',
      join(at, 's'),
    ]
    for (const debug of ['', '1']) {
      const env = { ...environment(at), MA_BUNDLE_DEBUG: debug, PATH: process.env.PATH ?? '' }
      const { code, stdout, stderr } = await runCli(['export', '-', ...common(at), ...beside, '--verbose'], {
        cwd: at,
        env,
      })
      expect(code, stderr).toBe(0)
      expect(stdout.length).toBeGreaterThan(20_000)
      expectClean('the stream', stdout)
      expectClean('beside the stream', stderr)
      const broken = await runCli(['import', '-', '--registry', registry.host, '--verbose'], {
        cwd: at,
        env,
        stdin: 'x'.repeat(5000),
      })
      expect(broken.code).not.toBe(0)
      expectClean('import -', broken.stdout + broken.stderr)
    }
    expectFolderClean('pipes', at, ['config.json', 'spec.yaml', 'key.pem'])
  })

  it('volumes: nor the name of this machine and of who works on it', async () => {
    const at = canary.place()
    const args = ['export', join(at, 'o.tar'), '--spec', set.spec, '--split', String(SPLIT)]
    const { code, stderr } = await runCli(args, { cwd: at, env: { ...environment(at), USER: CANARIES.user } })
    expect(code, stderr).toBe(0)
    const written = readdirSync(at).filter((name) => /volumes\.json$|\.sha256$|lock\.json$/.test(name))
    expect(written).toHaveLength(3)
    const { username, homedir } = userInfo()
    for (const name of written) {
      const text = await Bun.file(join(at, name)).text()
      if (homedir.length > 5) expect(text).not.toContain(homedir)
      expect(text).not.toContain(hostname())
      expect(text).not.toMatch(new RegExp(`"(?:user|owner|uname|uid)"|\\b${username}@`))
    }
    expectFolderClean('volumes', at)
  })
})
