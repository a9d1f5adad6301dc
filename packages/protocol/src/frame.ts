/**
 * Frames of RocketMQ's remoting protocol, to bytes and back.
 *
 *   0   L  int32   bytes after this field: 4 + header + body
 *   4   H  int32   kind << 24 | header bytes;  kind 0 is JSON, 1 is binary
 *   8      header
 *          body
 *
 * The decoder holds the chunks that came and takes a frame out once all of it is there. It copies a
 * frame once, and only when it lies across chunks; otherwise the body is a view of the chunk.
 * Lengths are checked before anything is kept or copied for them.
 *
 * Invariant: after `next` gave undefined, fewer bytes are held than one frame at most has.
 */
import { assert, type Room } from '@sagalog/kernel'
import { ProtocolError } from './errors.js'
import { BINARY_CODE_MAX, type Header } from './header.js'
import { BINARY_FIXED_BYTES, binaryHeaderBytes } from './header-binary.js'
import { readBinaryHeader, writeBinaryHeader } from './header-binary.js'
import { decodeJsonHeader, encodeJsonHeader } from './header-json.js'
import { noBody } from './request-codec.js'
import { FRAME_BYTES_MAX, HEADER_BYTES_MAX } from './limits.js'

/** How a header is written; a response is written as its request was. */
export type Dialect = 'json' | 'binary'

export interface Frame extends Header {
  readonly dialect: Dialect
  readonly body: Buffer
}

const LENGTH_BYTES = 4
/** Both lengths, before the header. */
export const HEAD_BYTES = 8
const KIND_JSON = 0
const KIND_BINARY = 1

/** A frame whose head was measured and found to be within the bounds. */
export interface MeasuredFrame {
  readonly frame: Frame
  /** Of everything before the body. */
  readonly headBytes: number
  /** The header, when it is written as JSON. */
  readonly json: Buffer | undefined
}

export const isWrittenBinary = (dialect: Dialect, code: number): boolean =>
  dialect === 'binary' && code <= BINARY_CODE_MAX

/** Measures a frame. FRAME_TOO_LARGE or TOO_LARGE when the other end would not take it. */
export function measuredFrame(frame: Frame): MeasuredFrame {
  const isBinary = isWrittenBinary(frame.dialect, frame.code)
  const json = isBinary ? undefined : encodeJsonHeader(frame)
  const headerBytes = json === undefined ? binaryHeaderBytes(frame) : json.length
  checkFrameBytes(headerBytes, frame.body.length)
  return { frame, headBytes: HEAD_BYTES + headerBytes, json }
}

export function checkFrameBytes(headerBytes: number, bodyBytes: number): void {
  if (headerBytes > HEADER_BYTES_MAX)
    throw new ProtocolError('TOO_LARGE', {
      what: 'a header',
      bytes: headerBytes,
      max: HEADER_BYTES_MAX,
    })
  const bytes = LENGTH_BYTES + headerBytes + bodyBytes
  if (bytes > FRAME_BYTES_MAX)
    throw new ProtocolError('FRAME_TOO_LARGE', { bytes, max: FRAME_BYTES_MAX })
}

/** Writes everything before the body from `at`, where there is room for it. */
export function writeFrameHead({ frame, headBytes, json }: MeasuredFrame, to: Room): void {
  const { at, bytes: target } = to
  const headerBytes = headBytes - HEAD_BYTES
  writeFrameLengths(target, at, { headerBytes, bodyBytes: frame.body.length }, json === undefined)
  if (json === undefined) {
    const end = writeBinaryHeader(frame, target, at + HEAD_BYTES)
    assert(end === at + headBytes, 'the header takes the bytes it said')
  } else json.copy(target, at + HEAD_BYTES)
}

interface FrameLengths {
  readonly headerBytes: number
  readonly bodyBytes: number
}

export function writeFrameLengths(
  target: Buffer,
  at: number,
  { bodyBytes, headerBytes }: FrameLengths,
  isBinary: boolean,
): void {
  target.writeInt32BE(LENGTH_BYTES + headerBytes + bodyBytes, at)
  target.writeInt32BE(((isBinary ? KIND_BINARY : KIND_JSON) << 24) | headerBytes, at + 4)
}

/** The whole frame. FRAME_TOO_LARGE or TOO_LARGE when the other end would not take it. */
export function encodeFrame(frame: Frame): Buffer {
  const measured = measuredFrame(frame)
  const bytes = Buffer.allocUnsafe(measured.headBytes + frame.body.length)
  writeFrameHead(measured, { bytes, at: 0 })
  frame.body.copy(bytes, measured.headBytes)
  return bytes
}

/** Tiny chunks are merged by so many, or their bookkeeping would outgrow their bytes. */
const MERGED_CHUNKS = 256
const MERGED_BYTES_MAX = 65_536

/** Takes bytes as they come and gives whole frames. One per connection. */
export class FrameDecoder {
  /** Chunks not yet given out; the first begins at `#offset`. */
  #chunks: Buffer[] = []
  #offset = 0
  /** Index of the first chunk that was not looked at for merging. */
  #unmerged = 0
  #held = 0
  /** Bytes of the frame at the front with its length field; 0 while not known. */
  #wanted = 0
  #failure: ProtocolError | undefined
  /** Where the frame that `advance` took out stands: `source[start, end)`. */
  source: Buffer = noBody
  start = 0
  end = 0

