import { bundledNames } from '../../bundle/spec/bundled.ts'
import type { ListSettings } from '../../setup/lists.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

/** Flags that say what to bundle; they all add up. */
export const listArgs = {
  spec: {
    type: 'string',
    multiple: true,
    hint: 'file|name|-',
    known: bundledNames(),
    description:
      'What to bundle: a spec, nearly any list of images, Kubernetes manifests (a file, a folder, - for standard input), or a bundled name',
  },
  image: { type: 'string', multiple: true, hint: 'reference', description: 'Take this image' },
  chart: {
    type: 'string',
    multiple: true,
    hint: 'name@version=from',
    description:
      'Take this chart, from https://…, oci://folder, ./folder or ./chart.tgz; a path needs no name',
  },
  manifests: {
    type: 'string',
    multiple: true,
    hint: 'path',
    description:
      'Take what these Kubernetes manifests pull, and carry them along: import writes them with private images',
  },
} as const satisfies ArgsDef

/** References beside the flags, as they may follow the bundle. */
export const imagesArg = {
  type: 'positional',
  required: false,
  multiple: true,
  description: 'Images to take, as in nginx:1.27',
} as const

/** Whether a word can only be an image: a forgotten bundle must not make a file that is called like one. */
export const isImageWord = (text: string): boolean =>
  !/^[./~-]|:\/\/|\.tar(?:\.\w+)?$/i.test(text) &&
  /^[a-z0-9][\w./:-]*(?::[\w.-]+|@sha256:[0-9a-f]{64})$/i.test(text)

/** What the flags say is to be bundled. @param images references that stand beside the flags */
export const listSettings = (
  { spec, image, chart, manifests }: Args<typeof listArgs>,
  images: readonly string[] = [],
): ListSettings => ({ specs: spec, images: [...images, ...image], charts: chart, manifests })

/** Flags that say what to take, and where from. */
export const sourceArgs = {
  ...listArgs,
  with: {
    type: 'string',
    multiple: true,
    hint: 'group',
    description: 'Take this optional group of the spec along',
  },
  without: {
    type: 'string',
    multiple: true,
    hint: 'group',
    description: 'Leave this group of the spec out',
  },
  platform: {
    type: 'string',
    multiple: true,
    hint: 'os/arch',
    known: ['linux/amd64', 'linux/arm64', 'all'],
    description:
      'Platforms to take, or "all" for everything byte for byte (default: linux/amd64 and linux/arm64)',
  },
  allowMissingPlatform: {
    type: 'boolean',
    description: 'Warn about an image that lacks a platform; do not fail',
  },
  mirror: {
    type: 'string',
    multiple: true,
    hint: 'host=mirror,…',
    description: 'Ask these mirrors before the host, in order; a mirror may have a path',
  },
  referrers: {
    type: 'boolean',
    description: 'Take signatures, attestations and SBOMs of the images and charts along',
  },
  attestations: {
    type: 'enum',
    options: ['keep', 'drop'],
    default: 'keep',
    description:
      'Keep or drop what BuildKit attests within an index; without it, the index gets another digest, and ECR takes images it refuses otherwise',
  },
} as const satisfies ArgsDef
