/**
 * Frames that the official Java clients 5.3.3 and this broker exchanged, as they went over the
 * wire: the first of each shape, in both dialects, from `test/interop/golden-frames.test.ts`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import * as protocol from '../src/index.js'
import {
  codecOf,
  decodeStoredMessage,
  encodeFrame,
  type Frame,
  FrameDecoder,
} from '../src/index.js'

interface Golden {
  /** Dialect, code asked, request or answer with its code, who sent it, and its fields. */
  readonly shape: string
  readonly hex: string
}

const folder = join(import.meta.dirname, 'fixtures')
const golden = ['json', 'binary'].flatMap(
  (dialect) =>
    JSON.parse(readFileSync(join(folder, `java-client-5.3.3-${dialect}.json`), 'utf8')) as Golden[],
)

function frameOf({ hex }: Golden): Frame {
  const decoder = new FrameDecoder()
  decoder.push(Buffer.from(hex, 'hex'))
  const frame = decoder.next()
  if (frame === undefined || decoder.heldBytes > 0) throw new Error('not one frame')
  return frame
}

/** The frame as it is written again from its payload, by the codec of what was asked. */
function rewritten({ shape }: Golden, frame: Frame): Frame {
  const codec = codecOf(Number(shape.split(' ')[1]))
  if (codec === undefined) throw new Error(`no codec: ${shape}`)
  const isRequest = shape.includes('request')
  const encoded = isRequest
    ? codec.encodeRequest(codec.decodeRequest(frame))
    : codec.encodeResponse(codec.decodeResponse(frame))
  return { ...frame, ...encoded }
}

it('there are frames of every request that a client of RocketMQ sends, in both dialects', () => {
  const asked = new Set(
    golden
      .filter(({ shape }) => shape.includes('from client'))
      .map(({ shape }) => shape.split(' ').slice(0, 2).join(' ')),
  )
  const codes = [11, 14, 15, 29, 30, 31, 33, 34, 35, 36, 37, 38, 41, 42, 105, 222, 310, 320, 361]
  for (const dialect of ['json', 'binary'])
    for (const code of codes) expect(asked).toContain(`${dialect} ${code}`)
})

/** Java writes empty fields into a JSON header; we leave them out. */
function asWeWrite(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  const empty = '"extFields":{},'
  const at = bytes.indexOf(empty)
  if (at < 0) return hex
  const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + empty.length)])
  shorter.writeInt32BE(shorter.readInt32BE(0) - empty.length, 0)
  shorter.writeInt32BE(shorter.readInt32BE(4) - empty.length, 4)
  return shorter.toString('hex')
}

test.each(golden)('$shape: written again byte for byte from what was read of it', (each) => {
  expect(encodeFrame(frameOf(each)).toString('hex')).toBe(asWeWrite(each.hex))
})

const withPayload = golden.filter(({ shape }) => !/answer (?!0 |19|20|21)/.test(shape))

test.each(withPayload)('$shape: means the same when its codec writes it again', (each) => {
  const { shape } = each
  const frame = frameOf(each)
  const again = rewritten(each, frame)
  const codec = codecOf(Number(shape.split(' ')[1]))
  const decode = shape.includes('request') ? codec?.decodeRequest : codec?.decodeResponse
  expect(decode?.(again)).toStrictEqual(decode?.(frame))
  // What the broker wrote comes out of its own codec byte for byte.
  if (shape.includes('from broker')) expect(encodeFrame(again).toString('hex')).toBe(each.hex)
})

const first = (shape: string): Frame => {
  const found = golden.find((each) => each.shape.startsWith(shape))
  if (found === undefined) throw new Error(shape)
  return frameOf(found)
}

test('heartbeats of producers and consumers', () => {
  const beats = golden
    .filter(({ shape }) => /^(json|binary) 34 request/.test(shape))
    .map((each) => protocol.heartbeat.decodeRequest(frameOf(each)))
  const consumers = beats.flatMap((beat) => beat.consumers)
  const tags = consumers.find(({ group }) => group === 'G-tags')
  expect(tags?.mode).toBe('clustering')
  const subscriptions = new Map(tags?.subscriptions.map((item) => [item.topic, item.expression]))
  expect(subscriptions).toEqual(
    new Map([
      ['Tags', 'A || C || BB'],
      ['%RETRY%G-tags', '*'],
    ]),
  )
  expect(beats.every((beat) => beat.producerGroups.includes('CLIENT_INNER_PRODUCER'))).toBe(true)
})

describe.each(['json', 'binary'])('what the clients say in the %s dialect', (dialect) => {
  it('a frame of version 5.3.3 in Java', () => {
    expect(first(`${dialect} 105 request`)).toMatchObject({ language: 0, version: 479, flag: 0 })
  })

  it('a send: its fields, its properties, its body', () => {
    const sent = protocol.sendMessage.decodeRequest(first(`${dialect} 310 request`))
    expect(sent).toMatchObject({
      producerGroup: 'P-sync',
      topic: 'Sync',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      body: Buffer.from('body 0 ü'),
    })
    expect(protocol.propertyOf(sent.properties, 'TAGS')).toBe('tag0')
    expect(protocol.propertyOf(sent.properties, 'KEYS')).toBe('key0')
    expect(protocol.propertyOf(sent.properties, 'colour')).toBe('blue 0')
  })

  it('a batch: each message with its own properties', () => {
    const { messages } = protocol.sendBatch.decodeRequest(first(`${dialect} 320 request`))
    expect(messages.map(({ body }) => body.toString())).toEqual(
      Array.from({ length: 12 }, (_, n) => `item ${n}`),
    )
    expect(protocol.propertyOf(messages[3]?.properties ?? '', 'KEYS')).toBe('k3')
  })

  it('a pull, and stored messages that are written again byte for byte', () => {
    const pull = protocol.pullMessage.decodeRequest(first(`${dialect} 11 request`))
    expect(pull).toMatchObject({ maxMessages: 32, suspendMs: 15_000, expressionType: 'TAG' })
    const lite = protocol.pullMessage.decodeRequest(first(`${dialect} 361 request`))
    expect(lite).toMatchObject({ consumerGroup: 'G-lite', subscription: '*', suspendMs: 20_000 })
    const { messages } = protocol.pullMessage.decodeResponse(first(`${dialect} 11 answer 0`))
    for (const bytes of messages) {
      const message = decodeStoredMessage(bytes)
      const target = Buffer.alloc(bytes.length)
      protocol.encodeStoredMessage(message, target, 0, message.physicalOffset)
      expect(target).toEqual(bytes)
    }
    expect(messages.length).toBeGreaterThan(0)
  })

  it('confirmations, asked for and not, with both offsets of their half', () => {
    const check = protocol.checkTransaction.decodeRequest(first(`${dialect} 39 request`))
    expect(check.tranStateTableOffset).toBe(check.commitLogOffset)
    const confirmations = golden
      .filter(({ shape }) => shape.startsWith(`${dialect} 37 request`))
      .map((each) => protocol.endTransaction.decodeRequest(frameOf(each)))
    expect(new Set(confirmations.map((each) => each.fromTransactionCheck))).toEqual(
      new Set([false, true]),
    )
    for (const { commitLogOffset, tranStateTableOffset } of confirmations)
      expect([tranStateTableOffset, commitLogOffset > 0]).toEqual([commitLogOffset, true])
  })
})
