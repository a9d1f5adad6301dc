/**
 * Everything that leaves the broker leaves here, by log position: an item goes once the watermark
 * of the broker's durability has reached the end that it depends on, and never because "a flush has
 * finished". The account of early replies asks the disk port what was really synced; it must stay
 * 0.
 */
import { assert, type Channel, type Hops, type Position } from '@sagalog/kernel'
import type { Durability, Log } from '@sagalog/log-core'
import type { Command } from '@sagalog/protocol'

interface Item {
  /** The item may leave once the log is safe up to here. */
  readonly end: Position
  /** What the item really depends on, for the account: never read by what lets it go. */
  readonly shows?: Position
  readonly channel: Channel<Command>
  readonly command: Command
}

export class Outbox {
  private readonly log: Log
  private readonly level: Durability
  private readonly hops: Hops
  private items: Item[] = []
  private first = 0
  private early = 0

  constructor(log: Log, options: { level: Durability; hops: Hops }) {
    this.log = log
    this.level = options.level
    this.hops = options.hops
  }

  /** Items that left before what they depend on was safe, as the disk port saw it. */
  get earlyReplies(): number {
    return this.early
  }

  post(item: Item): void {
    if (item.end <= this.log.watermark(this.level)) {
      this.release(item)
      return
    }
    const last = this.items[this.items.length - 1]
    assert(last === undefined || last.end <= item.end, 'items are posted in log order')
    this.items.push(item)
  }

  /** Lets go what the watermark has reached. */
  drain(): void {
    if (this.log.failure !== undefined) {
      this.items = []
      this.first = 0
      return
    }
    const reached = this.log.watermark(this.level)
    for (;;) {
      const item = this.items[this.first]
      if (item === undefined || item.end > reached) break
      this.first += 1
      this.release(item)
    }
    // The array is cut now and then, not at each item: shifting would be quadratic.
    if (this.first > 1_024 && this.first * 2 > this.items.length) {
      this.items = this.items.slice(this.first)
      this.first = 0
    } else if (this.first === this.items.length) {
      this.items = []
      this.first = 0
    }
  }

  private release(item: Item): void {
    if (!this.log.isSafe(item.shows ?? item.end, this.level)) this.early += 1
    this.hops.reach('broker.reply')
    item.channel.send(item.command)
  }
}
