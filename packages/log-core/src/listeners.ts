/** Who is told that something moved. A listener that was removed is not called any more. */
import type { Cancel } from '@sagalog/kernel'

interface Entry {
  readonly listener: () => void
}

export class Listeners {
  readonly #entries = new Set<Entry>()

  /** Adds a listener; what comes back removes it. */
  add(listener: () => void): Cancel {
    const entry = { listener }
    this.#entries.add(entry)
    return () => {
      this.#entries.delete(entry)
    }
  }

  tell(): void {
    for (const { listener } of this.#entries) listener()
  }
}
