/** Bugs that break what the parking property promises. */
import { PARKING, type PlantedBug } from '../planted-bug.js'

export const parkingBugs: readonly PlantedBug[] = [
  {
    name: 'parked-key-overtaken',
    promise: 'parked-in-order',
    file: 'packages/client/src/key-parking.ts',
    find: 'return this.#waiting.has(key)',
    replace: "return this.#waiting.get(key)?.parking.state === 'parked'",
    test: PARKING,
  },
  {
    name: 'parked-keys-unknown-to-the-next-holder',
    promise: 'parked-in-order',
    file: 'packages/client/src/key-parking.ts',
    find: 'const mayBeNews = known.has(stream) || !this.#isKnown',
    replace: 'const mayBeNews = known.has(stream)',
    test: PARKING,
  },
  {
    name: 'released-message-left-behind',
    promise: 'parked-in-order',
    file: 'packages/client/src/key-parking.ts',
    find: "const state = left === 0 ? 'flowing' : 'released'",
    replace: "const state = left <= 1 ? 'flowing' : 'released'",
    test: PARKING,
  },
]
