/** The benchmark over TCP, tiny: every row has its figures, alone and beside RocketMQ. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runBenchmark } from '../bench/src/harness.js'
import { RATIO, remotingBenchmark } from '../bench/src/remoting.js'
import { whyNoRocketmq } from '../bench/src/remoting-rocketmq.js'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sagalog-remoting-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const isFull = process.env['SAGALOG_FULL'] === '1' || process.env['SAGALOG_INTEROP'] === '1'

const runRemoting = (why: string | undefined, roundMs: number) => {
  const whole = remotingBenchmark(() => why)
  // One more process to start is for the full run.
  const cases = isFull ? whole.cases : whole.cases.filter(({ label }) => !label.startsWith('start'))
  const benchmark = { ...whole, cases }
  const options = { directory: join(directory, 'remoting'), rounds: 1, roundMs }
  return runBenchmark(benchmark, { ...options, onProgress: () => undefined }).then((measured) => ({
    measured,
    report: benchmark.report?.(measured) ?? '',
    labels: benchmark.cases.map(({ label }) => label),
  }))
}

test('remoting measures every row of ours over TCP and says why it is alone', async () => {
  const { labels, measured, report } = await runRemoting('nobody asked for it', 10)
  expect(measured.map((row) => row.case)).toEqual(labels)
  for (const { earlyReplies, ops, peer } of measured) {
    expect(peer).toBe('sagalog')
    expect(ops.median).toBeGreaterThan(0)
    expect(earlyReplies).toBe(0)
  }
  expect(report).toContain('RocketMQ is left out: nobody asked for it')
  expect(report).not.toContain('times RocketMQ')
})

const whyAlone = isFull ? whyNoRocketmq() : 'part of the full run'

test.skipIf(whyAlone !== undefined)(
  `remoting has RocketMQ beside each row${whyAlone === undefined ? '' : ` (skipped: ${whyAlone})`}`,
  { timeout: 120_000 },
  async () => {
    const { labels, measured, report } = await runRemoting(undefined, 100)
    for (const label of labels) {
      const [ours, theirs] = measured.filter((row) => row.case === label)
      expect([ours?.peer, theirs?.peer], label).toEqual(['sagalog', 'RocketMQ 5.3.3'])
      const isStart = label.startsWith('start')
      expect(isStart ? theirs?.figures['readyMs'] : theirs?.ops.median, label).toBeGreaterThan(0)
      if (isStart) continue
      expect(ours?.figures[RATIO], label).toBeGreaterThan(0)
      expect(theirs?.figures['brokerUs'], label).toBeGreaterThan(0)
    }
    expect(report.match(/times RocketMQ/g)).toHaveLength(labels.length - 1)
  },
)
