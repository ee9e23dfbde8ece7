// `bun test/documents/flags.ts` renews src/commands/FLAGS.md.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandSpec } from '../../src/cli/command-spec.ts'
import {
  envName,
  flagText,
  hintText,
  isFlag,
  kebab,
  sharedArgs,
  type Flag,
} from '../../src/cli/args/flags.ts'
import { defaultText } from '../../src/cli/help/command.ts'
import { catalogOf } from '../../src/cli/table.ts'
import { commands } from '../../src/commands/table.ts'

export const FLAGS = join(import.meta.dirname, '..', '..', 'src', 'commands', 'FLAGS.md')

/** Every flag of every command in one table, with its variable and its key in the config file. */
export async function flagsDocument(): Promise<string> {
  const specs = await catalogOf(commands).specs()
  const shared = Object.entries(sharedArgs).map(([name, def]) => row(name, def, 'all'))
  const rows = rowsOf(specs).map(({ name, def, users }) => row(name, def, users.join(', ')))
  return `${head}\n${[...shared, ...rows].join('\n')}\n`
}

// --- internal ---

const head = `# Flags, environment variables and the config file

<!-- Made from the code by: bun test/documents/flags.ts -->

Every flag can be given in three places. The first of these that says something counts:

1. the command line: \`--chart-prefix charts\`
2. the environment: \`MA_BUNDLE_CHART_PREFIX=charts\`; an empty variable is as good as none
3. the config file: the section of the command, then the section \`all\`

What none of them says has its default. Of a flag that can be given several times (marked \`…\`) the whole list is taken
from one place: in a variable, values are separated by spaces; in the config file, they are a YAML list. A flag that is
on or off takes \`true\` or \`false\` in a variable and in the file, and \`--flag\` or \`--no-flag\` on the command line.

The config file is the one that \`--config\` or \`MA_BUNDLE_CONFIG\` names, else \`ma-bundle.config.yaml\` of the working
directory, where there is one. Its keys are the flags without their dashes. A name that no command knows is refused, with
the place of the slip.

\`\`\`yaml
all:
  ca-file: [corporate-ca.pem]
export:
  spec: our-list.yaml
  mirror: [docker.io=mirror.gcr.io]
import:
  registry: 123456789012.dkr.ecr.eu-central-1.amazonaws.com
  tag-mutability: IMMUTABLE
\`\`\`

These variables of the system are read too: \`HTTPS_PROXY\`, \`HTTP_PROXY\`, \`ALL_PROXY\` (\`http://\`, \`https://\`, \`socks5://\`,
\`socks5h://\`, each with \`user:password@\` if it requires a login), \`NO_PROXY\`, \`SSL_CERT_FILE\`, \`NODE_EXTRA_CA_CERTS\`, \`DOCKER_CONFIG\`, \`REGISTRY_AUTH_FILE\`, those of the AWS tools (\`AWS_REGION\`, \`AWS_PROFILE\`, …),
\`NO_COLOR\`, and \`TERM=dumb\` and \`CI\`, which give lines in place of the live view. \`MA_BUNDLE_DEBUG=1\` shows the causes of
errors, as \`--verbose\` does.

| flag | default | environment variable | commands | what it does |
|---|---|---|---|---|`

interface Row {
  readonly name: string
  readonly def: Flag
  readonly users: string[]
}

/** One row a flag; where commands mean different things by a name, one for each meaning. */
function rowsOf(specs: readonly CommandSpec[]): readonly Row[] {
  const rows = new Map<string, Row>()
  for (const { name: command, args } of specs) {
    for (const [name, def] of Object.entries(args)) {
      if (!isFlag(def) || Object.hasOwn(sharedArgs, name)) continue
      const key = JSON.stringify([name, { ...def, required: undefined }])
      const known = rows.get(key)
      if (known === undefined) rows.set(key, { name, def, users: [command] })
      else known.users.push(command)
    }
  }
  return [...rows.values()].toSorted((a, b) => (kebab(a.name) < kebab(b.name) ? -1 : 1))
}

function row(name: string, def: Flag, users: string): string {
  const many = def.type !== 'boolean' && def.multiple === true ? ' …' : ''
  const choices = def.type === 'enum' && hintText(def) === '<choice>' ? ` (${def.options.join(', ')})` : ''
  const flag = `\`${`${flagText(name, def)} ${hintText(def)}`.trim()}${many}\``
  return `| ${[flag, defaultOf(def), `\`${envName(name)}\``, users, `${def.description}${choices}`].map(cell).join(' | ')} |`
}

function defaultOf(def: Flag): string {
  if (def.type === 'boolean') return def.default === true ? 'on' : 'off'
  if (def.default !== undefined) return `\`${defaultText(def)}\``
  return def.required === true ? 'required' : ''
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

if (import.meta.main) await writeFile(FLAGS, await flagsDocument())
