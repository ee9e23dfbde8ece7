import { yamlText } from '../../lib/text/yaml.ts'
import { formatPlatform } from '../../oci/platform.ts'
import { withoutSecrets } from '../../lib/url.ts'
import { hexOf } from '../../oci/digest.ts'
import { formatReference } from '../../oci/reference.ts'
import { formatImageFile } from './local/image-file.ts'
import { API_VERSION } from './read.ts'
import type {
  BundleSpec,
  Consumer,
  ConsumerInstall,
  SpecBinding,
  SpecChart,
  SpecFile,
  SpecGroup,
  SpecHint,
  SpecImage,
} from './model.ts'

/** A spec as YAML that `parseSpec` reads back to the same. */
export function specText(spec: BundleSpec): string {
  const { name, version, description, platforms, mirrors, groups, bindings, hints, consumer } = spec
  return yamlText(
    {
      apiVersion: API_VERSION,
      kind: 'BundleSpec',
      name,
      version,
      description,
      platforms: platforms?.map(formatPlatform),
      ...(mirrors.size === 0 ? {} : { mirrors: Object.fromEntries(mirrors) }),
      groups: groups.map(groupText),
      ...(bindings.size === 0 ? {} : { bindings: mapped(bindings, bindingText) }),
      ...(hints.size === 0 ? {} : { hints: mapped(hints, hintText) }),
      ...(consumer === undefined ? {} : { consumer: consumerText(consumer) }),
    },
    { aliasDuplicateObjects: false },
  )
}

/**
 * The text of a spec as it travels in bundle and lock: as it was written, but for what may be a secret in the addresses
 * of its files. Whoever exports by the lock alone needs addresses that need none.
 */
export function carriedText(text: string, spec: BundleSpec): string {
  const urls = spec.groups
    .flatMap(({ files }) => files.map(({ url }) => url))
    .filter((url) => withoutSecrets(url) !== url)
    // One may be the beginning of another.
    .toSorted((one, other) => other.length - one.length)
  if (urls.length === 0) return text
  const cut = urls.reduce((left, url) => left.replaceAll(url, () => withoutSecrets(url)), text)
  const secrets = urls.flatMap((url) => [new URL(url).search, url.slice(withoutSecrets(url).length)])
  const isFound = urls.every((url) => text.includes(url))
  if (isFound && !secrets.some((secret) => secret !== '' && cut.includes(secret))) return cut
  const groups = spec.groups.map((group) => ({
    ...group,
    files: group.files.map((file) => ({ ...file, url: withoutSecrets(file.url) })),
  }))
  return specText({ ...spec, groups })
}

// --- internal ---

const mapped = <Item>(
  map: ReadonlyMap<string, readonly Item[]>,
  text: (item: Item) => unknown,
): Record<string, unknown> => Object.fromEntries([...map].map(([key, items]) => [key, items.map(text)]))

/** What is empty or off is left out. */
const some = (key: string, list: readonly unknown[]) => (list.length === 0 ? {} : { [key]: list })

/** A group as plain values. */
export const groupText = ({
  name,
  description,
  optional,
  charts,
  images,
  files,
  manifests = [],
}: SpecGroup) => ({
  name,
  description,
  ...(optional ? { optional } : {}),
  ...some('charts', charts.map(chartText)),
  ...some('images', images.map(imageText)),
  ...some('files', files.map(fileText)),
  ...some(
    'manifests',
    manifests.map(({ path, text }) => (text === undefined ? path : { name: path, content: text })),
  ),
})

const chartText = ({ name, version, repository, key }: SpecChart) => ({
  name,
  version,
  repository,
  ...(key === name ? {} : { key }),
})

function imageText({ reference, file, platforms, allowMissingPlatforms, as: known }: SpecImage): unknown {
  const text = file === undefined ? formatReference(reference) : formatImageFile(file)
  const as = file === undefined ? known : reference
  if (platforms === undefined && !allowMissingPlatforms && as === undefined) return text
  return {
    reference: text,
    platforms: platforms?.map(formatPlatform),
    ...(allowMissingPlatforms ? { allowMissingPlatforms } : {}),
    as: as === undefined ? undefined : formatReference(as),
  }
}

const fileText = ({ name, url, digest, size }: SpecFile) => ({
  name,
  url,
  sha256: digest === undefined ? undefined : hexOf(digest),
  size,
})

const bindingText = (binding: SpecBinding) => ({
  path: binding.path,
  ...some('leaves', binding.leaves),
  reference: binding.reference,
  ...some('also', binding.also),
  image: binding.image === undefined ? undefined : formatReference(binding.image),
  where: binding.where,
  hook: binding.hook,
  ...(binding.off ? { off: true } : {}),
  note: binding.note,
})

const hintText = ({ path, reference, where, reason, when, take, action }: SpecHint) => ({
  path,
  reference,
  where,
  reason,
  when,
  take: take === undefined ? undefined : formatReference(take),
  action,
})

const installText = ({ release, namespace, set, script, files, scriptSetsImages }: ConsumerInstall) => ({
  release,
  namespace,
  ...(set.size === 0 ? {} : { set: Object.fromEntries(set) }),
  script,
  ...some('files', files),
  ...(scriptSetsImages ? { scriptSetsImages } : {}),
})

const consumerText = (consumer: Consumer) => ({
  chart: consumer.chart,
  registryAt: consumer.registryAt,
  chartsAt: consumer.chartsAt,
  ...some('values', consumer.values),
  installsWhen: consumer.installsWhen,
  install: consumer.install === undefined ? undefined : installText(consumer.install),
  ...some('bindings', consumer.bindings.map(bindingText)),
  ...(consumer.sets.size === 0
    ? {}
    : { sets: mapped(consumer.sets, ({ path, reference, off }) => ({ path, reference, off })) }),
})
