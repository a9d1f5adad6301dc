/**
 * One definition's sagas from the outside: start, ask, wait, signal, cancel. It speaks by messages
 * to the inbox and reads streams; it never moves a saga itself, so it may be used in any process.
 */
import type { Connection, Producer, Tx } from '@sagalog/client'
import type { EventPosition, EventStore, RecordedEvent } from '@sagalog/event-store'
import { sleep } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import { type KeyedSaga, sagasOfKey } from './business-keys.js'
import { stepOf } from './definition.js'
import { SagaError } from './errors.js'
import { evolve, type SagaState, sagaInitial } from './evolve.js'
import type { InboxMessage } from './inbox.js'
import type { Saga } from './saga-types.js'
import type { EndReason, SagaEvent } from './saga-events.js'
import { type StartMessage, startMessage } from './start-message.js'
import { wholeContext } from './step-context.js'
import { reportOf } from './turn.js'

/** How a saga stands, with its history. */
export interface SagaView {
  readonly sagaId: string
  readonly state: SagaState
  readonly history: readonly RecordedEvent<SagaEvent>[]
}

/**
 * A moment to look back at: a position of the log (that of any event), or a time in milliseconds
 * since 1970 by the store's clock.
 */
export type AsOf = EventPosition | { readonly timeMs: number }

/** How a saga ended, or that it has not. */
export type SagaResult<Context> =
  | { readonly outcome: 'completed'; readonly results: Omit<Context, 'input'> }
  | { readonly outcome: 'compensated'; readonly reason: EndReason }
  /** It waits for a person. */
  | { readonly outcome: 'parked'; readonly reason: string }
  /** The time was up first. */
  | { readonly outcome: 'pending' }

export interface SagaHandle<Input, Context> {
  /**
   * Starts saga `id`; resolves when the start is durable. The same id starts one saga, however
   * often it is called. Rejects with SagaError or ClientError.
   */
  start(id: string, input: Input): Promise<void>
  /** The same as a part of a transaction: it starts when the transaction commits. */
  startIn(tx: Pick<Tx, 'send'>, id: string, input: Input): void
  /**
   * How it stands, or stood at a moment or after so many of its events; undefined when it was not
   * started by then.
   */
  query(
    id: string,
    options?: { readonly asOf?: AsOf; readonly asOfVersion?: number },
  ): Promise<SagaView | undefined>
  /** Waits for its end, for 30 seconds unless told. */
  result(id: string, options?: { readonly timeoutMs?: number }): Promise<SagaResult<Context>>
  /**
   * Gives a saga what it waits for, or will wait for: the first signal of a name counts, and it may
   * come early. By its id, or by its business key: then all sagas that run under that key are told,
   * and it rejects with NO_SAGA_OF_KEY when there is none. Resolves with the ids of those told.
   */
  signal(to: string | ByBusinessKey, name: string, value: unknown): Promise<readonly string[]>
  /** Compensates it, unless its pivot has begun or it has ended. */
  cancel(id: string, reason: string): Promise<void>
  /** Lets a parked saga try again. */
  retry(id: string, by: string): Promise<void>
  /** Takes the step that it waits at as over. */
  skip(id: string, by: string, step?: string): Promise<void>
  /** Says what the step came to, encoded as its codec would. */
  resolve(id: string, by: string, how: { step?: string; result: unknown }): Promise<void>
}

/** Sagas by what others know them by. */
export interface ByBusinessKey {
  readonly businessKey: string
  /** Milliseconds for which one that was started just now is waited for; 5,000 unless told. */
  readonly withinMs?: number
}

const RESULT_TIMEOUT_MS = 30_000
const KEY_PATIENCE_MS = 5_000
const POLL_MS_MIN = 25
const POLL_MS_MAX = 1_000

export interface HandlePorts {
  readonly connection: Connection
  readonly store: EventStore
  readonly producer: Producer
}

