// `bun test/picture/picture.ts` records run.svg: a real export and import of the quick start's images in a real terminal
// (tmux), typed as a person would. The embedded source is slowed down, so that there is something to see.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { helmFolder } from '../quickstart/helm-lines.ts'
import { buildShop, shopSpec, type Shop } from '../quickstart/shop.ts'
import { EXAMPLE_KEY } from '../support/ecr/signature.ts'
import { startEcr } from '../support/ecr/server.ts'
import { startSource } from '../support/source.ts'
import { openTmux } from './tmux.ts'
import { toSvg } from './svg.ts'

const COLUMNS = 98
const ROWS = 20
/** Bytes per second and transfer. */
const PACE = 6_000_000

const root = join(import.meta.dirname, '..', '..')
const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-picture-'))
const shop = await buildShop()
const source = await startSource({ ...shop.source, intercept: paced(shop) })
const ecr = await startEcr({ tls: false, blobMounting: true, quotas: 'none' })
try {
  await prepare()
  const terminal = await openTmux({ columns: COLUMNS, rows: ROWS, cwd: folder, env: await environment() })
  try {
    await terminal.run('ma-bundle plan --spec shop.yaml')
    await terminal.clear()
    await terminal.run('ma-bundle export shop.tar --spec shop.yaml')
    await terminal.clear()
    await terminal.run(`ma-bundle import shop.tar --registry ${ecr.registry}`)
    const description =
      'ma-bundle plan, export and import in a terminal: what an export would be, four images and three charts going into one tar, then into a private registry'
    const svg = toSvg(terminal.frames(), { columns: COLUMNS, rows: ROWS, title: 'ma-bundle', description })
    await writeFile(join(import.meta.dirname, 'run.svg'), svg)
  } finally {
    await terminal.close()
  }
} finally {
  await Promise.all([source.stop(), ecr.stop()])
  await rm(folder, { recursive: true, force: true })
}

// --- internal ---

async function prepare(): Promise<void> {
  await mkdir(join(folder, 'bin'))
  const program = join(folder, 'bin', 'ma-bundle')
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'src', 'cli.ts')}' "$@"\n`)
  await chmod(program, 0o755)
  await writeFile(join(folder, 'shop.yaml'), shopSpec(source.host))
}

/** Nothing of this machine but what programs need; the ECR is not where its name would say. */
async function environment(): Promise<Record<string, string>> {
  const programs = [join(folder, 'bin'), await helmFolder(), process.env.PATH]
  return {
    PATH: programs.filter((part) => part !== undefined).join(':'),
    HOME: folder,
    LANG: 'C.UTF-8',
    DOCKER_CONFIG: folder,
    XDG_STATE_HOME: folder,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: EXAMPLE_KEY.accessKeyId,
    AWS_SECRET_ACCESS_KEY: EXAMPLE_KEY.secretAccessKey,
    MA_BUNDLE_ENDPOINT_URL: ecr.endpoint,
    PS1: '$ ',
  }
}

/** Sends layers at the pace of a network. */
function paced({ source: { images } }: Shop) {
  const layers = new Map(
    Object.values(images).flatMap(({ blobs, children }) => [
      ...blobs,
      ...children.flatMap((child) => [...child.blobs]),
    ]),
  )
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const digest = /\/blobs\/(sha256:[0-9a-f]+)$/.exec(request.url ?? '')?.[1]
    const content = [...layers].find(([known]) => known === digest)?.[1]
    if (request.method !== 'GET' || content === undefined || content.length < PACE / 10) return false
    response.writeHead(200, { 'content-length': content.length })
    let at = 0
    const timer = setInterval(() => {
      response.write(content.subarray(at, at + PACE / 20))
      at += PACE / 20
      if (at < content.length && !response.destroyed) return
      clearInterval(timer)
      response.end()
    }, 50)
    return true
  }
}
