/**
 * A gate: who may hold a lock, how many attempts of a limited step run at a time, how many begin in
 * a second. Pure. Invariants: never more holders than slots, never more begun in a second than
 * allowed, and those who wait are let in in the order in which they came.
 */
import { unreachable } from '@sagalog/kernel'
import { defineEvents, type EventsOf } from '@sagalog/event-store'
import * as t from 'io-ts'
import { type Asking, AskingCodec } from './gate-messages.js'

const Waiting = t.type({ holder: t.string, asking: AskingCodec })
type Waiting = t.TypeOf<typeof Waiting>

/** One stream per gate. */
export const GateEvents = defineEvents('saga-gates-state', {
  Queued: Waiting,
  /** Let in; the first of those who wait, or one who did not have to. */
  LetIn: t.type({ holder: t.string, asking: AskingCodec, atMs: t.number }),
  Left: t.type({ holder: t.string }),
  /** The whole state, so that a reader need not begin at the beginning. */
  Counted: t.type({
    holders: t.array(Waiting),
    waiting: t.array(Waiting),
    begunMs: t.array(t.number),
  }),
})
export type GateEvent = EventsOf<typeof GateEvents>

export interface GateState {
  readonly holders: ReadonlyMap<string, Asking>
  readonly waiting: readonly Waiting[]
  /** When the latest were let in, in milliseconds since 1970. */
  readonly begunMs: readonly number[]
}

export const gateInitial: GateState = { holders: new Map(), waiting: [], begunMs: [] }

const SECOND_MS = 1_000

export function evolveGate(state: GateState, event: GateEvent): GateState {
  switch (event.type) {
    case 'Queued':
      return { ...state, waiting: [...state.waiting, event.data] }
    case 'LetIn': {
      const { holder, asking, atMs } = event.data
      return {
        holders: new Map(state.holders).set(holder, asking),
        waiting: state.waiting.filter((one) => one.holder !== holder),
        begunMs: [...state.begunMs.filter((ms) => ms > atMs - SECOND_MS), atMs],
      }
    }
    case 'Left': {
      const holders = new Map(state.holders)
      holders.delete(event.data.holder)
      const waiting = state.waiting.filter((one) => one.holder !== event.data.holder)
      return { ...state, holders, waiting }
    }
    case 'Counted': {
      const { holders, waiting, begunMs } = event.data
      return {
        holders: new Map(holders.map(({ holder, asking }) => [holder, asking])),
        waiting,
        begunMs,
      }
    }
    default:
      return unreachable(event)
  }
}

export interface GateDecision {
  readonly events: readonly GateEvent[]
  /** Those who are told that they may begin. */
  readonly granted: readonly Asking[]
  /** Milliseconds until the next may be let in, when only time stands in the way. */
  readonly waitMs: number | undefined
}

/** Milliseconds until one more may begin; 0 when it may now. */
function waitMsOf(state: GateState, { perSecond }: Asking, nowMs: number): number {
  if (perSecond === undefined) return 0
  const recent = state.begunMs.filter((ms) => ms > nowMs - SECOND_MS)
  const oldest = recent[recent.length - perSecond]
  return oldest === undefined ? 0 : Math.max(1, oldest + SECOND_MS - nowMs)
}

const hasSlot = ({ holders }: GateState, { slots }: Asking): boolean =>
  slots === undefined || holders.size < slots

/** Lets in all whose turn has come. */
function letIn(from: GateState, first: readonly GateEvent[], nowMs: number): GateDecision {
  const events: GateEvent[] = [...first]
  const granted: Asking[] = []
  let state = first.reduce(evolveGate, from)
  for (;;) {
    const [next] = state.waiting
    if (next === undefined || !hasSlot(state, next.asking))
      return { events, granted, waitMs: undefined }
    const waitMs = waitMsOf(state, next.asking, nowMs)
    if (waitMs > 0) return { events, granted, waitMs }
    const event: GateEvent = { type: 'LetIn', data: { ...next, atMs: nowMs } }
    events.push(event)
    granted.push(next.asking)
    state = evolveGate(state, event)
  }
}

/** Somebody asks. One who is in already is told again. */
export function acquire(state: GateState, asked: Waiting, nowMs: number): GateDecision {
  const { holder, asking } = asked
  const held = state.holders.get(holder)
  if (held !== undefined && held.attempt === asking.attempt)
    return { events: [], granted: [asking], waitMs: undefined }
  const isKnown = state.waiting.some((one) => one.holder === holder)
  // A later attempt of a holder that did not leave takes the place of the earlier one.
  const before: GateEvent[] =
    held !== undefined || isKnown ? [{ type: 'Left', data: { holder } }] : []
  return letIn(state, [...before, { type: 'Queued', data: asked }], nowMs)
}

export function release(state: GateState, holder: string, nowMs: number): GateDecision {
  const isThere =
    state.holders.has(holder) || state.waiting.some((waiting) => waiting.holder === holder)
  if (!isThere) return { events: [], granted: [], waitMs: undefined }
  return letIn(state, [{ type: 'Left', data: { holder } }], nowMs)
}

/** A second has passed. */
export function tick(state: GateState, nowMs: number): GateDecision {
  return letIn(state, [], nowMs)
}

/** The whole state as one event. */
export function counted({ holders, waiting, begunMs }: GateState): GateEvent {
  const all = [...holders].map(([holder, asking]) => ({ holder, asking }))
  return { type: 'Counted', data: { holders: all, waiting: [...waiting], begunMs: [...begunMs] } }
}
