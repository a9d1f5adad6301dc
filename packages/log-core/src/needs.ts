/**
 * The one table of needs: who still needs what of the log, by name. Readers need every record from
 * their position on; folds and groups need single bodies. What nobody needs may go; what somebody
 * needs stays, unless its owner agreed to be overruled when the log is over its cap.
 */
import { assert, type Cancel, type LogRecord, position, type Position } from '@sagalog/kernel'

/** Asked anew each time: the answers move on with their owner. */
export interface Need {
  /** Every record from here on, of any kind; undefined when none is needed this way. */
  readonly everythingFrom?: () => Position | undefined
  /**
   * Is this body needed? Once false it is false for ever. The answer may rest on what is sequenced:
   * a record goes only after the log was durable up to then.
   */
  readonly needsBody?: (record: LogRecord) => boolean
  /** No body below it is needed, whatever it is; undefined when none is needed at all. */
  readonly bodiesFrom?: () => Position | undefined
  /** The owner may be overruled by `capBytes`: it is told, and goes on behind the hole. */
  readonly mayBeOverruled?: boolean
}

/** One row as it stands at a moment. */
export interface NeedRow {
  readonly name: string
  readonly everythingFrom: Position | undefined
  readonly bodiesFrom: Position | undefined
  readonly mayBeOverruled: boolean
}

export class NeedsTable {
  readonly #needs = new Map<string, Need>()

  /** Names are unique. What comes back removes the need. */
  set(name: string, need: Need): Cancel {
    assert(!this.#needs.has(name), `only one need is called ${name}`)
    this.#needs.set(name, need)
    return () => {
      if (this.#needs.get(name) === need) this.#needs.delete(name)
    }
  }

  rows(): readonly NeedRow[] {
    return [...this.#needs].map(([name, need]) => ({
      name,
      everythingFrom: need.everythingFrom?.(),
      // A need that can not say from where on may need any body.
      bodiesFrom: bodiesFrom(need),
      mayBeOverruled: need.mayBeOverruled === true,
    }))
  }

  /** Is the body needed? With `isOverCap` only by those who can not be overruled. */
  needsBody(record: LogRecord, isOverCap: boolean): boolean {
    for (const need of this.#needs.values()) {
      if (isOverCap && need.mayBeOverruled === true) continue
      if (need.needsBody?.(record) === true) return true
    }
    return false
  }
}

function bodiesFrom({ needsBody, bodiesFrom: from }: Need): Position | undefined {
  if (needsBody === undefined) return undefined
  return from === undefined ? position(0) : from()
}

/** The lowest positions of all rows that count. */
export function lowestOf(rows: readonly NeedRow[], isOverCap: boolean) {
  let everything = Number.MAX_SAFE_INTEGER
  let bodies = Number.MAX_SAFE_INTEGER
  for (const row of rows) {
    if (isOverCap && row.mayBeOverruled) continue
    everything = Math.min(everything, row.everythingFrom ?? everything)
    bodies = Math.min(bodies, row.bodiesFrom ?? bodies)
  }
  return { everything, bodies }
}
