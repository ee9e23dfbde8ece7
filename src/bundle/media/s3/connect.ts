import { caFilesOf, type AwsConfig } from '../../../aws/config/config.ts'
import { createS3, type S3 } from '../../../aws/s3/client.ts'
import { parseS3, type S3Location } from '../../../aws/s3/location.ts'
import { createHttp } from '../../../lib/http/client.ts'
import type { MediumOptions } from '../medium.ts'

/** A place in S3 and the client for it; nothing is sent yet. */
export function connectS3(
  name: string,
  { env, aws, signal, emit }: Pick<MediumOptions, 'env' | 'aws' | 'signal' | 'emit'>,
): { readonly location: S3Location; readonly s3: S3 } {
  const location = parseS3(name)
  const http = (config: AwsConfig) =>
    createHttp({ env, caFiles: caFilesOf(config), stallSeconds: STALL_SECONDS })
  return { location, s3: createS3(location, { aws: () => aws('bundle'), http, emit, signal }) }
}

// --- internal ---

const STALL_SECONDS = 60
