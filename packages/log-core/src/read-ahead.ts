/**
 * Blocks of files that were read further than was asked for, because what is read next stands
 * behind it. A few are kept, the newest; several who want the same one share a read.
 *
 * A block is not trusted: who finds a record in it verifies it, as after any other read. So one
 * that was read before its last bytes were written, or whose file has changed since, finds nothing.
 */
import { READ_BLOCK_BYTES, READ_BLOCKS_KEPT } from './limits.js'
import { enter, leave, readFully, type Segment } from './segment.js'

interface Block {
  readonly segment: Segment
  /** Its number in the file: each begins at a multiple of its size. */
  readonly number: number
  readonly bytes: Buffer
}

export interface Found {
  readonly bytes: Buffer
  readonly index: number
}

export class ReadAhead {
  /** The newest last. */
  readonly #blocks: Block[] = []
  readonly #loading: { segment: Segment; number: number; loaded: Promise<void> }[] = []

  /** The byte at `place`, when a block has it. */
  find(segment: Segment, place: number): Found | undefined {
    for (const block of this.#blocks) {
      const index = place - block.number * READ_BLOCK_BYTES
      const isIn = index >= 0 && index < block.bytes.length
      if (isIn && block.segment === segment) return { bytes: block.bytes, index }
    }
    return undefined
  }

  /** Reads the block with `place`. Rejects with LogError. */
  load(segment: Segment, place: number): Promise<void> {
    const number = Math.floor(place / READ_BLOCK_BYTES)
    const isThis = (one: { segment: Segment; number: number }): boolean =>
      one.segment === segment && one.number === number
    const known = this.#loading.find(isThis)
    if (known !== undefined) return known.loaded
    const loading = { segment, number, loaded: this.#read(segment, number) }
    this.#loading.push(loading)
    return loading.loaded.finally(() => {
      this.#loading.splice(this.#loading.indexOf(loading), 1)
    })
  }

  async #read(segment: Segment, number: number): Promise<void> {
    const start = number * READ_BLOCK_BYTES
    const size = Math.min(READ_BLOCK_BYTES, segment.places.fileBytes - start)
    const bytes = Buffer.allocUnsafeSlow(size)
    enter(segment)
    try {
      const got = await readFully(segment.file, bytes, start)
      const before = this.#blocks.findIndex(
        (block) => block.segment === segment && block.number === number,
      )
      if (before >= 0) this.#blocks.splice(before, 1)
      this.#blocks.push({ segment, number, bytes: bytes.subarray(0, got) })
      if (this.#blocks.length > READ_BLOCKS_KEPT) this.#blocks.shift()
    } finally {
      leave(segment)
    }
  }
}
