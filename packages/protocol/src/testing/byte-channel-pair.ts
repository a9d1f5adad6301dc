/**
 * Two ends of a byte channel that keeps the bytes and forgets the chunks, as a socket may: what was
 * sent at once can arrive in pieces, and what was sent apart can arrive together.
 *
 * Without a clock bytes arrive inside `send`, or later when the receiver is at work or not yet set.
 * With a clock each piece arrives in a turn of its own. The close is heard after the last byte.
 */
import { below, type Channel, type Clock, type Random } from '@sagalog/kernel'
import type { Room, RoomyChannel } from '@sagalog/kernel'

/** Rooms seldom begin at the beginning. */
const ROOM_AT = 3

class ByteEnd implements RoomyChannel {
  readonly remote: string
  readonly #random: Random
  readonly #clock: Clock | undefined
  #peer: ByteEnd | undefined
  #pending: Buffer = Buffer.alloc(0)
  #room: Buffer = Buffer.alloc(0)
  #receive: ((chunk: Buffer) => void) | undefined
  #listener: ((reason: string) => void) | undefined
  #reason: string | undefined
  #isHeard = false
  #isAtWork = false
  #isPlanned = false

  constructor(remote: string, random: Random, clock: Clock | undefined) {
    this.remote = remote
    this.#random = random
    this.#clock = clock
  }

  join(peer: ByteEnd): void {
    this.#peer = peer
  }

  send(chunk: Buffer): boolean {
    const peer = this.#peer
    if (this.#reason !== undefined || peer === undefined) return false
    peer.#pending = Buffer.concat([peer.#pending, chunk])
    peer.#work()
    return true
  }

  room(bytesMax: number): Room | undefined {
    if (this.#reason !== undefined) return undefined
    this.#room = Buffer.alloc(bytesMax + ROOM_AT, 0xff)
    return { bytes: this.#room, at: ROOM_AT }
  }

  sendRoom(bytes: number): boolean {
    return this.send(this.#room.subarray(ROOM_AT, ROOM_AT + bytes))
  }

  onItem(receive: (chunk: Buffer) => void): void {
    this.#receive = receive
    this.#work()
  }

  onClose(listener: (reason: string) => void): void {
    this.#listener = listener
    this.#work()
  }

  close(reason: string): void {
    const peer = this.#peer
    this.#pending = Buffer.alloc(0)
    if (this.#reason !== undefined) return this.#work()
    this.#reason = reason
    if (peer !== undefined) peer.#reason = reason
    this.#work()
    if (peer !== undefined) peer.#work()
  }

  #work(): void {
    if (this.#clock === undefined) this.#deliver()
    else if (!this.#isPlanned) {
      this.#isPlanned = true
      this.#clock.defer(() => {
        this.#isPlanned = false
        this.#deliver()
      })
    }
  }

  #deliver(): void {
    if (this.#isAtWork) return
    this.#isAtWork = true
    try {
      while (this.#receive !== undefined && this.#pending.length > 0) {
        // A quarter of the pieces hold all there is, or nothing would ever be merged.
        const isAll = below(this.#random, 4) === 0
        const bytes = isAll ? this.#pending.length : 1 + below(this.#random, this.#pending.length)
        const piece = this.#pending.subarray(0, bytes)
        this.#pending = this.#pending.subarray(bytes)
        this.#receive(piece)
        if (this.#clock !== undefined && this.#pending.length > 0) return
      }
      this.#hearClose()
    } finally {
      this.#isAtWork = false
      if (this.#clock !== undefined && this.#receive !== undefined && this.#pending.length > 0)
        this.#work()
    }
  }

  #hearClose(): void {
    if (this.#reason === undefined || this.#isHeard || this.#listener === undefined) return
    if (this.#pending.length > 0) return
    this.#isHeard = true
    this.#listener(this.#reason)
  }
}

/** Two byte channels; what one sends the other receives, in chunks that `random` chooses. */
export function byteChannelPair(random: Random, clock?: Clock): [Channel<Buffer>, Channel<Buffer>] {
  const left = new ByteEnd('bytes:right', random, clock)
  const right = new ByteEnd('bytes:left', random, clock)
  left.join(right)
  right.join(left)
  return [left, right]
}
