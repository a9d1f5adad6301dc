/**
 * Sagas of three local steps, each started and waited for to its end: how many a second with 64 at
 * a time, how long one takes alone, and whether a long one is linear in its steps. Peers that run
 * as servers (BullMQ on Redis, DBOS on PostgreSQL, Restate) are not started here; the report says
 * so.
 */
import { type Saga, saga, type SagaRuntime } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { Sagalog } from 'sagalog'
import type { Benchmark, Case, CaseName, Measurement } from './measurement.js'

const nothing = () => TE.right(undefined)
const step = { out: t.number, run: () => TE.right(1), undo: nothing }
const three = saga('bench', 1, t.number)
  .step('a', step)
  .step('b', step)
  .then('c', { out: t.number, run: () => TE.right(1) })
  .end()

/** A loop of so many items is a saga of as many steps. */
const long = saga('bench-long', 1, t.type({ items: t.array(t.number) }))
  .forEach('item', (c) => c.input.items, step)
  .end()
const items = (length: number) => ({ items: Array.from({ length }, (_, index) => index) })

interface Ends<Input> {
  /** Starts a saga; resolves at its end, with the milliseconds that it took. */
  run(id: string, input: Input): Promise<number>
}

function endsOf<Input, Context>(
  runtime: SagaRuntime,
  definition: Saga<Input, Context, unknown>,
): Ends<Input> {
  const waiting = new Map<string, () => void>()
  runtime.onEnded(({ sagaId }) => waiting.get(sagaId)?.())
  const sagas = runtime.of(definition)
  return {
    async run(id, input) {
      const startedMs = performance.now()
      const ended = new Promise<void>((resolve) => {
        waiting.set(id, resolve)
      })
      await sagas.start(id, input)
      await ended
      waiting.delete(id)
      return performance.now() - startedMs
    },
  }
}

async function withRuntime<A>(
  { durability }: Pick<CaseName, 'durability'>,
  directory: string,
  use: (app: Sagalog, runtime: SagaRuntime) => Promise<A>,
): Promise<A> {
  const app = await Sagalog.open({ dir: directory, durability })
  const runtime = app.sagas({ sagas: [three, long], instance: 'bench', queues: 16 })
  await runtime.start()
  try {
    return await use(app, runtime)
  } finally {
    await app.close()
  }
}

function manyCase(name: CaseName): Case {
  return {
    label: `three local steps, ${name.durability}, ${name.concurrency} at a time`,
    aims:
      name.concurrency === 64 && name.durability === 'sync'
        ? [{ kind: 'aim', figure: 'ops', unit: '/s', least: 5_000 }]
        : [],
    run: (directory, durationMs) =>
      withRuntime(name, directory, async (app, runtime) => {
        const { run } = endsOf(runtime, three)
        const latenciesMs: number[] = []
        let count = 0
        const loop = async (untilMs: number, keep: boolean): Promise<void> => {
          while (performance.now() < untilMs) {
            count += 1
            const tookMs = await run(`s${count}`, 1)
            if (keep) latenciesMs.push(tookMs)
          }
        }
        const loops = (ms: number, keep: boolean): Promise<unknown> => {
          const untilMs = performance.now() + ms
          return Promise.all(Array.from({ length: name.concurrency }, () => loop(untilMs, keep)))
        }
        await loops(durationMs / 2, false)
        const before = app.status().log
        const startMs = performance.now()
        await loops(durationMs, true)
        const elapsedMs = performance.now() - startMs
        const { log, earlyReplies } = app.status()
        const operations = latenciesMs.length
        const figures = {
          syncsPerSecond: ((log.syncs - before.syncs) * 1_000) / elapsedMs,
          bytesPerSaga: (log.bytes - before.bytes) / Math.max(1, operations),
        }
        return [{ ...name, operations, elapsedMs, latenciesMs, earlyReplies, figures }]
      }),
  }
}

/** Ten times the steps should take ten times as long, not more. */
const longCase: Case = {
  label: 'a saga of 100 steps beside one of 1,000',
  roundsMax: 1,
  run: (directory) =>
    withRuntime({ durability: 'memory' }, directory, async (app, runtime) => {
      const { run } = endsOf(runtime, long)
      await run('warm', items(100))
      const shortMs = (await run('short-1', items(100))) + (await run('short-2', items(100)))
      const longMs = await run('long', items(1_000))
      const figures = {
        msPerStepOf100: shortMs / 200,
        msPerStepOf1000: longMs / 1_000,
        ratio: longMs / 1_000 / (shortMs / 200),
      }
      const name = { peer: 'sagalog', body: 0, concurrency: 1, durability: 'memory' as const }
      const { earlyReplies } = app.status()
      return [
        { ...name, operations: 1, elapsedMs: longMs, latenciesMs: [longMs], earlyReplies, figures },
      ]
    }),
}

function report(measurements: readonly Measurement[]): string {
  const lines = measurements.map(
    ({ durability, concurrency, ops, p50Ms, p99Ms, load, figures }) => {
      const shown = Object.entries(figures).map(([key, value]) => `${key} ${value}`)
      const head = `${durability}, ${concurrency} at a time: ${ops.min} / ${ops.median} / ${ops.max} sagas/s`
      return `${head}, p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${shown.join(', ')}, load ${load}`
    },
  )
  const note =
    'skipped: BullMQ, DBOS and Restate need Redis, PostgreSQL or a server of their own, none of which this run starts'
  return `${[...lines, note].join('\n')}\n`
}

export const sagaBench: Benchmark = {
  name: 'saga',
  summary: 'Sagas of three local steps to their end: 1 and 64 at a time, and one of 1,000 steps.',
  cases: [
    ...(['sync', 'os'] as const).flatMap((durability) =>
      [1, 64].map((concurrency) => manyCase({ peer: 'sagalog', body: 0, concurrency, durability })),
    ),
    longCase,
  ],
  report,
}
