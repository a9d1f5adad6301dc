/**
 * What every backend of the event store's port must do, as a suite. It needs no test runner: the
 * caller gives a function that names a test and runs its body on a fresh port, driving whatever
 * world the backend lives in.
 */
import { type EventDraft, type Metadata, type StreamVersion, streamVersion } from '@sagalog/kernel'
import * as t from 'io-ts'
import { EventStoreError } from '../errors.js'
import { defineEvents } from '../event-set.js'
import { eventStoreOver } from '../event-store.js'
import type { EventStorePort, PortEvent } from '../event-store-port.js'
import { assertEqual } from '../specification.js'
import { CONTRACT_CATEGORY, draft, drafts, type Outcome, streamOf } from './contract-streams.js'
import {
  closing,
  keyedCommands,
  keys,
  readingAll,
  readingBack,
  severalStreams,
} from './stream-contract.js'

export interface EventStoreContractHost {
  /** Declares a test; the body gets a port without any category and is run to its end. */
  test(name: string, body: (port: EventStorePort) => Promise<void>): void
}

const CATEGORY = CONTRACT_CATEGORY
const QUEUES = 3

const appended = (version: number): Outcome => ({ appended: streamVersion(version) })
const conflict = (version: number): Outcome => ({ conflict: streamVersion(version) })

const versionsOf = (events: readonly PortEvent[]): StreamVersion[] =>
  events.map(({ version }) => version)
const textsOf = (events: readonly PortEvent[]): string[] =>
  events.map(({ data }) => data.toString('utf8'))

/** Metadata in one order, its bytes as text: a store may keep texts and bytes apart. */
const shown = (metadata: Metadata): unknown[] =>
  Object.entries(metadata)
    .map(([name, value]) =>
      typeof value === 'string' ? [name, value] : [name, 'bytes', value.toString('hex')],
    )
    .sort(([left = ''], [right = '']) => (left < right ? -1 : 1))

async function rejection(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'fulfilled',
    (cause: unknown) => (EventStoreError.is(cause) ? cause.code : String(cause)),
  )
}

function expectedVersions({ test }: EventStoreContractHost): void {
  test('any version is fine for `any`', async (port) => {
    const stream = streamOf(port, 'a')
    assertEqual(await stream.append(drafts(1), 'any'), appended(1))
    assertEqual(await stream.append(drafts(2), 'any'), appended(3))
  })
  test('`empty` takes the first append and refuses the second', async (port) => {
    const stream = streamOf(port, 'a')
    assertEqual(await stream.append(drafts(2), 'empty'), appended(2))
    assertEqual(await stream.append(drafts(1), 'empty'), conflict(2))
  })
  test('`exists` refuses an empty stream and takes any other', async (port) => {
    const stream = streamOf(port, 'a')
    assertEqual(await stream.append(drafts(1), 'exists'), conflict(0))
    assertEqual(await stream.append(drafts(1), 'any'), appended(1))
    assertEqual(await stream.append(drafts(1), 'exists'), appended(2))
  })
  test('a number takes exactly that version', async (port) => {
    const stream = streamOf(port, 'a')
    assertEqual(await stream.append(drafts(1), streamVersion(1)), conflict(0))
    assertEqual(await stream.append(drafts(3), streamVersion(0)), appended(3))
    assertEqual(await stream.append(drafts(1), streamVersion(2)), conflict(3))
    assertEqual(await stream.append(drafts(1), streamVersion(4)), conflict(3))
    assertEqual(await stream.append(drafts(1), streamVersion(3)), appended(4))
  })
  test('a refused append changes nothing', async (port) => {
    const stream = streamOf(port, 'a')
    await stream.append(drafts(2, 'kept'))
    await stream.append(drafts(2, 'lost'), 'empty')
    await stream.append(drafts(2, 'lost'), streamVersion(1))
    const { version, events } = await stream.page()
    assertEqual(version, 2)
    assertEqual(textsOf(events), ['kept1', 'kept2'])
  })
  test('of many appends at one version exactly one is taken', async (port) => {
    const stream = streamOf(port, 'a')
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) => stream.append([draft('Noted', `${index}`)], 'empty')),
    )
    const winners = results.flatMap((result, index) => ('appended' in result ? [`${index}`] : []))
    assertEqual(winners.length, 1)
    assertEqual(textsOf((await stream.page()).events), winners)
  })
}

