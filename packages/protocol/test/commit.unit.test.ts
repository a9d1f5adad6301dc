/** The commit codec refuses what is out of bounds, and says what and where. */
import { emptyCommit } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { BODY_BYTES_MAX, decodeCommit, encodeCommit, LIST_ITEMS_MAX } from '../src/index.js'
import { ProtocolError, TEXT_BYTES_MAX } from '../src/index.js'

const body = Buffer.alloc(0)

function refusalOf(bytes: Buffer): unknown {
  try {
    decodeCommit(bytes)
  } catch (error) {
    if (ProtocolError.is(error)) return error.detail
    throw error
  }
  return undefined
}

describe('encodeCommit', () => {
  it('writes an empty commit in 30 bytes', () => {
    expect(encodeCommit(emptyCommit).toString('hex')).toBe(`02${'00000000'.repeat(7)}00`)
  })

  it('does not write what would not be read', () => {
    const text = 'x'.repeat(TEXT_BYTES_MAX + 1)
    expect(() => encodeCommit({ ...emptyCommit, cancels: [text] })).toThrow('timer id of 65537')
    const cancels: string[] = Array.from({ length: LIST_ITEMS_MAX + 1 }, () => '')
    expect(() => encodeCommit({ ...emptyCommit, cancels })).toThrow('cancels of 65537')
    const large = { topic: 'T', body: Buffer.alloc(BODY_BYTES_MAX + 1) }
    expect(() => encodeCommit({ ...emptyCommit, sends: [large] })).toThrow('TOO_LARGE')
  })

  it('keeps an empty part apart from an absent one', () => {
    const sends = [
      { topic: 'T', body },
      { topic: 'T', shardingKey: '', tags: '', keys: [], properties: {}, body },
      { topic: 'T', properties: Object.fromEntries([['__proto__', 'x']]), body },
    ]
    expect(decodeCommit(encodeCommit({ ...emptyCommit, sends })).sends).toStrictEqual(sends)
  })
})

describe('decodeCommit', () => {
  it.each([
    ['', { what: 'the body ends inside the format', at: 0 }],
    ['01', { what: 'format 1 is unknown', at: 0 }],
    ['02ffffffff', { what: '4294967295 leases can not be there', at: 1 }],
    ['0200000001000000ff', { what: 'the body ends inside group', at: 9 }],
    ['0200000001fffffffff', { what: 'group of 4294967295 bytes, at most 65536', at: 5 }],
    ['020000000100000001ff', { what: 'group is not UTF-8', at: 9 }],
    [`02${'00000000'.repeat(7)}00aa`, { what: '1 bytes are left over', at: 30 }],
  ])('of %s says what and where', (hex, detail) => {
    expect(refusalOf(Buffer.from(hex, 'hex'))).toEqual(detail)
  })
})

it('half a surrogate pair is refused: UTF-8 would make another name of it', () => {
  const event = { type: 'E', schema: 1, data: Buffer.alloc(0) }
  const appends = [{ category: 'C', stream: 'a\ud800', expected: 'any' as const, events: [event] }]
  expect(() => encodeCommit({ ...emptyCommit, appends })).toThrow('half a surrogate pair')
})
