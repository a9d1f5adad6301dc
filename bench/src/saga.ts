/**
 * Sagas of three local steps, each started and waited for to its end: how many a second with 64 at
 * a time, beside BullMQ, DBOS and Restate, how long one takes at an even pace, whether a long one
 * is linear in its steps, how many crash schedules are simulated, and what the types cost.
 */
import { simulate } from 'sagalog/testing'
import { OPS_PER_SECOND } from './harness.js'
import type { Benchmark, Case, CaseName, Measurement } from './measurement.js'
import { endsOf, long, three, withRuntime } from './saga-load.js'
import { leftOut, peerRounds } from './saga-peers.js'
import { typesCase } from './saga-types.js'

const items = (length: number) => ({ items: Array.from({ length }, (_, index) => index) })

function manyCase(name: CaseName): Case {
  const isBeside = name.durability === 'sync'
  return {
    label: `three local steps, ${name.durability}, ${name.concurrency} at a time`,
    aims:
      isBeside && name.concurrency === 64
        ? [{ kind: 'aim', figure: OPS_PER_SECOND, unit: 'sagas/s', least: 5_000 }]
        : [],
    run: async (directory, durationMs) => {
      const ours = await withRuntime(name, directory, async (app, runtime) => {
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
        const cpuBefore = process.cpuUsage()
        const startMs = performance.now()
        await loops(durationMs, true)
        const elapsedMs = performance.now() - startMs
        const { user, system } = process.cpuUsage(cpuBefore)
        const { log, earlyReplies } = app.status()
        const operations = latenciesMs.length
        const figures = {
          syncsPerSecond: ((log.syncs - before.syncs) * 1_000) / elapsedMs,
          bytesPerSaga: (log.bytes - before.bytes) / Math.max(1, operations),
          cpuMsPerSaga: (user + system) / 1_000 / Math.max(1, operations),
        }
        return { ...name, operations, elapsedMs, latenciesMs, earlyReplies, figures }
      })
      if (!isBeside) return [ours]
      return [ours, ...(await peerRounds(directory, { callers: name.concurrency, durationMs }))]
    },
  }
}

/** One every ten milliseconds, whether the one before has ended or not. */
const pacedCase: Case = {
  label: 'three local steps, sync, 100 a second',
  aims: [{ kind: 'aim', figure: 'p50Ms', unit: 'ms', most: 5 }],
  run: (directory, durationMs) =>
    withRuntime({ durability: 'sync' }, directory, async (app, runtime) => {
      const { run } = endsOf(runtime, three)
      for (let warm = 0; warm < 100; warm += 1) await run(`w${warm}`, 1)
      const startMs = performance.now()
      const all: Promise<number>[] = []
      for (let number = 0; number < durationMs / 10; number += 1) {
        const waitMs = startMs + number * 10 - performance.now()
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
        all.push(run(`s${number}`, 1))
      }
      const latenciesMs = await Promise.all(all)
      const elapsedMs = performance.now() - startMs
      const sorted = latenciesMs.toSorted((left, right) => left - right)
      const figures = { p50Ms: sorted[Math.floor(sorted.length / 2)] ?? 0 }
      const name = { peer: 'sagalog', body: 0, concurrency: 1, durability: 'sync' as const }
      const { earlyReplies } = app.status()
      return [{ ...name, operations: all.length, elapsedMs, latenciesMs, earlyReplies, figures }]
    }),
}

