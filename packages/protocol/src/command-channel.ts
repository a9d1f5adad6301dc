/**
 * A channel of commands over a channel of bytes. It owns the translation and nothing else: no
 * deadlines, no retries, no matching of answers. To translate it must remember, per opaque number,
 * what was asked: a response does not say what it answers, nor in which dialect to write it.
 *
 * - A frame that can't be read closes the channel; so does a response that can't be read.
 * - A request with wrong fields never arrives: it is answered here, with SYSTEM_ERROR, as in Java.
 * - A request with a code that is not known arrives with the payload `Encoded`.
 * - A response that answers nothing is dropped, on the way in and on the way out.
 * - SEND_MESSAGE (10) arrives as SEND_MESSAGE_V2 (310).
 */
import { assert, type Cancel, type Channel, type Clock } from '@sagalog/kernel'
import { type Command, FLAG_ONEWAY, FLAG_RESPONSE, isOneway, isResponse } from './command.js'
import { ProtocolError } from './errors.js'
import { type Dialect, encodeFrame, encodeFrameHead, type Frame, FrameDecoder } from './frame.js'
import { LANGUAGE, VERSION } from './header.js'
import type { InboundBytes } from './inbound-bytes.js'
import { UNANSWERED_MAX } from './limits.js'
import { type Encoded, encodedNothing, noBody, noFields } from './request-codec.js'
import { type AnyCodec, codecOf } from './request-table.js'
import { ResponseCode } from './response-codes.js'

export interface CommandChannelOptions {
  /**
   * How our own requests are written; responses follow their request. Unless told, as the last
   * request of the other end was, and binary before there was one.
   */
  readonly dialect?: Dialect
  /** A frame that has begun must be there within `ms`, or the channel closes. */
  readonly frameDeadline?: { readonly clock: Clock; readonly ms: number }
  /** Counts what has not arrived whole, together with other channels. */
  readonly inbound?: InboundBytes
}

/** A longer body goes out as it is, behind the head of its frame. */
const COPIED_BODY_BYTES_MAX = 16_384

/** Stands for every request code that has no codec: the payload is what came. */
const unknownRequest: AnyCodec = {
  code: -1,
  name: 'unknown',
  encodeRequest: () => encodedNothing,
  decodeRequest: (encoded) => encoded,
  encodeResponse: () => encodedNothing,
  decodeResponse: (encoded) => encoded,
}

const hasPayload = (codec: AnyCodec, code: number): boolean =>
  code === ResponseCode.SUCCESS || codec.payloadCodes?.includes(code) === true

