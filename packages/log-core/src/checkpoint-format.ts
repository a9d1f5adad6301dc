/**
 * The bytes of a checkpoint: what each fold saved, at one position. Numbers are little-endian.
 *
 *     0       8         12         16         24         28
 *     | magic | version | sections | position | reserved | checksum |   then the sections
 *       u64     u32       u32        u64        u32, 0     u32
 *
 * A section:
 *
 *     0           4        8       16         20
 *     | nameBytes | chunks | bytes | checksum | reserved | name | chunks: length u32, bytes ... |
 *       u32         u32      u64     u32        u32, 0     `bytes` counts all that follows
 *
 * Each checksum covers what stands before it in its header; a section's also what follows.
 */
import { position, type Position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { readPosition, writePosition } from './record-format.js'

/** `SAGACKP1` */
const MAGIC = Buffer.from('SAGACKP1', 'latin1')
const VERSION = 1
const HEADER_BYTES = 32
const SECTION_HEADER_BYTES = 24

export interface CheckpointSection {
  readonly name: string
  readonly chunks: readonly Buffer[]
}

export interface Checkpoint {
  readonly position: Position
  readonly sections: readonly CheckpointSection[]
}

export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.writeUInt32LE(VERSION, 8)
  header.writeUInt32LE(checkpoint.sections.length, 12)
  writePosition(header, 16, checkpoint.position)
  header.writeUInt32LE(checksum(header, 0, 28), 28)
  return Buffer.concat([header, ...checkpoint.sections.map(encodeSection)])
}

function encodeSection({ name, chunks }: CheckpointSection): Buffer {
  const nameBytes = Buffer.from(name, 'utf8')
  const parts: Buffer[] = [nameBytes]
  for (const chunk of chunks) {
    const length = Buffer.alloc(4)
    length.writeUInt32LE(chunk.length)
    parts.push(length, chunk)
  }
  const body = Buffer.concat(parts)
  const header = Buffer.alloc(SECTION_HEADER_BYTES)
  header.writeUInt32LE(nameBytes.length, 0)
  header.writeUInt32LE(chunks.length, 4)
  writePosition(header, 8, body.length)
  header.writeUInt32LE(checksum(body, 0, body.length, checksum(header, 0, 16)), 16)
  return Buffer.concat([header, body])
}

/** The checkpoint in `bytes`, or undefined when anything in it is not as it was written. */
export function decodeCheckpoint(bytes: Buffer): Checkpoint | undefined {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined
  if (bytes.readUInt32LE(8) !== VERSION) return undefined
  if (bytes.readUInt32LE(28) !== checksum(bytes, 0, 28)) return undefined
  const at = readPosition(bytes, 16)
  if (!Number.isSafeInteger(at)) return undefined
  const sections: CheckpointSection[] = []
  let cursor = HEADER_BYTES
  for (let count = bytes.readUInt32LE(12); count > 0; count -= 1) {
    const start = cursor + SECTION_HEADER_BYTES
    if (start > bytes.length) return undefined
    const end = start + readPosition(bytes, cursor + 8)
    if (end > bytes.length) return undefined
    const seed = checksum(bytes, cursor, cursor + 16)
    if (bytes.readUInt32LE(cursor + 16) !== checksum(bytes, start, end, seed)) return undefined
    sections.push(decodeSection(bytes, cursor))
    cursor = end
  }
  return cursor === bytes.length ? { position: position(at), sections } : undefined
}

/** Only for a section whose checksum was right. */
function decodeSection(bytes: Buffer, at: number): CheckpointSection {
  let cursor = at + SECTION_HEADER_BYTES
  const nameEnd = cursor + bytes.readUInt32LE(at)
  const name = bytes.toString('utf8', cursor, nameEnd)
  cursor = nameEnd
  const chunks: Buffer[] = []
  for (let count = bytes.readUInt32LE(at + 4); count > 0; count -= 1) {
    const start = cursor + 4
    cursor = start + bytes.readUInt32LE(cursor)
    chunks.push(bytes.subarray(start, cursor))
  }
  return { name, chunks }
}
