// How another program uses ma-bundle: it exports a list, checks the bundle, pushes it, and tells what became of it.
// bun example.ts <spec> <registry> <folder>
import { join } from 'node:path'
import { exportBundle, importBundle, MaBundleError, openBundle, type BundleEvent } from 'ma-bundle'

const [spec = '', registry = '', folder = '.'] = process.argv.slice(2)
const file = join(folder, 'bundle.tar')
const controller = new AbortController()
process.once('SIGINT', () => controller.abort())

let bytes = 0
const onEvent = (event: BundleEvent): void => {
  if (event.type === 'transferred') bytes += event.size
  if (event.type === 'warning') console.error(`careful: ${event.message}`)
}

try {
  const exported = await exportBundle(file, { spec, onEvent, signal: controller.signal })
  console.log(`exported ${exported.roots.length} items, transferred ${bytes} bytes`)

  await using bundle = await openBundle(file)
  for (const item of bundle.items) console.log(`${item.kind} ${item.name} ${item.digest}`)
  const { entries, damaged } = await bundle.verify()
  console.log(`${entries} entries, ${damaged.length} damaged`)

  const { roots, values } = await importBundle(file, {
    registry,
    values: join(folder, 'values.yaml'),
    onEvent,
    signal: controller.signal,
  })
  console.log(
    `${roots.filter(({ outcome }) => outcome === 'pushed').length} pushed, wrote ${values ?? 'no values'}`,
  )
} catch (error) {
  if (!(error instanceof MaBundleError)) throw error
  console.error(`${error.message}${error.next === undefined ? '' : `: ${error.next}`}`)
  process.exitCode = error.exitCode
}
