/**
 * Transitions without a broker: streams in memory, and a transaction that shows what was put into
 * it. For tests of single commits; time stands still.
 */
import type { Topic, Tx } from '@sagalog/client'
import { type EventStore, eventStoreOver, inMemoryEvents } from '@sagalog/event-store'
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
  readonly cancelled: readonly string[]
  /** `category/stream` of each append. */
  readonly appended: readonly string[]
}

export interface MemoryWorld {
  readonly clock: Clock
  readonly store: EventStore
  /** Handles a message as one commit; rejects for a hiccup, and then nothing has happened. */
  handle(message: InboxMessage, attempt?: number): Promise<Committed & Transitioned>
  /** Messages that the saga sent to itself, handled one after another until none is left. */
  settle(message: InboxMessage): Promise<readonly Committed[]>
  events(sagaId: string): Promise<readonly SagaEvent[]>
}

export async function memoryWorld(definition: SagaDefinition): Promise<MemoryWorld> {
  const clock = simulatedTime(seededRandom(1)).nodeClock()
  const port = inMemoryEvents(clock)
  const store = eventStoreOver(port)
  await store.ensureCategory(definition.events, { queues: 1 })
  await store.ensureCategory(definition.laneEvents, { queues: 1 })
  const entriesMax = 100
  const machine: Machine = {
    definition,
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

  async function handle(message: InboxMessage, attempt = 1): Promise<Committed & Transitioned> {
    const sent: Sent[] = []
    const timers: string[] = []
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
      schedule: (id) => void timers.push(id),
      cancel: (id) => void cancelled.push(id),
      append: (append) => void appends.push(append),
      ack() {},
      onCommitted: (listener) => void listeners.push(() => listener(undefined)),
      onRefused() {},
    }
    const { signal } = new AbortController()
    const done = await transition(machine, message, { tx, attempt, signal, tenure: 1 })
    for (const append of appends) {
      const result = await port.append(append)
      if ('conflict' in result) throw new Error(`${append.category}/${append.stream} has changed`)
    }
    for (const listener of listeners) listener()
    const appended = appends.map(({ category, stream }) => `${category}/${stream}`)
    return { ...done, sent, timers, cancelled, appended }
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
