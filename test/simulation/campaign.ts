/**
 * Runs a property over many seeds. One seed is one plan, drawn and shrunk by fast-check; `SEED=n`
 * replays it. It adds up which fault classes were reached, and runs some seeds twice to prove that
 * a seed fixes the run. A time box says how long to look; how much must be seen is counted in seeds
 * and goes on behind the box, so that a busy machine takes longer and fails no sooner.
 *
 *   SEED=n             this seed only, or these: SEED=3,17
 *   SAGALOG_SEEDS=n    the seeds 1 to n, unshrunk, up to the first that fails
 *   SAGALOG_WANTED=p   goes on after seeds that broke other promises than this one
 *   SAGALOG_FROM=n     begins with this seed instead of 1
 *   SAGALOG_TRACE=n    prints the last n events of each run
 *   SAGALOG_BOX_S=n    a time box of n seconds
 *   SAGALOG_TALLY=f    appends the seeds and what they reached to a file, as a line of JSON
 *   SAGALOG_FULL=1     the long time box, and on until `seedsMin` seeds were run
 */
import { appendFileSync } from 'node:fs'
import fc from 'fast-check'
import { auditEarlyReplies } from './checkers/audit-early-replies.js'
import { nothingUnsafeDelivered } from './checkers/nothing-unsafe-delivered.js'
import type { Counters } from './counters.js'
import type { Checker, History, LogContents } from './history.js'
import type { Plan } from './plan.js'
import { watchRejections } from './rejections.js'
import { type Outcome, type Population, runPlan } from './world.js'

const BOX_MS = { quick: 5_000, full: 60_000 }
const SHRINK_MS = 15_000
const TWICE_ONE_IN = 50
/** So many seeds are enough to reach every fault class; the first of them are always the same. */
const SEEDS_TO_REACH_ALL = 60

export interface Campaign {
  /** The test file, for the line that replays. */
  readonly file: string
  readonly plans: fc.Arbitrary<Plan>
  readonly population: Population
  readonly checkers: readonly Checker[]
  /** Sends, and operations of guests, without which a run has shown nothing. */
  readonly operationsMin: number
  /** Counters that must not be 0 over the whole campaign. */
  readonly mustReach: readonly string[]
  /** Counters that must not be 0 in at least this share of the seeds. */
  readonly mustReachIn?: Readonly<Record<string, number>>
  /** Seeds that a full campaign runs, whatever time they take. */
  readonly seedsMin: number
  /** Milliseconds of a full campaign's box, where the usual one is more than it needs. */
  readonly fullBoxMs?: number
}

const isFull = process.env['SAGALOG_FULL'] === '1'
const boxText = process.env['SAGALOG_BOX_S']
const boxMs = boxText === undefined ? BOX_MS[isFull ? 'full' : 'quick'] : Number(boxText) * 1_000

/** False in the quick run of all tests: for a campaign that is not part of it. */
export const isAskedFor =
  isFull || ['SEED', 'SAGALOG_SEEDS', 'SAGALOG_BOX_S'].some((name) => name in process.env)

/** Milliseconds that the test may take: a run that hangs ends, a slow machine gets through. */
export const campaignTimeoutMs = 8 * boxMs + SHRINK_MS + 120_000

/** Says which promises a run broke: the first is the one that the run is shrunk for. */
class Broken extends Error {
  readonly promises: readonly string[]
  constructor(promises: readonly string[], text: string) {
    super(text)
    this.promises = promises
  }
}

async function check(campaign: Campaign, plan: Plan): Promise<Outcome> {
  const ended = await runPlan({ plan, population: campaign.population })
  const { failure, recorder } = ended
  if (process.env['SAGALOG_TRACE'] !== undefined) printTail(recorder)
  // Without the log that a run leaves, only what was seen while it ran can be judged.
  const contents = 'contents' in ended ? ended.contents : NO_CONTENTS
  const checkers = [auditEarlyReplies, nothingUnsafeDelivered, ...campaign.checkers]
  const promises: string[] = []
  const texts: string[] = []
  for (const checker of 'contents' in ended ? checkers : [auditEarlyReplies]) {
    const violations = checker.check(recorder, contents)
    if (violations.length === 0) continue
    promises.push(checker.promise)
    texts.push(`${checker.promise}:\n  ${violations.slice(0, 6).join('\n  ')}`)
  }
  if (failure !== undefined) {
    promises.push(failure.promise)
    texts.push(`${failure.promise}: ${failure.message}`)
  }
  if (promises.length > 0 || !('contents' in ended)) throw new Broken(promises, texts.join('\n'))
  return ended
}

