/**
 * The whole work in one process: the broker on its log, the services, the sagas and the intake,
 * each with a connection of its own and nothing else between them. Decides when all is done. Takes
 * every port from outside, so the same work runs on a simulated disk.
 */
import { type Broker, openBroker } from '@sagalog/broker'
import {
  type Connection,
  type Consumer,
  ensureTopic,
  openConnection,
  type Problem,
} from '@sagalog/client'
import { createEventStore } from '@sagalog/event-store'
import { assert, type Clock, type Disk, type Random, sleep } from '@sagalog/kernel'
import { type BrokerStatusResponse, channelPair, type Command } from '@sagalog/protocol'
import { createSagaRuntime, type SagaEnded, type SagaRuntime } from '@sagalog/saga'
import { type Approvals, createApprovals } from './approvals.js'
import type { Outcome } from './audit/expected-books.js'
import { type Book, openBook } from './book.js'
import { DemoError } from './errors.js'
import type { WorkFigures } from './figures.js'
import { createIntake, type Intake } from './intake.js'
import { createInventory } from './inventory.js'
import type { Durability } from './options.js'
import type { Order } from './order-file.js'
import { orderOfSaga, orderSaga } from './order-saga.js'
import { createPayment } from './payment.js'
import { endedAmong } from './resume.js'
import {
  APPROVAL_ABOVE_CENTS,
  InventoryEvents,
  inventoryCommands,
  PaymentEvents,
  paymentCommands,
  paymentLate,
} from './topics.js'
import { QUEUES, SAGA_GROUP } from './topics.js'

export interface WorkloadOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  /** Holds the broker's log and the intake's book, in directories of their own. */
  readonly directory: string
  readonly durability: Durability
  /** Bytes of the log between two checkpoints, where the broker's default is not wanted. */
  readonly checkpointEveryBytes?: number
  /** Bytes of a new log's segments, where the broker's default is not wanted. */
  readonly segmentBytes?: number
  readonly orders: readonly Order[]
  readonly onPlaced: (order: number) => void
  /** Called after the end is durable. */
  readonly onEnded: (order: number, outcome: Outcome | 'parked') => void
  readonly beforeBookEntry?: (order: number) => Promise<void>
  /** Orders that are known to have ended in an earlier process; spares looking for them. */
  readonly knownEnded?: ReadonlySet<number>
  /** Told once how many orders had ended before this start. */
  readonly onResumed?: (ended: number) => void
  /** Called now and then with what was done so far. */
  readonly onFigures?: (figures: WorkFigures) => void
  readonly onProblem?: (problem: Problem) => void
}

/** The parts of the directory. */
export const logDirectory = (directory: string): string => `${directory}/log`
export const bookDirectory = (directory: string): string => `${directory}/intake`

const CHECK_MS = 200
/** A half is never given up while its producer lives: a slow disk is no reason to park it. */
const CHECKS_MAX = 100_000
const POLL_MS = 20
const LOOKS_PER_REPORT = 5
/** So long may nothing move before the run counts as stuck. */
const STUCK_MS = 60_000
/** What one look counts at most: a process that was stopped for a while is not stuck. */
const LOOK_MS_MAX = 1_000
const REQUEST_TIMEOUT_MS = 30_000
const CUSTOMERS_OPEN_MAX = 256
/** With 6,919 orders 256 customers are open at a time; a smaller run looks like the large one. */
const ORDERS_PER_OPEN_CUSTOMER = 27

/** About what an order writes to the log. */
const ORDER_LOG_BYTES = 8_000
const CHECKPOINTS_PER_RUN = 24
const CHECKPOINT_BYTES_MAX = 2 * 1024 * 1024

/**
 * Bytes between two checkpoints for a run with kills: small, so that every life makes and loads
 * some. A run without would pay about a tenth of its time for them.
 */
export function checkpointBytes(orders: number): number {
  const share = Math.ceil((orders * ORDER_LOG_BYTES) / CHECKPOINTS_PER_RUN)
  return Math.min(CHECKPOINT_BYTES_MAX, share)
}

/** Customers that are open at the same time in a run of so many orders. */
export function customersOpen(orders: number): number {
  const share = Math.floor(orders / ORDERS_PER_OPEN_CUSTOMER)
  return Math.max(4, Math.min(CUSTOMERS_OPEN_MAX, share))
}

/** How a saga's end reads in the books. */
export function outcomeOf({ outcome, reason }: Pick<SagaEnded, 'outcome' | 'reason'>): Outcome {
  if (outcome === 'completed') return 'completed'
  if (reason?.kind === 'timeout') return 'timed-out'
  const step = reason?.kind === 'refused' ? reason.step : undefined
  if (step === 'stock') return 'out-of-stock'
  return step === 'approval' ? 'not-approved' : 'payment-refused'
}

