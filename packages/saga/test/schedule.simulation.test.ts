/** Sagas that the clock starts: once each, whoever runs, dies, comes back or loses the time. */
import { type Connection } from '@sagalog/client'
import { createSagaRuntime, listSagas, saga, sagaSchedule, type SagaRuntime } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { placeOrder } from './orders.js'
import { World } from './world.js'

const report = saga('report', 1, t.number)
  .then('write', { out: t.string, run: (c) => TE.right(`for ${c.input}`) })
  .end()

const PERIOD_MS = 300_000
/** The world begins 100 seconds before it: 2023-11-14, 22:13:20 UTC. */
const FIRST_MS = Date.UTC(2023, 10, 14, 22, 15)
/** The ids of the sagas of so many periods after the first time. */
const dueAt = (...periods: readonly number[]): readonly string[] =>
  periods.map((period) => `often@${FIRST_MS + period * PERIOD_MS}`)

const often = (missed: 'once' | 'skip' = 'once', cron = '*/5 * * * *') =>
  sagaSchedule(report, { name: 'often', cron, missed, input: (dueAtMs) => dueAtMs })

class Stage {
  readonly world: World
  #count = 0
  constructor(seed: number) {
    this.world = new World({ wire: 'memory', seed, saga: placeOrder, behaviour: () => 'done' })
  }

  async instance(name: string, schedules: readonly ReturnType<typeof often>[] = [often()]) {
    const clock = this.world.time.nodeClock()
    this.#count += 1
    const connection: Connection = this.world.connect(clock, `${name} ${this.#count}`)
    const options = { sagas: [report], instance: name, queues: 2, retryMs: 20, schedules }
    const runtime: SagaRuntime = createSagaRuntime(connection, options)
    await runtime.start()
    const kill = (): void => {
      clock.kill()
      connection.close()
    }
    return { runtime, kill, connection }
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.world.time.plan(ms, resolve))
  }

  /** What was started, by id. */
  async started(): Promise<readonly string[]> {
    const connection = this.world.connect(this.world.time.nodeClock(), 'reader')
    const sagas = await listSagas(connection, report)
    connection.close()
    return sagas.map(({ sagaId }) => sagaId).toSorted()
  }
}

async function onStage(play: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = new Stage(3)
  await stage.world.until(stage.world.openBroker())
  await stage.world.until(play(stage), 1_000 * PERIOD_MS)
  await stage.world.close()
}

describe('a schedule', () => {
  it('starts one saga at each time, over three instances', () =>
    onStage(async (stage) => {
      const instances = await Promise.all(['a', 'b', 'c'].map((name) => stage.instance(name)))
      await stage.pass(2.5 * PERIOD_MS)
      expect(await stage.started()).toEqual(dueAt(0, 1, 2))
      const counted = instances.reduce((sum, { runtime }) => sum + runtime.counters.started, 0)
      expect(counted).toBe(3)
      const [one] = instances
      const { state } = (await one?.runtime.of(report).query(dueAt(0)[0] ?? '')) ?? {}
      expect(state).toMatchObject({ phase: 'completed', input: FIRST_MS })
    }))

  it('goes on after instances and the broker died, each time once', () =>
    onStage(async (stage) => {
      const first = await stage.instance('a')
      await stage.instance('b')
      await stage.pass(PERIOD_MS - 20_000)
      first.kill()
      stage.world.crashBroker()
      await stage.world.openBroker()
      await stage.instance('a')
      await stage.pass(PERIOD_MS)
      stage.world.crashBroker()
      await stage.world.openBroker()
      await stage.pass(PERIOD_MS)
      expect(await stage.started()).toEqual(dueAt(0, 1, 2))
    }))

  for (const [missed, due] of [
    ['once', dueAt(0, 4, 5)],
    ['skip', dueAt(0, 5)],
  ] as const)
    it(`meets the times that passed while nothing ran: ${missed}`, () =>
      onStage(async (stage) => {
        const first = await stage.instance('a', [often(missed)])
        await stage.pass(PERIOD_MS)
        first.kill()
        await stage.pass(4 * PERIOD_MS)
        await stage.instance('a', [often(missed)])
        await stage.pass(PERIOD_MS)
        expect(await stage.started()).toEqual(due)
      }))

  it('starts no time twice when the clock is set back, and none too early', () =>
    onStage(async (stage) => {
      await stage.instance('a')
      await stage.pass(PERIOD_MS)
      stage.world.time.jumpWall(-PERIOD_MS)
      await stage.pass(1.2 * PERIOD_MS)
      expect(await stage.started()).toEqual(dueAt(0))
      await stage.pass(0.5 * PERIOD_MS)
      expect(await stage.started()).toEqual(dueAt(0, 1))
    }))

  it('takes a clock that is set ahead for times that were missed', () =>
    onStage(async (stage) => {
      await stage.instance('a')
      await stage.pass(60_000)
      stage.world.time.jumpWall(5 * PERIOD_MS)
      await stage.pass(20_000)
      expect(await stage.started()).toEqual(dueAt(4))
    }))

  it('is taken up again after its time came to an instance that did not have it', () =>
    onStage(async (stage) => {
      const first = await stage.instance('a')
      await stage.pass(60_000)
      await first.runtime.close()
      const other = sagaSchedule(report, { name: 'other', cron: '0 0 1 1 *', input: () => 0 })
      const second = await stage.instance('b', [other])
      await stage.pass(PERIOD_MS)
      expect(await stage.started()).toEqual([])
      await second.runtime.close()
      await stage.instance('a')
      await stage.pass(PERIOD_MS)
      expect(await stage.started()).toEqual(dueAt(0, 1))
    }))

  it('follows its expression when that changed', () =>
    onStage(async (stage) => {
      const first = await stage.instance('a')
      await stage.pass(60_000)
      await first.runtime.close()
      await stage.instance('a', [often('once', '*/20 * * * *')])
      await stage.pass(6 * PERIOD_MS)
      expect(await stage.started()).toEqual(dueAt(1, 5))
    }))

  it('is refused when nobody can understand it', () => {
    const of = (options: object) => () =>
      sagaSchedule(report, { name: 'x', cron: '* * * * *', input: () => 1, ...options })
    for (const wrong of [{ cron: '61 * * * *' }, { timeZone: 'Mars/Base' }, { name: 'a b' }])
      expect(of(wrong)).toThrow(expect.objectContaining({ code: 'SCHEDULE_INVALID' }))
  })

  it('means the wall clock of its zone, also when that skips an hour', () => {
    const { times } = sagaSchedule(report, {
      name: 'x',
      cron: '30 9 * * *',
      timeZone: 'Europe/Vienna',
      input: () => 1,
    })
    const before = Date.UTC(2026, 2, 28, 8, 30)
    expect(times.next(before)).toBe(Date.UTC(2026, 2, 29, 7, 30))
    expect(times.last(before)).toBe(before)
    expect(times.last(before - 1)).toBe(before - 86_400_000)
  })
})
