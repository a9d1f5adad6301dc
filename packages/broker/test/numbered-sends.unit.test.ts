/** A send that is repeated is stored once and answered with the place of the first. */
import * as protocol from '@sagalog/protocol'
import { ResponseCode } from '@sagalog/protocol'
import { describe, expect, test } from 'vitest'
import { type Caller, messageOf, openWorld, uniqueKey } from './world.js'
import { wires, within, type World } from './world.js'

const { SEQUENCED } = protocol.MessageSysFlag

interface Numbered {
  readonly number: number
  readonly span?: number
  readonly producer?: number
}

const propertiesOf = ({ number, producer = 7, span = 0 }: Numbered, before = ''): string =>
  `${before}UNIQ_KEY\u0001${uniqueKey({ producer, number, span })}\u0002`

type More = Partial<protocol.SendMessageRequest>

const sendOf = (send: Numbered, more: More = {}): protocol.SendMessageRequest =>
  messageOf('T', `m${send.number}`, {
    sysFlag: SEQUENCED,
    properties: propertiesOf(send),
    ...more,
  })

const send = (caller: Caller, numbered: Numbered, more?: More) =>
  caller.call(protocol.sendMessage, sendOf(numbered, more))

const storedIn = (world: World): number => world.broker.status().log.sequenced

async function depth(caller: Caller, queueId = 0): Promise<number> {
  const { payload } = await caller.call(protocol.maxOffset, { topic: 'T', queueId })
  return payload.offset
}