class CommandChannel implements Channel<Command> {
  readonly #bytes: Channel<Buffer>
  readonly #options: CommandChannelOptions
  readonly #decoder = new FrameDecoder()
  /** The dialect of the last request that came. */
  #heard: Dialect = 'binary'
  /** Bytes that the common count knows of. */
  #counted = 0
  /** Whole frames that came; tells one unfinished frame from the next. */
  #frames = 0
  #cancelDeadline: Cancel | undefined
  /** Requests we sent that are not answered yet. */
  readonly #asked = new Map<number, AnyCodec>()
  /** Requests we received and owe an answer, by the dialect they came in. */
  readonly #owed: Readonly<Record<Dialect, Map<number, AnyCodec>>> = {
    json: new Map(),
    binary: new Map(),
  }
  #receive: ((command: Command) => void) | undefined
  #listener: ((reason: string) => void) | undefined
  #reason: string | undefined

  constructor(bytes: Channel<Buffer>, options: CommandChannelOptions) {
    this.#bytes = bytes
    this.#options = options
    bytes.onClose((reason) => {
      this.#reason = reason
      this.#cancelDeadline?.()
      this.#options.inbound?.change(-this.#counted)
      this.#counted = 0
      this.#asked.clear()
      this.#owed.json.clear()
      this.#owed.binary.clear()
      this.#listener?.(reason)
    })
  }

  get remote(): string {
    return this.#bytes.remote
  }

  send(command: Command): boolean {
    if (this.#reason !== undefined) return false
    return isResponse(command) ? this.#sendResponse(command) : this.#sendRequest(command)
  }

  onItem(receive: (command: Command) => void): void {
    const isFirst = this.#receive === undefined
    this.#receive = receive
    // The bytes wait below until somebody wants commands.
    if (isFirst) this.#bytes.onItem((chunk) => this.#take(chunk))
  }

  onClose(listener: (reason: string) => void): void {
    this.#listener = listener
    if (this.#reason !== undefined) listener(this.#reason)
  }

  close(reason: string): void {
    this.#bytes.close(reason)
  }

  #sendRequest(command: Command): boolean {
    const codec = codecOf(command.code)
    assert(codec?.code === command.code, 'the code of a request has a codec')
    const encoded = codec.encodeRequest(command.payload)
    const bytes = this.#framed(command, encoded, this.#options.dialect ?? this.#heard)
    if (!isOneway(command)) {
      // Before the bytes leave: the answer may come back inside the call that sends them.
      this.#asked.set(command.opaque, codec)
      if (this.#asked.size > UNANSWERED_MAX) this.#forgetOldest()
    }
    return this.#write(bytes, encoded.body)
  }

  /** Whoever asked has given up on it long ago; its answer will be dropped. */
  #forgetOldest(): void {
    for (const opaque of this.#asked.keys()) {
      this.#asked.delete(opaque)
      return
    }
  }

  #sendResponse(command: Command): boolean {
    const { opaque, code, payload } = command
    const dialect: Dialect = this.#owed.binary.has(opaque) ? 'binary' : 'json'
    const codec = this.#owed[dialect].get(opaque)
    if (codec === undefined) return false
    const isFull = hasPayload(codec, code)
    assert(!isFull || payload !== undefined, 'this response has a payload')
    const encoded = isFull
      ? codec.encodeResponse(payload)
      : { fields: codec.failureFields ?? noFields, body: noBody }
    const bytes = this.#framed(command, encoded, dialect)
    this.#owed[dialect].delete(opaque)
    return this.#write(bytes, encoded.body)
  }

  /** The whole frame, or only its head when the body is long. */
  #framed(command: Command, { fields, body }: Encoded, dialect: Dialect): Buffer {
    const { code, opaque, flag, remark } = command
    const plain = {
      dialect,
      code,
      language: LANGUAGE,
      version: VERSION,
      opaque,
      flag,
      fields,
      body,
    }
    const frame: Frame = remark === undefined ? plain : { ...plain, remark }
    return body.length <= COPIED_BODY_BYTES_MAX ? encodeFrame(frame) : encodeFrameHead(frame)
  }

  #write(framed: Buffer, body: Buffer): boolean {
    if (!this.#bytes.send(framed)) return false
    return body.length <= COPIED_BODY_BYTES_MAX || this.#bytes.send(body)
  }

  #take(chunk: Buffer): void {
    this.#decoder.push(chunk)
    for (;;) {
      const command = this.#nextCommand()
      if (command === undefined) break
      this.#receive?.(command)
    }
    if (this.#reason !== undefined) return
    this.#count()
    this.#watch()
  }

  #count(): void {
    const { inbound } = this.#options
    if (inbound === undefined) return
    const change = this.#decoder.heldBytes - this.#counted
    this.#counted += change
    if (!inbound.change(change)) this.close('too many bytes of unfinished frames are held')
  }

  /** One timer for as long as frames are unfinished: planning one for each would cost more. */
  #watch(): void {
    const { frameDeadline } = this.#options
    if (frameDeadline === undefined || this.#cancelDeadline !== undefined) return
    if (this.#decoder.heldBytes === 0 || this.#reason !== undefined) return
    const frames = this.#frames
    this.#cancelDeadline = frameDeadline.clock.after(frameDeadline.ms, () => {
      this.#cancelDeadline = undefined
      if (this.#frames === frames && this.#decoder.heldBytes > 0)
        this.close(`a frame was not there within ${frameDeadline.ms} ms`)
      else this.#watch()
    })
  }

  /** The next command that arrives; what the receiver throws must not be taken for bad bytes. */
  #nextCommand(): Command | undefined {
    try {
      // A receiver may close the channel; what came behind it must not arrive any more.
      while (this.#reason === undefined) {
        const frame = this.#decoder.next()
        if (frame === undefined) return undefined
        this.#frames += 1
        const isAnswer = (frame.flag & FLAG_RESPONSE) !== 0
        const command = isAnswer ? this.#responseOf(frame) : this.#requestOf(frame)
        if (command !== undefined) return command
      }
    } catch (error) {
      if (!ProtocolError.is(error)) throw error
      this.close(error.message)
    }
    return undefined
  }

  #responseOf(frame: Frame): Command | undefined {
    const codec = this.#asked.get(frame.opaque)
    if (codec === undefined) return undefined
    this.#asked.delete(frame.opaque)
    const payload = hasPayload(codec, frame.code) ? codec.decodeResponse(frame) : undefined
    return commandWith(frame, frame.code, payload)
  }

  #requestOf(frame: Frame): Command | undefined {
    const codec = codecOf(frame.code) ?? unknownRequest
    const code = codec === unknownRequest ? frame.code : codec.code
    this.#heard = frame.dialect
    const isAnswered = (frame.flag & FLAG_ONEWAY) === 0
    if (isAnswered) {
      const owed = this.#owed[frame.dialect]
      owed.set(frame.opaque, codec)
      if (owed.size > UNANSWERED_MAX) {
        this.close(`more than ${UNANSWERED_MAX} requests without an answer`)
        return undefined
      }
    }
    try {
      return commandWith(frame, code, codec.decodeRequest(frame))
    } catch (error) {
      if (!ProtocolError.is(error)) throw error
      if (isAnswered)
        this.#sendResponse({
          code: ResponseCode.SYSTEM_ERROR,
          opaque: frame.opaque,
          flag: FLAG_RESPONSE,
          remark: error.message,
          payload: undefined,
        })
      return undefined
    }
  }
}

function commandWith(frame: Frame, code: number, payload: unknown): Command {
  const { opaque, flag, remark } = frame
  if (remark === undefined) return { code, opaque, flag, payload }
  return { code, opaque, flag, remark, payload }
}

/** Commands over `bytes`. The bytes channel must not be used directly any more. */
export function commandChannel(
  bytes: Channel<Buffer>,
  options: CommandChannelOptions = {},
): Channel<Command> {
  return new CommandChannel(bytes, options)
}
