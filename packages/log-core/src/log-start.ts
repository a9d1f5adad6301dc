/**
 * The start of the log, as a file of its own: it is durable before the first file of a retired
 * segment goes, so a segment that was lost is told from one that was retired. A log from which
 * nothing was ever retired has no such file and starts at 0. Numbers are little-endian.
 *
 *     0       8         12             16      24         28         32
 *     | magic | version | segmentBytes | start | reserved | checksum |
 *       u64     u32       u32            u64     u32, 0     u32
 */
import { type Disk, DiskError, position, type Position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { readPosition, writePosition } from './record-format.js'
import { discard, readFully, writeFully } from './segment.js'

export const START_NAME = 'start'
export const START_TEMPORARY_NAME = 'start.tmp'
const START_BYTES = 32
const START_VERSION = 1
/** `SAGASTA1` */
const MAGIC = Buffer.from('SAGASTA1', 'latin1')
const CHECKSUM_AT = START_BYTES - 4

export interface LogStart {
  /** The base of the first segment that was not retired. */
  readonly start: Position
  readonly segmentBytes: number
}

/** What the file says; `damaged` when it is there and does not verify. */
export type StartVerdict = LogStart | 'none' | 'damaged'

export function encodeStart({ start, segmentBytes }: LogStart): Buffer {
  const bytes = Buffer.alloc(START_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(START_VERSION, 8)
  bytes.writeUInt32LE(segmentBytes, 12)
  writePosition(bytes, 16, start)
  bytes.writeUInt32LE(checksum(bytes, 0, CHECKSUM_AT), CHECKSUM_AT)
  return bytes
}

export function decodeStart(bytes: Buffer): StartVerdict {
  if (bytes.length !== START_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    return 'damaged'
  }
  if (bytes.readUInt32LE(CHECKSUM_AT) !== checksum(bytes, 0, CHECKSUM_AT)) return 'damaged'
  const [start, segmentBytes] = [readPosition(bytes, 16), bytes.readUInt32LE(12)]
  const isWhole = Number.isSafeInteger(start) && segmentBytes > 0 && start % segmentBytes === 0
  if (bytes.readUInt32LE(8) !== START_VERSION || !isWhole) return 'damaged'
  return { start: position(start), segmentBytes }
}

export async function readStart(disk: Disk, directory: string): Promise<StartVerdict> {
  let file
  try {
    const path = `${directory}/${START_NAME}`
    file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  } catch (error) {
    if (DiskError.is(error) && error.code === 'NOT_FOUND') return 'none'
    throw error
  }
  try {
    // One byte more than there should be, so that a longer file is not taken for a whole one.
    const bytes = Buffer.alloc(START_BYTES + 1)
    return decodeStart(bytes.subarray(0, await readFully(file, bytes, 0)))
  } finally {
    await file.close()
  }
}

/** Resolves when the start is durable; after a crash it is the old one or the new one. */
export async function writeStart(disk: Disk, directory: string, start: LogStart): Promise<void> {
  const temporary = `${directory}/${START_TEMPORARY_NAME}`
  const file = await disk.open(temporary, { access: 'create', sync: 'on-demand' })
  try {
    await writeFully(file, encodeStart(start), 0)
    await file.sync()
    await file.close()
  } catch (error) {
    await discard(disk, file, temporary)
    throw error
  }
  await disk.rename(temporary, `${directory}/${START_NAME}`)
  await disk.syncDirectory(directory)
}
