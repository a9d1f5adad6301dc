/**
 * Does things when they are due: a heap of due times, and one timer of the clock for the first of
 * them. It runs on the monotonic clock; what is due stays planned until it was handed over.
 */
import type { Cancel, Clock } from '@sagalog/kernel'
import { DueHeap } from './due-heap.js'
import { TIMER_STEP_MS_MAX } from './limits.js'

export class DueLoop<Item> {
  private readonly clock: Clock
  private readonly run: (item: Item) => void
  private readonly due = new DueHeap<Item>()
  private cancel: Cancel = () => undefined
  private plannedForMs = Number.POSITIVE_INFINITY
  private isStopped = false

  constructor(clock: Clock, run: (item: Item) => void) {
    this.clock = clock
    this.run = run
  }

  get size(): number {
    return this.due.size
  }

  plan(item: Item, inMs: number): void {
    this.due.push(this.clock.monotonicMs() + inMs, item)
    this.arm()
  }

  /** Drops what is not wanted any more. */
  retain(isWanted: (item: Item) => boolean): void {
    this.due.retain(isWanted)
  }

  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  private arm(): void {
    const next = this.due.nextDueMs
    if (this.isStopped || next === undefined || next >= this.plannedForMs) return
    this.cancel()
    this.plannedForMs = next
    const delayMs = Math.max(0, next - this.clock.monotonicMs())
    this.cancel = this.clock.after(Math.min(delayMs, TIMER_STEP_MS_MAX), () => {
      this.plannedForMs = Number.POSITIVE_INFINITY
      this.handOver()
    })
  }

  private handOver(): void {
    const nowMs = this.clock.monotonicMs()
    for (let item = this.due.pop(nowMs); item !== undefined; item = this.due.pop(nowMs))
      this.run(item)
    this.arm()
  }
}
