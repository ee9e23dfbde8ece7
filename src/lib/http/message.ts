import type { Bytes } from '../bytes/bytes.ts'

/** Content of a known length; `open` gives it from its first byte. */
export interface SizedBody {
  readonly size: number
  readonly open: () => Promise<Bytes>
}

export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Always sent with an exact Content-Length. */
  readonly body?: Uint8Array | SizedBody
  readonly signal?: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  /** As asked. */
  readonly url: string
  readonly headers: Headers
  /** The proxy (host and port) that passed a plain-http exchange on, and may be who speaks here. */
  readonly proxy?: string
  /** The bytes as sent, nothing decoded. To be read to its end, left by `break`, or dropped with `discard`. */
  readonly body: Bytes
  /** At most `limit` bytes (64 KiB) of the body as UTF-8; the rest is let go. */
  text(limit?: number): Promise<string>
  /** Lets the body go. */
  discard(): Promise<void>
}
