import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseSpec } from '../../src/bundle/spec/spec.ts'
import { packFolder } from '../../src/helm/folder.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { chartYaml, deployment, packChart } from '../support/charts/pack.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, layerOf, noise, pushImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'

let folder: string
let registry: DockerRegistry
let server: ReturnType<typeof Bun.serve>
const at = (name: string): string => join(folder, name)

/** An operator that hands images on by an argument, and a job whose image no value reaches. */
const shop = (literal: boolean): Uint8Array =>
  packChart('shop', {
    'Chart.yaml': chartYaml('shop'),
    'values.yaml': `
image: { registry: ${registry.host}, repository: shop/server }
worker: { repo: ${registry.host}/shop/worker, version: "1.1" }
metrics: { enabled: false, image: "${registry.host}/shop/metrics:3" }
`,
    'templates/server.yaml': deployment(
      'server',
      '"{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Chart.AppVersion }}"',
      '          args: ["--worker={{ .Values.worker.repo }}:{{ .Values.worker.version }}"]\n',
    ),
    'templates/metrics.yaml': `{{ if .Values.metrics.enabled }}\n${deployment('metrics', '{{ .Values.metrics.image }}')}\n{{ end }}`,
    ...(literal ? { 'templates/job.yaml': deployment('job', `${registry.host}/shop/job:9`) } : {}),
  })

const push = (name: string): Promise<void> => {
  const [repository = '', tag] = name.split(':')
  return pushImage(
    `http://${registry.host}`,
    repository,
    tag,
    buildImage([layerOf({ name: noise(500, name.length) })]),
  )
}

function offer(literal: boolean): void {
  const tgz = shop(literal)
  const index = JSON.stringify({
    apiVersion: 'v1',
    entries: {
      shop: [{ name: 'shop', version: '1.0.0', urls: ['shop.tgz'], digest: digestOf(tgz).slice(7) }],
    },
  })
  server.reload({
    fetch: (request) => new Response(request.url.endsWith('shop.tgz') ? new Uint8Array(tgz) : index),
  })
}

async function bundle(
  images: readonly string[],
  helm: string,
  ...flags: readonly string[]
): Promise<Outcome> {
  const list = images.map((name) => `  - ${registry.host}/${name}\n`).join('')
  writeFileSync(at('spec.yaml'), `charts: ["shop|1.0.0|http://127.0.0.1:${server.port}"]\nimages:\n${list}`)
  return runShell(['export', at('shop.tar'), '--spec', at('spec.yaml'), '--helm', helm, ...flags])
}

const template = (helm: string, ...flags: readonly string[]): string => {
  execFileSync('tar', ['xf', at('shop.tar'), '-C', folder, 'charts/shop-1.0.0.tgz'])
  return execFileSync(helm, ['template', 'x', at('charts/shop-1.0.0.tgz'), ...flags]).toString()
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'prove-'))
  registry = await startDockerRegistry()
  server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  for (const name of ['shop/server:2.5.0', 'shop/worker:1.1', 'shop/metrics:3', 'shop/job:9'])
    await push(name)
})
afterAll(async () => {
  await server.stop(true)
  await registry.stop()
  rmSync(folder, { recursive: true })
})

