/**
 * The second half of the port's suite: several streams at once, keys, reading back and as of a
 * place, closed streams, and reading all events in their order.
 */
import { type StreamState, streamVersion } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { decider } from '../decider.js'
import { EventStoreError } from '../errors.js'
import { defineEvents } from '../event-set.js'
import { appendOf, eventStoreOver } from '../event-store.js'
import type { EventPosition, EventStorePort, EventsPage } from '../event-store-port.js'
import { createRepository } from '../repository.js'
import { assertEqual } from '../specification.js'
import { CONTRACT_CATEGORY, draft, drafts, type Outcome, streamOf } from './contract-streams.js'
import type { EventStoreContractHost } from './event-store-contract.js'

const HEAD = Number.MAX_SAFE_INTEGER
const texts = ({ events }: { events: readonly { readonly data: Buffer }[] }): string[] =>
  events.map(({ data }) => data.toString('utf8'))

/** The code and what it says of the stream. */
async function rejected(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => 'fulfilled',
    (cause: unknown) =>
      EventStoreError.is(cause)
        ? [cause.code, cause.detail['closed'], cause.detail['reason']]
        : String(cause),
  )
}

export function severalStreams({ test }: EventStoreContractHost): void {
  test('several streams are appended to at once, or none of them', async (port) => {
    const [a, b] = [streamOf(port, 'a'), streamOf(port, 'b')]
    const both = (expected: 'empty' | 'exists') =>
      port.change({ appends: [a.change(drafts(2), 'any'), b.change(drafts(1), expected)] })
    const taken = await both('empty')
    assertEqual('versions' in taken && taken.versions, [2, 1])
    assertEqual(await both('empty'), {
      conflict: streamVersion(1),
      category: CONTRACT_CATEGORY,
      stream: 'b',
    })
    assertEqual([(await a.page()).version, (await b.page()).version], [2, 1])
  })
  test('appends of one change to one stream see each other', async (port) => {
    const a = streamOf(port, 'a')
    const appends = [
      a.change(drafts(2), 'empty'),
      a.change(drafts(1), streamVersion(2)),
      a.change(drafts(1), 'exists'),
    ]
    const taken = await port.change({ appends })
    assertEqual('versions' in taken && taken.versions, [2, 3, 4])
    const refused = await port.change({
      appends: [a.change(drafts(1), streamVersion(4)), a.change(drafts(1), streamVersion(4))],
    })
    assertEqual('conflict' in refused && refused.conflict, 5)
    assertEqual((await a.page()).version, 4)
  })
}

export function keys({ test }: EventStoreContractHost): void {
  test('a key lets the same append in once and answers alike', async (port) => {
    const a = streamOf(port, 'a')
    const first: Outcome = { appended: streamVersion(2) }
    const again: Outcome = { repeated: streamVersion(2) }
    assertEqual(await a.append(drafts(2), 'any', 'k'), first)
    assertEqual(await a.append(drafts(1), 'any'), { appended: streamVersion(3) })
    assertEqual(await a.append(drafts(2), 'any', 'k'), again)
    assertEqual(await a.append(drafts(2), 'empty', 'k'), again)
    assertEqual(await a.append(drafts(1), 'any', 'other'), { appended: streamVersion(4) })
    assertEqual((await a.page()).version, 4)
  })
  test('a known key is answered as the first change was, whatever comes under it', async (port) => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => streamOf(port, name).change(drafts(1), 'any'))
    if (a === undefined || b === undefined || c === undefined) throw new Error('there are three')
    const first = await port.change({ appends: [a, b], key: 'k' })
    assertEqual('versions' in first && [first.versions, first.isRepeat], [[1, 1], false])
    for (const appends of [[a], [c], [a, b, c]]) {
      const again = await port.change({ appends, key: 'k' })
      assertEqual('versions' in again && [again.versions, again.isRepeat], [[1, 1], true])
    }
    assertEqual((await streamOf(port, 'a').page()).version, 1)
    assertEqual((await streamOf(port, 'c').page()).version, 0)
    const Notes = defineEvents(CONTRACT_CATEGORY, { Noted: t.type({}) })
    const appendsTo = (...streams: readonly string[]) =>
      eventStoreOver(port).appendAll(
        streams.map((name) => appendOf(Notes, name, [Notes.make.Noted({})], { expected: 'any' })),
        { idempotencyKey: 'k' },
      )
    await appendsTo('x', 'y')
    const fewer = await appendsTo('x')
    assertEqual('versions' in fewer && [fewer.versions, fewer.isRepeat], [[1], true])
    const more = await appendsTo('x', 'y', 'z').catch((cause: unknown) => cause)
    assertEqual(EventStoreError.is(more) && [more.code, more.state], ['REFUSED', 'unchanged'])
  })
  test('a key of a refused append is free', async (port) => {
    const a = streamOf(port, 'a')
    assertEqual(await a.append(drafts(1), 'exists', 'k'), { conflict: streamVersion(0) })
    assertEqual(await a.append(drafts(1), 'empty', 'k'), { appended: streamVersion(1) })
  })
  test('of many appends with one key exactly one is made', async (port) => {
    const a = streamOf(port, 'a')
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) => a.append([draft('Noted', `${index}`)], 'any', 'k')),
    )
    assertEqual(results.filter((result) => 'appended' in result).length, 1)
    assertEqual(results.filter((result) => 'repeated' in result).length, 7)
    assertEqual((await a.page()).version, 1)
  })
}

