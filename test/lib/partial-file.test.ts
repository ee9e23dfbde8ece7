import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openFileWriter } from '../../src/archive/file-writer.ts'
import { isAt, lockPath, openPartial } from '../../src/lib/bytes/partial-file.ts'

let folder: string
const at = (name: string): string => join(folder, name)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partial-'))
  return () => rmSync(folder, { recursive: true })
})

describe('openPartial', () => {
  it('lets one in at a time, and says which process that is', async () => {
    const first = await openPartial(at('b'))
    await expect(openPartial(at('b'))).rejects.toMatchObject({
      kind: 'failed',
      message: `another run is writing it: process ${process.pid}`,
      where: 'b',
    })
    await expect(lockPath(at('b'))).rejects.toMatchObject({ kind: 'failed' })
    await first.close()
    const second = await openPartial(at('b'))
    await second.close()
  })

  it('keeps what was left, unless it is to be fresh', async () => {
    writeFileSync(at('b.partial'), 'left')
    const kept = await openPartial(at('b'))
    expect((await kept.stat()).size).toBe(4)
    await kept.close()
    const fresh = await openPartial(at('b'), { fresh: true })
    expect((await fresh.stat()).size).toBe(0)
    await fresh.close()
  })

  it('writes through no link of either kind, and into nothing that is no file', async () => {
    writeFileSync(at('victim'), 'precious')
    symlinkSync(at('victim'), at('soft.partial'))
    await expect(openPartial(at('soft'))).rejects.toMatchObject({ code: 'ELOOP' })
    linkSync(at('victim'), at('hard.partial'))
    const hard = await openPartial(at('hard'))
    await hard.write('mine')
    await hard.close()
    expect(readFileSync(at('victim'), 'utf8')).toBe('precious')
    execFileSync('mkfifo', [at('pipe.partial')])
    await expect(openPartial(at('pipe'))).rejects.toMatchObject({ kind: 'usage', where: 'pipe.partial' })
  })
})

describe('lockPath', () => {
  it('leaves nothing behind, but what an unfinished run left', async () => {
    await (await lockPath(at('b'))).release()
    expect(existsSync(at('b.partial'))).toBe(false)
    writeFileSync(at('b.partial'), 'left')
    const lock = await lockPath(at('b'))
    await lock.release()
    await lock.release()
    expect(readFileSync(at('b.partial'), 'utf8')).toBe('left')
  })
})

it('the final name is given to the file that was opened, or not at all', async () => {
  const medium = await openFileWriter(at('b'))
  await medium.resize(10)
  renameSync(at('b.partial'), at('elsewhere'))
  writeFileSync(at('b.partial'), 'planted')
  await expect(medium.publish()).rejects.toMatchObject({
    kind: 'failed',
    message: expect.stringContaining('was replaced while it was written') as string,
  })
  expect(existsSync(at('b'))).toBe(false)
  await medium.close(true)
})

it('knows whether an open file is the one at a path', async () => {
  const handle = await openPartial(at('b'))
  expect(await isAt(handle, at('b.partial'))).toBe(true)
  symlinkSync(at('b.partial'), at('link'))
  expect(await isAt(handle, at('link'))).toBe(false)
  expect(await isAt(handle, at('none'))).toBe(false)
  await handle.close()
})
