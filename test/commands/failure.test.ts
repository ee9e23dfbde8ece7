import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import { FailuresError, type Failure } from '../../src/bundle/run/failures.ts'
import { defineBundleCommand } from '../../src/cli/command.ts'
import { describeFailure } from '../../src/bundle/run/failure-report.ts'
import { createStyle } from '../../src/cli/ui/style.ts'
import { failureText } from '../../src/cli/ui/failure-text.ts'
import { BundleError, integrityError, usageError, type ErrorKind } from '../../src/lib/errors.ts'
import { runShell, type Outcome, type ShellOptions } from '../support/shell.ts'

/** A run that fails with this. */
async function failing(
  error: unknown,
  argv: readonly string[] = [],
  options: ShellOptions = {},
): Promise<Outcome> {
  const command = defineBundleCommand({
    name: 'fail',
    description: 'Fails.',
    examples: [],
    args: {},
    run: async () => {
      throw error
    },
  })
  const commands = { fail: { group: 'look' as const, description: 'Fails', load: async () => command } }
  return runShell(['fail', ...argv], { commands, ...options })
}

const image = (name: string, error: unknown): Failure => ({ kind: 'image', name, error })
const denied = (name: string): BundleError =>
  new BundleError(`${name} is not for you`, { kind: 'auth', where: `source ${name}`, next: 'log in' })

