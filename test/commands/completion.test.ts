import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { describe, expect, it } from 'vitest'

import { flagText, isFlag } from '../../src/commands/flags.ts'
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

  it('offers the choices of a flag, after a space and after =', async () => {
    const choices = ['IMMUTABLE', 'IMMUTABLE_WITH_EXCLUSION']
    expect(await offered('ma-bundle', 'import', '--tag-mutability', 'IMM')).toEqual(choices)
    expect(await offered('ma-bundle', 'import', '--tag-mutability', '=', 'IMM')).toEqual(choices)
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
