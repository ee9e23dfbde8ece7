import { closeSync, openSync, writeSync } from 'node:fs'
import { encodeHeader } from '../../src/archive/tar.ts'
import { encodeContents, FORMAT, HEAD, type RootContents } from '../../src/bundle/format/contents.ts'
import { encodeSums, SUMS } from '../../src/bundle/format/sums.ts'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import { OCI_MANIFEST } from '../../src/oci/media-types.ts'

const LAYER = 'application/vnd.oci.image.layer.v1.tar'
const CONFIG = 'application/vnd.oci.image.config.v1+json'

/** Writes a bundle of many tiny images, each with layers of its own and one that all have; no registry is needed. */
export function writeManyImages(
  file: string,
  images: number,
  layers: number,
  nameOf = (image: number): string => `r.example/team/image${image}:1`,
): void {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
  const files = new Map<string, Uint8Array>()
  const digests = new Map<string, Digest>()
  const add = (content: Uint8Array): Digest => {
    const digest = digestOf(content)
    files.set(`blobs/sha256/${digest.slice('sha256:'.length)}`, content)
    digests.set(`blobs/sha256/${digest.slice('sha256:'.length)}`, digest)
    return digest
  }
  const described = (content: Uint8Array, mediaType: string) => ({
    mediaType,
    digest: add(content),
    size: content.length,
  })
  const roots = Array.from({ length: images }, (_, image): RootContents => {
    const manifest = encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: described(encode(JSON.stringify({ os: 'linux', architecture: 'amd64', image })), CONFIG),
        layers: [
          described(encode('shared by all'), LAYER),
          ...Array.from({ length: layers }, (_own, at) => described(encode(`layer ${image} ${at}`), LAYER)),
        ],
      }),
    )
    return {
      kind: 'image',
      name: nameOf(image),
      digest: add(manifest),
      size: manifest.length,
      mediaType: OCI_MANIFEST,
      platforms: ['linux/amd64'],
    }
  })
  const entries = [...files].map(([path, { length }]) => ({ path, size: length }))
  const sumsSize = encodeSums([[HEAD, roots[0]?.digest ?? digestOf(new Uint8Array())], ...digests]).length
  const head = encodeContents({
    format: FORMAT,
    name: 'many',
    spec: `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: many\nversion: "1"\ngroups: [{ name: all, images: [] }]\n`,
    roots,
    entries: [{ path: SUMS, size: sumsSize }, ...entries],
    bound: [],
    proof: [],
  })
  const target = openSync(file, 'w')
  let waiting: Uint8Array[] = []
  const flush = (): void => {
    writeSync(target, Buffer.concat(waiting))
    waiting = []
  }
  const put = (path: string, content: Uint8Array): void => {
    waiting.push(
      encodeHeader({ path, size: content.length }),
      content,
      Buffer.alloc((512 - (content.length % 512)) % 512),
    )
    if (waiting.length > 3000) flush()
  }
  put(HEAD, head)
  put(SUMS, encodeSums([[HEAD, digestOf(head)], ...digests]))
  for (const [path, content] of files) put(path, content)
  waiting.push(Buffer.alloc(1024))
  flush()
  closeSync(target)
}
