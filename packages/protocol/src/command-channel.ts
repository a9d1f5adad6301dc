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
import { FieldReader } from './field-reader.js'
import { FIELDS_BYTES_MAX, type FieldsInPlace } from './fields-in-place.js'
import { bodyStart, type Dialect, type Frame, FrameDecoder } from './frame.js'
import { isWrittenBinary, plainHeaderAt } from './frame.js'
import { FrameWriter } from './frame-writer.js'
import { LANGUAGE, VERSION } from './header.js'
import { BINARY_FIXED_BYTES } from './header-binary.js'
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
  readonly #writer: FrameWriter
  readonly #fields = new FieldReader()
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
    this.#writer = new FrameWriter(bytes)
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
    const dialect = this.#options.dialect ?? this.#heard
    if (!this.#putInPlace(command, codec.requestInPlace, dialect))
      this.#put(command, codec.encodeRequest(command.payload), dialect)
    if (!isOneway(command)) {
      // Before the bytes leave: the answer may come back inside the call that sends them.
      this.#asked.set(command.opaque, codec)
      if (this.#asked.size > UNANSWERED_MAX) this.#forgetOldest()
    }
    return this.#writer.send()
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
    const asBinary = this.#owed.binary.get(opaque)
    const codec = asBinary ?? this.#owed.json.get(opaque)
    if (codec === undefined) return false
    const dialect: Dialect = asBinary === undefined ? 'json' : 'binary'
    const isFull = hasPayload(codec, code)
    assert(!isFull || payload !== undefined, 'this response has a payload')
    if (!isFull) {
      const fields = codec.failureFields ?? noFields
      this.#put(command, { fields, body: noBody }, dialect)
    } else if (!this.#putInPlace(command, codec.responseInPlace, dialect))
      this.#put(command, codec.encodeResponse(payload), dialect)
    this.#owed[dialect].delete(opaque)
    return this.#writer.send()
  }

  #put(command: Command, { fields, body }: Encoded, dialect: Dialect): void {
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
    this.#writer.put(frame)
  }

  /** The same without a map of the fields, where there is such a way; false where there is not. */
  #putInPlace(
    command: Command,
    way: FieldsInPlace<unknown> | undefined,
    dialect: Dialect,
  ): boolean {
    if (way === undefined || command.remark !== undefined) return false
    if (!isWrittenBinary(dialect, command.code)) return false
    const bytesMax = way.bytesMax(command.payload)
    if (bytesMax > FIELDS_BYTES_MAX) return false
    this.#writer.putInPlace(command, way, bytesMax)
    return true
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
        const decoder = this.#decoder
        if (!decoder.advance()) return undefined
        this.#frames += 1
        const plain = this.#readInPlace(decoder)
        if (plain !== undefined || this.#reason !== undefined) return plain
        const frame = decoder.frame()
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

  /** What has a plain header and a codec that reads such in place; undefined for all the rest. */
  #readInPlace({ end, source, start }: FrameDecoder): Command | undefined {
    const at = plainHeaderAt(source, start)
    if (at === undefined) return undefined
    const code = source.readInt16BE(at)
    const opaque = source.readInt32BE(at + 5)
    const flag = source.readInt32BE(at + 9)
    const isAnswer = (flag & FLAG_RESPONSE) !== 0
    const codec = isAnswer ? this.#asked.get(opaque) : codecOf(code)
    const way = isAnswer ? codec?.responseInPlace : codec?.requestInPlace
    if (codec === undefined || way === undefined) return undefined
    if (isAnswer && code !== ResponseCode.SUCCESS) return undefined
    const bodyAt = bodyStart(source, start)
    this.#fields.begin(source, at + BINARY_FIXED_BYTES, bodyAt)
    const payload = way.read(this.#fields, bodyAt === end ? noBody : source.subarray(bodyAt, end))
    if (payload === undefined) return undefined
    if (isAnswer) {
      this.#asked.delete(opaque)
      return { code, opaque, flag, payload }
    }
    this.#heard = 'binary'
    if (!this.#owes('binary', codec, { opaque, flag })) return undefined
    return { code: codec.code, opaque, flag, payload }
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
    if (!this.#owes(frame.dialect, codec, frame)) return undefined
    try {
      return commandWith(frame, code, codec.decodeRequest(frame))
    } catch (error) {
      if (!ProtocolError.is(error)) throw error
      if ((frame.flag & FLAG_ONEWAY) === 0)
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

  /** Notes that a request wants an answer; false when too many do, which closes the channel. */
  #owes(dialect: Dialect, codec: AnyCodec, { flag, opaque }: Asking): boolean {
    if ((flag & FLAG_ONEWAY) !== 0) return true
    const owed = this.#owed[dialect]
    owed.set(opaque, codec)
    if (owed.size <= UNANSWERED_MAX) return true
    this.close(`more than ${UNANSWERED_MAX} requests without an answer`)
    return false
  }
}

type Asking = Pick<Command, 'flag' | 'opaque'>

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
