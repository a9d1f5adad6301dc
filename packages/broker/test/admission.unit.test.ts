/**
 * In process a request arrives as the caller made it: what can't be stored is refused before the
 * log.
 */
import { emptyCommit, type QueueOffset } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { ResponseCode } from '@sagalog/protocol'
import { expect, test } from 'vitest'
import type { LiveBroker } from '../src/broker.js'
import { openWorld, messageOf } from './world.js'

const sound = messageOf('T', 'x')

test('numbers that are none are refused, nothing is written, and the directory opens again', async () => {
  const world = await openWorld(41)
  const caller = world.caller()
  await caller.call(protocol.sendMessage, sound)
  const before = world.broker.status().log.sequenced
  for (const wrong of [
    { queueId: 0.5 },
    { queueId: Number.NaN },
    { flag: 2 ** 40 },
    { sysFlag: 1.5 },
    { bornTimestampMs: -1 },
    { reconsumeTimes: Number.POSITIVE_INFINITY },
  ]) {
    const reply = await caller.call(protocol.sendMessage, { ...sound, ...wrong })
    expect(reply.code).toBe(ResponseCode.INVALID_PARAMETER)
    expect(reply.remark).toContain(Object.keys(wrong)[0])
  }
  const message = { topic: 'T', body: Buffer.from('x') }
  for (const delayMs of [Number.NaN, -1, 0.5, 1e15]) {
    const timers = [{ id: 't', delayMs, message }]
    const reply = await caller.call(protocol.commit, { ...emptyCommit, timers })
    expect(reply.code).toBe(ResponseCode.INVALID_PARAMETER)
  }
  const pull = {
    consumerGroup: 'G',
    topic: 'T',
    queueId: 0,
    queueOffset: 0.5 as QueueOffset,
    maxMessages: 1,
    maxBytes: 1,
    suspendMs: 0,
    subscription: '*',
  }
  expect((await caller.call(protocol.pullMessage, pull)).code).toBe(ResponseCode.INVALID_PARAMETER)
  expect(world.broker.status().log.sequenced).toBe(before)
  world.kill()
  await world.reopen()
  expect(world.broker.report.ambiguousBytes).toBe(0)
})

test('a broker that is killed again and again keeps its checkpoints', async () => {
  const options = { segmentBytes: 16 * 1024, checkpointEveryBytes: 4 * 1024 }
  const world = await openWorld(42, options)
  const checkpoints = (): number =>
    world.disk.paths().filter((path) => path.endsWith('.ckpt')).length
  // Each life writes less than the distance between checkpoints; together they write more.
  for (let life = 0; life < 6; life += 1) {
    const caller = world.caller()
    for (let n = 0; n < 6; n += 1)
      await caller.call(protocol.sendMessage, { ...sound, body: Buffer.alloc(200) })
    await world.run(100)
    world.kill()
    await world.reopen()
  }
  expect(checkpoints()).toBeGreaterThan(0)
})

test('timers that are cancelled long before they are due do not pile up in memory', async () => {
  const world = await openWorld(43)
  const caller = world.caller()
  await caller.call(protocol.sendMessage, sound)
  const message = { topic: 'T', body: Buffer.from('x') }
  for (let n = 0; n < 3_000; n += 1) {
    const timers = [{ id: `t${n}`, delayMs: 86_400_000, message }]
    void caller.ask(protocol.commit, { ...emptyCommit, timers })
    void caller.ask(protocol.commit, { ...emptyCommit, cancels: [`t${n}`] })
    if (n % 100 === 0) await world.run(20)
  }
  await world.run(1_000)
  expect(world.broker.status().timersOpen).toBe(0)
  expect((world.broker as LiveBroker).timers.planned).toBeLessThan(1_100)
})
