/**
 * The number of a send, in the unique id of its message: so a send that is repeated is known by
 * what is stored anyway. Written by Sagalog's producers, whose sends have the bit SEQUENCED;
 * unique ids without the bit prove nothing.
 *
 *   12 digits producer | 4 number, high | 4 span | 8 time in the month | 4 number, low
 *
 * `number - span` is the floor: every send below it has ended for its producer, which repeats none
 * of them. The time stands where RocketMQ's tools look for it.
 */
import type { Clock, Random } from '@sagalog/kernel'
import { randomHex } from '@sagalog/kernel'
import { MessageConst, MessageSysFlag } from './message-const.js'
import { msIntoMonth } from './message-id.js'
import { propertyOf } from './message-properties.js'
import { storedProperties, storedSysFlag } from './stored-fields.js'

/** Numbers from the floor of a producer to its newest send. */
export const SEND_SPAN_MAX = 0xffff

const LOW = 0x1_0000
const ENDED_MIN = 64
const NUMBER_MAX = 0xffff_ffff
const DIGITS = 32
const PRODUCER_DIGITS = 12
const UNIQ_KEY = MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX

export interface SendNumber {
  /** Names the producer, 48 bits drawn by it. */
  readonly producer: number
  readonly number: number
  readonly floor: number
}

/** A number that was given out, and the unique id that says it. */
export interface NumberedSend {
  readonly uniqueId: string
  readonly producer: string
  readonly number: number
}

const TWO_DIGITS = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0').toUpperCase(),
)
const fourDigits = (value: number): string =>
  `${TWO_DIGITS[value >>> 8]}${TWO_DIGITS[value & 0xff]}`

/**
 * The numbers of one producer: given out upwards, ended in any order. A producer that runs out of
 * them goes on as a new one.
 */
export class SendNumbers {
  readonly #clock: Clock
  readonly #random: Random
  #producer = ''
  #next = 0
  #floor = 0
  /** Those from the floor on that have ended, by their number's place in the ring. */
  #ended = new Uint8Array(ENDED_MIN)
  #highAt = -1
  #high = ''
  #timeAt = Number.NaN
  #time = ''

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
    this.renew()
  }

  /** Goes on as a new producer: those given out before stay with the old one. */
  renew(): void {
    this.#producer = randomHex(this.#random).slice(0, PRODUCER_DIGITS)
    this.#next = 0
    this.#floor = 0
    this.#ended.fill(0)
    this.#highAt = -1
  }

  /** `count` of them in a row are of one producer. */
  next(count = 1): NumberedSend {
    const last = this.#next + count - 1
    if (last - this.#floor > SEND_SPAN_MAX || last > NUMBER_MAX) this.renew()
    const number = this.#next
    this.#next += 1
    if (this.#next - this.#floor > this.#ended.length) this.#widen()
    this.#ended[number % this.#ended.length] = 0
    const high = Math.floor(number / LOW)
    if (high !== this.#highAt) {
      this.#highAt = high
      this.#high = this.#producer + fourDigits(high)
    }
    const nowMs = this.#clock.wallMs()
    if (nowMs !== this.#timeAt) {
      this.#timeAt = nowMs
      const intoMonth = msIntoMonth(nowMs)
      this.#time = fourDigits(Math.floor(intoMonth / LOW)) + fourDigits(intoMonth % LOW)
    }
    const span = fourDigits(number - this.#floor)
    const uniqueId = this.#high + span + this.#time + fourDigits(number % LOW)
    return { uniqueId, producer: this.#producer, number }
  }

  /** The send will not be made again. */
  end({ number, producer }: NumberedSend): void {
    if (producer !== this.#producer) return
    const ended = this.#ended
    ended[number % ended.length] = 1
    while (this.#floor < this.#next && ended[this.#floor % ended.length] === 1) this.#floor += 1
  }

  #widen(): void {
    const wider = new Uint8Array(this.#ended.length * 2)
    for (let number = this.#floor; number < this.#next; number += 1)
      wider[number % wider.length] = this.#ended[number % this.#ended.length] ?? 0
    this.#ended = wider
  }

  /** True when it was given out by the producer as which it goes on. */
  isCurrent({ producer }: NumberedSend): boolean {
    return producer === this.#producer
  }
}

/** What `uniqueId` says; undefined when it can not be one of `SendNumbers`. */
export function sendNumberOf(uniqueId: string): SendNumber | undefined {
  if (uniqueId.length !== DIGITS) return undefined
  return sendNumber((at) => uniqueId.charCodeAt(at))
}

/** The number in the property text of a send; undefined when it has none. */
export function sendNumberIn(properties: string): SendNumber | undefined {
  const at = properties.length - 1 - DIGITS
  // Where our producers write it; a half has more behind it.
  const isLast = properties.endsWith('\u0002') && properties.startsWith(`${UNIQ_KEY}\u0001`, at - 9)
  if (isLast) return sendNumber((index) => properties.charCodeAt(at + index))
  return sendNumberOf(propertyOf(properties, UNIQ_KEY) ?? '')
}

const UNIQ = 0x55_4e_49_51
const KEY = 0x5f_4b_45_59
const NAME_END = 1
const PART_END = 2

/** The number of the stored message from `start` to `end`; undefined when it was sent without. */
export function storedSendNumber(
  source: Buffer,
  start: number,
  end: number,
): SendNumber | undefined {
  if ((storedSysFlag(source, start) & MessageSysFlag.SEQUENCED) === 0) return undefined
  const at = end - 1 - DIGITS
  const isLast =
    source[end - 1] === PART_END &&
    source[at - 1] === NAME_END &&
    source.readUInt32BE(at - 5) === KEY &&
    source.readUInt32BE(at - 9) === UNIQ
  if (isLast) return sendNumber((index) => source[at + index] ?? 0)
  return sendNumberOf(propertyOf(storedProperties(source, start), UNIQ_KEY) ?? '')
}

function sendNumber(charAt: (index: number) => number): SendNumber | undefined {
  const producer = hexNumber(charAt, 0, PRODUCER_DIGITS)
  const high = hexNumber(charAt, 12, 16)
  const span = hexNumber(charAt, 16, 20)
  const low = hexNumber(charAt, 28, DIGITS)
  // Anything that is no digit has made a sum that is no number.
  const number = high * LOW + low
  const floor = number - span
  return producer >= 0 && floor >= 0 ? { producer, number, floor } : undefined
}

function hexNumber(charAt: (index: number) => number, from: number, to: number): number {
  let value = 0
  for (let index = from; index < to; index += 1) {
    const char = charAt(index)
    const isDigit = char >= 48 && char <= 57
    if (!isDigit && (char < 65 || char > 70)) return Number.NaN
    value = value * 16 + char - (isDigit ? 48 : 55)
  }
  return value
}
