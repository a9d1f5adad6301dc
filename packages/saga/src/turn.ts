/**
 * One decision under way: events are decided one on top of the other, and this keeps the state that
 * they make and what they ask for. Effects are data; others carry them out.
 */
import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { PathReporter } from 'io-ts/lib/PathReporter.js'
import type { SagaDefinition, StepDefinition } from './definition.js'
import { evolve, type SagaState } from './evolve.js'
import type { Probe } from './gate-messages.js'
import type { InboxMessage } from './inbox.js'
import type { SagaEvent } from './saga-events.js'

/** A message, or what came of an attempt of a local action. */
export type SagaInput =
  | InboxMessage
  /** It threw. */
  | {
      readonly kind: 'failed'
      readonly sagaId: string
      readonly step: string
      readonly action: 'run' | 'undo'
      readonly message: string
    }
  /** It took too long; its outcome is unknown. */
  | { readonly kind: 'late'; readonly sagaId: string; readonly step: string }

export type InputOf<Kind extends SagaInput['kind']> = Extract<SagaInput, { readonly kind: Kind }>

interface OfStep {
  readonly step: StepDefinition
  /** The step's name, or that of its run in a loop. */
  readonly name: string
}

/** Effects that belong to a step. */
export type StepEffect = OfStep &
  (
    | { readonly kind: 'command'; readonly action: 'run' | 'undo' }
    /** Do the step's local action, after so many milliseconds. */
    | {
        readonly kind: 'act'
        readonly action: 'run' | 'undo'
        readonly attempt: number
        readonly delayMs: number
      }
    | { readonly kind: 'timer'; readonly attempt: number }
    | { readonly kind: 'cancel-timer'; readonly attempt: number }
    /** Like `timer`, for the answer to an undo. */
    | { readonly kind: 'undo-timer'; readonly attempt: number }
    | { readonly kind: 'cancel-undo-timer'; readonly attempt: number }
    | { readonly kind: 'acquire'; readonly attempt: number }
    | { readonly kind: 'release' }
    /** Ask on, at the lock or the child that it waits for itself; without a probe, for itself. */
    | { readonly kind: 'probe'; readonly attempt: number; readonly probe: Probe | undefined }
  )

export type Effect =
  | StepEffect
  /** Tell the parent how it ended. */
  | { readonly kind: 'tell-parent'; readonly outcome: 'done' | 'refused' | 'undone' }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'cancel-deadline' }

export interface Decision {
  readonly events: readonly SagaEvent[]
  readonly effects: readonly Effect[]
}

interface Draft {
  state: SagaState
  readonly events: SagaEvent[]
  readonly effects: Effect[]
}

export interface Turn {
  readonly definition: SagaDefinition
  readonly sagaId: string
  readonly draft: Draft
  readonly nowMs: number
}

export function newTurn(
  definition: SagaDefinition,
  state: SagaState,
  { sagaId, nowMs }: { readonly sagaId: string; readonly nowMs: number },
): Turn {
  return { definition, sagaId, draft: { state, events: [], effects: [] }, nowMs }
}

export function happen({ draft }: Turn, event: SagaEvent): void {
  draft.events.push(event)
  draft.state = evolve(draft.state, event)
}

export function ask({ draft }: Turn, ...effects: readonly Effect[]): void {
  draft.effects.push(...effects)
}

/** It waits for a person; the message that met this is kept. */
export function park(turn: Turn, reason: string, input: SagaInput): void {
  const message = input.kind === 'failed' || input.kind === 'late' ? undefined : input
  happen(turn, { type: 'Parked', data: { reason, message } })
}

export function reportOf(errors: t.Errors): string {
  return PathReporter.report(E.left(errors)).slice(0, 3).join('; ')
}
