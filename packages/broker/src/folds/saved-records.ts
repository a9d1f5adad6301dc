/**
 * Saves a fold whose state is nothing but its restated facts: the same records that a restatement
 * would append, kept in a checkpoint instead. One layout for both, so neither can drift.
 *
 *   u8 kind code | u8 version | u16 zero | u32 body bytes | body
 */
import {
  assert,
  type Draft,
  type LogRecord,
  position,
  RECORD_KINDS,
  recordKindOf,
} from '@sagalog/kernel'

const HEAD = 8

export function* saveRecords(drafts: Iterable<Draft>): Iterable<Buffer> {
  for (const draft of drafts) {
    const chunk = Buffer.alloc(HEAD + draft.bytes)
    const row = RECORD_KINDS[draft.kind]
    chunk.writeUInt8(row.code, 0)
    chunk.writeUInt8(row.version, 1)
    chunk.writeUInt32BE(draft.bytes, 4)
    draft.encodeAt(chunk, HEAD, position(0))
    yield chunk
  }
}

export function loadRecords(chunks: Iterable<Buffer>, evolve: (record: LogRecord) => void): void {
  for (const chunk of chunks) {
    let at = 0
    while (at < chunk.length) {
      const kind = recordKindOf(chunk.readUInt8(at))
      assert(kind !== undefined, 'a saved record has a known kind')
      const start = at + HEAD
      const end = start + chunk.readUInt32BE(at + 4)
      const version = chunk.readUInt8(at + 1)
      evolve({ kind, version, position: position(0), source: chunk, start, end })
      at = end
    }
  }
}
