/**
 * The late charges that are in hand: delivered, not acknowledged. Memory only; after a restart or a
 * new lease the broker delivers them again, and the newest delivery is the one that counts.
 */
import type { Received } from '@sagalog/client'
import type { PaymentCommand } from './topics.js'

export type LateCharge = Received<PaymentCommand>

export interface LateCharges {
  keep(charge: LateCharge): void
  /** The kept charge of an order; waits until it is delivered. Rejects when `signal` aborts. */
  take(order: number, signal: AbortSignal): Promise<LateCharge>
  /** Forgets a charge whose acknowledgement is durable. A newer delivery of its order stays. */
  forget(charge: LateCharge): void
}

export function createLateCharges(): LateCharges {
  const kept = new Map<number, LateCharge>()
  const waiting = new Map<number, (charge: LateCharge) => void>()
  return {
    keep(charge) {
      const { order } = charge.body
      kept.set(order, charge)
      waiting.get(order)?.(charge)
      waiting.delete(order)
    },
    take(order, signal) {
      const charge = kept.get(order)
      if (charge !== undefined) return Promise.resolve(charge)
      return new Promise((resolve, reject) => {
        const abort = (): void => {
          if (waiting.get(order) === deliver) waiting.delete(order)
          reject(signal.reason)
        }
        const deliver = (late: LateCharge): void => {
          signal.removeEventListener('abort', abort)
          resolve(late)
        }
        waiting.set(order, deliver)
        if (signal.aborted) abort()
        else signal.addEventListener('abort', abort, { once: true })
      })
    },
    forget(charge) {
      const { order } = charge.body
      if (kept.get(order) === charge) kept.delete(order)
    },
  }
}
