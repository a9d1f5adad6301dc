/**
 * Opens a closed directory cold and collects what the audit judges: streams through the broker and
 * the event store, half messages from the log's records, the intake's book from its file. Caches
 * (checkpoints) are deleted first, so that all comes from the log.
 */
import { openBroker } from '@sagalog/broker'
import type { Connection } from '@sagalog/client'
import {
  type AnyEvent,
  createEventStore,
  type EventSet,
  type RecordedEvent,
} from '@sagalog/event-store'
import { type Clock, type Disk, queueOffset, type Random } from '@sagalog/kernel'
import { deadLetterTopic, positionInOffsetId, pullMessage, ResponseCode } from '@sagalog/protocol'
import { topicRoute } from '@sagalog/protocol'
import type { Evidence, Leftovers, SagaRecord, ServiceRecord } from './audit/evidence.js'
import { openBook } from './book.js'
import { scanLog } from './log-scan.js'
import type { Order } from './order-file.js'
import { orderOfSaga, orderSaga, sagaIdOf } from './order-saga.js'
import {
  INVENTORY_GROUP,
  InventoryEvents,
  PAYMENT_GROUP,
  PaymentEvents,
  SAGA_GROUP,
} from './topics.js'
import { bookDirectory, connectTo, logDirectory, outcomeOf, unacknowledged } from './workload.js'

export interface EvidenceReaderOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly directory: string
  readonly orders: readonly Order[]
}

export type DirectoryEvidence = Omit<Evidence, 'printed' | 'kills' | 'earlyReplies'>

const READERS = 64

/** Deletes what the broker can compute again. */
export async function removeCheckpoints(disk: Disk, directory: string): Promise<number> {
  const log = logDirectory(directory)
  const names = (await disk.list(log)).filter((name) => name.endsWith('.ckpt'))
  for (const name of names) await disk.remove(`${log}/${name}`)
  if (names.length > 0) await disk.syncDirectory(log)
  return names.length
}

/** Runs `read` for each item, a bounded number at a time, and keeps the order. */
async function readEach<Item, A>(
  items: readonly Item[],
  read: (item: Item) => Promise<A>,
): Promise<readonly A[]> {
  const results: A[] = []
  const left = items.entries()
  const reader = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await read(item)
  }
  await Promise.all(Array.from({ length: READERS }, reader))
  return results
}

/** A saga whose id is none of ours has order 0, which no file has. */
async function readSaga(
  connection: Connection,
  { sagaId, orders }: { sagaId: string; orders: readonly Order[] },
): Promise<SagaRecord | undefined> {
  const store = createEventStore(connection)
  const { records } = await store.read(orderSaga.events, sagaId)
  const [first] = records
  const last = records.at(-1)
  if (first === undefined || last === undefined) return undefined
  const outcomes = records.flatMap(({ event }) => {
    if (event.type === 'Completed') return ['completed']
    if (event.type !== 'Compensated') return []
    return [outcomeOf({ outcome: 'compensated', reason: event.data.reason })]
  })
  const at = ({ position, storedAtMs }: RecordedEvent<AnyEvent>) => ({
    position: position as unknown as number,
    wallMs: storedAtMs,
  })
  const named = orderOfSaga(sagaId) ?? 0
  const order = sagaIdOf(named) === sagaId ? named : 0
  const customer = orders[order - 1]?.customer ?? ''
  return { order, customer, outcomes, startedAt: at(first), endedAt: at(last) }
}

async function readCustomers<Event extends AnyEvent>(
  connection: Connection,
  { set, customers }: { set: EventSet<Event>; customers: readonly string[] },
  show: (data: Event['data']) => { order: number; amount: number; period: string },
): Promise<readonly ServiceRecord[]> {
  const store = createEventStore(connection)
  const streams = await readEach(customers, async (customer) => {
    const { records } = await store.read(set, customer)
    return records.map(({ event, position }) => ({
      customer,
      effect: event.type,
      ...show(event.data),
      position: position as unknown as number,
    }))
  })
  return streams.flat()
}

/** Messages or events in a topic, over all of its queues; none when there is no such topic. */
async function countIn(connection: Connection, topic: string): Promise<number> {
  const route = await connection.request(topicRoute, { topic })
  if (route.code === ResponseCode.TOPIC_NOT_EXIST || route.payload === undefined) return 0
  let count = 0
  for (let queueId = 0; queueId < route.payload.readQueues; queueId += 1) {
    const pulled = await connection.request(pullMessage, {
      consumerGroup: 'audit',
      topic,
      queueId,
      queueOffset: queueOffset(0),
      maxMessages: 1,
      maxBytes: 1,
      suspendMs: 0,
      subscription: '*',
    })
    count += pulled.payload?.maxOffset ?? 0
  }
  return count
}

async function countDeadLetters(connection: Connection): Promise<number> {
  let count = 0
  for (const group of [INVENTORY_GROUP, PAYMENT_GROUP, SAGA_GROUP]) {
    count += await countIn(connection, deadLetterTopic(group))
  }
  return count
}

async function readBook(options: EvidenceReaderOptions): Promise<Evidence['book']> {
  const directory = bookDirectory(options.directory)
  const book = await openBook({ disk: options.disk, directory })
  try {
    return book.entries.map(({ order, half }) => ({ order, half: positionInOffsetId(half) ?? -1 }))
  } finally {
    await book.close()
  }
}

/** Everything that the directory can say about the run. */
export async function readEvidence(options: EvidenceReaderOptions): Promise<DirectoryEvidence> {
  const { disk, clock, random, directory, orders } = options
  await removeCheckpoints(disk, directory)
  const book = await readBook(options)
  const { halves, sagaIds } = await scanLog({ disk, clock, directory: logDirectory(directory) })
  const broker = await openBroker({ disk, clock, random, directory: logDirectory(directory) })
  const connection = connectTo(broker, { clock, random })
  try {
    const customers = [...new Set(orders.map(({ customer }) => customer))]
    const sagas = await readEach(sagaIds, (sagaId) => readSaga(connection, { sagaId, orders }))
    const stock = { set: InventoryEvents, customers }
    const inventory = await readCustomers(connection, stock, ({ order, cds, quarter }) => ({
      order,
      amount: cds,
      period: quarter,
    }))
    const money = { set: PaymentEvents, customers }
    const payment = await readCustomers(connection, money, ({ order, cents, month }) => ({
      order,
      amount: cents,
      period: month,
    }))
    const stored =
      (await countIn(connection, InventoryEvents.category)) +
      (await countIn(connection, PaymentEvents.category))
    const status = broker.status()
    const leftovers: Leftovers = {
      halvesOpen: status.halvesOpen,
      halvesParked: status.halvesParked,
      timersOpen: status.timersOpen,
      unacknowledged: unacknowledged(status),
      deadLetters: await countDeadLetters(connection),
      strayEvents: stored - inventory.length - payment.length,
    }
    const found = sagas.filter((saga) => saga !== undefined)
    return { sagas: found, inventory, payment, book, halves, leftovers }
  } finally {
    connection.close()
    await broker.close()
  }
}
