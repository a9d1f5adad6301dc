/**
 * The promises of the event data, tried on all of it: positions ascend, the versions of each stream
 * are dense from 1, and a stream read alone is what it is among all others.
 */
import { streamVersion } from '@sagalog/kernel'
import type { EventStorePort } from '@sagalog/event-store'

export interface EventsVerdict {
  readonly events: number
  readonly streams: number
  readonly categories: number
  /** At most 50, each a sentence that names where. */
  readonly problems: readonly string[]
}

const PAGE_EVENTS = 1_000
const PROBLEMS_MAX = 50

interface Seen {
  readonly category: string
  readonly stream: string
  version: number
}

export async function verifyEvents(port: EventStorePort): Promise<EventsVerdict> {
  const problems: string[] = []
  const streams = new Map<string, Seen>()
  const note = (problem: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(problem)
  }
  let events = 0
  let last = port.start
  const request = { categories: [], maxEvents: PAGE_EVENTS, waitMs: 0 }
  for (let from = port.start; ;) {
    const page = await port.readEvents({ ...request, from })
    for (const { category, position, stream, version } of page.events) {
      const name = `${category}/${stream}`
      const seen = streams.get(name) ?? { category, stream, version: 0 }
      streams.set(name, seen)
      if (version !== seen.version + 1)
        note(`${name}: version ${version} stands behind version ${seen.version}`)
      if (events > 0 && port.comparePositions(position, last) <= 0)
        note(`${name}: version ${version} stands at ${JSON.stringify(position)}, before another`)
      seen.version = version
      last = position
      events += 1
    }
    if (page.events.length === 0) break
    from = page.next
  }
  for (const { category, stream, version } of streams.values()) {
    const wanted = { category, stream, fromVersion: streamVersion(version), maxEvents: 1 }
    const page = await port.readPage(wanted)
    if (page.version !== version || page.events[0]?.version !== version)
      note(`${category}/${stream}: version ${version} among all events, ${page.version} alone`)
  }
  const categories = new Set([...streams.values()].map(({ category }) => category)).size
  return { events, streams: streams.size, categories, problems }
}