  /** Bytes that came and were not given out. */
  get heldBytes(): number {
    return this.#held
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0 || this.#failure !== undefined) return
    this.#chunks.push(chunk)
    this.#held += chunk.length
    if (this.#chunks.length - this.#unmerged >= MERGED_CHUNKS) this.#merge()
  }

  /** The next frame, or undefined until more bytes come. After an error it throws only that. */
  next(): Frame | undefined {
    if (!this.advance()) return undefined
    try {
      return this.frame()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Takes the bytes of the next frame out; false until more come. For who reads them in place. */
  advance(): boolean {
    if (this.#failure !== undefined) throw this.#failure
    try {
      return this.#advance()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** What `advance` took out, as a frame. FRAME_MALFORMED when its header can't be read. */
  frame(): Frame {
    return decodeFrame(this.source, this.start, this.end)
  }

  #failed(error: unknown): unknown {
    if (ProtocolError.is(error)) {
      this.#failure = error
      this.#chunks = []
      this.#held = 0
    }
    return error
  }

  #advance(): boolean {
    if (this.#wanted === 0) {
      if (this.#held < HEAD_BYTES) return false
      this.#wanted = this.#checkedHead()
    }
    if (this.#held < this.#wanted) return false
    const bytes = this.#wanted
    this.#wanted = 0
    const first = this.#chunks[0]
    assert(first !== undefined, 'held bytes stand in a chunk')
    const start = this.#offset
    if (first.length - start > bytes) {
      // The most frequent by far: a frame among others of one chunk.
      this.#offset = start + bytes
      this.#held -= bytes
      this.source = first
      this.start = start
    } else if (first.length - start === bytes) {
      this.#skip(bytes)
      this.source = first
      this.start = start
    } else {
      const whole = Buffer.allocUnsafe(bytes)
      this.#copy(whole)
      this.#skip(bytes)
      this.source = whole
      this.start = 0
    }
    this.end = this.start + bytes
    return true
  }

  /** Checks both lengths as soon as they are there; gives the bytes of the frame. */
  #checkedHead(): number {
    let source = this.#chunks[0]
    let at = this.#offset
    if (source === undefined || source.length - at < HEAD_BYTES) {
      source = Buffer.allocUnsafe(HEAD_BYTES)
      this.#copy(source)
      at = 0
    }
    const bytes = source.readInt32BE(at)
    const kind = source.readUInt8(at + 4)
    const headerBytes = source.readUInt32BE(at + 4) & 0xff_ffff
    if (bytes < LENGTH_BYTES)
      throw new ProtocolError('FRAME_MALFORMED', { what: `a length of ${bytes}`, at: 0 })
    if (bytes > FRAME_BYTES_MAX)
      throw new ProtocolError('FRAME_TOO_LARGE', { bytes, max: FRAME_BYTES_MAX })
    if (kind !== KIND_JSON && kind !== KIND_BINARY)
      throw new ProtocolError('HEADER_KIND_UNKNOWN', { kind })
    if (headerBytes > HEADER_BYTES_MAX || headerBytes > bytes - LENGTH_BYTES)
      throw new ProtocolError('FRAME_MALFORMED', { what: `a header of ${headerBytes}`, at: 4 })
    return LENGTH_BYTES + bytes
  }

  /** Fills `target` from the front, taking nothing away. */
  #copy(target: Buffer): void {
    let at = 0
    let offset = this.#offset
    for (const chunk of this.#chunks) {
      at += chunk.copy(target, at, offset)
      if (at === target.length) return
      offset = 0
    }
    assert(at === target.length, 'as many bytes are held as are copied')
  }

  #skip(bytes: number): void {
    this.#held -= bytes
    let end = this.#offset + bytes
    let gone = 0
    for (const chunk of this.#chunks) {
      if (end < chunk.length) break
      end -= chunk.length
      gone += 1
    }
    this.#chunks.splice(0, gone)
    this.#unmerged = Math.max(0, this.#unmerged - gone)
    this.#offset = end
  }

  #merge(): void {
    // The first chunk is not merged: a part of it may be given out already.
    const from = Math.max(this.#unmerged, 1)
    let bytes = 0
    for (let index = from; index < this.#chunks.length; index += 1)
      bytes += this.#chunks[index]?.length ?? 0
    if (bytes <= MERGED_BYTES_MAX) {
      const merged = Buffer.concat(this.#chunks.splice(from), bytes)
      this.#chunks.push(merged)
    }
    this.#unmerged = this.#chunks.length
  }
}

/** Where the body begins of a frame whose two lengths were checked. */
export const bodyStart = (source: Buffer, start: number): number =>
  start + HEAD_BYTES + (source.readUInt32BE(start + 4) & 0xff_ffff)

/** Where the header of such a frame stands, if it is a binary one without a remark. */
export function plainHeaderAt(source: Buffer, start: number): number | undefined {
  if (source[start + 4] !== KIND_BINARY) return undefined
  const at = start + HEAD_BYTES
  const fieldsBytes = bodyStart(source, start) - at - BINARY_FIXED_BYTES
  if (fieldsBytes < 0 || source.readInt32BE(at + 13) !== 0) return undefined
  return source.readInt32BE(at + 17) === fieldsBytes ? at : undefined
}

/** A frame whose two lengths were checked; it stands in `source[start, end)`. */
function decodeFrame(source: Buffer, start: number, end: number): Frame {
  const bodyAt = bodyStart(source, start)
  const range = { start: start + HEAD_BYTES, end: bodyAt, origin: start }
  const isBinary = source.readUInt8(start + 4) === KIND_BINARY
  const header = isBinary ? readBinaryHeader(source, range) : decodeJsonHeader(source, range)
  const { code, language, version, opaque, flag, remark, fields } = header
  const dialect = isBinary ? 'binary' : 'json'
  const body = source.subarray(bodyAt, end)
  // Written out, because spreading the header costs more than reading it.
  if (remark === undefined) return { dialect, code, language, version, opaque, flag, fields, body }
  return { dialect, code, language, version, opaque, flag, remark, fields, body }
}
