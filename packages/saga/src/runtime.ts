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
import { assert, type Cancel } from '@sagalog/kernel'
import type { SagaDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { evolve, hasEnded, sagaInitial } from './evolve.js'
import type { InboxMessage } from './inbox.js'
import { createGateKeeper, type GateKeeper } from './gate-keeper.js'
import { createKeyTurns } from './key-turns.js'
import { evolveLane, laneInitial } from './lane.js'
import { checkDefinitions } from './registry.js'
import type { SagaSchedule } from './schedule.js'
import { createScheduleKeeper, type ScheduleKeeper } from './schedule-keeper.js'
import { type SagaCensus, sagaCensus } from './saga-census.js'
import type { Saga } from './saga-types.js'
import type { EndReason } from './saga-events.js'
import { type SagaHandle, sagaHandle } from './saga-handle.js'
import { movesOf, type StepMove } from './step-moves.js'
import { type StartMessage, startMessage } from './start-message.js'
import { createStreamStates } from './stream-states.js'
import { createTenures } from './tenures.js'
import { type Change, type Machine, transition } from './transition.js'

export interface SagaRuntimeOptions {
  /** Several of one name are versions of it: the one with the highest version starts new sagas. */
  readonly sagas: readonly SagaDefinition[]
  /** Names this process among those of the group. */
  readonly instance: string
  /** The consumer group; `saga-<name>` of each saga unless told. */
  readonly group?: string
  /**
   * Queues of each inbox when it is created: how many sagas move at the same time. 16 unless told.
   */
  readonly queues?: number
  /** Milliseconds before a message is handled again that the broker or the store had to refuse. */
  readonly retryMs?: number
  /** Sagas and lanes kept in memory, each. 20,000 unless told. */
  readonly cacheEntries?: number
  /** Told of trouble with the broker and of failed attempts, for a log. */
  readonly onProblem?: (problem: Problem) => void
  /**
   * Takes up work although sagas run whose definition was another one; those are parked when they
   * hear something. For development.
   */
  readonly mayDiffer?: boolean
  /** What starts sagas by the clock. All instances should have the same. */
  readonly schedules?: readonly SagaSchedule[]
  /** Hears of each step, durably, as listeners of `onStep` do; `stepSpans` makes spans of it. */
  readonly onStep?: (step: StepMove) => void
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
   * ID_INVALID, INPUT_INVALID, LANE_INVALID, BUSINESS_KEY_INVALID or UNKNOWN_SAGA, or rejects with
   * a ClientError.
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
  /** Called for each thing that happens to a step here, once it is durable. */
  onStep(listener: (step: StepMove) => void): Cancel
  /**
   * How many sagas of each definition have not ended, and how they stand, over all instances. Reads
   * what was stored since it was asked last. Rejects with UNREADABLE or a ClientError.
   */
  census(): Promise<readonly SagaCensus[]>
  /** The sagas of one definition: start, ask, wait, signal, cancel. */
  of<Input, Context, Refusal>(saga: Saga<Input, Context, Refusal>): SagaHandle<Input, Context>
  readonly counters: SagaCounters
}

const QUEUES = 16
const CACHE_ENTRIES = 20_000
/** A hiccup of the store never uses up a message; steps count their own attempts. */
const ATTEMPTS_MAX = Number.MAX_SAFE_INTEGER

/** A set of listeners. */
function listeners<A>(): {
  readonly size: number
  add(listener: (value: A) => void): Cancel
  tell(value: A): void
} {
  const all = new Set<(value: A) => void>()
  return {
    get size() {
      return all.size
    },
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

/** Definitions of one name, the newest first. */
function byName(sagas: readonly SagaDefinition[]): readonly (readonly SagaDefinition[])[] {
  const names = new Map<string, SagaDefinition[]>()
  for (const saga of sagas) names.set(saga.name, [...(names.get(saga.name) ?? []), saga])
  return [...names.values()].map((all) => all.toSorted((one, two) => two.version - one.version))
}

class Runtime implements SagaRuntime {
  readonly #connection: Connection
  readonly #options: SagaRuntimeOptions
  readonly #store: EventStore
  readonly #definitions: readonly (readonly SagaDefinition[])[]
  readonly #consumers: readonly Consumer[]
  readonly #gates: GateKeeper | undefined
  readonly #schedules: readonly ScheduleKeeper[]
  readonly #producer: Producer
  readonly #ended = listeners<SagaEnded>()
  readonly #parked = listeners<SagaParked>()
  readonly #steps = listeners<StepMove>()
  readonly #census: () => Promise<readonly SagaCensus[]>
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
    this.#definitions = byName(options.sagas)
    this.#consumers = this.#definitions.map((versions) => this.#consumer(versions))
    this.#census = sagaCensus(connection, this.#definitions)
    if (options.onStep !== undefined) this.#steps.add(options.onStep)
    this.#gates = this.#gateKeeper()
    this.#schedules = this.#scheduleKeepers()
  }

  async start(): Promise<void> {
    const { queues = QUEUES, mayDiffer = false } = this.#options
    for (const definitions of this.#definitions) {
      const [newest] = definitions
      if (newest === undefined) continue
      const { inbox, events, laneEvents, hasLane, steps } = newest
      if (newest.hasBusinessKey) await this.#store.ensureCategory(newest.keyEvents, { queues })
      await ensureTopic(this.#connection, inbox, { queues })
      await this.#store.ensureCategory(events, { queues })
      if (hasLane) await this.#store.ensureCategory(laneEvents, { queues })
      for (const { action } of steps)
        if (action.kind === 'remote') await ensureTopic(this.#connection, action.to)
        else if (action.kind === 'child')
          await ensureTopic(this.#connection, action.child.inbox, { queues })
      await checkDefinitions(this.#connection, this.#store, { definitions, mayDiffer })
    }
    await this.#gates?.start()
    for (const consumer of this.#consumers) await consumer.start()
    for (const keeper of this.#schedules) await keeper.start()
  }

  async close(): Promise<void> {
    await Promise.all(this.#schedules.map((keeper) => keeper.close()))
    await Promise.all(this.#consumers.map((consumer) => consumer.close()))
    await this.#gates?.close()
    this.#producer.close()
  }

  async startSaga<Input, Context, Refusal>(
    saga: Saga<Input, Context, Refusal>,
    id: string,
    input: Input,
  ): Promise<void> {
    await this.of(saga).start(id, input)
  }

  startMessage<Input, Context, Refusal>(
    saga: Saga<Input, Context, Refusal>,
    id: string,
    input: Input,
  ): StartMessage {
    this.#checkKnown(saga.name)
    return startMessage(saga, id, input)
  }

  of<Input, Context, Refusal>(saga: Saga<Input, Context, Refusal>): SagaHandle<Input, Context> {
    this.#checkKnown(saga.name)
    const ports = { connection: this.#connection, store: this.#store, producer: this.#producer }
    return sagaHandle(saga, ports)
  }

  onEnded(listener: (ended: SagaEnded) => void): Cancel {
    return this.#ended.add(listener)
  }

  onParked(listener: (parked: SagaParked) => void): Cancel {
    return this.#parked.add(listener)
  }

  onStep(listener: (step: StepMove) => void): Cancel {
    return this.#steps.add(listener)
  }

  census(): Promise<readonly SagaCensus[]> {
    return this.#census()
  }

  get counters(): SagaCounters {
    return { ...this.#counters }
  }

  #checkKnown(saga: string): void {
    if (!this.#options.sagas.some((known) => known.name === saga))
      throw new SagaError('UNKNOWN_SAGA', { saga })
  }

  #gateKeeper(): GateKeeper | undefined {
    const usesGates = this.#options.sagas.some(({ steps }) =>
      steps.some(({ action, limit }) => action.kind === 'lock' || limit !== undefined),
    )
    if (!usesGates) return undefined
    const { instance, retryMs, onProblem } = this.#options
    return createGateKeeper(this.#connection, {
      store: this.#store,
      instance,
      ...(retryMs === undefined ? {} : { retryMs }),
      ...(onProblem === undefined ? {} : { onProblem }),
    })
  }

  #scheduleKeepers(): readonly ScheduleKeeper[] {
    const { schedules = [], instance, retryMs, onProblem } = this.#options
    for (const { saga } of schedules) this.#checkKnown(saga.name)
    return [...new Set(schedules.map(({ saga }) => saga.name))].map((saga) => {
      const own = schedules.filter((schedule) => schedule.saga.name === saga)
      assert(new Set(own.map(({ name }) => name)).size === own.length, 'each schedule has its name')
      return createScheduleKeeper(this.#connection, {
        store: this.#store,
        schedules: own,
        saga,
        instance,
        ...(retryMs === undefined ? {} : { retryMs }),
        ...(onProblem === undefined ? {} : { onProblem }),
      })
    })
  }

  #consumer(versions: readonly SagaDefinition[]): Consumer {
    const { instance, group, retryMs, onProblem } = this.#options
    const [definition] = versions
    assert(definition !== undefined, 'a name has a definition')
    const consumer = createConsumer(this.#connection, {
      group: group ?? definition.inbox.name,
      instance,
      attemptsMax: ATTEMPTS_MAX,
      ...(retryMs === undefined ? {} : { retryMs }),
      ...(onProblem === undefined ? {} : { onProblem }),
    })
    const machine = this.#machine(definition, versions)
    const tenures = createTenures()
    const turns = createKeyTurns()
    // Messages of one saga or lane wait for each other; a slow step holds up no other saga.
    consumer.listen(
      definition.inbox,
      async (message: Received<InboxMessage>, tx, { signal }) => {
        const { body, key } = message
        const end = await turns.take(key ?? body.sagaId)
        tx.onCommitted(end)
        tx.onRefused(end)
        const tenure = tenures.of(signal)
        const { changes, isEffective } = await transition(machine, body, { tx, signal, tenure })
        tx.onCommitted(() => {
          if (!isEffective) this.#counters.ignored += 1
          this.#tell(definition, changes)
        })
      },
      { order: 'concurrent' },
    )
    return consumer
  }

  #machine(definition: SagaDefinition, versions: readonly SagaDefinition[]): Machine {
    const entriesMax = this.#options.cacheEntries ?? CACHE_ENTRIES
    const store = this.#store
    return {
      definition,
      older: new Map(versions.map((one) => [one.fingerprint, one])),
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
    const atMs = this.#connection.ports.clock.wallMs()
    for (const { sagaId, before, after, events } of changes) {
      if (this.#steps.size > 0)
        for (const event of events)
          for (const move of movesOf(event)) this.#steps.tell({ ...move, saga: name, sagaId, atMs })
      if (before.phase === 'none' && after.phase !== 'none') this.#counters.started += 1
      if (after.parked !== undefined && before.parked === undefined) {
        this.#counters.parked += 1
        this.#parked.tell({ saga: name, sagaId, reason: after.parked })
      }
      const { phase: outcome, reason, startedAtMs, endedAtMs } = after
      if (outcome !== 'completed' && outcome !== 'compensated') continue
      if (before.phase === outcome) continue
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
