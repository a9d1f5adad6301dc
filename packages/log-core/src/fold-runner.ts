/**
 * Keeps folds and the log together: brings empty folds to the log's end, saves checkpoints, and
 * appends restatements. A checkpoint also says where the last restatement stood, as one more fold.
 * The law for every interleaving: what a rebuild computes equals what lived.
 */
import { assert, type Clock, type Disk, type Draft, type Fold } from '@sagalog/kernel'
import { type LogRecord, type Position, RECORD_KINDS, type RecordKind, turn } from '@sagalog/kernel'
import type { Log } from './api.js'
import { dropCheckpoints, loadCheckpoint, saveCheckpoint } from './checkpoint.js'
import type { CheckpointSummary } from './checkpoint-reader.js'
import { asLogError, LogError } from './errors.js'
import {
  decodeMarks,
  encodeMarks,
  findRestatement,
  marksAt,
  restateFolds,
  type RestatementMarks,
} from './restatement.js'

export interface FoldsOptions {
  readonly log: Log
  readonly disk: Disk
  readonly clock: Clock
  /** Of the checkpoint files; may be the log's own. It must be there. */
  readonly directory: string
  readonly folds: readonly Fold[]
  /** Told each mark that is handed to the folds in a rebuild. */
  readonly marks?: (mark: LogRecord) => void
}

export interface Folds {
  /**
   * Saves the state of all folds as of the call, or as of when the save under way ends. It takes
   * many turns of the event loop, in which the folds go on evolving. Resolves with the position of
   * that state once the file is in place. A crash in the middle leaves the checkpoint before it.
   * Rejects with LogError.
   */
  checkpoint(): Promise<Position>
  /**
   * Appends the live facts of all folds between marks, a slice in each turn of the event loop;
   * resolves with the end of the end mark. One at a time. A crash in the middle leaves marks that
   * do not match, and the restatement before it counts. Rejects with LogError.
   */
  restate(): Promise<Position>
  /** The lowest position of a body that some fold still needs. */
  needs(): Position | undefined
  /**
   * Must `record` stay for the folds? A body must while some fold needs it; a fact or a mark is
   * not asked about here, `freeBelow` tells. Once false it is false for ever, but the answer rests
   * on what is sequenced: before the record goes, the log must be durable up to the sequenced end
   * of now.
   */
  needsBody(record: LogRecord): boolean
  /**
   * Every fact and mark below the resolved position may go: a whole restatement stands behind it,
   * durable, and no checkpoint that would need them is left. The start of the log when there is
   * none.
   * A crash in the middle leaves fewer checkpoints. Rejects with LogError.
   */
  freeBelow(): Promise<Position>
  /** Records handed over by `openFolds`. */
  readonly replayed: number
  readonly from: 'checkpoint' | 'log'
  /** Position of the newest checkpoint that is in place; the start of the log without one. */
  readonly savedAt: Position
}

/**
 * Brings empty folds to the end of the log: from the newest checkpoint that verifies and is not
 * beyond the log, else from the log alone. Rejects with LogError.
 */
export async function openFolds(options: FoldsOptions): Promise<Folds> {
  const runner = new FoldRunner(options)
  try {
    await runner.open()
  } catch (error) {
    throw asLogError(error, options.directory)
  }
  return runner
}

/** The name under which a checkpoint has the marks; no fold is called so. */
const MARKS = '#restatement'

const isBody = (kind: RecordKind): boolean => RECORD_KINDS[kind].class === 'body'
const isMark = (kind: RecordKind): boolean => RECORD_KINDS[kind].class === 'mark'

class FoldRunner implements Folds {
  readonly #options: FoldsOptions
  readonly #byKind = new Map<RecordKind, Fold[]>()
  #roomWaiters: { resolve: () => void; reject: (error: unknown) => void }[] = []
  #isRestating = false
  #isOwnAppend = false
  #isSaving = false
  #saving: Promise<unknown> = Promise.resolve()
  /** A save that waits for the one under way; whoever asks meanwhile gets this one. */
  #nextSave: Promise<Position> | undefined
  #isReleased = false
  replayed = 0
  from: 'checkpoint' | 'log' = 'log'
  savedAt: Position
  /** The last whole restatement that this process knows of. */
  #restated: RestatementMarks | undefined

  constructor(options: FoldsOptions) {
    this.#options = options
    this.savedAt = options.log.start
    const names = new Set<string>()
    for (const fold of options.folds) {
      assert(!names.has(fold.name), `only one fold is called ${fold.name}`)
      names.add(fold.name)
      for (const kind of fold.kinds) {
        if (!isMark(kind)) this.#byKind.set(kind, [...(this.#byKind.get(kind) ?? []), fold])
      }
    }
    const wake = (): void => this.#wake()
    options.log.onRoom(wake)
    options.log.onAdvance(wake)
    // A checkpoint on its way ends before another process may have the directory.
    options.log.beforeRelease(async () => {
      this.#isReleased = true
      await this.#saving
    })
  }

  async open(): Promise<void> {
    const { log } = this.#options
    const isUsable = (found: CheckpointSummary): boolean => this.#isUsable(found)
    const checkpoint = await loadCheckpoint(this.#options, isUsable, (name, chunk) => {
      if (name === MARKS) {
        this.#restated = decodeMarks(chunk)
        return
      }
      const fold = this.#options.folds.find((one) => one.name === name)
      assert(fold !== undefined, 'a usable checkpoint is of these folds')
      fold.load(chunk)
    })
    if (checkpoint === undefined) {
      await this.#rebuild()
    } else {
      this.from = 'checkpoint'
      this.savedAt = checkpoint.position
      // What was saved is what lived, so the tail is applied as it was then: without marks.
      await this.#catchUp(checkpoint.position, undefined)
    }
    log.onAppend((records) => {
      if (this.#isOwnAppend) return
      for (const record of records) this.#evolve(record)
    })
  }

