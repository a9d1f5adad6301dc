/**
 * States of streams, kept near: it loads what it lacks, decides, and hands the events to a
 * transaction together with the version they were decided on. Invariant: no events are decided on a
 * state that the commit does not check, and no refusal is given on a state that was not read again.
 */
import type { Tx } from '@sagalog/client'
import { assert, type Metadata, type StreamVersion, streamVersion } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { appendIn } from './append-in.js'
import { type Decider, type Evolution, fold } from './decider.js'
import { EventStoreError } from './errors.js'
import type { AnyEvent } from './event-set.js'
import { type AppendOptions, type EventStore, wasAppended } from './event-store.js'
import { type SnapshotOptions, type Snapshots, snapshotsOf } from './snapshots.js'
import { stateCache, type VersionedState } from './state-cache.js'
import { streamGates } from './stream-gates.js'
import { asTaskEither } from './task-either.js'

/** What a repository needs of a transaction. */
export type RepositoryTx = Pick<Tx, 'append' | 'onCommitted' | 'onRefused'>

export interface RepositoryOptions<State = unknown> {
  /** States kept; 10,000 unless told. */
  readonly cacheEntries?: number
  /** Keeps states of long streams, so that a state that is not in the cache costs less to read. */
  readonly snapshots?: SnapshotOptions<State>
}

export interface ChangeOptions {
  /** Goes with each of the events. */
  readonly metadata?: Metadata
}

export interface HandleOptions extends ChangeOptions {
  /** How often a command is decided again after a version conflict; 3 unless told. */
  readonly retryConflicts?: number
  /**
   * Of all commands to the stream under one key the first that gives events is done; later ones
   * change nothing and are not refused for what it did. The keys are those of `append`.
   */
  readonly idempotencyKey?: string
}

/** What a command led to: the state after its events. */
export interface Handled<State, Event> extends VersionedState<State> {
  /** Those that were appended now. */
  readonly events: readonly Event[]
  /** True when a command under the same key was done before; the state is then the newest. */
  readonly isRepeat: boolean
}

/** A repository of states. Methods reject with an EventStoreError. */
export interface StateRepository<State, Event extends AnyEvent> {
  /** The committed state. Reads only the events that the cache lacks; never waits for a change. */
  load(stream: string): Promise<VersionedState<State>>
  /**
   * The state as this transaction sees it, its own changes included. While another transaction of
   * this process changes the stream, this waits for its end.
   */
  loadIn(tx: RepositoryTx, stream: string): Promise<VersionedState<State>>
  /**
   * Appends what `change` makes of the state to the transaction. `change` must be pure: it is
   * called again when the state turns out to be old.
   */
  changeIn(
    tx: RepositoryTx,
    stream: string,
    change: (state: State) => readonly Event[],
    options?: ChangeOptions,
  ): Promise<readonly Event[]>
  readonly te: {
    load(stream: string): TaskEither<EventStoreError, VersionedState<State>>
  }
}

/** A repository that knows commands too. */
export interface Repository<State, Event extends AnyEvent, Command, Reason> extends StateRepository<
  State,
  Event
> {
  /** Decides a command; its events become part of the transaction. */
  decideIn(
    tx: RepositoryTx,
    stream: string,
    command: Command,
    options?: ChangeOptions,
  ): Promise<E.Either<Reason, readonly Event[]>>
  /**
   * Decides a command and appends its events on their own, again after each version conflict.
   * Rejects with CONTENDED when the retries are used up.
   */
  handle(
    stream: string,
    command: Command,
    options?: HandleOptions,
  ): Promise<E.Either<Reason, Handled<State, Event>>>
  readonly te: {
    load(stream: string): TaskEither<EventStoreError, VersionedState<State>>
    handle(
      stream: string,
      command: Command,
      options?: HandleOptions,
    ): TaskEither<EventStoreError, E.Either<Reason, Handled<State, Event>>>
  }
}

const CACHE_ENTRIES = 10_000
const RETRY_CONFLICTS = 3

type Decide<State, Event, Reason> = (state: State) => E.Either<Reason, readonly Event[]>

function hasEvents<Event>(outcome: E.Either<unknown, readonly Event[]>): boolean {
  return E.isRight(outcome) && outcome.right.length > 0
}

/** The state after `events`, which directly follow `entry`. */
function after<State, Event extends AnyEvent>(
  evolution: Evolution<State, Event>,
  entry: VersionedState<State>,
  events: readonly Event[],
): VersionedState<State> {
  return {
    state: fold(evolution, events, entry.state),
    version: streamVersion(entry.version + events.length),
  }
}

function expecting(expected: StreamVersion, metadata: AppendOptions['metadata']): AppendOptions {
  return metadata === undefined ? { expected } : { expected, metadata }
}

