/** What both kinds of header say, and who we say we are. */
import type { Fields } from './request-codec.js'

export interface Header {
  /** int32; an int16 in a binary header. */
  readonly code: number
  /** Java's `LanguageCode`. */
  readonly language: number
  /** Java's `MQVersion`. */
  readonly version: number
  readonly opaque: number
  readonly flag: number
  /** Absent when it is empty, because a binary header can not tell. */
  readonly remark?: string
  readonly fields: Fields
}

/** `OTHER`: the one language that every client knows and nobody treats specially. */
export const LANGUAGE = 7
/** V5_3_3. Java clients trust a broker with SQL filters and JSON routes by this number. */
export const VERSION = 479

/** Binary headers hold the code as int16; a larger one is written as JSON. */
export const BINARY_CODE_MAX = 0x7fff
