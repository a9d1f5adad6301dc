/**
 * The worker process of a run with kills: does the work and prints each acknowledgement by a
 * synchronous write, so that a line that was printed was durable before. It may die at any instant.
 */
import { writeSync } from 'node:fs'
import { type Clock, type Disk, DiskError, sleep } from '@sagalog/kernel'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import * as E from 'fp-ts/lib/Either.js'
import { errorText } from './error-text.js'
import type { WorkFigures } from './figures.js'
import { ordersOf, readOrderFile } from './order-file-node.js'
import { readPrinted } from './printed-node.js'
import { endedIn, WorkerTask } from './worker-task.js'
import { checkpointBytes, logDirectory, runWorkload } from './workload.js'

function print(line: string): void {
  const bytes = Buffer.from(`${line}\n`)
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(1, bytes, at)
    } catch (thrown) {
      // A full pipe of a parent that is busy; it reads on in a moment.
      if ((thrown as NodeJS.ErrnoException).code !== 'EAGAIN') throw thrown
    }
  }
}

function taskOf(text: string | undefined): WorkerTask {
  const task = WorkerTask.decode(JSON.parse(text ?? ''))
  if (E.isLeft(task)) throw new TypeError('the worker is started by the demo only')
  return task.right
}

const LOCK_TRIES = 100
const LOCK_RETRY_MS = 100

/**
 * Waits for a worker whose parent was killed: it ends by itself at its next line, which nobody
 * reads. Whoever keeps the log for longer is named by the broker when it is opened.
 */
async function waitForOrphan(disk: Disk, clock: Clock, directory: string): Promise<void> {
  await disk.makeDirectory(directory)
  for (let tries = 0; tries < LOCK_TRIES; tries += 1) {
    try {
      const lock = await disk.lock(directory)
      return await lock.release()
    } catch (thrown) {
      if (!DiskError.is(thrown) || thrown.code !== 'IN_USE') throw thrown
    }
    await sleep(clock, LOCK_RETRY_MS)
  }
}

async function run(task: WorkerTask): Promise<void> {
  const [disk, clock] = [nodeDisk(), nodeClock()]
  await waitForOrphan(disk, clock, logDirectory(task.directory))
  const { orders } = ordersOf(readOrderFile(task.filePath), task.orders)
  const knownEnded = endedIn(readPrinted(task.printedPath))
  let ended = knownEnded.size
  let isHolding = false
  const printWork = (work: WorkFigures): void => print(`work ${JSON.stringify(work)}`)
  const work = await runWorkload({
    disk,
    clock,
    random: nodeRandom(),
    directory: task.directory,
    durability: task.durability,
    orders,
    checkpointEveryBytes: checkpointBytes(orders.length),
    knownEnded,
    onPlaced: (order) => print(`placed ${order}`),
    onEnded(order, outcome) {
      ended += 1
      print(`ended ${order} ${outcome}`)
    },
    onFigures: printWork,
    beforeBookEntry(order) {
      if (isHolding || task.holdFrom === undefined || ended < task.holdFrom) {
        return Promise.resolve()
      }
      isHolding = true
      print(`holding ${order}`)
      // The parent kills this process now, between the durable half and its entry in the book.
      return new Promise(() => {})
    },
  })
  printWork(work)
}

run(taskOf(process.argv[2])).catch((thrown: unknown) => {
  writeSync(2, `${errorText(thrown)}\n`)
  process.exitCode = 1
  // Whatever still runs belongs to a run that has failed.
  process.exit()
})
