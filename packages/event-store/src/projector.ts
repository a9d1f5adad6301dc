/**
 * Runs a projection: reads events in their order, changes rows, and writes them together with how
 * far it has come. A crash at any instant leaves rows and checkpoint as they were at some event;
 * two runners of one part exclude each other by the checkpoint, so no event counts twice.
 */
import { assert, type Clock, sleep } from '@sagalog/kernel'
import { inspect } from 'node:util'
import { EventStoreError } from './errors.js'
import { type FeedOptions, followEvents } from './event-feed.js'
import type { EventStore } from './event-store.js'
import type { EventPosition, EventsPage } from './event-store-port.js'
import { isInline } from './inline-standing.js'
import type { Projection } from './projection.js'
import { changesOf, compareRows, type RowsDifference, type RowChange } from './row-changes.js'
import type { Checkpoint, RowSpace, RowStore } from './row-store.js'
import { ALL_PARTS, isSharedOut, type Part, partCheckpoint } from './projection-parts.js'

export interface ProjectorOptions {
  readonly rows: RowStore
  readonly clock: Pick<Clock, 'after'>
  /**
   * What an event does that can't be read or whose function throws: 'stop' (unless told) ends the
   * projection before it; 'park-key' leaves out its stream from there on. Both are told of.
   */
  readonly onPoison?: 'stop' | 'park-key'
  /**
   * Called after rows were written, one change after the other; a crash between the two leaves it
   * out, so what must happen for sure is for a consumer of the topic. Only the version that readers
   * get calls it: while a new one is being built, it is silent.
   */
  readonly effect?: (change: RowChange) => void | Promise<void>
  /**
   * Asked once a new version has caught up with the old one, with what differs; true, unless told,
   * makes readers get the new one.
   */
  readonly swap?: (difference: RowsDifference) => boolean | Promise<boolean>
  readonly onProblem?: FeedOptions['onProblem']
  /** The share of this runner; all of it unless told. Comes from `holdParts`. */
  readonly part?: Part
  readonly waitMs?: number
  readonly pageEvents?: number
}

export interface Projector {
  /**
   * 'building': it catches up beside the version that readers get. 'built': it has caught up, and
   * `swap` said no. 'running': readers get it. 'retired': readers get a newer version; it has
   * ended. 'stopped': a poison event or a store that failed for good; `problem` says why.
   */
  readonly state: 'building' | 'built' | 'running' | 'retired' | 'stopped' | 'closed'
  readonly problem: unknown
  /** Why streams are left out, by `category/stream`. */
  readonly parked: Readonly<Record<string, string>>
  /**
   * Resolves once the rows hold everything up to a position, as an append reported it: read your
   * own writes. Rejects with PROJECTION_ENDED when it ends before.
   */
  whenProcessed(position: EventPosition): Promise<void>
  /** The same for everything that is there when it is called. */
  whenCaughtUp(): Promise<void>
  /** Ends after the page in hand. */
  close(): Promise<void>
}

const PAGE_EVENTS = 1_000
const RETRY_MS = 500

/** Starts running a projection. */
export function runProjection<Row>(
  store: Pick<EventStore, 'port'>,
  projection: Projection<Row>,
  options: ProjectorOptions,
): Projector {
  return new RunningProjector(store, projection, options)
}

interface Waiter {
  /** True when everything that is waited for lies before a place. */
  readonly isReached: (next: EventPosition) => boolean
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

class RunningProjector implements Projector {
  state: Projector['state'] = 'building'
  problem: unknown = undefined
  parked: Readonly<Record<string, string>> = {}
  readonly #store: Pick<EventStore, 'port'>
  readonly #projection: Projection<unknown>
  readonly #options: ProjectorOptions
  readonly #space: RowSpace
  readonly #aborter = new AbortController()
  readonly #waiters = new Set<Waiter>()
  readonly #ended: Promise<void>
  #next: EventPosition

