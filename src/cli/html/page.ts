import { createHash } from 'node:crypto'
import type { RootContents } from '../../bundle/format/contents.ts'
import { sizeGroups } from '../../bundle/inspect/size-map.ts'
import { attachedTable } from './attached.ts'
import { changes } from './changes.ts'
import { charts } from './charts.ts'
import { contents } from './contents.ts'
import { HATCH, legend, sizeMaps } from './map.ts'
import { html, lineOf, type Markup } from './markup.ts'
import { visible } from '../../lib/text/visible.ts'
import type { PageData } from './page-data.ts'
import { SCRIPT } from './script.ts'
import { platformTable, sharing } from './sharing.ts'
import { STYLE } from './style.ts'
import { summary } from './summary.ts'

/**
 * The report of a bundle as one HTML file that needs nothing else: no network, no font, no picture. Its policy
 * (https://www.w3.org/TR/CSP3/) allows its own style and script by hash and nothing else, so that a name in the bundle
 * could neither run nor fetch anything even if it got past the escaping.
 */
export function htmlReport(data: PageData, roots: readonly RootContents[]): string {
  const { report } = data.anatomy
  const sections = sectionsOf(data, roots)
  const title = visible([report.name, report.version].filter(Boolean).join(' ')).slice(0, 200)
  const { markup } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src '${hashOf(STYLE)}'; script-src '${hashOf(SCRIPT)}'; img-src data:; base-uri 'none'; form-action 'none'"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <link rel="icon" href="data:," />
        <title>${title}: what is in the bundle</title>
        ${inline('style', STYLE)}
      </head>
      <body>
        <a class="skip" href="#list-title">Skip to the contents</a>
        ${HATCH}
        <header>${summary(data)}</header>
        <nav aria-label="Sections">
          <ul>
            ${sections.map(({ id, title: words }) => html`<li><a href="#${id}-title">${words}</a></li>`)}
          </ul>
        </nav>
        <main>
          ${sections.map(
            ({ id, title: words, about, body }) =>
              html`<section id="${id}" aria-labelledby="${id}-title">
                <h2 id="${id}-title">${words}</h2>
                <p class="muted">${about}</p>
                ${body}
              </section> `,
          )}
        </main>
        <footer>
          <p>
            Made by ${report.tool} from the bundle’s own tables. It reads no layer:
            <code>ma-bundle verify ${lineOf(data.file)}</code> reads every byte.
          </p>
          ${report.sums === undefined ? undefined : html`<p>SHA256SUMS in the bundle names every file in it. Its own digest is <code>${report.sums}</code>; a signature is over it.</p>`}
        </footer>
        ${inline('script', SCRIPT)}
      </body>
    </html> `
  return markup
}

// --- internal ---

interface Section {
  readonly id: string
  readonly title: string
  readonly about: string
  readonly body: Markup
}

/** Our own text, to the last blank as the policy has it. */
const inline = (element: 'style' | 'script', text: string): Markup => ({
  markup: `<${element}>${text}</${element}>`,
})

const hashOf = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`

function sectionsOf({ anatomy, since }: PageData, roots: readonly RootContents[]): readonly Section[] {
  const groups = sizeGroups(anatomy)
  const changed =
    since === undefined
      ? []
      : [
          {
            id: 'changes',
            title: 'What changed',
            about: 'By name, version and digest.',
            body: changes(since),
          },
        ]
  const { attached: list } = anatomy.report
  const attached =
    list.length === 0
      ? []
      : [
          {
            id: 'attached',
            title: 'Signatures and SBOMs carried',
            about: 'They are included as they are; their validity is not checked here.',
            body: attachedTable(list),
          },
        ]
  return [
    ...changed,
    {
      id: 'sizes',
      title: 'Where the bytes are',
      about:
        'Every blob of the bundle once, as large as it is. Hatched is what several items share and the bundle holds once.',
      body: html`${legend(groups)} ${sizeMaps(groups, anatomy.items)}
        <p id="details" role="status" data-script hidden></p>`,
    },
    {
      id: 'list',
      title: 'Contents',
      about: 'Images, charts and files, with the digest each has in the bundle.',
      body: contents(anatomy.items),
    },
    {
      id: 'charts',
      title: 'Charts and their proof',
      about:
        'At the export, a real helm rendered each chart with the override on top; every image reference was checked.',
      body: charts(
        roots.filter((root) => root.kind === 'chart'),
        anatomy.report.proof,
      ),
    },
    ...attached,
    {
      id: 'platforms',
      title: 'Platforms',
      about: 'What a cluster of that platform pulls from. Images may have several.',
      body: platformTable(anatomy),
    },
    {
      id: 'sharing',
      title: 'Shared layers',
      about: 'Blobs that several items have; they are carried, and uploaded, once.',
      body: sharing(anatomy),
    },
  ]
}
