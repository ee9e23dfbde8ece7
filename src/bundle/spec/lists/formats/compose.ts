import type { Cursor } from '../cursor.ts'
import { textsOf, type ListFormat } from '../format.ts'
import { templateIn } from '../image-text.ts'
import type { ListingWriter } from '../listing.ts'

/** https://github.com/compose-spec/compose-spec: services, their platforms and profiles; defaults of variables only. */
export const compose: ListFormat = {
  name: 'a compose file',
  matches: (document) => {
    const services = document.get('services').entries
    return services.length > 0 && services.every(([, one]) => one.kind === 'map' || one.kind === 'none')
  },
  read(document, to) {
    for (const [name, service] of document.get('services').entries) readService(name, service, to)
    for (const one of document.get('include').items) {
      const path = one.text ?? one.get('path').text ?? textsOf(one.get('path')).join(', ')
      to.leaveOut(['included file', 'included files'], path, 'give it with another --spec', one.at)
    }
    for (const [name, model] of document.get('models').entries) {
      to.leaveOut(
        ['model', 'models'],
        model.get('model').text ?? name,
        'give it with --image, if it is an OCI artifact',
        model.at,
      )
    }
  },
}

// --- internal ---

function readService(name: string, service: Cursor, to: ListingWriter): void {
  const image = service.get('image')
  const isBuilt = service.get('build').kind !== 'none'
  const platform = service.get('platform').text
  const [profile] = textsOf(service.get('profiles'))
  if (isBuilt) {
    const why = 'compose builds it: docker save it, and give docker-archive:<file>'
    to.leaveOut(['service that is built', 'services that are built'], image.text ?? name, why, service.at)
  } else if (image.text === undefined) {
    const why =
      service.get('extends').kind === 'none'
        ? 'it names no image'
        : 'it extends another: docker compose config shows what it comes to'
    to.leaveOut(['service without an image', 'services without an image'], name, why, service.at)
  } else {
    to.image(filledIn(image.text), image.at, {
      ...(platform === undefined ? {} : { platforms: [platform] }),
      ...(profile === undefined ? {} : { group: profile }),
    })
  }
  for (const volume of service.get('volumes').items) {
    if (volume.get('type').text === 'image') to.image(filledIn(volume.get('source').text ?? ''), volume.at)
  }
}

/** `${TAG:-1.0}` and `${TAG-1.0}` as their defaults; what has none stays, and is reported. */
function filledIn(text: string): string {
  let filled = text
  for (let round = 0; round < 10 && templateIn(filled) !== undefined; round += 1) {
    const next = filled.replaceAll(/\$\{[A-Za-z_]\w*:?-([^${}]*)\}/g, '$1')
    if (next === filled) break
    filled = next
  }
  return filled.replaceAll('$$', '$')
}
