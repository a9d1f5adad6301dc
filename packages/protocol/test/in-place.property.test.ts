/** The quick way of the fields writes the same bytes and reads the same values as the map. */
import { position, queueOffset } from '@sagalog/kernel'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FieldReader } from '../src/field-reader.js'
import { FieldWriter } from '../src/field-writer.js'
import { FIELDS_BYTES_MAX, type FieldsInPlace } from '../src/fields-in-place.js'
import { type Encoded, encodeFrame, type Frame, FrameDecoder, ProtocolError } from '../src/index.js'
import type { SendMessageRequest } from '../src/index.js'
import { bytes as someBytes, count32, int32, name as anyName, record } from './arbitraries.js'
import { cases } from './payloads.js'

const SEND_KEYS = [
  'producerGroup',
  'topic',
  'defaultTopic',
  'defaultTopicQueueNums',
  'queueId',
  'sysFlag',
  'bornTimestampMs',
  'flag',
  'properties',
  'reconsumeTimes',
  'body',
] as (keyof SendMessageRequest)[]

/** As clients send them: the payloads of the other tests are seldom plain. */
const ascii = fc.stringMatching(/^[\u0000-\u007f]{1,80}$/)
const usual: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  'request sendMessage': record(
    {
      producerGroup: anyName,
      topic: anyName,
      defaultTopic: anyName,
      defaultTopicQueueNums: int32,
      queueId: int32,
      sysFlag: int32,
      bornTimestampMs: fc.nat({ max: 999_999_999_999_999 }),
      flag: int32,
      properties: ascii,
      reconsumeTimes: count32,
      maxReconsumeTimes: int32,
      behind: fc.nat(),
      body: someBytes,
    },
    { requiredKeys: SEND_KEYS },
  ),
  'response sendMessage': record(
    {
      msgId: ascii,
      queueId: count32,
      queueOffset: fc.nat({ max: 999_999_999_999_999 }).map(queueOffset),
      transactionId: ascii,
    },
    { requiredKeys: ['msgId', 'queueId', 'queueOffset'] },
  ),
  'request endTransaction': record({
    topic: anyName,
    producerGroup: anyName,
    tranStateTableOffset: fc.nat({ max: 999_999_999_999_999 }),
    commitLogOffset: fc.nat({ max: 999_999_999_999_999 }).map(position),
    decision: fc.constantFrom('commit', 'rollback', 'unknown'),
    fromTransactionCheck: fc.boolean(),
    msgId: ascii,
    transactionId: ascii,
  }),
}

interface Way {
  readonly name: string
  readonly quick: FieldsInPlace<unknown>
  readonly payload: fc.Arbitrary<unknown>
  encode(payload: unknown): Encoded
  decode(encoded: Encoded): unknown
}

