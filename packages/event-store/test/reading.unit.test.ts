/** What a read can be asked for, through the typed store: bounds, directions, times. */
import { simulatedTime, seededRandom } from '@sagalog/kernel/testing'
import { expect, it } from 'vitest'
import { appendOf, eventStoreOver } from '../src/event-store.js'
import { inMemoryEvents } from '../src/in-memory.js'
import { Accounts } from './accounts.js'

const deposited = (cents: number) => Accounts.make.Deposited({ cents })

/** 2,500 events, one stored each millisecond. */
async function world() {
  const time = simulatedTime(seededRandom(1))
  let nowMs = 1_000
  const clock = { ...time.nodeClock(), wallMs: () => nowMs }
  const store = eventStoreOver(inMemoryEvents(clock))
  await store.ensureCategory(Accounts, { queues: 2 })
  for (let cents = 1; cents <= 2_500; cents += 1) {
    await store.append(Accounts, 'a', [deposited(cents)], { expected: 'any' })
    nowMs += 1
  }
  const cents = async (options: Parameters<typeof store.read>[2]) => {
    const { events, version } = await store.read(Accounts, 'a', options)
    const found = events.map(({ data }) => ('cents' in data ? data.cents : 0))
    return { first: found[0], last: found.at(-1), count: found.length, version }
  }
  return { cents, store, setMs: (ms: number) => (nowMs = ms) }
}

it('gives the part that was asked for, in the direction that was asked for', async () => {
  const { cents } = await world()
  const version = 2_500
  expect(await cents({ from: 3, to: 5 })).toEqual({ first: 3, last: 5, count: 3, version })
  expect(await cents({ from: 2_000 })).toEqual({ first: 2_000, last: 2_500, count: 501, version })
  expect(await cents({ to: 1_700 })).toEqual({ first: 1, last: 1_700, count: 1_700, version })
  expect(await cents({ limit: 1_200 })).toEqual({ first: 1, last: 1_200, count: 1_200, version })
  const direction = 'backward'
  expect(await cents({ direction })).toEqual({ first: 2_500, last: 1, count: 2_500, version })
  const newest = await cents({ direction, limit: 2 })
  expect(newest).toEqual({ first: 2_500, last: 2_499, count: 2, version })
  const part = await cents({ direction, from: 1_800, to: 300 })
  expect(part).toEqual({ first: 1_800, last: 300, count: 1_501, version })
  expect(await cents({ from: 2_501 })).toMatchObject({ count: 0, version })
  expect(await cents({ from: 7, to: 6 })).toMatchObject({ count: 0, version })
})

it('gives the stream as it was at a time, also when the clock went back', async () => {
  const { cents, setMs, store } = await world()
  expect(await cents({ asOf: { timeMs: 1_009 } })).toEqual({
    first: 1,
    last: 10,
    count: 10,
    version: 10,
  })
  expect(await cents({ asOf: { timeMs: 999 } })).toMatchObject({ count: 0, version: 0 })
  setMs(1_002)
  await store.append(Accounts, 'a', [deposited(1)], { expected: 'any' })
  // The event behind a later one is later, whatever its time says.
  expect(await cents({ asOf: { timeMs: 1_009 } })).toMatchObject({ count: 10, version: 10 })
  const back = await cents({ asOf: { timeMs: 1_009 }, direction: 'backward', limit: 3 })
  expect(back).toEqual({ first: 10, last: 8, count: 3, version: 10 })
})

it('gives the stream as it was at the position of an append to another', async () => {
  const { cents, store } = await world()
  const other = await store.append(Accounts, 'b', [deposited(1)], { expected: 'empty' })
  await store.append(Accounts, 'a', [deposited(1)], { expected: 'any' })
  if (!('position' in other)) throw new Error('the append was taken')
  expect(await cents({ asOf: other.position })).toMatchObject({ last: 2_500, version: 2_500 })
})

it('keys belong to their stream; several streams change together', async () => {
  const { store } = await world()
  const append = (stream: string) =>
    store.append(Accounts, stream, [deposited(1)], { expected: 'any', idempotencyKey: 'k' })
  expect(await append('x')).toMatchObject({ appended: 1, isRepeat: false })
  expect(await append('y')).toMatchObject({ appended: 1, isRepeat: false })
  expect(await append('x')).toMatchObject({ appended: 1, isRepeat: true })
  const both = (expected: 'empty' | 'exists') =>
    store.appendAll([
      appendOf(Accounts, 'x', [deposited(2)], { expected: 'exists' }),
      appendOf(Accounts, 'z', [deposited(2)], { expected }),
    ])
  expect(await both('exists')).toMatchObject({ conflict: 0, stream: 'z' })
  expect(await both('empty')).toMatchObject({ versions: [2, 1] })
})

it('closes a stream with a reason', async () => {
  const { store } = await world()
  const reason = 'a new year'
  expect(await store.archive(Accounts, 'a', { reason })).toMatchObject({ appended: 2_500 })
  const refused = store.te.append(Accounts, 'a', [deposited(1)], { expected: 'any' })
  expect(await refused()).toMatchObject({ left: { code: 'STREAM_CLOSED', state: 'unchanged' } })
  const { closed, version } = await store.read(Accounts, 'a')
  expect([closed, version]).toEqual([{ state: 'archived', reason }, 2_500])
  await store.delete(Accounts, 'a', { reason: 'gone' })
  expect(await store.read(Accounts, 'a')).toMatchObject({
    events: [],
    closed: { state: 'deleted', reason: 'gone' },
  })
  expect(await store.archive(Accounts, 'nobody', { reason })).toEqual({ conflict: 0 })
})
