import type { Anatomy, Item } from '../../../src/bundle/inspect/sizes.ts'
import type { RootContents } from '../../../src/bundle/format/contents.ts'
import { REPORT_FORMAT } from '../../../src/bundle/inspect/report.ts'
import type { PageData } from '../../../src/cli/html/page-data.ts'
import { digestOf, type Digest } from '../../../src/oci/digest.ts'

/** What somebody might call a thing to get at who reads of it. */
export const HOSTILE = [
  '<script>window.harmed = true</script>',
  '"><img src=x onerror="window.harmed = true">',
  "'><svg/onload=window.harmed=true>",
  '</style></script><!--<iframe src="https://evil.example">',
  '&lt;b&gt; &amp; &#0; {{7*7}} ${7*7}',
  'gpj\u202Eexe.txt',
  'nul\u0000 bell\u0007 new\nline \u200Bwide\u2028line \uD800lone',
  'javascript:window.harmed=true//http://evil.example',
  'x'.repeat(4096),
] as const

const digest = (text: string): Digest => digestOf(new TextEncoder().encode(text))

/** A page in which every text from outside is hostile. */
export function hostilePage(): { readonly data: PageData; readonly roots: readonly RootContents[] } {
  const roots = HOSTILE.flatMap((name): RootContents[] => [
    { kind: 'image', name, digest: digest(name), size: 10, mediaType: name, platforms: [name] },
    {
      kind: 'chart',
      name: `${name}:1`,
      digest: digest(`c${name}`),
      size: 10,
      mediaType: name,
      chart: name,
      version: name,
      repository: name,
    },
  ])
  const items = roots.map(({ kind, name, digest: own }): Item => ({
    kind,
    name,
    digest: own,
    size: 300,
    source: HOSTILE.join(' '),
    licences: [name],
    platforms: [name],
    artifactType: name,
    own: 100,
    shared: 200,
    layers: 1,
    absent: 5,
  }))
  const everybody = items.map((_, at) => at)
  const name = HOSTILE.join(' ')
  const proof = HOSTILE.map((text) => ({
    chart: text,
    version: text,
    boundCount: 1,
    open: [
      {
        reference: text,
        at: text,
        verdict: 'unreachable' as const,
        need: 'needed' as const,
        when: text,
        remedy: text,
      },
    ],
    accepted: [{ reference: text, reason: text }],
    failures: [text],
  }))
  const anatomy: Anatomy = {
    report: {
      format: REPORT_FORMAT,
      tool: 'ma-bundle',
      name,
      version: name,
      size: 1,
      entries: 1,
      contents: items,
      absent: { count: 0, bytes: 0 },
      attached: HOSTILE.map((text) => ({
        about: digest(text),
        of: text,
        type: text,
        name: text,
        digest: digest(text),
      })),
      verdict: 'open',
      proof,
      unjudged: HOSTILE,
    },
    items,
    blobs: [
      { digest: digest('shared'), size: 200, items: everybody, isAbsent: false },
      ...items.map((item, at) => ({ digest: item.digest, size: 100, items: [at], isAbsent: false })),
    ],
    platforms: HOSTILE.map((platform) => ({ platform, images: 1, size: 1 })),
  }
  const change = HOSTILE.map((text) => ({
    kind: 'image' as const,
    name: text,
    what: 'updated' as const,
    before: text,
    after: text,
    platforms: [text],
  }))
  return {
    data: {
      file: name,
      anatomy,
      signature: { state: 'unchecked', file: name },
      since: { file: name, changes: change, same: 0 },
    },
    roots,
  }
}
