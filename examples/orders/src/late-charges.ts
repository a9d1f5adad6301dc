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
        waiting.set(order, resolve)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    },
  }
}
