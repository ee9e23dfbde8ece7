import { caFilesOf } from '../aws/config/config.ts'
import { createEcr } from '../aws/ecr/client.ts'
import { parseEcrHost } from '../aws/host.ts'
import { callerIdentity } from '../aws/identity.ts'
import { ecrLogin } from '../aws/ecr/login.ts'
import { doctor, type Check } from '../bundle/doctor/doctor.ts'
import type { EcrPatient } from '../bundle/doctor/ecr.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { createHttp } from '../lib/http/client.ts'
import { plural } from '../lib/format.ts'
import { createEndpoints } from '../registry/endpoint.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes } from '../bundle/run/exit.ts'
import type { Args } from '../cli/args/flags.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf } from '../cli/flags/registry.ts'
import type { CommandSession } from '../cli/session.ts'
import { oneLine, type Style } from '../cli/ui/style.ts'

const { concurrency: _, ...connectionArgs } = networkArgs
const args = { ...layoutArgs, ...ecrArgs, ...connectionArgs }
type DoctorArgs = Args<typeof args>

/** A person waits in front of it: give up earlier than a transfer would. */
const STALL_SECONDS = 15
const ATTEMPTS = 3

export default defineBundleCommand({
  name: 'doctor',
  description:
    'Looks at what an import into a registry needs: DNS, connection, clock, credentials, permissions, disk. Changes nothing.',
  examples: [
    {
      command: 'ma-bundle doctor --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
      description: 'from where the import will run',
    },
    { command: 'ma-bundle doctor --registry registry.example.com --json', description: 'for programs' },
  ],
  args,
  async run(args, session) {
    const layout = layoutOf(args)
    const { registry } = layout
    const { env, signal } = session
    const ecr = await patientOf(args, layout, session)
    try {
      const network = await openNetwork({ ...args, concurrency: 1 }, session, { home: registry })
      const { client } = network
      const caFiles = caFilesOf(await session.aws('registry'), args.caFile)
      // Client certificates are read with the network; without them there is a more impatient way.
      const http =
        args.clientCert.length > 0 ? network.http : createHttp({ env, caFiles, stallSeconds: STALL_SECONDS })
      const origin = await createEndpoints(http, args.insecureRegistry)(registry)
      const checks: Check[] = []
      const examination = { registry, origin, client, http, env, signal, folder: '.' }
      for await (const check of doctor(ecr === undefined ? examination : { ...examination, ecr })) {
        checks.push(check)
        session.out.write(lineOf(check, session.style))
      }
      const failures = checks.filter(({ status }) => status === 'fail').length
      const warnings = checks.filter(({ status }) => status === 'warn').length
      session.result({ registry, checks, failures, warnings }, () => summaryOf(failures, warnings))
      return failures > 0 ? exitCodes.failed : exitCodes.ok
    } finally {
      ecr?.ecr.close()
    }
  },
})

// --- internal ---

async function patientOf(
  args: DoctorArgs,
  layout: Layout,
  session: CommandSession,
): Promise<EcrPatient | undefined> {
  const host = parseEcrHost(layout.registry)
  if (host === undefined && args.endpointUrl === undefined) return undefined
  const { signal } = session
  const aws = await session.aws('registry')
  const caFiles = args.caFile
  const ecr = createEcr({
    ...(host === undefined ? {} : { host }),
    ...(args.region === undefined ? {} : { region: args.region }),
    ...(args.endpointUrl === undefined ? {} : { endpointUrl: args.endpointUrl }),
    aws,
    caFiles,
    signal,
    attempts: ATTEMPTS,
  })
  const below = (prefix: string): string => [layout.path, prefix].filter((part) => part !== '').join('/')
  return {
    ecr,
    login: ecrLogin(ecr),
    whoAmI: () => callerIdentity({ region: ecr.region, aws, caFiles, signal }),
    prefixes: [...new Set([below(layout.prefix), below(layout.chartPrefix)])],
  }
}

function lineOf({ name, status, detail, fix }: Check, style: Style): string {
  const paint = { ok: style.green, warn: style.yellow, fail: style.red }[status]
  const line = `${paint(status.padEnd(4))}  ${style.bold(name)}: ${oneLine(detail)}\n`
  return fix === undefined ? line : `${line}      ${style.cyan('fix')}: ${oneLine(fix)}\n`
}

function summaryOf(failures: number, warnings: number): string {
  if (failures > 0)
    return `\n${plural(failures, 'failure')}, ${plural(warnings, 'warning')}: an import would not succeed\n`
  return warnings > 0
    ? `\n${plural(warnings, 'warning')}, nothing that stops an import\n`
    : '\nall checks passed\n'
}
