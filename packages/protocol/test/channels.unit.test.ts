/** Channels: order, close, refusals, and what a command channel answers by itself. */
import { position, queueOffset } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import { describe, expect, it } from 'vitest'
import {
  channelPair,
  type Command,
  commandChannel,
  encodeFrame,
  endTransaction,
} from '../src/index.js'
import { FrameDecoder, type Frame, onewayOf, pullMessage, requestOf } from '../src/index.js'
import { ResponseCode, responseOf, sendMessage, topicRoute } from '../src/index.js'
import { byteChannelPair } from '../src/testing/index.js'

describe('channelPair', () => {
  it('hands over inside send, or once a receiver is set', () => {
    const [left, right] = channelPair<number>()
    const got: number[] = []
    left.send(1)
    left.send(2)
    right.onItem((item) => got.push(item))
    expect(got).toEqual([1, 2])
    left.send(3)
    expect(got).toEqual([1, 2, 3])
  })

  it('does not hand over an item inside an earlier one', () => {
    const [left, right] = channelPair<number>()
    const log: string[] = []
    right.onItem((item) => {
      log.push(`begin ${item}`)
      right.send(item)
      log.push(`end ${item}`)
    })
    left.onItem((item) => {
      if (item < 3) left.send(item + 1)
    })
    left.send(1)
    expect(log).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3'])
  })

  it('tells both ends of the close once; an end that closed receives nothing more', () => {
    const [left, right] = channelPair<number>()
    const log: string[] = []
    left.onClose((reason) => log.push(`left ${reason}`))
    right.onClose((reason) => log.push(`right ${reason}`))
    left.send(1)
    left.close('done')
    expect(log).toEqual(['left done'])
    right.close('again')
    expect(log).toEqual(['left done', 'right done'])
    expect([left.send(2), right.send(3)]).toEqual([false, false])
    right.onItem((item) => log.push(`item ${item}`))
    expect(log).toEqual(['left done', 'right done'])
  })

  it('delivers what was sent before the close', () => {
    const [left, right] = channelPair<number>()
    const log: string[] = []
    right.onClose((reason) => log.push(`right ${reason}`))
    left.send(1)
    left.close('done')
    expect(log).toEqual([])
    right.onItem((item) => log.push(`item ${item}`))
    expect(log).toEqual(['item 1', 'right done'])
    const late: string[] = []
    left.onClose((reason) => late.push(reason))
    expect(late).toEqual(['done'])
  })
})

const pullRequest = {
  consumerGroup: 'G',
  topic: 'T',
  queueId: 0,
  queueOffset: queueOffset(5),
  maxMessages: 32,
  maxBytes: 1000,
  suspendMs: 0,
  subscription: '*',
}

function ends(): {
  client: ReturnType<typeof commandChannel>
  broker: ReturnType<typeof commandChannel>
} {
  const [near, far] = byteChannelPair(seededRandom(1))
  return { client: commandChannel(near), broker: commandChannel(far) }
}

/** Sends frames as they are; collects what comes back and why the channel ended. */
function rawPeer(): {
  send: (frame: Partial<Frame>) => void
  sendBytes: (bytes: Buffer) => void
  frames: Frame[]
  reasons: string[]
  received: Command[]
  broker: ReturnType<typeof commandChannel>
} {
  const [near, far] = channelPair<Buffer>()
  const broker = commandChannel(far)
  const received: Command[] = []
  broker.onItem((command) => received.push(command))
  const decoder = new FrameDecoder()
  const frames: Frame[] = []
  const reasons: string[] = []
  near.onItem((chunk) => {
    decoder.push(chunk)
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame)
  })
  near.onClose((reason) => reasons.push(reason))
  const plain: Frame = {
    dialect: 'json',
    code: 0,
    language: 0,
    version: 0,
    opaque: 9,
    flag: 0,
    fields: new Map(),
    body: Buffer.alloc(0),
  }
  return {
    send: (frame) => near.send(encodeFrame({ ...plain, ...frame })),
    sendBytes: (bytes) => near.send(bytes),
    frames,
    reasons,
    received,
    broker,
  }
}

