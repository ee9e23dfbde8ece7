/**
 * A TCP relay that makes a host seem far away: what a client sends arrives after the given time, and so does the
 * first answer on a new connection. Runs as a process of its own: bun test/bench/delay.ts <host:port> <ms>
 */
import { connect, createServer, type Socket } from 'node:net'

const [target = '', text = '0'] = process.argv.slice(2)
const [host = '', port = ''] = target.split(':')
const delay = Number(text)

const server = createServer({ noDelay: true }, (near) => {
  const far = connect({ host, port: Number(port), noDelay: true })
  relay(near, far, delay)
  relay(far, near, 0)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`)
})

/** More on its way than fits a long fat line is held back at the sender. */
function relay(from: Socket, to: Socket, ms: number): void {
  const most = 16 * 1024 * 1024
  let held = 0
  // A handshake takes one more turn.
  const opened = performance.now() + ms
  from.on('data', (chunk) => {
    const pass = (): void => {
      held -= chunk.length
      if (!to.destroyed) {
        if (to.write(chunk)) from.resume()
        else to.once('drain', () => from.resume())
      }
    }
    held += chunk.length
    if (ms === 0) {
      from.pause()
      pass()
      return
    }
    if (held > most) from.pause()
    setTimeout(pass, ms + Math.max(0, opened - performance.now()))
  })
  from.on('end', () => setTimeout(() => to.end(), ms * 2))
  from.on('error', () => to.destroy())
  from.on('close', () => setTimeout(() => to.destroy(), ms * 2))
}
