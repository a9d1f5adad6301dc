/** How long is waited for a step, and between its attempts. */
import type { StepDefinition } from './definition.js'

/** How long the answer to an undo is waited for before it is asked for again, in milliseconds. */
export const UNDO_PATIENCE_MS = 60 * 60 * 1_000

/** Only what others do is waited for by a timer; a local attempt is timed where it runs. */
export function hasTimer({ action }: StepDefinition): boolean {
  return action.kind !== 'local' && action.timeoutMs !== undefined
}

/** The pause after so many tries, in milliseconds. */
export function pauseMs({ backoff }: StepDefinition, tries: number): number {
  return Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(tries - 1, 40))
}