describe('commandChannel', () => {
  it('gives a refusal without payload, and a status with it', () => {
    const { client, broker } = ends()
    const payload = {
      nextBeginOffset: queueOffset(0),
      minOffset: queueOffset(0),
      maxOffset: queueOffset(3),
      messages: [],
    }
    broker.onItem((command) => {
      const code =
        command.opaque === 1 ? ResponseCode.PULL_OFFSET_MOVED : ResponseCode.NO_PERMISSION
      const answer = command.opaque === 1 ? payload : undefined
      broker.send(responseOf(command, { code, payload: answer, remark: 'because' }))
    })
    const got: Command[] = []
    client.onItem((command) => got.push(command))
    client.send(requestOf(pullMessage, 1, pullRequest))
    client.send(requestOf(pullMessage, 2, pullRequest))
    expect(got).toEqual([
      { code: 21, opaque: 1, flag: 1, remark: 'because', payload },
      { code: 16, opaque: 2, flag: 1, remark: 'because', payload: undefined },
    ])
  })

  it('carries the standing outcome of a decision that came too late', () => {
    const { client, broker } = ends()
    broker.onItem((command) =>
      broker.send(
        responseOf(command, { code: ResponseCode.ALREADY_DECIDED, payload: { outcome: 'commit' } }),
      ),
    )
    const got: unknown[] = []
    client.onItem((command) => got.push(command.payload))
    const request = {
      topic: 'T',
      producerGroup: 'P',
      tranStateTableOffset: 0,
      commitLogOffset: position(64),
      decision: 'rollback' as const,
      fromTransactionCheck: false,
      msgId: 'M',
      transactionId: 'X',
    }
    client.send(requestOf(endTransaction, 1, request))
    expect(got).toEqual([{ outcome: 'commit' }])
  })

  it('sends bodies that are too long to copy', () => {
    const { client, broker } = ends()
    const got: unknown[] = []
    broker.onItem((command) => got.push(command.payload))
    const body = Buffer.alloc(40_000, 3)
    const send = {
      producerGroup: 'P',
      topic: 'T',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: -1,
      sysFlag: 0,
      bornTimestampMs: 0,
      flag: 0,
      properties: '',
      reconsumeTimes: 0,
      body,
    }
    client.send(onewayOf(sendMessage, 1, send))
    client.send(onewayOf(sendMessage, 2, send))
    expect(got).toEqual([send, send])
  })

  it('answers a request with wrong fields itself, in its dialect', () => {
    const peer = rawPeer()
    peer.send({ code: 105, dialect: 'json' })
    peer.send({ code: 105, dialect: 'binary', flag: 2 })
    peer.send({ code: 310, dialect: 'binary', fields: new Map([['a', 'P']]) })
    expect(peer.received).toEqual([])
    expect(
      peer.frames.map(({ code, dialect, opaque, flag }) => [code, dialect, opaque, flag]),
    ).toEqual([
      [1, 'json', 9, 1],
      [1, 'binary', 9, 1],
    ])
    expect(peer.frames[0]?.remark).toContain('the custom field <topic> is null')
    expect(peer.frames[1]?.fields.get('TRACE_ON')).toBe('false')
  })

  it('hands over a request that it does not know, and takes its refusal', () => {
    const peer = rawPeer()
    peer.send({ code: 200_050, fields: new Map([['k', 'v']]), body: Buffer.from('b') })
    const [command] = peer.received
    expect(command?.code).toBe(200_050)
    expect(command?.payload).toMatchObject({
      fields: new Map([['k', 'v']]),
      body: Buffer.from('b'),
    })
    if (command === undefined) return
    const refusal = { code: ResponseCode.REQUEST_CODE_NOT_SUPPORTED, payload: undefined }
    expect(peer.broker.send(responseOf(command, refusal))).toBe(true)
    expect(peer.frames[0]?.code).toBe(3)
    expect(peer.broker.send(responseOf(command, refusal))).toBe(false)
  })

  it('hands over an old send under the new code', () => {
    const peer = rawPeer()
    const { fields } = sendMessage.encodeRequest({
      producerGroup: 'P',
      topic: 'T',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: 0,
      sysFlag: 0,
      bornTimestampMs: 0,
      flag: 0,
      properties: '',
      reconsumeTimes: 0,
      body: Buffer.alloc(0),
    })
    peer.send({ code: 10, fields })
    expect(peer.received.map(({ code }) => code)).toEqual([310])
  })

  it('drops a response that answers nothing, and goes on', () => {
    const peer = rawPeer()
    peer.send({ code: 0, flag: 1 })
    peer.send({ code: 105, fields: new Map([['topic', 'T']]) })
    expect(peer.received.map(({ payload }) => payload)).toEqual([{ topic: 'T' }])
  })

  it('closes when a frame can not be read', () => {
    const peer = rawPeer()
    peer.sendBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    expect(peer.reasons).toHaveLength(1)
    expect(peer.reasons[0]).toContain('FRAME_TOO_LARGE')
    expect(peer.broker.send(requestOf(topicRoute, 1, { topic: 'T' }))).toBe(false)
  })

  it('closes when a response can not be read', () => {
    const peer = rawPeer()
    peer.broker.send(requestOf(topicRoute, 1, { topic: 'T' }))
    peer.send({ code: 0, flag: 1, opaque: 1, body: Buffer.from('{') })
    expect(peer.reasons[0]).toContain('no JSON')
  })

  it('closes when its peer leaves too many requests unanswered by us', () => {
    const peer = rawPeer()
    const fields = new Map([['topic', 'T']])
    for (let opaque = 0; opaque <= 65_536 && peer.reasons.length === 0; opaque += 1)
      peer.send({ code: 105, opaque, fields })
    expect(peer.received).toHaveLength(65_536)
    expect(peer.reasons[0]).toContain('without an answer')
  })

  it('lets an error of the receiver through', () => {
    const peer = rawPeer()
    peer.broker.onItem(() => {
      throw new RangeError('mine')
    })
    expect(() => peer.send({ code: 105, fields: new Map([['topic', 'T']]) })).toThrow('mine')
    expect(peer.reasons).toEqual([])
  })
})
