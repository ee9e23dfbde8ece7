import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCli, type CliOutcome } from '../support/cli.ts'
import { startEcr } from '../support/ecr/server.ts'
import { helmBinary } from '../support/helm.ts'
import { startInternet } from '../support/internet.ts'
import { portOf, startNameProxy } from '../support/name-proxy.ts'
import { doWhatIsPrinted, imagesIn, type Installed } from '../support/printed.ts'
import { charts, HOSTS, NEEDED, specOf } from './consumer.ts'

const ECR = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
const API = 'api.ecr.eu-central-1.amazonaws.com'
const BUCKET = 'prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com'

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
  literalHook = false,
): Promise<CliOutcome> {
  const internet = await startInternet({ hosts: HOSTS, charts: charts(literalHook), has: () => true })
  try {
    await writeFile(join(cwd, 'spec.yaml'), specOf(images))
    const args = ['export', 'bundle.tar', '--spec', 'spec.yaml', '--no-cache', ...flags]
    return await runCli(args, { cwd, env: { ...internet.environment, PATH } })
  } finally {
    await internet.stop()
  }
}

interface Inside {
  readonly imported: CliOutcome
  readonly installed?: Installed
  readonly tags: ReadonlySet<string>
}

/** Imports into ECR by its real names, and does exactly what is printed. */
async function inside(
  { cwd, PATH }: { readonly cwd: string; readonly PATH: string },
  major?: 3 | 4,
): Promise<Inside> {
  const options: { quotas: 'none'; downloadOrigin?: string } = { quotas: 'none' }
  const ecr = await startEcr(options)
  options.downloadOrigin = `https://${BUCKET}`
  const ports: Readonly<Record<string, number>> = {
    [ECR]: portOf(ecr.registry),
    [API]: portOf(ecr.endpoint),
    [BUCKET]: portOf(ecr.downloadOrigin),
  }
  const proxy = await startNameProxy((host) => ports[host])
  try {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = ecr.environment
    const imported = await runCli(['import', 'bundle.tar', '--registry', ECR], {
      cwd,
      env: {
        HTTPS_PROXY: proxy.url,
        MA_BUNDLE_CA_FILE: ecr.caFile,
        AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY,
        PATH,
      },
    })
    const tags = new Set(Object.keys(ecr.tags()))
    if (imported.code !== 0 || major === undefined) return { imported, tags }
    const installed = await doWhatIsPrinted(imported.stdout, cwd, {
      helm: await helmBinary(major),
      env: { HTTPS_PROXY: proxy.url, SSL_CERT_FILE: ecr.caFile },
      password: Buffer.from(ecr.token(), 'base64').toString().replace(/^AWS:/, ''),
    })
    return { imported, installed, tags }
  } finally {
    await proxy.stop()
    await ecr.stop()
  }
}

describe.each([3, 4] as const)('the default journey with helm %i', (major) => {
  it('judges what the consumer installs here, to the last rendered reference in the registry', async () => {
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

    const { imported, installed, tags } = await inside(at, major)
    expect(imported).toMatchObject({ code: 0 })
    expect(Object.keys(installed?.releases ?? {}).toSorted()).toEqual(['desk', 'operator', 'store'])
    const pulled = Object.values(installed?.releases ?? {}).flatMap((text) => imagesIn(text).pulled)
    expect(pulled.filter((image) => !image.startsWith(`${ECR}/`))).toEqual([])
    expect(pulled.map((image) => image.slice(ECR.length + 1)).filter((image) => !tags.has(image))).toEqual([])
    expect([...new Set(pulled)].toSorted()).toEqual(
      NEEDED.map((image) => `${ECR}/mirrored/${image}`).toSorted(),
    )
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
    expect(await exported(at, [...NEEDED, 'quay.io/journey/migrate:4'], [], true)).toMatchObject({ code: 0 })
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
    const refused = await exported(env, NEEDED, ['--require-proof'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('--require-proof')
    expect(refused.stderr).toMatch(/chart store/)
  })
})