interface Parts {
  readonly broker: Broker
  readonly book: Book
  readonly consumers: readonly Consumer[]
  readonly runtime: SagaRuntime
  readonly intake: Intake
  readonly approvals: Approvals
  /** Placed by an earlier process, above the limit, and not at their ends. */
  readonly maybeAsking: readonly number[]
}

/** Messages that a group has not settled yet, over all of its queues. */
export function unacknowledged({ queues }: BrokerStatusResponse): number {
  return queues.reduce(
    (sum, { watermark, settledAbove, maxOffset }) => sum + (maxOffset - watermark - settledAbove),
    0,
  )
}

/** Messages that ever got a place in a queue that somebody consumes. */
function messagesIn({ queues }: BrokerStatusResponse): number {
  const ends = new Map(queues.map((queue) => [`${queue.topic} ${queue.queueId}`, queue.maxOffset]))
  return [...ends.values()].reduce((sum, end) => sum + end, 0)
}

async function makeTopics(connection: Connection): Promise<void> {
  for (const topic of [orderSaga.inbox, inventoryCommands, paymentCommands, paymentLate]) {
    await ensureTopic(connection, topic, { queues: QUEUES })
  }
  const store = createEventStore(connection)
  await store.ensureCategory(InventoryEvents, { queues: QUEUES })
  await store.ensureCategory(PaymentEvents, { queues: QUEUES })
}

/** A connection to a broker in this process. */
export function connectTo(
  broker: Broker,
  { clock, random }: Pick<WorkloadOptions, 'clock' | 'random'>,
): Connection {
  return openConnection({
    async connect() {
      const [ours, theirs] = channelPair<Command>()
      broker.accept(theirs)
      return ours
    },
    ports: { clock, random },
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  })
}

interface Opened {
  readonly broker: Broker
  readonly book: Book
  readonly connections: readonly [Connection, Connection, Connection, Connection]
}

function build(
  options: WorkloadOptions,
  { broker, book, connections }: Opened,
  endedBefore: ReadonlySet<number>,
): Parts {
  const { clock, orders } = options
  const [forIntake, forInventory, forPayment, forSagas] = connections
  const onProblem = options.onProblem ?? (() => {})
  const consumers = [createInventory(forInventory, onProblem), createPayment(forPayment, onProblem)]
  const runtime = createSagaRuntime(forSagas, {
    sagas: [orderSaga],
    instance: 'order-sagas-1',
    group: SAGA_GROUP,
    queues: QUEUES,
  })
  const intake = createIntake({
    connection: forIntake,
    clock,
    book,
    orders,
    customersOpen: customersOpen(orders.length),
    endedBefore,
    onPlaced: options.onPlaced,
    ...(options.beforeBookEntry === undefined ? {} : { beforeBookEntry: options.beforeBookEntry }),
  })
  const approvals = createApprovals(runtime, { clock, onProblem })
  const maybeAsking = book.entries
    .map(({ order }) => order)
    .filter((order) => (orders[order - 1]?.cents ?? 0) > APPROVAL_ABOVE_CENTS)
    .filter((order) => !endedBefore.has(order))
  return { broker, book, consumers, runtime, intake, approvals, maybeAsking }
}

/** Tells the intake and the outside of each saga that can go no further. */
function followSagas({ runtime, intake }: Parts, { onEnded }: WorkloadOptions): void {
  const tell = (sagaId: string, outcome: Outcome | 'parked'): void => {
    const order = orderOfSaga(sagaId)
    assert(order !== undefined, 'every saga here is an order')
    onEnded(order, outcome)
    intake.ended(order)
  }
  runtime.onEnded((ended) => tell(ended.sagaId, outcomeOf(ended)))
  // A parked saga is no end; the audit shows it, but the intake must not wait for ever.
  runtime.onParked(({ sagaId }) => tell(sagaId, 'parked'))
}

/**
 * Resolves when nothing is left to do: the intake is at the end of the file, no half is undecided,
 * no timer is open, every message is acknowledged, and nothing was written since the last look.
 * Rejects with RUN_STUCK when nothing moves any more, or with the reason why the log has failed.
 */
