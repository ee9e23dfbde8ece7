import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { exportBundle, importBundle, MaBundleError, openBundle, type BundleEvent } from '../../src/index.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { checkJsonLines } from '../support/schema.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let folder: string
let small: SmallBundle
let target: RegistryDouble
const env = {}
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'api-'))
  ;[small, target] = await Promise.all([makeSmallBundle(), startDouble()])
})
afterAll(async () => {
  await Promise.all([small.remove(), target.stop()])
  rmSync(folder, { recursive: true })
})

async function errorOf(promise: Promise<unknown>): Promise<MaBundleError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof MaBundleError) return error
  throw new Error(`it did not fail as it has to: ${String(error)}`)
}

describe('exportBundle', () => {
  it('writes the same bytes as the command line, tells its steps, and prints nothing', async () => {
    const events: BundleEvent[] = []
    const writes = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write'))
    const result = await exportBundle(at('a.tar'), {
      spec: small.spec,
      env,
      onEvent: (event) => void events.push(event),
    })
    expect(writes.map(({ mock }) => mock.calls)).toEqual([[], []])
    for (const write of writes) write.mockRestore()
    expect(new Uint8Array(readFileSync(at('a.tar')))).toEqual(small.bytes)
    expect(result).toMatchObject({ bundle: 'a.tar', size: small.bytes.length, proof: [] })
    expect(result.roots.map(({ kind }) => kind)).toEqual(['image', 'image', 'chart', 'file'])
    checkJsonLines(JSON.stringify({ type: 'result', command: 'export', result }))
    for (const event of events) checkJsonLines(JSON.stringify(event))
    expect(new Set(events.map(({ type }) => type))).toContain('transferred')
  })

  it('takes platforms, and passes mirrors, groups and locks on', async () => {
    const only = await exportBundle(at('b.tar'), { spec: small.spec, env, platforms: ['linux/amd64'] })
    expect(only.size).toBeLessThan(small.bytes.length)
    const mirrors = { 'registry.invalid': [small.source.host] }
    writeFileSync(at('far.yaml'), 'images: [registry.invalid/team/two:2]\n')
    const far = await exportBundle(at('far.tar'), { spec: at('far.yaml'), env, mirrors })
    expect(far.roots[0]?.from).toBe(`${small.source.host}/team/two`)
    expect(
      await errorOf(exportBundle(at('c.tar'), { spec: small.spec, env, groups: ['none'] })),
    ).toMatchObject({
      kind: 'usage',
      exitCode: 2,
    })
    const locked = await exportBundle(at('d.tar'), { spec: small.spec, env, lock: `${small.file}.lock.json` })
    expect(locked.size).toBe(small.bytes.length)
  })

  it('fails with everything that failed, in words for people', async () => {
    writeFileSync(
      at('bad.yaml'),
      `images: [${small.source.host}/team/none:1, ${small.source.host}/team/gone:2]\n`,
    )
    const error = await errorOf(exportBundle(at('bad.tar'), { spec: at('bad.yaml'), env }))
    expect(error).toMatchObject({ kind: 'failed', exitCode: 1 })
    expect(error.failures.map(({ name }) => name).toSorted()).toEqual(
      ['gone:2', 'none:1'].map((name) => `${small.source.host}/team/${name}`),
    )
    expect(error.failures[0]?.error.message).toContain('404')
    expect(error.cause).toBeUndefined()
  })

  it('refuses values that the command line would refuse', async () => {
    const wrong = (options: object): Promise<MaBundleError> =>
      errorOf(exportBundle(at('e.tar'), { spec: small.spec, env, ...options }))
    expect(await wrong({ concurrency: 1000 })).toMatchObject({ kind: 'usage', where: 'option "concurrency"' })
    expect(await wrong({ platforms: ['moon'] })).toMatchObject({ kind: 'usage' })
    expect(await wrong({ groups: 'all' })).toMatchObject({ kind: 'usage', message: 'a list belongs here' })
    expect(await wrong({ lock: ['a'] })).toMatchObject({ kind: 'usage', message: 'one value belongs here' })
  })

  it('stops when it is told to, and goes on when it is called again', async () => {
    const controller = new AbortController()
    const onEvent = ({ type }: BundleEvent): void => {
      if (type === 'transferred') controller.abort()
    }
    const stopped = await errorOf(
      exportBundle(at('f.tar'), {
        spec: small.spec,
        env,
        concurrency: 1,
        onEvent,
        signal: controller.signal,
      }),
    )
    expect(stopped).toMatchObject({ kind: 'cancelled', exitCode: 130 })
    expect(await errorOf(exportBundle(at('f.tar'), { env, signal: AbortSignal.abort() }))).toMatchObject({
      kind: 'cancelled',
    })
    const again = await exportBundle(at('f.tar'), { spec: small.spec, env })
    expect(again.kept).toBeGreaterThan(0)
    expect(new Uint8Array(readFileSync(at('f.tar')))).toEqual(small.bytes)
  })
})

