/** What a broker lets go, by values: who is asked, who is moved, and what a reader is told. */
import { leaseEpoch, position, queueOffset, streamVersion } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { decodeStoredMessage, ResponseCode } from '@sagalog/protocol'
import { describe, expect, test } from 'vitest'
import type { LiveBroker } from '../src/broker.js'
import type { RetentionOptions } from '../src/index.js'
import { type Caller, messageOf, openWorld, within, type World } from './world.js'

const SEGMENT = 4 * 1024
const FILLED = 60

const topicOf = (topic: string, kind: 'message' | 'event' = 'message') => ({
  ...{ topic, readQueues: 1, writeQueues: 1, perm: 6 },
  kind,
})

const pullOf = (offset: number, more: Partial<protocol.PullMessageRequest> = {}) => ({
  consumerGroup: 'R',
  topic: 'T',
  queueId: 0,
  queueOffset: queueOffset(offset),
  maxMessages: 32,
  maxBytes: 100_000,
  suspendMs: 0,
  subscription: '*',
  ...more,
})

const leaseOf = (held: protocol.LeaseQueuesRequest['held'] = []) => ({
  ...{ group: 'G', instance: 'a', mode: 'clustering' as const, topics: ['T'], held },
  ...{ from: 'first' as const, leaving: false },
})

interface Kept {
  readonly world: World
  caller: Caller
  retain(): Promise<void>
  readonly notices: string[]
}

/** A broker with some closed segments of messages of one queue. */
async function filled(retention: RetentionOptions, before?: (caller: Caller) => Promise<void>) {
  const options = { retention, segmentBytes: SEGMENT, checkpointEveryBytes: 0 }
  const world = await openWorld(1, options)
  const kept: Kept = {
    world,
    caller: world.caller(),
    notices: [],
    async retain() {
      await within(world.time, world.broker.retain())
    },
  }
  world.broker.onNotice(({ message }) => kept.notices.push(message))
  await kept.caller.call(protocol.createTopic, topicOf('T'))
  await before?.(kept.caller)
  await fill(kept.caller, FILLED)
  // Closed segments are sealed in the background; their age counts from then.
  await world.run(2_000)
  return kept
}

async function fill(caller: Caller, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1)
    await caller.call(protocol.sendMessage, messageOf('T', `m${index}`.padEnd(200, '.')))
}

const minOf = async ({ caller }: Kept): Promise<number> =>
  (await caller.call(protocol.minOffset, { topic: 'T', queueId: 0 })).payload.offset
const maxOf = async ({ caller }: Kept): Promise<number> =>
  (await caller.call(protocol.maxOffset, { topic: 'T', queueId: 0 })).payload.offset
const segmentsOf = ({ world }: Kept): number =>
  world.disk.paths().filter((path) => path.endsWith('.seg')).length

async function placed(caller: Caller, offset: number): Promise<void> {
  const queue = { consumerGroup: 'R', topic: 'T', queueId: 0 }
  await caller.call(protocol.updateConsumerOffset, { ...queue, commitOffset: queueOffset(offset) })
}

describe('messages that nobody waits for', () => {
  test('go by the bytes of the log, and the queue says where it starts', async () => {
    const kept = await filled({ maxBytes: 2 * SEGMENT })
    const before = segmentsOf(kept)
    await kept.retain()
    const min = await minOf(kept)
    expect(min).toBeGreaterThan(20)
    expect(min).toBeLessThan(FILLED)
    expect(await maxOf(kept)).toBe(FILLED)
    expect(segmentsOf(kept)).toBeLessThan(before)
    const moved = await kept.caller.call(protocol.pullMessage, pullOf(3))
    expect(moved.code).toBe(ResponseCode.PULL_OFFSET_MOVED)
    expect(moved.payload).toMatchObject({ nextBeginOffset: min, minOffset: min, maxOffset: FILLED })
    const { payload } = await kept.caller.call(protocol.pullMessage, pullOf(min))
    expect(payload.minOffset).toBe(min)
    const [first] = payload.messages.map((bytes) => decodeStoredMessage(bytes, 0))
    expect(first?.body.toString()).toMatch(new RegExp(`^m${min}\\.`))
  })

  test.each(['a checkpoint', 'the log alone'])(
    'stay gone over a crash, opened from %s',
    async (how) => {
      const kept = await filled({ maxBytes: 2 * SEGMENT })
      await kept.retain()
      const min = await minOf(kept)
      kept.world.crash()
      if (how === 'the log alone')
        for (const path of kept.world.disk.paths())
          if (path.endsWith('.ckpt')) kept.world.disk.removeFile(path)
      await kept.world.reopen()
      kept.caller = kept.world.caller()
      expect([await minOf(kept), await maxOf(kept)]).toEqual([min, FILLED])
      await kept.caller.call(protocol.sendMessage, messageOf('T', 'next'))
      expect(await maxOf(kept)).toBe(FILLED + 1)
    },
  )

  test('all of them may go: the next offset outlives them', async () => {
    const kept = await filled({ maxBytes: 0 })
    // What comes last closes the segments before it.
    await kept.caller.call(protocol.createTopic, topicOf('U'))
    for (let index = 0; index < 40; index += 1)
      await kept.caller.call(protocol.sendMessage, messageOf('U', 'x'.repeat(200)))
    await kept.world.run(2_000)
    await kept.retain()
    expect([await minOf(kept), await maxOf(kept)]).toEqual([FILLED, FILLED])
    kept.world.crash()
    await kept.world.reopen()
    kept.caller = kept.world.caller()
    expect([await minOf(kept), await maxOf(kept)]).toEqual([FILLED, FILLED])
    const moved = await kept.caller.call(protocol.pullMessage, pullOf(5))
    expect(moved.payload.nextBeginOffset).toBe(FILLED)
  })

  test('go by their age, by themselves, and not before', async () => {
    const kept = await filled({ maxAgeMs: 3_600_000, everyMs: 60_000 })
    await kept.world.run(3_000_000)
    expect(await minOf(kept)).toBe(0)
    await kept.world.run(800_000)
    expect(await minOf(kept)).toBeGreaterThan(20)
  })

  test('stay for good without a bound', async () => {
    const kept = await filled({})
    await kept.retain()
    expect(await minOf(kept)).toBe(0)
  })
})

