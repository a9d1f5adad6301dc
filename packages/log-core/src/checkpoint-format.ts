/**
 * The bytes of a checkpoint: what each fold saved, at one position, written front to back. Numbers
 * are little-endian.
 *
 *     0       8         12         16         24         28
 *     | magic | version | reserved | position | reserved | checksum |   then the entries
 *       u64     u32       u32, 0     u64        u32, 0     u32
 *
 * An entry names a fold, is a chunk of the fold named last, or is the end:
 *
 *     0        4     8          12
 *     | length | tag | checksum | bytes ... |
 *       u32      u32   u32
 *
 * The header's checksum covers what stands before it. An entry's continues the checksum before it
 * with bytes 0 to 7, then its bytes: so none can be missing, doubled or in another's place.
 */
import { position, type Position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { readPosition, writePosition } from './record-format.js'

/** `SAGACKP1` */
const MAGIC = Buffer.from('SAGACKP1', 'latin1')
const VERSION = 2
export const CHECKPOINT_HEADER_BYTES = 32
export const ENTRY_HEADER_BYTES = 12

const TAGS = { fold: 1, chunk: 2, end: 3 } as const
export type EntryTag = keyof typeof TAGS

export interface CheckpointEntry {
  readonly tag: EntryTag
  readonly bytes: Buffer
}

export function encodeCheckpointHeader(at: Position): Buffer {
  const header = Buffer.alloc(CHECKPOINT_HEADER_BYTES)
  MAGIC.copy(header)
  header.writeUInt32LE(VERSION, 8)
  writePosition(header, 16, at)
  header.writeUInt32LE(checksum(header, 0, 28), 28)
  return header
}

/** The position, or undefined for a header that is not as it was written, or of another version. */
export function decodeCheckpointHeader(header: Buffer): Position | undefined {
  if (header.length < CHECKPOINT_HEADER_BYTES || !header.subarray(0, 8).equals(MAGIC)) {
    return undefined
  }
  if (header.readUInt32LE(8) !== VERSION) return undefined
  if (header.readUInt32LE(28) !== checksum(header, 0, 28)) return undefined
  const at = readPosition(header, 16)
  return Number.isSafeInteger(at) ? position(at) : undefined
}

/** The checksum that the first entry continues. */
export const checksumOfHeader = (header: Buffer): number => header.readUInt32LE(28)

/** Writes an entry's header; gives the checksum that the next one continues. */
export function encodeEntryHeader(
  header: Buffer,
  { tag, bytes }: CheckpointEntry,
  before: number,
): number {
  header.writeUInt32LE(bytes.length, 0)
  header.writeUInt32LE(TAGS[tag], 4)
  const sum = checksum(bytes, 0, bytes.length, checksum(header, 0, 8, before))
  header.writeUInt32LE(sum, 8)
  return sum
}

/** Bytes of the whole entry whose header stands at `at`. */
export const entryBytes = (source: Buffer, at: number): number =>
  ENTRY_HEADER_BYTES + source.readUInt32LE(at)

/** The entry that stands whole at `at`, or undefined when it is not as it was written. */
export function decodeEntry(
  source: Buffer,
  at: number,
  before: number,
): (CheckpointEntry & { readonly checksum: number }) | undefined {
  const start = at + ENTRY_HEADER_BYTES
  const end = at + entryBytes(source, at)
  const sum = checksum(source, start, end, checksum(source, at, at + 8, before))
  if (sum !== source.readUInt32LE(at + 8)) return undefined
  const code = source.readUInt32LE(at + 4)
  const tag = (Object.keys(TAGS) as EntryTag[]).find((name) => TAGS[name] === code)
  return tag === undefined ? undefined : { tag, bytes: source.subarray(start, end), checksum: sum }
}
