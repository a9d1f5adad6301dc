/**
 * Connections between simulated processes. Items take time and keep their order; a cut loses what
 * was under way from some point on and both ends hear of it later; a half-open connection swallows
 * one direction in silence until somebody gives it up. Nothing is ever lost in the middle.
 */
import { below, type Channel, type Random } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import { directLink } from './direct-link.js'
import type { SimulatedProcess } from './process-clock.js'

export interface NetworkFaults {
  cuts: number
  halfOpens: number
  itemsLost: number
}

export interface Latency {
  /** Milliseconds that an item takes, at least and at most. */
  readonly usualMs: readonly [number, number]
  /** One item in so many takes `slowMs` more; 0 for none. */
  readonly slowOneIn: number
  readonly slowMs: number
}

type Parcel<Item> = { readonly item: Item } | { readonly closed: string }

/** How items of one kind travel: whole, or in pieces that are put together anew. */
interface Carriage<Item> {
  split(item: Item, random: Random): readonly Item[]
  join?(items: readonly Item[]): Item
}

export const whole: Carriage<never> = { split: (item) => [item] }

export const rechunked: Carriage<Buffer> = {
  split(bytes, random) {
    const pieces: Buffer[] = []
    let rest = bytes
    while (rest.length > 1 && pieces.length < 3 && below(random, 3) > 0) {
      const at = 1 + below(random, rest.length - 1)
      pieces.push(rest.subarray(0, at))
      rest = rest.subarray(at)
    }
    return [...pieces, rest]
  },
  join: (pieces) => Buffer.concat(pieces),
}

class End<Item> implements Channel<Item> {
  readonly remote: string
  readonly owner: SimulatedProcess
  readonly #link: Link<Item>
  readonly #arrived: Parcel<Item>[] = []
  #receive: ((item: Item) => void) | undefined
  #listener: ((reason: string) => void) | undefined
  #reason: string | undefined
  #isHeard = false
  #isAtWork = false

  constructor(remote: string, owner: SimulatedProcess, link: Link<Item>) {
    this.remote = remote
    this.owner = owner
    this.#link = link
  }

  send(item: Item): boolean {
    if (this.#reason !== undefined) return false
    this.#link.carry(this, { item })
    return true
  }

  onItem(receive: (item: Item) => void): void {
    this.#receive = receive
    this.#work()
  }

  onClose(listener: (reason: string) => void): void {
    this.#listener = listener
    this.#work()
  }

  close(reason: string): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#arrived.length = 0
    this.#link.carry(this, { closed: reason })
    this.#work()
  }

