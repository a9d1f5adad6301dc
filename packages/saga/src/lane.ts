/**
 * A lane: sagas of one key, one after another, by their places 1, 2, 3 and so on. Pure. Invariants:
 * at most one saga of a lane runs; place n starts only after place n - 1 has ended.
 */
import { assert, unreachable } from '@sagalog/kernel'
import type { LaneEvent } from './saga-events.js'

export interface Waiting {
  readonly sagaId: string
  readonly place: number
  /** As its codec encoded it. */
  readonly input: unknown
}

export interface LaneState {
  /** The lowest place that has not been started. */
  readonly next: number
  readonly active: { readonly sagaId: string; readonly place: number } | undefined
  /** By place. */
  readonly waiting: ReadonlyMap<number, Waiting>
}

export const laneInitial: LaneState = { next: 1, active: undefined, waiting: new Map() }

export function evolveLane(state: LaneState, event: LaneEvent): LaneState {
  switch (event.type) {
    case 'LaneQueued':
      return { ...state, waiting: new Map(state.waiting).set(event.data.place, event.data) }
    case 'LaneStarted': {
      const { place } = event.data
      assert(state.active === undefined && place === state.next, 'places are started in order')
      if (!state.waiting.has(place)) return { ...state, next: place + 1, active: event.data }
      const waiting = new Map(state.waiting)
      waiting.delete(place)
      return { next: place + 1, active: event.data, waiting }
    }
    case 'LaneEnded':
      return { ...state, active: undefined }
    default:
      return unreachable(event)
  }
}

/** `known`: it waits already. `taken`: another saga has the place. */
export type Arrival = 'starts' | 'waits' | 'known' | 'taken'

/** A saga that was never started comes to its lane. */
export function arrive(
  state: LaneState,
  saga: Waiting,
): { readonly arrival: Arrival; readonly events: readonly LaneEvent[] } {
  const { sagaId, place } = saga
  const there = state.waiting.get(place)
  if (there?.sagaId === sagaId) return { arrival: 'known', events: [] }
  if (there !== undefined || place < state.next) return { arrival: 'taken', events: [] }
  if (place === state.next && state.active === undefined)
    return { arrival: 'starts', events: [{ type: 'LaneStarted', data: { sagaId, place } }] }
  return { arrival: 'waits', events: [{ type: 'LaneQueued', data: saga }] }
}

/** The active saga has ended; `next` is the one that starts now, if it is there. */
export function leave(
  state: LaneState,
  sagaId: string,
): { readonly next: Waiting | undefined; readonly events: readonly LaneEvent[] } {
  const { active } = state
  // A saga that never had the lane, because its place was taken, has nothing to give back.
  if (active?.sagaId !== sagaId) return { next: undefined, events: [] }
  const ended: LaneEvent = { type: 'LaneEnded', data: { sagaId, place: active.place } }
  const next = state.waiting.get(state.next)
  if (next === undefined) return { next, events: [ended] }
  const { place } = next
  return { next, events: [ended, { type: 'LaneStarted', data: { sagaId: next.sagaId, place } }] }
}
