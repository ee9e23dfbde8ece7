import type { CheckedImage, ClusterCheck } from '../../bundle/site/check/check.ts'
import { plural } from '../../lib/format.ts'

/** Images that are not well, by namespace, each cause once, and the sentence that an acceptance asks for. */
export function checkText(check: ClusterCheck): string {
  const wrong = check.images.filter(({ verdict }) => verdict !== 'ok')
  const namespaces = [...new Set(wrong.map(({ namespace }) => namespace))]
  const blocks = namespaces.map((namespace) => {
    const own = wrong.filter((image) => image.namespace === namespace)
    return [`namespace ${namespace === '' ? '(none)' : namespace}`, ...byCause(own)].join('\n')
  })
  return `${[...blocks, verdictOf(check)].join('\n\n')}\n`
}

/** `25 of 25 pods running, 0 ImagePullBackOff; 58 images, 0 will not start` */
export function verdictOf({ images, pods }: ClusterCheck): string {
  const count = (isIt: (image: CheckedImage) => boolean): number => images.filter(isIt).length
  const open = count(({ verdict }) => verdict === 'public')
  const failing = count(({ verdict }) => verdict !== 'public' && verdict !== 'ok')
  return (
    `${pods.running} of ${plural(pods.total, 'pod')} running, ${pods.pullFailures} ImagePullBackOff; ` +
    `${plural(images.length, 'image')}, ${failing} will not start` +
    (open === 0 ? '' : `, ${open} still public`)
  )
}

// --- internal ---

function byCause(images: readonly CheckedImage[]): readonly string[] {
  const groups = new Map<string, { readonly next: string; readonly lines: string[] }>()
  for (const { image, objects, cause = '', next = '' } of images) {
    const key = `${cause} ${next}`
    const group = groups.get(key) ?? { next, lines: [`  ${cause}:`] }
    groups.set(key, group)
    group.lines.push(`    ${image}  (${namesOf(objects)})`)
  }
  return [...groups.values()].flatMap(({ lines, next }) => [...lines, `    next: ${next}`])
}

const namesOf = (objects: readonly string[]): string =>
  objects.length <= 3
    ? objects.join(', ')
    : `${objects.slice(0, 3).join(', ')} and ${objects.length - 3} more`
