// `npm run journey -- <folder of real charts> [3.3.6 | 2.6.4] [3 | 4 | none]`: the first command that everybody types, with
// the real charts of both releases, up to the last image reference that the installation renders.
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundledSpecs, type BundledSpec } from '../../src/bundle/spec/bundled.ts'
import { parseSpec, type BundleSpec } from '../../src/bundle/spec/spec.ts'
import { readChartMetadata } from '../../src/helm/chart.ts'
import { sameVersion } from '../../src/helm/version.ts'
import { runCli } from '../support/cli.ts'
import { helmBinary, type HelmMajor } from '../support/helm.ts'
import { startInternet, type Internet } from '../support/internet.ts'
import { inside } from './inside.ts'
import { judge } from './judge.ts'

const HELMS = ['3', '4', 'none'] as const
const MAJORS = { 3: 3, 4: 4, none: undefined } as const

async function main([folder, ...wanted]: readonly string[]): Promise<void> {
  if (folder === undefined)
    throw new Error(
      'which folder? npm run journey -- <folder of real charts, as .tgz> [release] [3 | 4 | none]',
    )
  const releases = bundledSpecs.filter(({ name }) => wanted.some((word) => name.endsWith(`-${word}`)))
  const helms = HELMS.filter((helm) => wanted.includes(helm))
  const cache = process.env['XDG_CACHE_HOME'] ?? (await mkdtemp(join(tmpdir(), 'journey-cache-')))
  const rows: string[] = []
  try {
    for (const release of releases.length === 0 ? bundledSpecs : releases)
      for (const helm of helms.length === 0 ? HELMS : helms) {
        const row = await journey(folder, release, helm, cache)
        rows.push(row)
        process.stdout.write(`${row}\n`)
      }
  } finally {
    if (process.env['XDG_CACHE_HOME'] === undefined) await rm(cache, { recursive: true, force: true })
  }
  process.stdout.write(`\n${[HEAD, HEAD.replaceAll(/[^|]+/g, '---'), ...rows].join('\n')}\n`)
}

const HEAD =
  '| release, helm | export | import | installed charts | images in ECR | public, rewritten by the policy | lost | named and absent |'

/** One row of the table; what failed is told on standard error, and in the exit code. */
async function journey(
  folder: string,
  release: BundledSpec,
  helm: (typeof HELMS)[number],
  cache: string,
): Promise<string> {
  const spec = parseSpec(release.text, release.fileName)
  const cwd = await mkdtemp(join(tmpdir(), 'journey-'))
  try {
    const PATH = join(cwd, 'bin')
    await mkdir(PATH)
    const major: HelmMajor | undefined = MAJORS[helm]
    if (major !== undefined) await symlink(await helmBinary(major), join(PATH, 'helm'))
    const started = performance.now()
    const internet = await startJourneyInternet(folder, spec)
    const exported = await (async () => {
      try {
        // The newest release needs no flag.
        const flags = release === bundledSpecs[0] ? [] : ['--spec', release.name]
        return await runCli(['export', 'bundle.tar', ...flags], {
          cwd,
          env: { ...internet.environment, XDG_CACHE_HOME: cache, PATH },
        })
      } finally {
        await internet.stop()
      }
    })()
    const seconds = ((performance.now() - started) / 1000).toFixed(0)
    const verdict = /^(?:Proof|As measured|Not judged)\b.*/m.exec(exported.stdout)?.[0] ?? 'no verdict'
    process.stderr.write(`\n${exported.stdout.slice(-4000)}\n`)
    const first = `| ${spec.version}, ${helm === 'none' ? 'no helm' : `helm ${helm}`} | ${exported.code} in ${seconds} s: ${verdict}`
    if (exported.code !== 0) return failed(first, exported.stderr)

    // Whoever installs has a helm, even where the export and the import had none.
    const { imported, installed, tags } = await inside(
      { cwd, PATH },
      { major: major ?? 3, kubeVersion: '1.35.0' },
    )
    if (installed === undefined) return failed(`${first} | ${imported.code}`, imported.stderr)
    const { held, rewritten, lost, absent } = judge(installed, tags)
    const names = Object.keys(installed.releases)
    process.stderr.write(`${installed.commands.join('\n')}\n`)
    if (lost.length > 0) process.exitCode = 1
    const cells = [rewritten, lost, absent].map((list) => (list.length === 0 ? 'none' : list.join(', ')))
    return `${first} | ${imported.code} | ${names.length}: ${names.join(', ')} | ${held.length} | ${cells.join(' | ')} |`
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}

function failed(row: string, stderr: string): string {
  process.exitCode = 1
  process.stderr.write(`${stderr.slice(-8000)}\n`)
  return `${row} | failed |`
}

/** Sources that answer no longer, under the names that charts still have. */
const RETIRED = /^gcr\.io\/kubebuilder\/|^docker\.io\/bitnami\//

/** Charts by name and version from `.tgz` of the folder, files from `<folder>/<release>/<name>`, made-up images. */
async function startJourneyInternet(folder: string, spec: BundleSpec): Promise<Internet> {
  const packages = await Promise.all(
    (await readdir(folder))
      .filter((file) => file.endsWith('.tgz'))
      .map(async (file) => {
        const tgz = new Uint8Array(await readFile(join(folder, file)))
        return { ...readChartMetadata(tgz, file), tgz }
      }),
  )
  const charts = spec.groups
    .flatMap((group) => group.charts)
    .map(({ name, version, repository }) => {
      const found = packages.find((one) => one.name === name && sameVersion(one.version, version))
      if (found === undefined)
        throw new Error(`no chart ${name} ${version} in ${folder}: pack it from its tag`)
      const metadata = { name: found.name, version: found.version }
      return { at: repository, chart: { ...metadata, metadata, tgz: found.tgz } }
    })
  const files = Object.fromEntries(
    await Promise.all(
      spec.groups
        .flatMap((group) => group.files)
        .map(async ({ name, url }) => {
          const bytes = await readFile(join(folder, spec.version ?? '', name))
          return [url, new Uint8Array(bytes)] as const
        }),
    ),
  )
  const registries = spec.groups.flatMap((group) => group.images).map(({ reference }) => reference.registry)
  const hosts = [
    ...registries.map((registry) => (registry === 'docker.io' ? 'registry-1.docker.io' : registry)),
    ...charts.map(({ at }) => new URL(at.replace(/^oci:/, 'https:')).hostname),
    ...Object.keys(files).map((url) => new URL(url).hostname),
    'registry-1.docker.io',
    'auth.docker.io',
    'gcr.io',
    'quay.io',
    'registry.k8s.io',
  ]
  return startInternet({ hosts: [...new Set(hosts)], charts, files, has: (name) => !RETIRED.test(name) })
}

await main(process.argv.slice(2))