describe('an error of a command', () => {
  it.each<[ErrorKind, number]>([
    ['failed', 1],
    ['usage', 2],
    ['auth', 3],
    ['network', 4],
    ['integrity', 5],
    ['cancelled', 130],
  ])('of kind %s ends with code %i', async (kind, code) => {
    expect((await failing(new BundleError('no', { kind }))).code).toBe(code)
  })

  it('says what, where and what next, and no more', async () => {
    const cause = new Error('socket hang up', { cause: new Error('ECONNRESET') })
    const error = new BundleError('the blob cannot be read', {
      kind: 'network',
      where: 'source q.io/x:1',
      next: 'try again',
      cause,
    })
    const { stdout, stderr } = await failing(error)
    expect(stdout).toBe('')
    expect(stderr).toBe('error: the blob cannot be read\n  where: source q.io/x:1\n  next:  try again\n')
  })

  it('shows its causes with --verbose, each once', async () => {
    const cause = new Error('socket hang up', { cause: new Error('socket hang up', { cause: 'ECONNRESET' }) })
    const { stderr } = await failing(new BundleError('no', { kind: 'network', cause }), ['--verbose'])
    expect(stderr).toBe('error: no\n  cause: socket hang up\n  cause: ECONNRESET\n')
  })

  it('survives a cause that is its own cause', async () => {
    const cause = new Error('round')
    cause.cause = cause
    expect((await failing(new BundleError('no', { kind: 'failed', cause }), ['-v'])).stderr).toContain(
      'cause: round',
    )
  })

  it('is a bug when nobody meant it for people; the stack is for those who ask', async () => {
    const quiet = await failing(new TypeError('x is not a function'))
    expect(quiet.code).toBe(1)
    expect(quiet.stderr).toMatch(
      /^error: this is a bug in ma-bundle: TypeError: x is not a function\n {2}next:/,
    )
    expect(quiet.stderr).not.toMatch(/\n\s+at /)
    expect((await failing(new TypeError('x'), ['--verbose'])).stderr).toMatch(/\n\s+at .*failure\.test\.ts/)
    expect((await failing(new TypeError('x'), [], { env: { MA_BUNDLE_DEBUG: '1' } })).stderr).toMatch(
      /\n\s+at /,
    )
    expect((await failing('a string')).stderr).toContain('bug in ma-bundle: a string')
  })

  it.each([
    ['ENOSPC', 1, 'the disk is full'],
    ['EROFS', 1, 'read-only'],
    ['EACCES', 1, 'denies access'],
    ['ECONNREFUSED', 4, 'connection is refused'],
    ['ENOTFOUND', 4, 'host name is not known'],
  ])('has words for %s', async (code, exitCode, words) => {
    const { code: actual, stderr } = await failing(Object.assign(new Error('syscall failed'), { code }))
    expect(actual).toBe(exitCode)
    expect(stderr).toContain(words)
    expect(stderr).toContain(code)
    expect(stderr).toContain('next:')
    expect(stderr).not.toContain('bug')
  })

  it('cannot steer the terminal', async () => {
    const { stderr } = await failing(new BundleError('\u001B[2Jgone\u0007\rover', { kind: 'failed' }))
    expect(stderr).toBe('error: ⟨U+001B⟩[2Jgone⟨U+0007⟩ over\n')
  })

  it('keeps lines of its own, indented', async () => {
    expect((await failing(usageError('two things:\n- a\n- b'))).stderr).toBe(
      'error: two things:\n    - a\n    - b\n',
    )
  })

  it('is a document with --json', async () => {
    const { json, stderr } = await failing(
      integrityError('sha256 differs', { where: 'layer', next: 'fetch again' }),
      ['--json'],
    )
    expect(json).toEqual([
      {
        type: 'error',
        kind: 'integrity',
        exitCode: 5,
        message: 'sha256 differs',
        where: 'layer',
        next: 'fetch again',
        causes: [],
      },
    ])
    expect(stderr).toContain('error: sha256 differs')
  })

  it('has a stack that says where in the program it is, and not where that lies', () => {
    const error = new Error("ENOENT: no such file or directory, open '/home/alice/secrets/x'")
    error.stack = [
      `Error: ${error.message}`,
      '    at run (/home/alice/work/ma-bundle/src/commands/export.ts:12:3)',
      '    at file:///home/alice/work/ma-bundle/node_modules/tar/dist/index.js:1:2',
      '    at native:1:11',
    ].join('\n')
    const { stack = '' } = describeFailure(error)
    expect(stack).toContain("open '…/x'")
    expect(stack).toContain('at run (…/src/commands/export.ts:12:3)')
    expect(stack).toContain('at …/tar/dist/index.js:1:2')
    expect(stack).not.toContain('alice')
    const real = describeFailure(new TypeError('x')).stack ?? ''
    expect(real).toContain('/failure.test.ts:')
    expect(real).not.toContain(join(import.meta.dirname, '..', '..'))
  })

  it('never carries a stack in --json', async () => {
    const { stdout } = await failing(new TypeError('x'), ['--json', '--verbose'])
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'bug', exitCode: 1 })
    expect(stdout).not.toContain('failure.test.ts')
  })
})

