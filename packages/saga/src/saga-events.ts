/**
 * The stream of one saga: what happened to it, in order, and nothing else. `StepStarted` is the
 * durable registration of a step's undo: it stands in the log before the step can have any effect.
 */
import { defineEvents, type EventsOf } from '@sagalog/event-store'
import * as t from 'io-ts'
import { InboxMessage, LanePlace } from './inbox.js'

/** Why a saga was compensated. A refusal stands here as its codec encoded it. */
export const EndReason = t.union(
  [
    t.type({ kind: t.literal('refused'), step: t.string, refusal: t.unknown }),
    t.type({ kind: t.literal('timeout'), step: t.string }),
    t.type({ kind: t.literal('exhausted'), step: t.string, message: t.string }),
  ],
  'EndReason',
)
export type EndReason = t.TypeOf<typeof EndReason>

const definitions = {
  Started: t.type({
    input: t.unknown,
    version: t.number,
    fingerprint: t.string,
    atMs: t.number,
    lane: t.union([LanePlace, t.undefined]),
  }),
  StepStarted: t.type({ step: t.string }),
  /** The command of a step that cannot be undone was sent again. */
  StepResent: t.type({ step: t.string, attempt: t.number }),
  StepDone: t.type({ step: t.string, result: t.unknown }),
  StepRefused: t.type({ step: t.string, refusal: t.unknown }),
  StepTimedOut: t.type({ step: t.string }),
  /** A local step threw at each of its attempts. */
  StepExhausted: t.type({ step: t.string, message: t.string }),
  UndoStarted: t.type({ step: t.string }),
  UndoDone: t.type({ step: t.string }),
  Completed: t.type({ atMs: t.number }),
  Compensated: t.type({ reason: EndReason, atMs: t.number }),
  /** The saga waits for a person. The message that met this is kept, so that nothing is lost. */
  Parked: t.type({ reason: t.string, message: t.union([InboxMessage, t.undefined]) }),
}

/** The events of one saga definition; their category is `saga-<name>-state`. */
export function sagaEvents(name: string) {
  return defineEvents(`saga-${name}-state`, definitions)
}

export type SagaEventSet = ReturnType<typeof sagaEvents>
export type SagaEvent = EventsOf<SagaEventSet>

const laneDefinitions = {
  LaneQueued: t.type({ sagaId: t.string, place: t.number, input: t.unknown }),
  LaneStarted: t.type({ sagaId: t.string, place: t.number }),
  LaneEnded: t.type({ sagaId: t.string, place: t.number }),
}

/** The events of the lanes of one saga definition; their category is `saga-<name>-lane`. */
export function laneEvents(name: string) {
  return defineEvents(`saga-${name}-lane`, laneDefinitions)
}

export type LaneEventSet = ReturnType<typeof laneEvents>
export type LaneEvent = EventsOf<LaneEventSet>
