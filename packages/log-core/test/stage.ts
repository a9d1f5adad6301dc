/**
 * Where scripted scenarios play: a simulated machine, and an account of what was appended and what
 * was acknowledged, to be compared with what a later opening finds.
 */
import type { Draft, Position } from '@sagalog/kernel'
import { expect } from 'vitest'
import { type Durability, type Folds, type Log, LogError, openFolds } from '../src/index.js'
import { ledger } from './ledger.js'
import { appendSoon, DIRECTORY, draft, type Process, textOf, world } from './world.js'

/** Small, so that scenarios roll; every opening uses it. */
export const SEGMENT = 512

export interface Send {
  /** Who sends: a caller's records are numbered from 0. A name lives no longer than its process. */
  readonly by: string
  readonly bytes?: number
  readonly level?: Durability
  /** Drafts that stand in the same frame. */
  readonly with?: readonly Draft[]
}

interface Acknowledged {
  readonly text: string
  readonly level: Durability
}

export type Scenario = (stage: Stage) => Promise<void>

export class Stage {
  readonly world: ReturnType<typeof world>
  readonly acknowledged: Acknowledged[] = []
  readonly #sent = new Map<string, number>()
  #isStopped: () => boolean = () => false
  #hasFolds = false

  constructor(seed: number) {
    this.world = world(seed)
  }

  /** A process; once the world was ended under the scenario, one that is dead. */
  start(): Process {
    const process = this.world.start()
    if (this.#isStopped()) process.clock.kill()
    return process
  }

  open(durability: Durability = 'sync', process = this.start()): Promise<Log> {
    return process.open({ segmentBytes: SEGMENT, durability, cacheBytes: 1024 })
  }

  /** Appends one record; gives its text and the end of its frame. */
  async append(log: Log, { by, bytes = 20, with: drafts = [] }: Send) {
    const text = this.#textOf(by, bytes)
    const { end } = await appendSoon(log, [draft(text), ...drafts])
    return { text, end }
  }

  /** Appends one record, waits for it, and notes that it was acknowledged. */
  async send(log: Log, send: Send): Promise<void> {
    const { level = 'sync' } = send
    const { text, end } = await this.append(log, send)
    await log.waitFor(end, level)
    demandSafe(log, end, level)
    this.note(text, level)
  }

  /** The same in one call of the log; false when it was refused for want of space. */
  async write(log: Log, { by, bytes = 20, level = 'sync' }: Send): Promise<boolean> {
    const text = this.#textOf(by, bytes)
    const outcome = await log.write([draft(text)], { durability: level })
    if (typeof outcome === 'string') {
      this.#sent.set(by, (this.#sent.get(by) ?? 1) - 1)
      return false
    }
    demandSafe(log, outcome.end, level)
    this.note(text, level)
    return true
  }

  note(text: string, level: Durability): void {
    this.acknowledged.push({ text, level })
  }

  #textOf(by: string, bytes: number): string {
    const n = this.#sent.get(by) ?? 0
    this.#sent.set(by, n + 1)
    return `${by}:${n}:`.padEnd(bytes, '.')
  }

  async folds(log: Log, process: Process) {
    this.#hasFolds = true
    const fold = ledger()
    const { disk, clock } = process
    const folds: Folds = await openFolds({ log, disk, clock, directory: DIRECTORY, folds: [fold] })
    return { fold, folds }
  }

  /** Plays until the scenario ends or `isStopped`. Only operating failures may end it early. */
  async play(scenario: Scenario, isStopped: () => boolean = () => false): Promise<void> {
    const { time } = this.world
    this.#isStopped = isStopped
    let isDone = false
    const ending = scenario(this).then(
      () => (isDone = true),
      (error: unknown) => {
        isDone = true
        // Whoever is told of damage here was told wrong: nothing was damaged.
        if (!LogError.is(error) || error.code === 'CORRUPT') throw error
      },
    )
    const untilMs = time.nowMs() + 120_000
    await time.run({ untilMs, isDone: () => isDone || isStopped() })
    if (isDone) await ending
    else expect(isStopped(), 'the scenario hangs').toBe(true)
    this.#isStopped = () => false
  }

  /** What an opening finds; the folds of a checkpoint and those of the log alone are the same. */
  async #find(): Promise<string[]> {
    const { drive, disk } = this.world
    const process = this.start()
    const log = await drive(this.open('sync', process))
    if (this.#hasFolds) {
      const { fold: saved } = await drive(this.folds(log, process))
      for (const path of disk.paths()) if (path.endsWith('.ckpt')) disk.removeFile(path)
      const { fold: rebuilt } = await drive(this.folds(log, process))
      expect(saved.text()).toBe(rebuilt.text())
    }
    const texts: string[] = []
    const collect = async (): Promise<void> => {
      for await (const records of log.scan(log.start, { select: (kind) => kind === 'message' }))
        texts.push(...records.map(textOf))
    }
    await drive(collect())
    await drive(log.close())
    return texts
  }

  /**
   * Opens, and demands what was acknowledged at a level that the way it ended can't take; of each
   * caller all records up to the last that is there, in order, once each.
   */
  async check(levels: readonly Durability[], at: string): Promise<void> {
    const found = await this.#find()
    const texts = new Set(found)
    for (const { text, level } of this.acknowledged) {
      if (levels.includes(level) && !texts.has(text)) {
        throw new Error(`${at}: lost ${text}, found ${found.join(' ')}`)
      }
    }
    const next = new Map<string, number>()
    for (const text of found) {
      const [by = '', n = ''] = text.split(':')
      const expected = next.get(by) ?? 0
      const sent = this.#sent.get(by) ?? 0
      if (Number(n) !== expected || expected >= sent) {
        throw new Error(`${at}: ${text} is wrong, found ${found.join(' ')}`)
      }
      next.set(by, expected + 1)
    }
  }
}

/** The audit agrees with the acknowledgement. */
function demandSafe(log: Log, end: Position, level: Durability): void {
  if (!log.isSafe(end, level)) throw new Error(`${end} was acknowledged and is not safe: ${level}`)
}
