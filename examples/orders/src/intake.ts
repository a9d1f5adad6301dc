/**
 * The intake: places each order of the file once, by a transactional message. A half message starts
 * the order's saga; the entry in the intake's own book is the local step; the second confirmation
 * makes the half visible. Invariants: a customer has at most one undecided half, and only the half
 * that the book names for an order is ever committed.
 */
import { ClientError, type Connection, createProducer, type Half } from '@sagalog/client'
import { assert, type Clock, sleep } from '@sagalog/kernel'
import { brokerStatus, endTransaction, ResponseCode } from '@sagalog/protocol'
import { startMessage } from '@sagalog/saga'
import type { Book } from './book.js'
import type { Order } from './order-file.js'
import { inputOf, orderOfSaga, orderSaga, sagaIdOf } from './order-saga.js'
import { INTAKE_GROUP, isConfirmationDropped } from './topics.js'

export interface IntakeOptions {
  readonly connection: Connection
  readonly clock: Clock
  readonly book: Book
  readonly orders: readonly Order[]
  /** A customer is open from its first order to the end of its last saga. */
  readonly customersOpen: number
  /** Orders placed by an earlier process whose sagas have ended. */
  readonly endedBefore: ReadonlySet<number>
  /** The order's half is decided, durably. */
  readonly onPlaced: (order: number) => void
  /** Runs between the durable half and its book entry; a test of crashes never returns from it. */
  readonly beforeBookEntry?: (order: number) => Promise<void>
}

export interface Intake {
  /** Resolves at the end of the file: every order is placed, and every saga has ended. */
  run(): Promise<void>
  /** Tells that the saga of an order is at its end. */
  ended(order: number): void
  close(): void
}

interface Placement {
  readonly order: Order
  /** Among the orders of its customer, from 1. */
  readonly place: number
}

const POLL_MS = 10

function byCustomer(orders: readonly Order[]): readonly (readonly Placement[])[] {
  const customers = new Map<string, Placement[]>()
  for (const order of orders) {
    const own = customers.get(order.customer)
    if (own === undefined) customers.set(order.customer, [{ order, place: 1 }])
    else own.push({ order, place: own.length + 1 })
  }
  return [...customers.values()]
}

/** Tries again for as long as the client says that another try may help. */
async function throughOutages<A>(clock: Clock, attempt: () => Promise<A>): Promise<A> {
  for (;;) {
    try {
      return await attempt()
    } catch (thrown) {
      if (!ClientError.is(thrown) || thrown.retry === 'never') throw thrown
    }
    await sleep(clock, POLL_MS)
  }
}

export function createIntake(options: IntakeOptions): Intake {
  const { connection, clock, book, onPlaced } = options
  const endedOrders = new Set(options.endedBefore)
  /**
   * Orders whose placing is under way here, with the half that the book names by now: their halves
   * are not yet to be judged by the book.
   */
  const placing = new Map<number, Half | undefined>()
  const waitingForEnd = new Map<number, () => void>()

  const producer = createProducer(connection, {
    group: INTAKE_GROUP,
    async checkBack(half, message) {
      const start = orderSaga.inbox.decode(message.body)
      const order = 'right' in start ? orderOfSaga(start.right.sagaId) : undefined
      if (order === undefined) return 'rollback'
      const named = book.halfOf(order)
      if (named !== undefined) return named === half.id ? 'commit' : 'rollback'
      return placing.has(order) ? 'unknown' : 'rollback'
    },
  })

  /** Asks for the decision that stands until there is one. Rejects when nobody can say it. */
  async function decided(half: Half): Promise<void> {
    for (;;) {
      const { code, remark, payload } = await connection.request(endTransaction, {
        topic: orderSaga.inbox.name,
        producerGroup: INTAKE_GROUP,
        tranStateTableOffset: half.position,
        commitLogOffset: half.position,
        decision: 'unknown',
        fromTransactionCheck: false,
        msgId: half.transactionId,
        transactionId: half.transactionId,
      })
      if (payload !== undefined && payload.outcome !== 'unknown') {
        assert(payload.outcome === 'commit', 'the half that the book names is committed')
        return
      }
      // A broker that has forgotten the outcome will not remember it at the next question.
      if (payload === undefined && code !== ResponseCode.SYSTEM_BUSY) {
        const detail = { request: endTransaction.name, code, remark: remark ?? '' }
        throw new ClientError('REJECTED', detail)
      }
      await sleep(clock, POLL_MS)
    }
  }

  async function send({ order, place }: Placement): Promise<void> {
    const start = startMessage(orderSaga, sagaIdOf(order.n), inputOf(order, place))
    const { shardingKey } = start
    const sent = await producer.sendInTransaction(
      start.topic,
      start.body,
      { shardingKey },
      async (half) => {
        await options.beforeBookEntry?.(order.n)
        await book.add({ order: order.n, half: half.id })
        placing.set(order.n, half)
        return isConfirmationDropped(order.n) ? 'unknown' : 'commit'
      },
    )
    if (sent.outcome !== 'commit') await decided(sent.half)
  }

  /**
   * Goes on through lost connections and replies. A half whose reply was lost may be stored;
   * without an entry in the book it will be rolled back. One with an entry is never sent again.
   */
  async function placeOnce(placement: Placement): Promise<void> {
    const { n } = placement.order
    placing.set(n, undefined)
    await throughOutages(clock, () => {
      const booked = placing.get(n)
      return booked === undefined ? send(placement) : decided(booked)
    })
    placing.delete(n)
    onPlaced(n)
  }

  async function serve(placements: readonly Placement[]): Promise<void> {
    const ends: Promise<void>[] = []
    for (const placement of placements) {
      const { n } = placement.order
      if (endedOrders.has(n)) continue
      ends.push(new Promise((resolve) => waitingForEnd.set(n, resolve)))
      if (book.halfOf(n) === undefined) await placeOnce(placement)
    }
    await Promise.all(ends)
  }

  /** Waits for the check-backs to decide what an earlier process left undecided. */
  async function settleLeftBehind(): Promise<void> {
    const open = async (): Promise<number> => (await connection.call(brokerStatus, {})).halvesOpen
    while ((await throughOutages(clock, open)) > 0) await sleep(clock, POLL_MS)
  }

  return {
    async run() {
      await settleLeftBehind()
      const customers = byCustomer(options.orders)[Symbol.iterator]()
      const serveNext = async (): Promise<void> => {
        for (const placements of customers) await serve(placements)
      }
      await Promise.all(Array.from({ length: options.customersOpen }, serveNext))
    },
    ended(order) {
      // A saga of an earlier process may end before its customer is opened here.
      endedOrders.add(order)
      waitingForEnd.get(order)?.()
      waitingForEnd.delete(order)
    },
    close: () => producer.close(),
  }
}
