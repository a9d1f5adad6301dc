/**
 * A log that failed: nothing is acknowledged any more, everybody is told, and a new start goes on.
 */
import { queueOffset } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { ResponseCode } from '@sagalog/protocol'
import { describe, expect, test } from 'vitest'
import { openWorld, wires, messageOf } from './world.js'

const send = (body: string): protocol.SendMessageRequest => messageOf('T', body)

describe.each(wires)('a broker over %s', (wire) => {
  test('after a failed sync nothing is acknowledged until the broker is opened again', async () => {
    const world = await openWorld(31, { wire })
    const caller = world.caller()
    await caller.call(protocol.sendMessage, send('kept'))
    world.disk.failNextSync()
    let isAnswered = false
    void caller.ask(protocol.sendMessage, send('lost')).then(() => {
      isAnswered = true
    })
    await world.run(5_000)
    expect(isAnswered).toBe(false)
    expect(caller.closedBecause).toContain('the log failed')
    expect(world.broker.failure?.message).toContain('FLUSH_FAILED')
    const late = await world.caller().call(protocol.sendMessage, send('late'))
    expect(late.code).toBe(ResponseCode.SERVICE_NOT_AVAILABLE)
    await expect(world.broker.checkpoint()).rejects.toThrow('LOG_FAILED')

    world.crash()
    await world.reopen()
    const next = world.caller()
    await next.call(protocol.sendMessage, send('after'))
    const pulled = await next.call(protocol.pullMessage, {
      consumerGroup: 'G',
      topic: 'T',
      queueId: 0,
      queueOffset: queueOffset(0),
      maxMessages: 10,
      maxBytes: 100_000,
      suspendMs: 0,
      subscription: '*',
    })
    const bodies = pulled.payload.messages.map((bytes) =>
      protocol.decodeStoredMessage(bytes).body.toString(),
    )
    expect(bodies[0]).toBe('kept')
    expect(bodies.at(-1)).toBe('after')
    expect(bodies).not.toContain('late')
  })

  test('a full disk refuses with a code that says so, reads go on, and work resumes by itself', async () => {
    const world = await openWorld(32, { wire, segmentBytes: 16 * 1024 })
    const caller = world.caller()
    await caller.call(protocol.sendMessage, send('first'))
    world.disk.setCapacity(0)
    let refusal: number | undefined
    for (let n = 0; n < 200 && refusal === undefined; n += 1) {
      const reply = await caller.call(protocol.sendMessage, send('x'.repeat(400)))
      if (reply.code !== ResponseCode.SUCCESS) refusal = reply.code
    }
    expect(refusal).toBe(ResponseCode.SERVICE_NOT_AVAILABLE)
    const pull = {
      consumerGroup: 'G',
      topic: 'T',
      queueId: 0,
      queueOffset: queueOffset(0),
      maxMessages: 1,
      maxBytes: 100_000,
      suspendMs: 0,
      subscription: '*',
    }
    expect((await caller.call(protocol.pullMessage, pull)).payload.messages).toHaveLength(1)
    world.disk.setCapacity(undefined)
    await world.run(10_000)
    const resumed = await caller.call(protocol.sendMessage, send('resumed'))
    expect(resumed.code).toBe(ResponseCode.SUCCESS)
  })
})
