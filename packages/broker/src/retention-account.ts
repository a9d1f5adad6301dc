/**
 * What retention has done since the broker was opened, and what holds it up: plain numbers for
 * whoever operates it. Nothing decides by them, and a crash takes them with it.
 */
import type { QueueOffset } from '@sagalog/kernel'

/** A group whose place keeps messages that would be let go. */
export interface HeldUp {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  /** Where it stands: its oldest message that is not settled. */
  readonly offset: QueueOffset
}

/** A group that was moved on, because what it had not settled was let go. */
export interface PassedOver {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly from: QueueOffset
  readonly to: QueueOffset
  /** Messages that it had not settled. */
  readonly messages: number
}

export class RetentionAccount {
  runs = 0
  /** Messages that no queue has any more. */
  messagesLetGo = 0
  segmentsRetired = 0
  segmentsRewritten = 0
  bytesFreed = 0
  /** The wall clock at the end of the last run; undefined before the first. */
  lastRunAtMs: number | undefined
  /** Why the last run came to no end. */
  lastProblem: string | undefined
  /** As of the last run. */
  heldUp: readonly HeldUp[] = []
  private readonly passed = new Map<string, number>()

  passOver({ group, messages }: PassedOver): void {
    this.passed.set(group, (this.passed.get(group) ?? 0) + messages)
  }

  /** Messages that groups had not settled when they were let go, by group. */
  passedOver(): { readonly group: string; readonly messages: number }[] {
    return [...this.passed].map(([group, messages]) => ({ group, messages }))
  }
}
