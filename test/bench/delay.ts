/**
 * A TCP relay that makes a host seem far away: what a client sends arrives after the given time, and so does the
 * first answer on a new connection. Runs as a process of its own: bun test/bench/delay.ts <host:port> <ms>
 */
import { connect, createServer, type Socket } from 'node:net'

const [target = '', text = '0'] = process.argv.slice(2)
const [host = '', port = ''] = target.split(':')
const delay = Number(text)
/** More on its way than fits a long fat line is held back at the sender. */
const MOST = 16 * 1024 * 1024

const server = createServer({ noDelay: true }, (near) => {
  const far = connect({ host, port: Number(port), noDelay: true })
  late(near, far)
  far.pipe(near)
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy())
  near.on('close', () => setTimeout(() => far.destroy(), delay * 2))
  far.on('close', () => near.destroySoon())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`)
})

/** Passes on what comes in the order it came, each piece at its time; undefined is the end. */
function late(from: Socket, to: Socket): void {
  const queue: { readonly due: number; readonly chunk: Uint8Array | undefined }[] = []
  // A handshake takes one more turn.
  const opened = performance.now() + delay
  let held = 0
  let busy = false
  const add = (chunk: Uint8Array | undefined): void => {
    queue.push({ due: Math.max(performance.now(), opened) + delay, chunk })
    held += chunk?.length ?? 0
    if (held > MOST) from.pause()
    if (!busy) pass()
  }
  const pass = (): void => {
    busy = true
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const wait = first.due - performance.now()
      if (wait > 0) {
        setTimeout(pass, wait)
        return
      }
      queue.shift()
      if (to.destroyed) continue
      if (first.chunk === undefined) {
        to.end()
        continue
      }
      held -= first.chunk.length
      if (held <= MOST) from.resume()
      if (!to.write(first.chunk)) {
        to.once('drain', pass)
        return
      }
    }
    busy = false
  }
  from.on('data', add)
  from.on('end', () => add(undefined))
}