/** The reads, the cache and the changes under way of one repository. */
function createStates<State, Event extends AnyEvent>(
  store: EventStore,
  evolution: Evolution<State, Event>,
  { cacheEntries, snapshots: kept }: { cacheEntries: number; snapshots?: SnapshotOptions<State> },
) {
  const snapshots =
    kept === undefined ? undefined : snapshotsOf(store.port, evolution.set.category, kept)
  const cache = stateCache<State>(cacheEntries)
  const gates = streamGates()
  /** What each transaction has made of the streams it changed. */
  const changed = new WeakMap<RepositoryTx, Map<string, VersionedState<State>>>()
  const none: VersionedState<State> = { state: evolution.initial, version: streamVersion(0) }

  async function load(stream: string): Promise<VersionedState<State>> {
    const known = cache.get(stream) ?? none
    const entry =
      known.version === 0 && snapshots !== undefined
        ? await loadLong(stream, snapshots)
        : (await readOn(stream, known)).entry
    if (entry.version > 0) cache.put(stream, entry)
    return entry
  }

  async function readOn(
    stream: string,
    known: VersionedState<State>,
    limit?: number,
  ): Promise<{ readonly entry: VersionedState<State>; readonly head: StreamVersion }> {
    const options = limit === undefined ? {} : { limit }
    const from = known.version + 1
    const { events, version } = await store.read(evolution.set, stream, { from, ...options })
    const entry = events.length === 0 ? known : after(evolution, known, events)
    return { entry, head: version }
  }

  /** A short stream is read at once; only a longer one is worth looking for its snapshot. */
  async function loadLong(
    stream: string,
    { every, load: loadSnapshot, save }: Snapshots<State>,
  ): Promise<VersionedState<State>> {
    const { entry: begun, head } = await readOn(stream, none, every)
    if (begun.version >= head) return begun
    const found = await loadSnapshot(stream, head)
    const base = found !== undefined && found.version > begun.version ? found : begun
    const { entry: whole } = await readOn(stream, base)
    if (whole.version - (found?.version ?? 0) >= every) await save(stream, whole)
    return whole
  }

  /**
   * Decides on what the cache has, without a read: events carry their version to the commit, which
   * refuses them when the state was old. An outcome without events is checked by nobody later, so
   * only that one reads the tail first. `take` gets the outcome in the turn that decided it, or two
   * changes of one transaction could share a base.
   */
  async function decideOn<Reason, A>(
    stream: string,
    decide: Decide<State, Event, Reason>,
    {
      own = () => undefined,
      take,
    }: {
      own?: () => VersionedState<State> | undefined
      take: (base: VersionedState<State>, outcome: E.Either<Reason, readonly Event[]>) => A
    },
  ): Promise<A> {
    const known = own() ?? cache.get(stream)
    if (known !== undefined) {
      const outcome = decide(known.state)
      if (hasEvents(outcome) || known === own()) return take(known, outcome)
    }
    const read = await load(stream)
    // The same transaction may have changed the stream while the tail was read.
    const base = own() ?? read
    return take(base, decide(base.state))
  }

  /** Remembers a change until the transaction's end, which decides whether it ever was. */
  function remember(tx: RepositoryTx, stream: string, entry: VersionedState<State>): void {
    const streams = changed.get(tx) ?? new Map<string, VersionedState<State>>()
    changed.set(tx, streams)
    const isFirst = !streams.has(stream)
    streams.set(stream, entry)
    if (!isFirst) return
    tx.onCommitted(() => {
      const last = streams.get(stream)
      if (last !== undefined) cache.put(stream, last)
    })
    // Refused or given up: what stood in the cache may be the reason.
    tx.onRefused(() => cache.drop(stream))
  }

  /**
   * Runs `work` once no other transaction of this process changes the stream, and keeps the others
   * out until the transaction's end when it has changed the stream.
   */
  async function inside<A>(tx: RepositoryTx, stream: string, work: () => Promise<A>): Promise<A> {
    const way = await gates.enter(stream, tx)
    const leave = (): void => gates.leave(stream, tx)
    let isKept = way !== 'entered'
    try {
      const result = await work()
      if (!isKept && changed.get(tx)?.has(stream) === true) {
        tx.onCommitted(leave)
        tx.onRefused(leave)
        isKept = true
      }
      return result
    } finally {
      if (!isKept) leave()
    }
  }

  const ownOf = (tx: RepositoryTx, stream: string) => changed.get(tx)?.get(stream)

  return { cache, load, decideOn, remember, inside, ownOf }
}

/**
 * A repository over a store. States must never be changed in place: they are shared by everybody
 * who loads them. Let one repository change the streams of a category: a second one does not see
 * what a transaction did through the first.
 */
