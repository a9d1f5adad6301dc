/**
 * The states of many streams, kept in memory between messages. A state is used without asking the
 * store only while nobody else can have changed it, which the caller names by a tenure; otherwise
 * the stream is read again. Invariant: what is kept was committed. An append carries the
 * version that its decision saw, so a state that is behind can refuse a commit but never spoil a
 * stream.
 */
import type { Tx } from '@sagalog/client'
import { type AnyEvent, appendIn, type EventSet, type EventStore } from '@sagalog/event-store'
import { type StreamVersion, streamVersion } from '@sagalog/kernel'

export interface StreamStatesOptions<State, Event extends AnyEvent> {
  readonly store: Pick<EventStore, 'read'>
  readonly set: EventSet<Event>
  readonly initial: State
  readonly evolve: (state: State, event: Event) => State
  /** True for a state that need not be kept, because nothing is expected to ask for it again. */
  readonly isOver?: (state: State) => boolean
  readonly entriesMax: number
}

/** One stream in the hands of one message. */
export interface WorkingStream<State, Event> {
  /** With the events of this message. */
  readonly state: State
  readonly isChanged: boolean
  /** True when the stream was taken to be empty and nobody has looked. */
  readonly isPresumed: boolean
  happen(events: readonly Event[]): void
  /** Puts the events into the commit, if there are any. */
  appendTo(tx: Tx): void
}

export interface StreamStates<State, Event> {
  /** The stream's state. One of the same tenure is taken from memory as it is. */
  load(stream: string, tenure: number): Promise<WorkingStream<State, Event>>
  /**
   * The same for a stream that is most likely empty: it is not read, unless a commit that presumed
   * so was refused before. An append checks the presumption; without one it stays unchecked.
   */
  loadNew(stream: string, tenure: number): Promise<WorkingStream<State, Event>>
  readonly entries: number
}

interface Kept<State> {
  readonly state: State
  readonly version: StreamVersion
  readonly tenure: number
}

export function createStreamStates<State, Event extends AnyEvent>({
  store,
  set,
  initial,
  evolve,
  isOver = () => false,
  entriesMax,
}: StreamStatesOptions<State, Event>): StreamStates<State, Event> {
  // Insertion order is order of use: the first key is the one not used for longest.
  const kept = new Map<string, Kept<State>>()

  function keep(stream: string, entry: Kept<State>): void {
    kept.delete(stream)
    if (isOver(entry.state)) return
    kept.set(stream, entry)
    if (kept.size <= entriesMax) return
    const [oldest] = kept.keys()
    if (oldest !== undefined) kept.delete(oldest)
  }

  async function current(stream: string, tenure: number): Promise<Kept<State>> {
    const known = kept.get(stream)
    if (known !== undefined && known.tenure === tenure) return known
    // Read from the start: under `os` and `memory` durability a stream may have lost its end since.
    const { events, version } = await store.read(set, stream)
    return { state: events.reduce(evolve, initial), version, tenure }
  }

  /** Streams that were presumed to be empty and were not, until they are read. */
  const misjudged = new Set<string>()

  function working(
    stream: string,
    entry: Kept<State>,
    isPresumed: boolean,
  ): WorkingStream<State, Event> {
    const pending: Event[] = []
    let state = entry.state
    return {
      isPresumed,
      get state() {
        return state
      },
      get isChanged() {
        return pending.length > 0
      },
      happen(events) {
        pending.push(...events)
        state = events.reduce(evolve, state)
      },
      appendTo(tx) {
        if (pending.length === 0) return
        appendIn(tx, set, stream, pending, { expected: entry.version })
        // Until the commit is known to have happened, nothing is known.
        kept.delete(stream)
        const version = streamVersion(entry.version + pending.length)
        tx.onCommitted(() => keep(stream, { state, version, tenure: entry.tenure }))
        if (!isPresumed) return
        tx.onRefused(() => {
          // Forgetting costs one more refusal.
          if (misjudged.size >= entriesMax) misjudged.clear()
          misjudged.add(stream)
        })
      },
    }
  }

  async function load(stream: string, tenure: number): Promise<WorkingStream<State, Event>> {
    const entry = await current(stream, tenure)
    misjudged.delete(stream)
    keep(stream, entry)
    return working(stream, entry, false)
  }

  return {
    get entries() {
      return kept.size
    },
    load,
    async loadNew(stream, tenure) {
      if (kept.has(stream) || misjudged.has(stream)) return load(stream, tenure)
      return working(stream, { state: initial, version: streamVersion(0), tenure }, true)
    },
  }
}
