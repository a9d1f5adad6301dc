/**
 * The facts about streams and keyed commits, one value type, draft and reader each. Layouts: the
 * fields in the order in which they are written here (fields.ts). Version 1 of all of them.
 */
import {
  bytesDraft,
  type Draft,
  type LogRecord,
  position,
  type Position,
  type StreamState,
  streamVersion,
  type StreamVersion,
} from '@sagalog/kernel'
import { FieldReader, FieldWriter } from './fields.js'

/** A commit that was named by its sender, and what it reported. */
export interface CommitKeyFact {
  readonly key: string
  readonly versions: readonly StreamVersion[]
  /** Where the fact was first written: behind all other records of the commit. */
  readonly position: Position
}

/**
 * The position is written as 0 by the commit itself, which does not know it, and is then the
 * record's own; a restatement writes it out.
 */
export function commitKeyDraft(fact: Omit<CommitKeyFact, 'position'>, at?: Position): Draft {
  const body = new FieldWriter()
    .text(fact.key)
    .number(at ?? 0)
    .numbers(fact.versions)
  return bytesDraft('commit-key', body.done())
}

export function readCommitKey(record: LogRecord): CommitKeyFact {
  const fields = new FieldReader(record.source, record.start, record.end)
  const key = fields.text()
  const written = fields.number()
  const versions = fields.numbers().map(streamVersion)
  return { key, versions, position: written === 0 ? record.position : position(written) }
}

export interface StreamStateFact {
  readonly category: string
  readonly stream: string
  readonly state: StreamState
  readonly reason: string
  /** Milliseconds since 1970, by the broker's wall clock. */
  readonly changedAtMs: number
}

export function streamStateDraft(fact: StreamStateFact): Draft {
  const body = new FieldWriter().text(fact.category).text(fact.stream).text(fact.state)
  return bytesDraft('stream-state', body.text(fact.reason).number(fact.changedAtMs).done())
}

export function readStreamStateFact(record: LogRecord): StreamStateFact {
  const fields = new FieldReader(record.source, record.start, record.end)
  const category = fields.text()
  const stream = fields.text()
  const written = fields.text()
  const state = written === 'archived' || written === 'deleted' ? written : 'open'
  return { category, stream, state, reason: fields.text(), changedAtMs: fields.number() }
}
