/**
 * A repository with snapshots loads what one without loads, whatever was appended, at any snapshot
 * interval, over changes of the snapshot's schema and snapshots that can't be used.
 */
import * as fc from 'fast-check'
import * as t from 'io-ts'
import { expect, it } from 'vitest'
import { eventStoreOver } from '../src/event-store.js'
import type { EventStorePort, StreamPage } from '../src/event-store-port.js'
import { inMemoryEvents } from '../src/in-memory.js'
import { createRepository } from '../src/repository.js'
import { Accounts, AccountState } from './accounts.js'

const codec = t.type({ owner: t.union([t.string, t.undefined]), cents: t.number })
const step = fc.record({
  stream: fc.constantFrom('a', 'b'),
  events: fc.integer({ min: 1, max: 9 }),
  version: fc.integer({ min: 1, max: 2 }),
  every: fc.integer({ min: 1, max: 6 }),
  spoil: fc.constantFrom('no', 'no', 'no', 'newer', 'unreadable'),
})

/** The same port, which tells of the pages that are read. */
function countingPages(
  port: EventStorePort,
  tell: (page: StreamPage, category: string) => void,
): EventStorePort {
  return {
    start: port.start,
    comparePositions: (left, right) => port.comparePositions(left, right),
    ensureCategory: (category, options) => port.ensureCategory(category, options),
    queuesOf: (category) => port.queuesOf(category),
    readEvents: (request) => port.readEvents(request),
    end: () => port.end(),
    listStreams: (request) => port.listStreams(request),
    change: (change) => port.change(change),
    append: (append, options) => port.append(append, options),
    async readPage(request) {
      const page = await port.readPage(request)
      tell(page, request.category)
      return page
    },
  }
}

it('a state from a snapshot is the state of a replay', async () => {
  const reached = { used: 0, saved: 0, spoiled: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const port = inMemoryEvents()
      const store = eventStoreOver(port)
      await store.ensureCategory(Accounts, { queues: 1 })
      const counted = { events: 0 }
      const counting = eventStoreOver(
        countingPages(port, (page, category) => {
          if (category === 'account') counted.events += page.events.length
        }),
      )
      for (const { events, every, spoil, stream, version } of steps) {
        const deposits = Array.from({ length: events }, (_, index) =>
          Accounts.make.Deposited({ cents: index + 1 }),
        )
        const appended = await store.append(Accounts, stream, deposits, { expected: 'any' })
        if (spoil !== 'no') {
          reached.spoiled += 1
          const state = spoil === 'newer' ? { cents: 9_999 } : { cents: 'many' }
          const head = 'appended' in appended ? appended.appended : 0
          const value = { version: spoil === 'newer' ? head + 1_000 : head, state }
          const bad = {
            type: 'Snapshot',
            schema: version,
            data: Buffer.from(JSON.stringify(value)),
          }
          await port.ensureCategory('account-snapshots', { queues: 1 })
          const category = 'account-snapshots'
          await port.append({ category, stream, expected: 'any', events: [bad] })
        }
        const snapshots = { version, codec, every }
        const kept = createRepository(counting, AccountState, { cacheEntries: 0, snapshots })
        const plain = createRepository(store, AccountState, { cacheEntries: 0 })
        counted.events = 0
        const loaded = await kept.load(stream)
        expect(loaded).toEqual(await plain.load(stream))
        if (counted.events < loaded.version) reached.used += 1
      }
      const list = await port
        .listStreams({ category: 'account-snapshots', after: 0, maxStreams: 9 })
        .catch(() => ({ streams: [] }))
      reached.saved += list.streams.length
    }),
    { numRuns: 150 },
  )
  expect(reached.used).toBeGreaterThan(50)
  expect(reached.saved).toBeGreaterThan(50)
  expect(reached.spoiled).toBeGreaterThan(50)
})
