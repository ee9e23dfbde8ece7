import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'

import { defineBundleCommand } from '../../src/cli/command.ts'
import type { CommandTable } from '../../src/cli/table.ts'
import { runShell, type Outcome, type ShellOptions } from '../support/shell.ts'

/** Shows what `run` receives. */
const probe = defineBundleCommand({
  name: 'probe',
  description: 'Prints its arguments.',
  examples: [{ command: 'ma-bundle probe x', description: 'an example' }],
  args: {
    bundle: { type: 'positional', description: 'The bundle' },
    more: { type: 'positional', required: false, multiple: true, description: 'More of them' },
    spec: { type: 'string', hint: 'file', alias: 's', description: 'The spec' },
    chartPrefix: { type: 'string', default: 'charts', allowEmpty: true, description: 'Where charts go' },
    mirror: { type: 'string', multiple: true, description: 'Mirrors' },
    format: {
      type: 'enum',
      options: ['umbrella', 'containerd'],
      default: 'umbrella',
      description: 'The format',
    },
    concurrency: { type: 'integer', min: 1, max: 64, default: 8, description: 'At a time' },
    split: { type: 'size', min: 1024, names: { dvd: 4_700_000_000 }, description: 'Volumes' },
    resume: { type: 'boolean', default: true, description: 'Start anew' },
    dryRun: { type: 'boolean', description: 'Write nothing' },
  },
  async run(args, session) {
    expectTypeOf(args.bundle).toEqualTypeOf<string>()
    expectTypeOf(args.more).toEqualTypeOf<readonly string[]>()
    expectTypeOf(args.spec).toEqualTypeOf<string | undefined>()
    expectTypeOf(args.chartPrefix).toEqualTypeOf<string>()
    expectTypeOf(args.mirror).toEqualTypeOf<readonly string[]>()
    expectTypeOf(args.format).toEqualTypeOf<'umbrella' | 'containerd'>()
    expectTypeOf(args.concurrency).toEqualTypeOf<number>()
    expectTypeOf(args.split).toEqualTypeOf<number | undefined>()
    expectTypeOf(args.dryRun).toEqualTypeOf<boolean>()
    expectTypeOf(args.json).toEqualTypeOf<boolean>()
    session.out.write(JSON.stringify(args))
  },
})

const needy = defineBundleCommand({
  name: 'needy',
  description: 'Needs a registry.',
  examples: [],
  args: {
    registry: { type: 'string', hint: 'host', required: true, description: 'The registry' },
    specs: { type: 'string', description: 'Named like a flag of the other command' },
    probeOnly: { type: 'boolean', description: 'Of this command only' },
  },
  async run(args, session) {
    expectTypeOf(args.registry).toEqualTypeOf<string>()
    session.out.write(args.registry)
  },
})

const commands: CommandTable = {
  probe: { group: 'look' as const, description: 'Prints its arguments', load: async () => probe },
  needy: { group: 'look' as const, description: 'Needs a registry', load: async () => needy },
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-args-'))
})
afterAll(async () => rm(folder, { recursive: true }))

const run = async (argv: readonly string[], options: ShellOptions = {}): Promise<Outcome> =>
  runShell(argv, { commands, ...options })

async function argsOf(argv: readonly string[], options: ShellOptions = {}): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(['probe', ...argv], options)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

async function refusal(argv: readonly string[], options: ShellOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(['probe', ...argv], options)
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).not.toMatch(/\n\s+at /)
  return stderr
}

async function configFile(name: string, text: string): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text)
  return file
}

