/** Serves the text of a registry over HTTP on the loopback: GET /metrics, and nothing else. */
import { createServer } from 'node:http'
import { BrokerError } from '@sagalog/broker'

export interface MetricsServer {
  readonly port: number
  close(): Promise<void>
}

interface Text {
  readonly contentType: string
  metrics(): Promise<string>
}

const HOST = '127.0.0.1'

/**
 * Listens on a port of the loopback; 0 lets the system choose. A scrape that fails is answered with
 * 500 and the reason. Rejects with ADDRESS_IN_USE or ADDRESS_UNUSABLE.
 */
export function serveMetrics(registry: Text, port: number): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(path === '/metrics' ? 405 : 404).end()
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(failure(port, cause))
    })
    server.listen(port, HOST, () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        close: () =>
          new Promise((done) => {
            server.close(() => done())
            server.closeAllConnections()
          }),
      })
    })
  })
}

function failure(port: number, cause: NodeJS.ErrnoException): BrokerError {
  return cause.code === 'EADDRINUSE'
    ? new BrokerError('ADDRESS_IN_USE', { host: HOST, port }, { cause })
    : new BrokerError('ADDRESS_UNUSABLE', { host: HOST, port, reason: cause.message }, { cause })
}
