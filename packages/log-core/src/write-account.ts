/**
 * The account of one file for a Disk adapter: which bytes from its start, without a gap, completed
 * writes took, and which of them are durable. Adapters report completed calls here; nothing else
 * writes it, above all nothing that gates a reply.
 */

export interface WriteAccount {
  /** A write of `bytes` at `at` completed. */
  wrote(at: number, bytes: number): void
  /** What had been written up to `end` when a sync that completed was started is durable. */
  synced(end: number): void
  readonly writtenEnd: number
  readonly syncedEnd: number
}

export function writeAccount(): WriteAccount {
  let writtenEnd = 0
  let syncedEnd = 0
  /** Spans beyond a gap: start to end. Few: one writer writes forward. */
  const beyond = new Map<number, number>()

  function join(): void {
    for (let joined = true; joined;) {
      joined = false
      for (const [from, to] of beyond) {
        if (from > writtenEnd) continue
        beyond.delete(from)
        writtenEnd = Math.max(writtenEnd, to)
        joined = true
      }
    }
  }
  return {
    wrote(at, bytes) {
      if (at > writtenEnd) {
        beyond.set(at, Math.max(beyond.get(at) ?? 0, at + bytes))
        return
      }
      writtenEnd = Math.max(writtenEnd, at + bytes)
      if (beyond.size > 0) join()
    },
    synced(end) {
      syncedEnd = Math.max(syncedEnd, Math.min(end, writtenEnd))
    },
    get writtenEnd() {
      return writtenEnd
    },
    get syncedEnd() {
      return syncedEnd
    },
  }
}
