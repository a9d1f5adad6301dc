import { StoredMessage } from '@sagalog/protocol'
import * as t from 'io-ts'
import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { receivedMessage, topic } from '../src/index.js'
import { newListener } from '../src/listener.js'
import { storedMessage } from './scripted-peer.js'

/** Counts how often the text of the properties is asked for. */
class CountedMessage extends StoredMessage {
  reads = 0

  override get properties(): string {
    this.reads += 1
    return super.properties
  }
}

describe('a received message', () => {
  it('has what its properties say, taken apart once', () => {
    const properties = { __SHARDINGKEY: 'ann', TAGS: 'new', KEYS: ' a  b ', colour: 'red' }
    const stored = new CountedMessage(storedMessage('numbers', 3, 1, properties), 0)
    expect(receivedMessage(stored)).toMatchObject({
      id: 'id-3',
      key: 'ann',
      tags: 'new',
      keys: ['a', 'b'],
      properties: { ...properties, UNIQ_KEY: 'id-3' },
    })
    expect(stored.reads).toBe(1)
  })

  it('has the body that a producer of RocketMQ packed, or says why not', () => {
    const packed = (sysFlag: number, body: Buffer): StoredMessage => {
      const bytes = storedMessage('numbers', 3, body)
      bytes.writeInt32BE(sysFlag, 36)
      return new StoredMessage(bytes, 0)
    }
    const long = Buffer.from('"long"'.repeat(1_000))
    // What Java sends, and what it sent before it said by what.
    for (const sysFlag of [0x301, 0x1]) {
      const received = receivedMessage(packed(sysFlag, deflateSync(long)))
      expect(received.body.equals(long)).toBe(true)
      expect(received.unpackable).toBeUndefined()
    }
    expect(receivedMessage(packed(0x201, long)).unpackable).toMatch(/packed by ZSTD/)
    expect(receivedMessage(packed(0x301, long)).unpackable).toMatch(/can't be inflated/)
    const listener = newListener(topic('numbers', t.number), async () => undefined, {
      order: 'concurrent',
      tags: '*',
    })
    const prepared = listener.prepare(receivedMessage(packed(0x201, Buffer.from('1'))))
    expect(prepared).toMatchObject({ left: expect.stringMatching(/packed by ZSTD/) })
  })

  it('has no keys when none were given', () => {
    const stored = new StoredMessage(storedMessage('numbers', 3, 1), 0)
    expect(receivedMessage(stored).keys).toEqual([])
  })
})