const none = t.type({})
const Doors = defineEvents(CONTRACT_CATEGORY, { Opened: none, Closed: none })
const Door = decider(Doors, false)
  .evolve({ Opened: () => true, Closed: () => false })
  .decide(
    { Open: none, Close: none },
    {
      Open: (_, isOpen) => (isOpen ? E.left('IsOpen') : E.right([Doors.make.Opened({})])),
      Close: (_, isOpen) => E.right(isOpen ? [Doors.make.Closed({})] : []),
    },
  )
const OPEN = { type: 'Open', data: {} } as const
const CLOSE = { type: 'Close', data: {} } as const

export function keyedCommands({ test }: EventStoreContractHost): void {
  /** Two processes that have the same streams. */
  const both = (port: EventStorePort) =>
    [
      createRepository(eventStoreOver(port), Door),
      createRepository(eventStoreOver(port), Door),
    ] as const
  const isNow = (isOpen: boolean, version: number) =>
    E.right({ state: isOpen, version: streamVersion(version), events: [], isRepeat: true })
  test('a command under a key is done once, and not refused for what it did', async (port) => {
    const [mine, other] = both(port)
    const once = { idempotencyKey: 'k' }
    const done = { state: true, version: streamVersion(1), events: [Doors.make.Opened({})] }
    assertEqual(await mine.handle('a', OPEN, once), E.right({ ...done, isRepeat: false }))
    assertEqual(await mine.handle('a', OPEN, once), isNow(true, 1))
    assertEqual(await other.handle('a', OPEN, once), isNow(true, 1))
    assertEqual(await other.handle('a', OPEN, { idempotencyKey: 'l' }), E.left('IsOpen'))
    // Once the door is closed again, the command would be taken: its key tells.
    await other.handle('a', CLOSE)
    assertEqual(await other.handle('a', OPEN, once), isNow(false, 2))
    assertEqual(await mine.handle('a', OPEN, once), isNow(false, 2))
    assertEqual((await mine.load('a')).version, 2)
  })
  test('a command under a key that changed nothing leaves the key free', async (port) => {
    const [mine, other] = both(port)
    const once = { idempotencyKey: 'k' }
    const nothing = { state: false, version: streamVersion(0), events: [], isRepeat: false }
    assertEqual(await mine.handle('b', CLOSE, once), E.right(nothing))
    assertEqual(E.isRight(await other.handle('b', OPEN, once)), true)
    assertEqual((await mine.load('b')).version, 1)
    await eventStoreOver(port).archive(Doors, 'b', { reason: 'the year is over' })
    assertEqual(await mine.handle('b', OPEN, { idempotencyKey: 'l' }), E.left('IsOpen'))
    assertEqual(await mine.handle('b', OPEN, once), isNow(true, 1))
  })
  test('of many commands under one key exactly one is done', async (port) => {
    const stores = Array.from({ length: 6 }, () => createRepository(eventStoreOver(port), Door))
    const options = { idempotencyKey: 'k', retryConflicts: 20 }
    const results = await Promise.all(stores.map((each) => each.handle('c', OPEN, options)))
    const repeats = results.filter((result) => E.isRight(result) && result.right.isRepeat)
    assertEqual([results.every(E.isRight), repeats.length], [true, 5])
  })
}

