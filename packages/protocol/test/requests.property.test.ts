/** Every request and response survives: its codec alone, and a channel that re-chunks the bytes. */
import { queueOffset } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Command, commandChannel, onewayOf, requestCodecs } from '../src/index.js'
import { requestOf, ResponseCode, responseOf, sendMessage } from '../src/index.js'
import { byteChannelPair } from '../src/testing/index.js'
import { endsWell } from './arbitraries.js'
import { cases } from './payloads.js'

const RUNS = { numRuns: 60 }

it('has a case for every codec', () => {
  expect(new Set(cases.map(({ codec }) => codec.code))).toEqual(
    new Set(requestCodecs.map((codec) => codec.code)),
  )
})

describe.each(cases.map((each) => [each.codec.name, each] as const))('%s', (_, each) => {
  const { codec, request, response } = each

  it('reads the request that it wrote', () => {
    fc.assert(
      fc.property(request, (value) => {
        expect(codec.decodeRequest(codec.encodeRequest(value))).toStrictEqual(value)
      }),
      RUNS,
    )
  })

  it('reads the response that it wrote', () => {
    fc.assert(
      fc.property(response, (value) => {
        expect(codec.decodeResponse(codec.encodeResponse(value))).toStrictEqual(value)
      }),
      RUNS,
    )
  })

  it('survives a channel of bytes, there and back, in both dialects', () => {
    const dialects = fc.constantFrom('json' as const, 'binary' as const)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(request, response), { minLength: 1, maxLength: 5 }),
        dialects,
        fc.integer(),
        (exchanges, dialect, seed) => {
          const [near, far] = byteChannelPair(seededRandom(seed))
          const client = commandChannel(near, { dialect })
          const broker = commandChannel(far)
          const requests: unknown[] = []
          const responses: unknown[] = []
          broker.onItem((command) => {
            const answer = exchanges[requests.push(command.payload) - 1]?.[1]
            expect(command.code).toBe(codec.code)
            broker.send(responseOf(command, { code: ResponseCode.SUCCESS, payload: answer }))
          })
          client.onItem((command) => responses.push(command.payload))
          for (const [opaque, [asked]] of exchanges.entries())
            expect(client.send(requestOf(codec, opaque - 2, asked))).toBe(true)
          expect(requests).toStrictEqual(exchanges.map(([asked]) => asked))
          expect(responses).toStrictEqual(exchanges.map(([, answered]) => answered))
        },
      ),
      { numRuns: 30 },
    )
  })

  it('survives one-way, in turns of a clock', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 4 }), fc.integer(), (asked, seed) => {
        const random = seededRandom(seed)
        const time = simulatedTime(random.fork('time'))
        const [near, far] = byteChannelPair(random, time.nodeClock())
        const received: Command[] = []
        const log: string[] = []
        const broker = commandChannel(far)
        broker.onItem((command) => received.push(command))
        broker.onClose((reason) => log.push(`${reason} after ${received.length}`))
        const client = commandChannel(near)
        for (const payload of asked) client.send(onewayOf(codec, 1, payload))
        client.close('bye')
        expect(received).toEqual([])
        while (time.step());
        expect(received.map(({ payload }) => payload)).toStrictEqual(asked)
        expect(log).toEqual([`bye after ${asked.length}`])
      }),
      { numRuns: 20 },
    )
  })

  it('gives a value or a ProtocolError for any fields and body', () => {
    const names = fc.oneof(
      fc.constantFrom(...requestNames(), 'a', 'producerGroup', 'mode', 'from'),
      fc.string({ maxLength: 4 }),
    )
    const values = fc.oneof(fc.string(), fc.integer().map(String), fc.constantFrom('', '-1', '1e9'))
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array)),
      fc.json().map((json) => Buffer.from(json)),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values)), bodies, (fields, body) => {
        for (const decode of [codec.decodeRequest, codec.decodeResponse]) {
          expect(endsWell(() => decode({ fields: new Map(fields), body }))).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('gives a value or a ProtocolError for any change of one byte of a body', () => {
    fc.assert(
      fc.property(request, response, fc.nat(), fc.nat(255), (asked, answered, at, value) => {
        const both = [
          [codec.encodeRequest(asked), codec.decodeRequest],
          [codec.encodeResponse(answered), codec.decodeResponse],
        ] as const
        for (const [{ fields, body }, decode] of both) {
          const damaged = Buffer.from(body)
          if (damaged.length > 0) damaged[at % damaged.length] = value
          const cut = body.subarray(0, at % (body.length + 1))
          for (const bytes of [damaged, cut]) {
            expect(endsWell(() => decode({ fields, body: bytes }))).toBe(true)
          }
        }
      }),
      RUNS,
    )
  })

  function requestNames(): string[] {
    const [sample] = fc.sample(request, 1)
    return [...codec.encodeRequest(sample).fields.keys(), 'x']
  }
})

describe('the old dialect of a send', () => {
  it('is read by its long names', () => {
    const fields = new Map([
      ['producerGroup', 'PG'],
      ['topic', 'T'],
      ['defaultTopic', 'TBW102'],
      ['defaultTopicQueueNums', '4'],
      ['queueId', '-1'],
      ['sysFlag', '0'],
      ['bornTimestamp', '17'],
      ['flag', '3'],
      ['properties', 'k\u0001v\u0002'],
      ['unitMode', 'false'],
    ])
    expect(sendMessage.decodeRequest({ fields, body: Buffer.from('hi') })).toStrictEqual({
      producerGroup: 'PG',
      topic: 'T',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: -1,
      sysFlag: 0,
      bornTimestampMs: 17,
      flag: 3,
      properties: 'k\u0001v\u0002',
      reconsumeTimes: 0,
      body: Buffer.from('hi'),
    })
  })

  it('names the missing field as Java does', () => {
    const encoded = { fields: new Map([['a', 'PG']]), body: Buffer.alloc(0) }
    expect(() => sendMessage.decodeRequest(encoded)).toThrow('the custom field <b> is null')
  })

  it('answers with the fields that Java clients need', () => {
    const response = { msgId: 'A', queueId: 0, queueOffset: queueOffset(1) }
    expect([...sendMessage.encodeResponse(response).fields.keys()]).toEqual([
      'MSG_REGION',
      'TRACE_ON',
      'msgId',
      'queueId',
      'queueOffset',
    ])
  })
})
