import type { KubeObject } from '../../spec/lists/objects/object.ts'
import { containerStates, ownerOf, podImages, pullEvents } from './pods.ts'

/** One image of one namespace: who names it, and how it is doing there. */
export interface Group {
  readonly namespace: string
  readonly image: string
  readonly owners: Set<string>
  /** A node has it. */
  started: boolean
  /** Of index or child, as it runs. */
  readonly running: Set<string>
  pullFailure: string | undefined
}

/** Every image that objects name, by namespace. */
export function groupsOf(objects: readonly KubeObject[]): readonly Group[] {
  const events = pullEvents(objects)
  const groups = new Map<string, Group>()
  for (const object of objects) {
    if (SILENT.has(object.kind) || isPast(object)) continue
    const states = containerStates(object, events.get(`${object.namespace}/${object.name}`))
    for (const { container, image } of podImages(object)) {
      const key = `${object.namespace} ${image}`
      const group = groups.get(key) ?? {
        namespace: object.namespace,
        image,
        owners: new Set<string>(),
        started: false,
        running: new Set<string>(),
        pullFailure: undefined,
      }
      groups.set(key, group)
      group.owners.add(ownerOf(object))
      const state = states.find((one) => one.container === container)
      if (state?.started === true) group.started = true
      if (state?.imageId !== undefined) group.running.add(state.imageId)
      group.pullFailure ??= state?.pullFailure
    }
  }
  const order = ({ namespace, image }: Group): string => `${namespace} ${image}`
  return [...groups.values()].toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
}

// --- internal ---

/** Kinds that only speak of images, and those that a parent in the list stands for. */
const SILENT = new Set(['Event', 'Node', 'ControllerRevision'])

/** A ReplicaSet without replicas is the history of a Deployment. */
const isPast = ({ kind, object }: KubeObject): boolean =>
  kind === 'ReplicaSet' &&
  typeof object['spec'] === 'object' &&
  object['spec'] !== null &&
  'replicas' in object['spec'] &&
  object['spec'].replicas === 0
