import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative as pathTo, resolve } from 'node:path'

import { describe, expect, it } from 'vitest'

/** Imports go to a lower level or stay in the folder, so the four of level 2 know nothing of each other. */
const levels: Readonly<Record<string, number>> = {
  'cli.ts': 8,
  'index.ts': 8,
  commands: 7,
  cli: 6,
  api: 5,
  setup: 4,
  bundle: 3,
  registry: 2,
  helm: 2,
  archive: 2,
  aws: 2,
  oci: 1,
  lib: 0,
}

/** The rooms of `bundle`, lowest first: a room imports only rooms before it. */
const rooms = [
  'run',
  'format',
  'spec',
  'resolve',
  'charts',
  'serve',
  'export',
  'media',
  'inspect',
  'merge',
  'extract',
  'import',
  'verify',
  'site',
  'doctor',
]

const root = resolve(import.meta.dirname, '..')
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`)
  .toSorted()
/** Documents, schemas and the launcher too. */
const everything = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => `src/${pathTo(join(root, 'src'), join(parentPath, name))}`)
const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
const codes = new Map([...sources].map(([file, text]) => [file, withoutComments(text)]))

describe('the parser of this test', () => {
  it('sees every kind of import, and no import in a comment or a text', () => {
    const text = [
      "import a, { type B } from './a.ts'",
      "import type {\n  C,\n} from './c.ts'",
      "import './d.ts'",
      "export * from './e.ts'",
      "export { type F } from './f.ts'",
      "const g = await import('./g.ts')",
      "// import x from './x.ts'",
      "/** import y from './y.ts' */",
    ].join('\n')
    expect(importsOf(withoutComments(text)).toSorted()).toEqual(
      ['./a.ts', './c.ts', './d.ts', './e.ts', './f.ts', './g.ts'].toSorted(),
    )
  })

  it('finds the source', () => {
    expect(files.length).toBeGreaterThan(40)
    expect(files).toContain('src/cli.ts')
  })
})

describe('imports', () => {
  it('go to a lower layer or stay in the folder', () => {
    const wrong = localImports().filter(({ from, to }) => {
      const [own, other] = [areaOf(from), areaOf(to)]
      return own !== other && !(levelOf(other) < levelOf(own))
    })
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
  })

  it('go to an earlier room of the bundle or stay in the room', () => {
    const roomOf = (file: string): number => {
      const [, , room = ''] = file.split('/')
      return rooms.indexOf(room.endsWith('.ts') ? 'run' : room)
    }
    const wrong = localImports().filter(
      ({ from, to }) =>
        [from, to].every((file) => file.startsWith('src/bundle/')) && roomOf(to) > roomOf(from),
    )
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
  })

  it('belong to a folder that has a layer', () => {
    expect(files.filter((file) => levels[areaOf(file)] === undefined)).toEqual([])
  })

  it('name an existing file with its extension', () => {
    const wrong = files.flatMap((file) =>
      relative(file)
        .filter((name) => !/\.(ts|json|yaml)$/.test(name) || !exists(join(root, dirname(file), name)))
        .map((name) => `${file}: ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('have no cycle', () => {
    expect(findCycle()).toBeUndefined()
  })

  it('of packages are declared as dependencies', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const { dependencies } = manifest as { dependencies: Record<string, string> }
    const wrong = files.flatMap((file) =>
      packagesOf(file)
        .filter((name) => !Object.hasOwn(dependencies, name))
        .map((name) => `${file}: ${name}`),
    )
    expect(wrong).toEqual([])
  })
})

