/** Checkpoints as bytes in memory, written and read by the same code as files. */
import type { Clock, DiskFile, Position } from '@sagalog/kernel'
import { expect } from 'vitest'
import { readCheckpoint, verifyCheckpoint } from '../src/checkpoint-reader.js'
import { writeCheckpoint } from '../src/checkpoint-writer.js'

const clock: Clock = {
  wallMs: () => 0,
  monotonicMs: () => 0,
  after: () => () => undefined,
  defer: (task) => queueMicrotask(task),
}

/** A file of bytes; what else a file can do, a checkpoint's writer and reader never ask for. */
function memoryFile(bytes: Buffer): { file: DiskFile; contents: () => Buffer } {
  const blocks = [bytes]
  let end = bytes.length
  const file: Partial<DiskFile> = {
    async write(more, at) {
      expect(at).toBe(end)
      blocks.push(Buffer.from(more))
      end += more.length
      return more.length
    },
    read: async (into, at) => bytes.copy(into, 0, at, at + into.length),
    size: async () => bytes.length,
  }
  return { file: file as DiskFile, contents: () => Buffer.concat(blocks) }
}

export type Chunks = Readonly<Record<string, readonly Buffer[]>>

export async function checkpointBytes(at: Position, chunks: Chunks): Promise<Buffer> {
  const { file, contents } = memoryFile(Buffer.alloc(0))
  const folds = Object.entries(chunks).map(([name, list]) => ({ name, chunks: list.values() }))
  await writeCheckpoint(file, { at, clock, folds })
  return contents()
}

/** The position and the chunks, or undefined when the bytes do not verify. */
export async function checkpointOf(
  bytes: Buffer,
): Promise<{ at: Position; chunks: Chunks } | undefined> {
  const { file } = memoryFile(bytes)
  const found = await verifyCheckpoint(file, clock)
  if (found === undefined) return undefined
  const chunks: Record<string, Buffer[]> = {}
  for (const name of found.folds) chunks[name] = []
  const isWhole = await readCheckpoint(file, clock, (name, chunk) => {
    chunks[name]?.push(Buffer.from(chunk))
  })
  return isWhole ? { at: found.position, chunks } : undefined
}
