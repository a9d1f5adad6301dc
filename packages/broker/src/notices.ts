/**
 * What an operator should know of, though the broker goes on: kept for the first who listens, as
 * far as there is room, so that nothing is missed that came before.
 */
import type { ScrubReport } from '@sagalog/log-core'
import { BrokerError } from './errors.js'
import { NOTICES_KEPT } from './limits.js'

export class Notices {
  private readonly listeners: ((notice: Error) => void)[] = []
  private untold: Error[] = []

  tell(notice: Error): void {
    for (const listener of this.listeners) listener(notice)
    if (this.listeners.length === 0 && this.untold.length < NOTICES_KEPT) this.untold.push(notice)
  }

  listen(listener: (notice: Error) => void): void {
    this.listeners.push(listener)
    const { untold } = this
    this.untold = []
    for (const notice of untold) listener(notice)
  }

  /** Tells the damage that a scrub found. */
  scrubbed({ damaged }: ScrubReport): void {
    for (const { file, from, reason } of damaged)
      this.tell(new BrokerError('DAMAGE_FOUND', { file, position: from, reason }))
  }
}
