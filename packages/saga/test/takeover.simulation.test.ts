/**
 * An instance sleeps past its lease in the middle of a saga, and wakes after another one took it
 * over: what it commits is refused, whatever its own clock says, and each effect stays one.
 */
import { type Connection, createConsumer, ensureTopic, topic, type Tx } from '@sagalog/client'
import { createEventStore } from '@sagalog/event-store'
import { createSagaRuntime, saga, type SagaRuntime } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { placeOrder } from './orders.js'
import { type Sleep, type Sleeper, sleeper } from './sleeper.js'
import { World } from './world.js'

/** Who did a step, as the saga's own transaction told it. */
const Told = topic('told', t.type({ by: t.string, step: t.string }), { queues: 1 })

/** What an instance does inside of a step, before it is done with it. */
type During = (step: string) => Promise<void>

/** Longer than the lease of 2 seconds. */
const LONG_MS = 5_000

function transferOf(by: string, during: During, calls: string[]) {
  const act = (step: string) => ({
    out: t.string,
    run: (_: unknown, { tx, key }: { tx: Tx; key: string }): TE.TaskEither<never, string> =>
      TE.rightTask(async () => {
        calls.push(`${by} ${key}`)
        await during(step)
        tx.send(Told, { by, step })
        return by
      }),
  })
  return saga('transfer', 1, t.number)
    .step('take', { ...act('take'), undo: () => TE.right(undefined) })
    .signal('approve', { codec: t.boolean })
    .then('give', act('give'))
    .then('mail', act('mail'))
    .end()
}

class Stage {
  readonly calls: string[] = []
  readonly told: string[] = []
  readonly problems: string[] = []
  readonly first: Sleeper
  readonly second: Sleeper
  readonly world: World
  constructor(seed: number, sleep: Sleep) {
    this.world = new World({ wire: 'memory', seed, saga: placeOrder, behaviour: () => 'done' })
    this.first = sleeper(this.world.time, sleep)
    this.second = sleeper(this.world.time, 'stopped')
  }

  connect(who: Sleeper, name: string): Connection {
    return this.world.connect(who.clock, name, who.wrap)
  }

  async instance(who: Sleeper, name: string, during: During): Promise<SagaRuntime> {
    const runtime = createSagaRuntime(this.connect(who, name), {
      sagas: [transferOf(name, during, this.calls)],
      instance: name,
      queues: 1,
      retryMs: 20,
      onProblem: ({ what, cause }) => void this.problems.push(`${name}: ${what}: ${String(cause)}`),
    })
    await runtime.start()
    return runtime
  }

  async listen(): Promise<Connection> {
    const connection = this.world.connect(this.world.time.nodeClock(), 'listener')
    await ensureTopic(connection, Told)
    const consumer = createConsumer(connection, { group: 'listener', instance: 'l' })
    consumer.listen(Told, async ({ body }, tx) => {
      tx.onCommitted(() => void this.told.push(`${body.step} by ${body.by}`))
    })
    await consumer.start()
    return connection
  }

  async pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => this.world.time.plan(delayMs, resolve))
  }
}

const handleOf = (runtime: SagaRuntime) => runtime.of(transferOf('', async () => {}, []))

async function onStage(seed: number, sleep: Sleep, play: (stage: Stage) => Promise<void>) {
  const stage = new Stage(seed, sleep)
  await stage.world.until(stage.world.openBroker())
  await stage.world.until(play(stage))
  await stage.world.close()
}

const done = (by: { take: string; give: string; mail: string }) => ({
  outcome: 'completed',
  results: { ...by, approve: true },
})

describe.each(['stopped', 'suspended'] as const)('an instance that is %s past its lease', (how) => {
  for (const wakes of ['in the middle of', 'after'] as const)
    it(`wakes ${wakes} the step that another one took over: that one's commit is the one`, async () => {
      for (const seed of [1, 2, 3, 4, 5, 6])
        await onStage(seed, how, async (stage) => {
          const { first, second, world } = stage
          const connection = await stage.listen()
          const isFirst = { value: true }
          const one = await stage.instance(first, 'one', async (step) => {
            if (step !== 'take' || !isFirst.value) return
            isFirst.value = false
            world.time.plan(1, () => first.sleep())
            await first.pause(10)
          })
          await handleOf(one).start('s', 1)
          await handleOf(one).signal('s', 'approve', true)
          await stage.pause(100)
          const two = await stage.instance(second, 'two', async (step) => {
            if (step !== 'take' || wakes === 'after') return
            // The other one wakes and commits while this one is at the same step.
            world.time.plan(1, () => first.wake())
            await second.pause(200)
          })
          const ended = await handleOf(two).result('s', { timeoutMs: LONG_MS })
          if (wakes === 'after') first.wake()
          await stage.pause(LONG_MS)
          // Awake, the first one takes its share of work again: whoever does the rest.
          expect(ended, `seed ${seed}`).toMatchObject({
            outcome: 'completed',
            results: { take: 'two' },
          })
          expect(stage.told[0], `seed ${seed}`).toBe('take by two')
          expect(stage.told.map((told) => told.split(' ')[0])).toEqual(['take', 'give', 'mail'])
          const { events } = await createEventStore(connection).read(
            transferOf('', async () => {}, []).events,
            's',
          )
          expect(events.filter(({ type }) => type === 'StepDone')).toHaveLength(4)
          // Both were inside of the step, with the same key: an effect elsewhere is one, too.
          expect(new Set(stage.calls.filter((call) => call.endsWith('/take')))).toEqual(
            new Set(['one s/take', 'two s/take']),
          )
        })
    })

  it('goes on from what the other one did when the saga comes back to it', async () => {
    await onStage(1, how, async (stage) => {
      const { first, second, world } = stage
      await stage.listen()
      const one = await stage.instance(first, 'one', async () => {})
      await handleOf(one).start('s', 1)
      await stage.pause(100)
      first.sleep()
      await stage.pause(LONG_MS)
      const two = await stage.instance(second, 'two', async (step) => {
        if (step !== 'mail') return
        world.time.plan(1, () => second.sleep())
        await second.pause(10)
      })
      await handleOf(two).signal('s', 'approve', true)
      await stage.pause(LONG_MS)
      first.wake()
      const connection = world.connect(world.time.nodeClock(), 'outside')
      const outside = createSagaRuntime(connection, {
        sagas: [transferOf('', async () => {}, [])],
        instance: 'outside',
      })
      const ended = await handleOf(outside).result('s', { timeoutMs: 4 * LONG_MS })
      expect(ended).toEqual(done({ take: 'one', give: 'two', mail: 'one' }))
      second.wake()
      await stage.pause(LONG_MS)
      expect(stage.told).toEqual(['take by one', 'give by two', 'mail by one'])
    })
  })
})
