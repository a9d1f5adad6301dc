/**
 * One message, one commit: loads the streams that a message concerns, lets them decide, and puts
 * everything into the transaction: events with the versions that were seen, commands, timers, and
 * the start of the next saga of a lane. Invariant: what a decision saw is what its commit expects.
 */
import type { Tx } from '@sagalog/client'
import type { Clock } from '@sagalog/kernel'
import { advance } from './advance.js'
import { keepKey } from './business-keys.js'
import { decidePark } from './decide.js'
import type { SagaDefinition } from './definition.js'
import { hasEnded, type SagaState } from './evolve.js'
import type { InboxMessage, LanePlace } from './inbox.js'
import { arrive, type LaneState, leave } from './lane.js'
import type { Attempt } from './local-action.js'
import type { Outgoing } from './outgoing.js'
import type { LaneEvent, SagaEvent } from './saga-events.js'
import type { StreamStates, WorkingStream } from './stream-states.js'

/** What runs the sagas of one definition. */
export interface Machine {
  readonly definition: SagaDefinition
  /** Older definitions of the same name that still run, by fingerprint. */
  readonly older: ReadonlyMap<string, SagaDefinition>
  readonly clock: Clock
  readonly sagas: StreamStates<SagaState, SagaEvent>
  readonly lanes: StreamStates<LaneState, LaneEvent>
}

/** What a message is handled in. */
export interface Occasion {
  readonly tx: Tx
  readonly signal: AbortSignal
  readonly tenure: number
}

/** A saga that a commit changed. */
export interface Change {
  readonly sagaId: string
  readonly before: SagaState
  readonly after: SagaState
  readonly events: readonly SagaEvent[]
}

export interface Transitioned {
  readonly changes: readonly Change[]
  /** False for a message that no longer mattered. */
  readonly isEffective: boolean
}

type Start = Extract<InboxMessage, { readonly kind: 'start' }>

/** Handles one message of one saga within one transaction. */
class Transition {
  readonly changes: Change[] = []
  readonly #machine: Machine
  readonly #occasion: Occasion
  readonly #streams: WorkingStream<SagaState, SagaEvent>[] = []
  readonly #outgoing: Outgoing[] = []
  #lane: WorkingStream<LaneState, LaneEvent> | undefined

  constructor(machine: Machine, occasion: Occasion) {
    this.#machine = machine
    this.#occasion = occasion
  }

  async handle(message: InboxMessage): Promise<void> {
    const { sagaId } = message
    const saga = await this.#load(sagaId, message.kind === 'start')
    const wasOver = hasEnded(saga.state)
    if (message.kind === 'start' && message.lane !== undefined && saga.state.phase === 'none') {
      if (!(await this.#arrive(saga, message))) return
    } else await this.#advance(saga, message)
    const { lane } = saga.state
    if (!wasOver && hasEnded(saga.state) && lane !== undefined) await this.#leave(sagaId, lane.key)
  }

  /** True when the message changed something. */
  get isEffective(): boolean {
    return this.changes.length > 0 || this.#outgoing.length > 0 || this.#lane?.isChanged === true
  }

  commit(): void {
    const { tx } = this.#occasion
    const { definition } = this.#machine
    for (const change of this.changes) keepKey(tx, definition, change)
    for (const stream of this.#streams) stream.appendTo(tx)
    this.#lane?.appendTo(tx)
    for (const put of this.#outgoing) put(tx)
  }

  async #load(sagaId: string, isNew: boolean): Promise<WorkingStream<SagaState, SagaEvent>> {
    const { sagas } = this.#machine
    const { tenure } = this.#occasion
    const stream = isNew ? await sagas.loadNew(sagaId, tenure) : await sagas.load(sagaId, tenure)
    this.#streams.push(stream)
    return stream
  }

  async #laneOf(key: string): Promise<WorkingStream<LaneState, LaneEvent>> {
    this.#lane ??= await this.#machine.lanes.load(key, this.#occasion.tenure)
    return this.#lane
  }

  async #advance(
    saga: WorkingStream<SagaState, SagaEvent>,
    first: InboxMessage,
    mayAct = !saga.isPresumed,
  ): Promise<void> {
    const before = saga.state
    const { sagaId } = first
    const { clock, older } = this.#machine
    const definition = older.get(before.fingerprint) ?? this.#machine.definition
    const { signal } = this.#occasion
    const attempt: Attempt = { clock, signal }
    // Nothing is done for a saga of which it is not certain that it was never started.
    const turn = { from: before, first, clock, attempt: mayAct ? attempt : undefined }
    const { events, outgoing } = await advance(definition, sagaId, turn)
    saga.happen(events)
    this.#outgoing.push(...outgoing)
    if (events.length > 0) this.changes.push({ sagaId, before, after: saga.state, events })
  }

  /** A start comes to its lane; true when the saga was started. */
  async #arrive(saga: WorkingStream<SagaState, SagaEvent>, message: Start): Promise<boolean> {
    const { sagaId, input, lane: at } = message
    if (at === undefined) return false
    const lane = await this.#laneOf(at.key)
    const { arrival, events } = arrive(lane.state, { sagaId, place: at.place, input })
    lane.happen(events)
    if (arrival === 'taken') await this.#parkWithoutPlace(message, at)
    if (arrival !== 'starts') return false
    await this.#advance(saga, message)
    return true
  }

  /** The place was taken: by this saga itself, when its start comes again, or by another one. */
  async #parkWithoutPlace(message: Start, { key, place }: LanePlace): Promise<void> {
    const { sagaId } = message
    const saga = await this.#load(sagaId, false)
    if (saga.state.phase !== 'none') return
    const { definition, clock } = this.#machine
    const reason = `place ${place} of lane ${key} was taken by another saga`
    const before = saga.state
    const { events } = decidePark(definition, before, message, { reason, nowMs: clock.wallMs() })
    saga.happen(events)
    this.changes.push({ sagaId, before, after: saga.state, events })
  }

  /** A saga of a lane has ended; the one after it starts in the same commit. */
  async #leave(sagaId: string, key: string): Promise<void> {
    const lane = await this.#laneOf(key)
    for (let ended: string | undefined = sagaId; ended !== undefined;) {
      const { next, events } = leave(lane.state, ended)
      lane.happen(events)
      ended = undefined
      if (next === undefined) return
      const saga = await this.#load(next.sagaId, true)
      // One that was started without the lane gives its place to the one behind it.
      if (saga.state.phase !== 'none') ended = next.sagaId
      else {
        const { place, input } = next
        const lanePlace = { key, place }
        const start: Start = {
          kind: 'start',
          sagaId: next.sagaId,
          input,
          lane: lanePlace,
          parent: undefined,
        }
        await this.#advance(saga, start, false)
      }
    }
  }
}

/**
 * Puts all that a message leads to into the transaction; nothing for a message that no longer
 * matters. Throws for a hiccup: the message is to be handled again.
 */
export async function transition(
  machine: Machine,
  message: InboxMessage,
  occasion: Occasion,
): Promise<Transitioned> {
  const turn = new Transition(machine, occasion)
  await turn.handle(message)
  turn.commit()
  return { changes: turn.changes, isEffective: turn.isEffective }
}