async function allDone(
  { broker, intake }: Parts,
  { clock, onLook }: { clock: Clock; onLook: () => void },
): Promise<void> {
  let isIntakeDone = false
  let isOver = false
  let sequenced = -1
  let lookedAtMs = clock.monotonicMs()
  let stillMs = 0
  const watch = async (): Promise<void> => {
    for (;;) {
      await sleep(clock, POLL_MS)
      if (isOver) return
      onLook()
      if (broker.failure !== undefined) throw broker.failure
      const status = broker.status()
      const open = status.halvesOpen + status.timersOpen + unacknowledged(status)
      if (isIntakeDone && open === 0 && status.log.sequenced === sequenced) return
      const nowMs = clock.monotonicMs()
      if (status.log.sequenced !== sequenced) stillMs = 0
      else stillMs += Math.min(nowMs - lookedAtMs, LOOK_MS_MAX)
      if (stillMs > STUCK_MS) throw stuck(status, isIntakeDone)
      lookedAtMs = nowMs
      sequenced = status.log.sequenced
    }
  }
  const place = async (): Promise<void> => {
    await intake.run()
    isIntakeDone = true
  }
  try {
    await Promise.all([watch(), place()])
  } catch (thrown) {
    // What the failed log made others say explains less than why it failed.
    throw broker.failure ?? thrown
  } finally {
    isOver = true
  }
}

function stuck(status: BrokerStatusResponse, isIntakeDone: boolean): Error {
  const parts = [
    `${status.halvesOpen} halves and ${status.timersOpen} timers open`,
    `${unacknowledged(status)} messages unacknowledged`,
    `the intake ${isIntakeDone ? 'is at the end of the file' : 'waits'}`,
  ]
  return new DemoError('RUN_STUCK', { seconds: STUCK_MS / 1_000, status: parts.join(', ') })
}

async function close(parts: Parts): Promise<void> {
  parts.intake.close()
  parts.approvals.close()
  await parts.runtime.close()
  for (const consumer of parts.consumers) await consumer.close()
}

async function work(parts: Parts, options: WorkloadOptions): Promise<WorkFigures> {
  const { broker, book, consumers, runtime } = parts
  const { clock } = options
  let ended = 0
  runtime.onEnded(() => {
    ended += 1
  })
  followSagas(parts, options)
  const before = broker.status()
  const startedAtMs = clock.monotonicMs()
  const figures = (): WorkFigures => {
    const after = broker.status()
    return {
      seconds: (clock.monotonicMs() - startedAtMs) / 1_000,
      orders: ended,
      messages: messagesIn(after) - messagesIn(before),
      syncs: after.log.syncs - before.log.syncs,
      bookSyncs: book.syncs,
      logBytes: after.log.bytes - before.log.bytes,
      earlyReplies: after.earlyReplies,
    }
  }
  for (const consumer of consumers) await consumer.start()
  await runtime.start()
  for (const order of parts.maybeAsking) void parts.approvals.answer(order)
  let looks = 0
  const onLook = (): void => {
    looks += 1
    if (looks % LOOKS_PER_REPORT === 0) options.onFigures?.(figures())
  }
  await allDone(parts, { clock, onLook })
  return figures()
}

/** The orders in the book whose sagas have ended. */
async function findEnded(options: WorkloadOptions, opened: Opened): Promise<ReadonlySet<number>> {
  const booked = opened.book.entries.map(({ order }) => order)
  const known = booked.filter((order) => options.knownEnded?.has(order) === true)
  const unknown = booked.filter((order) => options.knownEnded?.has(order) !== true)
  const found = await endedAmong(opened.connections[0], unknown)
  const ended = new Set([...known, ...found])
  options.onResumed?.(ended.size)
  return ended
}

async function workWith(
  options: WorkloadOptions,
  broker: Broker,
  book: Book,
): Promise<WorkFigures> {
  const connect = (): Connection => connectTo(broker, options)
  const connections = [connect(), connect(), connect(), connect()] as const
  const opened: Opened = { broker, book, connections }
  try {
    await makeTopics(connections[0])
    const parts = build(options, opened, await findEnded(options, opened))
    try {
      return await work(parts, options)
    } finally {
      await close(parts)
    }
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** Does the work that is left in a directory; a directory without any is a new run. */
export async function runWorkload(options: WorkloadOptions): Promise<WorkFigures> {
  const { disk, clock, random, directory, durability } = options
  const { checkpointEveryBytes, segmentBytes } = options
  const broker = await openBroker({
    disk,
    clock,
    random,
    directory: logDirectory(directory),
    durability,
    ...(checkpointEveryBytes === undefined ? {} : { checkpointEveryBytes }),
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    transactions: { checkAfterMs: CHECK_MS, checkEveryMs: CHECK_MS, checksMax: CHECKS_MAX },
  })
  try {
    const isSynced = durability === 'sync'
    const book = await openBook({ disk, directory: bookDirectory(directory), isSynced })
    try {
      return await workWith(options, broker, book)
    } finally {
      await book.close()
    }
  } finally {
    await broker.close()
  }
}
