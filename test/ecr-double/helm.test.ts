import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startEcr } from '../support/ecr/server.ts'
import { helmBinary } from '../support/helm.ts'

interface Setting {
  readonly major: 3 | 4
  readonly tls: boolean
  readonly login: readonly string[]
  readonly flags: readonly string[]
}

/** helm 3 takes loopback for plain http, except to list tags, which it does over TLS: no setting suits both. */
const SETTINGS: readonly Setting[] = [
  { major: 3, tls: false, login: ['--insecure'], flags: [] },
  { major: 4, tls: false, login: ['--plain-http'], flags: ['--plain-http'] },
  { major: 4, tls: true, login: ['--ca-file', 'CA'], flags: ['--ca-file', 'CA'] },
]

describe('a real helm', () => {
  test.each(SETTINGS)(
    '$major pushes, pulls and renders a chart, tls: $tls',
    async ({ major, tls, login, flags }) => {
      const ecr = await startEcr({ tls })
      ecr.createRepository('charts/demo')
      const cwd = await mkdtemp(join(tmpdir(), 'ecr-double-helm-'))
      const env = { PATH: process.env['PATH'], HOME: cwd, HELM_REGISTRY_CONFIG: join(cwd, 'login.json') }
      const helm = async (...args: readonly string[]) => {
        const stdin = Buffer.from(atob(ecr.token()).slice('AWS:'.length))
        const real = args.map((arg) => (arg === 'CA' ? ecr.caFile : arg))
        const child = Bun.spawn([await helmBinary(major), ...real], {
          cwd,
          env,
          stdin,
          stdout: 'pipe',
          stderr: 'pipe',
        })
        const [out, err, code] = await Promise.all([
          new Response(child.stdout).text(),
          new Response(child.stderr).text(),
          child.exited,
        ])
        if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${err}`)
        return out
      }
      await helm('create', 'demo')
      await helm('package', 'demo', '--version', '1.2.3')
      await helm('registry', 'login', ecr.registry, '--username', 'AWS', '--password-stdin', ...login)
      await expect(helm('push', 'demo-1.2.3.tgz', `oci://${ecr.registry}/none`, ...flags)).rejects.toThrow()
      await helm('push', 'demo-1.2.3.tgz', `oci://${ecr.registry}/charts`, ...flags)
      expect(Object.keys(ecr.tags())).toEqual(['charts/demo:1.2.3'])
      await rm(join(cwd, 'demo-1.2.3.tgz'))
      await helm('pull', `oci://${ecr.registry}/charts/demo`, '--version', '1.2.3', ...flags)
      expect(await readdir(cwd)).toContain('demo-1.2.3.tgz')
      const version = major === 3 ? ['--version', '1.2.3'] : []
      const rendered = await helm('template', `oci://${ecr.registry}/charts/demo`, ...version, ...flags)
      expect(rendered).toContain('helm.sh/chart: demo-1.2.3')
      expect(ecr.log.requests('GET', /./, 's3').map(({ status }) => status)).not.toContain(400)
      expect(ecr.log.count('ListImages')).toBe(major === 3 ? 0 : 1)
      expect(ecr.log.errors).toEqual([])
      await ecr.stop()
      await rm(cwd, { recursive: true })
    },
  )
})
