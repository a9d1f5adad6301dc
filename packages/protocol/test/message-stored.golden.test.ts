/** A stored message as RocketMQ 5.3.3 writes it, byte for byte. */
import { queueOffset } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { decodeStoredMessage, encodeStoredMessage, hostBytes, hostText } from '../src/index.js'
import { type MessageToStore, storedBodyIsIntact, storedMessageBytes } from '../src/index.js'

const HEX =
  '00000062daa320a758932aac0000000100000000000000000000000200000000' +
  '0000012c0000000000000000000000017f0000010000000a0000000000000002' +
  '7f00000100002a9f000000000000000000000000000000026869015400046b017602'

const message: MessageToStore = {
  topic: 'T',
  queueId: 1,
  queueOffset: queueOffset(2),
  flag: 0,
  sysFlag: 0,
  bornTimestampMs: 1,
  bornHost: hostBytes('127.0.0.1:10'),
  storeTimestampMs: 2,
  storeHost: hostBytes('127.0.0.1:10911'),
  reconsumeTimes: 0,
  preparedTransactionOffset: 0,
  properties: 'k\u0001v\u0002',
  body: Buffer.from('hi'),
}

describe('a stored message', () => {
  it('is written as Java writes it, at any index', () => {
    const bytes = storedMessageBytes(message)
    const target = Buffer.alloc(bytes + 10, 0xee)
    expect(encodeStoredMessage(message, target, 5, 300)).toBe(5 + bytes)
    expect(target.toString('hex', 5, 5 + bytes)).toBe(HEX)
    expect(target.toString('hex', 0, 5)).toBe('eeeeeeeeee')
    expect(target.toString('hex', 5 + bytes)).toBe('eeeeeeeeee')
  })

  it('has the address bits of its hosts, whatever its sender says', () => {
    const target = Buffer.alloc(storedMessageBytes(message))
    encodeStoredMessage({ ...message, sysFlag: -1 }, target, 0, 300)
    const read = decodeStoredMessage(target)
    expect([read.sysFlag, read.topic, read.property('k')]).toEqual([~0x30, 'T', 'v'])
  })

  it('is read field by field', () => {
    const bytes = Buffer.from(HEX, 'hex')
    const read = decodeStoredMessage(bytes)
    expect(read.topic).toBe('T')
    expect(read.body.toString()).toBe('hi')
    expect(read.property('k')).toBe('v')
    expect([read.queueId, read.queueOffset, read.physicalOffset]).toEqual([1, 2, 300])
    expect([hostText(read.bornHost), hostText(read.storeHost)]).toEqual([
      '127.0.0.1:10',
      '127.0.0.1:10911',
    ])
    expect(storedBodyIsIntact(bytes, 0)).toBe(true)
  })
})