/** Ten times the steps should take ten times as long, not more. */
const longCase: Case = {
  label: 'a saga of 1,000 steps beside ten of 100',
  roundsMax: 1,
  aims: [{ kind: 'aim', figure: 'ratio', unit: 'times the time of a step', most: 1.5 }],
  run: (directory, durationMs) =>
    withRuntime({ durability: 'memory' }, directory, async (app, runtime) => {
      const { run } = endsOf(runtime, long)
      // A tiny run takes fewer steps: it shows that the benchmark works.
      const few = Math.max(5, Math.min(100, Math.round(durationMs / 10)))
      for (let warm = 0; warm < 5; warm += 1) await run(`warm-${warm}`, items(few))
      let shortMs = 0
      for (let turn = 0; turn < 10; turn += 1) shortMs += await run(`short-${turn}`, items(few))
      const longMs = await run('long', items(few * 10))
      const figures = {
        steps: few,
        msPerStep: shortMs / (few * 10),
        msPerStepOfLong: longMs / (few * 10),
        ratio: longMs / shortMs,
      }
      const name = { peer: 'sagalog', body: 0, concurrency: 1, durability: 'memory' as const }
      const { earlyReplies } = app.status()
      return [
        { ...name, operations: 1, elapsedMs: longMs, latenciesMs: [longMs], earlyReplies, figures },
      ]
    }),
}

/** One saga of three steps in a world of its own, with crashes: what a test of a user runs. */
const schedulesCase: Case = {
  label: 'crash schedules of a saga of three steps, simulated',
  aims: [{ kind: 'aim', figure: OPS_PER_SECOND, unit: 'schedules/s of one core', least: 100 }],
  async run(_, durationMs) {
    const nowMs = () => performance.now()
    const startMs = nowMs()
    const faults = ['crash'] as const
    const { seeds } = await simulate(three, {
      input: (number) => number,
      faults,
      sagas: 1,
      seeds: 1_000_000,
      box: { ms: durationMs, nowMs },
    }).always(() => true)
    const elapsedMs = nowMs() - startMs
    const name = { peer: 'sagalog', body: 0, concurrency: 1, durability: 'memory' as const }
    const latenciesMs = [elapsedMs / seeds]
    return [{ ...name, operations: seeds, elapsedMs, latenciesMs, earlyReplies: 0, figures: {} }]
  },
}

function lineOf(one: Measurement): string {
  const { case: label, peer, ops, p50Ms, p99Ms, load, earlyReplies, figures } = one
  const shown = Object.entries(figures).map(([key, value]) => `, ${key} ${value}`)
  const rate = `${ops.min} / ${ops.median} / ${ops.max} a second, p50 ${p50Ms} ms, p99 ${p99Ms} ms`
  return `${label}: ${peer}: ${rate}${shown.join('')}, early ${earlyReplies}, load ${load}`
}

/** Ours against the best of the peers, case by case. */
function ratiosOf(measurements: readonly Measurement[]): readonly string[] {
  return [...new Set(measurements.map((one) => one.case))].flatMap((label) => {
    const rows = measurements.filter((one) => one.case === label)
    const [ours, ...others] = rows
    const [best] = others.toSorted((left, right) => right.ops.median - left.ops.median)
    if (ours === undefined || best === undefined) return []
    return [`${label}: ${(ours.ops.median / best.ops.median).toFixed(1)} times ${best.peer}`]
  })
}

export function sagaReport(measurements: readonly Measurement[]): string {
  const aims = measurements.flatMap(({ aims: own, case: label }) =>
    own.map(({ figure, isMet, least, most, unit, value }) => {
      const bound = least === undefined ? `at most ${most}` : `at least ${least}`
      const verdict = isMet ? 'reached' : 'NOT reached'
      return `${verdict}: ${label}, ${figure}: ${value.toFixed(2)} ${unit} (aim: ${bound})`
    }),
  )
  const absent = [...leftOut].map(([peer, why]) => `${peer} is left out: ${why}`)
  return [...measurements.map(lineOf), ...aims, ...ratiosOf(measurements), ...absent, ''].join('\n')
}

export const sagaBench: Benchmark = {
  name: 'saga',
  summary: 'Sagas of three local steps beside BullMQ, DBOS, Restate; schedules, types, a long one.',
  cases: [
    ...(['sync', 'os'] as const).flatMap((durability) =>
      [1, 64].map((concurrency) => manyCase({ peer: 'sagalog', body: 0, concurrency, durability })),
    ),
    pacedCase,
    longCase,
    schedulesCase,
    typesCase,
  ],
  report: sagaReport,
}