describe('a command line', () => {
  it('gives typed values and defaults', async () => {
    expect(await argsOf(['a.tar'])).toEqual({
      bundle: 'a.tar',
      more: [],
      chartPrefix: 'charts',
      mirror: [],
      format: 'umbrella',
      concurrency: 8,
      resume: true,
      dryRun: false,
      json: false,
      quiet: false,
      verbose: false,
      color: true,
    })
  })

  it('takes flags in every spelling, before and after arguments', async () => {
    const args = await argsOf([
      '--spec=a.yaml',
      'a.tar',
      '--chart-prefix',
      'x',
      'b.tar',
      '--split',
      '4GiB',
      '-q',
      '--no-resume',
    ])
    expect(args).toMatchObject({
      bundle: 'a.tar',
      more: ['b.tar'],
      spec: 'a.yaml',
      chartPrefix: 'x',
      split: 4 * 1024 ** 3,
      quiet: true,
      resume: false,
    })
    expect(await argsOf(['a.tar', '-s', 'b.yaml'])).toMatchObject({ spec: 'b.yaml' })
    expect(await argsOf(['a.tar', '-sb.yaml', '-qv'])).toMatchObject({
      spec: 'b.yaml',
      quiet: true,
      verbose: true,
    })
  })

  it('takes flags before the command', async () => {
    const { code, stdout } = await run(['--quiet', '--no-color', 'probe', 'a.tar'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ bundle: 'a.tar', quiet: true, color: false })
  })

  it('collects repeated flags in their order', async () => {
    expect(await argsOf(['a.tar', '--mirror', 'b=c', '--mirror=d=e,f'])).toMatchObject({
      mirror: ['b=c', 'd=e,f'],
    })
  })

  it('takes everything after -- as arguments, and - as one', async () => {
    expect(await argsOf(['-', '--', '--spec', '-x'])).toMatchObject({ bundle: '-', more: ['--spec', '-x'] })
  })

  it('reads named and plain sizes', async () => {
    expect(await argsOf(['a.tar', '--split', 'dvd'])).toMatchObject({ split: 4_700_000_000 })
    expect(await argsOf(['a.tar', '--split', '650MB'])).toMatchObject({ split: 650_000_000 })
  })

  it('takes an empty value only where that means something', async () => {
    expect(await argsOf(['a.tar', '--chart-prefix', ''])).toMatchObject({ chartPrefix: '' })
    expect(await refusal(['a.tar', '--spec='])).toContain('the value is empty')
    expect(await refusal([''])).toContain('an argument is empty')
  })

  it.each([
    [['a.tar', '--sepc', 'x'], 'unknown flag --sepc', 'did you mean --spec?'],
    [['a.tar', '--dryrun'], 'unknown flag --dryrun', 'did you mean --dry-run?'],
    [['a.tar', '--no-resum'], 'unknown flag --no-resum', 'did you mean --no-resume?'],
    [
      ['a.tar', '--something-else-entirely'],
      'unknown flag --something-else-entirely',
      'ma-bundle probe --help',
    ],
    [['a.tar', '-x'], 'unknown flag -x', 'ma-bundle probe --help'],
    [['a.tar', '--constructor'], 'unknown flag --constructor', 'ma-bundle probe --help'],
    [['a.tar', '--spec'], '--spec needs a value', '--spec=<value>'],
    [['a.tar', '--spec', '--quiet'], '--quiet looks like a flag', '--spec=--quiet'],
    [['a.tar', '--spec', 'a', '--spec', 'b'], '--spec is given twice', 'keep one'],
    [['a.tar', '--no-spec'], '--no-spec does not exist', 'leave the flag out'],
    [['a.tar', '--no-resume=x'], '--no-resume takes no value', ''],
    [['a.tar', '--dry-run=maybe'], '"maybe" is neither true nor false', 'flag --dry-run'],
    [
      ['a.tar', '--format', 'umbrela'],
      '"umbrela" is not a choice',
      'did you mean umbrella? choose one of umbrella, containerd',
    ],
    [['a.tar', '--concurrency', '8x'], '"8x" is not a whole number', 'flag --concurrency'],
    [['a.tar', '--concurrency', '1e3'], '"1e3" is not a whole number', ''],
    [['a.tar', '--concurrency', '65'], '65 is out of range', 'a number from 1 to 64'],
    [['a.tar', '--split', 'floppy'], '"floppy" is not a size', '4GiB or 650MB, or dvd'],
    [['a.tar', '--split', '1kB'], '1000 B is too small', '1.00 KiB or more'],
    [[], '<bundle> is missing: the bundle', 'ma-bundle probe --help'],
  ])('refuses %j', async (argv, message, next) => {
    const text = await refusal(argv)
    expect(text).toContain(`error: `)
    expect(text).toContain(message)
    expect(text).toContain(next)
  })

  it('refuses an argument too many and a required flag too few', async () => {
    const many = await run(['needy', 'x', 'y', '--registry=r'])
    expect(many).toMatchObject({ code: 2 })
    expect(many.stderr).toContain('unexpected argument "x", "y"')
    const few = await run(['needy'])
    expect(few).toMatchObject({ code: 2 })
    expect(few.stderr).toContain('--registry is missing')
    expect(few.stderr).toContain('add --registry <host>, or set MA_BUNDLE_REGISTRY')
  })
})

