/** Maps of texts in a binary body: count u32, then name and value of each, in the order given. */
import type { ByteReader } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'

export type TextMap = Readonly<Record<string, string>>

export function writeTextMap(writer: ByteWriter, map: TextMap, what: string): void {
  const entries = Object.entries(map)
  writer.count(entries.length, what)
  for (const [name, value] of entries) {
    writer.text(name, what)
    writer.text(value, what)
  }
}

export function readTextMap(reader: ByteReader, what: string): TextMap {
  // `fromEntries` makes own properties of all names, `__proto__` too.
  return Object.fromEntries(reader.list(what, () => [reader.text(what), reader.text(what)]))
}
