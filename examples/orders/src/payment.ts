/**
 * The payment service. It is slow and silent on purpose for some orders: a withheld reply is
 * decided all the same, and a late charge moves, in the commit that takes it, to a topic of its
 * own, from which only the commit that processes its undo releases it. It must then be refused by
 * the fence.
 */
import { type Connection, type Consumer, createConsumer } from '@sagalog/client'
import type { Problem, Received, Tx } from '@sagalog/client'
import { createEventStore, createRepository } from '@sagalog/event-store'
import { forwardedProperties, reply } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import { createLateCharges, type LateCharges } from './late-charges.js'
import { CENTS_PER_MONTH_MAX, paymentRules } from './payment-rules.js'
import {
  isChargeLate,
  isReplyWithheld,
  PAYMENT_GROUP,
  type PaymentCommand,
  type PaymentEvent,
  paymentCommands,
  paymentLate,
} from './topics.js'

function moveToLate(message: Received<PaymentCommand>, tx: Tx): void {
  tx.send(paymentLate, message.body, {
    shardingKey: message.body.customer,
    properties: forwardedProperties(message),
  })
}

/** Sends a kept charge again, as a part of the commit that processes its undo. */
async function release(
  order: number,
  { tx, late, signal }: { tx: Tx; late: LateCharges; signal: AbortSignal },
): Promise<void> {
  const charge = await late.take(order, signal)
  tx.ack(charge.delivery)
  // Not before: a commit that is refused tries again, and needs the charge once more.
  tx.onCommitted(() => late.forget(charge))
  const { customer, month, cents } = charge.body
  const body = { type: 'Charge' as const, order, customer, month, cents, isLate: true }
  tx.send(paymentCommands, body, {
    shardingKey: customer,
    properties: forwardedProperties(charge),
  })
}

function answer(message: Received<PaymentCommand>, tx: Tx, event: PaymentEvent | undefined): void {
  const { order, type, cents } = message.body
  if (type === 'Refund') return reply(tx, message, { undone: true })
  if (isReplyWithheld(order)) return
  if (event?.type === 'Charged') return reply(tx, message, { done: { cents } })
  if (event?.type === 'ChargeRefused') {
    return reply(tx, message, { refused: { limit: CENTS_PER_MONTH_MAX } })
  }
  // A late charge at its fence: whoever asked has taken it back and waits for nothing.
}

/** The service, ready to be started. */
export function createPayment(
  connection: Connection,
  onProblem: (problem: Problem) => void,
): Consumer {
  const repository = createRepository(createEventStore(connection), paymentRules)
  const consumer = createConsumer(connection, {
    group: PAYMENT_GROUP,
    instance: 'payment-1',
    onProblem,
  })
  const late = createLateCharges()
  consumer.listen(
    paymentCommands,
    async (message, tx, { signal }) => {
      const { body } = message
      const { type, customer, order, month, cents } = body
      if (type === 'Charge' && isChargeLate(order) && !body.isLate) return moveToLate(message, tx)
      if (type === 'Refund' && isChargeLate(order)) await release(order, { tx, late, signal })
      const command = { type, data: { order, month, cents } }
      const decided = await repository.decideIn(tx, customer, command)
      if (E.isLeft(decided)) return decided.left
      answer(message, tx, decided.right[0])
    },
    { order: 'orderly' },
  )
  consumer.listen(
    paymentLate,
    async (message) => {
      late.keep(message)
    },
    { order: 'held' },
  )
  return consumer
}
