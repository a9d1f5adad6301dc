/**
 * An HTTP service that starts sagas and is stopped by SIGTERM while they run; the one that is
 * started in its place goes on with them. Starting is safe to repeat: the id of the order is the id
 * of the saga.
 *
 * usage: node dist/redeployed.js DIRECTORY PORT
 */
import { sagaAsync } from '@sagalog/saga'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Sagalog } from 'sagalog'

const [dir = './data', port = '8080'] = process.argv.slice(2)

const readCents = (value: unknown): number => {
  if (typeof value !== 'number') throw new Error('the cents are a number')
  return value
}

/** Three slow steps: a deploy falls into the middle of many of them. */
const slow = (what: string) => async (): Promise<string> => {
  await pause(150)
  return what
}
const order = sagaAsync('order', 1, readCents)
  .step('reserve', { run: slow('reserved'), undo: async () => {} })
  .pivot('charge', { run: slow('charged') })
  .then('ship', { run: slow('shipped') })
  .end()

const app = await Sagalog.open({ dir })
const runtime = app.sagas({ sagas: [order], instance: 'web-1', queues: 4 })
await runtime.start()
const orders = runtime.of(order)

const server = createServer((request, response) => {
  const [, id = ''] = /^\/orders\/([\w-]+)$/.exec(request.url ?? '') ?? []
  const answer = async (): Promise<object | undefined> => {
    if (id === '') return undefined
    if (request.method === 'PUT') {
      await orders.start(id, 100)
      return { id, state: 'started' }
    }
    const view = await orders.query(id)
    return view === undefined ? undefined : { id, state: view.state.phase }
  }
  answer().then(
    (body) => response.writeHead(body === undefined ? 404 : 200).end(JSON.stringify(body ?? {})),
    (error: unknown) => response.writeHead(503).end(String(error)),
  )
})
server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  console.log(`listening on 127.0.0.1:${bound}`)
})

/** No new work, then what is in hand ends, then the leases are given back. */
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  void app.close().then(() => console.log('closed'))
})
