/**
 * Puts frames into a channel of bytes: into the room that it lends, or into buffers of their own
 * where it lends none. A long body goes out as it is, behind its head.
 *
 * Invariant: what `put` throws for has not left, and nothing of it.
 */
import { assert, type Channel, isRoomy, type Room, type RoomyChannel } from '@sagalog/kernel'
import type { Command } from './command.js'
import { FieldWriter } from './field-writer.js'
import type { FieldsInPlace } from './fields-in-place.js'
import { checkFrameBytes, type Frame, HEAD_BYTES } from './frame.js'
import { measuredFrame, writeFrameHead, writeFrameLengths } from './frame.js'
import { LANGUAGE, VERSION } from './header.js'
import { BINARY_FIXED_BYTES, writeBinaryFixed } from './header-binary.js'
import { noBody } from './request-codec.js'

/** A longer body is not copied. */
const COPIED_BODY_BYTES_MAX = 16_384

export class FrameWriter {
  readonly #bytes: Channel<Buffer>
  readonly #roomy: RoomyChannel | undefined
  readonly #fields = new FieldWriter()
  #room: Room | undefined
  /** Bytes of the room that were filled. */
  #filled = 0
  /** What follows them as it is. */
  #body: Buffer = noBody

  constructor(bytes: Channel<Buffer>) {
    this.#bytes = bytes
    this.#roomy = isRoomy(bytes) ? bytes : undefined
  }

  /** Makes a frame ready to be sent. FRAME_TOO_LARGE or TOO_LARGE when it is. */
  put(frame: Frame): void {
    const measured = measuredFrame(frame)
    const { headBytes } = measured
    const room = this.#roomFor(headBytes, frame.body)
    if (room === undefined) return
    writeFrameHead(measured, room)
    this.#close(room, headBytes, frame.body)
  }

  /** The same for a command with a binary header whose fields are written in place. */
  putInPlace<Payload>(
    { code, flag, opaque, payload }: Command<Payload>,
    way: FieldsInPlace<Payload>,
    fieldsBytesMax: number,
  ): void {
    const body = way.bodyOf(payload)
    const room = this.#roomFor(HEAD_BYTES + BINARY_FIXED_BYTES + fieldsBytesMax, body)
    if (room === undefined) return
    const { at, bytes: target } = room
    const fieldsAt = at + HEAD_BYTES + BINARY_FIXED_BYTES
    this.#fields.begin(target, fieldsAt)
    way.write(payload, this.#fields)
    const end = this.#fields.end()
    assert(end <= fieldsAt + fieldsBytesMax, 'the fields take no more than they said')
    const headerBytes = end - at - HEAD_BYTES
    checkFrameBytes(headerBytes, body.length)
    writeFrameLengths(target, at, { headerBytes, bodyBytes: body.length }, true)
    const fixed = { code, language: LANGUAGE, version: VERSION, opaque, flag }
    writeBinaryFixed(fixed, target, at + HEAD_BYTES, end - fieldsAt)
    this.#close(room, HEAD_BYTES + headerBytes, body)
  }

  /** Sends what was put; false when the channel is closed. */
  send(): boolean {
    const room = this.#room
    if (room === undefined) return false
    this.#room = undefined
    const body = this.#body
    this.#body = noBody
    const isSent =
      this.#roomy === undefined
        ? this.#bytes.send(room.bytes.subarray(room.at, room.at + this.#filled))
        : this.#roomy.sendRoom(this.#filled)
    return isSent && (body.length === 0 || this.#bytes.send(body))
  }

  #roomFor(headBytesMax: number, body: Buffer): Room | undefined {
    const isCopied = body.length <= COPIED_BODY_BYTES_MAX
    const bytes = headBytesMax + (isCopied ? body.length : 0)
    this.#room = undefined
    if (this.#roomy !== undefined) return this.#roomy.room(bytes)
    return { bytes: Buffer.allocUnsafe(bytes), at: 0 }
  }

  /** The head is written; the body goes behind it. */
  #close(room: Room, headBytes: number, body: Buffer): void {
    this.#room = room
    const isCopied = body.length <= COPIED_BODY_BYTES_MAX
    if (isCopied && body.length > 0) body.copy(room.bytes, room.at + headBytes)
    this.#filled = isCopied ? headBytes + body.length : headBytes
    this.#body = isCopied ? noBody : body
  }
}
