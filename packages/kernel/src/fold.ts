/**
 * A fold is state that is computed from the log and nothing else. The law, for every interleaving:
 * what a rebuild computes equals what lived.
 *
 * The rebuild reads all bodies, and facts only from the last complete restatement on. So that this
 * gives the same state:
 * - set-valued facts create, facts that are changes never do: a change to something unknown is
 *   ignored, because its restated value, which comes later, already holds it;
 * - at `restatement-begin` (evolved in a rebuild only) a fold forgets its facts, but keeps as
 *   candidates the bodies whose fate is a fact; at `restatement-end` candidates that were not
 *   restated are gone.
 */
import type { Position } from './ids.js'
import type { Draft, LogRecord } from './record.js'
import type { RecordKind } from './record-kinds.js'

export interface Fold {
  /** Names the fold's section in a checkpoint. */
  readonly name: string
  /** The kinds that it evolves on; marks are handed to every fold in a rebuild. */
  readonly kinds: readonly RecordKind[]
  /** Applies one record. Never fails: what is in the log has happened. */
  evolve(record: LogRecord): void
  /** The live facts as set-valued drafts, each holding the value as of when it is taken. */
  restate(): Iterable<Draft>
  /** The lowest position of a body that is still needed, or undefined when none is. */
  needs(): Position | undefined
  /**
   * Is the body in `record`, of one of the fold's own kinds, still needed? Once false it is false
   * for ever, and a rebuild that never sees the body computes the same state. The answer may rest
   * on a fact that is not durable yet.
   */
  needsBody(record: LogRecord): boolean
  /**
   * The state as of the call in chunks. The call itself takes hold of that state; the chunks are
   * asked for over many turns of the event loop, while records go on being evolved, so none may
   * take long to make. A chunk may be empty. Ending the iterator early ends the save; there is one
   * at a time. `end` is the sequenced end of the log: all records below it have been evolved.
   */
  save(end: Position): Iterator<Buffer>
  /** Takes one chunk of what `save` gave, in order, into a fold that was empty before the first. */
  load(chunk: Buffer): void
}
