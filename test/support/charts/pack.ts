import { gzipSync } from 'node:zlib'
import { Header } from 'tar'

/** Files of a chart by path, without the chart's own folder; a nested tgz is bytes. */
export type ChartFiles = Readonly<Record<string, string | Uint8Array>>

/** What `helm package` makes of a chart folder. */
export function packChart(name: string, files: ChartFiles): Uint8Array {
  return gzipSync(
    packTar(Object.entries(files).map(([path, content]) => ({ path: `${name}/${path}`, content }))),
  )
}

export interface TarEntry {
  readonly path: string
  readonly content: string | Uint8Array
  readonly type?: 'File' | 'SymbolicLink'
  readonly linkpath?: string
}

export function packTar(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = []
  for (const { path, content, type = 'File', linkpath } of entries) {
    const bytes = Buffer.from(content)
    const header = new Header({
      path,
      type,
      mode: 0o644,
      size: type === 'File' ? bytes.length : 0,
      mtime: new Date(0),
      ...(linkpath === undefined ? {} : { linkpath }),
    })
    const block = Buffer.alloc(512)
    if (header.encode(block, 0)) throw new Error(`${path} does not fit into a tar header`)
    blocks.push(block)
    if (type === 'File') blocks.push(bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512))
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** A minimal Chart.yaml. */
export const chartYaml = (name: string, more = ''): string =>
  `apiVersion: v2\nname: ${name}\nversion: 1.0.0\nappVersion: 2.5.0\n${more}`

/** A pod template with one container, whose image is written as given. */
export const deployment = (name: string, image: string, more = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - name: main
          image: ${image}
${more}`
