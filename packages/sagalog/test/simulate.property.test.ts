/**
 * The promises of sagas in simulated worlds: a completed saga has each effect once and none undone,
 * a compensated one has undone all that was done, in reverse, and each ends or waits in sight.
 *
 *   SEED=n               runs one world again
 *   SAGALOG_FULL=1       5,000 worlds over all rows, three sagas in each; a box bounds the time
 *   SAGALOG_FROM=n       begins with this seed instead of 1
 *   SAGALOG_BOX_S=n      looks for so many seconds in all
 *   SAGALOG_TALLY=file   appends the seeds and what they reached to it, as a line of JSON
 */
import type { Saga } from '@sagalog/saga'
import { type Fault, type FaultClass, faultClasses, runFaults, simulate } from 'sagalog/testing'
import type { SimulateOptions, SimulationReport } from 'sagalog/testing'
import { appendFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  input,
  localSaga,
  remoteSaga,
  servedSaga,
  services,
  waitingSaga,
} from './simulated-sagas.js'

const { SAGALOG_BOX_S, SAGALOG_FROM, SAGALOG_FULL, SAGALOG_TALLY, SEED } = process.env
const isFull = SAGALOG_FULL === '1'
const seed = SEED?.split(',')[0]
const from = Number(SAGALOG_FROM ?? 1)
/** Worlds of a full run, over all rows. A row has its share, the one without crashes a third. */
const SEEDS_FULL = 5_000
/** With fewer worlds over all rows the full run says too little, and fails. */
const SEEDS_MIN = SEEDS_FULL / 10
const SAGAS = 3
const SHARES = 3 + 1 / 3
const SEEDS = Math.ceil(SEEDS_FULL / SHARES)
/** Three rows and a third share a box that was given. */
const GIVEN_MS = SAGALOG_BOX_S === undefined ? undefined : (Number(SAGALOG_BOX_S) * 1_000) / SHARES
const BOX_MS = GIVEN_MS ?? (isFull ? 45_000 : 2_500)

type Input = ReturnType<typeof input>
type AnySaga = Saga<Input, unknown, unknown>

interface Row {
  readonly saga: AnySaga
  readonly options?: Partial<SimulateOptions<Input>>
  /** Classes that its steps can meet. */
  readonly reached: readonly FaultClass[]
}

const common: readonly FaultClass[] = ['crash', 'refuse', 'ambiguous', 'late', 'clock-jump']
const rows: readonly Row[] = [
  { saga: localSaga, reached: [...common, 'duplicate'] },
  {
    saga: remoteSaga,
    // The services' own inbox is the fence; nothing else keeps what comes late from happening.
    options: { participants: { hasFence: false } },
    reached: [...common, 'duplicate', 'reorder'],
  },
  { saga: waitingSaga, options: { signals: { approve: true } }, reached: common },
]

/** What all rows together came to. */
const total = { seeds: 0, faults: new Map<string, number>() }

function tell(name: string, { seeds, faults, outcomes }: SimulationReport): void {
  const counts = { ...faults, ...outcomes }
  total.seeds += seeds
  for (const [kind, count] of Object.entries(faults))
    total.faults.set(kind, (total.faults.get(kind) ?? 0) + count)
  console.log(`${name}: ${seeds} seeds, ${JSON.stringify(counts)}`)
  if (SAGALOG_TALLY === undefined) return
  const line = { campaign: `saga ${name}`, from, to: from + seeds - 1, seeds, counts }
  appendFileSync(SAGALOG_TALLY, `${JSON.stringify(line)}\n`)
}

const seedsOf = (share = 1): Pick<SimulateOptions<Input>, 'seeds' | 'from' | 'box' | 'sagas'> => {
  if (seed !== undefined) return { seeds: 1, from: Number(seed), sagas: SAGAS }
  const box = { ms: BOX_MS * share, nowMs: () => performance.now() }
  return { seeds: Math.ceil(SEEDS * share), from, box, sagas: SAGAS }
}

