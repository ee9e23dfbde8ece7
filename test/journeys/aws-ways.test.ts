import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { EXAMPLE_KEY } from '../support/ecr/signature.ts'
import { portOf } from '../support/name-proxy.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { startSocksProxy, type SocksProxy } from '../support/socks-proxy.ts'

/** As from a machine outside: the real names, behind a bastion, with a CA that nobody knows; and a role in between. */
const REGISTRY = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
const BUCKET = 'prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com'
const ROLE = 'arn:aws:iam::123456789012:role/importer'
const SESSION = {
  accessKeyId: 'ASIAIMPORTERROLE0000',
  secretAccessKey: 'secret-of-the-role',
  sessionToken: 'session-of-the-role',
  arn: 'arn:aws:sts::123456789012:assumed-role/importer/nightly',
}
const LOGIN = { user: 'me', password: 'p@ss/word' }

let bundle: SmallBundle
let home: string
let double: Ecr
let proxy: SocksProxy
beforeAll(async () => {
  bundle = await makeSmallBundle()
  home = mkdtempSync(join(tmpdir(), 'aws-ways-'))
})
afterEach(async () => {
  await Promise.all([proxy.stop(), double.stop()])
})
afterAll(async () => {
  await bundle.remove()
  rmSync(home, { recursive: true })
})

async function start(externalId?: string): Promise<void> {
  double = await startEcr({
    quotas: 'none',
    downloadOrigin: `https://${BUCKET}`,
    accessKeys: [
      // Whoever has these may do nothing but assume the role.
      { ...EXAMPLE_KEY, denied: ['GetAuthorizationToken', 'CreateRepository'] },
      { ...SESSION, role: { arn: ROLE, ...(externalId === undefined ? {} : { externalId }) } },
    ],
  })
  const ports: Readonly<Record<string, number>> = {
    [REGISTRY]: portOf(double.registry),
    'api.ecr.eu-central-1.amazonaws.com': portOf(double.endpoint),
    'sts.eu-central-1.amazonaws.com': portOf(double.endpoint),
    [BUCKET]: portOf(double.downloadOrigin),
  }
  proxy = await startSocksProxy({ portOf: (host) => ports[host], login: LOGIN })
}

const run = (command: string, config: string, ...more: readonly string[]): Promise<Outcome> => {
  const file = join(home, 'config')
  writeFileSync(
    file,
    `[profile ci]\naws_access_key_id = ${EXAMPLE_KEY.accessKeyId}\naws_secret_access_key = ${EXAMPLE_KEY.secretAccessKey}\nca_bundle = ${double.caFile}\n${config}`,
  )
  const place = command === 'import' ? [bundle.file, '--values', join(home, 'values.yaml')] : []
  return runShell([command, ...place, '--registry', REGISTRY, '--profile', 'ci', ...more], {
    env: {
      HOME: home,
      AWS_CONFIG_FILE: file,
      HTTPS_PROXY: `socks5h://${LOGIN.user}:${encodeURIComponent(LOGIN.password)}@${proxy.address}`,
    },
  })
}

test('an import through a bastion, by a role, with the CA of the profile for every call', async () => {
  await start('x-1')
  const role = ['--role-arn', `registry=${ROLE}`, '--external-id', 'x-1', '--role-session-name', 'nightly']
  const imported = await run('import', '', ...role)
  expect(imported.stderr).not.toContain('error')
  expect(imported.code).toBe(0)
  expect(Object.keys(double.tags())).toHaveLength(3)
  // Names are looked up beyond the bastion only, and connections are kept: a handful, not one a request.
  expect(new Set(proxy.asked)).toEqual(
    new Set([
      'sts.eu-central-1.amazonaws.com:443',
      'api.ecr.eu-central-1.amazonaws.com:443',
      `${REGISTRY}:443`,
    ]),
  )
  expect(double.log.count('AssumeRole')).toBe(1)
  expect(proxy.asked.length).toBeLessThan(double.log.entries.length)
  const verified = await run('doctor', '', ...role)
  expect(verified.stdout).toContain('arn:aws:sts::123456789012:assumed-role/importer/nightly')
  expect(verified.stdout).toContain(`${REGISTRY} is looked up by the proxy`)
  expect(verified.code).toBe(0)
  expect(verified.stdout + verified.stderr).not.toContain('p@ss')
})

test('the same role by role_arn of a profile, with FIPS switched off and on by it', async () => {
  await start()
  const profile = `[profile role]\nrole_arn = ${ROLE}\nsource_profile = ci\nca_bundle = ${double.caFile}\n`
  const imported = await run('import', profile, '--profile', 'registry=role')
  expect(imported.code, imported.stderr).toBe(0)
  const fips = await run('doctor', `${profile}use_fips_endpoint = true\n`, '--profile', 'registry=role')
  // The double has no FIPS endpoint beyond the bastion, so it shows where the calls go.
  expect(fips.stdout).toContain('api.ecr-fips.eu-central-1.amazonaws.com')
  expect(proxy.asked).toContain('api.ecr-fips.eu-central-1.amazonaws.com:443')
})

test('a role that wants an external id says so, and gets it by the flag that is named', async () => {
  await start('x-1')
  const refused = await run('import', '', '--role-arn', ROLE)
  expect(refused.code).toBe(3)
  expect(refused.stderr).toContain('sts:AssumeRole failed')
  expect(refused.stderr).toContain('--external-id')
  expect((await run('import', '', '--role-arn', ROLE, '--external-id', 'x-1')).code).toBe(0)
})

test('a proxy that wants a login, or is not there, is the network, not AWS', async () => {
  await start()
  const file = join(home, 'config')
  const wrong = await runShell(['doctor', '--registry', REGISTRY], {
    env: { HOME: home, AWS_CONFIG_FILE: file, HTTPS_PROXY: `socks5://other:wrong@${proxy.address}` },
  })
  expect(wrong.code).toBe(1)
  expect(wrong.stdout).toContain(`the SOCKS proxy ${proxy.address} does not take this login`)
  const imported = await runShell(['import', bundle.file, '--registry', REGISTRY], {
    env: { HOME: home, ...EXAMPLE, HTTPS_PROXY: `socks5://other:wrong@${proxy.address}` },
  })
  expect(imported.code).toBe(4)
})

const EXAMPLE = {
  AWS_ACCESS_KEY_ID: EXAMPLE_KEY.accessKeyId,
  AWS_SECRET_ACCESS_KEY: EXAMPLE_KEY.secretAccessKey,
}
