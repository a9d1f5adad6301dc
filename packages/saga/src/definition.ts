/**
 * A saga's definition as data, with the types of its payloads forgotten: what decisions, the
 * runtime and drawings read. The builder makes it and is the only place where the types are known.
 * Methods are used on purpose where a function takes a payload: they let a typed function stand
 * here.
 */
import type { Topic, Tx } from '@sagalog/client'
import type * as E from 'fp-ts/lib/Either.js'
import type { Option } from 'fp-ts/lib/Option.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type * as t from 'io-ts'
import type { InboxMessage, LanePlace } from './inbox.js'
import type { LaneEventSet, SagaEventSet } from './saga-events.js'

/** Before the pivot a step has an undo; the pivot decides; what comes after cannot be refused. */
export type StepPhase = 'step' | 'pivot' | 'then'

/** The input and the results of earlier steps, by name. */
export type StepContext = Readonly<Record<string, unknown>>

/** What a step is told about itself. */
export interface StepMeta {
  /** `<saga id>/<step>`: the same at each attempt, so that an effect can be made once. */
  readonly key: string
  readonly sagaId: string
  readonly step: string
}

/** What a local step is told as well. */
export interface LocalMeta extends StepMeta {
  /** What is put into it commits together with the step's completion, or not at all. */
  readonly tx: Tx
  /** Aborted when this instance may no longer act for the saga. */
  readonly signal: AbortSignal
}

/** An io-ts codec whose type was forgotten. */
export interface Codec {
  readonly name: string
  decode(value: unknown): E.Either<t.Errors, unknown>
  encode(value: unknown): unknown
  is(value: unknown): boolean
}

/** A step done by a service: a command goes out, a reply comes back. */
export interface RemoteAction {
  readonly kind: 'remote'
  readonly to: Topic<unknown>
  readonly refusal: Codec | undefined
  /** The command; pure. */
  run(context: StepContext, meta: StepMeta): unknown
  /** How long to wait for the reply, in milliseconds; for ever without it. Pure. */
  readonly timeoutMs: ((context: StepContext) => number) | undefined
  /** The command that undoes; pure. */
  readonly undo:
    | ((context: StepContext, done: Option<unknown>, meta: StepMeta) => unknown)
    | undefined
}

/** A step done in the process of the saga's runtime. */
export interface LocalAction {
  readonly kind: 'local'
  run(context: StepContext, meta: LocalMeta): TaskEither<unknown, unknown>
  /** How long one attempt may take, in milliseconds. */
  readonly timeoutMs: ((context: StepContext) => number) | undefined
  readonly undo:
    | ((context: StepContext, done: Option<unknown>, meta: LocalMeta) => TaskEither<never, void>)
    | undefined
}

export interface StepDefinition {
  readonly name: string
  readonly phase: StepPhase
  readonly out: Codec
  /** Attempts before a local step is in doubt, or sends of a command that cannot be undone. */
  readonly attemptsMax: number
  readonly action: RemoteAction | LocalAction
}

export interface SagaDefinition {
  readonly name: string
  readonly version: number
  /** Names the shape: running sagas of another shape are parked, never guessed at. */
  readonly fingerprint: string
  readonly input: Codec
  readonly hasLane: boolean
  readonly steps: readonly StepDefinition[]
  /** The topic of all that its sagas hear. */
  readonly inbox: Topic<InboxMessage>
  readonly events: SagaEventSet
  readonly laneEvents: LaneEventSet
  laneOf(input: unknown): LanePlace | undefined
}

/** The step of this name, or undefined when the definition has none. */
export function stepOf(definition: SagaDefinition, name: string): StepDefinition | undefined {
  return definition.steps.find((step) => step.name === name)
}
