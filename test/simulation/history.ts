/**
 * What happened in a run, as the nodes saw it, in the order of simulated time: the only input of
 * the checkers beside the log that the run left. Nothing in here takes part in the run.
 */

/** Names one message as its producer knows it: the n-th that it sent to this key. */
export interface Sent {
  readonly producer: string
  readonly key: string
  readonly n: number
}

export interface QueueRef {
  readonly topic: string
  readonly queueId: number
}

export interface GrantSeen extends QueueRef {
  readonly epoch: number
  readonly watermark: number
  readonly settled: readonly number[]
}

/** One instance of a group in one of its lives: a restarted process is another life. */
export interface Life {
  readonly group: string
  readonly instance: string
  readonly life: number
}

export type HistoryEvent =
  | ({ readonly kind: 'send' } & Sent)
  | ({ readonly kind: 'acknowledged'; readonly offset: number } & Sent & QueueRef)
  /** `unchanged` promises that the message is not stored. */
  | ({ readonly kind: 'send-failed'; readonly state: 'unchanged' | 'unknown' } & Sent)
  | ({ readonly kind: 'joined' } & Life)
  | ({ readonly kind: 'granted'; readonly grants: readonly GrantSeen[] } & Life)
  /** A commit left an instance; `run` names the handler's run whose effect is in it. */
  | ({
      readonly kind: 'commit-sent'
      readonly leases: readonly (QueueRef & { readonly epoch: number })[]
      readonly runs: readonly string[]
    } & Life)
  | ({
      readonly kind: 'handling'
      readonly run: string
      /** As the handler was told: 1 for the first try. */
      readonly attempt: number
      readonly message: string
      readonly offset: number
      /** The message was durable at the broker when it was handed over. */
      readonly isSafe: boolean
    } & Life &
      QueueRef)
  | ({
      readonly kind: 'handled'
      readonly run: string
      readonly outcome: string
      readonly offset: number
    } & Life &
      QueueRef)
  /** The account of replies that left before what they depend on was safe. */
  | { readonly kind: 'audit'; readonly earlyReplies: number }
  /** A half message is about to be sent; `id` is that of its message. */
  | { readonly kind: 'transaction'; readonly id: string }
  /** Somebody who may decide it is about to say so for the first time. */
  | { readonly kind: 'decision-asked'; readonly id: string; readonly decision: Outcome }
  /** What the broker answered to a confirmation, be it late, repeated or contrary. */
  | { readonly kind: 'confirmed'; readonly id: string; readonly told: Outcome | 'forgotten' }
  /** A message is about to be sent that is to come later: after a time, or at one. */
  | ({ readonly kind: 'delaying'; readonly id: string } & Delay)
  | { readonly kind: 'delay-acknowledged'; readonly id: string }
  /** The cancel stands in the log below this position; nothing may come of the timer behind it. */
  | { readonly kind: 'cancelling'; readonly id: string }
  | { readonly kind: 'cancelled'; readonly id: string; readonly position: number }
  /** From now on every wall clock is so much ahead of the monotonic ones. */
  | { readonly kind: 'wall'; readonly aheadMs: number }
  /** A broker process ended or began. */
  | { readonly kind: 'broker'; readonly what: string }

export type TimedEvent = HistoryEvent & { readonly atMs: number }

export interface History {
  readonly events: readonly TimedEvent[]
}

/** The identity of a message, as it stands in its body. */
export const messageIdOf = ({ producer, key, n }: Sent): string => `${producer}/${key}/${n}`

export function sentOf(id: string): Sent {
  const [producer = '', key = '', n = ''] = id.split('/')
  return { producer, key, n: Number(n) }
}

/**
 * Messages of this topic are what handlers send on: their ids name the message that caused them.
 */
export const ECHO_TOPIC = 'echoes'

/** A copy of a message that failed: in a retry topic or among dead letters. */
export const isMoved = ({ topic }: { readonly topic: string }): boolean => topic.startsWith('%')

export interface StoredMessage extends QueueRef {
  readonly id: string
  readonly key: string
  readonly offset: number
  readonly position: number
  /** How often it had been tried when it was stored here. */
  readonly tries: number
  /** The broker's wall clock when it was stored. */
  readonly storedAtMs: number
}

export interface StoredEffect {
  readonly stream: string
  readonly version: number
  readonly position: number
  /** The message that caused it, and the handler's run that wrote it. */
  readonly message: string
  readonly run: string
}

export interface StoredLease extends QueueRef {
  readonly group: string
  readonly epoch: number
  readonly instance: string
  readonly position: number
  /** Written again by a restatement: no new grant. */
  readonly isRestated: boolean
}

/** `untilMs` is a time of the wall clock. */
export type Delay = { readonly forMs: number } | { readonly untilMs: number }

export type Outcome = 'commit' | 'rollback'

export interface StoredHalf {
  readonly id: string
  readonly position: number
}

/** What the log says about a half: that it is decided, or how often its producers were asked. */
export type HalfFate = {
  /** Position of the half that it is about. */
  readonly half: number
  readonly position: number
  /** Written between the marks of a restatement, where what was said before is said again. */
  readonly isRestating: boolean
} & ({ readonly outcome: Outcome } | { readonly checks: number; readonly isParked: boolean })

/** A message that was kept back, as it was stored. */
export interface StoredTimer {
  readonly id: string
  readonly position: number
  /** By the wall clock. */
  readonly dueAtMs: number
  readonly storedAtMs: number
}

/** The log that a run left, read cold. Everything in log order. */
export interface LogContents {
  readonly halves: readonly StoredHalf[]
  readonly fates: readonly HalfFate[]
  readonly timers: readonly StoredTimer[]
  readonly messages: readonly StoredMessage[]
  readonly effects: readonly StoredEffect[]
  readonly leases: readonly StoredLease[]
}

/** What a checker found wrong, one sentence each; empty when the promise held. */
export type Violations = readonly string[]

export interface Checker {
  /** The promise, as the file of the checker is called. */
  readonly promise: string
  check(history: History, contents: LogContents): Violations
}

export class Recorder implements History {
  readonly events: TimedEvent[] = []
  readonly #nowMs: () => number
  /** A hash over everything that was recorded: equal runs have equal hashes. */
  hash = 0x811c_9dc5

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  record(event: HistoryEvent): void {
    const timed = { ...event, atMs: this.#nowMs() }
    this.events.push(timed)
    const text = JSON.stringify(timed)
    let { hash } = this
    for (let index = 0; index < text.length; index += 1)
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
    this.hash = hash >>> 0
  }
}
