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
import type { KeyEventSet, LaneEventSet, SagaEventSet } from './saga-events.js'

/** Before the pivot a step has an undo; the pivot decides; what comes after cannot be refused. */
export type StepPhase = 'step' | 'pivot' | 'then'

/** The input and the results of earlier steps, by name. */
export type StepContext = Readonly<Record<string, unknown>>

/** What a step is told about itself. */
export interface StepMeta {
  /** `<saga id>/<step>`: the same at each attempt, so that an effect can be made once. */
  readonly key: string
  readonly sagaId: string
  /** Its name; of a step in a loop with `#` and the index, from 0. */
  readonly step: string
}

/** What a local step is told as well. */
export interface LocalMeta extends StepMeta {
  /** What is put into it commits together with the step's completion, or not at all. */
  readonly tx: Tx
  /** Aborted when this instance may no longer act for the saga. */
  readonly signal: AbortSignal
  /** Counted from 1. */
  readonly attempt: number
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

/** A wait for somebody outside: a person, another program. */
export interface SignalAction {
  readonly kind: 'signal'
  /** What is asked, for the list of sagas that wait. */
  readonly ask: string | undefined
  /** Left refuses the saga; right is the step's result. Pure. */
  accept(context: StepContext, value: unknown): E.Either<unknown, unknown>
  /** The codec of what comes. */
  readonly value: Codec
  readonly timeoutMs: ((context: StepContext) => number) | undefined
  readonly undo: undefined
}

/** A step that is a saga of its own. */
export interface ChildAction {
  readonly kind: 'child'
  readonly child: SagaDefinition
  /** The input of the child, not encoded; pure. */
  input(context: StepContext, meta: StepMeta): unknown
  readonly timeoutMs: undefined
  /** `revoke`: the child is compensated when its parent is. */
  readonly undo: 'revoke' | undefined
}

/** A semantic lock: held from here to the end of the saga. */
export interface LockAction {
  readonly kind: 'lock'
  /** What is locked; sagas of all definitions meet at the same name. Pure. */
  key(context: StepContext): string
  readonly timeoutMs: ((context: StepContext) => number) | undefined
  readonly undo: undefined
}

export type Action = RemoteAction | LocalAction | SignalAction | ChildAction | LockAction

/** How many attempts of steps of one limit run at a time, and a second, over all instances. */
export interface Limit {
  /** Steps that name the same limit share it. */
  readonly name: string
  /** At a time; any number unless told. */
  readonly concurrency?: number
  /** Begun in any second; any number unless told. */
  readonly perSecond?: number
}

/** Pauses between attempts: each twice the one before. */
export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

export interface StepDefinition {
  readonly name: string
  readonly phase: StepPhase
  /** Steps of one stage run side by side; a stage begins when the one before it is done. */
  readonly stage: number
  readonly out: Codec
  /** Attempts before a local step is in doubt, or sends of a command that cannot be undone. */
  readonly attemptsMax: number
  readonly backoff: Backoff
  readonly action: Action
  /** Why it has no undo although it stands before the pivot. */
  readonly irreversible: string | undefined
  /** False skips it. Pure. */
  readonly when: ((context: StepContext) => boolean) | undefined
  /** It is run once for each item, one after another. Pure. */
  readonly items: ((context: StepContext) => readonly unknown[]) | undefined
  readonly limit: Limit | undefined
}

/** The input and the results of a running saga in the encoding of another version. */
export interface Migratable {
  readonly input: unknown
  /** By name of the step, as its codec encoded it. */
  readonly results: Readonly<Record<string, unknown>>
}

export interface SagaDefinition {
  readonly name: string
  readonly version: number
  /** Names the shape: running sagas of another shape are parked, never guessed at. */
  readonly fingerprint: string
  readonly input: Codec
  readonly hasLane: boolean
  readonly hasBusinessKey: boolean
  readonly steps: readonly StepDefinition[]
  /** The same steps by stage. */
  readonly stages: readonly (readonly StepDefinition[])[]
  /** How sagas of older versions are carried over, by their version. */
  readonly from: Readonly<Record<number, (old: Migratable) => Migratable>>
  /** The topic of all that its sagas hear. */
  readonly inbox: Topic<InboxMessage>
  readonly events: SagaEventSet
  readonly laneEvents: LaneEventSet
  readonly keyEvents: KeyEventSet
  laneOf(input: unknown): LanePlace | undefined
  businessKeyOf(input: unknown): string | undefined
  /** Milliseconds from the start until it is compensated, unless the pivot has begun. */
  deadlineMs(input: unknown): number | undefined
}

/** Between a step's name and the index of its item in a loop. */
const LOOP_MARK = '#'

/** One run of a step in a loop. */
export const loopName = (step: string, index: number): string => `${step}${LOOP_MARK}${index}`

/** The index of the item that a run of this name belongs to; undefined outside of loops. */
export function loopIndex(name: string): number | undefined {
  const at = name.lastIndexOf(LOOP_MARK)
  return at < 0 ? undefined : Number(name.slice(at + 1))
}

const byName = new WeakMap<readonly StepDefinition[], ReadonlyMap<string, StepDefinition>>()

/** The step of this name, or of a run of it in a loop; undefined when the definition has none. */
export function stepOf({ steps }: SagaDefinition, name: string): StepDefinition | undefined {
  let known = byName.get(steps)
  if (known === undefined) {
    known = new Map(steps.map((step) => [step.name, step]))
    byName.set(steps, known)
  }
  const at = name.lastIndexOf(LOOP_MARK)
  return known.get(at < 0 ? name : name.slice(0, at))
}

/** True when there is something to do about the step in a compensation. */
export function hasUndo(step: StepDefinition): boolean {
  return step.action.undo !== undefined
}