  arrive(parcel: Parcel<Item>): void {
    if (this.#reason !== undefined) return
    this.#arrived.push(parcel)
    this.#work()
  }

  #work(): void {
    if (this.#isAtWork) return
    this.#isAtWork = true
    try {
      while (this.#receive !== undefined) {
        const parcel = this.#arrived.shift()
        if (parcel === undefined) break
        if ('item' in parcel) this.#receive(parcel.item)
        else this.#reason = parcel.closed
      }
      if (this.#reason === undefined || this.#isHeard || this.#listener === undefined) return
      this.#isHeard = true
      this.#listener(this.#reason)
    } finally {
      this.#isAtWork = false
    }
  }
}

/** Anything that connects two processes, whatever travels on it. */
export interface Connected {
  /** Both ends lose the connection, and what was under way from some point on. */
  cut(reason: string): void
  /** From now on nothing arrives in one direction (0: from the caller) or in both. */
  swallow(direction: 0 | 1 | 'both'): void
  /** False once nothing travels on it any more. */
  readonly isLive: boolean
  joins(process: SimulatedProcess): boolean
}

interface NetworkParts {
  readonly time: SimulatedTime
  readonly random: Random
  readonly faults: NetworkFaults
  latency: Latency
}

class Link<Item> implements Connected {
  readonly #parts: NetworkParts
  readonly #carriage: Carriage<Item>
  readonly ends: readonly [End<Item>, End<Item>]
  /** What is under way: from the caller, and to it. */
  readonly #lanes: readonly [Parcel<Item>[], Parcel<Item>[]] = [[], []]
  readonly #isSwallowed = [false, false]
  #isCut = false

  constructor(
    parts: NetworkParts,
    carriage: Carriage<Item>,
    joined: readonly [SimulatedProcess, SimulatedProcess],
  ) {
    this.#parts = parts
    this.#carriage = carriage
    const [caller, answerer] = joined
    this.ends = [
      new End('simulated:broker', caller, this),
      new End('simulated:client', answerer, this),
    ]
  }

  get isLive(): boolean {
    return !this.#isCut
  }

  joins(process: SimulatedProcess): boolean {
    return this.ends.some((end) => end.owner === process)
  }

  carry(from: End<Item>, parcel: Parcel<Item>): void {
    if (this.#isCut || from.owner.isDead) return
    const { random } = this.#parts
    const direction = from === this.ends[0] ? 0 : 1
    if (this.#isSwallowed[direction] === true) return
    if ('closed' in parcel) return this.#plan(direction, parcel)
    for (const item of this.#carriage.split(parcel.item, random)) this.#plan(direction, { item })
  }

  cut(reason: string): void {
    if (this.#isCut) return
    this.#isCut = true
    this.#parts.faults.cuts += 1
    for (const direction of [0, 1] as const) {
      const lane = this.#lanes[direction]
      const kept = below(this.#parts.random, lane.length + 1)
      this.#parts.faults.itemsLost += lane.length - kept
      lane.length = kept
      this.#plan(direction, { closed: reason })
    }
  }

  swallow(direction: 0 | 1 | 'both'): void {
    this.#parts.faults.halfOpens += 1
    for (const one of direction === 'both' ? ([0, 1] as const) : [direction]) {
      this.#isSwallowed[one] = true
      this.#parts.faults.itemsLost += this.#lanes[one].length
      this.#lanes[one].length = 0
    }
  }

  /** One event for each parcel; an event takes the head of its lane, so the order is kept. */
  #plan(direction: 0 | 1, parcel: Parcel<Item>): void {
    const { time } = this.#parts
    this.#lanes[direction].push(parcel)
    const to = this.ends[direction === 0 ? 1 : 0]
    time.plan(delayOf(this.#parts), () => to.owner.enter(() => this.#arrive(direction, to)))
  }

  #arrive(direction: 0 | 1, to: End<Item>): void {
    const lane = this.#lanes[direction]
    const first = lane.shift()
    if (first === undefined) return
    const { join } = this.#carriage
    if (join === undefined || !('item' in first)) return to.arrive(first)
    const items = [first.item]
    while (below(this.#parts.random, 2) === 0) {
      const next = lane[0]
      if (next === undefined || !('item' in next)) break
      lane.shift()
      items.push(next.item)
    }
    to.arrive({ item: join(items) })
  }
}

function delayOf({ latency, random }: NetworkParts): number {
  const [least, most] = latency.usualMs
  const usual = least + ((most - least) * below(random, 1_000)) / 1_000
  const isSlow = latency.slowOneIn > 0 && below(random, latency.slowOneIn) === 0
  return isSlow ? usual + latency.slowMs : usual
}

export interface Network {
  /** Joins two processes by a connection that carries items as they are. */
  connectWhole<Item>(caller: SimulatedProcess, answerer: SimulatedProcess): Joined<Item>
  /** Joins two processes by a connection that carries bytes in pieces. */
  connectBytes(caller: SimulatedProcess, answerer: SimulatedProcess): Joined<Buffer>
  /** Joins two processes by calls, as inside one process. */
  connectDirect<Item>(caller: SimulatedProcess, answerer: SimulatedProcess): Joined<Item>
  /** The connections of a process that are not cut. */
  linksOf(process: SimulatedProcess): Connected[]
  /** Milliseconds that a connect takes. */
  delayMs(): number
  setLatency(latency: Latency): void
  readonly faults: NetworkFaults
}

export interface Joined<Item> {
  readonly caller: Channel<Item>
  readonly answerer: Channel<Item>
}

export function simulatedNetwork(options: {
  time: SimulatedTime
  random: Random
  latency: Latency
}): Network {
  const faults: NetworkFaults = { cuts: 0, halfOpens: 0, itemsLost: 0 }
  const parts: NetworkParts = {
    time: options.time,
    random: options.random.fork('network'),
    faults,
    latency: options.latency,
  }
  let links: Connected[] = []

  function join<Item>(
    carriage: Carriage<Item>,
    caller: SimulatedProcess,
    answerer: SimulatedProcess,
  ): Joined<Item> {
    const link = new Link<Item>(parts, carriage, [caller, answerer])
    links = [...links.filter((known) => known.isLive), link]
    return { caller: link.ends[0], answerer: link.ends[1] }
  }
  return {
    faults,
    connectWhole: <Item>(caller: SimulatedProcess, answerer: SimulatedProcess) =>
      join(whole as Carriage<Item>, caller, answerer),
    connectDirect<Item>(caller: SimulatedProcess, answerer: SimulatedProcess) {
      const { joined, link } = directLink<Item>(caller, answerer)
      links = [...links.filter((known) => known.isLive), link]
      return joined
    },
    connectBytes: (caller, answerer) => join(rechunked, caller, answerer),
    linksOf: (process) => links.filter((link) => link.isLive && link.joins(process)),
    delayMs: () => delayOf(parts),
    setLatency(latency) {
      parts.latency = latency
    },
  }
}
