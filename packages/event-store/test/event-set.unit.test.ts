/** Events to bytes and back: what was written is read, and what cannot be read says why. */
import { type EventDraft, position, streamVersion } from '@sagalog/kernel'
import type { StoredEvent } from '@sagalog/protocol'
import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { defineEvents, type EventsOf } from '../src/event-set.js'

const DateText = new t.Type<Date, string>(
  'Date',
  (value): value is Date => value instanceof Date,
  (input, context) => {
    const date = typeof input === 'string' ? new Date(input) : new Date(Number.NaN)
    return Number.isNaN(date.getTime()) ? t.failure(input, context) : t.success(date)
  },
  (date) => date.toISOString(),
)

const Money = t.type({ cents: t.number })
const Orders = defineEvents('order', {
  Placed: t.type({ orderId: t.string, lines: t.array(t.type({ sku: t.string, count: t.Int })) }),
  Shipped: t.type({ at: DateText }),
  Closed: t.void,
  Paid: {
    version: 3,
    codec: t.type({ amount: Money, ref: t.string }),
    upcast: {
      1: (old) => (t.number.is(old) ? E.right({ cents: old }) : E.left('version 1 is a number')),
      2: (old) =>
        Money.is(old) ? E.right({ amount: old, ref: 'none' }) : E.left('version 2 has cents'),
    },
  },
})

const stored = (draft: EventDraft, version = 1): StoredEvent => ({
  ...draft,
  version: streamVersion(version),
  metadata: draft.metadata ?? {},
  position: position(8),
  storedAtMs: 0,
})
const old = (type: string, schema: number, data: string): StoredEvent =>
  stored({ type, schema, data: Buffer.from(data) }, 7)

describe('an event set', () => {
  it('reads what it wrote, whatever the payload', () => {
    const lines = fc.array(fc.record({ sku: fc.string(), count: fc.integer() }))
    const events: fc.Arbitrary<EventsOf<typeof Orders>> = fc.oneof(
      fc
        .record({ orderId: fc.string({ unit: 'grapheme' }), lines })
        .filter((data): data is Parameters<typeof Orders.make.Placed>[0] => data !== undefined)
        .map(Orders.make.Placed),
      fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
        .map((at) => Orders.make.Shipped({ at })),
      fc.constant(Orders.make.Closed(undefined)),
      fc
        .record({ amount: fc.record({ cents: fc.integer() }), ref: fc.string() })
        .map(Orders.make.Paid),
    )
    fc.assert(
      fc.property(events, (event) => {
        const draft = Orders.encode(event)
        expect(Orders.decode('a', stored(draft))).toEqual(E.right(event))
      }),
    )
  })

  it('writes the version of the codec and keeps metadata', () => {
    const draft = Orders.encode(Orders.make.Paid({ amount: { cents: 5 }, ref: 'r' }), { by: 'me' })
    expect([draft.type, draft.schema, draft.metadata]).toEqual(['Paid', 3, { by: 'me' }])
    expect(Orders.encode(Orders.make.Closed(undefined)).schema).toBe(1)
  })

  it('leads old versions on, step by step', () => {
    const paid = Orders.make.Paid({ amount: { cents: 12 }, ref: 'none' })
    expect(Orders.decode('a', old('Paid', 1, '12'))).toEqual(E.right(paid))
    expect(Orders.decode('a', old('Paid', 2, '{"cents":12}'))).toEqual(E.right(paid))
  })

  it.each([
    [old('Lost', 1, '{}'), 'type', 'no event of this name'],
    [old('__proto__', 1, '{}'), 'type', 'no event of this name'],
    [old('Paid', 4, '{}'), 'schema', '3 is the newest'],
    [old('Paid', 0, '{}'), 'schema', 'version 0 is unknown'],
    [old('Paid', 3, '{"amount":'), 'bytes', 'not JSON'],
    [old('Paid', 1, '"x"'), 'upcast', 'from version 1: version 1 is a number'],
    [
      old('Paid', 3, '{"amount":{"cents":"1"},"ref":"r"}'),
      'payload',
      'amount.cents: expected number',
    ],
    [old('Shipped', 1, '{"at":"yesterday"}'), 'payload', 'at: expected Date, got "yesterday"'],
  ] as const)('says what cannot be read: %#', (event, failed, reason) => {
    const result = Orders.decode('o-1', event)
    expect(result).toMatchObject({
      left: { _tag: 'Undecodable', category: 'order', stream: 'o-1', version: 7, failed },
    })
    expect(E.isLeft(result) && result.left.reason).toContain(reason)
    expect(E.isLeft(result) && [result.left.type, result.left.schema]).toEqual([
      event.type,
      event.schema,
    ])
  })

  it('makes a value of an upcast that throws', () => {
    const Fragile = defineEvents('fragile', {
      Was: {
        version: 2,
        codec: t.string,
        upcast: {
          1: () => {
            throw new Error('broken')
          },
        },
      },
    })
    const result = Fragile.decode('a', old('Was', 1, '1'))
    expect(result).toMatchObject({ left: { failed: 'upcast' } })
  })

  it('makes a value of a codec that throws', () => {
    const codec = new t.Type<string>(
      'fragile',
      t.string.is,
      () => {
        throw new Error('broken')
      },
      (value) => value,
    )
    const result = defineEvents('fragile', { Was: codec }).decode('a', old('Was', 1, '"x"'))
    expect(result).toMatchObject({
      left: { failed: 'payload', reason: expect.stringContaining('broken') as string },
    })
  })

  it('never writes what its own codec refuses', () => {
    const wrong: unknown = { amount: { cents: '5' }, ref: 'r' }
    const event = { type: 'Paid', data: wrong } as EventsOf<typeof Orders>
    expect(() => Orders.encode(event)).toThrow('does not fit its codec')
  })

  it('wants a way on from each old version', () => {
    const codec = t.string
    expect(() => defineEvents('x', { A: { version: 3, codec, upcast: { 1: E.right } } })).toThrow(
      'no upcast leads on from version 2',
    )
    expect(() => defineEvents('x', { A: { version: 0, codec, upcast: {} } })).toThrow('from 1')
  })
})