/** Half of them usual ones. */
const mixed = (which: string, any: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof(usual[which] ?? any, any)

const ways = cases.flatMap(({ codec, request, response }): Way[] => {
  const { requestInPlace, responseInPlace } = codec
  const asked: Way[] =
    requestInPlace === undefined
      ? []
      : [
          {
            name: `request ${codec.name}`,
            quick: requestInPlace,
            payload: mixed(`request ${codec.name}`, request),
            encode: (payload) => codec.encodeRequest(payload),
            decode: (encoded) => codec.decodeRequest(encoded),
          },
        ]
  if (responseInPlace === undefined) return asked
  const answered: Way = {
    name: `response ${codec.name}`,
    quick: responseInPlace,
    payload: mixed(`response ${codec.name}`, response),
    encode: (payload) => codec.encodeResponse(payload),
    decode: (encoded) => codec.decodeResponse(encoded),
  }
  return [...asked, answered]
})

const FIELDS_AT = 29

const frameOf = ({ body, fields }: Encoded): Frame => ({
  dialect: 'binary',
  code: 310,
  language: 7,
  version: 479,
  opaque: 1,
  flag: 0,
  fields,
  body,
})

/** The value that is read in place of the frame in `bytes`. */
function readInPlace(way: Way, bytes: Buffer, body: Buffer): unknown {
  const reader = new FieldReader()
  reader.begin(bytes, FIELDS_AT, bytes.length - body.length)
  return way.quick.read(reader, body)
}

/** The value that is read by the map, or the error. */
function readByMap(way: Way, bytes: Buffer): unknown {
  const decoder = new FrameDecoder()
  decoder.push(bytes)
  try {
    const frame = decoder.next()
    return frame === undefined ? 'no frame' : way.decode(frame)
  } catch (error) {
    if (!ProtocolError.is(error)) throw error
    return 'a ProtocolError'
  }
}

it('is there for what comes most often', () => {
  const names = ways.map((way) => way.name)
  expect(names).toContain('request sendMessage')
  expect(names).toContain('response sendMessage')
  expect(names).toContain('request endTransaction')
})

describe.each(ways.map((way) => [way.name, way] as const))('%s', (_, way) => {
  it('writes the bytes that the map becomes, and no more than it said', () => {
    fc.assert(
      fc.property(way.payload, fc.nat(9), (payload, before) => {
        const bytesMax = way.quick.bytesMax(payload)
        fc.pre(bytesMax <= FIELDS_BYTES_MAX)
        const target = Buffer.alloc(before + bytesMax)
        const writer = new FieldWriter()
        writer.begin(target, before)
        way.quick.write(payload, writer)
        const end = writer.end()
        expect(end).toBeLessThanOrEqual(before + bytesMax)
        const encoded = way.encode(payload)
        const whole = encodeFrame(frameOf(encoded))
        const fields = whole.subarray(FIELDS_AT, whole.length - encoded.body.length)
        expect(target.toString('hex', before, end)).toBe(fields.toString('hex'))
        expect(way.quick.bodyOf(payload)).toEqual(encoded.body)
      }),
      { numRuns: 300 },
    )
  })

  it('reads what it wrote, when it is plain', () => {
    let plain = 0
    fc.assert(
      fc.property(way.payload, (payload) => {
        const encoded = way.encode(payload)
        const read = readInPlace(way, encodeFrame(frameOf(encoded)), encoded.body)
        if (read === undefined) return
        plain += 1
        expect(read).toStrictEqual(payload)
      }),
      { numRuns: 300 },
    )
    expect(plain).toBeGreaterThan(100)
  })

  it('reads any fields as the map does, or leaves them to it', () => {
    const [sample] = fc.sample(way.payload, 1)
    const known = [...way.encode(sample).fields.keys()]
    const name = fc.oneof(fc.constantFrom(...known, 'A', 'l', 'm', 'n', 'q', ''), fc.string())
    const digits = ['0', '-0', '007', '+1', ' 1', '1e3', '-5', '2147483648', '999999999999999']
    const long = [
      '8',
      '12',
      'TRUE',
      '9999999999999999',
      '9007199254740993',
      '-9007199254740992',
      'é',
      '\u0000',
    ]
    const value = fc.oneof(fc.constantFrom(...digits, ...long, ''), fc.nat().map(String))
    fc.assert(
      fc.property(way.payload, fc.array(fc.tuple(name, value)), (payload, more) => {
        const { body, fields } = way.encode(payload)
        const bytes = encodeFrame(frameOf({ body, fields: new Map([...fields, ...more]) }))
        const read = readInPlace(way, bytes, body)
        if (read !== undefined) expect(read).toStrictEqual(readByMap(way, bytes))
      }),
      { numRuns: 300 },
    )
  })

  it('reads damaged fields as the map does, or leaves them to it', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(way.payload, damage, (payload, changes) => {
        const { body, fields } = way.encode(payload)
        const bytes = encodeFrame(frameOf({ body, fields }))
        const length = bytes.length - body.length - FIELDS_AT
        for (const [at, byte] of changes) bytes[FIELDS_AT + (at % length)] = byte
        const read = readInPlace(way, bytes, body)
        if (read !== undefined) expect(read).toStrictEqual(readByMap(way, bytes))
      }),
      { numRuns: 300 },
    )
  })
})
