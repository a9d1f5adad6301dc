/**
 * Runs sagas: one consumer per definition takes its inbox queue by queue under leases, so one
 * instance at a time owns a saga. It holds no truth: states are kept in memory only between
 * messages, and another instance goes on from the streams. Listeners hear of what is durable.
 */
import { type Connection, type Consumer, createConsumer } from '@sagalog/client'
import {
  createProducer,
  ensureTopic,
  type Problem,
  type Producer,
  type Received,
} from '@sagalog/client'
import { createEventStore, type EventStore } from '@sagalog/event-store'
import type { Cancel } from '@sagalog/kernel'
import type { SagaDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { evolve, hasEnded, sagaInitial } from './evolve.js'
import type { InboxMessage } from './inbox.js'
import { evolveLane, laneInitial } from './lane.js'
import type { Saga } from './saga.js'
import type { EndReason } from './saga-events.js'
import { type StartMessage, startMessage } from './start-message.js'
import { createStreamStates } from './stream-states.js'
import { createTenures } from './tenures.js'
import { type Change, type Machine, transition } from './transition.js'

export interface SagaRuntimeOptions {
  readonly sagas: readonly SagaDefinition[]
  /** Names this process among those of the group. */
  readonly instance: string
  /** The consumer group; `saga-<name>` of each saga unless told. */
  readonly group?: string
  /**
   * Queues of each inbox when it is created: how many sagas move at the same time. 16 unless told.
   */
  readonly queues?: number
  /** Milliseconds before a local step is tried again after a hiccup. */
  readonly retryMs?: number
  /** Sagas and lanes kept in memory, each. 20,000 unless told. */
  readonly cacheEntries?: number
  /** Told of hiccups and of trouble with the broker, for a log. */
  readonly onProblem?: (problem: Problem) => void
}

/** A saga came to its end, durably. */
export interface SagaEnded {
  readonly saga: string
  readonly sagaId: string
  readonly outcome: 'completed' | 'compensated'
  /** Why it was compensated; undefined when it was completed. */
  readonly reason: EndReason | undefined
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  readonly endedAtMs: number
}

/** A saga waits for a person. */
export interface SagaParked {
  readonly saga: string
  readonly sagaId: string
  readonly reason: string
}

/** Counted since this runtime was created, from what is durable. */
export interface SagaCounters {
  readonly started: number
  readonly completed: number
  readonly compensated: number
  readonly parked: number
  /** Messages that no longer mattered: late replies, second starts, timers that came too late. */
  readonly ignored: number
}

export interface SagaRuntime {
  /** Creates topics and categories that are missing, then takes up work. */
  start(): Promise<void>
  /** Finishes what is in hand and gives the leases back. */
  close(): Promise<void>
  /**
   * Starts saga `id`; resolves when the start is durable. The same id starts one saga. Throws
   * ID_INVALID, INPUT_INVALID, LANE_INVALID or UNKNOWN_SAGA, or rejects with a ClientError.
   */
  startSaga<Input, Context, Refusal>(
    saga: Saga<Input, Context, Refusal>,
    id: string,
    input: Input,
  ): Promise<void>
  /** The start as a message, for a producer's transaction. */
  startMessage<Input, Context, Refusal>(
    saga: Saga<Input, Context, Refusal>,
    id: string,
    input: Input,
  ): StartMessage
  /** Called after the commit that ended a saga is durable; not again for the same end. */
  onEnded(listener: (ended: SagaEnded) => void): Cancel
  onParked(listener: (parked: SagaParked) => void): Cancel
  readonly counters: SagaCounters
}

const QUEUES = 16
const CACHE_ENTRIES = 20_000
/** A hiccup of the store never uses up a message; a local step counts its own attempts. */
const ATTEMPTS_MAX = Number.MAX_SAFE_INTEGER

/** A set of listeners. */
function listeners<A>(): { add(listener: (value: A) => void): Cancel; tell(value: A): void } {
  const all = new Set<(value: A) => void>()
  return {
    add(listener) {
      // Wrapped, so that the same function can listen twice.
      const own = (value: A): void => listener(value)
      all.add(own)
      return () => void all.delete(own)
    },
    tell(value) {
      for (const listener of all) listener(value)
    },
  }
}

type Counters = { -readonly [Name in keyof SagaCounters]: number }

class Runtime implements SagaRuntime {
  readonly #connection: Connection
  readonly #options: SagaRuntimeOptions
  readonly #store: EventStore
  readonly #consumers: readonly Consumer[]
  readonly #producer: Producer
  readonly #ended = listeners<SagaEnded>()
  readonly #parked = listeners<SagaParked>()
  readonly #counters: Counters = {
    started: 0,
    completed: 0,
    compensated: 0,
    parked: 0,
    ignored: 0,
  }

  constructor(connection: Connection, options: SagaRuntimeOptions) {
    this.#connection = connection
    this.#options = options
    this.#store = createEventStore(connection)
    this.#producer = createProducer(connection, { group: options.group ?? 'saga-starts' })
    this.#consumers = options.sagas.map((definition) => this.#consumer(definition))
  }

  async start(): Promise<void> {
    const queues = this.#options.queues ?? QUEUES
    for (const { inbox, events, laneEvents, hasLane, steps } of this.#options.sagas) {
      await ensureTopic(this.#connection, inbox, { queues })
      await this.#store.ensureCategory(events, { queues })
      if (hasLane) await this.#store.ensureCategory(laneEvents, { queues })
      for (const { action } of steps)
        if (action.kind === 'remote') await ensureTopic(this.#connection, action.to)
    }
    for (const consumer of this.#consumers) await consumer.start()
  }

  async close(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.close()
    this.#producer.close()
  }

  async startSaga<Input, Context, Refusal>(
    saga: Saga<Input, Context, Refusal>,
    id: string,
    input: Input,
  ): Promise<void> {
    const { topic, body, shardingKey } = this.startMessage(saga, id, input)
    await this.#producer.send(topic, body, { shardingKey })
  }

  startMessage<Input, Context, Refusal>(
    saga: Saga<Input, Context, Refusal>,
    id: string,
    input: Input,
  ): StartMessage {
    if (!this.#options.sagas.some((known) => known.name === saga.name))
      throw new SagaError('UNKNOWN_SAGA', { saga: saga.name })
    return startMessage(saga, id, input)
  }

  onEnded(listener: (ended: SagaEnded) => void): Cancel {
    return this.#ended.add(listener)
  }

  onParked(listener: (parked: SagaParked) => void): Cancel {
    return this.#parked.add(listener)
  }

  get counters(): SagaCounters {
    return { ...this.#counters }
  }

  #consumer(definition: SagaDefinition): Consumer {
    const { instance, group, retryMs, onProblem } = this.#options
    const consumer = createConsumer(this.#connection, {
      group: group ?? definition.inbox.name,
      instance,
      attemptsMax: ATTEMPTS_MAX,
      ...(retryMs === undefined ? {} : { retryMs }),
      ...(onProblem === undefined ? {} : { onProblem }),
    })
    const machine = this.#machine(definition)
    const tenures = createTenures()
    consumer.listen(
      definition.inbox,
      async (message: Received<InboxMessage>, tx, { signal, attempt }) => {
        // The message before this one may have been settled a moment ago: its listeners come first.
        await Promise.resolve()
        const { queueId, offset, body } = message
        const tenure = tenures.at(queueId, offset)
        const { changes, isEffective } = await transition(machine, body, {
          tx,
          attempt,
          signal,
          tenure,
        })
        tx.onCommitted(() => {
          tenures.settled(queueId, offset)
          if (!isEffective) this.#counters.ignored += 1
          this.#tell(definition, changes)
        })
      },
      { order: 'orderly' },
    )
    return consumer
  }

  #machine(definition: SagaDefinition): Machine {
    const entriesMax = this.#options.cacheEntries ?? CACHE_ENTRIES
    const store = this.#store
    return {
      definition,
      clock: this.#connection.ports.clock,
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
  }

  #tell({ name }: SagaDefinition, changes: readonly Change[]): void {
    for (const { sagaId, before, after } of changes) {
      if (before.phase === 'none') this.#counters.started += 1
      if (after.parked !== undefined && before.parked === undefined) {
        this.#counters.parked += 1
        this.#parked.tell({ saga: name, sagaId, reason: after.parked })
      }
      const { phase: outcome, reason, startedAtMs, endedAtMs } = after
      if (outcome !== 'completed' && outcome !== 'compensated') continue
      this.#counters[outcome] += 1
      const span = { startedAtMs, endedAtMs: endedAtMs ?? startedAtMs }
      this.#ended.tell({ saga: name, sagaId, outcome, reason, ...span })
    }
  }
}

/** A runtime for these sagas. Several may run, in one process or many: each saga is run by one. */
export function createSagaRuntime(
  connection: Connection,
  options: SagaRuntimeOptions,
): SagaRuntime {
  return new Runtime(connection, options)
}
