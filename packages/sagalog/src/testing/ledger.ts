/**
 * The world outside: what really happened, by key. It is no part of any process and survives every
 * crash. It keeps keys as a sound participant does: the same key happens once, and not after it was
 * taken back; what was asked too late or twice is counted and does nothing.
 */

/** What became of one step of one saga. */
export interface Effects {
  /** 1 when it happened. More than that is a broken participant, or a saga without keys. */
  readonly done: number
  /** 1 when it was taken back after it had happened. */
  readonly undone: number
}

export const noEffects: Effects = { done: 0, undone: 0 }

export interface LedgerRules {
  /** False: the same key happens as often as it is asked for. */
  readonly keepsKeys: boolean
  /** False: what was taken back before it happened can still happen. */
  readonly hasFence: boolean
}

export class Ledger {
  readonly #entries = new Map<string, { done: number; undone: number; isFenced: boolean }>()
  readonly #rules: LedgerRules
  /** Asked for again, or after it was taken back: kept from happening. */
  prevented = 0

  constructor(rules: LedgerRules) {
    this.#rules = rules
  }

  #entry(key: string): { done: number; undone: number; isFenced: boolean } {
    const entry = this.#entries.get(key) ?? { done: 0, undone: 0, isFenced: false }
    this.#entries.set(key, entry)
    return entry
  }

  happen(key: string): void {
    const entry = this.#entry(key)
    const isRepeat = this.#rules.keepsKeys && entry.done > 0
    const isFenced = this.#rules.hasFence && entry.isFenced
    if (isRepeat || isFenced) this.prevented += 1
    else entry.done += 1
  }

  takeBack(key: string): void {
    const entry = this.#entry(key)
    entry.isFenced = true
    if (entry.undone < entry.done) entry.undone = entry.done
  }

  of(key: string): Effects {
    const entry = this.#entries.get(key)
    return entry === undefined ? noEffects : { done: entry.done, undone: entry.undone }
  }

  get keys(): readonly string[] {
    return [...this.#entries.keys()]
  }
}
