/**
 * Hands events to a function, one after the other: all there are, then each as it comes. Of one
 * stream, of categories, or of everything. It keeps no place of its own: `next` is for the caller
 * to keep, and to begin again from. Consumer groups of the topic keep theirs in the broker.
 */
import { assert, type Clock, sleep } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import { EventStoreError } from './errors.js'
import { type FeedOptions, followEvents, followStream } from './event-feed.js'
import type { AnyEvent, ReadableSet } from './event-set.js'
import type { EventStore } from './event-store.js'
import type { EventPosition, PlacedEvent } from './event-store-port.js'
import { recorded, type StreamedEvent, undecodable } from './recorded.js'

/** An event whose bytes nobody has read. */
export interface RawEvent extends AnyEvent {
  readonly data: Buffer
}

export interface SubscribeOptions<Event extends AnyEvent> {
  /** What throws or rejects is tried again, then is poison. */
  readonly handle: (event: StreamedEvent<Event>, signal: AbortSignal) => void | Promise<void>
  readonly clock: Pick<Clock, 'after'>
  /** 'start' unless told. */
  readonly from?: 'start' | 'end' | EventPosition
  /** Only this stream of the one set, from this version on. */
  readonly stream?: { readonly name: string; readonly fromVersion?: number }
  /** Tries of an event before it is poison; 5 unless told. An event that can't be read gets one. */
  readonly attemptsMax?: number
  /** Milliseconds between the tries; 500 unless told. */
  readonly retryMs?: number
  /**
   * What a poison event does: 'stop' (unless told) ends the subscription with it as the problem;
   * 'park-key' leaves out its stream from there on, and tells of it in `parked`.
   */
  readonly onPoison?: 'stop' | 'park-key'
  readonly onProblem?: FeedOptions['onProblem']
  readonly waitMs?: number
  readonly pageEvents?: number
}

export interface Subscription {
  /** Everything before it was handled or parked; to begin again from. */
  readonly next: EventPosition
  /** Why streams are left out, by `category/stream`. */
  readonly parked: ReadonlyMap<string, string>
  readonly state: 'running' | 'stopped' | 'closed'
  /** Rejects when it stopped: with the handler's error, UNDECODABLE, or what the store said. */
  readonly ended: Promise<void>
  /** Waits for the handler that runs. */
  close(): Promise<void>
}

/** A set of whatever there is: every event can be read, as bytes. */
const anything: ReadableSet<RawEvent> = {
  category: '*',
  types: [],
  decode: (_stream, { data, type }) => E.right({ type, data }),
}

const ATTEMPTS_MAX = 5
const RETRY_MS = 500

/** Follows everything, as bytes, or the categories of some sets, typed. */
export function subscribe(
  store: Pick<EventStore, 'port'>,
  sets: 'all',
  options: SubscribeOptions<RawEvent>,
): Subscription
export function subscribe<Event extends AnyEvent>(
  store: Pick<EventStore, 'port'>,
  sets: readonly ReadableSet<Event>[],
  options: SubscribeOptions<Event>,
): Subscription
export function subscribe(
  store: Pick<EventStore, 'port'>,
  sets: 'all' | readonly ReadableSet<AnyEvent>[],
  options: SubscribeOptions<never>,
): Subscription {
  return new RunningSubscription(store, sets, options as SubscribeOptions<AnyEvent>)
}

class RunningSubscription implements Subscription {
  readonly parked = new Map<string, string>()
  readonly ended: Promise<void>
  next: EventPosition
  state: Subscription['state'] = 'running'
  readonly #store: Pick<EventStore, 'port'>
  readonly #sets: ReadonlyMap<string, ReadableSet<AnyEvent>> | undefined
  readonly #options: SubscribeOptions<AnyEvent>
  readonly #aborter = new AbortController()

  constructor(
    store: Pick<EventStore, 'port'>,
    sets: 'all' | readonly ReadableSet<AnyEvent>[],
    options: SubscribeOptions<AnyEvent>,
  ) {
    this.#store = store
    if (sets !== 'all') this.#sets = new Map(sets.map((set) => [set.category, set]))
    assert(options.stream === undefined || this.#sets?.size === 1, 'a stream is of one set')
    this.#options = options
    this.next = store.port.start
    this.ended = this.#run()
    // Whoever wants to know asks; a subscription that stops must not end the process.
    this.ended.catch(() => undefined)
  }

  async close(): Promise<void> {
    if (this.state === 'running') this.state = 'closed'
    this.#aborter.abort()
    await this.ended.catch(() => undefined)
  }

  async #run(): Promise<void> {
    try {
      await (this.#options.stream === undefined ? this.#followAll() : this.#followOne())
    } catch (thrown) {
      this.state = 'stopped'
      throw thrown
    }
  }

  get #feed(): FeedOptions {
    const { clock, onProblem, pageEvents, waitMs } = this.#options
    return {
      signal: this.#aborter.signal,
      clock,
      ...(onProblem === undefined ? {} : { onProblem }),
      ...(pageEvents === undefined ? {} : { pageEvents }),
      ...(waitMs === undefined ? {} : { waitMs }),
    }
  }

  async #followAll(): Promise<void> {
    const { from = 'start' } = this.#options
    const { port } = this.#store
    if (from === 'end') this.next = await port.end()
    else if (from !== 'start') this.next = from
    const categories = [...(this.#sets?.keys() ?? [])]
    for await (const page of followEvents(port, { categories, from: this.next }, this.#feed)) {
      for (const event of page.events) if (!(await this.#take(event))) return
      this.next = page.next
    }
  }

  async #followOne(): Promise<void> {
    const { stream } = this.#options
    const [category] = this.#sets?.keys() ?? []
    if (stream === undefined || category === undefined) return
    const wanted = { category, stream: stream.name, from: stream.fromVersion ?? 1 }
    for await (const events of followStream(this.#store.port, wanted, this.#feed))
      for (const event of events) if (!(await this.#take(event))) return
  }

  /** False once the subscription was closed before the event was settled. */
  async #take(event: PlacedEvent): Promise<boolean> {
    if (this.#aborter.signal.aborted) return false
    const name = `${event.category}/${event.stream}`
    if (!this.parked.has(name)) {
      try {
        if (!(await this.#handle(event))) return false
      } catch (thrown) {
        if (this.#options.onPoison !== 'park-key') throw thrown
        this.parked.set(name, `version ${event.version}: ${String(thrown)}`)
        this.#options.onProblem?.(`${name} is left out from version ${event.version} on`, thrown)
      }
    }
    this.next = event.position
    return true
  }

  async #handle(placed: PlacedEvent): Promise<boolean> {
    const {
      attemptsMax = ATTEMPTS_MAX,
      clock,
      handle,
      onProblem,
      retryMs = RETRY_MS,
    } = this.#options
    const { signal } = this.#aborter
    const { category, stream } = placed
    const set = this.#sets === undefined ? anything : this.#sets.get(category)
    if (set === undefined) throw new EventStoreError('NO_CATEGORY', { category })
    const decoded = recorded(set, stream, placed)
    if (E.isLeft(decoded)) throw undecodable(decoded.left)
    for (let attempt = 1; ; attempt += 1) {
      try {
        await handle({ ...decoded.right, category, stream }, signal)
        return true
      } catch (thrown) {
        if (signal.aborted) return false
        if (attempt >= attemptsMax) throw thrown
        onProblem?.(`${category}/${stream} version ${placed.version}: try ${attempt}`, thrown)
        await sleep(clock, retryMs)
      }
    }
  }
}
