/**
 * Writes a checkpoint front to back as the folds give their chunks: many turns of the event loop,
 * and never more in memory than one block. It names no file and syncs nothing.
 */
import { type Clock, type DiskFile, type Position, turn } from '@sagalog/kernel'
import {
  checksumOfHeader,
  encodeCheckpointHeader,
  encodeEntryHeader,
  ENTRY_HEADER_BYTES,
  type EntryTag,
} from './checkpoint-format.js'
import { CHECKPOINT_BLOCK_BYTES, SAVE_SLICE_BYTES, SAVE_SLICE_CHUNKS } from './limits.js'
import { writeFully } from './segment.js'

/** A fold's name and a save of it that has begun. */
export interface SavingFold {
  readonly name: string
  readonly chunks: Iterator<Buffer>
}

const NOTHING = Buffer.alloc(0)

/** Rejects with DiskError. The iterators are the caller's to end. */
export async function writeCheckpoint(
  file: DiskFile,
  { at, clock, folds }: { at: Position; clock: Clock; folds: readonly SavingFold[] },
): Promise<void> {
  const writer = new CheckpointWriter(file, at)
  let chunks = 0
  let bytes = 0
  for (const { name, chunks: saved } of folds) {
    await writer.add('fold', Buffer.from(name, 'utf8'))
    for (let next = saved.next(); next.done !== true; next = saved.next()) {
      if (next.value.length > 0) await writer.add('chunk', next.value)
      chunks += 1
      bytes += next.value.length
      if (chunks < SAVE_SLICE_CHUNKS && bytes < SAVE_SLICE_BYTES) continue
      chunks = 0
      bytes = 0
      await turn(clock)
    }
  }
  await writer.add('end', NOTHING)
  await writer.flush()
}

class CheckpointWriter {
  readonly #file: DiskFile
  #block: Buffer[]
  #blockBytes: number
  #checksum: number
  #written = 0

  constructor(file: DiskFile, at: Position) {
    this.#file = file
    const header = encodeCheckpointHeader(at)
    this.#block = [header]
    this.#blockBytes = header.length
    this.#checksum = checksumOfHeader(header)
  }

  async add(tag: EntryTag, bytes: Buffer): Promise<void> {
    const header = Buffer.allocUnsafe(ENTRY_HEADER_BYTES)
    this.#checksum = encodeEntryHeader(header, { tag, bytes }, this.#checksum)
    this.#block.push(header, bytes)
    this.#blockBytes += header.length + bytes.length
    if (this.#blockBytes >= CHECKPOINT_BLOCK_BYTES) await this.flush()
  }

  async flush(): Promise<void> {
    const block = Buffer.concat(this.#block)
    this.#block = []
    this.#blockBytes = 0
    await writeFully(this.#file, block, this.#written)
    this.#written += block.length
  }
}
