/**
 * The steps as their author writes them, fully typed, and how they become data. `Context` is what a
 * step may read, `A` its result, `E` its refusal.
 */
import type { Topic } from '@sagalog/client'
import type { Option } from 'fp-ts/lib/Option.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type * as t from 'io-ts'
import type {
  Backoff,
  Limit,
  LocalMeta,
  StepContext,
  StepDefinition,
  StepMeta,
  StepPhase,
} from './definition.js'

export interface Retry {
  /** Attempts in all, the first one included. 10 unless told. */
  readonly times?: number
  /** Milliseconds before the second attempt, 200 unless told; each pause is twice the last one. */
  readonly firstMs?: number
  /** The longest pause, in milliseconds. 60,000 unless told. */
  readonly maxMs?: number
}

/** Attempts of a step that says nothing about retries. */
const ATTEMPTS_MAX = 10
const BACKOFF: Backoff = { firstMs: 200, maxMs: 60_000 }

/** Says that a step before the pivot has no undo, and why that is all right. */
export interface Irreversible {
  readonly irreversible: string
}

/** Stands where an undo would: `undo: irreversible('a mail cannot be called back')`. */
export function irreversible(why: string): Irreversible {
  return { irreversible: why }
}

interface LocalOptions<Context> {
  /** How long one attempt of `run` may take, in milliseconds; then its outcome is unknown. */
  readonly timeoutMs?: (context: Context) => number
  /** A throw is a hiccup and is retried. With no attempt left the outcome is unknown. */
  readonly retry?: Retry
  /** Bounds how many run at a time or begin in a second, over all instances. */
  readonly limit?: Limit
}

/** A step before the pivot, done in this process. */
export interface LocalStep<Context, A, E> extends LocalOptions<Context> {
  readonly out: t.Type<A, unknown>
  /** Left is a refusal: the saga is compensated. A throw is a hiccup: it is tried again. */
  readonly run: (context: Context, meta: LocalMeta) => TaskEither<E, NoInfer<A>>
  /** Undoes what `run` did. `done` is none when it is not known whether `run` did anything. */
  readonly undo:
    | ((context: Context, done: Option<NoInfer<A>>, meta: LocalMeta) => TaskEither<never, void>)
    | Irreversible
}

/** The pivot, done in this process: when it is done, the saga goes through to its end. */
export interface LocalPivot<Context, A, E> extends LocalOptions<Context> {
  readonly out: t.Type<A, unknown>
  readonly run: (context: Context, meta: LocalMeta) => TaskEither<E, NoInfer<A>>
}

/** A step that cannot be refused, done in this process. */
export interface LocalThen<Context, A> extends LocalOptions<Context> {
  readonly out: t.Type<A, unknown>
  readonly run: (context: Context, meta: LocalMeta) => TaskEither<never, NoInfer<A>>
}

/** What `remote` takes: a step before the pivot, done by a service. */
export interface RemoteOptions<Context, Command, A, E> {
  /** The topic of the service's commands. */
  readonly to: Topic<Command>
  readonly out: t.Type<A, unknown>
  readonly refusal: t.Type<E, unknown>
  /** The command. Pure: it may be computed more than once. */
  readonly run: (context: Context, meta: StepMeta) => Command
  /** The command that undoes. `done` is none when the reply did not come in time. Pure. */
  readonly undo:
    | ((context: Context, done: Option<NoInfer<A>>, meta: StepMeta) => Command)
    | Irreversible
  /** How long to wait for the reply, in milliseconds; for ever when not given. */
  readonly timeoutMs?: (context: Context) => number
  /** How often an undo is sent whose answer does not come; then the saga is parked. */
  readonly retry?: Retry
  readonly limit?: Limit
}

/** What `remoteForward` takes: the pivot or a later step, done by a service. */
export interface RemoteForwardOptions<Context, Command, A, E> {
  readonly to: Topic<Command>
  readonly out: t.Type<A, unknown>
  /** For the pivot only. */
  readonly refusal?: t.Type<E, unknown>
  readonly run: (context: Context, meta: StepMeta) => Command
  /** How long to wait, in milliseconds, before the command is sent again with the same key. */
  readonly timeoutMs?: (context: Context) => number
  /** Sends in all; then the saga is parked. */
  readonly retry?: Retry
  readonly limit?: Limit
}

export interface RemoteStep<Context, A, E> {
  readonly remote: RemoteOptions<Context, unknown, A, E>
}

export interface RemoteForward<Context, A, E> {
  readonly forward: RemoteForwardOptions<Context, unknown, A, E>
}

/** A step before the pivot that a service does: a command out, its reply back. */
export function remote<Context, Command, A, E>(
  options: RemoteOptions<Context, Command, A, E>,
): RemoteStep<Context, A, E> {
  return { remote: options }
}

/** A pivot or later step that a service does; it has no undo and is sent again when it is late. */
export function remoteForward<Context, Command, A, E = never>(
  options: RemoteForwardOptions<Context, Command, A, E>,
): RemoteForward<Context, A, E> {
  return { forward: options }
}

export type AnyStep<Context, A, E> =
  | LocalStep<Context, A, E>
  | LocalPivot<Context, A, E>
  | RemoteStep<Context, A, E>
  | RemoteForward<Context, A, E>

/** Where a step stands, and under which conditions it is run. */
export interface Placing {
  readonly name: string
  readonly phase: StepPhase
  readonly stage: number
  readonly when?: (context: StepContext) => boolean
  readonly items?: (context: StepContext) => readonly unknown[]
}

interface Policies {
  readonly retry?: Retry
  readonly limit?: Limit
}

/** What all kinds of steps have. */
export function placed(
  { name, phase, stage, when, items }: Placing,
  { retry, limit }: Policies,
  why?: string,
): Omit<StepDefinition, 'out' | 'action'> {
  return {
    name,
    phase,
    stage,
    attemptsMax: retry?.times ?? ATTEMPTS_MAX,
    backoff: {
      firstMs: retry?.firstMs ?? BACKOFF.firstMs,
      maxMs: retry?.maxMs ?? BACKOFF.maxMs,
    },
    irreversible: why,
    when,
    items,
    limit,
  }
}

const whyOf = (undo: object | undefined): string | undefined =>
  undo !== undefined && 'irreversible' in undo ? (undo as Irreversible).irreversible : undefined
const undoOf = (undo: object | undefined): unknown =>
  typeof undo === 'function' ? undo : undefined

/** The step as data: its types are checked here for the last time. */
export function stepDefinition<Context, A, E>(
  placing: Placing,
  step: AnyStep<Context, A, E>,
): StepDefinition {
  if ('remote' in step) {
    const { to, out, refusal, run, undo, timeoutMs } = step.remote
    const action = { kind: 'remote' as const, to, refusal, run, undo: undoOf(undo), timeoutMs }
    return { ...placed(placing, step.remote, whyOf(undo)), out, action } as StepDefinition
  }
  if ('forward' in step) {
    const { to, out, refusal, run, timeoutMs } = step.forward
    const action = { kind: 'remote' as const, to, refusal, run, undo: undefined, timeoutMs }
    return { ...placed(placing, step.forward), out, action } as StepDefinition
  }
  const undo = 'undo' in step ? step.undo : undefined
  const { run, timeoutMs, out } = step
  const action = { kind: 'local' as const, run, undo: undoOf(undo), timeoutMs }
  return { ...placed(placing, step, whyOf(undo)), out, action } as StepDefinition
}
