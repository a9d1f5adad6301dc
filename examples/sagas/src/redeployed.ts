/**
 * A Fastify service that starts sagas and is stopped by SIGTERM while they run; the one that is
 * started in its place goes on with them. Starting is safe to repeat: the id of the order is the id
 * of the saga.
 *
 * usage: node dist/redeployed.js DIRECTORY PORT
 */
import { sagaAsync } from '@sagalog/saga'
import Fastify from 'fastify'
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

const server = Fastify()
server.put<{ Params: { id: string } }>('/orders/:id', async ({ params: { id } }) => {
  await orders.start(id, 100)
  return { id, state: 'started' }
})
server.get<{ Params: { id: string } }>('/orders/:id', async ({ params: { id } }, reply) => {
  const view = await orders.query(id)
  if (view === undefined) return await reply.code(404).send({ problem: `there is no order ${id}` })
  return { id, state: view.state.phase }
})
// No new work, then what is in hand ends, then the leases are given back.
server.addHook('onClose', () => app.close())
console.log(`listening on ${await server.listen({ host: '127.0.0.1', port: Number(port) })}`)
process.once('SIGTERM', () => void server.close().then(() => console.log('closed')))
