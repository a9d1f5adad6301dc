/**
 * The two ids of a message. The offset id says where the broker stored it: host and position, as
 * upper-case hexadecimal digits. The unique id is chosen by the sender before the message leaves,
 * so that a repeated send can be recognised; RocketMQ stores it in the property UNIQ_KEY.
 */
import type { Clock, Position, Random } from '@sagalog/kernel'
import { position, randomHex } from '@sagalog/kernel'
import { HOST_V4_BYTES, HOST_V6_BYTES, hostText } from './host.js'

const WORD = 0x1_0000_0000
const HEX = /^[0-9A-Fa-f]+$/
const SAFE_HIGH_WORDS = 0x20_0000

const hex = (value: number, digits: number): string =>
  value.toString(16).padStart(digits, '0').toUpperCase()

/** The two digits of each byte. */
const BYTE_DIGITS = Array.from({ length: 256 }, (_, byte) => hex(byte, 2))
const DIGITS = Buffer.from('0123456789ABCDEF')
const idBytes = Buffer.alloc(2 * (HOST_V6_BYTES + 8))

function putByte(byte: number, at: number): void {
  idBytes[at] = DIGITS[(byte >>> 4) & 0xf] ?? 0
  idBytes[at + 1] = DIGITS[byte & 0xf] ?? 0
}

function putWord(word: number, at: number): void {
  putByte(word >>> 24, at)
  putByte(word >>> 16, at + 2)
  putByte(word >>> 8, at + 4)
  putByte(word, at + 6)
}

/**
 * 32 digits (56 for an IPv6 host): the host's bytes, then the position as int64. Written as bytes
 * first: one text comes out, where joining pieces would leave a tree of them behind.
 */
export function offsetId(host: Buffer, at: Position): string {
  for (let index = 0; index < host.length; index += 1) putByte(host[index] ?? 0, 2 * index)
  const end = 2 * host.length
  putWord(Math.floor(at / WORD), end)
  putWord(at >>> 0, end + 8)
  return idBytes.toString('latin1', 0, end + 16)
}

/** The position in an offset id, or undefined when `text` is none. */
export function positionInOffsetId(text: string): Position | undefined {
  const isLong = text.length === 2 * (HOST_V6_BYTES + 8)
  if (!isLong && text.length !== 2 * (HOST_V4_BYTES + 8)) return undefined
  if (!HEX.test(text)) return undefined
  const high = Number.parseInt(text.slice(-16, -8), 16)
  if (high >= SAFE_HIGH_WORDS) return undefined
  return position(high * WORD + Number.parseInt(text.slice(-8), 16))
}

/** The host in an offset id, `ip:port`, or undefined when `text` is none. */
export function hostInOffsetId(text: string): string | undefined {
  if (positionInOffsetId(text) === undefined) return undefined
  return hostText(Buffer.from(text.slice(0, -16), 'hex'))
}

const PREFIX_DIGITS = 20
const COUNTER_MAX = 0xffff
const DAY_MS = 86_400_000

/** Milliseconds since the first of the month (UTC) of a time since 1970. */
export function msIntoMonth(wallMs: number): number {
  // Howard Hinnant's civil-from-days: years begin in March, so that leap days come last.
  const days = Math.floor(wallMs / DAY_MS)
  const shifted = days + 719_468
  const dayOfEra = shifted - Math.floor(shifted / 146_097) * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const dayOfMonth = dayOfYear - Math.floor((153 * month + 2) / 5)
  return dayOfMonth * DAY_MS + (wallMs - days * DAY_MS)
}

/**
 * A source of unique ids: 20 random digits, the time in the month (8), a counter (4), so that
 * RocketMQ's tools read the time at the place where they look for it. The random digits are drawn
 * again whenever the time or the counter would repeat.
 */
export function uniqueIds(clock: Clock, random: Random): () => string {
  let prefix = ''
  let lastMs = Number.POSITIVE_INFINITY
  /** The prefix and the time, made anew when one of them changes. */
  let head = ''
  let counter = 0
  return () => {
    const nowMs = clock.wallMs()
    counter += 1
    if (nowMs !== lastMs) {
      const intoMonth = msIntoMonth(nowMs)
      // A new month or a clock set back starts the times again.
      if (nowMs < lastMs || intoMonth < msIntoMonth(lastMs)) {
        prefix = randomHex(random).slice(0, PREFIX_DIGITS)
        counter = 0
      }
      head = prefix + hex(intoMonth, 8)
      lastMs = nowMs
    }
    if (counter > COUNTER_MAX) {
      prefix = randomHex(random).slice(0, PREFIX_DIGITS)
      head = prefix + hex(msIntoMonth(nowMs), 8)
      counter = 0
    }
    return `${head}${BYTE_DIGITS[counter >>> 8]}${BYTE_DIGITS[counter & 0xff]}`
  }
}
