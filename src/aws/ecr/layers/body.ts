import type { ECR, UploadLayerPartCommandInput } from '@aws-sdk/client-ecr'

/**
 * ECR takes parts of layers as base64 in JSON, of which the SDK makes some thirteen copies: strings of 16 bits a letter
 * among them. Here the part is left out while the SDK makes its JSON, and put into one buffer that is used again.
 */
export function encodePartsLean(api: ECR): void {
  const bodies: Buffer[] = []
  const parts = new WeakMap<object, Uint8Array>()
  api.middlewareStack.add(
    (next, context) => async (args) => {
      const { layerPartBlob, ...input } = args.input as UploadLayerPartCommandInput
      if (context['commandName'] !== COMMAND || layerPartBlob === undefined) return next(args)
      parts.set(context, layerPartBlob)
      return next({ ...args, input: { ...input, layerPartBlob: NOTHING } })
    },
    { step: 'initialize', name: 'takePartOut' },
  )
  api.middlewareStack.add(
    (next, context) => async (args) => {
      const part = parts.get(context)
      const request = args.request as { body?: unknown; headers: Record<string, string> }
      if (part === undefined) return next(args)
      const [before, after, ...more] = textOf(request.body).split(EMPTY)
      if (before === undefined || after === undefined || more.length > 0)
        throw new Error('the SDK writes the parts of a layer in another form than it did')
      const length = before.length + after.length + EMPTY.length + base64Length(part.length)
      const buffer = roomy(bodies.pop(), length)
      try {
        request.body = filled(buffer, `${before}${EMPTY.slice(0, -1)}`, part, `"${after}`)
        request.headers['content-length'] = String(length)
        return await next(args)
      } finally {
        bodies.push(buffer)
      }
    },
    { step: 'build', name: 'putPartIn', priority: 'high' },
  )
}

// --- internal ---

const COMMAND = 'UploadLayerPartCommand'
const EMPTY = '"layerPartBlob":""'
const NOTHING = new Uint8Array()
/** A multiple of three, so that no padding comes between. */
const SLICE = 192 * 1024

const textOf = (body: unknown): string =>
  body instanceof Uint8Array ? new TextDecoder().decode(body) : typeof body === 'string' ? body : ''

const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4

const roomy = (buffer: Buffer | undefined, length: number): Buffer =>
  buffer !== undefined && buffer.length >= length ? buffer : Buffer.allocUnsafe(length)

/** All but the part is ASCII: names of repositories, ids and numbers. */
function filled(buffer: Buffer, before: string, part: Uint8Array, after: string): Buffer {
  let at = buffer.write(before, 'latin1')
  for (let start = 0; start < part.length; start += SLICE) {
    const slice = part.subarray(start, start + SLICE)
    at += buffer.write(
      Buffer.from(slice.buffer, slice.byteOffset, slice.length).toString('base64'),
      at,
      'latin1',
    )
  }
  at += buffer.write(after, at, 'latin1')
  return buffer.subarray(0, at)
}
