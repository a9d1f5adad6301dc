/**
 * The one registry of what can stand in the log. A *body* stays where it was written until nothing
 * needs it; a *fact* may be restated at the tail, so its old record can go; a *mark* belongs to the
 * log's own loop. Each record also carries a version byte; `version` is the one written today.
 */

export type RecordClass = 'body' | 'fact' | 'mark'

export interface RecordKindRow {
  readonly code: number
  readonly class: RecordClass
  readonly version: number
}

export const RECORD_KINDS = {
  /** Restated facts follow, up to the end mark. */
  'restatement-begin': { code: 1, class: 'mark', version: 1 },
  'restatement-end': { code: 2, class: 'mark', version: 1 },

  /** A message in RocketMQ's stored layout, in its queue. */
  message: { code: 16, class: 'body', version: 1 },
  /** A domain event: binary attributes, then the stored message. */
  event: { code: 17, class: 'body', version: 1 },
  /** A half message: invisible until its decision. */
  half: { code: 18, class: 'body', version: 1 },
  /** A message to be delivered when its time has come. */
  timer: { code: 19, class: 'body', version: 1 },

  topic: { code: 32, class: 'fact', version: 1 },
  /** Set-valued: where a group stands in a queue. */
  place: { code: 33, class: 'fact', version: 1 },
  /** A change of a place: these offsets are settled. */
  ack: { code: 34, class: 'fact', version: 1 },
  lease: { code: 35, class: 'fact', version: 1 },
  /** A half message was committed or rolled back. */
  decision: { code: 36, class: 'fact', version: 1 },
  /** Set-valued: a half message is undecided and was checked n times, or is parked. */
  'half-open': { code: 37, class: 'fact', version: 2 },
  /** A timer fired or was cancelled. */
  'timer-end': { code: 38, class: 'fact', version: 1 },
  /** Set-valued: a timer is still to fire. */
  'timer-open': { code: 39, class: 'fact', version: 2 },
  /** Set-valued: a commit with this key was applied, and what it reported. */
  'commit-key': { code: 48, class: 'fact', version: 1 },
  /** Set-valued: a stream was archived, opened again or deleted. */
  'stream-state': { code: 49, class: 'fact', version: 1 },
  /** Set-valued: a producer numbers its sends, and which of those in flight are stored. */
  producer: { code: 50, class: 'fact', version: 1 },
  /** A producer is forgotten. */
  'producer-end': { code: 51, class: 'fact', version: 1 },
  /** Set-valued: the first offset that a queue still has, and its next one. */
  'queue-range': { code: 56, class: 'fact', version: 1 },
  /** Set-valued: an operator moved a group, and its consumer has still to come there, or came. */
  reset: { code: 57, class: 'fact', version: 1 },
} as const satisfies Readonly<Record<string, RecordKindRow>>

export type RecordKind = keyof typeof RECORD_KINDS

const byCode: (RecordKind | undefined)[] = Array.from({ length: 256 }, () => undefined)
for (const [name, row] of Object.entries(RECORD_KINDS)) byCode[row.code] = name as RecordKind

/** The name of a kind's code, or undefined for a code of a newer format. */
export function recordKindOf(code: number): RecordKind | undefined {
  return byCode[code]
}
