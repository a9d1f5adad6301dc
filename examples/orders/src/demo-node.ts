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
import type { Evidence } from './audit/evidence.js'
import { expectedBooks } from './audit/expected-books.js'
import type { Verdict } from './audit/verdict.js'
import { DemoError } from './errors.js'
import { readEvidence } from './evidence-reader.js'
import { type Figures, figuresOf, NO_WORK, type WorkFigures } from './figures.js'
import { type KillStory, killsOf, killsText, newStory } from './kill-story.js'
import { runWithKills } from './kills.js'
import { type Options, SEED_DEFAULT } from './options.js'
import { type OrderFile, ordersOf, readOrderFile, samplePath } from './order-file-node.js'
import { appendPrinted, cutPrinted, readPrinted } from './printed-node.js'
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
  /** Asked for when the run was begun. */
  readonly kills: number
  readonly seed: number
}

interface Prepared {
  readonly directory: string
  /** The newest record of the run, as it stands in the directory. */
  record: RunRecord
  readonly file: OrderFile
}

interface Worked {
  readonly printed: readonly string[]
  readonly work: WorkFigures
}

const DEFAULT_DIRECTORY = '.sagalog-demo'

const printedPath = (directory: string): string => join(directory, 'printed.txt')

function begin(directory: string, path: string, options: Options): Prepared {
  const file = ordersOf(readOrderFile(path), options.orders)
  const kills = options.kills ?? 0
  const record: RunRecord = {
    version: 1,
    filePath: path,
    fileHash: file.hash,
    orders: file.orders.length,
    durability: options.durability ?? 'sync',
    isFinished: false,
    isRemoved: undefined,
    kills: kills > 0 ? newStory(kills, options.seed ?? SEED_DEFAULT) : undefined,
    work: undefined,
  }
  writeRun(directory, record)
  return { directory, record, file }
}

/** Finds or begins the run of a directory that this process has locked. */
function prepare(directory: string, options: Options, say: (line: string) => void): Prepared {
  let found = readRun(directory)
  const isOver = found?.isFinished === true && options.dir === undefined
  if (found !== undefined && (isOver || found.isRemoved === true)) {
    removeRun(directory, found)
    found = undefined
  }
  const path = resolve(options.file ?? found?.filePath ?? samplePath)
  if (found === undefined) return begin(directory, path, options)
  if (!found.isFinished) checkResumable(directory, found.durability)
  const bytes = readOrderFile(path)
  // Compared before it is understood: a stranger's file has no malformed lines, it is another one.
  checkSame(directory, found, options, bytes.hash)
  const file = ordersOf(bytes, found.orders)
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
  return { printed: [...before, ...printed], work }
}

async function workInWorker(
  prepared: Prepared,
  story: KillStory,
  progress: Progress,
): Promise<Worked> {
  const { directory, record } = prepared
  const { durability, filePath, orders } = record
  if (durability === 'memory') checkResumable(directory, durability)
  const keep = (kills: KillStory): void => {
    prepared.record = { ...prepared.record, kills }
    writeRun(directory, prepared.record)
  }
  const run = await runWithKills({
    disk: nodeDisk(),
    clock: nodeClock(),
    random: seededRandom(story.seed),
    task: {
      directory,
      filePath,
      orders,
      durability: durability === 'os' ? 'os' : 'sync',
      printedPath: printedPath(directory),
    },
    story,
    onEnded: (count) => progress.ended(count),
    onKill(kills) {
      keep(kills)
      progress.killed(kills.madeAtMs.length)
    },
  })
  keep(run.story)
  return run
}

async function doWork(prepared: Prepared, options: Options): Promise<Worked> {
  const { directory, record } = prepared
  if (record.isFinished) {
    return { printed: readPrinted(printedPath(directory)), work: record.work ?? NO_WORK }
  }
  cutPrinted(printedPath(directory))
  const progress = showProgress({ total: record.orders, isQuiet: options.json })
  try {
    if (record.kills !== undefined) return await workInWorker(prepared, record.kills, progress)
    return await workHere(prepared, progress)
  } finally {
    progress.stop()
  }
}

function titleOf({ orders, durability, kills }: RunRecord): string {
  const killed = kills === undefined ? '' : `, ${killsText(kills)}`
  return `${orders.toLocaleString('en-US')} orders, durability ${durability}${killed}`
}

async function judge(prepared: Prepared, worked: Worked): Promise<DemoResult> {
  const { directory, record, file } = prepared
  const found = await readEvidence({
    disk: nodeDisk(),
    clock: nodeClock(),
    random: nodeRandom(),
    directory,
    orders: file.orders,
  })
  const { printed, work } = worked
  const { kills } = record
  const evidence: Evidence = {
    ...found,
    printed,
    earlyReplies: work.earlyReplies,
    ...(kills === undefined ? {} : { kills: killsOf(kills) }),
  }
  const verdict = audit(expectedBooks(file.text, record.orders), evidence)
  const figures = figuresOf(work, found.sagas)
  const title = titleOf(record)
  const reportPath = join(directory, 'report.html')
  const series = seriesOf(found.sagas, kills?.madeAtMs ?? [])
  writeReport(reportPath, { title, verdict, figures, series })
  const asked = { kills: kills?.kills ?? 0, seed: kills?.seed ?? SEED_DEFAULT }
  const result = { verdict, figures, title, directory, reportPath, ...asked }
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
    if (!prepared.record.isFinished) {
      prepared.record = { ...prepared.record, isFinished: true, work: worked.work }
      writeRun(directory, prepared.record)
    }
    say('Auditing the closed directory, cold and without checkpoints.')
    return await judge(prepared, worked)
  } finally {
    await lock.release()
  }
}
