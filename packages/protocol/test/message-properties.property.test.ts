/** The text of properties: one property read alone is the one the whole reading gives. */
import type { OutgoingMessage } from '@sagalog/kernel'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeProperties, encodeProperties, keysOf, outgoingProperties } from '../src/index.js'
import { propertyOf, propertyRecord, withoutProperty, withProperty } from '../src/index.js'

const name = fc
  .string({ minLength: 1, maxLength: 6 })
  .filter((text) => !/[\u0001\u0002]/.test(text))
const value = fc.string({
  unit: fc.constantFrom('a', 'b', '\u0001', ' ', 'é'),
  minLength: 1,
  maxLength: 6,
})
const raw = fc.string({ unit: fc.constantFrom('a', 'b', '\u0001', '\u0002'), maxLength: 40 })

describe('properties', () => {
  it('read as they were written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }), (pairs) => {
        expect([...decodeProperties(encodeProperties(pairs))]).toEqual(pairs)
      }),
    )
  })

  it('read alone what they read together, whatever the text', () => {
    fc.assert(
      fc.property(
        raw,
        fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1 }),
        (text, key) => {
          const all = decodeProperties(text)
          expect(propertyOf(text, key)).toBe(all.get(key))
          for (const [each, found] of all) expect(propertyOf(text, each)).toBe(found)
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('go one by one, and take nothing of the others with them', () => {
    fc.assert(
      fc.property(raw, fc.constantFrom('a', 'b', 'ab'), (text, gone) => {
        const left = decodeProperties(text)
        left.delete(gone)
        const rest = withoutProperty(text, gone)
        expect(decodeProperties(rest)).toEqual(left)
        expect(propertyRecord(rest)).toEqual(Object.fromEntries(left))
      }),
      { examples: [['a\u0001b\u0002b\u0001a\u0002a\u0001b', 'a']] },
    )
    const text = encodeProperties([['__proto__', 'b']])
    expect(Object.entries(propertyRecord(text))).toEqual([['__proto__', 'b']])
  })

  it('may end without the last sign', () => {
    expect(propertyOf('TAGS\u0001A\u0002KEYS\u0001k', 'KEYS')).toBe('k')
    expect(withProperty('a\u0001b', 'c', 'd')).toBe('a\u0001b\u0002c\u0001d\u0002')
  })

  it('refuse what could not be read back', () => {
    expect(() => withProperty('', 'a', '')).toThrow('PROPERTY_INVALID')
    expect(() => withProperty('', '', 'a')).toThrow('PROPERTY_INVALID')
    expect(() => withProperty('', 'a\u0001', 'a')).toThrow('PROPERTY_INVALID')
    expect(() => withProperty('', 'a', '\u0002')).toThrow('PROPERTY_INVALID')
  })
})

describe('the properties of a message to send', () => {
  const message: OutgoingMessage = {
    topic: 'T',
    shardingKey: 'order-1',
    tags: 'TagA',
    keys: ['k1', 'k2'],
    properties: { colour: 'red' },
    body: Buffer.from(''),
  }

  it('hold its parts under the names of RocketMQ', () => {
    const text = outgoingProperties(message, 'ID')
    expect([...decodeProperties(text)]).toEqual([
      ['colour', 'red'],
      ['__SHARDINGKEY', 'order-1'],
      ['TAGS', 'TagA'],
      ['KEYS', 'k1 k2'],
      ['UNIQ_KEY', 'ID'],
    ])
    expect(keysOf(text)).toEqual(['k1', 'k2'])
  })

  it('refuse reserved names and keys with spaces', () => {
    expect(() => outgoingProperties({ ...message, properties: { TAGS: 'x' } }, 'ID')).toThrow(
      'the name is reserved',
    )
    expect(() => outgoingProperties({ ...message, keys: ['a b'] }, 'ID')).toThrow('no space')
  })
})
