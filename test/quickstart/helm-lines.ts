import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Ecr } from '../support/ecr/server.ts'
import { helmBinary } from '../support/helm.ts'

/** A folder that holds `helm`, to be put on the PATH. None where npm has no helm for this machine. */
export async function helmFolder(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  const program = await helmBinary(4)
  const folder = join(dirname(program), 'bin')
  await mkdir(folder, { recursive: true })
  await rm(join(folder, 'helm'), { force: true })
  await symlink(program, join(folder, 'helm'))
  return folder
}

/** What a real helm makes of an imported chart with its override: the command and the lines that name images. */
export async function helmLines(
  programs: string,
  ecr: Ecr,
  chart: string,
  version: string,
  values: string,
): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'quickstart-helm-'))
  // Never spawnSync: the registry that helm asks lives in this process.
  const run = async (args: readonly string[], stdin = ''): Promise<string> => {
    const child = Bun.spawn([join(programs, 'helm'), ...args], {
      env: { HOME: home, PATH: process.env.PATH ?? '' },
      stdin: new TextEncoder().encode(stdin),
      stderr: 'pipe',
    })
    const [text, reason] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    if ((await child.exited) !== 0) throw new Error(`helm ${args[0]}: ${reason}`)
    return text
  }
  try {
    const login = Buffer.from(ecr.token(), 'base64').toString()
    const password = login.slice(login.indexOf(':') + 1)
    await run(
      ['registry', 'login', ecr.registry, '--plain-http', '--username', 'AWS', '--password-stdin'],
      password,
    )
    const at = `oci://${ecr.registry}/charts/${chart}`
    const text = await run(['template', 'shop', at, '--version', version, '--plain-http', '--values', values])
    const lines = text.split('\n').filter((line) => line.includes('image:'))
    const shown = `$ helm template shop ${at} \\\n    --version ${version} --plain-http --values ${chart}.yaml | grep image:`
    return [shown, ...lines].join('\n')
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}
