/**
 * The way that confirmations take from a producer to the broker: some get lost, some come late, so
 * that another one overtakes them, some come twice.
 */
import { below, type Channel, type Random } from '@sagalog/kernel'
import { type Command, endTransaction, isResponse } from '@sagalog/protocol'
import type { SimulatedProcess } from './process-clock.js'

export interface ConfirmationFaults {
  confirmationsLost: number
  confirmationsLate: number
  confirmationsTwice: number
}

const LATE_MS = 900

export function troubledConfirmations(
  inner: Channel<Command>,
  options: {
    readonly process: SimulatedProcess
    readonly random: Random
    readonly faults: ConfirmationFaults
    readonly isTroubled: () => boolean
    /** Told of each confirmation that its producer sends. */
    readonly onConfirmation: () => void
  },
): Channel<Command> {
  const { faults, isTroubled, onConfirmation, process, random } = options
  return {
    remote: inner.remote,
    onItem: (receive) => inner.onItem(receive),
    onClose: (listener) => inner.onClose(listener),
    close: (reason) => inner.close(reason),
    send(command) {
      if (isResponse(command) || command.code !== endTransaction.code) return inner.send(command)
      onConfirmation()
      if (!isTroubled()) return inner.send(command)
      switch (below(random, 6)) {
        case 0:
          faults.confirmationsLost += 1
          return true
        case 1:
          faults.confirmationsLate += 1
          process.clock.after(below(random, LATE_MS), () => inner.send(command))
          return true
        case 2:
          faults.confirmationsTwice += 1
          inner.send(command)
          return inner.send(command)
        default:
          return inner.send(command)
      }
    },
  }
}