describe('many failures', () => {
  const failures = [
    image(
      'a.io/slow:1',
      new BundleError('no answer from a.io', { kind: 'network', next: 'check the network' }),
    ),
    image('q.io/b:1', denied('q.io/b:1')),
    image('q.io/a:1', denied('q.io/a:1')),
    {
      kind: 'chart',
      name: 'jaeger 3.2.0',
      error: integrityError('the chart is damaged', { next: 'report it' }),
    } as const,
  ]

  it('come worst first, those of one reason together, each with its next step', async () => {
    const { code, stderr } = await failing(
      new FailuresError('4 of 60 failed', failures, 'mend these and run again'),
    )
    expect(code).toBe(1)
    expect(stderr).toBe(
      [
        'error: 4 of 60 failed',
        '',
        'damaged: chart jaeger 3.2.0',
        '  the chart is damaged',
        '  next:  report it',
        '',
        'not permitted (2): q.io/a:1 is not for you',
        '  image q.io/a:1',
        '  image q.io/b:1',
        '  next:  log in',
        '',
        'unavailable: image a.io/slow:1',
        '  no answer from a.io',
        '  next:  check the network',
        '',
        'next:  mend these and run again',
        '',
      ].join('\n'),
    )
  })

  it('are one thing to fix when a host answers them alike', async () => {
    const refused = (name: string, host = 'a.io') =>
      image(
        `${host}/${name}:1`,
        new BundleError(
          `${host} answered 401 to GET https://${host}/v2/${name}/manifests/1: UNAUTHORIZED: authentication required`,
          { kind: 'auth', next: `log in (docker login ${host})` },
        ),
      )
    const { stderr } = await failing(
      new FailuresError('3 of 60 failed', [refused('x'), refused('y'), refused('x', 'b.io')]),
    )
    expect(stderr).toContain(
      [
        'not permitted (2): a.io answered 401: UNAUTHORIZED: authentication required',
        '  image a.io/x:1',
        '  image a.io/y:1',
        '  next:  log in (docker login a.io)',
        '',
        'not permitted: image b.io/x:1',
        '  b.io answered 401 to GET https://b.io/v2/x/manifests/1: UNAUTHORIZED: authentication required',
        '  next:  log in (docker login b.io)',
      ].join('\n'),
    )
  })

  it.each<[string, readonly Failure[], number]>([
    ['one kind', [image('a', denied('a')), image('b', denied('b'))], 3],
    ['several kinds', failures, 1],
    ['a bug among them', [image('a', denied('a')), image('b', new TypeError('x'))], 1],
  ])('of %s have its code', async (_, list, code) => {
    expect((await failing(new FailuresError('some failed', list))).code).toBe(code)
  })

  it('are all in the JSON document', async () => {
    const { json } = await failing(new FailuresError('4 failed', failures), ['--json'])
    expect(json).toHaveLength(1)
    expect(json[0]).toMatchObject({
      type: 'error',
      kind: 'failed',
      exitCode: 1,
      failures: [
        { root: 'chart', name: 'jaeger 3.2.0', error: { kind: 'integrity', exitCode: 5 } },
        { root: 'image', name: 'q.io/a:1', error: { kind: 'auth', next: 'log in' } },
        { root: 'image', name: 'q.io/b:1' },
        { root: 'image', name: 'a.io/slow:1' },
      ],
    })
  })

  it('are still told after Ctrl-C, with the code of Ctrl-C', () => {
    const report = describeFailure(new FailuresError('1 failed', [image('a', denied('a'))]), true)
    expect(report.exitCode).toBe(130)
    expect(failureText(report, createStyle(false), false)).toContain('a is not for you')
  })
})

describe('after Ctrl-C', () => {
  it('whatever breaks is the stop itself', async () => {
    const signal = AbortSignal.abort(new Error('any'))
    for (const error of [new TypeError('x'), new DOMException('aborted', 'AbortError'), denied('a')]) {
      const { code, stderr } = await failing(error, [], { signal })
      expect(code).toBe(130)
      expect(stderr).toBe(
        'error: stopped\n  next:  run the same command again: what is done is not done twice\n',
      )
    }
  })
})

describe('secrets', () => {
  const canary = 'S3cr3tCanary42'
  const texts = [
    `GET https://bucket.example/blob?X-Amz-Signature=${canary}&x=y failed`,
    `https://user:${canary}@registry.example/v2/`,
    `Authorization: Basic ${canary}=`,
    `{"authorization":"Bearer ${canary}"}`,
    `sent Bearer ${canary} to it`,
    `password=${canary}`,
  ]

  it.each(texts)('do not leave in %j', async (text) => {
    const error = new BundleError(text, { kind: 'failed', where: text, next: text, cause: new Error(text) })
    for (const flags of [['--verbose'], ['--json', '--verbose']]) {
      for (const thrown of [error, new FailuresError(text, [image(text, error)], text), new Error(text)]) {
        const { stdout, stderr } = await failing(thrown, flags)
        expect(stdout + stderr).not.toContain(canary)
        expect(stderr).toContain('***')
      }
    }
  })
})
