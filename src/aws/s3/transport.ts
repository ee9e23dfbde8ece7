import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { Readable } from 'node:stream'
import { bytesOf, collect, type Bytes } from '../../lib/bytes/bytes.ts'
import type { Http } from '../../lib/http/client.ts'
import { toHttp, type SdkRequest } from '../transport.ts'

/** Called with the region that S3 says the bucket is in, when it refuses a request. */
export type OnRegion = (region: string) => void

/** As `sdkTransport`, with bodies that stream at the pace of their consumer. */
export function transportOver(
  http: Http,
  onRegion: OnRegion,
): Pick<S3ClientConfig, 'requestHandler' | 'streamCollector'> {
  return {
    requestHandler: {
      metadata: { handlerProtocol: 'http/1.1' },
      async handle(request: SdkRequest, { abortSignal }: { abortSignal?: unknown } = {}) {
        const answered = await http(toHttp(request, abortSignal))
        const { status, headers, body } = answered
        const answer = (content: Bytes) => ({
          response: { statusCode: status, headers: Object.fromEntries(headers), body: shell(content) },
        })
        if (status < 300) return answer(body)
        const words = await answered.text()
        // Other stores than AWS's, and HTTP/2 gateways before it, leave the header out.
        const region = headers.get('x-amz-bucket-region') ?? REGION.exec(words)?.[1]
        if (region !== undefined) onRegion(region)
        return answer(bytesOf(new TextEncoder().encode(words)))
      },
    },
    streamCollector: (body: Bytes) => collect(body),
  }
}

// --- internal ---

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: AuthorizationHeaderMalformed names it. */
const REGION = /<Region>\s*([a-z0-9-]{1,64})\s*<\/Region>/

/** The SDK takes nothing but a Readable for a body. Whoever iterates over this one reads the body itself. */
const shell = (body: Bytes): Readable =>
  Object.assign(new Readable({ read: () => undefined }), {
    [Symbol.asyncIterator]: () => body[Symbol.asyncIterator](),
  })
