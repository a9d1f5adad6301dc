/**
 * Settles messages of a queue that need an acknowledgement and nothing else, because they were
 * handled without a change or nobody wants them: as many in one commit as there are. One commit is
 * under way at a time; what comes meanwhile shares the next.
 */
import type { Connection } from './connection.js'
import type { Delivery } from './delivery.js'
import { openTx } from './tx.js'

export interface SettleOptions {
  readonly connection: Connection
  /** False once the lease has ended: nothing is committed any more. */
  readonly isLive: () => boolean
  /** Waits before the next try of what could not be settled; gives false when there is none. */
  readonly pause: () => Promise<boolean>
  /** Called after some were settled. */
  readonly onSettled: () => void
  /** Called when it begins to work, and when all are settled or it has given up. */
  readonly onBusy: () => void
  readonly onIdle: () => void
  readonly onProblem: (what: string, cause: unknown) => void
}

export class SettleTogether {
  readonly #options: SettleOptions
  /** The first of them may be in a commit already. */
  readonly #deliveries: Delivery[] = []
  #isAtWork = false

  constructor(options: SettleOptions) {
    this.#options = options
  }

  /** Those that are not settled yet. */
  get count(): number {
    return this.#deliveries.length
  }

  add(delivery: Delivery): void {
    this.#deliveries.push(delivery)
  }

  /** Settles what was added, unless it is at that already. */
  begin(): void {
    if (this.#isAtWork || this.#deliveries.length === 0) return
    this.#isAtWork = true
    this.#options.onBusy()
    void this.#work()
  }

  async #work(): Promise<void> {
    const { isLive, onIdle, onSettled, pause } = this.#options
    let countMax = Number.POSITIVE_INFINITY
    while (isLive() && this.#deliveries.length > 0) {
      const some = this.#deliveries.slice(0, countMax)
      const left = await this.#unsettledOf(some)
      this.#deliveries.splice(0, some.length, ...left)
      if (left.length < some.length) {
        countMax = Number.POSITIVE_INFINITY
        onSettled()
        continue
      }
      // One that can't be settled must not keep the others from it.
      countMax = 1
      if (!(await pause())) break
    }
    this.#isAtWork = false
    onIdle()
  }

  /** Commits these acknowledgements; gives those that are not known to be settled. */
  async #unsettledOf(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    const tx = openTx(this.#options.connection)
    for (const delivery of deliveries) tx.ack(delivery)
    try {
      const end = await tx.commit()
      if (end.kind === 'committed') return []
      if (end.kind !== 'refused' || end.refusal.reason !== 'already-settled') return deliveries
      // An operator moved the group past it.
      const { offset } = end.refusal.ack
      return deliveries.filter((delivery) => delivery.offset !== offset)
    } catch (cause) {
      this.#options.onProblem('messages that need no handler any more could not be settled', cause)
      return deliveries
    }
  }
}
