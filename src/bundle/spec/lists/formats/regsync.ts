import { textsOf, type ListFormat } from '../format.ts'

/** https://regclient.org/usage/regsync/: images to copy; literal tags of repositories. */
export const regsync: ListFormat = {
  name: 'a regsync file',
  matches: (document) => document.get('version').text === '1' && document.get('sync').kind === 'list',
  read(document, to) {
    for (const one of document.get('sync').items) {
      const source = one.get('source').text
      const type = one.get('type').text ?? 'image'
      const own = one.get('platform').text
      const platforms = own === undefined ? textsOf(one.get('platforms')) : [own]
      if (type === 'image') {
        to.image(source, one.at, { platforms })
        continue
      }
      const literal = textsOf(one.get('tags', 'allow')).filter((tag) =>
        /^[\w][\w-]*(?:\\?\.[\w-]+)*$/.test(tag),
      )
      const others = textsOf(one.get('tags', 'allow')).filter((tag) => !literal.includes(tag))
      const rules = [...others, ...textsOf(one.get('tags', 'semverRange'))]
      if (type === 'repository')
        for (const tag of literal)
          to.image(`${source ?? ''}:${tag.replaceAll('\\.', '.')}`, one.at, { platforms })
      if (type !== 'repository' || rules.length > 0 || literal.length === 0) {
        const rule = rules.length === 0 ? `every tag` : rules.join(', ')
        const why = 'name the tags: a bundle has exact versions'
        to.leaveOut(['rule for tags', 'rules for tags'], `${source ?? ''} (${rule})`, why, one.at)
      }
    }
  },
}
