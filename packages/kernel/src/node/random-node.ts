/** Randomness of the machine. The only file that draws it. */
import { randomFillSync } from 'node:crypto'
import type { Random } from '../ports/random.js'

export function nodeRandom(): Random {
  const words = new Uint32Array(256)
  let next = words.length
  const random: Random = {
    uint32() {
      if (next === words.length) {
        randomFillSync(words)
        next = 0
      }
      const word = words[next] ?? 0
      next += 1
      return word
    },
    fork: () => random,
  }
  return random
}
