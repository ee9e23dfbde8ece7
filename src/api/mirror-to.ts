import { bundleOfPlan } from '../bundle/export/without-a-file.ts'
import { importRoots } from '../bundle/import/import.ts'
import { checkValuesPlace } from '../bundle/import/write-values.ts'
import type { MediumOptions } from '../bundle/media/medium.ts'
import type { OnNotice } from '../setup/source.ts'
import type { OpenedTarget } from '../setup/target.ts'
import { withExport, type ExportRequest, type ReadyExport } from './export-to.ts'
import { finishImport, withTarget, type ImportDone, type ImportRequest } from './import-from.ts'

/** Everything that decides what goes from its sources into a registry without a bundle between them. */
export interface MirrorRequest
  extends
    Pick<ExportRequest, 'source' | 'network' | 'older'>,
    Pick<ImportRequest, 'layout' | 'target' | 'repair' | 'values' | 'pinDigests'> {}

/** Prepares it. A login that fails at the registry is known before anything is resolved. */
export const withMirror = <Result>(
  request: MirrorRequest,
  around: MediumOptions,
  onNotice: OnNotice,
  use: (ready: ReadyExport, opened: OpenedTarget) => Promise<Result>,
): Promise<Result> =>
  withTarget(request, around, (opened) =>
    withExport({ ...request, programs: { platforms: [], from: [] } }, around, { onNotice }, (ready) =>
      use(ready, opened),
    ),
  )

/** Pushes everything straight from its source into the registry, and writes the values override. */
export async function mirrorTo(
  request: MirrorRequest,
  around: MediumOptions,
  onNotice: OnNotice,
): Promise<ImportDone> {
  await checkValuesPlace(request.values)
  return withMirror(request, around, onNotice, async ({ prepared }, { target, network }) => {
    const { layout, repair } = request
    const started = performance.now()
    const bundle = bundleOfPlan(prepared.plan)
    const imported = await importRoots(bundle, target, { ...network, layout, repair })
    return finishImport(bundle, imported, started, request, around)
  })
}
