/**
 * One run from its arguments to its verdict: prepares the directory, does the work here or in a
 * process that is killed, audits the closed directory, and writes the report.
 */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DiskError } from '@sagalog/kernel'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { seededRandom } from '@sagalog/kernel/testing'
import { nodeDisk } from '@sagalog/log-core/node'
import { audit } from './audit/audit.js'
import type { Evidence, Kills } from './audit/evidence.js'
import { expectedBooks } from './audit/expected-books.js'
import type { Verdict } from './audit/verdict.js'
import { DemoError } from './errors.js'
import { readEvidence } from './evidence-reader.js'
import { type Figures, figuresOf, NO_WORK, type WorkFigures } from './figures.js'
import { planKills } from './kill-plan.js'
import { runWithKills } from './kills.js'
import type { Options } from './options.js'
import { loadOrders, type OrderFile, samplePath } from './order-file-node.js'
import { appendPrinted, readPrinted } from './printed-node.js'
import { type Progress, showProgress } from './progress-node.js'
import { writeReport } from './report-node.js'
import {
  checkResumable,
  checkSame,
  readRun,
  removeRun,
  type RunRecord,
  writeRun,
} from './run-directory-node.js'
import { seriesOf } from './run-series.js'
import { endedIn } from './worker-task.js'
import { runWorkload } from './workload.js'

export interface DemoResult {
  readonly verdict: Verdict
  readonly figures: Figures
  readonly title: string
  readonly directory: string
  readonly reportPath: string
}

interface Prepared {
  readonly directory: string
  readonly record: RunRecord
  readonly file: OrderFile
}

interface Worked {
  readonly printed: readonly string[]
  readonly killsAtMs: readonly number[]
  readonly work: WorkFigures
  readonly kills?: Kills
}

const DEFAULT_DIRECTORY = '.sagalog-demo'

const printedPath = (directory: string): string => join(directory, 'printed.txt')

/** Finds or begins the run of a directory that this process has locked. */
function prepare(directory: string, options: Options, say: (line: string) => void): Prepared {
  let found = readRun(directory)
  if (found?.isFinished === true && options.dir === undefined) {
    removeRun(directory)
    found = undefined
  }
  const path = resolve(options.file ?? found?.filePath ?? samplePath)
  if (found === undefined) {
    const file = loadOrders(path, options.orders)
    const record: RunRecord = {
      version: 1,
      filePath: path,
      fileHash: file.hash,
      orders: file.orders.length,
      durability: options.durability ?? 'sync',
      isFinished: false,
      work: undefined,
    }
    writeRun(directory, record)
    return { directory, record, file }
  }
  if (!found.isFinished) checkResumable(directory, found.durability)
  const file = loadOrders(path, found.orders)
  checkSame(directory, found, options, file.hash)
  if (!found.isFinished && options.durability === 'memory') checkResumable(directory, 'memory')
  say(found.isFinished ? 'This run is finished; auditing it again.' : 'Resuming a half-done run.')
  return { directory, record: found, file }
}

async function workHere(prepared: Prepared, progress: Progress): Promise<Worked> {
  const { directory, record, file } = prepared
  const path = printedPath(directory)
  const before = readPrinted(path)
  const printed: string[] = []
  let ended = 0
  const work = await runWorkload({
    disk: nodeDisk(),
    clock: nodeClock(),
    random: nodeRandom(),
    directory,
    durability: record.durability,
    orders: file.orders,
    knownEnded: endedIn(before),
    onResumed(count) {
      ended = count
      progress.ended(ended)
    },
    onPlaced: (order) => void printed.push(`placed ${order}`),
    onEnded(order, outcome) {
      printed.push(`ended ${order} ${outcome}`)
      ended += 1
      progress.ended(ended)
    },
  })
  appendPrinted(path, printed)
  return { printed: [...before, ...printed], work, killsAtMs: [] }
}

function workInWorker(prepared: Prepared, options: Options, progress: Progress): Promise<Worked> {
  const { directory, record } = prepared
  const { durability, filePath, orders } = record
  if (durability === 'memory') checkResumable(directory, durability)
  return runWithKills({
    disk: nodeDisk(),
    clock: nodeClock(),
    task: {
      directory,
      filePath,
      orders,
      durability: durability === 'os' ? 'os' : 'sync',
      printedPath: printedPath(directory),
    },
    plan: planKills(seededRandom(options.seed), options.kills, orders),
    onEnded: (count) => progress.ended(count),
    onKill: (count) => progress.killed(count),
  })
}

async function doWork(prepared: Prepared, options: Options): Promise<Worked> {
  const { directory, record } = prepared
  if (record.isFinished) {
    const printed = readPrinted(printedPath(directory))
    return { printed, work: record.work ?? NO_WORK, killsAtMs: [] }
  }
  const progress = showProgress(record.orders, options.json)
  try {
    if (options.kills > 0) return await workInWorker(prepared, options, progress)
    return await workHere(prepared, progress)
  } finally {
    progress.stop()
  }
}

function titleOf({ record }: Prepared, options: Options): string {
  const { orders, durability } = record
  const kills = options.kills > 0 ? `, ${options.kills} kills (seed ${options.seed})` : ''
  return `${orders.toLocaleString('en-US')} orders, durability ${durability}${kills}`
}

async function judge(prepared: Prepared, options: Options, worked: Worked): Promise<DemoResult> {
  const { directory, record, file } = prepared
  const found = await readEvidence({
    disk: nodeDisk(),
    clock: nodeClock(),
    random: nodeRandom(),
    directory,
    orders: file.orders,
  })
  const { printed, kills, killsAtMs } = worked
  const { earlyReplies } = worked.work
  const evidence: Evidence = {
    ...found,
    printed,
    earlyReplies,
    ...(kills === undefined ? {} : { kills }),
  }
  const verdict = audit(expectedBooks(file.text, record.orders), evidence)
  const figures = figuresOf(worked.work, found.sagas)
  const title = titleOf(prepared, options)
  const reportPath = join(directory, 'report.html')
  writeReport(reportPath, { title, verdict, figures, series: seriesOf(found.sagas, killsAtMs) })
  const result = { verdict, figures, title, directory, reportPath }
  writeFileSync(join(directory, 'verdict.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  return result
}

/** Runs the demo. Rejects with DemoError for what the person can put right. */
export async function runDemo(options: Options, say: (line: string) => void): Promise<DemoResult> {
  const directory = resolve(options.dir ?? DEFAULT_DIRECTORY)
  const disk = nodeDisk()
  // Looked at before anything is made there: a stranger's directory is left as it is.
  readRun(directory)
  await disk.makeDirectory(directory)
  const lock = await disk.lock(directory).catch((cause: unknown) => {
    if (!DiskError.is(cause) || cause.code !== 'IN_USE') throw cause
    throw new DemoError('DIRECTORY_IN_USE', { path: directory }, { cause })
  })
  try {
    const prepared = prepare(directory, options, say)
    const worked = await doWork(prepared, options)
    const { record } = prepared
    if (!record.isFinished) writeRun(directory, { ...record, isFinished: true, work: worked.work })
    say('Auditing the closed directory, cold and without checkpoints.')
    return await judge(prepared, options, worked)
  } finally {
    await lock.release()
  }
}
