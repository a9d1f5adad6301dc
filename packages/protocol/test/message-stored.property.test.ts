/** Stored messages: what is written is read; anything else is refused, never read beyond. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeStoredMessage, encodeStoredMessage, ProtocolError } from '../src/index.js'
import { storedBodyIsIntact, storedMessageBytes, storedMessagesIn } from '../src/index.js'
import { count } from './arbitraries.js'
import { storedMessage, toStore } from './payloads.js'

describe('a stored message', () => {
  it('reads as it was written, at any index', () => {
    fc.assert(
      fc.property(toStore, count, fc.nat(20), (message, physicalOffset, at) => {
        const bytes = storedMessageBytes(message)
        const target = Buffer.alloc(at + bytes + 3)
        expect(encodeStoredMessage(message, target, at, physicalOffset)).toBe(at + bytes)
        const read = decodeStoredMessage(target, at)
        const { topic, queueId, queueOffset, flag, bornTimestampMs, bornHost } = read
        const { storeTimestampMs, storeHost, reconsumeTimes, properties, body } = read
        const { preparedTransactionOffset } = read
        expect({
          topic,
          queueId,
          queueOffset,
          flag,
          sysFlag: read.sysFlag & ~0x30,
          bornTimestampMs,
          bornHost,
          storeTimestampMs,
          storeHost,
          reconsumeTimes,
          preparedTransactionOffset,
          properties,
          body,
        }).toEqual(message)
        expect([read.physicalOffset, read.totalBytes]).toEqual([physicalOffset, bytes])
        expect(storedBodyIsIntact(target, at)).toBe(true)
      }),
    )
  })

  it('is told apart from its neighbours', () => {
    fc.assert(
      fc.property(fc.array(storedMessage, { maxLength: 6 }), (messages) => {
        expect(storedMessagesIn(Buffer.concat(messages))).toEqual(messages)
      }),
    )
  })

  it('is refused, or read inside its bytes, after any change', () => {
    fc.assert(
      fc.property(storedMessage, fc.nat(), fc.nat(255), fc.boolean(), (bytes, at, value, isCut) => {
        const damaged = isCut ? bytes.subarray(0, at % bytes.length) : Buffer.from(bytes)
        if (!isCut) damaged[at % damaged.length] = value
        try {
          const read = decodeStoredMessage(damaged)
          const fields = [read.topic, read.properties, read.bornHost, read.storeTimestampMs]
          expect(fields).toHaveLength(4)
          expect(read.body.length).toBeLessThan(damaged.length)
        } catch (error) {
          if (!ProtocolError.is(error)) throw error
        }
      }),
      { numRuns: 500 },
    )
  })
})
