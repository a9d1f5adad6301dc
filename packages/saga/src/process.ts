/**
 * Choreography: a process manager hears events and decides on effects. The user's part is pure,
 * `(state, event) -> [state, effects]`; the new state, the effects and the acknowledgement of the
 * event are one commit. Invariant: each event is heard once by each process, in the order of its
 * stream.
 */
import { type Connection, createConsumer, ensureTopic } from '@sagalog/client'
import { type Problem, type SendOptions, topic, type Topic, type Tx } from '@sagalog/client'
import { type AnyEvent, appendIn, createEventStore, defineEvents } from '@sagalog/event-store'
import type { EventSet, EventStore } from '@sagalog/event-store'
import { assert, position, streamVersion } from '@sagalog/kernel'
import type { StoredEvent } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

/** What a process asks for; it happens with the commit of its new state. */
export type ProcessEffect = (
  tx: Tx,
  process: { readonly name: string; readonly id: string },
) => void

/** Sends a message. */
export function send<A>(to: Topic<A>, body: A, options?: SendOptions): ProcessEffect {
  return (tx) => tx.send(to, body, options)
}

/** Appends an event to another stream, whatever stands there. */
export function emit<Event extends AnyEvent>(
  set: EventSet<Event>,
  stream: string,
  event: Event,
): ProcessEffect {
  return (tx) => appendIn(tx, set, stream, [event], { expected: 'any' })
}

/** Tells the process itself `alarm` after so many milliseconds, unless it is called off. */
export function after(delayMs: number, alarm: string): ProcessEffect {
  return (tx, { name, id }) =>
    tx.schedule(
      `${name}/${id}/${alarm}`,
      delayMs,
      alarmsOf(name),
      { id, alarm },
      { shardingKey: id },
    )
}

/** Calls an alarm off. */
export function calledOff(alarm: string): ProcessEffect {
  return (tx, { name, id }) => tx.cancel(`${name}/${id}/${alarm}`)
}

const Alarm = t.type({ id: t.string, alarm: t.string }, 'Alarm')
const alarmsOf = (name: string): Topic<t.TypeOf<typeof Alarm>> => topic(`${name}-alarms`, Alarm)

type Next<State> = readonly [State, readonly ProcessEffect[]]

/** As much of an `EventSet` as is needed to hear its events. */
export interface Heard<Event extends AnyEvent = AnyEvent> {
  readonly category: string
  decode(stream: string, stored: StoredEvent): E.Either<{ readonly reason: string }, Event>
}

/** The states of a manager's processes, each as a whole. */
function changesOf(name: string) {
  return defineEvents(`${name}-state`, { Changed: t.type({ state: t.unknown }) })
}

export interface ProcessManagerOptions<State, Event extends AnyEvent> {
  /** Names its group, its category and its topic of alarms. */
  readonly name: string
  /** The sets whose events it hears. */
  readonly listens: readonly Heard[]
  readonly state: t.Type<State, unknown>
  readonly initial: State
  /** The id of the process that an event belongs to; undefined when it is nobody's. Pure. */
  readonly correlate: (event: Event, stream: string) => string | undefined
  /** By type of the event. Pure. Events without a row are not heard. */
  readonly on: {
    readonly [Type in Event['type']]?: (
      state: State,
      data: Extract<Event, { readonly type: Type }>['data'],
      id: string,
    ) => Next<State>
  }
  /** An alarm that `after` asked for. Pure. */
  readonly onAlarm?: (state: State, alarm: string, id: string) => Next<State>
}

export interface ProcessManager<State, Event extends AnyEvent> extends ProcessManagerOptions<
  State,
  Event
> {
  /** Its states, one stream per process. */
  readonly changes: ReturnType<typeof changesOf>
}

/** A process manager as data; `runProcessManager` runs it. */
export function processManager<State, const Events extends readonly AnyEvent[]>(
  options: ProcessManagerOptions<State, Events[number]> & {
    readonly listens: { readonly [Index in keyof Events]: Heard<Events[Index]> }
  },
): ProcessManager<State, Events[number]> {
  return { ...options, changes: changesOf(options.name) }
}

export interface RunOptions {
  readonly instance: string
  readonly queues?: number
  readonly retryMs?: number
  readonly onProblem?: (problem: Problem) => void
}

export interface RunningProcesses<State> {
  start(): Promise<void>
  close(): Promise<void>
  /** The state of one process. */
  state(id: string): Promise<State>
}

const QUEUES = 8

/** Runs the processes of a manager; several instances share them. */
export function runProcessManager<State, Event extends AnyEvent>(
  connection: Connection,
  manager: ProcessManager<State, Event>,
  { queues = QUEUES, ...options }: RunOptions,
): RunningProcesses<State> {
  const store: EventStore = createEventStore(connection)
  const consumer = createConsumer(connection, {
    group: manager.name,
    attemptsMax: Number.MAX_SAFE_INTEGER,
    ...options,
  })

  async function load(id: string): Promise<{ state: State; version: number }> {
    const head = await store.read(manager.changes, id, { from: 2 ** 40 })
    if (head.version === 0) return { state: manager.initial, version: 0 }
    // Each change holds the whole state, so the last one is enough.
    const { events, version } = await store.read(manager.changes, id, { from: head.version })
    const read = manager.state.decode(events.at(-1)?.data.state)
    assert(E.isRight(read), `the state of ${manager.name} ${id} fits its codec`)
    return { state: read.right, version }
  }

  async function move(tx: Tx, id: string, decide: (state: State) => Next<State>): Promise<void> {
    const { state, version } = await load(id)
    const [next, effects] = decide(state)
    const data = { state: manager.state.encode(next) }
    appendIn(tx, manager.changes, id, [{ type: 'Changed', data }], {
      expected: streamVersion(version),
    })
    for (const effect of effects) effect(tx, { name: manager.name, id })
  }

  for (const set of manager.listens)
    consumer.listen(
      eventTopic(set),
      async ({ body: { event: heard, stream } }, tx) => {
        // The manager's type names the events of just these sets.
        const event = heard as Event
        const id = manager.correlate(event, stream)
        const type: Event['type'] = event.type
        const row = manager.on[type]
        if (id === undefined || row === undefined) return
        await move(tx, id, (state) => row(state, event.data, id))
      },
      { order: 'orderly' },
    )
  consumer.listen(
    alarmsOf(manager.name),
    async ({ body: { id, alarm } }, tx) =>
      move(tx, id, (state) => manager.onAlarm?.(state, alarm, id) ?? [state, []]),
    { order: 'orderly' },
  )

  return {
    async start() {
      await store.ensureCategory(manager.changes, { queues })
      await ensureTopic(connection, alarmsOf(manager.name), { queues })
      await consumer.start()
    },
    close: () => consumer.close(),
    state: async (id) => (await load(id)).state,
  }
}

/** The events of a category as a consumer of its topic reads them. */
function eventTopic(set: Heard) {
  return {
    name: set.category,
    decode(
      bytes: Buffer,
      properties: Readonly<Record<string, string>>,
    ): E.Either<string, { readonly event: AnyEvent; readonly stream: string }> {
      const { 'sagalog.stream': stream = '', 'sagalog.type': type = '' } = properties
      const decoded = set.decode(stream, {
        version: streamVersion(Number(properties['sagalog.version'])),
        type,
        schema: Number(properties['sagalog.schema']),
        data: bytes,
        metadata: {},
        position: position(0),
        storedAtMs: 0,
      })
      return E.isLeft(decoded)
        ? E.left(decoded.left.reason)
        : E.right({ event: decoded.right, stream })
    },
  }
}
