/**
 * Keeps folds and the log together: brings empty folds to the log's end, saves checkpoints, and
 * appends restatements. The law for every interleaving: what a rebuild computes equals what lived.
 */
import { assert, type Clock, type Disk, type Fold, type LogRecord } from '@sagalog/kernel'
import { type Position, RECORD_KINDS, type RecordKind } from '@sagalog/kernel'
import type { Log } from './api.js'
import { dropCheckpoints, newestCheckpoint, saveCheckpoint } from './checkpoint.js'
import type { Checkpoint } from './checkpoint-format.js'
import { asLogError, LogError } from './errors.js'
import {
  type AppendDrafts,
  findRestatement,
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
  /** Hands a record that was just appended to the folds that evolve on its kind. */
  evolve(record: LogRecord): void
  /**
   * Saves the state of all folds as of the call, when every appended record has been evolved.
   * Resolves with its position once the file is in place. Rejects with LogError.
   */
  checkpoint(): Promise<Position>
  /**
   * Appends the live facts of all folds between marks; resolves with the end of the end mark.
   * Restated records need not be evolved: they say what the folds hold. One at a time.
   */
  restate(append: AppendDrafts): Promise<Position>
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

const isBody = (kind: RecordKind): boolean => RECORD_KINDS[kind].class === 'body'
const isMark = (kind: RecordKind): boolean => RECORD_KINDS[kind].class === 'mark'

class FoldRunner implements Folds {
  readonly #options: FoldsOptions
  readonly #byKind = new Map<RecordKind, Fold[]>()
  #roomWaiters: { resolve: () => void; reject: (error: unknown) => void }[] = []
  #isRestating = false
  #saving: Promise<unknown> = Promise.resolve()
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
    const checkpoint = await newestCheckpoint(this.#options, (found) => this.#isUsable(found))
    if (checkpoint === undefined) {
      await this.#rebuild()
      return
    }
    this.from = 'checkpoint'
    this.savedAt = checkpoint.position
    for (const fold of this.#options.folds) {
      const section = checkpoint.sections.find(({ name }) => name === fold.name)
      assert(section !== undefined, 'a usable checkpoint has a section for each fold')
      fold.load(section.chunks)
    }
    // What was saved is what lived, so the tail is applied as it was then: without marks.
    for await (const records of log.scan(checkpoint.position)) {
      for (const record of records) this.#replay(record)
    }
  }

  /** The same folds, and not beyond the log: then the log has every record it was made of. */
  #isUsable({ position: at, sections }: Checkpoint): boolean {
    const { log, folds } = this.#options
    if (at > log.watermark('memory') || at < log.start) return false
    const names = new Set(sections.map(({ name }) => name))
    return names.size === folds.length && folds.every(({ name }) => names.has(name))
  }

  /** Bodies from the start, facts from the last whole restatement on. */
  async #rebuild(): Promise<void> {
    const { log } = this.#options
    const marks = await findRestatement(log)
    this.#restated = marks
    if (marks !== undefined) {
      for await (const records of log.scan(log.start, { to: marks.begin, select: isBody })) {
        for (const record of records) this.#replay(record)
      }
    }
    for await (const records of log.scan(marks?.begin ?? log.start)) {
      for (const record of records) {
        const isOfPair = record.position === marks?.begin || record.position === marks?.end
        if (isOfPair) this.#mark(record)
        else this.#replay(record)
      }
    }
  }

  #mark(record: LogRecord): void {
    this.replayed += 1
    for (const fold of this.#options.folds) fold.evolve(record)
    this.#options.marks?.(record)
  }

  #replay(record: LogRecord): void {
    this.replayed += 1
    this.evolve(record)
  }

  evolve(record: LogRecord): void {
    const folds = this.#byKind.get(record.kind)
    if (folds === undefined) return
    for (const fold of folds) fold.evolve(record)
  }

  checkpoint(): Promise<Position> {
    const { log, folds, directory } = this.#options
    if (this.#isReleased) return Promise.reject(new LogError('CLOSED', { directory }))
    const at = log.watermark('memory')
    // All chunks are taken now: a fold may make them lazily, and goes on changing.
    const sections = folds.map((fold) => ({ name: fold.name, chunks: [...fold.save()] }))
    const saved = this.#saving.then(async () => {
      try {
        await saveCheckpoint(this.#options, { position: at, sections }, () =>
          log.waitFor(at, 'sync'),
        )
        this.savedAt = at
        return at
      } catch (error) {
        throw asLogError(error, directory)
      }
    })
    this.#saving = saved.catch(() => undefined)
    return saved
  }

  async restate(append: AppendDrafts): Promise<Position> {
    assert(!this.#isRestating, 'one restatement at a time')
    this.#isRestating = true
    try {
      const whenRoom = (): Promise<void> => this.#whenRoom()
      const { marks, end } = await restateFolds({ ...this.#options, append, whenRoom })
      this.#restated = marks
      return end
    } finally {
      this.#isRestating = false
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