describe('messages that a group has not settled', () => {
  test('stay, and who keeps them is told', async () => {
    const kept = await filled({ maxBytes: 2 * SEGMENT }, (caller) => placed(caller, 0))
    await placed(kept.caller, 7)
    await kept.retain()
    expect(await minOf(kept)).toBe(7)
    const { core } = kept.world.broker as LiveBroker
    expect(core.retention.heldUp).toEqual([{ group: 'R', topic: 'T', queueId: 0, offset: 7 }])
    expect(kept.notices).toEqual([])
  })

  test('go over the cap: the group is moved, counted and named', async () => {
    const policy = { maxBytes: 2 * SEGMENT, capBytes: 3 * SEGMENT }
    const kept = await filled(policy, (caller) => placed(caller, 0))
    await placed(kept.caller, 7)
    await kept.retain()
    const min = await minOf(kept)
    expect(min).toBeGreaterThan(7)
    expect(kept.notices).toHaveLength(1)
    expect(kept.notices[0]).toMatch(
      new RegExp(`${min - 7} messages of T/0 .* group R .* stood at 7 and goes on at ${min}`),
    )
    const queue = { consumerGroup: 'R', topic: 'T', queueId: 0, setZeroIfNotFound: false }
    const asked = () => kept.caller.call(protocol.queryConsumerOffset, queue)
    expect((await asked()).payload.offset).toBe(min)
    // Its client still thinks that it stands where it stood.
    await placed(kept.caller, 9)
    expect((await asked()).payload.offset).toBe(min)
  })

  test('go by the bounds as well where they expire', async () => {
    const kept = await filled({ maxBytes: 2 * SEGMENT, unread: 'expire' }, (caller) =>
      placed(caller, 0),
    )
    await placed(kept.caller, 7)
    await kept.retain()
    const min = await minOf(kept)
    expect(min).toBeGreaterThan(20)
    const { core } = kept.world.broker as LiveBroker
    expect(core.retention.passedOver()).toEqual([{ group: 'R', messages: min - 7 }])
  })

  test('a lease on what goes ends, and its holder begins where the queue does', async () => {
    let epoch = 0
    const kept = await filled({ capBytes: 2 * SEGMENT }, async (caller) => {
      const { payload } = await caller.call(protocol.leaseQueues, leaseOf())
      epoch = payload.grants[0]?.epoch ?? 0
    })
    const held = { topic: 'T', queueId: 0, epoch: leaseEpoch(epoch) }
    await kept.caller.call(protocol.leaseQueues, leaseOf([held]))
    const held2 = { group: 'G', ...held }
    await kept.retain()
    const min = await minOf(kept)
    expect(min).toBeGreaterThan(0)
    const late = await kept.caller.call(protocol.commit, {
      ...{ sends: [], appends: [], timers: [], cancels: [], leases: [held2] },
      acks: [{ group: 'G', topic: 'T', queueId: 0, offset: queueOffset(0) }],
    })
    expect(late.payload).toMatchObject({ refused: { reason: 'stale-lease' } })
    const again = await kept.caller.call(protocol.leaseQueues, leaseOf())
    expect(again.payload.grants).toMatchObject([{ epoch: epoch + 1, watermark: min, settled: [] }])
  })

  test('a group without a place in one of the queues keeps that one whole', async () => {
    const kept = await filled({ maxBytes: 2 * SEGMENT }, async (caller) => {
      await caller.call(protocol.createTopic, { ...topicOf('W'), readQueues: 2, writeQueues: 2 })
      for (const queueId of [0, 1])
        await caller.call(protocol.sendMessage, messageOf('W', 'x', { queueId }))
      const at = { consumerGroup: 'R', topic: 'W', queueId: 0, commitOffset: queueOffset(1) }
      await caller.call(protocol.updateConsumerOffset, at)
    })
    await kept.retain()
    const minOfW = async (queueId: number) =>
      (await kept.caller.call(protocol.minOffset, { topic: 'W', queueId })).payload.offset
    expect([await minOfW(0), await minOfW(1)]).toEqual([1, 0])
  })

  test('a dead letter stays until somebody has decided it', async () => {
    const kept = await filled({ maxBytes: 2 * SEGMENT }, async (caller) => {
      await caller.call(protocol.sendMessage, messageOf('T', 'bad'))
      const { payload } = await caller.call(protocol.pullMessage, pullOf(0))
      const [message] = payload.messages.map((bytes) => decodeStoredMessage(bytes, 0))
      if (message === undefined) throw new Error('no message')
      const at = position(message.physicalOffset)
      await caller.call(protocol.sendBack, { position: at, group: 'R', delayLevel: -1 })
    })
    await kept.retain()
    const dead = { topic: '%DLQ%R', queueId: 0 }
    const minOfDead = async () => (await kept.caller.call(protocol.minOffset, dead)).payload.offset
    expect(await minOfDead()).toBe(0)
    const letters = { ...dead, consumerGroup: protocol.deadLetterOperators('R') }
    await kept.caller.call(protocol.updateConsumerOffset, {
      ...letters,
      commitOffset: queueOffset(1),
    })
    await kept.retain()
    expect(await minOfDead()).toBe(1)
  })
})

