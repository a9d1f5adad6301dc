/**
 * UTF-8 of short texts. Headers are made of many short ASCII texts, and for those a loop in place
 * is several times faster than a call into the runtime; every other text takes that call. Both give
 * the same bytes.
 */

export const SHORT_CHARS_MAX = 24

const NOT_ASCII = /[^\u0000-\u007f]/

/** True when every character takes one byte. */
export function isAsciiText(text: string): boolean {
  if (text.length > SHORT_CHARS_MAX) return !NOT_ASCII.test(text)
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return false
  }
  return true
}

/** The bytes that `writeText` will take. */
export function textBytes(text: string): number {
  const isShort = text.length <= SHORT_CHARS_MAX
  return isShort && isAsciiText(text) ? text.length : Buffer.byteLength(text, 'utf8')
}

/** Writes `text` into `target` from `at`, where there must be room; gives the bytes written. */
export function writeText(target: Buffer, text: string, at: number): number {
  const chars = text.length
  if (chars > SHORT_CHARS_MAX) return target.write(text, at, 'utf8')
  for (let index = 0; index < chars; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit > 0x7f) return target.write(text, at, 'utf8')
    target[at + index] = unit
  }
  return chars
}