describe.each([3, 4] as const)('with helm %i', (major) => {
  it('refuses a list that lacks what a chart pulls, and adds it when told to', async () => {
    const helm = await helmBinary(major)
    offer(false)
    rmSync(at('shop.tar'), { force: true })
    const refused = await bundle(['shop/server:2.5.0'], helm)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`${registry.host}/shop/worker:1.1`)
    expect(refused.stderr).toContain('shop pulls it (worker, Deployment/server ')
    expect(refused.stderr).toContain('--add-missing')
    expect(refused.stderr).not.toContain('shop/metrics')
    expect(existsSync(at('shop.tar'))).toBe(false)

    const added = await bundle(['shop/server:2.5.0'], helm, '--add-missing')
    expect(added.stdout).toContain('2 references of 1 chart bound, none still public')
    const listed = await runShell(['inspect', at('shop.tar')])
    expect(listed.stdout).toContain(`${registry.host}/shop/worker:1.1`)
    expect(listed.stdout).toContain('none still public')
  })

  it('writes values that a real helm turns into nothing but private references', async () => {
    const helm = await helmBinary(major)
    offer(false)
    await bundle(['shop/server:2.5.0', 'shop/worker:1.1'], helm)
    const values = await runShell([
      'values',
      at('shop.tar'),
      '--registry',
      'ecr.example/team',
      '--chart',
      'shop',
    ])
    writeFileSync(at('values.yaml'), values.stdout)
    const host = registry.host.replace(':', '-')
    const rendered = template(helm, '-f', at('values.yaml'))
    expect(rendered).toContain(`image: "ecr.example/team/mirrored/${host}/shop/server:2.5.0"`)
    expect(rendered).toContain(`--worker=ecr.example/team/mirrored/${host}/shop/worker:1.1`)
    expect(rendered).not.toContain(registry.host)
    const umbrella: unknown = parse(
      (await runShell(['values', at('shop.tar'), '--registry', 'ecr.example/team'])).stdout,
    )
    expect(umbrella).toEqual({
      ecrAuth: { registry: 'ecr.example' },
      charts: {
        shop: {
          repository: 'oci://ecr.example/team/charts/shop',
          version: '1.0.0',
          values: {
            image: { registry: `ecr.example/team/mirrored/${host}` },
            worker: { repo: `ecr.example/team/mirrored/${host}/shop/worker` },
          },
        },
      },
    })
  })

  it('judges the layers that are really installed', async () => {
    const helm = await helmBinary(major)
    offer(false)
    writeFileSync(at('on.yaml'), 'metrics: { enabled: true }\n')
    const refused = await bundle(
      ['shop/server:2.5.0', 'shop/worker:1.1'],
      helm,
      '--values',
      `shop=${at('on.yaml')}`,
    )
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('shop pulls it (metrics.image, Deployment/metrics ')
    const whole = await bundle(
      ['shop/server:2.5.0', 'shop/worker:1.1', 'shop/metrics:3'],
      helm,
      '--values',
      `shop=${at('on.yaml')}`,
    )
    expect(whole.stdout).toContain('3 references of 1 chart bound, none still public')
  })

  it('finds what no value reaches, says how to reach it, and post-render does', async () => {
    const helm = await helmBinary(major)
    offer(true)
    const outcome = await bundle(['shop/server:2.5.0', 'shop/worker:1.1', 'shop/job:9'], helm)
    expect(outcome.code).toBe(0)
    expect(outcome.stdout).toContain('1 NOT bound')
    const proven = await runShell(['prove', at('shop.tar'), '--helm', helm, '--json'])
    expect(proven.code).toBe(1)
    expect(proven.json.find(({ type }) => type === 'result')).toMatchObject({
      result: {
        proven: false,
        charts: [
          {
            chart: 'shop',
            boundCount: 2,
            open: [
              { reference: `${registry.host}/shop/job:9`, verdict: 'unreachable', need: 'needed' },
              {
                reference: `${registry.host}/shop/metrics:3`,
                path: 'metrics.image',
                verdict: 'not-bundled',
                need: 'on-demand',
                when: 'metrics.enabled is true',
              },
            ],
          },
        ],
      },
    })
    expect(proven.stderr).toContain(`${registry.host}/shop/job:9`)
    const values = await runShell(['values', at('shop.tar'), '--registry', 'ecr.example', '--chart', 'shop'])
    writeFileSync(at('values.yaml'), values.stdout)
    const rendered = template(helm, '-f', at('values.yaml'))
    expect(rendered).toContain(`image: ${registry.host}/shop/job:9`)
    const rewritten = await runShell(['post-render', at('shop.tar'), '--registry', 'ecr.example'], {
      stdin: rendered,
    })
    expect(rewritten.stdout).toBe(
      rendered.replaceAll(registry.host, `ecr.example/mirrored/${registry.host.replace(':', '-')}`),
    )
  })

  it('discovers a spec that exports, and says what a list has wrong', async () => {
    const helm = await helmBinary(major)
    offer(false)
    const chart = `shop|1.0.0|http://127.0.0.1:${server.port}`
    const found = await runShell(['discover', chart, '--helm', helm])
    expect(found.code).toBe(0)
    const images = parseSpec(found.stdout, 'found').groups.flatMap((group) => group.images)
    expect(images.map(({ reference }) => reference.repository)).toEqual(['shop/server', 'shop/worker'])
    expect(found.stdout).toContain(`#   - ${registry.host}/shop/metrics:3`)
    writeFileSync(at('found.yaml'), found.stdout)
    expect(
      await runShell(['export', at('found.tar'), '--spec', at('found.yaml'), '--helm', helm]),
    ).toMatchObject({ code: 0 })
    expect(await runShell(['discover', '--check', at('found.yaml'), '--helm', helm])).toMatchObject({
      code: 0,
    })

    writeFileSync(
      at('old.yaml'),
      `charts: ["${chart}"]\nimages: [${registry.host}/shop/server:2.4.0, ${registry.host}/shop/extra:1]\n`,
    )
    const check = await runShell(['discover', '--check', at('old.yaml'), '--helm', helm])
    expect(check.code).toBe(1)
    expect(check.stdout.split('\n')).toEqual(
      expect.arrayContaining([
        `~ ${registry.host}/shop/server:2.4.0 -> ${registry.host}/shop/server:2.5.0`,
        `+ ${registry.host}/shop/worker:1.1`,
        `- ${registry.host}/shop/extra:1  (no chart pulls it)`,
      ]),
    )
  })

  it('discovers a spec of a folder and of a package, and the spec exports as it is', async () => {
    const helm = await helmBinary(major)
    const files = {
      'local/Chart.yaml': 'apiVersion: v2\nname: local\nversion: 0.1.0\n',
      'local/values.yaml': `image: ${registry.host}/shop/server:2.5.0\n`,
      'local/templates/pod.yaml':
        'apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ name: a, image: "{{ .Values.image }}" }] }\n',
    }
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(at(path)), { recursive: true })
      writeFileSync(at(path), text)
    }
    writeFileSync(at('local.tgz'), await packFolder(at('local'), './local'))
    for (const chart of ['local', 'local.tgz']) {
      const found = await runShell(['discover', at(chart), '--helm', helm])
      expect(found).toMatchObject({ code: 0 })
      const near = relative(process.cwd(), at(chart))
      expect(found.stdout).toContain(`repository: ${near}\n`)
      const spec = found.stdout.replace(`repository: ${near}`, `repository: ./${chart}`)
      writeFileSync(at('local.yaml'), spec)
      const made = await runShell(['export', at('local.tar'), '--spec', at('local.yaml'), '--helm', helm])
      expect(made).toMatchObject({ code: 0 })
      const inspected = await runShell(['inspect', at('local.tar'), '--json'])
      expect(inspected.stdout).toContain('"local:0.1.0"')
      expect(inspected.stdout).not.toContain(folder)
    }
  })
})

describe('without helm', () => {
  it('says that nothing is proven, and goes on', async () => {
    offer(false)
    const list = `charts: ["shop|1.0.0|http://127.0.0.1:${server.port}"]\nimages: [${registry.host}/shop/server:2.5.0]\n`
    writeFileSync(at('spec.yaml'), list)
    const outcome = await runShell(['export', at('bare.tar'), '--spec', at('spec.yaml')], {
      env: { PATH: folder },
    })
    expect(outcome.code).toBe(0)
    expect(outcome.stderr).toContain('judged by what was measured')
    const values = await runShell(['values', at('bare.tar'), '--registry', 'ecr.example', '--chart', 'shop'])
    expect(parse(values.stdout)).toEqual({
      image: { registry: `ecr.example/mirrored/${registry.host.replace(':', '-')}` },
    })
    expect((await runShell(['inspect', at('bare.tar')])).stdout).toContain('Proof: none')
    expect(readFileSync(at('bare.tar')).length).toBeGreaterThan(0)
    const proven = await runShell(['prove', at('bare.tar')], { env: { PATH: folder } })
    expect(proven.code).toBe(2)
    expect(proven.stderr).toContain('--helm')
  })
})