describe('files', () => {
  it('stand in folders of at most 16 entries', () => {
    const entries = new Map<string, Set<string>>()
    for (const file of everything) {
      const parts = file.split('/')
      for (let at = 1; at < parts.length; at += 1) {
        const folder = parts.slice(0, at).join('/')
        entries.set(folder, (entries.get(folder) ?? new Set()).add(parts[at] ?? ''))
      }
    }
    // The table of commands has a row a command.
    const full = [...entries].filter(([folder, { size }]) => size > 16 && folder !== 'src/commands')
    expect(full.map(([folder]) => folder)).toEqual([])
  })

  it('tell at the head of each room of the bundle what it is for', () => {
    const rooms = new Set(files.flatMap((file) => /^src\/bundle\/([^/]+)\//.exec(file)?.[1] ?? []))
    const silent = [...rooms].filter(
      (room) =>
        !files.some(
          (file) => file.startsWith(`src/bundle/${room}/`) && (sources.get(file) ?? '').startsWith('// '),
        ),
    )
    expect(silent).toEqual([])
  })

  it('have at most 250 lines', () => {
    const long = files.filter((file) => (sources.get(file) ?? '').trimEnd().split('\n').length > 250)
    expect(long).toEqual([])
  })

  it('export no type under a name that another file exports too', () => {
    const owners = Map.groupBy(
      files.flatMap((file) => {
        const declared = (codes.get(file) ?? '').matchAll(
          /^export (?:declare )?(?:interface|type|(?:abstract )?class|enum) (\w+)/gm,
        )
        return [...declared].map(([, name = '']) => ({ file, name }))
      }),
      ({ name }) => name,
    )
    expect(owners.size).toBeGreaterThan(400)
    const shared = [...owners.values()].filter(({ length }) => length > 1)
    expect(shared.flat().map(({ file, name }) => `${name}: ${file}`)).toEqual([])
  })

  it('speak to people only from src/commands', () => {
    expect(filesWith(/\bconsole\s*\./)).toEqual([])
    expect(filesWith(/\bprocess\.(stdout|stderr|exitCode)\b/, /^src\/(cli\.ts|cli\/|commands\/)/)).toEqual([])
    expect(
      files.filter((file) => packagesOf(file).includes('consola') && !/^src\/(cli|commands)\//.test(file)),
    ).toEqual([])
  })

  it('read the environment only in src/cli.ts, src/commands and src/api', () => {
    expect(filesWith(/\b(process|Bun)\.env\b/, /^src\/(cli\.ts|cli\/|commands\/|api\/)/)).toEqual([])
  })

  it('know what kind of medium a bundle lies on only in the room of the media', () => {
    const kinds = /\bisS3\(|\bPIPE\b|\bisSplit\b|\bareVolumes\b|\bparseVolumesPath\b|\bmedium\.kind\b/
    expect(filesWith(kinds, /^src\/(bundle\/media|archive\/volumes|aws\/s3)\//)).toEqual([])
  })

  it('make http requests only in src/lib/http*', () => {
    const clients = ['node:http', 'node:https', 'http', 'https', 'undici', 'https-proxy-agent']
    const http = /^src\/lib\/http/
    const importing = files.filter((file) =>
      importsOf(codes.get(file) ?? '').some((name) => clients.includes(name)),
    )
    expect(importing.filter((file) => !http.test(file))).toEqual([])
    expect(filesWith(/(?:\bawait|\breturn|=>?|[(,?:])\s*fetch\(|\b(globalThis|Bun)\.fetch\b/, http)).toEqual(
      [],
    )
  })

  it('never end the process', () => {
    expect(filesWith(/\bprocess\.(exit|abort|reallyExit)\b/)).toEqual([])
  })

  it('have no any, no suppression and nothing left to do', () => {
    expect(filesWith(/(?::|\bas|<|,|\|)\s*any\b(?!\s*[:(])/)).toEqual([])
    const suppressed = /@ts-(ignore|expect-error|nocheck)|(eslint|oxlint)-disable|\b(TODO|FIXME|XXX)\b/
    expect(files.filter((file) => suppressed.test(sources.get(file) ?? ''))).toEqual([])
  })

  it('swallow no error', () => {
    expect(
      filesWith(
        /\bcatch\s*(\([^)]*\))?\s*\{\s*\}|\.catch\(\s*\(\)\s*=>\s*(\{\s*\}|undefined|null)\s*,?\s*\)/,
      ),
    ).toEqual([])
  })

  it('are modules that Bun runs and compiles as they are', () => {
    expect(filesWith(/\brequire\s*\(|\bmodule\.exports\b|\b__(dirname|filename)\b/)).toEqual([])
    // Bun answers this name with a shim of its own fetch.
    expect(files.filter((file) => packagesOf(file).includes('undici'))).toEqual([])
  })
})

// --- internal ---

/** Code with comments blanked; texts stay, because imports are texts. */
function withoutComments(text: string): string {
  const pattern =
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|(^|[^:\\])\/\/[^\n]*/gm
  return text.replaceAll(
    pattern,
    (_, string: string | undefined, before: string | undefined) => string ?? before ?? '',
  )
}

function importsOf(code: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;=]*?\bfrom\s*'([^']+)'/gm,
    /^\s*import\s*'([^']+)'/gm,
    /\bimport\(\s*'([^']+)'/g,
  ]
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ''))
}

const relative = (file: string): string[] =>
  importsOf(codes.get(file) ?? '').filter((name) => name.startsWith('.'))

function packagesOf(file: string): string[] {
  return importsOf(codes.get(file) ?? '')
    .filter(
      (name) =>
        !name.startsWith('.') && !name.startsWith('node:') && name !== 'bun' && !name.startsWith('bun:'),
    )
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    )
}

/** Imports between files of `src`. */
const localImports = (): { from: string; to: string }[] =>
  files.flatMap((from) =>
    relative(from)
      .map((name) => ({ from, to: normalize(join(dirname(from), name)) }))
      .filter(({ to }) => to.startsWith('src/')),
  )

/** `src/commands/ui/live.ts` -> `commands`; `src/cli.ts` -> `cli.ts`. */
const areaOf = (file: string): string => file.split('/')[1] ?? ''

const levelOf = (area: string): number => levels[area] ?? Number.NaN

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

const filesWith = (pattern: RegExp, allowed?: RegExp): string[] =>
  files.filter((file) => allowed?.test(file) !== true && pattern.test(withoutTexts(codes.get(file) ?? '')))

const withoutTexts = (code: string): string =>
  code.replaceAll(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, "''")

/** Depth first; the first path that comes back to itself. */
function findCycle(): string[] | undefined {
  const next = Map.groupBy(localImports(), ({ from }) => from)
  const done = new Set<string>()
  const walk = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const { to } of next.get(file) ?? []) {
      const found = walk(to, [...path, file])
      if (found !== undefined) return found
    }
    done.add(file)
    return undefined
  }
  for (const file of files) {
    const found = walk(file, [])
    if (found !== undefined) return found
  }
  return undefined
}
