import { isObject } from '../../../oci/manifest.ts'
import type { KubeObject } from '../../spec/lists/objects/object.ts'
import { PULL_REASONS } from './pull-failures.ts'

/** An image that a pod template names. */
export interface PodImage {
  readonly container: string
  readonly image: string
}

/** How one container of a pod is doing. */
export interface ContainerState {
  readonly container: string
  /** It ran, so the node has its image. */
  readonly started: boolean
  /** What the runtime reported of a pull that failed. */
  readonly pullFailure?: string
  /** sha256 of what runs: of an index or of one of its children. */
  readonly imageId?: string
}

/**
 * Every image of every pod template in an object, at any depth: custom resources hold pod specs as well. Containers of
 * all three kinds, and volumes that are images.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
 */
export function podImages({ object }: KubeObject): readonly PodImage[] {
  const found: PodImage[] = []
  visit(object, found)
  return found
}

/** @param events messages of the pod's own events, which have the cause on kubelets before 1.32 */
export function containerStates(
  { object }: KubeObject,
  events: readonly string[] = [],
): readonly ContainerState[] {
  const status = isObject(object['status']) ? object['status'] : {}
  return STATUSES.flatMap((key) => listOf(status[key])).flatMap((one): ContainerState[] => {
    if (!isObject(one) || typeof one['name'] !== 'string') return []
    const state = isObject(one['state']) ? one['state'] : {}
    const waiting = isObject(state['waiting']) ? state['waiting'] : {}
    const reason = textOf(waiting['reason'])
    const isPull = PULL_REASONS.has(reason)
    const words = [`${reason}: ${textOf(waiting['message'])}`, ...events].join('\n')
    const imageId = /sha256:[0-9a-f]{64}/.exec(textOf(one['imageID']))?.[0]
    return [
      {
        container: one['name'],
        started: !isPull && imageId !== undefined,
        ...(isPull ? { pullFailure: words } : {}),
        ...(imageId === undefined ? {} : { imageId }),
      },
    ]
  })
}

/** `os/architecture` of a node. */
export function nodePlatform({ object }: KubeObject): string | undefined {
  const status = isObject(object['status']) ? object['status'] : {}
  const info = isObject(status['nodeInfo']) ? status['nodeInfo'] : {}
  const [os, architecture] = [textOf(info['operatingSystem']), textOf(info['architecture'])]
  return os === '' || architecture === '' ? undefined : `${os}/${architecture}`
}

/** Messages of failed pulls, by the pod they are about (`namespace/name`). */
export function pullEvents(objects: readonly KubeObject[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const { kind, object } of objects) {
    if (kind !== 'Event') continue
    const about = isObject(object['involvedObject']) ? object['involvedObject'] : object['regarding']
    const message = textOf(object['message']) || textOf(object['note'])
    if (!isObject(about) || !message.startsWith('Failed to pull image')) continue
    const key = `${textOf(about['namespace'])}/${textOf(about['name'])}`
    found.set(key, [...(found.get(key) ?? []), message])
  }
  return found
}

/** The object at the end of a pod's owners, as far as names tell: `Deployment web`, not its ReplicaSet's pod. */
export function ownerOf({ kind, name, object }: KubeObject): string {
  const metadata = isObject(object['metadata']) ? object['metadata'] : {}
  const owner = listOf(metadata['ownerReferences']).find(
    (one) => isObject(one) && one['controller'] !== false,
  )
  if (!isObject(owner)) return `${kind} ${name}`
  const [ownerKind, ownerName] = [textOf(owner['kind']), textOf(owner['name'])]
  // A Deployment's ReplicaSet is its name and a hash of its template.
  if (ownerKind === 'ReplicaSet') return `Deployment ${ownerName.replace(/-[a-z0-9]{5,10}$/, '')}`
  if (ownerKind === 'Job') return `Job ${ownerName}`
  return `${ownerKind} ${ownerName}`
}

// --- internal ---

const STATUSES = ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'] as const
const CONTAINERS = ['containers', 'initContainers', 'ephemeralContainers'] as const

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

function visit(value: unknown, found: PodImage[]): void {
  if (Array.isArray(value)) for (const item of value) visit(item, found)
  if (!isObject(value)) return
  for (const key of CONTAINERS) {
    for (const one of listOf(value[key])) {
      if (!isObject(one)) continue
      const image = textOf(one['image'])
      // A template may leave the image to a controller or webhook.
      if (image !== '') found.push({ container: textOf(one['name']), image })
    }
  }
  if (Array.isArray(value['containers'])) {
    for (const volume of listOf(value['volumes'])) {
      const image = isObject(volume) && isObject(volume['image']) ? textOf(volume['image']['reference']) : ''
      if (isObject(volume) && image !== '')
        found.push({ container: `volume ${textOf(volume['name'])}`, image })
    }
  }
  for (const [key, inner] of Object.entries(value)) {
    if (key !== 'status' && key !== 'managedFields' && key !== 'annotations') visit(inner, found)
  }
}
