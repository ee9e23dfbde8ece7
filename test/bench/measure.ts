import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What one run of a program cost. */
export interface Cost {
  readonly seconds: number
  /** User and system time, of all its processes. */
  readonly cpu: number
  /** Of its largest process, bytes. */
  readonly memory: number
  /** Bytes it handed to write(), sockets included. */
  readonly wchar: number
  /** Bytes it sent to the disk (page cache), net of what it deleted before they got there. */
  readonly written: number
  /** The most its folders held at once, bytes. */
  readonly disk: number
  readonly ok: boolean
  readonly output: string
}

export interface Job {
  /** A shell script: what a person would type. */
  readonly script: string
  /** Everything it writes must go below this folder: it is the current one, HOME and TMPDIR as well. */
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  /** Folders besides that count as its disk. */
  readonly watched?: readonly string[]
  readonly timeoutSeconds?: number
}

/**
 * Runs a script and says what it cost. The kernel adds the I/O of ended children to their parent, so the shell's own
 * account at the end covers all of them. https://man7.org/linux/man-pages/man5/proc_pid_io.5.html
 */
export async function measure(job: Job): Promise<Cost> {
  const notes = await mkdtemp(join(job.folder, '..', 'notes-'))
  const account = join(notes, 'io')
  const times = join(notes, 'time')
  // As a file: the names of all blobs are too long for an argument. https://man7.org/linux/man-pages/man2/execve.2.html
  const script = join(notes, 'script')
  await writeFile(script, job.script)
  // What earlier runs left in the page cache must not be written back on this run's time.
  await Bun.spawn(['sync']).exited
  const tmp = join(job.folder, 'tmp')
  const begun = performance.now()
  const child = Bun.spawn(
    [
      'bash',
      '-c',
      // GNU time, because a child's peak as seen from here would begin with this process's own.
      `mkdir -p "$TMPDIR"; /usr/bin/time -q -o '${times}' -f '%M %U %S' bash -e '${script}'; code=$?; cat /proc/$$/io > '${account}'; exit $code`,
    ],
    {
      cwd: job.folder,
      env: { ...process.env, HOME: job.folder, TMPDIR: tmp, ...job.env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    },
  )
  const timer = setTimeout(() => child.kill(), (job.timeoutSeconds ?? 900) * 1000)
  let disk = 0
  let running = true
  const watching = (async () => {
    while (running) {
      let now = 0
      for (const folder of [job.folder, ...(job.watched ?? [])]) now += await diskUse(folder)
      disk = Math.max(disk, now)
      await Bun.sleep(100)
    }
  })()
  const texts = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  const code = await child.exited
  const seconds = (performance.now() - begun) / 1000
  running = false
  clearTimeout(timer)
  await watching
  let end = 0
  for (const folder of [job.folder, ...(job.watched ?? [])]) end += await diskUse(folder)
  const [out, err] = await texts
  const [memory = Number.NaN, user = Number.NaN, system = Number.NaN] = (
    await readFile(times, 'utf8').catch(() => '')
  )
    .trim()
    .split(' ')
    .map(Number)
  const io = await readFile(account, 'utf8').catch(() => '')
  await rm(notes, { recursive: true })
  const number = (name: string): number =>
    Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)?.[1] ?? Number.NaN)
  return {
    seconds,
    cpu: user + system,
    memory: memory * 1024,
    wchar: number('wchar'),
    written: number('write_bytes') - number('cancelled_write_bytes'),
    disk: Math.max(disk, end),
    ok: code === 0,
    output: `${out}${err}`.trim().slice(-2000),
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

// --- internal ---

/** Bytes a folder takes on the disk: holes take none. Files may vanish while it looks. */
async function diskUse(folder: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) sum += await diskUse(path)
    else sum += ((await lstat(path).catch(() => undefined))?.blocks ?? 0) * 512
  }
  return sum
}