test('events stay, whatever the bounds say', async () => {
  const kept = await filled({ maxBytes: 0, capBytes: 1 }, async (caller) => {
    await caller.call(protocol.createTopic, topicOf('E', 'event'))
    const event = { type: 'Made', schema: 1, data: Buffer.from('{}') }
    await caller.call(protocol.commit, {
      ...{ sends: [], timers: [], cancels: [], leases: [], acks: [] },
      appends: [{ category: 'E', stream: 's', expected: 'empty', events: [event] }],
    })
  })
  await kept.retain()
  expect(await minOf(kept)).toBeGreaterThan(20)
  const request = { category: 'E', stream: 's', fromVersion: streamVersion(1), maxEvents: 10 }
  const { payload } = await kept.caller.call(protocol.readStream, request)
  expect(payload.events).toHaveLength(1)
  const first = await kept.caller.call(protocol.minOffset, { topic: 'E', queueId: 0 })
  expect(first.payload.offset).toBe(0)
})

test('what is read from the disk while it goes is answered with where the queue starts', async () => {
  const kept = await filled({ maxBytes: 2 * SEGMENT })
  kept.world.crash()
  await kept.world.reopen({ cacheBytes: 0 })
  kept.caller = kept.world.caller()
  const pulling = kept.caller.ask(protocol.pullMessage, pullOf(0))
  await kept.retain()
  const { code, payload } = await within(kept.world.time, pulling)
  const isMoved = code === ResponseCode.PULL_OFFSET_MOVED
  expect(isMoved ? payload.nextBeginOffset : payload.messages.length).toBeGreaterThan(0)
})

test('what a restatement freed is known at once after a start from a checkpoint', async () => {
  const kept = await filled({})
  const freeBelow = () => {
    const { core } = kept.world.broker as LiveBroker
    return within(kept.world.time, core.folds.freeBelow())
  }
  await within(kept.world.time, kept.world.broker.restate())
  const freed = await freeBelow()
  expect(freed).toBeGreaterThan(SEGMENT)
  await within(kept.world.time, kept.world.broker.checkpoint())
  kept.world.crash()
  await kept.world.reopen()
  expect((kept.world.broker as LiveBroker).core.folds.from).toBe('checkpoint')
  expect(await freeBelow()).toBe(freed)
  // And of one that came behind the checkpoint.
  await within(kept.world.time, kept.world.broker.restate())
  const later = await freeBelow()
  kept.world.kill()
  await kept.world.reopen()
  expect(await freeBelow()).toBe(later)
  expect(later).toBeGreaterThan(freed)
})

test('a scrub tells the damage that it finds, again and again', async () => {
  const kept = await filled({})
  // A start from the log alone would read it all, and find it.
  await within(kept.world.time, kept.world.broker.checkpoint())
  kept.world.kill()
  const [path] = kept.world.disk.paths().filter((name) => name.endsWith('.seg'))
  if (path === undefined) throw new Error('no segment')
  kept.world.disk.flipBit(path, 8_000)
  await kept.world.reopen({ scrub: { everyMs: 10_000 } })
  const notices: string[] = []
  await kept.world.run(15_000)
  kept.world.broker.onNotice(({ message }) => notices.push(message))
  expect(notices).toHaveLength(1)
  expect(notices[0]).toContain(path)
})
