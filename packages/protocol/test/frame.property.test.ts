/** The frame decoder: any chunking gives the same frames; any bytes give frames or one error. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFrame, type Frame, FRAME_BYTES_MAX, FrameDecoder } from '../src/index.js'
import { HEADER_BYTES_MAX, HEADER_FIELDS_MAX } from '../src/limits.js'
import { bytes, endsWell, int32, someText, text } from './arbitraries.js'

const frame: fc.Arbitrary<Frame> = fc.record(
  {
    dialect: fc.constantFrom('json' as const, 'binary' as const),
    code: fc.integer({ min: -0x8000, max: 0x7fff }),
    language: fc.nat(13),
    version: fc.nat(500),
    opaque: int32,
    flag: fc.nat(3),
    remark: someText,
    fields: fc.array(fc.tuple(text, text)).map((pairs) => new Map(pairs)),
    body: bytes,
  },
  {
    requiredKeys: ['dialect', 'code', 'language', 'version', 'opaque', 'flag', 'fields', 'body'],
  },
)

function framesIn(chunks: Iterable<Buffer>): Frame[] {
  const decoder = new FrameDecoder()
  const frames: Frame[] = []
  for (const chunk of chunks) {
    decoder.push(chunk)
    for (let next = decoder.next(); next !== undefined; next = decoder.next()) frames.push(next)
  }
  return frames
}

function* pieces(whole: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let at = 0
  for (let turn = 0; at < whole.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1
    yield whole.subarray(at, at + length)
    at += length
  }
}

describe('the frame decoder', () => {
  it('gives the same frames however the bytes are cut', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 })
    fc.assert(
      fc.property(fc.array(frame), lengths, (frames, cuts) => {
        const whole = Buffer.concat(frames.map(encodeFrame))
        expect(framesIn(pieces(whole, cuts))).toEqual(frames)
      }),
    )
  })

  it('reads a long frame that comes byte by byte, holding few chunks', () => {
    const [sample] = fc.sample(frame, 1)
    if (sample === undefined) throw new Error('no sample')
    const long: Frame = { ...sample, body: Buffer.alloc(100_000, 7) }
    expect(framesIn(pieces(encodeFrame(long), [1]))).toEqual([long])
  })

  it('gives frames or one ProtocolError for any bytes, and holds no more than a frame', () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 }))
    fc.assert(
      fc.property(chunks, (arrays) => {
        expect(staysBounded(arrays.map((array) => Buffer.from(array)))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('gives frames or one ProtocolError for frames with one byte changed', () => {
    fc.assert(
      fc.property(frame, fc.nat(), fc.nat(255), (one, at, value) => {
        const damaged = encodeFrame(one)
        damaged[at % damaged.length] = value
        expect(staysBounded([damaged, encodeFrame(one)])).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('refuses lengths before it keeps anything for them', () => {
    const tooLong = Buffer.alloc(8)
    tooLong.writeInt32BE(FRAME_BYTES_MAX + 1, 0)
    expect(() => framesIn([tooLong])).toThrow('FRAME_TOO_LARGE')
    const negative = Buffer.alloc(8)
    negative.writeInt32BE(-1, 0)
    expect(() => framesIn([negative])).toThrow('FRAME_MALFORMED')
    const kind = Buffer.from('0000000402000000', 'hex')
    expect(() => framesIn([kind])).toThrow('HEADER_KIND_UNKNOWN')
    const header = Buffer.from('0000000401000021', 'hex')
    expect(() => framesIn([header])).toThrow('a header of 33 at byte 4')
  })

  it('refuses a header above its bounds, written as JSON or binary, also inside a long frame', () => {
    const large = Buffer.alloc(8)
    large.writeInt32BE(4 * HEADER_BYTES_MAX, 0)
    large.writeInt32BE(HEADER_BYTES_MAX + 1, 4)
    expect(() => framesIn([large])).toThrow(`a header of ${HEADER_BYTES_MAX + 1} at byte 4`)
    const [sample] = fc.sample(frame, 1)
    if (sample === undefined) throw new Error('no sample')
    for (const dialect of ['json', 'binary'] as const) {
      const withFields = (count: number): Frame => {
        const fields = new Map(Array.from({ length: count }, (_, n) => [`f${n}`, 'x']))
        return { ...sample, dialect, code: 105, fields }
      }
      const most = withFields(HEADER_FIELDS_MAX)
      expect(framesIn([encodeFrame(most)])).toEqual([most])
      const tooMany = encodeFrame(withFields(HEADER_FIELDS_MAX + 1))
      expect(() => framesIn([tooMany])).toThrow('too many fields')
      const fields = new Map([['f', 'x'.repeat(HEADER_BYTES_MAX)]])
      expect(() => encodeFrame({ ...sample, dialect, code: 105, fields })).toThrow('TOO_LARGE')
    }
  })

  it('copies no frame that came in one chunk, and one that did not once', () => {
    const [sample] = fc.sample(frame, 1)
    if (sample === undefined) throw new Error('no sample')
    const body = Buffer.alloc(100, 7)
    // Buffers with memory of their own, which small ones share.
    const own = (shared: Buffer): Buffer => {
      const copy = Buffer.allocUnsafeSlow(shared.length)
      shared.copy(copy)
      return copy
    }
    const whole = own(Buffer.concat([1, 2, 3].map(() => encodeFrame({ ...sample, body }))))
    const isViewOf = (chunk: Buffer, { body: read }: Frame): boolean => read.buffer === chunk.buffer
    expect(framesIn([whole]).map((each) => isViewOf(whole, each))).toEqual([true, true, true])
    const cut = Math.floor(whole.length / 2)
    const halves = [own(whole.subarray(0, cut)), own(whole.subarray(cut))]
    const [first, second, third] = framesIn(halves)
    if (first === undefined || second === undefined || third === undefined) throw new Error('lost')
    expect(halves.map((half) => isViewOf(half, second))).toEqual([false, false])
    expect([isViewOf(halves[0] ?? whole, first), isViewOf(halves[1] ?? whole, third)]).toEqual([
      true,
      true,
    ])
  })

  it('keeps its first error, and nothing of what comes after it', () => {
    const decoder = new FrameDecoder()
    decoder.push(Buffer.alloc(8, 0xff))
    expect(() => decoder.next()).toThrow('FRAME_MALFORMED')
    decoder.push(Buffer.alloc(100))
    expect(() => decoder.next()).toThrow('FRAME_MALFORMED')
    expect(decoder.heldBytes).toBe(0)
  })

  it('does not write what could not be read', () => {
    const [sample] = fc.sample(frame, 1)
    if (sample === undefined) throw new Error('no sample')
    const body = Buffer.alloc(FRAME_BYTES_MAX)
    expect(() => encodeFrame({ ...sample, body })).toThrow('FRAME_TOO_LARGE')
  })
})

/** Every chunk gives frames, or an error that stays; true when no more than a frame was held. */
function staysBounded(chunks: readonly Buffer[]): boolean {
  const decoder = new FrameDecoder()
  for (const chunk of chunks) {
    decoder.push(chunk)
    endsWell(() => {
      while (decoder.next() !== undefined);
    })
    if (decoder.heldBytes >= FRAME_BYTES_MAX + 4) return false
  }
  return true
}
