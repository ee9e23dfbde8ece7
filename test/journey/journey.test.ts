import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCli, type CliOutcome } from '../support/cli.ts'
import { helmBinary } from '../support/helm.ts'
import { imageNamed, startInternet } from '../support/internet.ts'
import { runProgram } from '../support/program.ts'
import { charts, HOSTS, NEEDED, specOf } from './consumer.ts'
import { ECR, inside } from './inside.ts'
import type { Nodes } from './nodes.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

/** A folder with a `bin` that has this helm, or none. */
async function place(major?: 3 | 4): Promise<{ readonly cwd: string; readonly PATH: string }> {
  const cwd = await mkdtemp(join(tmpdir(), 'journey-'))
  folders.push(cwd)
  await mkdir(join(cwd, 'bin'))
  if (major !== undefined) await symlink(await helmBinary(major), join(cwd, 'bin', 'helm'))
  return { cwd, PATH: `${join(cwd, 'bin')}:${process.env.PATH ?? ''}` }
}

async function exported(
  { cwd, PATH }: { readonly cwd: string; readonly PATH: string },
  images: readonly string[],
  flags: readonly string[] = [],
  { literalHook = false, hints = '' } = {},
): Promise<CliOutcome> {
  const internet = await startInternet({ hosts: HOSTS, charts: charts(literalHook), has: () => true })
  try {
    await writeFile(join(cwd, 'spec.yaml'), specOf(images) + hints)
    const args = ['export', 'bundle.tar', '--spec', 'spec.yaml', '--no-cache', ...flags]
    return await runCli(args, { cwd, env: { ...internet.environment, PATH } })
  } finally {
    await internet.stop()
  }
}

/** The isolated side with its nodes, where nothing but loopback is. */
async function onNodes(
  { cwd, PATH }: { readonly cwd: string; readonly PATH: string },
  major: 3 | 4,
): Promise<Nodes> {
  const program = join(import.meta.dirname, 'nodes.ts')
  const { stdout } = await runProgram(
    'unshare',
    ['--net', '--mount', '--propagation', 'private', process.execPath, program, cwd, PATH, String(major)],
    { env: { PATH: process.env.PATH ?? '', HOME: cwd } },
  )
  return JSON.parse(stdout.toString()) as Nodes
}

describe.each([3, 4] as const)('the default journey with helm %i', (major) => {
  it('judges what the consumer installs here, to the last rendered reference on a node', async () => {
    const at = await place(major)
    const out = await exported(at, NEEDED)
    expect(out).toMatchObject({ code: 0 })
    expect(out.stdout).toContain('desk with valuesEks.yaml')
    expect(out.stdout).toMatch(/search: installs\.search is off/)
    expect(out.stdout).toMatch(/spare: desk names no charts\.spare/)
    expect(out.stdout).toContain('quay.io/journey/worker:7')
    expect(out.stdout).toContain('Widget asks for it')
    expect(out.stdout).toContain('metrics.enabled is true')
    // A template names it: no value reaches it.
    expect(out.stdout).toContain('1 NOT bound: quay.io/journey/agent:9')

    const { devices, imported, installed, pulled, failed, attempts } = await onNodes(at, major)
    expect(devices).toEqual(['lo'])
    expect(imported).toMatchObject({ code: 0 })
    expect(Object.keys(installed?.releases ?? {}).toSorted()).toEqual(['desk', 'operator', 'store'])
    expect(failed).toEqual([])
    expect(pulled).toEqual(
      Object.fromEntries(NEEDED.map((image) => [`${ECR}/mirrored/${image}`, imageNamed(image).digest])),
    )
    expect(attempts).toBe(0)
  })

  it('ends an export that lacks what an object pulls, whether a value or a literal names it', async () => {
    const at = await place(major)
    const listed = NEEDED.filter((image) => !/agent|store/.test(image))
    const refused = await exported(at, listed)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/quay\.io\/journey\/agent:9[\s\S]*desk pulls it \(Deployment\/agent/)
    expect(refused.stderr).toMatch(
      /quay\.io\/journey\/store:2\.1[\s\S]*store pulls it \(image, Deployment\/store/,
    )
    expect(refused.stderr).not.toContain('journey/search')
    expect(refused.stderr).not.toContain('journey/worker')

    expect(await exported(at, listed, ['--add-missing'])).toMatchObject({ code: 0 })
    const needed = await runCli(['inspect', 'bundle.tar', '--json'], { cwd: at.cwd })
    expect(needed.stdout).toContain('"name":"quay.io/journey/agent:9"')
    expect(needed.stdout).not.toContain('"name":"quay.io/journey/worker:7"')

    expect(await exported(at, listed, ['--add-missing=all'])).toMatchObject({ code: 0 })
    const all = await runCli(['inspect', 'bundle.tar', '--json'], { cwd: at.cwd })
    for (const image of ['agent:9', 'worker:7', 'search:5', 'spare:8', 'metrics:3'])
      expect(all.stdout).toContain(`"name":"quay.io/journey/${image}"`)
  })

  it('ends an import with 1 that leaves a needed image public, and names it', async () => {
    const at = await place(major)
    expect(
      await exported(at, [...NEEDED, 'quay.io/journey/migrate:4'], [], { literalHook: true }),
    ).toMatchObject({ code: 0 })
    const { imported } = await inside(at)
    expect(imported.code).toBe(1)
    expect(imported.stderr).toMatch(/quay\.io\/journey\/migrate:4[\s\S]*store pulls it \(Job\/migrate/)
    expect(imported.stderr).toContain('kyverno')
  })
})

describe('the default journey without helm', () => {
  it('says plainly what was not judged, and --require-proof fails', async () => {
    const at = await place()
    const env = { ...at, PATH: join(at.cwd, 'bin') }
    const out = await exported(env, NEEDED)
    expect(out).toMatchObject({ code: 0 })
    expect(out.stdout.replaceAll(/\s+/g, ' ')).toMatch(/Not judged[^.]*store, search, operator, spare/)
    // A literal that the spec knows of is judged as a helm would have it: no value reaches it.
    expect(out.stdout).not.toContain('NOT bound')
    const hints = `hints:
  desk: [{ reference: 'quay.io/journey/agent:9', where: image, action: patch, reason: written into a template }]
`
    const known = await exported(env, NEEDED, [], { hints })
    expect(known.stdout).toContain('1 NOT bound: quay.io/journey/agent:9')
    const refused = await exported(env, NEEDED, ['--require-proof'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('--require-proof')
    expect(refused.stderr).toMatch(/chart store/)
  })
})