  constructor(
    store: Pick<EventStore, 'port'>,
    projection: Projection<unknown>,
    options: ProjectorOptions,
  ) {
    const { part, rows } = options
    assert(part === undefined || projection.isPerStream, 'rows that are parted belong to streams')
    this.#store = store
    this.#projection = projection
    this.#options = options
    this.#space = rows.space(projection.name, projection.version)
    this.#next = store.port.start
    this.#ended = this.#run()
  }

  async whenProcessed(position: EventPosition): Promise<void> {
    const { port } = this.#store
    await this.#when((next) => port.comparePositions(next, position) > 0)
  }

  async whenCaughtUp(): Promise<void> {
    const { port } = this.#store
    const end = await port.end()
    await this.#when((next) => port.comparePositions(next, end) >= 0)
  }

  async #when(isReached: Waiter['isReached']): Promise<void> {
    if (isReached(this.#next)) return
    this.#requireLive()
    // What is waited for may be of an event that this projection does not read: nobody wakes it.
    const wanted = { ...this.#wanted, from: this.#next, maxEvents: 1, waitMs: 0 }
    const { events, next } = await this.#store.port.readEvents(wanted)
    const [first] = events
    if (first === undefined ? isReached(next) : isReached(first.position)) return
    if (isReached(this.#next)) return
    this.#requireLive()
    await new Promise<void>((resolve, reject) => {
      this.#waiters.add({ isReached, resolve, reject })
    })
  }

  async close(): Promise<void> {
    this.#aborter.abort()
    await this.#ended
    if (this.state === 'building' || this.state === 'running' || this.state === 'built')
      this.state = 'closed'
    this.#tellEnd()
  }

  get #wanted() {
    const { part } = this.#options
    if (part === undefined) return { categories: [...this.#projection.sets.keys()] }
    return { categories: [part.category], queueId: part.queueId }
  }

  #requireLive(): void {
    if (this.state === 'running' || this.state === 'building' || this.state === 'built') return
    throw this.#endError()
  }

  #endError(): EventStoreError {
    const { name, version } = this.#projection
    const reason = this.problem === undefined ? this.state : inspect(this.problem)
    return new EventStoreError('PROJECTION_ENDED', { name, version, reason })
  }

  #tellEnd(): void {
    for (const { reject } of this.#waiters) reject(this.#endError())
    this.#waiters.clear()
  }

  async #run(): Promise<void> {
    const { clock, onProblem } = this.#options
    const { signal } = this.#aborter
    while (!signal.aborted) {
      try {
        await this.#activateFirst()
        // A part of a new version begins where a runner of all parts has built it.
        if (this.#options.part === undefined || this.state !== 'building') {
          if ((await this.#follow()) === 'ended') return
          // Another runner has written this part: it may have taken it over, or been before us.
          onProblem?.(`${this.#projection.name}: another runner wrote its rows`, undefined)
        }
      } catch (cause) {
        if (cause instanceof Poison || (EventStoreError.is(cause) && cause.retry === 'never')) {
          this.#stop(cause instanceof Poison ? cause.reason : cause)
          return
        }
        onProblem?.(`${this.#projection.name} has to wait`, cause)
      }
      if (!signal.aborted) await sleep(clock, RETRY_MS)
    }
  }

  #stop(problem: unknown): void {
    this.state = 'stopped'
    this.problem = problem
    this.#options.onProblem?.(`${this.#projection.name} has stopped`, problem)
    this.#tellEnd()
  }

  /** The first version of all needs no building: there is nothing that readers would lose. */
  async #activateFirst(): Promise<void> {
    const { rows } = this.#options
    const { name, version } = this.#projection
    const active = await rows.active(name)
    if (active === undefined) await rows.activate(name, version, undefined)
    if (active === undefined || active === version) this.state = 'running'
  }

  async #follow(): Promise<'ended' | 'overtaken'> {
    const { clock, onProblem, pageEvents = PAGE_EVENTS, part, rows, waitMs } = this.#options
    const { version } = this.#projection
    if (await isInline(rows, this.#projection))
      throw new EventStoreError('PROJECTION_INLINE', { name: this.#projection.name, version })
    const name = part?.name ?? ALL_PARTS
    const { port } = this.#store
    let before =
      part === undefined
        ? await this.#space.checkpoint(name)
        : await partCheckpoint(port, this.#space, part)
    if (isSharedOut(before))
      throw new EventStoreError('PROJECTION_SHARED', { name: this.#projection.name, version })
    this.parked = before?.parked ?? {}
    const from = before?.next ?? port.start
    this.#advance(from)
    const feed = {
      signal: this.#aborter.signal,
      clock,
      pageEvents,
      ...(onProblem === undefined ? {} : { onProblem }),
      ...(waitMs === undefined ? {} : { waitMs }),
    }
    // What a building version has caught up with is found by looking, not by waiting.
    if (this.state === 'building') await this.#trySwap(from)
    for await (const page of followEvents(port, { ...this.#wanted, from }, feed)) {
      const active = await rows.active(this.#projection.name)
      if (active !== undefined && active > this.#projection.version) {
        this.state = 'retired'
        this.#tellEnd()
        return 'ended'
      }
      if (page.events.length > 0) {
        const after = await this.#write(name, before, page)
        if (after === undefined) return 'overtaken'
        before = after
      }
      this.#advance(page.next)
      if (this.state === 'building') await this.#trySwap(page.next)
    }
    return 'ended'
  }

  async #write(
    part: string,
    before: Checkpoint | undefined,
    page: EventsPage,
  ): Promise<Checkpoint | undefined> {
    const { effect, onPoison, onProblem } = this.#options
    const isTold = effect !== undefined && this.state === 'running'
    const { changes, poison, ...changed } = await changesOf(this.#projection, this.#space, {
      events: page.events,
      parked: before?.parked ?? {},
      isTold,
    })
    const isStopped = poison !== undefined && onPoison !== 'park-key'
    const next = isStopped ? poison.position : page.next
    const after = { next, parked: isStopped ? (before?.parked ?? {}) : changed.parked }
    // A stop keeps what came before the poison event, so that a restart meets it at once.
    const rows = isStopped ? poison.rowsBefore : changed.rows
    if (!(await this.#space.write({ part, before, after, rows }))) return undefined
    if (poison !== undefined && !isStopped)
      onProblem?.(`${this.#projection.name} leaves out a stream`, poison.reason)
    this.parked = after.parked
    if (isTold) await this.#tell(isStopped ? changes.slice(0, poison.changesBefore) : changes)
    if (!isStopped) return after
    this.#advance(next)
    throw new Poison(poison.reason)
  }

  async #tell(changes: readonly RowChange[]): Promise<void> {
    const { effect, onProblem } = this.#options
    for (const change of changes) {
      try {
        await effect?.(change)
      } catch (cause) {
        onProblem?.(`${this.#projection.name}: an effect failed`, cause)
      }
    }
  }

  #advance(next: EventPosition): void {
    this.#next = next
    for (const waiter of this.#waiters) {
      if (!waiter.isReached(next)) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  /** Makes readers get this version once nothing is left between it and the end. */
  async #trySwap(next: EventPosition): Promise<void> {
    const { rows, swap } = this.#options
    const { name, version } = this.#projection
    const { port } = this.#store
    const left = await port.readEvents({ ...this.#wanted, from: next, maxEvents: 1, waitMs: 0 })
    if (left.events.length > 0) return
    const active = await rows.active(name)
    if (active === version) {
      this.state = 'running'
      return
    }
    assert(active !== undefined, 'something is active while a new version is built')
    const difference = await compareRows(rows.space(name, active), this.#space)
    if (swap !== undefined && !(await swap(difference))) {
      this.state = 'built'
      return
    }
    if (await rows.activate(name, version, active)) this.state = 'running'
  }
}

/** A poison event ends the projection; it is no failure of the store. */
class Poison extends Error {
  readonly reason: unknown
  constructor(reason: unknown) {
    super('a poison event')
    this.reason = reason
  }
}
