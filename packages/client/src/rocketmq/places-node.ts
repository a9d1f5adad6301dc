/**
 * Keeps the places of broadcasting instances in files of a directory: one of each instance, written
 * whole beside the old one and then renamed, so that a crash leaves one or the other.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlaceOwner, PlaceStore, StoredPlace } from './place-store.js'

/** A store in a directory, which is made when it is missing. */
export function placesIn(directory: string): PlaceStore {
  const pathOf = ({ group, instance }: PlaceOwner): string =>
    join(directory, `${encodeURIComponent(group)}@${encodeURIComponent(instance)}.json`)
  return {
    async load(owner) {
      const path = pathOf(owner)
      try {
        return placesOf(path, await readFile(path, 'utf8'))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw cause
      }
    },
    async save(owner, places) {
      await mkdir(directory, { recursive: true })
      await replace(directory, pathOf(owner), `${JSON.stringify({ places })}\n`)
    },
  }
}

async function replace(directory: string, path: string, text: string): Promise<void> {
  const fresh = `${path}.new`
  const file = await open(fresh, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(fresh, path)
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function placesOf(path: string, text: string): StoredPlace[] {
  const problem = (cause?: unknown): Error => new Error(`${path} holds no places`, { cause })
  let parsed: { readonly places?: unknown }
  try {
    parsed = JSON.parse(text) as typeof parsed
  } catch (cause) {
    throw problem(cause)
  }
  const { places } = parsed
  if (!Array.isArray(places) || !places.every(isPlace)) throw problem()
  return places
}

function isPlace(value: unknown): value is StoredPlace {
  if (typeof value !== 'object' || value === null) return false
  const { brokerName, offset, queueId, topic } = value as Partial<StoredPlace>
  const isCount = (number: unknown): boolean => Number.isSafeInteger(number) && Number(number) >= 0
  const isNamed = typeof topic === 'string' && typeof brokerName === 'string'
  return isNamed && isCount(queueId) && isCount(offset)
}