function reading({ test }: EventStoreContractHost): void {
  test('versions are dense from 1 over appends of several events', async (port) => {
    const stream = streamOf(port, 'a')
    for (const count of [1, 3, 2]) await stream.append(drafts(count))
    const { version, events } = await stream.page()
    assertEqual(version, 6)
    assertEqual(versionsOf(events), [1, 2, 3, 4, 5, 6])
    assertEqual(textsOf(events), ['e1', 'e1', 'e2', 'e3', 'e1', 'e2'])
  })
  test('a stream without events reads as empty', async (port) => {
    assertEqual(await streamOf(port, 'nobody').page(), { version: streamVersion(0), events: [] })
  })
  test('reads from a version, at most so many, and none past the head', async (port) => {
    const stream = streamOf(port, 'a')
    await stream.append(drafts(5))
    const middle = await stream.page(2, 2)
    assertEqual([middle.version, versionsOf(middle.events)], [5, [2, 3]])
    const last = await stream.page(5, 10)
    assertEqual([last.version, versionsOf(last.events)], [5, [5]])
    assertEqual(await stream.page(6, 10), { version: streamVersion(5), events: [] })
    assertEqual(await stream.page(60, 10), { version: streamVersion(5), events: [] })
  })
  test('type, schema, payload and metadata come back as they went in', async (port) => {
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const metadata: Metadata = {
      bytes: everyByte,
      none: Buffer.alloc(0),
      trace: 'é \u0001\u0002 =;',
      empty: '',
      'sp ace': '{"a":1}',
      日本: '語',
    }
    const written: EventDraft[] = [
      { type: 'Bytes', schema: 7, data: everyByte, metadata },
      { type: 'Été.v2', schema: 1, data: Buffer.alloc(0), metadata: {} },
      { type: 'Bare', schema: 4_000_000, data: Buffer.from('x') },
    ]
    const stream = streamOf(port, 'a')
    await stream.append(written, 'empty')
    const { events } = await stream.page()
    assertEqual(
      events.map(({ type, schema, data, metadata: found }) => ({
        type,
        schema,
        data: data.toString('hex'),
        metadata: shown(found),
      })),
      written.map(({ type, schema, data, metadata: given = {} }) => ({
        type,
        schema,
        data: data.toString('hex'),
        metadata: shown(given),
      })),
    )
  })
  test('a caller may change its buffer after the append', async (port) => {
    const stream = streamOf(port, 'a')
    const data = Buffer.from('before')
    await stream.append([{ type: 'Noted', schema: 1, data }])
    data.fill('x')
    assertEqual(textsOf((await stream.page()).events), ['before'])
  })
}

function streams({ test }: EventStoreContractHost): void {
  test('streams and categories are independent of each other', async (port) => {
    await port.ensureCategory('other', { queues: 1 })
    const names = ['a', 'b', 'a b/ü?#', '0', '__proto__', 'x'.repeat(200)]
    for (const round of [1, 2]) {
      for (const name of names) {
        const result = await streamOf(port, name).append([draft('Noted', `${name}${round}`)])
        assertEqual(result, appended(round))
      }
    }
    assertEqual(await streamOf(port, 'a', 'other').append(drafts(1), 'empty'), appended(1))
    for (const name of names) {
      const { version, events } = await streamOf(port, name).page()
      assertEqual(version, 2)
      assertEqual(textsOf(events), [`${name}1`, `${name}2`])
    }
  })
  test('positions grow in the order of the appends', async (port) => {
    const order: PortEvent[] = []
    for (const name of ['a', 'b', 'a', 'c', 'b']) {
      const stream = streamOf(port, name)
      const result = await stream.append(drafts(2))
      const head = 'appended' in result ? result.appended : 0
      order.push(...(await stream.page(head - 1)).events)
    }
    for (const [index, { position }] of order.entries()) {
      const before = order[index - 1]?.position ?? port.start
      assertEqual(port.comparePositions(before, position) < 0 || index === 0, true)
    }
  })
  test('a category is made once and wanted by every append', async (port) => {
    await port.ensureCategory(CATEGORY, { queues: QUEUES })
    await port.ensureCategory(CATEGORY, { queues: QUEUES })
    const nowhere = streamOf(port, 'a', 'nowhere')
    assertEqual(await rejection(nowhere.append(drafts(1))), 'NO_CATEGORY')
    assertEqual(await rejection(nowhere.append(drafts(1), 'empty')), 'NO_CATEGORY')
    assertEqual(await rejection(nowhere.page()), 'NO_CATEGORY')
    assertEqual(await port.queuesOf(CATEGORY), QUEUES)
    assertEqual(await rejection(port.queuesOf('nowhere')), 'NO_CATEGORY')
  })
}

function typed({ test }: EventStoreContractHost): void {
  const Notes = defineEvents(CATEGORY, { Noted: t.type({ text: t.string }) })
  test('the typed store reads long streams page by page', async (port) => {
    const store = eventStoreOver(port)
    const noted = (index: number) => Notes.make.Noted({ text: `${index}` })
    const all = Array.from({ length: 2_300 }, (_, index) => noted(index + 1))
    for (let start = 0; start < all.length; start += 460)
      await store.append(Notes, 'long', all.slice(start, start + 460), { expected: 'any' })
    const read = await store.read(Notes, 'long')
    assertEqual([read.version, read.events.length], [2_300, 2_300])
    assertEqual(read.events, all)
    const tail = await store.read(Notes, 'long', { from: 2_299 })
    assertEqual([tail.version, tail.events], [2_300, all.slice(2_298)])
  })
  test('the typed store reads large events', async (port) => {
    const store = eventStoreOver(port)
    const large = Array.from({ length: 12 }, (_, index) =>
      Notes.make.Noted({ text: `${index}${'x'.repeat(500_000)}` }),
    )
    for (const event of large) await store.append(Notes, 'large', [event], { expected: 'any' })
    const { events } = await store.read(Notes, 'large')
    assertEqual(
      events.map(({ data }) => data.text.length),
      large.map(({ data }) => data.text.length),
    )
  })
}

/** Declares the whole suite through `host`. */
export function eventStoreContract(host: EventStoreContractHost): void {
  const withCategory: EventStoreContractHost = {
    test: (name, body) =>
      host.test(name, async (port) => {
        await port.ensureCategory(CATEGORY, { queues: QUEUES })
        await body(port)
      }),
  }
  expectedVersions(withCategory)
  reading(withCategory)
  streams(withCategory)
  typed(withCategory)
  severalStreams(withCategory)
  keys(withCategory)
  keyedCommands(withCategory)
  readingBack(withCategory)
  closing(withCategory)
  readingAll(withCategory)
}