const NO_CONTENTS: LogContents = {
  messages: [],
  effects: [],
  leases: [],
  halves: [],
  fates: [],
  timers: [],
}

function printTail({ events }: History): void {
  const tail = events.slice(-Number(process.env['SAGALOG_TRACE']))
  console.log(tail.map((event) => JSON.stringify(event)).join('\n'))
}

const promisesOf = (error: unknown): readonly string[] =>
  error instanceof Broken ? error.promises : ['unexpected-error']

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : 'something that is no error'

/** Runs one seed; gives what it reached, or throws with the line that replays it. */
async function runSeed(campaign: Campaign, seed: number, isShrinking: boolean): Promise<Outcome> {
  let first: Outcome | undefined
  let firstError: unknown
  const property = fc.asyncProperty(campaign.plans, async (plan) => {
    try {
      const outcome = await check(campaign, plan)
      first ??= outcome
    } catch (error) {
      // While it shrinks, another broken promise is another failure.
      if (firstError !== undefined && promisesOf(error)[0] !== promisesOf(firstError)[0]) return
      firstError ??= error
      throw error
    }
  })
  const details = await fc.check(property, {
    seed,
    numRuns: 1,
    endOnFailure: !isShrinking,
    ...(isShrinking ? { interruptAfterTimeLimit: SHRINK_MS } : {}),
  })
  if (firstError !== undefined) {
    const last: unknown = details.errorInstance ?? firstError
    const plan = textOf(details.counterexample?.[0])
    const text = stackOf(last)
    throw new Error(
      `broken at SEED=${seed}: ${promisesOf(firstError).join(' ')}\n` +
        `replay: SEED=${seed} npx vitest run ${campaign.file}\n${text}\n` +
        `after ${details.numShrinks} shrinks: ${plan}`,
    )
  }
  if (first === undefined) throw new Error(`seed ${seed} was not run`)
  return first
}

function textOf(plan: Plan | undefined): string {
  if (plan === undefined) return ''
  const { steps, ...rest } = plan
  const told = steps.filter(({ step, gapMs }) => step.kind !== 'nothing' || gapMs > 0)
  const lines = told.map(({ step, gapMs }) => `${JSON.stringify(step)} then ${gapMs} ms`)
  return [JSON.stringify(rest), ...lines].join('\n  ')
}

function add(total: Record<string, number>, counters: Counters): void {
  for (const [name, count] of Object.entries(counters)) total[name] = (total[name] ?? 0) + count
}

/** The same; undefined when the seed broke something else than what is looked for. */
async function runWanted(
  campaign: Campaign,
  seed: number,
  isShrinking: boolean,
): Promise<Outcome | undefined> {
  const wanted = process.env['SAGALOG_WANTED']
  try {
    return await runSeed(campaign, seed, isShrinking)
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split('\n') : []
    if (wanted === undefined || line.split(' ').includes(wanted)) throw error
    return undefined
  }
}

