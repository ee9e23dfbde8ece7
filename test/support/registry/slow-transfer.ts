import type { Bytes } from '../../../src/lib/bytes/bytes.ts'
import { createHttp } from '../../../src/lib/http/client.ts'

/**
 * A program of its own, because memory is measured per process: reads slowly from `<url>/download`, then sends to
 * `<url>/upload`, whose server reads slowly, for some seconds each. Prints the growth of memory and what was moved.
 * Arguments: URL, CA file; the proxy comes from the environment.
 */
const [url = '', caFile = ''] = process.argv.slice(2)
const http = createHttp({ env: process.env, caFiles: [caFile] })
const SECONDS = 3
const SIZE = 4 * 1024 ** 3

let peak = 0
const look = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss)
}, 20)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const warm = await http({ method: 'GET', url: `${url}/small` })
await warm.text()
Bun.gc(true)
const base = process.memoryUsage().rss

let received = 0
const response = await http({ method: 'GET', url: `${url}/download` })
const until = performance.now() + SECONDS * 1000
for await (const chunk of response.body) {
  received += chunk.length
  await pause(20)
  if (performance.now() > until) break
}

let sent = 0
async function* content(): Bytes {
  for (;;) {
    const chunk = new Uint8Array(512 * 1024).fill(sent % 251)
    sent += chunk.length
    yield chunk
  }
}
const stop = new AbortController()
setTimeout(() => stop.abort(), SECONDS * 1000)
const upload = {
  method: 'PUT',
  url: `${url}/upload`,
  body: { size: SIZE, open: async () => content() },
  signal: stop.signal,
}
await http(upload).then(
  () => undefined,
  () => undefined,
)
clearInterval(look)
process.stdout.write(JSON.stringify({ grownMiB: Math.round((peak - base) / 1024 ** 2), received, sent }))
process.exitCode = 0
