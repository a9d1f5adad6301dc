/**
 * Many sagas in one directory: ten that have ended for each that waits, how long it takes to start
 * there again, and what it holds in memory. A million and 100,000 with `--seconds 1000`.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Benchmark, Case } from './measurement.js'
import { endsOf, three, waiting, withRuntime } from './saga-load.js'
import { sagaReport } from './saga.js'

/** Callers at work at once while the directory is filled. */
const CALLERS = 256
const ENDED_PER_WAITING = 10
const ENDED_MAX = 1_000_000

async function forAll(count: number, one: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < count) await one((next += 1))
  }
  await Promise.all(Array.from({ length: CALLERS }, loop))
}

/** Megabytes in use once what is not has been collected. */
function usedMB(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / 1e6
}

const scaleCase: Case = {
  label: 'sagas that ended and sagas that wait, in one directory',
  roundsMax: 1,
  aims: [
    { kind: 'aim', figure: 'startMsOfMillion', unit: 'ms for a million and 100,000', most: 3_000 },
    { kind: 'aim', figure: 'MBOfMillion', unit: 'MB for a million and 100,000', most: 500 },
  ],
  async run(directory, durationMs) {
    const ended = Math.min(ENDED_MAX, Math.max(200, Math.round(durationMs)))
    const waits = Math.round(ended / ENDED_PER_WAITING)
    const startMs = performance.now()
    await withRuntime({ durability: 'os' }, directory, async (_, runtime) => {
      const { run } = endsOf(runtime, three)
      await forAll(ended, (number) => run(`ended-${number}`, 1))
      const handle = runtime.of(waiting)
      await forAll(waits, (number) => handle.start(`waiting-${number}`, number))
    })
    const elapsedMs = performance.now() - startMs
    const before = usedMB()
    const openedMs = performance.now()
    return withRuntime({ durability: 'os' }, directory, async (app) => {
      const startedInMs = performance.now() - openedMs
      const MB = usedMB() - before
      const part = ENDED_MAX / ended
      const figures = {
        ended,
        waits,
        startMs: startedInMs,
        MB,
        startMsOfMillion: startedInMs * part,
        MBOfMillion: MB * part,
      }
      const name = { peer: 'sagalog', body: 0, concurrency: CALLERS, durability: 'os' as const }
      const { earlyReplies } = app.status()
      const operations = ended + waits
      return [{ ...name, operations, elapsedMs, latenciesMs: [elapsedMs], earlyReplies, figures }]
    })
  },
}

export const sagaScale: Benchmark = {
  name: 'saga-scale',
  summary: 'Start time and memory with 1,000 ended and 100 waiting sagas for each of --seconds.',
  cases: [scaleCase],
  report: sagaReport,
}
