/**
 * Transitions without a broker: streams in memory, and a transaction that shows what was put into
 * it. For tests of single commits; time stands still.
 */
import type { Topic, Tx } from '@sagalog/client'
import {
  type EventStore,
  eventStoreOver,
  type EventStorePort,
  inMemoryEvents,
} from '@sagalog/event-store'
import type { Clock, StreamAppend } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { evolve, evolveLane, hasEnded, type InboxMessage, laneInitial } from '@sagalog/saga'
import { type SagaDefinition, type SagaEvent, sagaInitial } from '@sagalog/saga'
import { createStreamStates } from '../src/stream-states.js'
import { type Machine, transition, type Transitioned } from '../src/transition.js'

export interface Sent {
  readonly topic: string
  readonly body: unknown
  readonly shardingKey: string | undefined
  readonly properties: Readonly<Record<string, string>>
}

/** What one commit held. */
export interface Committed {
  readonly sent: readonly Sent[]
  readonly timers: readonly string[]
  readonly scheduled: readonly { readonly delayMs: number; readonly message: InboxMessage }[]
  readonly cancelled: readonly string[]
  /** `category/stream` of each append. */
  readonly appended: readonly string[]
}

export interface MemoryWorld {
  readonly clock: Clock
  readonly store: EventStore
  /** Handles a message as one commit. */
  handle(message: InboxMessage): Promise<Committed & Transitioned>
  /** Messages that the saga sent to itself, handled one after another until none is left. */
  settle(message: InboxMessage): Promise<readonly Committed[]>
  events(sagaId: string): Promise<readonly SagaEvent[]>
}

const ports = new WeakMap<EventStore, EventStorePort>()

/** On a new store, or on one that an earlier world left. */
export async function memoryWorld(
  definition: SagaDefinition,
  before?: EventStore,
): Promise<MemoryWorld> {
  const clock = simulatedTime(seededRandom(1)).nodeClock()
  const port = (before === undefined ? undefined : ports.get(before)) ?? inMemoryEvents(clock)
  const store = eventStoreOver(port)
  ports.set(store, port)
  await store.ensureCategory(definition.events, { queues: 1 })
  await store.ensureCategory(definition.laneEvents, { queues: 1 })
  await store.ensureCategory(definition.keyEvents, { queues: 1 })
  const entriesMax = 100
  const machine: Machine = {
    definition,
    older: new Map(),
    clock,
    sagas: createStreamStates({
      store,
      set: definition.events,
      initial: sagaInitial,
      evolve,
      isOver: hasEnded,
      entriesMax,
    }),
    lanes: createStreamStates({
      store,
      set: definition.laneEvents,
      initial: laneInitial,
      evolve: evolveLane,
      entriesMax,
    }),
  }

  async function handle(message: InboxMessage): Promise<Committed & Transitioned> {
    const sent: Sent[] = []
    const timers: string[] = []
    const scheduled: Committed['scheduled'][number][] = []
    const cancelled: string[] = []
    const appends: StreamAppend[] = []
    const listeners: (() => void)[] = []
    const put = <A>(to: Topic<A>, body: A, options: Parameters<Tx['send']>[2]): void =>
      void sent.push({
        topic: to.name,
        body: JSON.parse(to.encode(body).toString()),
        shardingKey: options?.shardingKey,
        properties: options?.properties ?? {},
      })
    const tx: Tx = {
      send: put,
      schedule: (id, delayMs, to, body) => {
        timers.push(id)
        scheduled.push({ delayMs, message: JSON.parse(to.encode(body).toString()) })
      },
      cancel: (id) => void cancelled.push(id),
      append: (append) => void appends.push(append),
      close() {},
      ack() {},
      onCommitted: (listener) => void listeners.push(() => listener(undefined)),
      onRefused() {},
    }
    const { signal } = new AbortController()
    const done = await transition(machine, message, { tx, signal, tenure: 1 })
    for (const append of appends) {
      const result = await port.append(append)
      if ('conflict' in result) throw new Error(`${append.category}/${append.stream} has changed`)
    }
    for (const listener of listeners) listener()
    const appended = appends.map(({ category, stream }) => `${category}/${stream}`)
    return { ...done, sent, timers, scheduled, cancelled, appended }
  }

  return {
    clock,
    store,
    handle,
    async settle(message) {
      const commits: Committed[] = []
      for (let next: InboxMessage | undefined = message; next !== undefined;) {
        const committed: Committed = await handle(next)
        commits.push(committed)
        next = undefined
        for (const { topic, body } of committed.sent)
          if (topic === definition.inbox.name) next = body as InboxMessage
      }
      return commits
    },
    events: async (sagaId) => (await store.read(definition.events, sagaId)).events,
  }
}
