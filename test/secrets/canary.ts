import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { runShell, type Outcome } from '../support/shell.ts'

const secret = (name: string): string => `${name}x${crypto.randomUUID().replaceAll('-', '')}`
const key = (): string => crypto.randomUUID().replaceAll('-', '').slice(0, 16).toUpperCase()

/** Words that may be nowhere but where they belong. */
export const CANARIES = {
  user: secret('user'),
  password: secret('pw'),
  stdin: secret('stdin'),
  identity: secret('identity'),
  bearer: secret('bearer'),
  registryToken: secret('rtoken'),
  awsKeyId: `ASIA${key()}`,
  /** Of a store that speaks like S3, where it is the name of a user. */
  storeUser: secret('storeuser'),
  awsSecret: secret('awssecret'),
  awsSession: secret('awssession'),
  proxyUser: secret('proxyuser'),
  proxyPassword: secret('proxypw'),
  presigned: secret('signature'),
  helper: secret('helper'),
  /** Part of every path of this machine that a run sees. */
  path: secret('path'),
} as const

/** Ways to speak. */
export const WAYS = [
  { flags: [], debug: false },
  { flags: ['--json'], debug: false },
  { flags: ['--verbose'], debug: false },
  { flags: ['--json', '--verbose'], debug: false },
  { flags: ['--verbose'], debug: true },
  { flags: ['--json'], debug: true },
]

export interface Run {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
}

/** A place whose path is a canary, and runs in it. */
export interface CanaryPlace {
  readonly folder: string
  /** A new folder, for one run. */
  readonly place: () => string
  /** Runs in each way of speaking, each in a folder of its own, and looks through all that is said and written. */
  readonly everyWay: (
    what: string,
    run: (at: string) => Promise<Run> | Run,
    code: number | readonly number[],
    /** Paths that were given, which commands to run next may name. */
    given?: (at: string) => readonly string[],
  ) => Promise<readonly Outcome[]>
  readonly remove: () => void
}

/** @param own files that the tests themselves put there */
export function createCanaryPlace(own: readonly string[] = []): CanaryPlace {
  const folder = mkdtempSync(join(tmpdir(), `${CANARIES.path}-`))
  let made = 0
  const place = (): string => {
    made += 1
    const path = join(folder, `run-${made}`)
    mkdirSync(path)
    return path
  }
  return {
    folder,
    place,
    everyWay: (what, run, code, given = () => []) =>
      Promise.all(
        WAYS.map(async ({ flags, debug }) => {
          const at = place()
          const { args, env = {}, stdin = '' } = await run(at)
          const outcome = await runShell([...args, ...flags], {
            env: { ...environment(at), ...(debug ? { MA_BUNDLE_DEBUG: '1' } : {}), ...env },
            stdin,
          })
          const way = `${what} ${flags.join(' ')}${debug ? ' debug' : ''}`
          const named = given(at).reduce((text, path) => text.replaceAll(path, ''), outcome.stdout)
          expectClean(`${way} stdout`, named)
          expectClean(`${way} stderr`, outcome.stderr)
          expect([code].flat(), `${what}: ${outcome.stderr}`).toContain(outcome.code)
          expect(outcome.stderr).not.toContain('bug in ma-bundle')
          expectFolderClean(way, at, own)
          return outcome
        }),
      ),
    remove: () => rmSync(folder, { recursive: true }),
  }
}

export const environment = (at: string): Record<string, string> => ({
  HOME: at,
  DOCKER_CONFIG: at,
  XDG_STATE_HOME: at,
  PATH: `${at}:/usr/bin:/bin`,
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: CANARIES.awsSecret,
  AWS_SESSION_TOKEN: CANARIES.awsSession,
  AWS_EC2_METADATA_DISABLED: 'true',
})

export const basic = (): string => Buffer.from(`${CANARIES.user}:${CANARIES.password}`).toString('base64')

/** No word of them, plain, in base64 or as in a URL. */
export function expectClean(where: string, text: string): void {
  for (const [name, canary] of Object.entries(CANARIES)) {
    const forms = [canary, Buffer.from(canary).toString('base64').slice(0, -4), encodeURIComponent(canary)]
    const found = forms.find((form) => text.includes(form))
    const at = found === undefined ? -1 : text.indexOf(found)
    expect(
      `${where}: ${name} ${at < 0 ? 'is not in it' : `in …${text.slice(Math.max(0, at - 200), at + 60)}`}`,
    ).toBe(`${where}: ${name} is not in it`)
  }
  expect(text).not.toContain(basic())
}

/** Nor in any file, or the name of one. */
export function expectFolderClean(what: string, folder: string, own: readonly string[] = []): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    expectClean(`${what} name`, name)
    const file = join(folder, name)
    if (!statSync(file).isFile() || own.includes(name)) continue
    expectClean(`${what} ${name}`, readFileSync(file, 'latin1'))
  }
}
