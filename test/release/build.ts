// Builds dist/ma-bundle-linux-amd64 and dist/ma-bundle-linux-arm64, the bill of
// materials ma-bundle.cdx.json, and SHA256SUMS of them: `npm run build`.
// Arguments are platforms: `npm run build -- linux/arm64`.
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { formatBytes } from '../../src/lib/format.ts'
import { billOfMaterials } from './bill.ts'
import { compile } from './compile.ts'
import { fetchRuntime, pinnedRuntime, PLATFORMS } from './runtime.ts'

const root = join(import.meta.dirname, '..', '..')
const dist = join(root, 'dist')
await mkdir(dist, { recursive: true })

const wanted = process.argv.length > 2 ? process.argv.slice(2) : PLATFORMS
const sums: string[] = []
for (const platform of wanted) {
  const pinned = await pinnedRuntime(platform, root)
  const runtime = await fetchRuntime(pinned, join(root, '.cache'))
  const file = join(dist, `ma-bundle-${platform.replace('/', '-')}`)
  await compile({ version: manifest.version, platform }, runtime, file, root)
  const content = await readFile(file)
  sums.push(`${createHash('sha256').update(content).digest('hex')}  ${basename(file)}\n`)
  console.log(`dist/${basename(file)}: ${formatBytes(content.length)}, with ${pinned.name} ${pinned.version}`)
}
const bill = await billOfMaterials(root)
await writeFile(join(dist, 'ma-bundle.cdx.json'), bill)
sums.push(`${createHash('sha256').update(bill).digest('hex')}  ma-bundle.cdx.json\n`)
console.log('dist/ma-bundle.cdx.json: what they are made of, as CycloneDX')
await writeFile(join(dist, 'SHA256SUMS'), sums.join(''))
