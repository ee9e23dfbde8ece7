/**
 * ma-bundle for other TypeScript programs, on Bun: bundles are opened, exported and imported by functions, with typed
 * events and an `AbortSignal`. Nothing is printed, no question is asked, the process is never ended.
 *
 *     import { exportBundle, importBundle, openBundle } from 'ma-bundle'
 *
 *     await exportBundle('bundle.tar', { spec: 'my-list.yaml', onEvent: (event) => console.error(event.type) })
 *     await using bundle = await openBundle('bundle.tar')
 *     if ((await bundle.verify()).damaged.length > 0) throw new Error('copy it again')
 *     const { roots } = await importBundle('bundle.tar', { registry: 'registry.example:5000' })
 */
export { exportBundle, type ExportOptions } from './api/export.ts'
export { importBundle, type ImportOptions } from './api/import.ts'
export {
  openBundle,
  type OpenedBundle,
  type OpenOptions,
  type ValuesOptions,
  type ValuesTexts,
} from './api/open.ts'
export { MaBundleError } from './api/error.ts'
export type { Login, NetworkOptions } from './api/network.ts'
export type { Count, ExportResult, ImportResult, Landed, UnboundPlace } from './api/results.ts'
export type { RunOptions } from './api/run.ts'
export type { BundleEvent, Phase, RootKind } from './bundle/run/events.ts'
export type { ChartContents, FileContents, ImageContents, RootContents } from './bundle/format/contents.ts'
export type { ChartProof, OpenReference } from './bundle/format/charts/chart-proof.ts'
export type { RootWeight } from './bundle/export/weights.ts'
export type { BundleReport, ReportedRoot } from './bundle/inspect/report.ts'
export type { Verified } from './bundle/verify/verify.ts'
export type { Damage } from './bundle/format/frame.ts'
export type { RootFailure } from './bundle/run/failure-report.ts'
export type { Digest } from './oci/digest.ts'