export function readingBack({ test }: EventStoreContractHost): void {
  test('reads backward from the head or a version', async (port) => {
    const a = streamOf(port, 'a')
    await a.append(drafts(5))
    assertEqual(texts(await a.backward(HEAD)), ['e5', 'e4', 'e3', 'e2', 'e1'])
    assertEqual(texts(await a.backward(4, 2)), ['e4', 'e3'])
    assertEqual(texts(await a.backward(1)), ['e1'])
    assertEqual(await streamOf(port, 'nobody').backward(HEAD), {
      version: streamVersion(0),
      events: [],
    })
  })
  test('reads a stream as of a place in the order of all events', async (port) => {
    const [a, b] = [streamOf(port, 'a'), streamOf(port, 'b')]
    await a.append(drafts(2))
    await b.append(drafts(1, 'b'))
    await a.append(drafts(1, 'late'))
    const [, second] = (await a.page()).events
    const [between] = (await b.page()).events
    if (second === undefined || between === undefined) throw new Error('the events are there')
    for (const place of [second.position, between.position]) {
      const then = await a.asOf(place)
      assertEqual([then.version, texts(then)], [2, ['e1', 'e2']])
    }
    assertEqual((await b.asOf(second.position)).version, 0)
  })
}

export function closing({ test }: EventStoreContractHost): void {
  const close = (port: EventStorePort, state: StreamState, reason: string, stream = 'a') => {
    const where = { category: CONTRACT_CATEGORY, stream, expected: 'exists' as const }
    return port.change({ appends: [], closings: [{ ...where, state, reason }] })
  }
  test('an archived stream is read, takes nothing, and is opened again', async (port) => {
    const a = streamOf(port, 'a')
    await a.append(drafts(2))
    await close(port, 'archived', 'the year is over')
    const page = await a.page()
    assertEqual([page.version, texts(page)], [2, ['e1', 'e2']])
    assertEqual(page.closed, { state: 'archived', reason: 'the year is over' })
    const refused = ['STREAM_CLOSED', 'archived', 'the year is over']
    assertEqual(await rejected(a.append(drafts(1))), refused)
    await close(port, 'open', 'one more')
    assertEqual(await a.append(drafts(1)), { appended: streamVersion(3) })
    assertEqual((await a.page()).closed, undefined)
  })
  test('a deleted stream gives nothing and its name is never used again', async (port) => {
    const [a, b] = [streamOf(port, 'a'), streamOf(port, 'b')]
    await a.append(drafts(2))
    await b.append(drafts(1, 'b'))
    await close(port, 'deleted', 'asked by its owner')
    const refused = ['STREAM_CLOSED', 'deleted', 'asked by its owner']
    for (const page of [await a.page(), await a.backward(HEAD)]) assertEqual(texts(page), [])
    assertEqual(await rejected(a.append(drafts(1), 'empty')), refused)
    assertEqual(await rejected(close(port, 'open', 'no')), refused)
    assertEqual(texts(await everything(port, port.start)), ['b1'])
  })
  test('events of deleted streams never make a page look like the last one', async (port) => {
    for (const name of ['a', 'b', 'a', 'c']) await streamOf(port, name).append(drafts(2, name))
    await close(port, 'deleted', 'asked by its owner')
    await close(port, 'deleted', 'asked by its owner', 'b')
    const request = { categories: [CONTRACT_CATEGORY], from: port.start, maxEvents: 1, waitMs: 0 }
    const first = await port.readEvents(request)
    assertEqual(texts(first), ['c1'])
    const second = await port.readEvents({ ...request, from: first.next })
    assertEqual(texts(second), ['c2'])
    assertEqual(texts(await port.readEvents({ ...request, from: second.next })), [])
  })
  test('a stream that never was is not closed', async (port) => {
    const result = await close(port, 'archived', 'why not', 'nobody')
    assertEqual('conflict' in result && result.conflict, 0)
  })
  test('closing and a last append happen together', async (port) => {
    const a = streamOf(port, 'a')
    const where = { category: CONTRACT_CATEGORY, stream: 'a', expected: streamVersion(1) }
    const closings = [{ ...where, state: 'archived' as const, reason: 'done' }]
    await port.change({ appends: [a.change(drafts(1), 'empty')], closings })
    assertEqual((await a.page()).closed?.reason, 'done')
  })
  test('streams are listed in the order of their first events', async (port) => {
    for (const name of ['b', 'a', 'c', 'b']) await streamOf(port, name).append(drafts(1))
    await close(port, 'archived', 'old', 'c')
    const list = (after: number) =>
      port.listStreams({ category: CONTRACT_CATEGORY, after, maxStreams: 2 })
    assertEqual(await list(0), {
      total: 3,
      streams: [
        { stream: 'b', version: streamVersion(2) },
        { stream: 'a', version: streamVersion(1) },
      ],
    })
    assertEqual((await list(2)).streams, [
      { stream: 'c', version: streamVersion(1), closed: { state: 'archived', reason: 'old' } },
    ])
  })
}