  /** The same folds, and not beyond the log: then the log has every record it was made of. */
  #isUsable({ position: at, folds: names }: CheckpointSummary): boolean {
    const { log, folds } = this.#options
    if (at > log.watermark('memory') || at < log.wholeFrom) return false
    const saved = names.filter((name) => name !== MARKS)
    return saved.length === folds.length && folds.every(({ name }) => saved.includes(name))
  }

  /** Bodies from the start, facts from the last whole restatement on. */
  async #rebuild(): Promise<void> {
    const { log, clock } = this.#options
    const marks = await findRestatement(log)
    this.#restated = marks
    if (marks !== undefined) {
      for await (const records of log.scan(log.start, { to: marks.begin, select: isBody })) {
        for (const record of records) this.#replay(record)
        await turn(clock)
      }
    }
    await this.#catchUp(marks?.begin ?? log.start, marks)
  }

  /** Replays up to the sequenced end; nothing has been appended behind it when it resolves. */
  async #catchUp(start: Position, marks: RestatementMarks | undefined): Promise<void> {
    const { log, clock } = this.#options
    for (let from = start; ;) {
      const end = log.watermark('memory')
      for await (const records of log.scan(from, { to: end })) {
        for (const record of records) {
          if (record.position === marks?.begin || record.position === marks?.end) this.#mark(record)
          else this.#replay(record)
        }
        await turn(clock)
      }
      if (log.watermark('memory') === end) return
      from = end
    }
  }

  #mark(record: LogRecord): void {
    this.replayed += 1
    for (const fold of this.#options.folds) fold.evolve(record)
    this.#options.marks?.(record)
  }

  #replay(record: LogRecord): void {
    this.replayed += 1
    // Behind a checkpoint: what was restated since is known, and evolves nothing.
    if (record.kind === 'restatement-end') this.#restated = marksAt(record)
    this.#evolve(record)
  }

  #evolve(record: LogRecord): void {
    const folds = this.#byKind.get(record.kind)
    if (folds === undefined) return
    for (const fold of folds) fold.evolve(record)
  }

  checkpoint(): Promise<Position> {
    if (!this.#isSaving && this.#nextSave === undefined) return this.#beginSave()
    this.#nextSave ??= this.#saving.then(() => {
      this.#nextSave = undefined
      return this.#beginSave()
    })
    return this.#nextSave
  }

  #beginSave(): Promise<Position> {
    const { directory } = this.#options
    if (this.#isReleased) return Promise.reject(new LogError('CLOSED', { directory }))
    this.#isSaving = true
    const saved = this.#save().finally(() => {
      this.#isSaving = false
    })
    this.#saving = saved.catch(() => undefined)
    return saved
  }

  async #save(): Promise<Position> {
    const { log, folds, directory } = this.#options
    const at = log.watermark('memory')
    // All saves begin in this turn; each gives the state of now, however late it is asked.
    const marks = this.#restated === undefined ? [] : [encodeMarks(this.#restated)]
    const saving = [
      ...folds.map((fold) => ({ name: fold.name, chunks: fold.save(at) })),
      { name: MARKS, chunks: marks.values() },
    ]
    try {
      await saveCheckpoint(this.#options, { at, folds: saving }, () => log.waitFor(at, 'sync'))
    } catch (error) {
      throw asLogError(error, directory)
    } finally {
      for (const { chunks } of saving) chunks.return?.()
    }
    this.savedAt = at
    return at
  }

  async restate(): Promise<Position> {
    assert(!this.#isRestating, 'one restatement at a time')
    this.#isRestating = true
    try {
      const whenRoom = (): Promise<void> => this.#whenRoom()
      const append: Log['append'] = (drafts) => this.#appendRestated(drafts)
      const { marks, end } = await restateFolds({ ...this.#options, append, whenRoom })
      this.#restated = marks
      return end
    } finally {
      this.#isRestating = false
    }
  }

  /** What the folds restate, they hold: they are not told. */
  #appendRestated(drafts: readonly Draft[]): ReturnType<Log['append']> {
    this.#isOwnAppend = true
    try {
      return this.#options.log.append(drafts)
    } finally {
      this.#isOwnAppend = false
    }
  }

  #whenRoom(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#roomWaiters.push({ resolve, reject })
    })
  }

  #wake(): void {
    if (this.#roomWaiters.length === 0) return
    const { failure } = this.#options.log
    const waiters = this.#roomWaiters
    this.#roomWaiters = []
    for (const waiter of waiters) {
      if (failure === undefined) waiter.resolve()
      else waiter.reject(failure)
    }
  }

  needs(): Position | undefined {
    let lowest: Position | undefined
    for (const fold of this.#options.folds) {
      const needed = fold.needs()
      if (needed !== undefined && (lowest === undefined || needed < lowest)) lowest = needed
    }
    return lowest
  }

  needsBody(record: LogRecord): boolean {
    if (!isBody(record.kind)) return false
    return (this.#byKind.get(record.kind) ?? []).some((fold) => fold.needsBody(record))
  }

  async freeBelow(): Promise<Position> {
    const { log, directory } = this.#options
    const marks = this.#restated
    if (marks === undefined) return log.start
    // The end mark is one record of a frame: what is durable beyond its position has all of it.
    await log.waitFor(log.watermark('memory'), 'sync')
    await this.#saving
    try {
      await dropCheckpoints(this.#options, marks.begin)
    } catch (error) {
      throw asLogError(error, directory)
    }
    return marks.begin
  }
}
