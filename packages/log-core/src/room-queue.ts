/**
 * Writers that wait for room, first come, first served. Their drafts are memory too: what may wait
 * is bounded, and a writer above the bound is told so at once.
 */
import { assert, type Clock, type Draft } from '@sagalog/kernel'
import type { Appended, AppendOutcome, Durability } from './api.js'
import { frameBytesOf } from './frame-format.js'
import { SLAB_BYTES_MAX } from './limits.js'

export interface RoomQueueOptions {
  readonly clock: Clock
  /** Bytes of frames that may wait. */
  readonly bytesMax: number
  readonly append: (drafts: readonly Draft[]) => AppendOutcome
  /** Resolves with the frame once it has reached the level. */
  readonly whenSafe: (appended: Appended, level: Durability) => Promise<Appended>
}

interface Writer {
  readonly drafts: readonly Draft[]
  readonly bytes: number
  readonly level: Durability
  readonly resolve: (outcome: AppendOutcome | Promise<Appended>) => void
  readonly reject: (error: unknown) => void
}

export class RoomQueue {
  readonly #options: RoomQueueOptions
  #queue: Writer[] = []
  #bytes = 0
  #isDraining = false

  constructor(options: RoomQueueOptions) {
    this.#options = options
  }

  /** Appends at once when nobody waits and there is room, else waits for its turn. */
  write(drafts: readonly Draft[], level: Durability): Promise<AppendOutcome> {
    const { append, whenSafe, bytesMax } = this.#options
    if (this.#queue.length === 0) {
      const outcome = append(drafts)
      if (typeof outcome === 'object') return whenSafe(outcome, level)
      if (outcome === 'full') return Promise.resolve(outcome)
    }
    const bytes = frameBytesOf(drafts)
    if (this.#queue.length > 0 && this.#bytes + bytes > bytesMax) return Promise.resolve('wait')
    this.#bytes += bytes
    return new Promise((resolve, reject) => {
      this.#queue.push({ drafts, bytes, level, resolve, reject })
    })
  }

  /** There may be room: appends those who wait, in order, a slab's worth in one turn. */
  drain(): void {
    if (this.#isDraining || this.#queue.length === 0) return
    const { append, whenSafe, clock } = this.#options
    let [count, bytes] = [0, 0]
    for (const writer of this.#queue) {
      if (bytes >= SLAB_BYTES_MAX) break
      let outcome: AppendOutcome
      try {
        outcome = append(writer.drafts)
      } catch (error) {
        // A log that failed or was closed refuses all of them, each with the reason.
        writer.reject(error)
        count += 1
        continue
      }
      if (outcome === 'wait') break
      writer.resolve(outcome === 'full' ? outcome : whenSafe(outcome, writer.level))
      count += 1
      bytes += writer.bytes
    }
    for (const writer of this.#queue.splice(0, count)) this.#bytes -= writer.bytes
    assert(this.#bytes >= 0, 'the bytes that wait are those of the queue')
    if (bytes < SLAB_BYTES_MAX || this.#queue.length === 0) return
    this.#isDraining = true
    clock.defer(() => {
      this.#isDraining = false
      this.drain()
    })
  }
}
