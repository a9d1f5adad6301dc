/**
 * The HTTP face: commands go in by POST, rows come out by GET. A command's answer waits until the
 * rows hold it, so whoever was answered reads what he wrote.
 */
import {
  createRepository,
  type EventStore,
  projectionRows,
  runProjection,
  streamRows,
} from '@sagalog/event-store'
import type { Clock } from '@sagalog/kernel'
import Fastify, { type FastifyInstance } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import { Order, Orders } from './order.js'
import { customers, orderList } from './read-models.js'

/** The application; closing it ends its projections. */
export async function orderApp(store: EventStore, clock: Clock): Promise<FastifyInstance> {
  await store.ensureCategory(Orders, { queues: 4 })
  const orders = createRepository(store, Order)
  const rows = streamRows(store.port)
  const running = [
    runProjection(store, orderList, { rows, clock }),
    runProjection(store, customers, { rows, clock }),
  ]
  const shown = {
    orders: projectionRows(rows, orderList),
    customers: projectionRows(rows, customers),
  }
  const app = Fastify()
  app.addHook('onClose', async () => {
    await Promise.all(running.map((projector) => projector.close()))
  })

  const caughtUp = (): Promise<unknown> =>
    Promise.all(running.map((projector) => projector.whenCaughtUp()))

  app.post<{ Params: { id: string; command: string }; Body: unknown }>(
    '/orders/:id/:command',
    async ({ body, params }, reply) => {
      const command = Order.commands.decode({ type: params.command, data: body })
      if (E.isLeft(command)) return await reply.code(400).send({ problem: 'no such command' })
      const { data } = command.right
      const customer = 'customer' in data ? { customer: data.customer } : {}
      const result = await orders.handle(params.id, command.right, { metadata: customer })
      if (E.isLeft(result)) return await reply.code(409).send(result.left)
      await caughtUp()
      return { version: result.right.version, status: result.right.state.status }
    },
  )
  app.get<{ Params: { id: string } }>('/orders/:id', async ({ params }, reply) => {
    const row = await shown.orders.get(params.id)
    return O.isSome(row) ? row.value : await reply.code(404).send({ problem: 'no such order' })
  })
  app.get<{ Params: { name: string } }>('/customers/:name', async ({ params }, reply) => {
    const row = await shown.customers.get(params.name)
    return O.isSome(row) ? row.value : await reply.code(404).send({ problem: 'no such customer' })
  })
  return app
}
