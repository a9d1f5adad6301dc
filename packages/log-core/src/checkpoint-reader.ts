/**
 * Reads a checkpoint front to back, a block at a time. It trusts nothing: what it hands over has
 * verified, and it says whether everything up to the end did.
 */
import { type Clock, type DiskFile, type Position, turn } from '@sagalog/kernel'
import {
  CHECKPOINT_HEADER_BYTES,
  type CheckpointEntry,
  checksumOfHeader,
  decodeCheckpointHeader,
  decodeEntry,
  ENTRY_HEADER_BYTES,
  entryBytes,
} from './checkpoint-format.js'
import { CHECKPOINT_BLOCK_BYTES } from './limits.js'
import { readFully } from './segment.js'

/** What a checkpoint that verifies holds. */
export interface CheckpointSummary {
  readonly position: Position
  /** The names of its folds, in their order. */
  readonly folds: readonly string[]
}

/** Undefined when anything in the file is not as it was written. Rejects with DiskError. */
export async function verifyCheckpoint(
  file: DiskFile,
  clock: Clock,
): Promise<CheckpointSummary | undefined> {
  const folds: string[] = []
  const reader = new CheckpointReader(file)
  const at = await reader.begin()
  if (at === undefined) return undefined
  for await (const entries of reader.blocks(clock)) {
    for (const { tag, bytes } of entries) {
      if (tag === 'fold') folds.push(bytes.toString('utf8'))
      else if (tag === 'chunk' && folds.length === 0) return undefined
    }
  }
  return reader.isWhole ? { position: at, folds } : undefined
}

/**
 * Hands every chunk over with the name of its fold, in order. False when the file does not verify
 * any more; then some chunks have been handed over. Rejects with DiskError.
 */
export async function readCheckpoint(
  file: DiskFile,
  clock: Clock,
  take: (fold: string, chunk: Buffer) => void,
): Promise<boolean> {
  const reader = new CheckpointReader(file)
  if ((await reader.begin()) === undefined) return false
  let fold = ''
  for await (const entries of reader.blocks(clock)) {
    for (const { tag, bytes } of entries) {
      if (tag === 'fold') fold = bytes.toString('utf8')
      else if (tag === 'chunk') take(fold, bytes)
    }
  }
  return reader.isWhole
}

class CheckpointReader {
  readonly #file: DiskFile
  #bytes = 0
  #read = 0
  #checksum = 0
  /** True once the end was read and nothing stands behind it. */
  isWhole = false

  constructor(file: DiskFile) {
    this.#file = file
  }

  async begin(): Promise<Position | undefined> {
    this.#bytes = await this.#file.size()
    const header = await this.#next(CHECKPOINT_HEADER_BYTES)
    const at = decodeCheckpointHeader(header)
    if (at !== undefined) this.#checksum = checksumOfHeader(header)
    return at
  }

  /** The entries that verify, block by block, up to the end or to the first that does not. */
  async *blocks(clock: Clock): AsyncGenerator<readonly CheckpointEntry[], void> {
    let rest: Buffer = Buffer.alloc(0)
    let reading = this.#next(CHECKPOINT_BLOCK_BYTES)
    for (;;) {
      const more = await reading
      const block = rest.length === 0 ? more : Buffer.concat([rest, more])
      const { entries, end } = this.#entriesOf(block)
      const isLast = entries.at(-1)?.tag === 'end'
      // The last byte of the file must be the end's: a file with more is not a checkpoint.
      if (isLast) this.isWhole = end === block.length && this.#read === this.#bytes
      const left =
        end === undefined || more.length === 0 || isLast ? undefined : this.#after(block, end)
      if (left !== undefined) {
        rest = left.rest
        // Read on while the entries of this block are taken.
        reading = this.#next(Math.max(CHECKPOINT_BLOCK_BYTES, left.wanted - rest.length))
        // Told when it is asked for, if it ever is.
        reading.catch(() => undefined)
      }
      yield entries
      if (left === undefined) return
      await turn(clock)
    }
  }

  /** What is left of a block, and how much its entry has; undefined when the file has not that. */
  #after(block: Buffer, end: number): { rest: Buffer; wanted: number } | undefined {
    const rest = block.subarray(end)
    const wanted = rest.length < ENTRY_HEADER_BYTES ? 0 : entryBytes(rest, 0)
    // A length that the file does not have is damage; it must not become memory.
    return wanted > rest.length + this.#bytes - this.#read ? undefined : { rest, wanted }
  }

  /** The whole entries of a block; `end` is where they end, or undefined when one is damaged. */
  #entriesOf(block: Buffer): { entries: CheckpointEntry[]; end: number | undefined } {
    const entries: CheckpointEntry[] = []
    let at = 0
    while (at + ENTRY_HEADER_BYTES <= block.length && at + entryBytes(block, at) <= block.length) {
      const entry = decodeEntry(block, at, this.#checksum)
      if (entry === undefined) return { entries, end: undefined }
      this.#checksum = entry.checksum
      entries.push(entry)
      at += entryBytes(block, at)
      if (entry.tag === 'end') break
    }
    return { entries, end: at }
  }

  async #next(bytes: number): Promise<Buffer> {
    const into = Buffer.allocUnsafe(Math.max(0, Math.min(bytes, this.#bytes - this.#read)))
    const got = await readFully(this.#file, into, this.#read)
    this.#read += got
    return into.subarray(0, got)
  }
}
