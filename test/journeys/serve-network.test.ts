import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { runShell } from '../support/shell.ts'
import { startServe, type Served } from '../support/serve.ts'
import { startSource } from '../support/source.ts'

const MIB = 2 ** 20
const READERS = 400
const PEAK = resolve(import.meta.dirname, '../support/peak-memory.ts')
const folder = mkdtempSync(join(tmpdir(), 'ma-bundle-serve-network-'))
const at = (name: string): string => join(folder, name)
const layer = layerOf({ large: noise(24 * MIB, 7) })
const image = buildImage([layer])
let path: string

beforeAll(async () => {
  const source = await startSource({ images: { 'team/large:1': image } })
  writeFileSync(at('spec.yaml'), `images: [${source.host}/team/large:1]\n`)
  const { code, stderr } = await runShell([
    'export',
    at('a.tar'),
    '--spec',
    at('spec.yaml'),
    '--platform',
    'linux/amd64',
  ])
  expect(code, stderr).toBe(0)
  const digest = /sha256:[0-9a-f]{64}/.exec(
    JSON.stringify((JSON.parse(new TextDecoder().decode(image.raw)) as { layers: unknown }).layers),
  )
  path = `/v2/${source.host.replace(':', '-')}/team/large/blobs/${digest?.[0]}`
  await source.stop()
})
afterAll(() => rmSync(folder, { recursive: true }))

const serve = (): Promise<Served> =>
  startServe(at('a.tar'), folder, [], { BUN_OPTIONS: `--preload ${PEAK}`, PEAK_MEMORY_FILE: at('peak') })

const range = (served: Served, start: number, end: number): Promise<Response> =>
  fetch(`${served.url}${path}`, { headers: { range: `bytes=${start}-${end - 1}` } })

/** Asks for the whole blob and reads nothing but the beginning of the answer. */
async function idleReader({ host }: Served): Promise<Socket> {
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(socket, 'readable')
  return socket
}

it('holds little for each of 400 clients that do not read, and serves others meanwhile', async () => {
  const served = await serve()
  const idle = await Promise.all(Array.from({ length: READERS }, () => idleReader(served)))
  for (let round = 0; round < 3; round += 1) {
    const whole = new Uint8Array(await (await fetch(`${served.url}${path}`)).arrayBuffer())
    expect(Buffer.compare(whole, layer)).toBe(0)
  }
  const parts = await Promise.all(
    Array.from({ length: 100 }, async (_, part) => {
      const [start, end] = [part * 200_003, part * 200_003 + 70_001]
      return Buffer.compare(
        new Uint8Array(await (await range(served, start, end)).arrayBuffer()),
        layer.subarray(start, end),
      )
    }),
  )
  expect(parts.every((difference) => difference === 0)).toBe(true)
  for (const socket of idle) socket.destroy()
  expect((await served.stop()).code).toBe(0)
  expect(Number(readFileSync(at('peak'), 'utf8')) / MIB).toBeLessThan(200)
})

it('sends no byte that changed after the blob was found right, and the rest of it all the same', async () => {
  const served = await serve()
  expect(
    Buffer.compare(new Uint8Array(await (await range(served, 5, 50)).arrayBuffer()), layer.subarray(5, 50)),
  ).toBe(0)
  const place = readFileSync(at('a.tar')).indexOf(layer.subarray(0, 64)) + 10 * MIB
  const file = openSync(at('a.tar'), 'r+')
  writeSync(file, new TextEncoder().encode('EVILEVIL'), 0, 8, place)
  closeSync(file)
  await expect(range(served, 10 * MIB, 10 * MIB + 8).then((response) => response.text())).rejects.toThrow()
  const whole = await fetch(`${served.url}${path}`)
  await expect(whole.arrayBuffer()).rejects.toThrow()
  const right = new Uint8Array(await (await range(served, 11 * MIB, 12 * MIB)).arrayBuffer())
  expect(Buffer.compare(right, layer.subarray(11 * MIB, 12 * MIB))).toBe(0)
  const { stdout } = await served.stop()
  expect(stdout).toContain('it has changed since it was read first')
})
