/**
 * The newest part of the log in memory. Frames are encoded straight into slabs at their position;
 * while one region of a slab is being written, the bytes behind it go on filling. Slabs that were
 * written stay as the tail cache. It never touches the disk.
 *
 * Invariant: slabs are in order of position, a frame never straddles two, and a slab lies in one
 * segment, so `index + base` is a position for every index below `used`.
 */
import { assert, type Draft, position, type Position } from '@sagalog/kernel'
import { RECORD_KINDS } from '@sagalog/kernel'
import { AppendedFrame } from './appended-frame.js'
import { checksumWord } from './checksum.js'
import { FRAME_HEADER_BYTES, writeFrameHeader } from './frame-format.js'
import { ARENA_BYTES, SLAB_BYTES_MAX } from './limits.js'
import { RECORD_HEADER_BYTES, sealRecord } from './record-format.js'
import type { Segment } from './segment.js'

export interface Slab {
  readonly buffer: Buffer
  /** The position of index 0. */
  readonly base: Position
  readonly segment: Segment
  /** Bytes filled, from 0. */
  used: number
  /** Bytes written to the disk, from 0. */
  written: number
}

export class Gather {
  readonly #cacheBytes: number
  readonly #epoch: number
  /** All slabs in memory, in order. */
  readonly #slabs: Slab[] = []
  /** Those with bytes that are not written, in order. */
  readonly #unwritten: Slab[] = []
  #cachedBytes = 0
  /** What slabs are cut from, and the bytes of it that were. */
  #arena: Buffer = Buffer.alloc(0)
  #arenaUsed = 0
  #end: Position
  #inFlightBytes = 0
  frames = 0
  records = 0
  appended = 0
  /** True when the last frame holds no record, and so proves all before it. */
  isTailProof = false

  constructor(options: { cacheBytes: number; end: Position; epoch: number }) {
    this.#cacheBytes = options.cacheBytes
    this.#epoch = options.epoch
    this.#end = options.end
  }

  /** The sequenced end. */
  get end(): Position {
    return this.#end
  }

  /** Bytes that have a place and are not written. */
  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  /** The first slab in memory, or undefined. */
  get oldest(): Slab | undefined {
    return this.#slabs[0]
  }

  /** The slab that holds the byte at `at`, or undefined. */
  slabAt(at: Position): Slab | undefined {
    let low = 0
    let high = this.#slabs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#slabs[middle]?.base ?? 0) <= at) low = middle + 1
      else high = middle
    }
    const slab = this.#slabs[low - 1]
    return slab !== undefined && at < slab.base + slab.used ? slab : undefined
  }

  /** The first slab that begins after `at`, or undefined. */
  slabAfter(at: Position): Slab | undefined {
    return this.#slabs.find((slab) => slab.base > at)
  }

  /** Encodes one frame at the end; `segment` has room for its `bytes`. */
  append(segment: Segment, drafts: readonly Draft[], bytes: number): AppendedFrame {
    const slab = this.#slabFor(segment, bytes)
    const { buffer, base, used } = slab
    let cursor = used + FRAME_HEADER_BYTES
    let sums = 0
    for (const draft of drafts) {
      const { kind, bytes: length } = draft
      const { code, version } = RECORD_KINDS[kind]
      const at = (base + cursor) as Position
      const start = cursor + RECORD_HEADER_BYTES
      draft.encodeAt(buffer, start, at)
      const sum = sealRecord(buffer, cursor, { code, version, length, position: at })
      sums = checksumWord(sums, sum)
      cursor = start + length
    }
    const frameEnd = used + bytes
    assert(cursor <= frameEnd && frameEnd <= buffer.length, 'the frame fits its place')
    // Fewer than eight bytes: a call costs more.
    for (; cursor < frameEnd; cursor += 1) buffer[cursor] = 0
    writeFrameHeader(buffer, used, {
      bytes,
      count: drafts.length,
      generation: segment.generation,
      epoch: this.#epoch,
      position: base + used,
      recordsChecksum: sums,
    })
    slab.used = frameEnd
    if (this.#unwritten.at(-1) !== slab) this.#unwritten.push(slab)
    this.#end = position(base + frameEnd)
    this.#inFlightBytes += bytes
    this.isTailProof = drafts.length === 0
    this.frames += 1
    this.records += drafts.length
    this.appended += bytes
    return new AppendedFrame(this.#end, buffer, base, used)
  }

  #slabFor(segment: Segment, bytes: number): Slab {
    const last = this.#slabs.at(-1)
    if (
      last !== undefined &&
      last.segment === segment &&
      last.base + last.used === this.#end &&
      last.buffer.length - last.used >= bytes
    ) {
      return last
    }
    const base = this.#end > segment.first ? this.#end : segment.first
    const left = segment.base + segment.segmentBytes - base
    const size = Math.max(bytes, Math.min(SLAB_BYTES_MAX, this.#cacheBytes, left))
    assert(size <= left, 'the segment has room for the frame')
    const buffer = this.#memoryFor(size, segment)
    const slab: Slab = { buffer, base, segment, used: 0, written: 0 }
    this.#slabs.push(slab)
    this.#cachedBytes += size
    return slab
  }

  /** Memory for a slab. What is not filled yet is never written, and never read. */
  #memoryFor(bytes: number, { segmentBytes }: Segment): Buffer {
    if (segmentBytes < ARENA_BYTES || bytes > SLAB_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes)
    if (this.#arenaUsed + bytes > this.#arena.length) {
      this.#arena = Buffer.allocUnsafeSlow(ARENA_BYTES)
      this.#arenaUsed = 0
    }
    this.#arenaUsed += bytes
    return this.#arena.subarray(this.#arenaUsed - bytes, this.#arenaUsed)
  }

  /** The slab whose bytes from `written` to `used` are to be written next, or undefined. */
  nextRegion(): Slab | undefined {
    let slab = this.#unwritten[0]
    while (slab !== undefined && slab.written === slab.used) {
      this.#unwritten.shift()
      slab = this.#unwritten[0]
    }
    return slab
  }

  /** The bytes of `slab` up to index `to` are written. Slabs over the bound of the cache go. */
  markWritten(slab: Slab, to: number): void {
    assert(to > slab.written && to <= slab.used, 'a write moves forward over filled bytes')
    this.#inFlightBytes -= to - slab.written
    slab.written = to
    while (this.#cachedBytes > this.#cacheBytes && this.#slabs.length > 1) {
      const oldest = this.#slabs[0]
      if (oldest === undefined || oldest.written < oldest.used) break
      this.#slabs.shift()
      this.#cachedBytes -= oldest.buffer.length
    }
  }
}
