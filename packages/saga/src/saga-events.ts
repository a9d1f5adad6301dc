/**
 * The stream of one saga: what happened to it, in order, and nothing else. `StepStarted` is the
 * durable registration of a step's undo: it stands in the log before the step can have any effect.
 */
import { defineEvents, type EventsOf } from '@sagalog/event-store'
import * as t from 'io-ts'
import { InboxMessage, LanePlace, ParentRef } from './inbox.js'

/** Why a saga was compensated. A refusal stands here as its codec encoded it. */
export const EndReason = t.union(
  [
    t.type({ kind: t.literal('refused'), step: t.string, refusal: t.unknown }),
    t.type({ kind: t.literal('timeout'), step: t.string }),
    t.type({ kind: t.literal('exhausted'), step: t.string, message: t.string }),
    // It waited for a lock, and whoever held that waited for one of its own in the end.
    t.type({ kind: t.literal('deadlock'), step: t.string, ring: t.array(t.string) }),
    t.type({ kind: t.literal('deadline') }),
    t.type({ kind: t.literal('cancelled'), message: t.string }),
  ],
  'EndReason',
)
export type EndReason = t.TypeOf<typeof EndReason>

const optional = <A>(codec: t.Type<A, unknown>) => t.union([codec, t.undefined])

const definitions = {
  Started: t.type({
    input: t.unknown,
    version: t.number,
    fingerprint: t.string,
    atMs: t.number,
    lane: optional(LanePlace),
    parent: optional(ParentRef),
    businessKey: optional(t.string),
  }),
  /** It was carried over to another version of its definition. */
  Migrated: t.type({
    version: t.number,
    fingerprint: t.string,
    input: t.unknown,
    results: t.record(t.string, t.unknown),
  }),
  /** A step waits for its limit. */
  StepQueued: t.type({ step: t.string, attempt: t.number }),
  StepStarted: t.type({ step: t.string, attempt: optional(t.number) }),
  /** Its condition was false, or an operator took it as over. */
  StepSkipped: t.type({ step: t.string }),
  LoopStarted: t.type({ step: t.string, count: t.number }),
  /** Asked for again. Attempts are counted from `since`, which is 1 unless told. */
  StepResent: t.type({ step: t.string, attempt: t.number, since: optional(t.number) }),
  /** An attempt threw; another one follows. */
  StepFailed: t.type({ step: t.string, attempt: t.number, message: t.string }),
  StepDone: t.type({ step: t.string, result: t.unknown }),
  StepRefused: t.type({ step: t.string, refusal: t.unknown }),
  StepTimedOut: t.type({ step: t.string }),
  /** A local step threw at each of its attempts. */
  StepExhausted: t.type({ step: t.string, message: t.string }),
  SignalReceived: t.type({ signal: t.string, value: t.unknown }),
  /** From outside: it is compensated although no step said so. */
  Cancelled: t.type({ reason: EndReason }),
  UndoStarted: t.type({ step: t.string }),
  UndoFailed: t.type({ step: t.string, attempt: t.number, message: t.string }),
  UndoResent: t.type({ step: t.string, attempt: t.number, since: optional(t.number) }),
  UndoDone: t.type({ step: t.string }),
  /** Nothing was undone: there is no undo, or an operator took it as over. */
  UndoSkipped: t.type({ step: t.string, why: t.string }),
  Completed: t.type({ atMs: t.number }),
  Compensated: t.type({ reason: EndReason, atMs: t.number }),
  /** A completed child is compensated, because its parent is. */
  Revoked: t.type({ atMs: t.number }),
  /** The saga waits for a person. The message that met this is kept, so that nothing is lost. */
  Parked: t.type({ reason: t.string, message: optional(InboxMessage) }),
  /** A person lets it go on. */
  Resumed: t.type({ by: t.string }),
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

const keyDefinitions = {
  /** A saga that goes by this key was started; what it hears stands in the queue of that key. */
  KeyTaken: t.type({ sagaId: t.string, shardingKey: t.string }),
  KeyLeft: t.type({ sagaId: t.string }),
}

/** The business keys of one saga definition; their category is `saga-<name>-keys`. */
export function keyEvents(name: string) {
  return defineEvents(`saga-${name}-keys`, keyDefinitions)
}

export type KeyEventSet = ReturnType<typeof keyEvents>
export type KeyEvent = EventsOf<KeyEventSet>
