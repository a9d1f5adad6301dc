/**
 * The inventory service: takes commands, decides over the customer's stream, answers. What it
 * records, its reply and the acknowledgement of the command are one commit, so it needs no table of
 * what it has seen.
 */
import { type Connection, type Consumer, createConsumer, type Problem } from '@sagalog/client'
import { createEventStore, createRepository } from '@sagalog/event-store'
import { reply } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import { CDS_PER_QUARTER_MAX, inventoryRules } from './inventory-rules.js'
import { INVENTORY_GROUP, inventoryCommands } from './topics.js'

/** The service, ready to be started. */
export function createInventory(
  connection: Connection,
  onProblem: (problem: Problem) => void,
): Consumer {
  const repository = createRepository(createEventStore(connection), inventoryRules)
  const consumer = createConsumer(connection, {
    group: INVENTORY_GROUP,
    instance: 'inventory-1',
    onProblem,
  })
  consumer.listen(
    inventoryCommands,
    async (message, tx) => {
      const { type, customer, order, quarter, cds } = message.body
      const command = { type, data: { order, quarter, cds } }
      const decided = await repository.decideIn(tx, customer, command)
      if (E.isLeft(decided)) return decided.left
      if (type === 'Release') return reply(tx, message, { undone: true })
      const isReserved = decided.right[0]?.type === 'Reserved'
      reply(
        tx,
        message,
        isReserved ? { done: { cds } } : { refused: { limit: CDS_PER_QUARTER_MAX } },
      )
    },
    { order: 'orderly' },
  )
  return consumer
}