describe('the environment', () => {
  it('stands in for a flag, and loses to it', async () => {
    const env = {
      MA_BUNDLE_CHART_PREFIX: 'from-env',
      MA_BUNDLE_CONCURRENCY: '4',
      MA_BUNDLE_DRY_RUN: 'yes',
      MA_BUNDLE_RESUME: 'false',
      MA_BUNDLE_MIRROR: 'a=b  c=d',
    }
    expect(await argsOf(['a.tar', '--concurrency=2'], { env })).toMatchObject({
      chartPrefix: 'from-env',
      concurrency: 2,
      dryRun: true,
      resume: false,
      mirror: ['a=b', 'c=d'],
    })
    expect(await argsOf(['a.tar', '--mirror', 'x=y'], { env })).toMatchObject({ mirror: ['x=y'] })
  })

  it('counts as unset when empty', async () => {
    expect(
      await argsOf(['a.tar'], { env: { MA_BUNDLE_CHART_PREFIX: '', MA_BUNDLE_CONCURRENCY: '' } }),
    ).toMatchObject({
      chartPrefix: 'charts',
      concurrency: 8,
    })
  })

  it('satisfies a required flag', async () => {
    expect(await run(['needy'], { env: { MA_BUNDLE_REGISTRY: 'r.example' } })).toMatchObject({
      stdout: 'r.example',
    })
  })

  it('is warned about when it looks like a slip, and only then', async () => {
    const env = {
      MA_BUNDLE_CONCURENCY: '4',
      // Of another command, of nobody, and of the program itself.
      MA_BUNDLE_PROBE_ONLY: 'true',
      MA_BUNDLE_BUILD_NUMBER: '17',
      MA_BUNDLE_DEBUG: '',
    }
    const { code, stderr } = await run(['probe', 'a.tar'], { env })
    expect(code).toBe(0)
    expect(stderr).toBe(
      'warning: nothing reads MA_BUNDLE_CONCURENCY\n  next:  did you mean MA_BUNDLE_CONCURRENCY?\n',
    )
    // One letter away from --spec, but a flag of another command.
    expect((await run(['probe', 'a.tar'], { env: { MA_BUNDLE_SPECS: 'x' } })).stderr).toBe('')
  })

  it('is named in the error', async () => {
    const text = await refusal(['a.tar'], { env: { MA_BUNDLE_CONCURRENCY: 'many' } })
    expect(text).toContain('environment MA_BUNDLE_CONCURRENCY')
  })
})

