/** Seeded randomness (xoshiro128** seeded by splitmix32): the same seed gives the same draws. */
import type { Random } from '../ports/random.js'

function splitmix32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e37_79b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35)
    return (z ^ (z >>> 16)) >>> 0
  }
}

function hashOf(label: string): number {
  let hash = 0x811c_9dc5
  for (let i = 0; i < label.length; i += 1)
    hash = Math.imul(hash ^ label.charCodeAt(i), 0x0100_0193)
  return hash >>> 0
}

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by))

/** A seeded stream. A fork depends on the seed and the label only, never on earlier draws. */
export function seededRandom(seed: number): Random {
  const fill = splitmix32(seed)
  let [a, b, c, d] = [fill(), fill(), fill(), fill()]
  return {
    uint32() {
      const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
      const t = b << 9
      c ^= a
      d ^= b
      b ^= c
      a ^= d
      c ^= t
      d = rotate(d, 11)
      return result
    },
    fork: (label) => seededRandom((Math.imul(seed, 0x01000193) ^ hashOf(label)) >>> 0),
  }
}