describe('sagas in worlds that crash, refuse, lose, double and delay', () => {
  it.each(rows)(
    'end completed or compensated, each effect as it must be: $saga.name',
    async ({ saga, options, reached }) => {
      const run = simulate(saga, { services, input, ...options, ...seedsOf() })
      const report = await run.always((end) => end.outcome !== 'parked')
      tell(saga.name, report)
      if (seed !== undefined) return
      expect(report.seeds).toBeGreaterThan(0)
      expect(report.sagas).toBe(SAGAS * report.seeds)
      expect(report.commits).toBeGreaterThan(report.sagas)
      // A slow machine sees too few worlds to have met everything.
      if (report.seeds < 100) return
      expect(report.outcomes.completed).toBeGreaterThan(0)
      expect(report.outcomes.compensated).toBeGreaterThan(0)
      for (const kind of reached) expect(report.faults[kind], `reached: ${kind}`).toBeGreaterThan(0)
    },
    120_000,
  )

  it('services that keep an inbox need no keys of their own, as long as nothing crashes', async () => {
    // A local step has no inbox in front of it, so none is in this saga.
    const run = simulate(servedSaga, {
      services,
      input,
      participants: { keepsKeys: false, hasFence: false },
      faults: ['refuse', 'ambiguous', 'late', 'duplicate', 'reorder'],
      ...seedsOf(1 / 3),
    })
    const report = await run.always(() => true)
    tell(servedSaga.name, report)
    expect(report.seeds).toBeGreaterThan(0)
  }, 120_000)

  it.runIf(isFull && seed === undefined)('were enough, and met each fault often', () => {
    console.log(`all rows: ${total.seeds} seeds, ${JSON.stringify([...total.faults])}`)
    expect(total.seeds).toBeGreaterThanOrEqual(SEEDS_MIN)
    for (const kind of faultClasses)
      expect(total.faults.get(kind), `reached: ${kind}`).toBeGreaterThan(total.seeds / 50)
  })
})

describe('a broken world', () => {
  const failureOf = async (run: Promise<unknown>): Promise<string> =>
    run.then(
      () => 'nothing was found',
      (thrown: unknown) => String(thrown),
    )

  it('whose participants have no fence is found, and told in a few lines', async () => {
    const run = simulate(localSaga, {
      services,
      input,
      participants: { hasFence: false },
      faults: ['late'],
    })
    const story = await failureOf(run.always(() => true))
    expect(story).toMatch(/broken at SEED=\d+, saga \d:/)
    expect(story).toContain('happens after its time was up')
    expect(story).toMatch(/compensated, but \S+ happened 1 times and was taken back 0 times/)
    expect(story.split('\n').length).toBeLessThanOrEqual(11)
  }, 60_000)

  it('whose participants keep no keys is found', async () => {
    const run = simulate(localSaga, {
      services,
      input,
      participants: { keepsKeys: false },
      faults: ['crash', 'duplicate'],
    })
    expect(await failureOf(run.always(() => true))).toContain('happened 2 times')
  }, 60_000)

  it('by a crash at a step of another saga is told with that crash', async () => {
    const crash: Fault = {
      kind: 'crash',
      saga: 2,
      step: 'hold',
      action: 'run',
      who: 'runtime',
      isAfter: true,
    }
    const options = { services, input, participants: { keepsKeys: false } }
    let story = ''
    for (let one = 1; one <= 40 && !/saga [13]:/.test(story); one += 1)
      story = await failureOf(runFaults(localSaga, options, { seed: one, faults: [crash] }))
    expect(story).toMatch(/broken at SEED=\d+, saga [13]:/)
    expect(story).toContain('runtime crashes right after hold of saga 2')
    expect(story.split('\n').length).toBeLessThanOrEqual(11)
  }, 60_000)

  it('and a broken promise of the user, made as small as it gets', async () => {
    const run = simulate(localSaga, { services, input, faults: ['refuse', 'crash', 'clock-jump'] })
    const story = await failureOf(run.always((end) => end.effects('hold').undone === 0))
    expect(story).toContain('the invariant does not hold')
    expect(story).toContain('is refused')
    expect(story).not.toContain('crashes')
  }, 60_000)
})
