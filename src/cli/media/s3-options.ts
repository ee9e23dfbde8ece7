import { createS3, type S3 } from '../../aws/s3/client.ts'
import { parseS3, type S3Location } from '../../aws/s3/location.ts'
import { openS3Object } from '../../aws/s3/reader.ts'
import type { RandomReader } from '../../lib/bytes/bytes.ts'
import { createHttp } from '../../lib/http/client.ts'
import type { Session } from '../session.ts'

/** A place in S3 and the client for it. */
export function s3At(
  name: string,
  { env, signal, emit }: Pick<Session, 'env' | 'signal' | 'emit'>,
): { readonly location: S3Location; readonly s3: S3 } {
  const location = parseS3(name)
  const http = createHttp({
    env,
    caFiles: env['AWS_CA_BUNDLE'] ? [env['AWS_CA_BUNDLE']] : [],
    stallSeconds: STALL_SECONDS,
  })
  return { location, s3: createS3(location, { env, http, emit, signal }) }
}

/** A bundle in S3, read where it lies. */
export async function openS3Bundle(
  name: string,
  world: Pick<Session, 'env' | 'signal' | 'emit'>,
): Promise<RandomReader> {
  const { location, s3 } = s3At(name, world)
  return openS3Object(location, s3)
}

// --- internal ---

const STALL_SECONDS = 60
