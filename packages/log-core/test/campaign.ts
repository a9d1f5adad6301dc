/**
 * Many random runs, one seed each: how long to look, what must have been reached, where to tell. A
 * time box decides, counts are reported. A full run that got less than a tenth of what it aims at
 * fails, and so does every run that never reached a fault it names: it has not shown that fault.
 *
 *   SEED=n               this seed only, or these: SEED=3,17
 *   SAGALOG_RUNS=n       so many seeds
 *   SAGALOG_FROM=n       begins with this seed instead of 1
 *   SAGALOG_FULL=1       aims at `full` within `fullS` seconds
 *   SAGALOG_BOX_S=n      looks for n seconds, and makes no demands
 *   SAGALOG_TALLY=file   appends the seeds and what they reached to it, as a line of JSON
 *   SAGALOG_SHRINK=0     tells the first failure as it is
 */
import { appendFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect } from 'vitest'
import { isFullRun } from './world.js'

const SHRINK_MS = 15_000

export interface CampaignPlan {
  /** The test file, for the line that replays. */
  readonly file: string
  /** What one run is, for the line that tells. */
  readonly of: string
  /** Runs in the plain run. */
  readonly quick: number
  /** What a full run aims at, as `counted` counts; a tenth of it is demanded. */
  readonly full: number
  /** Seconds of a full run. */
  readonly fullS: number
  /** The count that `full` is about; runs, unless told otherwise. */
  readonly counted?: string
  readonly mustReach: readonly string[]
}

const { env } = process
/** A full run that got less than this part of what it aims at fails. */
const DEMANDED_ONE_IN = 10
const numberOf = (name: string): number | undefined =>
  env[name] === undefined ? undefined : Number(env[name])

export class Campaign {
  readonly #plan: CampaignPlan
  readonly #counts = new Map<string, number>()
  readonly #from = numberOf('SAGALOG_FROM') ?? 1
  readonly #some = env['SEED']?.split(',').map(Number)
  readonly #runsMax: number
  readonly #boxS: number | undefined
  #startedMs = 0
  #runs = 0

  constructor(plan: CampaignPlan) {
    this.#plan = plan
    const asked = numberOf('SAGALOG_RUNS')
    const box = numberOf('SAGALOG_BOX_S') ?? (isFullRun ? plan.fullS : undefined)
    this.#boxS = asked === undefined ? box : undefined
    this.#runsMax = asked ?? (box === undefined ? plan.quick : Number.MAX_SAFE_INTEGER)
  }

  /** One more, or `by` more, of what a run can reach. */
  count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by)
  }

  countAll(counts: Readonly<Record<string, number>> | object): void {
    for (const [what, by] of Object.entries(counts)) this.count(what, Number(by))
  }

  /** Milliseconds for the test: one that hangs ends, a slow machine gets through. */
  get timeoutMs(): number {
    return (this.#boxS ?? 60) * 4_000 + 120_000
  }

  /** The seeds to run. */
  *seeds(): Iterable<number> {
    this.#startedMs = Date.now()
    const boxMs = (this.#boxS ?? Number.POSITIVE_INFINITY) * 1_000
    for (let n = 0; n < (this.#some?.length ?? this.#runsMax); n += 1) {
      const isBoxed = this.#some === undefined
      if (isBoxed && (this.#isOver(boxMs) || this.#hasEnough())) return
      this.#runs += 1
      yield this.#some?.[n] ?? this.#from + n
    }
  }

  /** A busy machine gets longer for what is demanded, but not for ever. */
  #isOver(boxMs: number): boolean {
    const elapsedMs = Date.now() - this.#startedMs
    if (elapsedMs <= boxMs) return false
    const isShort = isFullRun && this.#seen() < this.#plan.full / DEMANDED_ONE_IN
    return !isShort || env['SAGALOG_BOX_S'] !== undefined || elapsedMs > 3 * boxMs
  }

  #hasEnough(): boolean {
    return isFullRun && env['SAGALOG_BOX_S'] === undefined && this.#seen() >= this.#plan.full
  }

  #seen(): number {
    const { counted } = this.#plan
    return counted === undefined ? this.#runs : (this.#counts.get(counted) ?? 0)
  }

  /** Runs the property, one seed a run, makes a failure smaller, and demands what was to reach. */
  async check<T>(property: fc.IAsyncPropertyWithHooks<T>): Promise<void> {
    for (const seed of this.seeds()) {
      const details = await fc.check(property, {
        seed,
        numRuns: 1,
        endOnFailure: env['SAGALOG_SHRINK'] === '0',
        interruptAfterTimeLimit: SHRINK_MS,
      })
      if (details.failed) this.broken(seed, details.errorInstance, fc.defaultReportMessage(details))
    }
    this.end()
  }

  /** Fails with the line that runs the seed again. */
  broken(seed: number, cause: unknown, text = ''): never {
    const replay = `replay: SEED=${seed} npx vitest run ${this.#plan.file}`
    throw new Error(`broken at SEED=${seed}\n${replay}\n${text ?? ''}`, { cause })
  }

  /** Tells what was reached, and demands it. Called once, when no run failed. */
  end(): void {
    const { file, of, mustReach, full } = this.#plan
    const counts = Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)))
    const seconds = (Date.now() - this.#startedMs) / 1_000
    const reached = Object.entries(counts).map(([what, count]) => `${what} ${count}`)
    const rate = Math.round(this.#runs / Math.max(seconds, 0.001))
    const seeds = this.#some?.join() ?? `${this.#from} to ${this.#from + this.#runs - 1}`
    console.log(`${file}: ${this.#runs} ${of}, ${rate}/s, seeds ${seeds}; ${reached.join(', ')}`)
    const tally = env['SAGALOG_TALLY']
    if (tally !== undefined) {
      const to = this.#from + this.#runs - 1
      const line = { campaign: `${file}, ${of}`, from: this.#from, to, seeds: this.#runs, counts }
      appendFileSync(tally, `${JSON.stringify(line)}\n`)
    }
    const isAsked = ['SEED', 'SAGALOG_RUNS', 'SAGALOG_BOX_S'].some(
      (name) => env[name] !== undefined,
    )
    if (isAsked) return
    // A run that reaches nothing proves nothing.
    expect(mustReach.filter((what) => (counts[what] ?? 0) === 0)).toEqual([])
    if (isFullRun) expect(this.#seen(), file).toBeGreaterThanOrEqual(full / DEMANDED_ONE_IN)
  }
}
