import type { Cursor } from '../cursor.ts'

/** What kustomize reads; it may leave its kind out. */
export function isKustomization(document: Cursor): boolean {
  if ((document.get('apiVersion').text ?? '').startsWith('kustomize.config.k8s.io/')) return true
  if (document.get('kind').kind !== 'none' || document.kind !== 'map') return false
  const keys = document.entries.map(([key]) => key)
  return keys.some((key) =>
    ['resources', 'bases', 'components', 'patches', 'patchesStrategicMerge'].includes(key),
  )
}
