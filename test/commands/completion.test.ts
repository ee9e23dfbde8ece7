import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { describe, expect, it } from 'vitest'

import { flagText, isFlag } from '../../src/cli/args/flags.ts'
import { commands } from '../../src/commands/table.ts'
import { runShell } from '../support/shell.ts'

const exec = promisify(execFile)

/** What a real bash offers for these words, the last one being typed. */
async function offered(...words: string[]): Promise<string[]> {
  const { stdout: script } = await runShell(['completion', 'bash'])
  const ask = `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ma_bundle; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await exec('bash', ['-c', ask, 'bash', ...words])
  return stdout.split('\n').filter((line) => line !== '')
}

describe('completion in bash', () => {
  it('offers commands', async () => {
    const all = await offered('ma-bundle', '')
    for (const name of Object.keys(commands)) expect(all).toContain(name)
    expect(await offered('ma-bundle', 'complet')).toEqual(['completion'])
  })

  it('offers the flags of the command', async () => {
    expect(await offered('ma-bundle', 'completion', '--verb')).toEqual(['--verbose'])
    expect(await offered('ma-bundle', 'completion', '--no-')).toEqual(['--no-color'])
    expect(await offered('ma-bundle', 'import', '--chart')).toEqual(['--chart-prefix'])
    expect(await offered('ma-bundle', 'export', '--chart-prefix-of-nothing')).toEqual([])
  })

  it('offers names beside files, shells, and commands to help', async () => {
    expect(await offered('ma-bundle', 'export', '--spec', 'migration-assistant-2')).toEqual([
      'migration-assistant-2.6.4',
    ])
    expect(await offered('ma-bundle', 'completion', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(await offered('ma-bundle', 'help', 'expo')).toEqual(['export'])
  })

  it('offers the choices of a flag, after a space and after =', async () => {
    const choices = ['IMMUTABLE', 'IMMUTABLE_WITH_EXCLUSION']
    expect(await offered('ma-bundle', 'import', '--tag-mutability', 'IMM')).toEqual(choices)
    expect(await offered('ma-bundle', 'import', '--tag-mutability', '=', 'IMM')).toEqual(choices)
  })
})

/** What a real fish offers, one a line, with its description after a tab. */
async function inFish(line: string): Promise<string[]> {
  const { stdout: script } = await runShell(['completion', 'fish'])
  const ask = `${script}\ncomplete -C ${JSON.stringify(line)}`
  const { stdout } = await exec('fish', ['--no-config', '-c', ask], { cwd: import.meta.dirname })
  return stdout.split('\n').filter((offer) => offer !== '')
}

describe('completion in fish', () => {
  it('offers commands, flags, choices and names', async () => {
    expect(await inFish('ma-bundle complet')).toEqual([expect.stringMatching(/^completion\tPrints a script/)])
    expect(await inFish('ma-bundle import --chart')).toEqual([expect.stringMatching(/^--chart-prefix\t/)])
    expect(await inFish('ma-bundle import --tag-mutability IMMUTABLE_')).toEqual([
      expect.stringMatching(/^IMMUTABLE_WITH_EXCLUSION/),
    ])
    expect(await inFish('ma-bundle export --spec migration-assistant-2')).toEqual([
      expect.stringMatching(/^migration-assistant-2\.6\.4/),
    ])
    expect(await inFish('ma-bundle export --spec completion')).toEqual([
      expect.stringMatching(/^completion\.test\.ts/),
    ])
    expect(await inFish('ma-bundle completion ')).toEqual(['bash', 'fish', 'zsh'])
    expect(await inFish('ma-bundle help expo')).toEqual(['export'])
    expect(await inFish('ma-bundle export --no-pr')).toEqual([
      expect.stringMatching(/^--no-prove\tDo not render/),
    ])
  })
})

/** Types each line into a real, interactive zsh, presses Tab and waits for what should come. Ends only when all came. */
async function typeIntoZsh(lines: readonly (readonly [typed: string, comes: string])[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zsh-'))
  try {
    await writeFile(join(folder, '_ma-bundle'), (await runShell(['completion', 'zsh'])).stdout)
    const asks = lines.map(
      ([typed, comes]) =>
        `zpty -w -n z ${quoted(typed)}$'\\t'; zpty -r -m z out "*"${quoted(comes)}"*"; print -r -- ${quoted(comes)}; zpty -w -n z $'\\x15'`,
    )
    const script = `
zmodload zsh/zpty
zpty z env TERM=dumb zsh -f -i
zpty -w z "fpath=(${folder} \\$fpath); autoload -U compinit; compinit -u -D; print rea''dy"
zpty -r -m z out '*ready*'
${asks.join('\n')}
zpty -d z`
    const { stdout } = await exec('zsh', ['-f', '-c', script], { timeout: 20_000 })
    return stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}

const quoted = (text: string): string => `'${text}'`

describe('completion in zsh', () => {
  it('completes commands, flags, choices and names', async () => {
    const comes = ['etion', 'prefix=', 'ITH_EXCLUSION', '.6.4', 'sh', 'ort', 'ove']
    const typed = [
      'ma-bundle compl',
      'ma-bundle import --chart-',
      'ma-bundle import --tag-mutability IMMUTABLE_W',
      'ma-bundle export --spec migration-assistant-2',
      'ma-bundle completion fi',
      'ma-bundle help exp',
      'ma-bundle export --no-pr',
    ]
    const pairs = typed.map((line, at) => [line, comes[at] ?? ''] as const)
    expect((await typeIntoZsh(pairs)).trim().split('\n')).toEqual(comes)
  })
})

describe('completion scripts', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s name every command and flag', async (shell) => {
    const { code, stdout, stderr } = await runShell(['completion', shell])
    expect([code, stderr]).toEqual([0, ''])
    for (const [name, row] of Object.entries(commands)) {
      expect(stdout).toContain(name)
      for (const [arg, def] of Object.entries((await row.load()).spec.args)) {
        if (isFlag(def))
          expect(stdout).toContain(flagText(arg, def).replace(/^--/, shell === 'fish' ? '-l ' : '--'))
      }
    }
    expect(stdout).not.toContain('undefined')
  })

  it('are refused for other shells, and documents with --json', async () => {
    const { code, stderr } = await runShell(['completion', 'fsh'])
    expect(code).toBe(2)
    expect(stderr).toContain('did you mean fish?')
    const { json } = await runShell(['completion', 'zsh', '--json'])
    expect(json).toMatchObject([{ type: 'result', command: 'completion', result: { shell: 'zsh' } }])
  })
})
