import { basename } from 'node:path'
import { createRegistry } from '../bundle/serve/serve.ts'
import { catalogOf } from '../bundle/serve/catalog.ts'
import { BundleError, messageOf, usageError } from '../lib/errors.ts'
import { formatBytes, plural } from '../lib/format.ts'
import { startHttpServer, type ServedRequest } from '../lib/http/server.ts'
import { readSmall, whyUnreadable } from '../lib/bytes/small-file.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { layoutArgs, namesOf } from '../cli/flags/registry.ts'
import type { CommandSession } from '../cli/session.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

const { registry: _registry, ...nameArgs } = layoutArgs

export default defineBundleCommand({
  name: 'serve',
  description:
    'A read-only registry straight out of a bundle, until Ctrl-C: everything can be pulled by the name it has at its ' +
    'source (quay.io/x/y:1 as /quay.io/x/y:1) and by the one an import gives it (mirrored/quay.io/x/y:1, ' +
    'charts/<name>). Nothing is unpacked, and wrong bytes are never sent to their end.',
  examples: [
    { command: 'ma-bundle serve bundle.tar', description: 'for skopeo, helm and containerd on this machine' },
    {
      command: 'ma-bundle serve bundle.tar --listen 0.0.0.0:5000 --tls-cert cert.pem --tls-key key.pem',
      description: 'for the whole network, with TLS',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to serve' },
    listen: {
      type: 'string',
      hint: 'host:port',
      default: '127.0.0.1:5000',
      description: 'Where to listen; port 0 takes one that is free',
    },
    tlsCert: { type: 'string', hint: 'file', description: 'Certificate (PEM) to speak TLS with' },
    tlsKey: { type: 'string', hint: 'file', description: 'Its key (PEM)' },
    ...nameArgs,
    ...volumesArgs,
    ...awsArgs,
    ...signatureArgs,
  },
  async run(args, session) {
    const { host, port } = addressOf(args.listen)
    const tls = await readTls(args.tlsCert, args.tlsKey)
    await withBundle(args.bundle, { ...session, ...args }, async ({ bundle, file }) => {
      const layout = { registry: '', path: '', ...namesOf(args) }
      const catalog = await catalogOf(bundle, layout)
      session.signal.throwIfAborted()
      const server = await startHttpServer({
        host,
        port,
        ...(tls === undefined ? {} : { tls }),
        answer: logged(createRegistry(bundle, catalog), session),
        onCut: ({ path }, error) => {
          session.emit({
            type: 'warning',
            message: `${messageOf(error)}; the connection was ended before the last piece`,
            where: `GET ${path}`,
            ...(error instanceof BundleError && error.next !== undefined ? { next: error.next } : {}),
          })
        },
      })
      const url = `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${server.port}`
      const absent = bundle.contents?.absent ?? []
      if (absent.length > 0) {
        session.emit({
          type: 'warning',
          message: `the bundle leaves out ${plural(absent.length, 'blob')}: what needs them cannot be pulled from here`,
          next: 'export it without --since to serve all of it',
        })
      }
      session.result(
        { bundle: basename(args.bundle), url, size: file.size, repositories: catalog.names },
        () =>
          `${basename(args.bundle)} (${formatBytes(file.size)}, ${plural(catalog.names.length, 'repository', 'repositories')}) ` +
          `is served at ${url}; Ctrl-C stops it.\n${catalog.names.map((name) => `  ${name}\n`).join('')}`,
      )
      try {
        await stopped(session.signal)
      } finally {
        await server.close()
      }
    })
  },
})

// --- internal ---

type Answer = ReturnType<typeof createRegistry>

/** `--verbose` shows each request. */
const logged =
  (answer: Answer, session: CommandSession): Answer =>
  async (request: ServedRequest) => {
    const given = await answer(request)
    if (session.verbose) session.note(`${given.status} ${request.method} ${request.path}\n`)
    return given
  }

const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

function addressOf(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, bare, written = ''] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(written)
  if (written === '' || port > 65_535) {
    throw usageError(`--listen "${text}" is not host:port`, {
      next: 'write it as in 127.0.0.1:5000 or [::1]:5000',
    })
  }
  return { host: bracketed ?? (bare || '0.0.0.0'), port }
}

async function readTls(
  cert: string | undefined,
  key: string | undefined,
): Promise<{ readonly cert: string; readonly key: string } | undefined> {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined)
    throw usageError('--tls-cert and --tls-key go together', { next: 'give both, or none for plain http' })
  return { cert: await readPem(cert, 'CERTIFICATE'), key: await readPem(key, 'PRIVATE KEY') }
}

async function readPem(file: string, what: string): Promise<string> {
  const bytes = await readSmall(file).catch((error: unknown) => {
    throw usageError(`cannot read ${basename(file)}: ${whyUnreadable(error)}`, { cause: error })
  })
  const text = bytes.toString('utf8')
  if (!text.includes(`${what}-----`)) throw usageError(`${basename(file)} holds no PEM ${what.toLowerCase()}`)
  return text
}
