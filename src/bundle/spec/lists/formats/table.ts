import type { ListFormat } from '../format.ts'
import { kbld, imgpkg } from './carvel.ts'
import { chartLock, chartYaml } from './chart-yaml.ts'
import { cnab } from './cnab.ts'
import { compose } from './compose.ts'
import { dtLock } from './dt-lock.ts'
import { bareList, imageList } from './generic.ts'
import { hauler } from './hauler.ts'
import { helmfile } from './helmfile.ts'
import { crictl, dockerImages } from './image-store.ts'
import { imageset } from './imageset.ts'
import { kots } from './kots.ts'
import { regsync } from './regsync.ts'
import { skopeoSync } from './skopeo-sync.ts'
import { uds } from './uds.ts'
import { zarf } from './zarf.ts'

/** Every list that is understood, the most particular first: the first that matches reads a document. */
export const FORMATS: readonly ListFormat[] = [
  hauler,
  zarf,
  uds,
  imageset,
  imgpkg,
  kbld,
  dtLock,
  kots,
  cnab,
  regsync,
  compose,
  helmfile,
  chartYaml,
  chartLock,
  crictl,
  dockerImages,
  imageList,
  skopeoSync,
  bareList,
]