describe('the config file', () => {
  it('loses to the environment; its own section wins over "all"', async () => {
    const file = await configFile(
      'good.yaml',
      'all:\n  concurrency: 3\n  chart-prefix: from-all\n  mirror: one=two\nprobe:\n  concurrency: 5\n  spec: from-file\n  dry-run: true\n',
    )
    expect(await argsOf(['a.tar', '--config', file], { env: { MA_BUNDLE_SPEC: 'from-env' } })).toMatchObject({
      concurrency: 5,
      chartPrefix: 'from-all',
      mirror: ['one=two'],
      spec: 'from-env',
      dryRun: true,
    })
  })

  it('is found by MA_BUNDLE_CONFIG, and gives lists', async () => {
    const file = await configFile('list.yaml', 'probe:\n  mirror: [a=b, c=d]\n')
    expect(await argsOf(['a.tar'], { env: { MA_BUNDLE_CONFIG: file } })).toMatchObject({
      mirror: ['a=b', 'c=d'],
    })
  })

  it('may hold flags of other commands', async () => {
    const file = await configFile('other.yaml', 'all:\n  registry: r.example\nneedy:\n  probe-only: true\n')
    expect(await argsOf(['a.tar', '--config', file])).toMatchObject({ bundle: 'a.tar' })
    expect(await run(['needy', '--config', file])).toMatchObject({ stdout: 'r.example' })
  })

  it.each([
    ['section.yaml', 'prob:\n  spec: x\n', 'unknown section "prob"', 'did you mean probe?', ':2:3'],
    ['flag.yaml', 'probe:\n  sepc: x\n', 'unknown flag "sepc"', 'did you mean spec?', ':2:9'],
    ['shared.yaml', 'all:\n  regisrty: x\n', 'unknown flag "regisrty"', 'did you mean registry?', ':2:13'],
    ['value.yaml', 'probe:\n  concurrency: lots\n', '"lots" is not a whole number', '', ':2:16'],
    ['several.yaml', 'probe:\n  spec: [a, b]\n', '--spec takes one value, not a list', '', ':2:9'],
    ['map.yaml', 'probe:\n  spec: { a: b }\n', 'takes a text, a number', '', ':2:9'],
    ['shape.yaml', '- probe\n', 'something else where a map belongs', '', ''],
    ['broken.yaml', 'probe: {\n', 'is not YAML', '', ''],
    ['twice.yaml', 'probe:\n  spec: a\n  spec: b\n', 'is not YAML', '', ':3:3'],
  ])('%s is refused with its position', async (name, text, message, next, position) => {
    const file = await configFile(name, text)
    const told = await refusal(['a.tar', '--config', file])
    expect(told).toContain(message)
    expect(told).toContain(next)
    expect(told).toContain(name + position)
  })

  it('does not let aliases multiply', async () => {
    const levels = Array.from({ length: 12 }, (_, at) =>
      at === 0
        ? 'a0: &a0 [x, x, x, x, x, x, x, x, x]'
        : `a${at}: &a${at} [${Array(9)
            .fill(`*a${at - 1}`)
            .join(', ')}]`,
    )
    const file = await configFile('bomb.yaml', `${levels.join('\n')}\n`)
    expect(await refusal(['a.tar', '--config', file])).toContain('the config file is not acceptable')
  })

  it('must be there when it is asked for', async () => {
    expect(await refusal(['a.tar', '--config', join(folder, 'none.yaml')])).toContain(
      'cannot be read: no such file',
    )
  })
})

describe('the help of a command', () => {
  it('shows usage, arguments, defaults, variables and examples in 80 columns', async () => {
    const { code, stdout, stderr } = await run(['probe', '--help', 'all'])
    expect(code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toContain('ma-bundle probe <bundle> [<more> …] [options]')
    expect(stdout).toContain('-s, --spec <file>')
    expect(stdout).toContain('default charts; env MA_BUNDLE_CHART_PREFIX')
    expect(stdout).toContain('--format <umbrella|containerd>')
    expect(stdout).toContain('repeatable; env MA_BUNDLE_MIRROR')
    expect(stdout).toContain('--[no-]resume')
    expect(stdout).toContain('default on; env MA_BUNDLE_RESUME')
    expect(stdout).toContain('# an example\n  ma-bundle probe x')
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  it('is also found by -h, by help, and when something else is wrong', async () => {
    const { stdout } = await run(['probe', '--help'])
    expect((await run(['probe', '-h'])).stdout).toBe(stdout)
    expect((await run(['help', 'probe'])).stdout).toBe(stdout)
    expect((await run(['probe', '--nonsense', '--help'])).stdout).toBe(stdout)
  })
})
