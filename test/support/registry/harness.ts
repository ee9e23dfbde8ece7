import { createHash } from 'node:crypto'
import { BundleError } from '../../../src/lib/errors.ts'
import { createHttp, type HttpOptions } from '../../../src/lib/http/client.ts'
import { createClient, type ClientOptions, type RegistryClient } from '../../../src/registry/client.ts'
import type { RegistryEvent } from '../../../src/registry/events.ts'

/** A client that does not wait long between tries, and what it reported. */
export interface Harness {
  readonly client: RegistryClient
  readonly events: RegistryEvent[]
}

export function harness(options: Partial<ClientOptions> & { readonly net?: HttpOptions } = {}): Harness {
  const events: RegistryEvent[] = []
  const { net, ...rest } = options
  const client = createClient({
    http: createHttp({ stallSeconds: 5, ...net }),
    emit: (event) => void events.push(event),
    retry: { attempts: 5, baseMs: 4, maxMs: 40 },
    ...rest,
  })
  return { client, events }
}

/** The error a promise ends with, which must be one for people. */
export async function failureOf(promise: Promise<unknown>): Promise<BundleError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof BundleError) return error
    throw error
  }
  throw new Error('it did not fail')
}

/** Reads all, as a list of lengths and one digest, so that a failed comparison is short. */
export async function digestAll(bytes: AsyncIterable<Uint8Array>): Promise<{ size: number; digest: string }> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of bytes) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, digest: `sha256:${hash.digest('hex')}` }
}

export async function listAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
