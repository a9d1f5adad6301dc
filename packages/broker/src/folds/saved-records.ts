/**
 * Saves facts as the records that a restatement would append, kept in a checkpoint instead. One
 * layout for both, so neither can drift. A chunk is any number of them:
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

/** One chunk with all drafts; they must not depend on their position. */
export function recordsChunk(drafts: readonly Draft[]): Buffer {
  let bytes = 0
  for (const draft of drafts) bytes += HEAD + draft.bytes
  const chunk = Buffer.alloc(bytes)
  let at = 0
  for (const draft of drafts) {
    const row = RECORD_KINDS[draft.kind]
    chunk.writeUInt8(row.code, at)
    chunk.writeUInt8(row.version, at + 1)
    chunk.writeUInt32BE(draft.bytes, at + 4)
    draft.encodeAt(chunk, at + HEAD, position(0))
    at += HEAD + draft.bytes
  }
  return chunk
}

export function loadRecords(chunk: Buffer, evolve: (record: LogRecord) => void): void {
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