describe.each(wires)('a numbered send over %s', (wire) => {
  test('that is repeated gets the answer of the first', async () => {
    const world = await openWorld(1, { wire })
    const caller = world.caller()
    const first = await send(caller, { number: 0 })
    const second = await send(caller, { number: 1, span: 1 }, { queueId: 1 })
    const before = storedIn(world)
    expect((await send(caller, { number: 1, span: 1 }, { queueId: 1 })).payload).toEqual(
      second.payload,
    )
    expect((await send(caller, { number: 0 })).payload).toEqual(first.payload)
    expect(storedIn(world)).toBe(before)
    expect(await depth(caller)).toBe(1)
    // The same unique id proves nothing without the bit: others send one message twice.
    await send(caller, { number: 0 }, { sysFlag: 0 })
    expect(await depth(caller)).toBe(2)
  })

  test('is known again twice in one gather, and from another connection', async () => {
    const world = await openWorld(2, { wire })
    const [one, two] = [world.caller(), world.caller()]
    const asked = [one, one, two].map((caller) =>
      caller.ask(protocol.sendMessage, sendOf({ number: 0 })),
    )
    await world.run(1_000)
    const [first, ...others] = await Promise.all(asked)
    for (const other of others) expect(other.payload).toEqual(first?.payload)
    expect(await depth(one)).toBe(1)
  })

  test.each(['log', 'checkpoint', 'restatement'] as const)(
    'is known again after a loss of power, out of the %s',
    async (from) => {
      const world = await openWorld(3, { wire })
      const first = await send(world.caller(), { number: 0 })
      const half = await send(
        world.caller(),
        { number: 1, span: 1 },
        {
          sysFlag: SEQUENCED | 4,
          properties: `${propertiesOf({ number: 1, span: 1 })}TRAN_MSG\u0001true\u0002PGROUP\u0001P\u0002`,
        },
      )
      const delayed = await send(
        world.caller(),
        { number: 2, span: 2 },
        { properties: propertiesOf({ number: 2, span: 2 }, 'DELAY\u000118\u0002') },
      )
      if (from === 'checkpoint') await within(world.time, world.broker.checkpoint())
      if (from === 'restatement') await within(world.time, world.broker.restate())
      world.crash()
      await world.reopen()
      const caller = world.caller()
      const before = world.broker.status()
      expect((await send(caller, { number: 0 })).payload).toEqual(first.payload)
      expect(
        (await send(caller, { number: 1, span: 1 }, { sysFlag: SEQUENCED | 4 })).payload,
      ).toEqual(half.payload)
      expect((await send(caller, { number: 2, span: 2 })).payload).toEqual(delayed.payload)
      expect(world.broker.status().log.sequenced).toBe(before.log.sequenced)
      expect(before).toMatchObject({ halvesOpen: 1, timersOpen: 1 })
    },
  )

  test('of a batch is known again, whole', async () => {
    const world = await openWorld(4, { wire })
    const caller = world.caller()
    const { body: _, ...header } = sendOf({ number: 0 })
    const messages = [0, 1, 2].map((number) => ({
      flag: 0,
      properties: propertiesOf({ number, span: number }),
      body: Buffer.from(`m${number}`),
    }))
    const first = await caller.call(protocol.sendBatch, { ...header, messages })
    world.crash()
    await world.reopen()
    const again = await world.caller().call(protocol.sendBatch, { ...header, messages })
    expect(again.payload).toEqual(first.payload)
    expect(first.payload.msgId.split(',')).toHaveLength(3)
    expect(await depth(world.caller())).toBe(3)
  })

  test('is refused when its producer gave it up, or was forgotten', async () => {
    const world = await openWorld(5, { wire, producersKept: 2 })
    const caller = world.caller()
    const codeOf = async (numbered: Numbered, more?: More): Promise<number> =>
      (await send(caller, numbered, more)).code
    expect(await codeOf({ number: 1, span: 1 })).toBe(ResponseCode.SUCCESS)
    expect(await codeOf({ number: 3, span: 0 })).toBe(ResponseCode.SUCCESS)
    // Number 2 ended for its producer before number 3 was made: it comes too late.
    expect(await codeOf({ number: 2, span: 2 })).toBe(ResponseCode.PRODUCER_FORGOTTEN)
    expect(await codeOf({ number: 0, producer: 8 })).toBe(ResponseCode.SUCCESS)
    expect(await codeOf({ number: 0, producer: 9 })).toBe(ResponseCode.SUCCESS)
    expect(await codeOf({ number: 3, span: 0 })).toBe(ResponseCode.PRODUCER_FORGOTTEN)
    world.crash()
    await world.reopen()
    const { code } = await send(world.caller(), { number: 4, span: 0 })
    expect(code).toBe(ResponseCode.PRODUCER_FORGOTTEN)
    expect((await send(world.caller(), { number: 0, producer: 8 })).code).toBe(ResponseCode.SUCCESS)
    expect(await depth(world.caller())).toBe(4)
  })

  test('waits for the one that it stands behind', async () => {
    const world = await openWorld(6, { wire })
    const caller = world.caller()
    const behind = async (numbered: Numbered, before: number): Promise<number> =>
      (await send(caller, numbered, { behind: before })).code
    expect(await behind({ number: 1, span: 1 }, 0)).toBe(ResponseCode.SYSTEM_BUSY)
    expect((await send(caller, { number: 0 })).code).toBe(ResponseCode.SUCCESS)
    expect(await behind({ number: 2, span: 2 }, 1)).toBe(ResponseCode.SYSTEM_BUSY)
    expect(await behind({ number: 1, span: 1 }, 0)).toBe(ResponseCode.SUCCESS)
    expect(await behind({ number: 2, span: 2 }, 1)).toBe(ResponseCode.SUCCESS)
    // One that its producer gave up is not waited for.
    expect(await behind({ number: 9, span: 2 }, 5)).toBe(ResponseCode.SUCCESS)
    expect(await depth(caller)).toBe(4)
  })

  test('with the bit and without a number is refused', async () => {
    const world = await openWorld(7, { wire })
    const caller = world.caller()
    for (const properties of [
      '',
      'UNIQ_KEY\u0001abc\u0002',
      `UNIQ_KEY\u0001${'Z'.repeat(32)}\u0002`,
    ])
      expect((await send(caller, { number: 0 }, { properties })).code).toBe(
        ResponseCode.MESSAGE_ILLEGAL,
      )
  })
})
