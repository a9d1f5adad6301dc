/**
 * Runs a property over many seeds and says which one failed, with the line that runs it again.
 *
 *   SEED=n               this seed only, or these: SEED=3,17
 *   SAGALOG_FROM=n       begins with this seed instead of 1
 *   SAGALOG_FULL=1       aims at `full` runs within `fullS` seconds; a tenth is demanded
 *   SAGALOG_BOX_S=n      looks for n seconds, and makes no demands
 *   SAGALOG_TALLY=file   appends the seeds and what they reached to it, as a line of JSON
 */
import { appendFileSync } from 'node:fs'
import { expect } from 'vitest'

const { env } = process
export const isFullRun = env['SAGALOG_FULL'] === '1'

export interface Campaign {
  readonly file: string
  readonly of: string
  /** Runs of the plain run. */
  readonly quick: number
  readonly full: number
  readonly fullS: number
  /** What must have been reached so often when all is done. */
  readonly mustReach: Readonly<Record<string, number>>
}

/** Counts up what a run reaches. */
export type Count = (what: string, by?: number) => void

const numberOf = (name: string): number | undefined =>
  env[name] === undefined ? undefined : Number(env[name])

/** Milliseconds for the test: one that hangs ends, a slow machine gets through. */
export const campaignTimeoutMs = (numberOf('SAGALOG_BOX_S') ?? 60) * 4_000 + 120_000

/** Runs the property for each seed; rejects with the first that fails. */
export async function runSeeds(
  { file, full, fullS, mustReach, of, quick }: Campaign,
  property: (seed: number, count: Count) => Promise<void>,
): Promise<void> {
  const some = env['SEED']?.split(',').map(Number)
  const from = numberOf('SAGALOG_FROM') ?? 1
  const boxS = numberOf('SAGALOG_BOX_S')
  const counts: Record<string, number> = {}
  const count: Count = (what, by = 1) => {
    counts[what] = (counts[what] ?? 0) + by
  }
  const startedMs = Date.now()
  const isOver = (runs: number): boolean => {
    if (some !== undefined) return runs >= some.length
    const spentS = (Date.now() - startedMs) / 1_000
    if (boxS !== undefined) return spentS > boxS
    return isFullRun ? runs >= full || spentS > fullS : runs >= quick
  }
  let runs = 0
  for (; !isOver(runs); runs += 1) {
    const seed = some?.[runs] ?? from + runs
    try {
      await property(seed, count)
    } catch (cause) {
      const replay = `replay: SEED=${seed} npx vitest run ${file}`
      throw new Error(`broken at SEED=${seed}\n${replay}\n${String(cause)}`, { cause })
    }
  }
  const tally = { campaign: of, from, to: from + runs - 1, seeds: runs, counts }
  if (env['SAGALOG_TALLY'] !== undefined)
    appendFileSync(env['SAGALOG_TALLY'], `${JSON.stringify(tally)}\n`)
  console.log(`${of}: ${runs} runs, ${JSON.stringify(counts)}`)
  if (some !== undefined || boxS !== undefined) return
  if (isFullRun) expect(runs, `${of}: runs`).toBeGreaterThanOrEqual(full / 10)
  for (const [what, least] of Object.entries(mustReach))
    expect(counts[what] ?? 0, `${of}: ${what}`).toBeGreaterThanOrEqual(least)
}
