/**
 * What a socket is going to write: short items one behind the other in a buffer of this object,
 * long ones as they are. Senders write into the buffer in place, so a turn of a thousand replies
 * makes one buffer, one write and no copies.
 *
 * Invariant: a byte that was handed to the socket is not written again before the socket is done
 * with all it was given. An idle one holds no buffer.
 */
import { assert } from '../assert.js'
import type { Room } from '../ports/channel.js'

/** What of a socket is used here. */
export interface WritableSocket {
  /** Bytes that it was given and has not written. */
  readonly writableLength: number
  write(bytes: Buffer): unknown
  cork(): void
  uncork(): void
}

/** Longer items are not copied. */
const COPIED_BYTES_MAX = 4_096
/** The first buffer of a quiet connection, and that of one with more to say. */
const SMALL_BYTES = 4_096
const LARGE_BYTES = 65_536
/** Large buffers that nobody uses; more of them go back to the system. */
const SPARES_MAX = 16

const spares: Buffer[] = []

const nothing = Buffer.alloc(0)

export class GatheredBytes {
  /** In the order in which they leave; what stands in `#buffer` from `#from` on comes last. */
  #parts: Buffer[] = []
  #partsBytes = 0
  #buffer: Buffer = nothing
  #from = 0
  #end = 0
  /** More than a small buffer was gathered in the last turn. */
  #isBusy = false
  readonly #room: { bytes: Buffer; at: number } = { bytes: nothing, at: 0 }

  /** Bytes that no socket was given yet. */
  get bytes(): number {
    return this.#partsBytes + this.#end - this.#from
  }

  add(item: Buffer): void {
    if (item.length <= COPIED_BYTES_MAX) {
      const { at, bytes } = this.room(item.length)
      item.copy(bytes, at)
      this.fill(item.length)
      return
    }
    this.#cut()
    this.#parts.push(item)
    this.#partsBytes += item.length
  }

  /** Room for so many bytes; `fill` says how many of them are used. */
  room(bytesMax: number): Room {
    if (this.#buffer.length - this.#end < bytesMax) {
      this.#cut()
      const isLarge = this.#isBusy || this.#partsBytes > 0 || bytesMax > SMALL_BYTES
      this.#buffer = buffer(Math.max(bytesMax, isLarge ? LARGE_BYTES : SMALL_BYTES))
      this.#from = 0
      this.#end = 0
    }
    this.#room.bytes = this.#buffer
    this.#room.at = this.#end
    return this.#room
  }

  fill(bytes: number): void {
    assert(this.#end + bytes <= this.#buffer.length, 'no more was written than there is room')
    this.#end += bytes
  }

  /** Hands all of it to the socket, in one write. */
  writeTo(socket: WritableSocket): void {
    this.#cut()
    const parts = this.#parts
    this.#isBusy = this.#partsBytes > SMALL_BYTES
    this.#partsBytes = 0
    const [only] = parts
    if (only === undefined) return
    this.#parts = []
    if (parts.length === 1) socket.write(only)
    else {
      socket.cork()
      for (const part of parts) socket.write(part)
      socket.uncork()
    }
    if (socket.writableLength === 0) this.#giveBack()
  }

  /** What stands in the buffer becomes a part. */
  #cut(): void {
    if (this.#end === this.#from) return
    this.#parts.push(this.#buffer.subarray(this.#from, this.#end))
    this.#partsBytes += this.#end - this.#from
    this.#from = this.#end
  }

  /** The socket is done with all it was given: the buffer is free. */
  #giveBack(): void {
    if (this.#buffer.length === LARGE_BYTES && spares.length < SPARES_MAX) spares.push(this.#buffer)
    this.#buffer = nothing
    this.#from = 0
    this.#end = 0
  }
}

function buffer(bytes: number): Buffer {
  const spare = bytes === LARGE_BYTES ? spares.pop() : undefined
  return spare ?? Buffer.allocUnsafeSlow(bytes)
}