describe('importBundle', () => {
  it('pushes once, says what is where, and writes the values', async () => {
    const options = { registry: target.host, values: at('values.yaml'), prefix: 'here', env }
    const first = await importBundle(small.file, options)
    expect(first.roots.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual([
      'image pushed',
      'image pushed',
      'chart pushed',
    ])
    expect(first.roots[0]?.repository).toMatch(/^here\/127\.0\.0\.1-\d+\/team\/one$/)
    expect(readFileSync(at(first.values ?? ''), 'utf8')).toContain(target.host)
    checkJsonLines(JSON.stringify({ type: 'result', command: 'import', result: first }))
    const again = await importBundle(small.file, options)
    expect(new Set(again.roots.map(({ outcome }) => outcome))).toEqual(new Set(['unchanged']))
  })

  it('logs in with what it is given, and shows no password in an error', async () => {
    const guarded = await startDouble({ access: { kind: 'basic', username: 'me', password: 'open sesame' } })
    const options = { registry: guarded.host, values: at('values.yaml'), env }
    const login = { registry: guarded.host, username: 'me' }
    try {
      const done = await importBundle(small.file, {
        ...options,
        credentials: [{ ...login, password: 'open sesame' }],
      })
      expect(done.roots).toHaveLength(3)
      const refused = await errorOf(
        importBundle(small.file, { ...options, credentials: [{ ...login, password: 'wrong-secret' }] }),
      )
      expect(refused).toMatchObject({ kind: 'auth', exitCode: 3 })
      expect(JSON.stringify([refused, refused.message, refused.stack])).not.toContain('wrong-secret')
    } finally {
      await guarded.stop()
    }
  })

  it('mends what the registry lost when it is told to look', async () => {
    const options = { registry: target.host, values: at('values.yaml'), prefix: 'mended', env }
    const { roots } = await importBundle(small.file, options)
    const repository = roots.find(({ name }) => name.endsWith('team/two:2'))?.repository ?? ''
    const [lost] = target.contents.blobs.get(repository)?.keys() ?? []
    target.contents.blobs.get(repository)?.delete(lost ?? '')
    const outcomes = async (repair?: 'missing'): Promise<readonly string[]> =>
      (await importBundle(small.file, { ...options, ...(repair === undefined ? {} : { repair }) })).roots.map(
        ({ outcome }) => outcome,
      )
    expect(await outcomes()).not.toContain('pushed')
    expect(await outcomes('missing')).toContain('pushed')
    expect(target.contents.blobs.get(repository)?.has(lost ?? '')).toBe(true)
    const wrong = { ...options, repair: 'all' as 'missing' }
    expect(await errorOf(importBundle(small.file, wrong))).toMatchObject({ exitCode: 2 })
  })

  it('says that nobody is there', async () => {
    const error = await errorOf(
      importBundle(small.file, { registry: '127.0.0.1:9', values: at('v.yaml'), env }),
    )
    expect([error.kind, error.exitCode]).toEqual(['network', 4])
  })
})

describe('openBundle', () => {
  it('tells contents, report and values, and verifies every byte', async () => {
    await using bundle = await openBundle(small.file, { env })
    expect(bundle).toMatchObject({
      file: 'bundle.tar',
      name: 'small',
      version: '1.0.0',
      size: small.bytes.length,
    })
    expect(bundle.items.map(({ name }) => name)).toEqual([
      `${small.source.host}/team/one:1`,
      `${small.source.host}/team/two:2`,
      'web:1.2.3',
      'index.yaml',
    ])
    expect(await bundle.report()).toMatchObject({ name: 'small', verdict: 'none' })
    expect((await bundle.values({ registry: 'private.example' }))?.umbrella).toContain('private.example')
    expect(await bundle.verify()).toMatchObject({ damaged: [], entries: expect.any(Number) })
  })

  it('tells damage as a result, and what is no bundle as an error', async () => {
    const bytes = new Uint8Array(small.bytes)
    bytes[bytes.length - 5000] = (bytes[bytes.length - 5000] ?? 0) ^ 1
    writeFileSync(at('damaged.tar'), bytes)
    const bundle = await openBundle(at('damaged.tar'), { env })
    expect((await bundle.verify({ concurrency: 2 })).damaged).toHaveLength(1)
    await bundle.close()
    writeFileSync(at('text.tar'), 'no tar')
    expect(await errorOf(openBundle(at('text.tar')))).toMatchObject({ kind: 'integrity', exitCode: 5 })
    expect(await errorOf(openBundle(at('nowhere.tar')))).toMatchObject({
      kind: 'usage',
      where: 'nowhere.tar',
    })
  })
})