export function createRepository<State, Event extends AnyEvent, Command, Reason>(
  store: EventStore,
  decider: Decider<State, Event, Command, Reason>,
  options?: RepositoryOptions<State>,
): Repository<State, Event, Command, Reason>
export function createRepository<State, Event extends AnyEvent>(
  store: EventStore,
  evolution: Evolution<State, Event>,
  options?: RepositoryOptions<State>,
): StateRepository<State, Event>
export function createRepository<State, Event extends AnyEvent, Command, Reason>(
  store: EventStore,
  decider: Evolution<State, Event> | Decider<State, Event, Command, Reason>,
  { cacheEntries = CACHE_ENTRIES, ...kept }: RepositoryOptions<State> = {},
): Repository<State, Event, Command, Reason> {
  const decideCommand = (command: Command, state: State) => {
    assert('commands' in decider, 'commands are for repositories that were made with a decider')
    return decider.decide(command, state)
  }
  const { cache, load, decideOn, remember, inside, ownOf } = createStates(store, decider, {
    cacheEntries,
    ...kept,
  })

  function decideFor<Why>(
    { tx, stream, metadata }: ChangeOptions & { tx: RepositoryTx; stream: string },
    decide: Decide<State, Event, Why>,
  ): Promise<E.Either<Why, readonly Event[]>> {
    return inside(tx, stream, () =>
      decideOn(stream, decide, {
        own: () => ownOf(tx, stream),
        take(base, outcome) {
          if (E.isLeft(outcome) || outcome.right.length === 0) return outcome
          appendIn(tx, decider.set, stream, outcome.right, expecting(base.version, metadata))
          remember(tx, stream, after(decider, base, outcome.right))
          return outcome
        },
      }),
    )
  }

  async function repeated(stream: string): Promise<E.Right<Handled<State, Event>>> {
    return { _tag: 'Right', right: { ...(await load(stream)), events: [], isRepeat: true } }
  }

  async function handleCommand(
    stream: string,
    command: Command,
    { idempotencyKey: key, retryConflicts = RETRY_CONFLICTS, metadata }: HandleOptions = {},
  ): Promise<E.Either<Reason, Handled<State, Event>>> {
    const where = { category: decider.set.category, stream }
    const decide = (state: State) => decideCommand(command, state)
    for (let attempt = 0; attempt <= retryConflicts; attempt += 1) {
      const { base, outcome } = await decideOn(stream, decide, {
        take: (taken, result) => ({ base: taken, outcome: result }),
      })
      // Without events nothing reaches the store that would know the key.
      if (!hasEvents(outcome) && key !== undefined && (await wasAppended(store.port, where, key)))
        return await repeated(stream)
      if (E.isLeft(outcome)) return outcome
      const events = outcome.right
      if (events.length === 0) return E.right({ ...base, events, isRepeat: false })
      // Until the answer is here nobody may rely on what the cache has.
      cache.drop(stream)
      const result = await store.append(decider.set, stream, events, {
        ...expecting(base.version, metadata),
        ...(key === undefined ? {} : { idempotencyKey: key }),
      })
      if ('conflict' in result) continue
      if (result.isRepeat) return await repeated(stream)
      const entry = after(decider, base, events)
      cache.put(stream, entry)
      return E.right({ ...entry, events, isRepeat: false })
    }
    throw new EventStoreError('CONTENDED', { ...where, attempts: retryConflicts + 1 })
  }

  return {
    load,
    loadIn: (tx, stream) =>
      inside(tx, stream, async () => {
        const read = ownOf(tx, stream) ?? (await load(stream))
        return ownOf(tx, stream) ?? read
      }),
    async changeIn(tx, stream, change, options = {}) {
      const outcome = await decideFor<never>({ tx, stream, ...options }, (state) =>
        E.right(change(state)),
      )
      return E.isRight(outcome) ? outcome.right : outcome.left
    },
    decideIn: (tx, stream, command, options = {}) =>
      decideFor({ tx, stream, ...options }, (state) => decideCommand(command, state)),
    handle: handleCommand,
    te: { load: asTaskEither(load), handle: asTaskEither(handleCommand) },
  }
}

/**
 * Decides one command on a stream without a cache: load, decide, append, and again after each
 * version conflict.
 */
export function handle<State, Event extends AnyEvent, Command, Reason>(
  store: EventStore,
  decider: Decider<State, Event, Command, Reason>,
  { stream, command, ...options }: HandleOptions & { stream: string; command: Command },
): Promise<E.Either<Reason, Handled<State, Event>>> {
  return createRepository(store, decider, { cacheEntries: 0 }).handle(stream, command, options)
}