const everything = (port: EventStorePort, from: EventPosition): Promise<EventsPage> =>
  port.readEvents({ categories: [], from, maxEvents: 1_000, waitMs: 0 })

export function readingAll({ test }: EventStoreContractHost): void {
  test('all events are read in one order, page by page, none twice and none left out', async (port) => {
    await port.ensureCategory('other', { queues: 1 })
    const written: string[] = []
    for (let round = 0; round < 5; round += 1) {
      for (const name of ['a', 'b', 'c']) {
        const category = name === 'c' ? 'other' : CONTRACT_CATEGORY
        await streamOf(port, name, category).append([draft('Noted', `${name}${round}`)])
        written.push(`${name}${round}`)
      }
    }
    for (const size of [1, 4, 100]) {
      const read: string[] = []
      let from = port.start
      for (;;) {
        const page = await port.readEvents({ categories: [], from, maxEvents: size, waitMs: 0 })
        read.push(...texts(page))
        from = page.next
        if (page.events.length === 0) break
      }
      assertEqual(read, written)
    }
    const other = await port.readEvents({
      categories: ['other'],
      from: port.start,
      maxEvents: 100,
      waitMs: 0,
    })
    assertEqual(
      texts(other),
      written.filter((text) => text.startsWith('c')),
    )
    assertEqual(
      other.events.map(({ category, stream, version }) => [category, stream, version]),
      [1, 2, 3, 4, 5].map((version) => ['other', 'c', version]),
    )
  })
  test('the parts of a category together are all of it', async (port) => {
    for (let index = 0; index < 20; index += 1)
      await streamOf(port, `s${index}`).append([draft('Noted', `s${index}`)])
    const parts: string[] = []
    for (const queueId of [0, 1, 2]) {
      const request = { categories: [CONTRACT_CATEGORY], from: port.start, maxEvents: 100 }
      parts.push(...texts(await port.readEvents({ ...request, queueId, waitMs: 0 })))
    }
    assertEqual(parts.toSorted(), Array.from({ length: 20 }, (_, index) => `s${index}`).toSorted())
  })
  test('a reader that waits gets the next event', async (port) => {
    const a = streamOf(port, 'a')
    await a.append(drafts(1))
    const { next } = await everything(port, port.start)
    const request = { categories: [CONTRACT_CATEGORY], from: next, maxEvents: 10, waitMs: 10_000 }
    const waiting = port.readEvents(request)
    await a.append(drafts(1, 'late'))
    assertEqual(texts(await waiting), ['late1'])
  })
  test('who has read up to the position of an append has seen it', async (port) => {
    const a = streamOf(port, 'a')
    const result = await port.change({ appends: [a.change(drafts(3), 'any')] })
    if (!('position' in result)) throw new Error('the append was taken')
    const { events, next } = await everything(port, port.start)
    assertEqual(events.length, 3)
    assertEqual(port.comparePositions(next, result.position) > 0, true)
  })
}
