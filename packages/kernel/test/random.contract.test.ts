/** What every Random must do: one suite for the machine's and for the seeded one. */
import { describe, expect, it } from 'vitest'
import { below, type Random, randomHex } from '../src/index.js'
import { nodeRandom } from '../src/node/index.js'
import { seededRandom } from '../src/testing/index.js'

const DRAWS = 4096

const draws = (random: Random, count = DRAWS): number[] =>
  Array.from({ length: count }, () => random.uint32())

function randomContract(name: string, make: () => Random): void {
  describe(`${name} is a Random`, () => {
    it('draws whole numbers of 32 bits, each bit set about half of the time', () => {
      const drawn = draws(make())
      expect(drawn.every((n) => Number.isInteger(n) && n >= 0 && n <= 0xffff_ffff)).toBe(true)
      for (let bit = 0; bit < 32; bit += 1) {
        const set = drawn.filter((n) => ((n >>> bit) & 1) === 1).length
        // Twelve standard deviations: no machine sees that by chance.
        expect(Math.abs(set - DRAWS / 2), `bit ${bit}`).toBeLessThan(400)
      }
      // About two in 4,096 draws would be the same by chance in a thousand such runs.
      expect(new Set(drawn).size).toBeGreaterThan(DRAWS - 10)
    })

    it('stays below a bound, and reaches all of it evenly', () => {
      const random = make()
      const seen = Array.from({ length: 7 }, () => 0)
      for (let n = 0; n < DRAWS; n += 1) {
        const drawn = below(random, seen.length)
        seen[drawn] = (seen[drawn] ?? 0) + 1
      }
      expect(seen.reduce((sum, count) => sum + count, 0)).toBe(DRAWS)
      expect(seen).toHaveLength(7)
      for (const count of seen) expect(Math.abs(count - DRAWS / 7)).toBeLessThan(280)
      expect(below(random, 1)).toBe(0)
    })

    it('forks into streams that differ from it and from each other', () => {
      const random = make()
      const streams = [random.fork('a'), random.fork('b'), random]
      const drawn = streams.map((stream) => draws(stream, 64).join())
      expect(new Set(drawn).size).toBe(streams.length)
    })

    it('makes ids of 32 hexadecimal digits, each a new one', () => {
      const random = make()
      const ids = Array.from({ length: 1000 }, () => randomHex(random))
      expect(ids.filter((id) => !/^[0-9A-F]{32}$/.test(id))).toEqual([])
      expect(new Set(ids).size).toBe(ids.length)
    })
  })
}

randomContract("the machine's randomness", nodeRandom)
randomContract('seeded randomness', () => seededRandom(7))

describe('seeded randomness', () => {
  it('draws the same again from the same seed, and other things from another', () => {
    expect(draws(seededRandom(42), 100)).toEqual(draws(seededRandom(42), 100))
    expect(draws(seededRandom(42), 100)).not.toEqual(draws(seededRandom(43), 100))
  })

  it('has forks that depend on seed and label, not on what was drawn before', () => {
    const fresh = seededRandom(5)
    const used = seededRandom(5)
    draws(used, 10)
    const forked = draws(fresh.fork('disk'), 50)
    expect(draws(used.fork('disk'), 50)).toEqual(forked)
    // Nor does a fork shift what its origin draws next.
    const next = draws(seededRandom(5), 20)
    expect(draws(fresh, 20)).toEqual(next)
  })
})
