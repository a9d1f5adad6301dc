import { StoredMessage } from '@sagalog/protocol'
import { describe, expect, it } from 'vitest'
import { receivedMessage } from '../src/index.js'
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

  it('has no keys when none were given', () => {
    const stored = new StoredMessage(storedMessage('numbers', 3, 1), 0)
    expect(receivedMessage(stored).keys).toEqual([])
  })
})
