/** The process that runs the sagas: it starts some orders and tells how each of them ended. */
import type { Connection } from '@sagalog/client'
import { createSagaRuntime, type SagaRuntime } from '@sagalog/saga'
import { threeOrders } from './order-saga.js'

const ITEMS = ['book', 'disc']

/** Order `n`: from the sixth of an item on nothing is left, and each fourth is too dear. */
export const orderOf = (n: number) => ({
  order: `order-${n}`,
  item: ITEMS[n % ITEMS.length] ?? '',
  count: 1,
  cents: n % 4 === 0 ? 20_000 : 1_000 * n,
})

export async function orchestrator(connection: Connection): Promise<SagaRuntime> {
  const runtime = createSagaRuntime(connection, {
    sagas: [threeOrders],
    instance: 'orchestrator-1',
    queues: 4,
  })
  await runtime.start()
  return runtime
}

/** Starting is idempotent: a process that starts anew begins from the first order. */
export async function placeOrders(runtime: SagaRuntime, count: number): Promise<void> {
  const orders = runtime.of(threeOrders)
  for (let n = 1; n <= count; n += 1) await orders.start(`order-${n}`, orderOf(n))
  for (let n = 1; n <= count; n += 1) {
    let result = await orders.result(`order-${n}`)
    while (result.outcome === 'pending') result = await orders.result(`order-${n}`)
    const why = result.outcome === 'compensated' ? ` ${JSON.stringify(result.reason)}` : ''
    console.log(`order-${n} ${result.outcome}${why}`)
  }
}
