/**
 * The parent of a run with kills. Starts the worker, kills it with SIGKILL as planned, starts it
 * again on the same directory, and keeps what it printed: whole lines only, because an unterminated
 * last line was perhaps never acknowledged.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { assert, type Clock, type Disk, type Random } from '@sagalog/kernel'
import { DemoError } from './errors.js'
import { removeCheckpoints } from './evidence-reader.js'
import { addWork, NO_WORK, type WorkFigures } from './figures.js'
import { type PlannedKill, planKills } from './kill-plan.js'
import { afterLife, type KillStory } from './kill-story.js'
import { appendPrinted, readPrinted } from './printed-node.js'
import { lineCutter, ordersIn, readLine, type WorkerTask } from './worker-task.js'
import { checkpointBytes, customersOpen } from './workload.js'

export interface KillRunOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly task: Omit<WorkerTask, 'holdFrom'>
  /** How far the kills of this run are. */
  readonly story: KillStory
  readonly onEnded: (ended: number) => void
  /** Called after each kill; what it is given must be kept before the worker starts again. */
  readonly onKill: (story: KillStory) => void
}

export interface KillRun {
  readonly printed: readonly string[]
  readonly story: KillStory
  readonly work: WorkFigures
}

/** What all lives of the worker have in common. */
interface Seen {
  readonly printed: string[]
  readonly placed: Set<number>
  readonly ended: Set<number>
  work: WorkFigures
}

const STDERR_CHARS_MAX = 4_000

const workerPath = fileURLToPath(new URL('./worker-node.js', import.meta.url))

interface Ended {
  readonly wasKilled: boolean
  readonly wasHolding: boolean
  readonly couldHold: boolean
}

/** One life of the worker, to its kill or to its own end. */
class Life {
  readonly #options: KillRunOptions
  readonly #seen: Seen
  readonly #kill: PlannedKill | undefined
  readonly #child: ChildProcess
  #work = NO_WORK
  #stderr = ''
  #isKilled = false
  #isHolding = false
  #isPlanned = false
  /** Known once the progress of the kill is reached. */
  #couldHold: boolean | undefined

  constructor(options: KillRunOptions, seen: Seen, kill: PlannedKill | undefined) {
    this.#options = options
    this.#seen = seen
    this.#kill = kill
    const task: WorkerTask = {
      ...options.task,
      holdFrom: kill?.isBeforeBook === true ? kill.atEnded : undefined,
    }
    this.#child = spawn(process.execPath, [workerPath, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  end(): Promise<Ended> {
    const child = this.#child
    let failure: { readonly cause: unknown } | undefined
    const cut = lineCutter((line) => {
      if (failure !== undefined) return
      try {
        this.#receive(line)
      } catch (cause) {
        // What can not be kept can not be audited, so the work must not go on.
        failure = { cause }
        child.kill('SIGKILL')
      }
    })
    child.stdout?.setEncoding('utf8').on('data', cut)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX)
    })
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      // 'close' comes after the last byte of its output, 'exit' may come before.
      child.on('close', (code, signal) => {
        this.#seen.work = addWork(this.#seen.work, this.#work)
        const wasKilled = this.#isKilled && signal === 'SIGKILL'
        const couldHold = this.#couldHold === true
        if (failure !== undefined) reject(failure.cause)
        else if (wasKilled || code === 0) {
          resolve({ wasKilled, wasHolding: this.#isHolding, couldHold })
        } else {
          const reason = this.#stderr.trim() || (signal ?? `exit code ${code}`)
          reject(new DemoError('WORKER_FAILED', { reason }))
        }
      })
    })
  }

  #receive(text: string): void {
    const { placed, ended, printed } = this.#seen
    const line = readLine(text)
    if (line.kind === 'work') this.#work = JSON.parse(line.json) as WorkFigures
    else if (line.kind === 'holding') {
      this.#isHolding = true
      this.#couldHold = true
      this.#killLater()
    } else if (line.kind === 'other') this.#stderr += text
    else {
      printed.push(line.text)
      appendPrinted(this.#options.task.printedPath, [line.text])
      if (line.kind === 'placed') placed.add(line.order)
      else ended.add(line.order)
      this.#options.onEnded(ended.size)
      if (this.#isDue()) this.#killLater()
    }
  }

  #isDue(): boolean {
    const kill = this.#kill
    if (kill === undefined) return false
    const { placed, ended } = this.#seen
    if (ended.size < kill.atEnded) return false
    if (!kill.isBeforeBook) return true
    const { orders } = this.#options.task
    // Each open customer may have one half that is past the point where it would be held.
    this.#couldHold ??= orders - placed.size > customersOpen(orders)
    return placed.size >= orders || ended.size >= kill.givenUpAtEnded
  }

  #killLater(): void {
    if (this.#kill === undefined || this.#isPlanned) return
    this.#isPlanned = true
    this.#options.clock.after(this.#kill.delayMs, () => {
      this.#isKilled = this.#child.kill('SIGKILL')
    })
  }
}

/** Lets the worker live until it is killed, and says how the kills stand then. */
async function liveOnce(
  options: KillRunOptions,
  seen: Seen,
  { kill, story }: { kill: PlannedKill; story: KillStory },
): Promise<{ readonly wasKilled: boolean; readonly story: KillStory }> {
  const { disk, clock, task } = options
  const { orders } = task
  const { wasKilled, ...held } = await new Life(options, seen, kill).end()
  const isDeletion = wasKilled && kill.dropsCheckpoints
  const life = {
    kill,
    ...held,
    killedAtMs: wasKilled ? clock.wallMs() : undefined,
    orders,
    ended: seen.ended.size,
    logBytes: seen.work.logBytes,
    checkpointBytes: checkpointBytes(orders),
    checkpointsDeleted: isDeletion ? await removeCheckpoints(disk, task.directory) : 0,
  }
  return { wasKilled, story: afterLife(story, life) }
}

/** Does the work in a process that is killed on the way. Rejects with WORKER_FAILED. */
export async function runWithKills(options: KillRunOptions): Promise<KillRun> {
  const { clock, random, task } = options
  const printed = readPrinted(task.printedPath)
  const { placed, ended } = ordersIn(printed)
  const seen: Seen = { printed, placed, ended, work: NO_WORK }
  const endedBefore = ended.size
  const startedAtMs = clock.monotonicMs()
  let { story } = options
  const made = story.madeAtMs.length
  const plan = planKills(random.fork(`after ${made} kills`), {
    kills: story.kills,
    made,
    orders: task.orders,
    ended: endedBefore,
  })
  let isOver = false
  for (const kill of plan) {
    const after = await liveOnce(options, seen, { kill, story })
    story = after.story
    isOver = !after.wasKilled
    if (isOver) break
    options.onKill(story)
  }
  if (!isOver) {
    const { wasKilled } = await new Life(options, seen, undefined).end()
    assert(!wasKilled, 'the last life of the worker has no kill')
  }
  // The time of the starts belongs to a run with kills, and so do the orders of every life.
  const seconds = (clock.monotonicMs() - startedAtMs) / 1_000
  const work = { ...seen.work, seconds, orders: ended.size - endedBefore }
  return { printed, story, work }
}
