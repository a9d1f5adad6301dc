/** Every benchmark runs, tiny: its lines have their fields, and no reply leaves too early. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { brokerBench } from '../bench/src/broker.js'
import { eventStore } from '../bench/src/event-store.js'
import { runBenchmark } from '../bench/src/harness.js'
import { logCore } from '../bench/src/log-core.js'
import { logCoreReport } from '../bench/src/log-core-report.js'
import { sagaBench, sagaReport } from '../bench/src/saga.js'
import { syncMethods } from '../bench/src/sync-methods.js'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sagalog-bench-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('broker measures every case, each aim has its figure, and no reply leaves too early', async () => {
  const measurements = await runBenchmark(brokerBench, {
    directory: join(directory, 'broker'),
    rounds: 1,
    roundMs: 40,
    onProgress: () => undefined,
  })
  for (const one of brokerBench.cases) {
    const [ours] = measurements.filter((measurement) => measurement.case === one.label)
    expect(ours?.peer, one.label).toBe('sagalog')
    for (const { value, figure } of ours?.aims ?? [])
      expect(Number.isFinite(value), `${one.label}: ${figure}`).toBe(true)
  }
  expect(measurements.filter(({ peer }) => peer === 'bare O_DSYNC loop')).toHaveLength(5)
  expect(measurements.filter(({ peer }) => peer === 'log-core alone')).toHaveLength(6)
  for (const { case: label, earlyReplies, fileSystem, ops } of measurements) {
    expect(ops.min, label).toBeGreaterThan(0)
    expect(ops.max).toBeGreaterThanOrEqual(ops.median)
    expect(earlyReplies, label).toBe(0)
    expect(fileSystem).not.toBe('')
  }
  const report = brokerBench.report?.(measurements) ?? ''
  for (const { label } of brokerBench.cases) expect(report).toContain(label)
})

test('log-core measures every case, each aim has its figure, and no reply leaves too early', async () => {
  const measurements = await runBenchmark(logCore, {
    directory: join(directory, 'log-core'),
    rounds: 1,
    roundMs: 40,
    onProgress: () => undefined,
  })
  for (const one of logCore.cases) {
    const [ours] = measurements.filter((measurement) => measurement.case === one.label)
    expect(ours?.peer, one.label).toBe('sagalog')
    expect(ours?.ops.median, one.label).toBeGreaterThan(0)
    expect(ours?.aims, one.label).toHaveLength(one.aims?.length ?? 0)
    for (const { value, figure } of ours?.aims ?? []) {
      expect(Number.isFinite(value), `${one.label}: ${figure}`).toBe(true)
    }
  }
  const appends = measurements.filter(({ figures }) => 'bytesPerRecord' in figures)
  expect(appends.filter(({ peer }) => peer === 'bare loop')).toHaveLength(3)
  expect(appends.filter(({ peer }) => peer === 'bare loop, sync calls')).toHaveLength(1)
  for (const { earlyReplies } of measurements) expect(earlyReplies).toBe(0)
  const report = logCoreReport(measurements)
  for (const { label } of logCore.cases) expect(report).toContain(label)
  expect(report.match(/reached/g)).toHaveLength(
    logCore.cases.reduce((sum, { aims }) => sum + (aims?.length ?? 0), 0),
  )
})

test('event-store measures every case beside its peers, and names those that are absent', async () => {
  const measurements = await runBenchmark(eventStore, {
    directory: join(directory, 'event-store'),
    rounds: 1,
    roundMs: 20,
    onProgress: () => undefined,
  })
  const own = measurements.filter(({ peer }) => peer === 'sagalog')
  expect(own).toHaveLength(eventStore.cases.length)
  expect(measurements.filter(({ peer }) => peer === 'emmett in memory')).toHaveLength(1)
  for (const { case: label, earlyReplies, ops } of measurements) {
    expect(ops.median, label).toBeGreaterThan(0)
    expect(earlyReplies, label).toBe(0)
  }
  const report = eventStore.report?.(measurements) ?? ''
  for (const { label } of eventStore.cases) expect(report).toContain(label)
  expect(report).toContain('emmett SQLite is left out')
})

test('sync-methods measures each way at each size', async () => {
  const measurements = await runBenchmark(syncMethods, {
    directory: join(directory, 'sync-methods'),
    rounds: 1,
    roundMs: 20,
    onProgress: () => undefined,
  })
  expect(measurements).toHaveLength(3 * 6)
  for (const { ops, peer } of measurements) expect(ops.median, peer).toBeGreaterThan(0)
})

test('saga measures every case, each aim has its figure, and names the peers left out', async () => {
  const measurements = await runBenchmark(sagaBench, {
    directory: join(directory, 'saga'),
    rounds: 1,
    roundMs: 40,
    onProgress: () => undefined,
  })
  for (const one of sagaBench.cases) {
    const [ours] = measurements.filter((measurement) => measurement.case === one.label)
    expect(ours?.peer, one.label).toBe('sagalog')
    expect(ours?.ops.max, one.label).toBeGreaterThan(0)
    for (const { value, figure } of ours?.aims ?? []) {
      expect(Number.isFinite(value), `${one.label}: ${figure}`).toBe(true)
    }
  }
  for (const { earlyReplies } of measurements) expect(earlyReplies).toBe(0)
  const report = sagaReport(measurements)
  for (const { label } of sagaBench.cases) expect(report).toContain(label)
  for (const peer of ['BullMQ flow', 'DBOS', 'Restate']) expect(report).toContain(peer)
}, 60_000)
