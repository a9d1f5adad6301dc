/**
 * States of streams that were used last, bounded in number. Invariant: an entry is a state that the
 * stream really had at that version; a newer one is never replaced by an older one.
 */
import { assert, type StreamVersion } from '@sagalog/kernel'

export interface VersionedState<State> {
  readonly state: State
  /** The version of the last event in `state`, 0 for the initial state. */
  readonly version: StreamVersion
}

export interface StateCache<State> {
  get(stream: string): VersionedState<State> | undefined
  put(stream: string, entry: VersionedState<State>): void
  drop(stream: string): void
  readonly entries: number
}

/** A cache of at most `entriesMax` states; the one not used for longest goes first. */
export function stateCache<State>(entriesMax: number): StateCache<State> {
  assert(
    Number.isSafeInteger(entriesMax) && entriesMax >= 0,
    'a cache has a whole number of places',
  )
  // A Map iterates in the order of insertion, so the first key is the one not used for longest.
  const entries = new Map<string, VersionedState<State>>()
  return {
    get(stream) {
      const entry = entries.get(stream)
      if (entry === undefined) return undefined
      entries.delete(stream)
      entries.set(stream, entry)
      return entry
    },
    put(stream, entry) {
      const known = entries.get(stream)
      if (known !== undefined && known.version > entry.version) return
      entries.delete(stream)
      entries.set(stream, entry)
      if (entries.size <= entriesMax) return
      const oldest = entries.keys().next()
      if (oldest.done !== true) entries.delete(oldest.value)
    },
    drop(stream) {
      entries.delete(stream)
    },
    get entries() {
      return entries.size
    },
  }
}
