/**
 * An HTTP relay that answers every nth request with 429 and leaves the others alone. Runs as a process of its own:
 * bun test/bench/busy.ts <host:port> <n>
 */
import http from 'node:http'

const [target = '', text = '10'] = process.argv.slice(2)
const [hostname = '', port = ''] = target.split(':')
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 64 })
let seen = 0

const server = http.createServer((request, response) => {
  seen += 1
  if (seen % Number(text) === 0) {
    request.resume()
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '0' })
    response.end('{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}')
    return
  }
  const { method, url, headers } = request
  const far = http.request({ hostname, port, method, path: url, headers, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    answer.pipe(response)
  })
  far.on('error', () => response.destroy())
  request.pipe(far)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`)
})
