/**
 * Work of one key, one after another, in the order in which it asked. Keys do not wait for each
 * other.
 */

export interface KeyTurns {
  /** Resolves when it is this one's turn; what it gives ends the turn, and may be called twice. */
  take(key: string): Promise<() => void>
}

export function createKeyTurns(): KeyTurns {
  const tails = new Map<string, Promise<void>>()
  return {
    async take(key) {
      const before = tails.get(key)
      let end = (): void => {}
      const turn = new Promise<void>((resolve) => {
        end = resolve
      })
      tails.set(key, turn)
      await before
      return () => {
        if (tails.get(key) === turn) tails.delete(key)
        end()
      }
    },
  }
}