/** Runs the campaign that the environment asks for. Throws on the first broken promise. */
export async function runCampaign(campaign: Campaign): Promise<void> {
  const one = process.env['SEED']
  const upTo = process.env['SAGALOG_SEEDS']
  const startedMs = Date.now()
  const total: Record<string, number> = {}
  const seedsWith: Record<string, number> = {}
  const rejections = watchRejections()
  let seeds = 0
  try {
    const isBoxed = one === undefined && upTo === undefined
    for (const seed of seedsOf(one, upTo)) {
      const ownBoxMs = isFull && boxText === undefined ? campaign.fullBoxMs : undefined
      const isBoxOver = Date.now() - startedMs > (ownBoxMs ?? boxMs)
      if (isBoxed && isBoxOver && hasSeenEnough(campaign, seeds, total)) break
      const outcome = await runWanted(campaign, seed, isBoxed || one !== undefined)
      const [crash] = rejections.take()
      if (outcome === undefined) continue
      if (crash !== undefined)
        throw new Error(`broken at SEED=${seed}: no-crash\n${stackOf(crash)}`, { cause: crash })
      requireOperations(campaign, seed, outcome)
      if (isBoxed && seed % TWICE_ONE_IN === 0) await requireSame(campaign, seed, outcome)
      add(total, outcome.counters)
      for (const [name, count] of Object.entries(outcome.counters))
        if (count > 0) seedsWith[name] = (seedsWith[name] ?? 0) + 1
      seeds += 1
    }
    report(campaign, { seeds, ms: Date.now() - startedMs, total })
    if (!isBoxed || boxText !== undefined) return
    const missing = missingIn(campaign, total)
    if (missing.length > 0)
      throw new Error(`never reached in ${seeds} seeds: ${missing.join(', ')}`)
    for (const [name, share] of Object.entries(campaign.mustReachIn ?? {})) {
      const reachedIn = seedsWith[name] ?? 0
      console.log(`${campaign.file}: ${name} in ${reachedIn} of ${seeds} seeds`)
      if (reachedIn < share * seeds)
        throw new Error(`${name} in ${reachedIn} of ${seeds} seeds, ${share} of them are wanted`)
    }
  } finally {
    rejections.stop()
  }
}

function missingIn(campaign: Campaign, total: Counters): string[] {
  return campaign.mustReach.filter((name) => (total[name] ?? 0) === 0)
}

/** Whether a campaign may end with its box. It counts seeds: every machine sees as much. */
function hasSeenEnough(campaign: Campaign, seeds: number, total: Counters): boolean {
  // A box that somebody asked for makes no demands.
  if (boxText !== undefined) return true
  if (isFull && seeds < campaign.seedsMin) return false
  return seeds >= SEEDS_TO_REACH_ALL || missingIn(campaign, total).length === 0
}

function* seedsOf(some: string | undefined, upTo: string | undefined): Iterable<number> {
  if (some !== undefined) {
    yield* some.split(',').map(Number)
    return
  }
  const last = Number(upTo ?? Number.MAX_SAFE_INTEGER)
  for (let seed = Number(process.env['SAGALOG_FROM'] ?? 1); seed <= last; seed += 1) yield seed
}

function requireOperations(campaign: Campaign, seed: number, { counters }: Outcome): void {
  const kinds = ['sends acknowledged', 'sends failed', 'guest operations']
  const made = kinds.reduce((sum, kind) => sum + (counters[kind] ?? 0), 0)
  if (made < campaign.operationsMin)
    throw new Error(
      `SEED=${seed} made ${made} operations, at least ${campaign.operationsMin} are wanted`,
    )
}

async function requireSame(campaign: Campaign, seed: number, outcome: Outcome): Promise<void> {
  const again = await runSeed(campaign, seed, false)
  if (again.recorder.hash !== outcome.recorder.hash)
    throw new Error(`SEED=${seed} did not run the same way twice`)
}

function report(campaign: Campaign, run: { seeds: number; ms: number; total: Counters }): void {
  const rate = ((run.seeds * 1_000) / run.ms).toFixed(1)
  const faults = Object.entries(run.total)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
  console.log(`${campaign.file}: ${run.seeds} seeds, ${rate}/s; ${faults.join(', ')}`)
  const tally = process.env['SAGALOG_TALLY']
  if (tally === undefined) return
  const { seeds, total: counts } = run
  const from = Number(process.env['SAGALOG_FROM'] ?? 1)
  const line = { campaign: campaign.file, from, to: from + seeds - 1, seeds, counts }
  appendFileSync(tally, `${JSON.stringify(line)}\n`)
}
