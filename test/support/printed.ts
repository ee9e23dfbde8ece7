import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { runProgram } from './program.ts'

/** What a person who does exactly what an import printed ends up with. */
export interface Installed {
  /** Commands as they were run. */
  readonly commands: readonly string[]
  /** Rendered manifests by release, hooks included: those of a person's helm, and those of the installer in the cluster. */
  readonly releases: Readonly<Record<string, string>>
  /** What kubectl was given. */
  readonly applied: readonly string[]
}

export interface PrintedOptions {
  /** A real helm. */
  readonly helm: string
  /** The proxy, the authority, … */
  readonly env: Readonly<Record<string, string>>
  /** What `aws ecr get-login-password` answers. */
  readonly password: string
  /** For charts that ask for a newer cluster than helm knows. */
  readonly kubeVersion?: string
}

/**
 * Runs the commands behind `Next:` in a shell, with a real helm that renders where it would install, and then what the
 * consumer chart's installer Job would run in the cluster, from the script that was rendered.
 */
export async function doWhatIsPrinted(
  stdout: string,
  cwd: string,
  options: PrintedOptions,
): Promise<Installed> {
  const commands = stdout
    .split('\n')
    .flatMap((line) => (line.startsWith('Next: ') ? [line.slice('Next: '.length)] : []))
  const bin = join(cwd, 'bin-printed')
  const out = join(cwd, 'rendered')
  await mkdir(bin, { recursive: true })
  await mkdir(out, { recursive: true })
  const version = options.kubeVersion === undefined ? '' : `--kube-version ${options.kubeVersion}`
  await program(
    bin,
    'helm',
    `case "$1 $2" in
'upgrade --install')
  shift 2; release=$1; n=0
  for word; do shift; [ "$word" = --wait ] || set -- "$@" "$word"; done
  exec '${options.helm}' template "$@" ${version} > '${out}'/"$release".yaml;;
esac
exec '${options.helm}' "$@"`,
  )
  await program(
    bin,
    'kubectl',
    `for word; do [ -f "$word" ] && cp "$word" '${out}'/applied-$$.yaml; done; exit 0`,
  )
  await program(bin, 'aws', `printf '%s' '${options.password}'`)
  const home = join(cwd, 'home')
  await mkdir(home, { recursive: true })
  const env = { PATH: `${bin}:${process.env.PATH ?? ''}`, HOME: home, ...options.env }
  for (const command of commands) await runProgram('sh', ['-ec', command], { cwd, env })
  for (const script of await installers(out)) {
    const file = join(cwd, 'installer.sh')
    await writeFile(file, script)
    await runProgram('sh', ['-e', file], { cwd, env })
  }
  const releases: Record<string, string> = {}
  const applied: string[] = []
  for (const name of await readdir(out)) {
    const text = await readFile(join(out, name), 'utf8')
    if (name.startsWith('applied-')) applied.push(text)
    else releases[name.replace(/\.yaml$/, '')] = text
  }
  return { commands, releases, applied }
}

/** Images of pods and of custom resources, and every other text that names an image by a host, CRDs left out. */
export function imagesIn(manifests: string): {
  readonly pulled: readonly string[]
  readonly named: readonly string[]
} {
  const pulled = new Set<string>()
  const named = new Set<string>()
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      if (key === 'image' && /^[\w./:@-]+$/.test(value)) pulled.add(value)
      for (const [token] of value.matchAll(
        /(?<![\w./:@-])[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?\/[\w./-]+(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?/g,
      ))
        if (/:[\w.-]+$|@/.test(token)) named.add(token)
    } else if (Array.isArray(value)) for (const item of value) walk(item, key)
    else if (typeof value === 'object' && value !== null)
      for (const [inner, item] of Object.entries(value)) walk(item, inner)
  }
  for (const document of parseAllDocuments(manifests, { logLevel: 'silent', uniqueKeys: false })) {
    const object = document.toJS() as { kind?: string } | null
    if (object?.kind !== undefined && object.kind !== 'CustomResourceDefinition') walk(object, '')
  }
  return { pulled: [...pulled], named: [...named] }
}

// --- internal ---

async function program(folder: string, name: string, text: string): Promise<void> {
  const file = join(folder, name)
  await writeFile(file, `#!/bin/sh\n${text}\n`)
  await chmod(file, 0o755)
}

/** The part of an installer's script that installs charts: each with its values, as the consumer chart writes it. */
async function installers(folder: string): Promise<readonly string[]> {
  const scripts: string[] = []
  for (const name of await readdir(folder)) {
    const documents = parseAllDocuments(await readFile(join(folder, name), 'utf8'), { logLevel: 'silent' })
    for (const document of documents) {
      const object = document.toJS() as { kind?: string } | null
      if (object?.kind !== 'Job') continue
      const text = JSON.stringify(object)
      if (text.includes('helm upgrade --install')) scripts.push(installsIn(textsOf(object)))
    }
  }
  return scripts
}

function textsOf(value: unknown): string {
  if (typeof value === 'string') return `${value}\n`
  if (typeof value !== 'object' || value === null) return ''
  return Object.values(value).map(textsOf).join('')
}

/** `VALUES_B64=…`, its decoding and each `helm upgrade --install`, without what waits, retries and logs in. */
function installsIn(script: string): string {
  const lines = script.split('\n').map((line) => line.trim())
  const kept: string[] = []
  for (const [at, line] of lines.entries()) {
    if (/^(?:VALUES_B64=|echo "\$VALUES_B64"|VALUE_PARAM=)/.test(line)) kept.push(line)
    if (!/^helm upgrade --install\b/.test(line)) continue
    const command = [line]
    for (let next = at + 1; command.at(-1)?.endsWith('\\') === true; next += 1)
      command.push(lines[next] ?? '')
    kept.push(command.join(' ').replaceAll('\\ ', ' ').replaceAll('\\', ''))
  }
  return kept.join('\n')
}
