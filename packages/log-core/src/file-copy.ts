/**
 * Copies the first bytes of a file into a new one, without the zeros at their end, and gives the
 * checksum of what was written. The copy is synced; its directory entry is the caller's.
 */
import { createHash } from 'node:crypto'
import type { Disk, DiskFile } from '@sagalog/kernel'
import { COPY_BLOCK_BYTES } from './limits.js'
import { readFully, writeFully } from './segment.js'

export interface CopyOptions {
  readonly disk: Disk
  readonly from: DiskFile
  /** So many bytes of it, or fewer when it is shorter. */
  readonly bytes: number
  readonly to: string
  /** The new file gets zeros up to so many bytes. */
  readonly fileBytes?: number
  readonly onBytes: (bytes: number) => void
}

export interface Copied {
  /** Without the zeros at the end. */
  readonly bytes: number
  /** Over those bytes, hexadecimal. */
  readonly sha256: string
}

export async function copyFile(options: CopyOptions): Promise<Copied> {
  const { disk, from, to, fileBytes = 0, onBytes } = options
  const file = await disk.open(to, { access: 'create', sync: 'on-demand' })
  try {
    const hash = createHash('sha256')
    let end = 0
    await eachUsed(from, options.bytes, async (bytes, at) => {
      // Zeros that turned out to have something behind them.
      for (let place = end; place < at;) place += await hashed(zeros(at - place), place)
      end = at + (await hashed(bytes, at))
      onBytes(bytes.length)
    })
    for (let place = end; place < fileBytes;) {
      const blank = zeros(fileBytes - place)
      await writeFully(file, blank, place)
      place += blank.length
    }
    await file.sync()
    return { bytes: end, sha256: hash.digest('hex') }

    async function hashed(bytes: Buffer, at: number): Promise<number> {
      hash.update(bytes)
      await writeFully(file, bytes, at)
      return bytes.length
    }
  } finally {
    await file.close()
  }
}

/** A copy as the file that it is of: with the zeros at the end that it lacks, for reading. */
export function withZeros(file: DiskFile, fileBytes: number): DiskFile {
  return {
    ...file,
    async read(into, at) {
      const got = await file.read(into, at)
      if (got > 0 || at >= fileBytes) return got
      const blank = Math.min(into.length, fileBytes - at)
      into.fill(0, 0, blank)
      return blank
    },
  }
}

/** The checksum over the whole file, and its bytes. */
export async function checksumOf(
  file: DiskFile,
  onBytes: (bytes: number) => void,
): Promise<Copied> {
  const hash = createHash('sha256')
  const block = Buffer.allocUnsafe(COPY_BLOCK_BYTES)
  for (let place = 0; ;) {
    const got = await readFully(file, block, place)
    hash.update(block.subarray(0, got))
    onBytes(got)
    place += got
    if (got < block.length) return { bytes: place, sha256: hash.digest('hex') }
  }
}

/** Gives the blocks that are not all zero, each cut behind its last byte that is not. */
async function eachUsed(
  file: DiskFile,
  bytes: number,
  use: (bytes: Buffer, at: number) => Promise<void>,
): Promise<void> {
  const block = Buffer.allocUnsafe(COPY_BLOCK_BYTES)
  for (let place = 0; place < bytes;) {
    const want = Math.min(block.length, bytes - place)
    const got = await readFully(file, block.subarray(0, want), place)
    let used = got
    if (block.compare(ZEROS, 0, got, 0, got) === 0) used = 0
    while (used > 0 && block[used - 1] === 0) used -= 1
    if (used > 0) await use(block.subarray(0, used), place)
    place += got
    if (got < want) return
  }
}

const ZEROS = Buffer.alloc(COPY_BLOCK_BYTES)
const zeros = (bytes: number): Buffer => ZEROS.subarray(0, Math.min(bytes, ZEROS.length))
