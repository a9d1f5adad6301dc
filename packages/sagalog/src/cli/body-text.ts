/**
 * A body as people can read it: text where it is text, else hexadecimal. A log holds what strangers
 * sent: nothing of it may move the cursor, colour the screen or turn the direction of a line.
 */
import { isUtf8 } from 'node:buffer'

export interface BodyText {
  readonly form: 'utf8' | 'hex'
  readonly text: string
}

/** Controls, line and paragraph separators, and what turns the direction of writing. */
const UNSAFE = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

export function escaped(text: string): string {
  return text.replaceAll(UNSAFE, (unsafe) => {
    const code = unsafe.charCodeAt(0).toString(16)
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`
  })
}

/** Bytes that text has and few numbers are: tab, line feed, carriage return, and from space on. */
function isText(bytes: Buffer): boolean {
  if (!isUtf8(bytes)) return false
  return bytes.every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13)
}

/** The longest whole characters of the first `bytes` bytes. */
function cut(body: Buffer, bytes: number): Buffer {
  if (body.length <= bytes) return body
  let end = bytes
  // A byte 10xxxxxx goes on with a character that began before the cut.
  while (end > 0 && end > bytes - 4 && ((body[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return isUtf8(body.subarray(0, end)) ? body.subarray(0, end) : body.subarray(0, bytes)
}

/** The first `bytes` bytes of a body; `raw` leaves escaping to JSON and marks no end. */
export function bodyText(body: Buffer, bytes: number, style: 'line' | 'raw' = 'line'): BodyText {
  const part = cut(body, bytes)
  const form = isText(part) ? 'utf8' : 'hex'
  const text = part.toString(form)
  if (style === 'raw') return { form, text }
  const end = part.length < body.length ? '…' : ''
  return { form, text: (form === 'utf8' ? escaped(text) : `0x${text}`) + end }
}
