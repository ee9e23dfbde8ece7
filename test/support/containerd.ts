import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram, type ProgramOutcome } from './program.ts'

/** Debian's containerd on a socket of its own. */
export interface Containerd {
  /** Of its API. */
  readonly socket: string
  /**
   * Pulls and unpacks one reference as a node does.
   * @param hostsDir a folder of `<registry>/hosts.toml`
   * @param user `name:password`
   * @throws with containerd's own words
   */
  pull(
    reference: string,
    options: { readonly hostsDir: string; readonly user?: string },
  ): Promise<PulledImage>
  /** Imports an archive and unpacks it: names and digests of what it then holds. */
  import(file: string, ...flags: readonly string[]): Promise<Readonly<Record<string, string>>>
  /** Names of all images it holds. */
  images(): Promise<readonly string[]>
  /**
   * Runs an image that was pulled, as the user it names, on a read-only file system and in the network of this machine.
   * @param args the program and its arguments, in place of the image's own; none for those
   * @param mounts of files and folders: from here, to there, and how
   * @throws with what it wrote when it fails
   */
  run(
    reference: string,
    args: readonly string[],
    mounts?: readonly (readonly [from: string, to: string, mode: 'ro' | 'rw'])[],
  ): Promise<ProgramOutcome>
  stop(): Promise<void>
}

export interface PulledImage {
  /** Of what the reference led to: an index, or a manifest. */
  readonly digest: string
}

/** @throws when containerd is missing, this user is not root, or it does not start, saying what to do */
export async function startContainerd(): Promise<Containerd> {
  for (const program of ['/usr/bin/containerd', '/usr/bin/ctr']) {
    if (!existsSync(program)) throw new Error(`${program} is missing: apt-get install containerd`)
  }
  if (process.getuid?.() !== 0)
    throw new Error('containerd unpacks images as root only: run the tests as root')
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-containerd-'))
  const socket = join(folder, 'containerd.sock')
  const config = join(folder, 'config.toml')
  await writeFile(config, configFor(folder, socket))
  const child = spawn('/usr/bin/containerd', ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  let runs = 0
  child.stderr.on('data', (chunk) => (log = (log + String(chunk)).slice(-4000)))
  const ctr = (...args: readonly string[]) =>
    runProgram('/usr/bin/ctr', ['--address', socket, '--namespace', 'k8s.io', ...args])
  const stop = async (): Promise<void> => {
    await end(child)
    await rm(folder, { recursive: true, force: true })
  }
  if (!(await answers(child, ctr))) {
    await stop()
    throw new Error(`containerd does not start: ${log}`)
  }
  return {
    socket,
    async pull(reference, { hostsDir, user }) {
      const login = user === undefined ? [] : ['--user', user]
      await ctr('images', 'pull', '--snapshotter', 'native', '--hosts-dir', hostsDir, ...login, reference)
      const { stdout } = await ctr('images', 'list', `name==${reference}`)
      const digest = /sha256:[0-9a-f]{64}/.exec(stdout.toString().replaceAll(reference, ''))?.[0]
      if (digest === undefined) throw new Error(`containerd pulled ${reference} and does not list it`)
      return { digest }
    },
    async import(file, ...flags) {
      await ctr('images', 'import', '--snapshotter', 'native', ...flags, file)
      const { stdout } = await ctr('images', 'list')
      const rows = stdout.toString().split('\n').slice(1).filter(Boolean)
      return Object.fromEntries(
        rows.map((row) => [row.split(/\s+/)[0] ?? '', /sha256:[0-9a-f]{64}/.exec(row)?.[0] ?? '']),
      )
    },
    async images() {
      const { stdout } = await ctr('images', 'list', '--quiet')
      return stdout.toString().split('\n').filter(Boolean)
    },
    async run(reference, args, mounts = []) {
      const flags = mounts.flatMap(([from, to, mode]) => [
        '--mount',
        `type=bind,src=${from},dst=${to},options=rbind:${mode}`,
      ])
      runs += 1
      return ctr(
        'run',
        '--rm',
        '--read-only',
        '--net-host',
        '--snapshotter',
        'native',
        ...flags,
        reference,
        `run-${runs}`,
        ...args,
      )
    },
    stop,
  }
}

// --- internal ---

/** No CRI, no systemd, nothing outside the folder. */
const configFor = (folder: string, socket: string): string => `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`

async function answers(child: ChildProcess, ctr: (...args: string[]) => Promise<unknown>): Promise<boolean> {
  for (let waited = 0; waited < 20_000 && child.exitCode === null; waited += 50) {
    try {
      await ctr('version')
      return true
    } catch {
      // Not yet.
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return false
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise((resolve) => {
    child.on('exit', resolve)
    child.kill('SIGTERM')
  })
}
