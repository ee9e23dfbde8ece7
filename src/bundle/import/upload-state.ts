import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { UploadRecord } from '../../aws/ecr/layers/upload.ts'
import { codeOf } from '../../lib/errors.ts'
import { readSmall } from '../../lib/bytes/small-file.ts'
import { replaceFile } from '../../lib/bytes/write-whole.ts'
import { digestOf, hexOf, type Digest } from '../../oci/digest.ts'
import { isObject, parseObject } from '../../oci/manifest.ts'

/** Remembers across runs how far large uploads have come. */
export interface UploadRecords {
  load(repository: string, digest: Digest): Promise<UploadRecord | undefined>
  /** `undefined` forgets. */
  save(repository: string, digest: Digest, record: UploadRecord | undefined): Promise<void>
}

/** One small private file an upload, named by what is uploaded where; nothing in it is a secret. */
export function createUploadRecords(folder: string, registry: string): UploadRecords {
  const fileOf = (repository: string, digest: Digest): string =>
    join(folder, `${hexOf(digestOf(`${registry}/${repository}@${digest}`)).slice(0, 32)}.json`)
  return {
    async load(repository, digest) {
      const raw = await readSmall(fileOf(repository, digest)).catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return undefined
        throw error
      })
      return raw === undefined ? undefined : parseRecord(raw)
    },
    async save(repository, digest, record) {
      const file = fileOf(repository, digest)
      if (record === undefined) {
        await rm(file, { force: true })
        return
      }
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await replaceFile(file, JSON.stringify(record), { mode: 0o600 })
    },
  }
}

// --- internal ---

function parseRecord(raw: Uint8Array): UploadRecord | undefined {
  const json = parseObject(raw)
  if (!isObject(json)) return undefined
  const { uploadId, partSize, at } = json
  if (typeof uploadId !== 'string' || typeof partSize !== 'number' || typeof at !== 'number') return undefined
  return { uploadId, partSize, at }
}
