/** The figures of the log: appends, reads, openings, and what must not grow. */
import { appendCases } from './log-core-append.js'
import { foldCases } from './log-core-folds.js'
import { lengthCases } from './log-core-open.js'
import { readCases } from './log-core-read.js'
import { logCoreReport } from './log-core-report.js'
import type { Benchmark } from './measurement.js'

export const logCore: Benchmark = {
  name: 'log-core',
  summary: 'The log alone: appends, reads, openings, memory, many segments, saving folds.',
  cases: [...appendCases, ...readCases, ...lengthCases, ...foldCases],
  report: logCoreReport,
}
