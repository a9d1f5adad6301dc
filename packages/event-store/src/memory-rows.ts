/** Rows of projections in plain memory: gone with the process, and built anew at its start. */
import { isDeepStrictEqual } from 'node:util'
import type { Checkpoint, RowsChange, RowSpace, RowStore } from './row-store.js'

class MemorySpace implements RowSpace {
  readonly #rows = new Map<string, unknown>()
  readonly #checkpoints = new Map<string, Checkpoint>()

  async checkpoint(part: string): Promise<Checkpoint | undefined> {
    return this.#checkpoints.get(part)
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const found = new Map<string, unknown>()
    for (const key of keys) if (this.#rows.has(key)) found.set(key, this.#rows.get(key))
    return found
  }

  async write({ after, before, part, rows }: RowsChange): Promise<boolean> {
    // The place alone would not do: a stream that is let back in changes what is parked there.
    if (!isDeepStrictEqual(this.#checkpoints.get(part), before)) return false
    this.#checkpoints.set(part, after)
    for (const [key, row] of rows) {
      if (row === undefined) this.#rows.delete(key)
      else this.#rows.set(key, row)
    }
    return true
  }

  async *all(): AsyncIterable<readonly [string, unknown]> {
    yield* [...this.#rows]
  }
}

/** A new, empty store of rows. */
export function memoryRows(): RowStore {
  const spaces = new Map<string, MemorySpace>()
  const active = new Map<string, number>()
  return {
    space(projection, version) {
      const name = `${version}/${projection}`
      const space = spaces.get(name) ?? new MemorySpace()
      spaces.set(name, space)
      return space
    },
    active: async (projection) => active.get(projection),
    async activate(projection, version, before) {
      if (active.get(projection) !== before) return false
      active.set(projection, version)
      return true
    },
  }
}
