import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { forged } from '../support/forge.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { runShell } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'ma-bundle-foreign-text-'))
const at = (name: string): string => join(folder, name)
/** Ends a comment, steers a terminal, turns the direction, is markup. */
const NAME = 'shop\u0085pwned: {a: b}\u2028#\u001b]0;x\u0007\u009b2J\u202e <img src=x> `|` &#8238;'
const LOUD = /[^\P{Cc}\n\t]|[\p{Cf}\p{Zl}\p{Zp}]|^pwned/mu

let small: SmallBundle
let target: RegistryDouble
beforeAll(async () => {
  small = await makeSmallBundle()
  target = await startDouble({})
  writeFileSync(
    at('hostile.tar'),
    forged(small.bytes, () => ({ name: NAME, version: NAME })),
  )
})
afterAll(async () => {
  await target.stop()
  await small.remove()
  rmSync(folder, { recursive: true })
})

it('says nothing of a hostile bundle that steers a terminal or looks like another line', async () => {
  for (const args of [
    ['inspect', at('hostile.tar')],
    ['inspect', at('hostile.tar'), '--json'],
    ['inspect', at('hostile.tar'), '--html', at('page.html')],
    ['report', at('hostile.tar')],
    ['report', at('hostile.tar'), '--json'],
    ['diff', small.file, at('hostile.tar')],
    ['diff', small.file, at('hostile.tar'), '--json'],
    ['import', at('hostile.tar'), '--registry', target.host, '--values', at('values.yaml')],
    ['values', at('hostile.tar'), '--registry', target.host],
    ['values', at('hostile.tar'), '--registry', target.host, '--format', 'k3s'],
    ['verify', at('hostile.tar')],
  ]) {
    const { code, stdout, stderr } = await runShell(args)
    expect([code, args[0]], stderr).toEqual([0, args[0]])
    expect(stdout + stderr, args.join(' ')).not.toMatch(LOUD)
  }
})

it('tells programs the name as it is', async () => {
  const { json } = await runShell(['inspect', at('hostile.tar'), '--json'])
  expect(json.at(-1)?.['result']).toMatchObject({ name: NAME, version: NAME })
})

it('writes no file that holds it raw', () => {
  const written = readdirSync(folder).filter((name) => !/\.tar$|^spec|\.d$/.test(name))
  expect(written).toContain('values.yaml')
  expect(written).toContain('hostile.tar.report.md')
  for (const name of written) expect(readFileSync(at(name), 'utf8'), name).not.toMatch(LOUD)
  const title = readFileSync(at('hostile.tar.report.md'), 'utf8').split('\n')[0]
  expect(title).toContain('# shop⟨U+0085⟩pwned')
  expect(title).toContain(String.raw`⟨U+202E⟩ &lt;img src=x> \`\|\` &amp;#8238;`)
})
