/**
 * A schedule: sagas that start at the times of a cron expression. What is to be done is decided
 * here, pure, from what was planned; the next time stands in a stream before it can come, so that
 * a due start is one start, whoever wakes and however often. A time is identified by itself.
 */
import { defineEvents, type EventsOf } from '@sagalog/event-store'
import * as t from 'io-ts'
import { type CronTimes, cronTimes } from './cron-times.js'
import { SagaError } from './errors.js'
import type { SagaDefinition } from './definition.js'
import type { Saga } from './saga-types.js'
import { type StartMessage, startMessage } from './start-message.js'

export interface ScheduleOptions<Input> {
  /** Names it among the schedules of the saga, for good: it is a part of the ids it starts. */
  readonly name: string
  /** Five fields, or six with seconds in front. */
  readonly cron: string
  /** Whose wall clock the expression means: `Europe/Vienna`. UTC unless told. */
  readonly timeZone?: string
  /**
   * Of the times that passed while nothing ran, 'once' starts one saga, for the last of them;
   * 'skip' starts none. 'once' unless told.
   */
  readonly missed?: 'once' | 'skip'
  /** A start this late, in milliseconds, was not missed. 60,000 unless told. */
  readonly graceMs?: number
  /** The input of the saga of one time. Pure. */
  readonly input: (dueAtMs: number) => Input
}

/** A schedule as data, for the option `schedules` of a runtime. */
export interface SagaSchedule {
  readonly name: string
  readonly saga: SagaDefinition
  /** The expression and its zone, as they are compared with what was planned. */
  readonly spec: string
  readonly times: CronTimes
  readonly missed: 'once' | 'skip'
  readonly graceMs: number
  /** The start of the saga of one time; its id is `<name>@<milliseconds since 1970>`. */
  start(dueAtMs: number): StartMessage
}

const GRACE_MS = 60_000

/** Starts sagas at the times of a cron expression. Throws SCHEDULE_INVALID. */
export function sagaSchedule<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  options: ScheduleOptions<Input>,
): SagaSchedule {
  const { name, cron, timeZone = 'UTC', missed = 'once', graceMs = GRACE_MS, input } = options
  const invalid = (reason: string): SagaError =>
    new SagaError('SCHEDULE_INVALID', { saga: saga.name, name: JSON.stringify(name), reason })
  // A part of ids and of stream names.
  if (!/^[\w.-]{1,100}$/.test(name)) throw invalid('its name is not 1 to 100 of A-Z a-z 0-9 _ . -')
  if (!Number.isFinite(graceMs) || graceMs < 0) throw invalid('its grace is not a time')
  let times: CronTimes
  try {
    times = cronTimes(cron, timeZone)
  } catch (thrown) {
    throw invalid(thrown instanceof Error ? thrown.message : String(thrown))
  }
  return {
    name,
    saga,
    spec: `${cron} ${timeZone}`,
    times,
    missed,
    graceMs,
    start: (dueAtMs) => startMessage(saga, `${name}@${dueAtMs}`, input(dueAtMs)),
  }
}

/** What happened to the schedules of one saga definition, one stream each. */
export function scheduleEvents(saga: string) {
  return defineEvents(`saga-${saga}-schedule-times`, {
    Planned: t.type({ dueAtMs: t.number, spec: t.string }),
    /** The planned time came; a saga was started for `startedFor`, or none. */
    Came: t.type({ dueAtMs: t.number, startedFor: t.union([t.number, t.undefined]) }),
    /** The planned time came to an instance without this schedule. */
    Unheard: t.type({ dueAtMs: t.number }),
  })
}
export type ScheduleEvent = EventsOf<ReturnType<typeof scheduleEvents>>

export interface ScheduleState {
  /** The time that is planned. */
  readonly dueAtMs: number | undefined
  readonly spec: string
  /** It came and nobody knew what to start. */
  readonly isUnheard: boolean
}

export const scheduleInitial: ScheduleState = { dueAtMs: undefined, spec: '', isUnheard: false }

export function evolveSchedule(state: ScheduleState, { type, data }: ScheduleEvent): ScheduleState {
  if (type === 'Planned') return { dueAtMs: data.dueAtMs, spec: data.spec, isUnheard: false }
  if (type === 'Unheard') return { ...state, isUnheard: true }
  return { ...state, dueAtMs: undefined }
}

/** An instance came up and looks; or a planned time came. */
export type ScheduleCall = { readonly dueAtMs: number | undefined }

export interface ScheduleDecision {
  readonly events: readonly ScheduleEvent[]
  /** Of a saga to start. */
  readonly startFor?: number
  /** When to be called again. */
  readonly nextAtMs?: number
}

function planned(spec: string, nextAtMs: number | undefined): ScheduleDecision {
  if (nextAtMs === undefined) return { events: [] }
  return { events: [{ type: 'Planned', data: { dueAtMs: nextAtMs, spec } }], nextAtMs }
}

/** Undefined `schedule`: this instance does not have it. */
export function decideSchedule(
  schedule: Pick<SagaSchedule, 'spec' | 'times' | 'missed' | 'graceMs'> | undefined,
  state: ScheduleState,
  call: ScheduleCall,
  nowMs: number,
): ScheduleDecision {
  const isPlanned = state.dueAtMs !== undefined && state.dueAtMs === call.dueAtMs
  if (schedule === undefined) {
    if (!isPlanned || state.isUnheard) return { events: [] }
    return { events: [{ type: 'Unheard', data: { dueAtMs: state.dueAtMs } }] }
  }
  const { spec, times, missed, graceMs } = schedule
  const isLook = call.dueAtMs === undefined
  if (isLook && state.spec !== spec) return planned(spec, times.next(nowMs))
  const { dueAtMs } = state
  if (dueAtMs === undefined || (isLook ? !state.isUnheard : !isPlanned)) return { events: [] }
  // Whoever called knew that it is time; the clock here may be behind.
  const atMs = Math.max(nowMs, dueAtMs)
  const lastAtMs = Math.max(dueAtMs, times.last(atMs) ?? dueAtMs)
  const startFor = missed === 'once' || atMs - lastAtMs <= graceMs ? lastAtMs : undefined
  const next = planned(spec, times.next(atMs))
  return {
    ...next,
    events: [{ type: 'Came', data: { dueAtMs, startedFor: startFor } }, ...next.events],
    ...(startFor === undefined ? {} : { startFor }),
  }
}
