/**
 * Header kind 1, RocketMQ's own. All integers are big-endian.
 *
 *   code int16 | language int8 | version int16 | opaque int32 | flag int32
 *   remark: int32 length (0: none), UTF-8
 *   fields: int32 length of all, then of each: int16 length, name; int32 length, value
 */
import { assert } from '@sagalog/kernel'
import { ProtocolError } from './errors.js'
import { BINARY_CODE_MAX, type Header } from './header.js'
import { HEADER_FIELDS_MAX } from './limits.js'
import { noFields } from './request-codec.js'
import { isAsciiText, textBytes, writeText } from './short-text.js'

/** Everything of a header but its remark and its fields. */
export const BINARY_FIXED_BYTES = 21
const NAME_BYTES_MAX = 0x7fff

/** The bytes that `writeBinaryHeader` will take. */
export function binaryHeaderBytes(header: Header): number {
  let bytes = BINARY_FIXED_BYTES
  if (header.remark !== undefined) bytes += textBytes(header.remark)
  for (const [name, value] of header.fields) bytes += 6 + textBytes(name) + textBytes(value)
  return bytes
}

/** Writes the header into `target` from `at`, where it must fit; gives the index after it. */
export function writeBinaryHeader(header: Header, target: Buffer, at: number): number {
  assert(header.code <= BINARY_CODE_MAX, 'a binary header holds an int16 code')
  target.writeInt16BE(header.code, at)
  target.writeInt8(header.language, at + 2)
  target.writeInt16BE(header.version, at + 3)
  target.writeInt32BE(header.opaque, at + 5)
  target.writeInt32BE(header.flag, at + 9)
  const remarkBytes = header.remark === undefined ? 0 : writeText(target, header.remark, at + 17)
  target.writeInt32BE(remarkBytes, at + 13)
  const fieldsAt = at + 17 + remarkBytes
  let end = fieldsAt + 4
  for (const [name, value] of header.fields) {
    const nameBytes = writeText(target, name, end + 2)
    assert(nameBytes <= NAME_BYTES_MAX, 'the name of a field fits its length')
    target.writeInt16BE(nameBytes, end)
    end += 2 + nameBytes
    const valueBytes = writeText(target, value, end + 4)
    target.writeInt32BE(valueBytes, end)
    end += 4 + valueBytes
  }
  target.writeInt32BE(end - fieldsAt - 4, fieldsAt)
  return end
}

/** Writes all but the fields of a header without a remark; the fields stand behind it. */
export function writeBinaryFixed(
  header: Omit<Header, 'fields' | 'remark'>,
  target: Buffer,
  at: number,
  fieldsBytes: number,
): void {
  assert(header.code <= BINARY_CODE_MAX, 'a binary header holds an int16 code')
  target.writeInt16BE(header.code, at)
  target.writeInt8(header.language, at + 2)
  target.writeInt16BE(header.version, at + 3)
  target.writeInt32BE(header.opaque, at + 5)
  target.writeInt32BE(header.flag, at + 9)
  target.writeInt32BE(0, at + 13)
  target.writeInt32BE(fieldsBytes, at + 17)
}

/** The header in `source[start, end)`; FRAME_MALFORMED names the byte counted from `origin`. */
export function readBinaryHeader(
  source: Buffer,
  { start, end, origin }: { start: number; end: number; origin: number },
): Header {
  if (end - start < BINARY_FIXED_BYTES)
    throw malformed('a header shorter than its fixed part', start - origin)
  const remarkBytes = source.readInt32BE(start + 13)
  const fieldsAt = start + 17 + remarkBytes
  if (remarkBytes < 0 || fieldsAt + 4 > end)
    throw malformed(`a remark of ${remarkBytes} bytes`, start + 13 - origin)
  const fieldsBytes = source.readInt32BE(fieldsAt)
  if (fieldsBytes !== end - fieldsAt - 4)
    throw malformed(`fields of ${fieldsBytes} bytes`, fieldsAt - origin)
  const header = {
    code: source.readInt16BE(start),
    language: source.readInt8(start + 2),
    version: source.readInt16BE(start + 3),
    opaque: source.readInt32BE(start + 5),
    flag: source.readInt32BE(start + 9),
    fields: fieldsBytes === 0 ? noFields : readFields(source, { start: fieldsAt + 4, end, origin }),
  }
  if (remarkBytes === 0) return header
  return { ...header, remark: source.toString('utf8', start + 17, fieldsAt) }
}

function readFields(
  source: Buffer,
  { start, end, origin }: { start: number; end: number; origin: number },
): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  // One call into the runtime for all fields: most are ASCII, where a byte is a character.
  const latin1 = source.toString('latin1', start, end)
  let at = start
  while (at < end) {
    if (fields.size === HEADER_FIELDS_MAX) throw malformed('too many fields', at - origin)
    if (at + 2 > end) throw malformed('half a field', at - origin)
    const valueAt = at + 2 + source.readInt16BE(at)
    if (valueAt < at + 2 || valueAt + 4 > end) throw malformed('a name too long', at - origin)
    const next = valueAt + 4 + source.readInt32BE(valueAt)
    if (next < valueAt + 4 || next > end) throw malformed('a value too long', valueAt - origin)
    let name = latin1.slice(at + 2 - start, valueAt - start)
    if (!isAsciiText(name)) name = source.toString('utf8', at + 2, valueAt)
    let value = latin1.slice(valueAt + 4 - start, next - start)
    if (!isAsciiText(value)) value = source.toString('utf8', valueAt + 4, next)
    fields.set(name, value)
    at = next
  }
  return fields
}

function malformed(what: string, at: number): ProtocolError {
  return new ProtocolError('FRAME_MALFORMED', { what, at })
}
