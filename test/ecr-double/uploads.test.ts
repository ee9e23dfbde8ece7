import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { ask, bytes, present, pushBlob, session, told } from './client.ts'

const MIB = 1024 * 1024
let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false })
  ecr.createRepository('up')
})
afterAll(() => ecr.stop())

const patch = (location: string, from: number, content: Uint8Array<ArrayBuffer>) =>
  ask(ecr, location, {
    method: 'PATCH',
    headers: { 'content-range': `${from}-${from + content.length - 1}` },
    body: content,
  })

describe('an upload', () => {
  test('needs a repository', async () => {
    const response = await ask(ecr, '/v2/none/blobs/uploads/', { method: 'POST' })
    expect(await told(response)).toBe(
      "404 NAME_UNKNOWN The repository with name 'none' does not exist in the registry with id '123456789012'",
    )
  })

  test('into a missing repository meets a closed connection in the older manner', async () => {
    const old = await startEcr({ tls: false, missingRepository: 'close' })
    await expect(ask(old, '/v2/none/blobs/uploads/', { method: 'POST' })).rejects.toThrow(/closed|ECONNRESET/)
    await old.stop()
  })

  test('creates the repository where a creation template says so', async () => {
    const creating = await startEcr({ tls: false, createOnPush: true })
    await pushBlob(creating, 'fresh/one', bytes(10))
    expect(creating.repositories().map(({ name }) => name)).toEqual(['fresh/one'])
    expect(creating.log.count('CreateRepository')).toBe(1)
    await creating.stop()
  })

  test('is one POST and one PUT with the whole body', async () => {
    ecr.log.clear()
    const content = bytes(6 * MIB)
    const location = await session(ecr, 'up')
    expect(location).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v2\/up\/blobs\/uploads\/[0-9a-f-]{36}$/)
    const put = await ask(ecr, `${location}?digest=${digestOf(content)}`, { method: 'PUT', body: content })
    expect(put.status).toBe(201)
    expect(put.headers.get('docker-content-digest')).toBe(digestOf(content))
    const head = await ask(ecr, `/v2/up/blobs/${digestOf(content)}`, { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.headers.get('content-length')).toBe(String(content.length))
    expect(ecr.log.counts()).toEqual({
      InitiateLayerUpload: 1,
      UploadLayerPart: 1,
      CompleteLayerUpload: 1,
      BatchCheckLayerAvailability: 1,
    })
  })

  test('in parts answers 201 with a Range that stays at the first part', async () => {
    const [one, two, three] = [bytes(5 * MIB), bytes(5 * MIB + 1), bytes(7)]
    const location = await session(ecr, 'up')
    const answers = [
      await patch(location, 0, one),
      await patch(location, one.length, two),
      await patch(location, one.length + two.length, three),
    ]
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(answers.map(({ headers }) => headers.get('range'))).toEqual(Array(3).fill(`0-${one.length - 1}`))
    const digest = digestOf(Buffer.concat([one, two, three]))
    const put = await ask(ecr, `${location}?digest=${digest}`, { method: 'PUT' })
    expect(put.status).toBe(201)
  })

  test('refuses a part at the wrong place', async () => {
    const location = await session(ecr, 'up')
    const part = bytes(5 * MIB)
    await patch(location, 0, part)
    const wrong = await patch(location, 11, part)
    expect(await told(wrong)).toBe(
      `416 BLOB_UPLOAD_INVALID First byte of the layer part is 11 instead of ${part.length}`,
    )
    const unplaced = await ask(ecr, location, { method: 'PATCH', body: part })
    expect(await told(unplaced)).toBe(
      `416 BLOB_UPLOAD_INVALID First byte of the layer part is 0 instead of ${part.length}`,
    )
  })

  test('with a small part that is not the last one fails at the end', async () => {
    const location = await session(ecr, 'up')
    const [one, two] = [bytes(5 * MIB - 1), bytes(3)]
    await patch(location, 0, one)
    await patch(location, one.length, two)
    const put = await ask(ecr, `${location}?digest=${digestOf(Buffer.concat([one, two]))}`, { method: 'PUT' })
    expect(await told(put)).toMatch(/^400 BLOB_UPLOAD_INVALID .*has parts smaller than 5242880 bytes/)
  })

  test('may be one PATCH of any size and an empty PUT', async () => {
    const location = await session(ecr, 'up')
    const content = bytes(33)
    expect((await ask(ecr, location, { method: 'PATCH', body: content })).status).toBe(201)
    const put = await ask(ecr, `${location}?digest=${digestOf(content)}`, { method: 'PUT' })
    expect(put.status).toBe(201)
  })

  test('of nothing is refused', async () => {
    const location = await session(ecr, 'up')
    const put = await ask(ecr, `${location}?digest=${digestOf('')}`, { method: 'PUT' })
    expect(await told(put)).toMatch(
      /^400 BLOB_UPLOAD_INVALID .*cannot be completed because it does not have any parts$/,
    )
  })

  test('of other bytes than it says is refused', async () => {
    const location = await session(ecr, 'up')
    const put = await ask(ecr, `${location}?digest=${digestOf('other')}`, { method: 'PUT', body: bytes(9) })
    expect(await told(put)).toBe(
      '400 BLOB_UPLOAD_INVALID None of the provided layer digests match the calculated layer digest',
    )
  })

  test('is dead after half a body: the same session refuses the whole, a new one takes it', async () => {
    const content = bytes(300_000)
    const digest = digestOf(content)
    const location = new URL(await session(ecr, 'up'))
    await new Promise<void>((resolve) => {
      const socket = connect(Number(location.port), location.hostname, () => {
        socket.write(
          `PUT ${location.pathname}?digest=${digest} HTTP/1.1\r\nhost: ${location.host}\r\nauthorization: Basic ${ecr.token()}\r\ncontent-length: ${content.length}\r\n\r\n`,
        )
        socket.write(content.subarray(0, 100_000), () => setTimeout(() => socket.destroy(), 50))
      })
      socket.on('close', () => resolve())
    })
    const [entry] = ecr.log.requests('PUT', location.pathname)
    while (present(entry).doneAt === undefined) await Bun.sleep(5)
    expect(present(entry).requestBytes).toBe(100_000)
    const again = await ask(ecr, `${location}?digest=${digest}`, { method: 'PUT', body: content })
    expect(await told(again)).toBe(
      '416 BLOB_UPLOAD_INVALID First byte of the layer part is 0 instead of 100000',
    )
    expect(await pushBlob(ecr, 'up', content)).toBe(digest)
  })

  test('belongs to its repository and can be dropped', async () => {
    ecr.createRepository('elsewhere')
    const location = await session(ecr, 'up')
    const foreign = await ask(ecr, location.replace('/v2/up/', '/v2/elsewhere/'), {
      method: 'PATCH',
      body: bytes(1),
    })
    expect(await told(foreign)).toMatch(/^404 BLOB_UPLOAD_UNKNOWN /)
    expect((await ask(ecr, location, { method: 'DELETE' })).status).toBe(204)
    expect((await ask(ecr, location, { method: 'PATCH', body: bytes(1) })).status).toBe(404)
  })

  test('streams to disk and is hashed on the way', async () => {
    const { mkdtemp, readdir, rm } = await import('node:fs/promises')
    const { tmpdir } = await import('node:os')
    const dir = await mkdtemp(`${tmpdir()}/ecr-double-test-`)
    const disk = await startEcr({ dir })
    disk.createRepository('disk')
    const piece = bytes(MIB)
    const hash = createHash('sha256')
    const size = 40 * MIB
    for (let sent = 0; sent < size; sent += MIB) hash.update(piece)
    const digest = `sha256:${hash.digest('hex')}`
    let left = size
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(piece)
        left -= MIB
        if (left === 0) controller.close()
      },
    })
    const put = await ask(disk, `${await session(disk, 'disk')}?digest=${digest}`, {
      method: 'PUT',
      headers: { 'content-length': String(size) },
      body,
    })
    expect(put.status).toBe(201)
    expect(await readdir(`${dir}/blobs/sha256`)).toEqual([digest.slice(7)])
    expect(await readdir(`${dir}/uploads`)).toEqual([])
    await disk.stop()
    await rm(dir, { recursive: true })
  })
})
