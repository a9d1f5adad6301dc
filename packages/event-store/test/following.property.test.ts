/**
 * Readers and projections beside concurrent writers, while the power goes, connections break, and
 * facts are restated, segments are sealed, retire and are rewritten: nobody skips an event or sees
 * one twice, and rows are what all events make.
 */
import { createProducer, ensureTopic, topic } from '@sagalog/client'
import { below, sleep } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import * as t from 'io-ts'
import { expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { EventStoreError } from '../src/errors.js'
import { appendOf } from '../src/event-store.js'
import type { PlacedEvent } from '../src/event-store-port.js'
import { memoryRows } from '../src/memory-rows.js'
import { verifyProjection } from '../src/projection-rows.js'
import { runProjection } from '../src/projector.js'
import { streamRows } from '../src/stream-rows.js'
import { subscribe } from '../src/subscription.js'
import { Accounts } from './accounts.js'
import { balances, total } from './balances.js'
import { brokerWorld, expectNoEarlyReplies, type Wire } from './broker-world.js'
import { campaignTimeoutMs, type Count, isFullRun, runSeeds } from './seeds.js'

const wires: Wire[] = ['memory', 'bytes']
/** What nobody reads: it may go. */
const Noise = topic('noise', t.string, { queues: 1 })
const APPENDS = isFullRun ? 120 : 30
const nameOf = ({ stream, version }: Pick<PlacedEvent, 'stream' | 'version'>): string =>
  `${stream}@${version}`

async function play(seed: number, count: Count): Promise<void> {
  const wire = wires[seed % 2] ?? 'memory'
  const world = await brokerWorld(wire, { seed, segmentBytes: 4 * 1024 })
  const { connect, crash, cut, restate, retain, run, time } = world
  const random = seededRandom(seed).fork('following')
  const clock = time.nodeClock()
  const store = createEventStore(connect())
  await run(store.ensureCategory(Accounts, { queues: 3 }))
  const noisy = connect()
  await run(ensureTopic(noisy, Noise))
  const noise = createProducer(noisy, { group: 'noise' })
  const work = { isOver: false }
  // The log begins with segments that nobody needs: it will not begin there for long.
  for (let n = 0; n < 30; n += 1) await run(noise.send(Noise, 'x'.repeat(400)))
  const letGo = async (): Promise<void> => {
    const { retired, rewritten } = await retain()
    count('retired', retired)
    count('rewritten', rewritten)
  }

  const seen = { all: [] as string[], one: [] as string[], parts: [] as string[] }
  const wait = { clock, waitMs: 300 }
  const all = subscribe(createEventStore(connect()), [Accounts], {
    ...wait,
    pageEvents: 1 + below(random, 7),
    handle: ({ stream, version }) => void seen.all.push(nameOf({ stream, version })),
  })
  const one = subscribe(createEventStore(connect()), [Accounts], {
    ...wait,
    stream: { name: 's0' },
    pageEvents: 1 + below(random, 4),
    handle: ({ stream, version }) => void seen.one.push(nameOf({ stream, version })),
  })
  const kept = [memoryRows(), streamRows(createEventStore(connect()).port)]
  const projectors = kept.flatMap((rows) =>
    [balances(), total].map((projection) =>
      runProjection(createEventStore(connect()), projection, {
        ...wait,
        rows,
        pageEvents: 1 + below(random, 5),
      }),
    ),
  )

  const writers = [0, 1, 2].map(async (writer) => {
    const mine = createEventStore(connect())
    for (let n = 0; n < APPENDS / 3; n += 1) {
      const streams = [`s${below(random, 4)}`, `s${below(random, 4)}`]
      const appends = streams.slice(0, 1 + below(random, 2)).map((stream) => {
        const events = Array.from({ length: 1 + below(random, 3) }, () =>
          Accounts.make.Deposited({ cents: 20 + below(random, 9) }),
        )
        return appendOf(Accounts, stream, events, { expected: 'any' })
      })
      const options = below(random, 2) === 0 ? {} : { idempotencyKey: `${writer}/${n}` }
      await mine.appendAll(appends, options).catch((thrown: unknown) => {
        if (!EventStoreError.is(thrown)) throw thrown
      })
      noise.sendOneWay(Noise, 'x'.repeat(below(random, 400)))
      await sleep(clock, below(random, 15))
    }
  })
  const faults = (async () => {
    while (!work.isOver) {
      await sleep(clock, 2 + below(random, 20))
      const pick = below(random, 10)
      if (pick < 2) {
        count('crashes')
        await crash()
      } else if (pick < 6) {
        count('cuts')
        cut()
      } else if (pick < 8) await restate()
      else if (pick === 8) await letGo()
    }
  })()
  await run(Promise.all(writers))
  work.isOver = true
  await run(faults)
  // Whoever is still behind reads on in what has been rewritten.
  await run(restate())
  await run(letGo())

  const end = await run(store.port.end())
  const request = { categories: ['account'], from: store.port.start, maxEvents: 1_000, waitMs: 0 }
  const { events } = await run(store.port.readEvents(request))
  const names = events.map(nameOf)
  const last = events.at(-1)
  if (last === undefined) throw new Error('something was appended')
  await run(Promise.all(projectors.map((projector) => projector.whenProcessed(last.position))))
  const ofOne = names.filter((name) => name.startsWith('s0@'))
  const isDone = () => seen.all.length >= names.length && seen.one.length >= ofOne.length
  for (let tries = 0; tries < 100 && !isDone(); tries += 1) await run(sleep(clock, 100))

  expect(seen.all).toEqual(names)
  expect(seen.one).toEqual(ofOne)
  for (const stream of ['s0', 's1', 's2', 's3']) {
    const versions = events.filter((event) => event.stream === stream).map(({ version }) => version)
    expect(versions).toEqual(versions.map((_, index) => index + 1))
  }
  for (const queueId of [0, 1, 2]) {
    const part = await run(store.port.readEvents({ ...request, queueId }))
    seen.parts.push(...part.events.map(nameOf))
  }
  expect(seen.parts.toSorted()).toEqual(names.toSorted())
  for (const rows of kept)
    for (const projection of [balances(), total])
      expect(await run(verifyProjection(store, projection, rows))).toMatchObject({
        counts: { changed: 0, added: 0, removed: 0 },
      })
  expect(store.port.comparePositions(end, last.position)).toBeGreaterThan(0)
  await run(Promise.all([all.close(), one.close(), ...projectors.map((item) => item.close())]))
  count('events', names.length)
  expectNoEarlyReplies()
}

it(
  'readers skip nothing and repeat nothing, and rows are the fold of all events',
  async () => {
    await runSeeds(
      {
        file: 'packages/event-store/test/following.property.test.ts',
        of: 'readers and projections',
        quick: 8,
        full: 60,
        fullS: 30,
        mustReach: { events: 300, cuts: 10, crashes: 5, rewritten: 4, retired: 10 },
      },
      play,
    )
  },
  campaignTimeoutMs,
)
