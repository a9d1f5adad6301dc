/** What the broker keeps of streams over crashes and restatements: keys, states, versions. */
import { type Commit, emptyCommit, position, streamVersion } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { describe, expect, it } from 'vitest'
import { CommitKeysFold } from '../src/folds/commit-keys.js'
import { COMMIT_KEYS_KEPT } from '../src/limits.js'
import { commitKeyDraft } from '../src/records/stream-facts.js'
import { type Caller, openWorld, wires, within } from './world.js'

const event = { type: 'E', schema: 1, data: Buffer.from('{}') }
const append = (stream: string) => ({
  category: 'C',
  stream,
  expected: 'any' as const,
  events: [event],
})

async function category(caller: Caller): Promise<void> {
  const request = { topic: 'C', readQueues: 2, writeQueues: 2, perm: 6, kind: 'event' as const }
  await caller.call(protocol.createTopic, request)
}

describe.each(wires)('over %s', (wire) => {
  it.each(['crash', 'restate and crash', 'checkpoint and crash'])(
    'keys and closed streams outlive a %s',
    async (how) => {
      const world = await openWorld(7, { wire })
      const before = world.caller()
      await category(before)
      const keyed: Commit = { ...emptyCommit, appends: [append('a')], key: 'k' }
      const first = await before.call(protocol.commit, keyed)
      const closing = { category: 'C', stream: 'b', expected: 'any' as const, reason: 'old' }
      await before.call(protocol.commit, { ...emptyCommit, appends: [append('b')] })
      await before.call(protocol.commit, {
        ...emptyCommit,
        closings: [{ ...closing, state: 'archived' }],
      })
      if (how.startsWith('restate')) await within(world.time, world.broker.restate())
      // What was restated must be on the disk, or the crash takes it away again.
      await world.run(50)
      if (how.startsWith('checkpoint')) await within(world.time, world.broker.checkpoint())
      world.crash()
      await world.reopen()
      const caller = world.caller()
      const again = await caller.call(protocol.commit, keyed)
      if (!('committed' in first.payload)) throw new Error('the first one was taken')
      expect(again.payload).toEqual({ committed: { ...first.payload.committed, isRepeat: true } })
      const refused = await caller.call(protocol.commit, {
        ...emptyCommit,
        appends: [append('a'), append('b')],
      })
      expect(refused.payload).toMatchObject({
        refused: { reason: 'stream-closed', stream: 'b', state: 'archived', why: 'old' },
      })
      const request = { category: 'C', stream: 'a', fromVersion: streamVersion(1), maxEvents: 9 }
      const read = await caller.call(protocol.readStream, request)
      expect(read.payload.version).toBe(1)
    },
  )

  it('a commit of another shape under a known key is answered as the first was', async () => {
    const world = await openWorld(8, { wire })
    const caller = world.caller()
    await category(caller)
    await caller.call(protocol.commit, { ...emptyCommit, appends: [append('a')], key: 'k' })
    const appends = [append('a'), append('b')]
    const other = await caller.call(protocol.commit, { ...emptyCommit, appends, key: 'k' })
    expect(other.payload).toMatchObject({ committed: { versions: [1], isRepeat: true } })
  })

  it('a read of events is held until one is safe, and ends empty when its time is up', async () => {
    const world = await openWorld(9, { wire })
    const [reader, writer] = [world.caller(), world.caller()]
    await category(writer)
    const request = { categories: ['C'], from: position(0), maxEvents: 10, suspendMs: 500 }
    const empty = await reader.call(protocol.readEvents, request)
    expect(empty.payload.events).toEqual([])
    const startedMs = world.time.nowMs()
    const held = reader.ask(protocol.readEvents, { ...request, from: empty.payload.next })
    await writer.call(protocol.commit, { ...emptyCommit, appends: [append('a'), append('b')] })
    const found = await held
    expect(world.time.nowMs() - startedMs).toBeLessThan(400)
    expect(found.payload.events.map(({ stream, version }) => [stream, version])).toEqual([
      ['a', 1],
      ['b', 1],
    ])
    expect(found.payload.next).toBeGreaterThan(found.payload.events[1]?.position ?? Infinity)
  })
})

it('what memory has forgotten is read from the disk, in each order, near and far apart', async () => {
  const world = await openWorld(11, { segmentBytes: 64 * 1024, cacheBytes: 4_096 })
  const caller = world.caller()
  await category(caller)
  const names = ['a', 'a', 'a', 'b', 'a', 'c']
  const written: string[] = []
  for (let index = 0; index < 300; index += 1) {
    const stream = index < 100 ? (names[index % 6] ?? 'a') : index % 90 === 0 ? 'c' : 'd'
    const data = Buffer.from(`"${stream}${index}${'.'.repeat(index % 400)}"`)
    const events = [{ type: 'E', schema: 1, data }]
    const appends = [{ category: 'C', stream, expected: 'any' as const, events }]
    await caller.call(protocol.commit, { ...emptyCommit, appends })
    written.push(data.toString())
  }
  const texts = (events: readonly { readonly data: Buffer }[]) =>
    events.map(({ data }) => data.toString())
  const all = await caller.call(protocol.readEvents, {
    categories: ['C'],
    from: position(0),
    maxEvents: 1_000,
    suspendMs: 0,
  })
  expect(texts(all.payload.events)).toEqual(written)
  for (const stream of ['a', 'b', 'c', 'd']) {
    const own = written.filter((text) => text.startsWith(`"${stream}`))
    const page = { category: 'C', stream, maxEvents: 1_000 }
    const forward = { ...page, fromVersion: streamVersion(1) }
    const found = await caller.call(protocol.readStream, forward)
    expect(texts(found.payload.events)).toEqual(own)
    const back = { ...page, fromVersion: streamVersion(own.length), isBackward: true }
    const reversed = await caller.call(protocol.readStream, back)
    expect(texts(reversed.payload.events)).toEqual(own.toReversed())
  }
})

it('of more keys than are kept the oldest are forgotten, whatever order they come in', () => {
  const fold = new CommitKeysFold()
  const put = (index: number): void => {
    const draft = commitKeyDraft({ key: `k${index}`, versions: [] }, position(index))
    const source = Buffer.alloc(draft.bytes)
    draft.encodeAt(source, 0, position(0))
    const end = source.length
    fold.evolve({ kind: 'commit-key', version: 1, position: position(0), source, start: 0, end })
  }
  const last = COMMIT_KEYS_KEPT + 3_000
  // The newest comes first, as in a rebuild that meets it before the restated ones.
  put(last)
  for (let index = 1; index < last; index += 1) put(index)
  expect(fold.get(`k${last}`)).toBeDefined()
  expect(fold.get('k3000')).toBeUndefined()
  expect(fold.get('k3001')).toBeDefined()
  expect([...fold.restate()]).toHaveLength(COMMIT_KEYS_KEPT)
})