/** The sagas of one definition, seen from here. */
export function sagaHandle<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  { connection, store, producer }: HandlePorts,
): SagaHandle<Input, Context> {
  const put = (message: StartMessage): Promise<unknown> =>
    producer.send(message.topic, message.body, { shardingKey: message.shardingKey })

  async function query(
    sagaId: string,
    { asOf, asOfVersion }: { readonly asOf?: AsOf; readonly asOfVersion?: number } = {},
  ): Promise<SagaView | undefined> {
    const { records: history } = await store.read(saga.events, sagaId, {
      ...(asOf === undefined ? {} : { asOf }),
      ...(asOfVersion === undefined ? {} : { to: asOfVersion }),
    })
    if (history.length === 0) return undefined
    const state = history.map(({ event }) => event).reduce(evolve, sagaInitial)
    return { sagaId, state, history }
  }

  /** All that a saga hears stands in one queue: that of its lane, when it has one. */
  async function withShard(sagaId: string): Promise<KeyedSaga> {
    if (!saga.hasLane) return { sagaId, shardingKey: sagaId }
    const view = await query(sagaId)
    if (view === undefined) throw new SagaError('NOT_FOUND', { saga: saga.name, id: sagaId })
    return { sagaId, shardingKey: view.state.lane?.key ?? sagaId }
  }

  const tell = async (message: InboxMessage): Promise<void> => {
    const { shardingKey } = await withShard(message.sagaId)
    await producer.send(saga.inbox, message, { shardingKey })
  }

  /** Asks again and again until `found` gives something, or the time is up. */
  async function polled<A>(
    found: () => Promise<A | undefined>,
    withinMs: number,
  ): Promise<A | undefined> {
    const { clock } = connection.ports
    const untilMs = clock.monotonicMs() + withinMs
    for (let pauseMs = POLL_MS_MIN; ; pauseMs = Math.min(POLL_MS_MAX, pauseMs * 1.5)) {
      const value = await found()
      if (value !== undefined) return value
      const leftMs = untilMs - clock.monotonicMs()
      if (leftMs <= 0) return undefined
      await sleep(clock, Math.min(pauseMs, leftMs))
    }
  }

  /** Those that run under the key. A start that is stored may not be done yet. */
  async function keyed(by: ByBusinessKey): Promise<readonly KeyedSaga[]> {
    const { businessKey, withinMs = KEY_PATIENCE_MS } = by
    const found = await polled(async () => {
      const sagas = await sagasOfKey(store, saga, businessKey)
      return sagas.length > 0 ? sagas : undefined
    }, withinMs)
    if (found === undefined)
      throw new SagaError('NO_SAGA_OF_KEY', { saga: saga.name, key: businessKey })
    return found
  }

  function operate(
    sagaId: string,
    by: string,
    how: { action: 'retry' | 'skip' | 'resolve'; step?: string | undefined; result?: unknown },
  ): Promise<void> {
    const { action, step, result = null } = how
    return tell({ kind: 'operator', sagaId, by, action, step, result })
  }

  return {
    start: async (id, input) => void (await put(startMessage(saga, id, input))),
    startIn(tx, id, input) {
      const { topic, body, shardingKey } = startMessage(saga, id, input)
      tx.send(topic, body, { shardingKey })
    },
    query,
    async result(id, { timeoutMs = RESULT_TIMEOUT_MS } = {}) {
      const ended = async (): Promise<SagaResult<Context> | undefined> => {
        const view = await query(id)
        return view === undefined ? undefined : resultOf(saga, view.state)
      }
      return (await polled(ended, timeoutMs)) ?? { outcome: 'pending' }
    },
    async signal(to, name, value) {
      const action = stepOf(saga, name)?.action
      const id = typeof to === 'string' ? to : `with the business key ${to.businessKey}`
      const invalid = (reason: string): SagaError =>
        new SagaError('SIGNAL_INVALID', { signal: name, saga: saga.name, id, reason })
      if (typeof to === 'object' && !saga.hasBusinessKey)
        throw invalid('the definition says no business key')
      if (action?.kind !== 'signal') throw invalid('the definition has no signal of this name')
      const encoded = action.value.encode(value)
      const read = action.value.decode(encoded)
      if (E.isLeft(read)) throw invalid(reportOf(read.left))
      const told = typeof to === 'object' ? await keyed(to) : [await withShard(to)]
      for (const { sagaId, shardingKey } of told) {
        const message: InboxMessage = { kind: 'signal', sagaId, signal: name, value: encoded }
        await producer.send(saga.inbox, message, { shardingKey })
      }
      return told.map(({ sagaId }) => sagaId)
    },
    cancel: (sagaId, reason) => tell({ kind: 'cancel', sagaId, reason }),
    retry: (id, by) => operate(id, by, { action: 'retry' }),
    skip: (id, by, step) => operate(id, by, { action: 'skip', step }),
    resolve: (id, by, { step, result }) => operate(id, by, { action: 'resolve', step, result }),
  }
}

/** Undefined as long as it runs. */
function resultOf<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  state: SagaState,
): SagaResult<Context> | undefined {
  const { phase, parked, reason } = state
  if (phase === 'compensated' && reason !== undefined) return { outcome: 'compensated', reason }
  if (parked !== undefined && phase !== 'completed') return { outcome: 'parked', reason: parked }
  if (phase !== 'completed') return undefined
  const { input: _input, ...results } = wholeContext(saga, state)
  // The codecs of the definition have just decoded them.
  return { outcome: 'completed', results: results as unknown as Omit<Context, 'input'> }
}
