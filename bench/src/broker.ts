/** The figures of the broker in the process of its users: sends, consuming, and what much costs. */
import { consumeCases } from './broker-consume.js'
import { manyCases } from './broker-many.js'
import { sendCases } from './broker-send.js'
import { logCoreReport } from './log-core-report.js'
import type { Benchmark } from './measurement.js'

export const brokerBench: Benchmark = {
  name: 'broker',
  summary: 'Embedded: sends, batches, a backlog, latency, transactions, timers, topics.',
  cases: [...sendCases, ...consumeCases, ...manyCases],
  report: logCoreReport,
}
