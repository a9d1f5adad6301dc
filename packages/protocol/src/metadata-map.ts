/**
 * The metadata of an event in a binary body: count u32, then of each: name text, u8 (0 text, 1
 * bytes), the value. In the order given.
 */
import type { Metadata } from '@sagalog/kernel'
import type { ByteReader } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'

const TEXT = 0
const BYTES = 1

export function writeMetadata(writer: ByteWriter, metadata: Metadata): void {
  const entries = Object.entries(metadata)
  writer.count(entries.length, 'metadata')
  for (const [name, value] of entries) {
    writer.text(name, 'metadata')
    writer.u8(typeof value === 'string' ? TEXT : BYTES)
    if (typeof value === 'string') writer.text(value, 'metadata')
    else writer.bytes(value, 'metadata')
  }
}

export function readMetadata(reader: ByteReader): Metadata {
  // `fromEntries` makes own properties of all names, `__proto__` too.
  return Object.fromEntries(
    reader.list('metadata', () => [reader.text('metadata'), readValue(reader)]),
  )
}

function readValue(reader: ByteReader): string | Buffer {
  const tag = reader.u8('metadata')
  if (tag === TEXT) return reader.text('metadata')
  if (tag === BYTES) return reader.bytes('metadata')
  throw reader.malformed(`metadata of sort ${tag}, before this`)
}
