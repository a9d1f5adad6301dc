/** Keeps the places of broadcasting instances as long as a test lasts. */
import type { PlaceOwner, PlaceStore, StoredPlace } from '../src/rocketmq/index.js'

export function placesInMemory(): PlaceStore {
  const kept = new Map<string, readonly StoredPlace[]>()
  const keyOf = ({ group, instance }: PlaceOwner): string => `${group}\u0000${instance}`
  return {
    load: (owner) => Promise.resolve(kept.get(keyOf(owner)) ?? []),
    async save(owner, places) {
      kept.set(keyOf(owner), structuredClone(places))
    },
  }
}
