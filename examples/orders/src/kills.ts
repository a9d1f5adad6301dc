/**
 * The parent of a run with kills. Starts the worker, kills it with SIGKILL as planned, starts it
 * again on the same directory, and keeps what it printed: whole lines only, because an unterminated
 * last line was perhaps never acknowledged.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Clock, Disk } from '@sagalog/kernel'
import type { Kills } from './audit/evidence.js'
import { DemoError } from './errors.js'
import { removeCheckpoints } from './evidence-reader.js'
import { addWork, NO_WORK, type WorkFigures } from './figures.js'
import type { PlannedKill } from './kill-plan.js'
import { appendPrinted, readPrinted } from './printed-node.js'
import { endedIn, lineCutter, readLine, type WorkerTask } from './worker-task.js'

export interface KillRunOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly task: Omit<WorkerTask, 'holdFrom'>
  readonly plan: readonly PlannedKill[]
  readonly onEnded: (ended: number) => void
  readonly onKill: (count: number) => void
}

export interface KillRun {
  readonly printed: readonly string[]
  readonly kills: Kills
  /** Times of the wall clock. */
  readonly killsAtMs: readonly number[]
  readonly work: WorkFigures
}

/** What all lives of the worker have in common. */
interface Story {
  readonly printed: string[]
  readonly ended: Set<number>
  readonly killsAtMs: number[]
  withWorkPending: number
  strandedHalves: number
  work: WorkFigures
}

/** When no half can be held any more, the kill comes anyway, while work is still pending. */
const HOLD_GIVEN_UP_SHARE = 0.93
const STDERR_CHARS_MAX = 4_000

const workerPath = fileURLToPath(new URL('./worker-node.js', import.meta.url))

interface Ended {
  readonly wasKilled: boolean
  readonly wasHolding: boolean
}

/** One life of the worker, to its kill or to its own end. */
class Life {
  readonly #options: KillRunOptions
  readonly #story: Story
  readonly #kill: PlannedKill | undefined
  readonly #child: ChildProcess
  #work = NO_WORK
  #stderr = ''
  #isKilled = false
  #isHolding = false
  #isPlanned = false

  constructor(options: KillRunOptions, story: Story, kill: PlannedKill | undefined) {
    this.#options = options
    this.#story = story
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
    const cut = lineCutter((line) => this.#receive(line))
    child.stdout?.setEncoding('utf8').on('data', cut)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARS_MAX)
    })
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      // 'close' comes after the last byte of its output, 'exit' may come before.
      child.on('close', (code, signal) => {
        this.#story.work = addWork(this.#story.work, this.#work)
        const wasKilled = this.#isKilled && signal === 'SIGKILL'
        if (wasKilled || code === 0) resolve({ wasKilled, wasHolding: this.#isHolding })
        else {
          const reason = `${signal ?? `exit code ${code}`}\n${this.#stderr.trim()}`
          reject(new DemoError('WORKER_FAILED', { reason }))
        }
      })
    })
  }

  #receive(text: string): void {
    const { ended, printed } = this.#story
    const line = readLine(text)
    if (line.kind === 'work') this.#work = JSON.parse(line.json) as WorkFigures
    else if (line.kind === 'holding') {
      this.#isHolding = true
      this.#killLater()
    } else if (line.kind === 'other') this.#stderr += text
    else {
      printed.push(line.text)
      appendPrinted(this.#options.task.printedPath, [line.text])
      if (line.kind === 'ended') ended.add(line.order)
      this.#options.onEnded(ended.size)
      if (this.#isDue()) this.#killLater()
    }
  }

  #isDue(): boolean {
    const kill = this.#kill
    if (kill === undefined) return false
    const { size } = this.#story.ended
    if (!kill.isBeforeBook) return size >= kill.atEnded
    return size >= this.#options.task.orders * HOLD_GIVEN_UP_SHARE
  }

  #killLater(): void {
    if (this.#kill === undefined || this.#isPlanned) return
    this.#isPlanned = true
    this.#options.clock.after(this.#kill.delayMs, () => {
      this.#isKilled = this.#child.kill('SIGKILL')
    })
  }
}

/** Does the work in a process that is killed on the way. Rejects with WORKER_FAILED. */
export async function runWithKills(options: KillRunOptions): Promise<KillRun> {
  const { clock, disk, plan, task } = options
  const printed = readPrinted(task.printedPath)
  const endedBefore = endedIn(printed)
  const startedAtMs = clock.monotonicMs()
  const story: Story = {
    printed,
    ended: endedIn(printed),
    killsAtMs: [],
    withWorkPending: 0,
    strandedHalves: 0,
    work: NO_WORK,
  }
  for (const kill of [...plan, undefined]) {
    const ended = await new Life(options, story, kill).end()
    if (!ended.wasKilled) break
    story.killsAtMs.push(clock.wallMs())
    if (story.ended.size < task.orders) story.withWorkPending += 1
    if (ended.wasHolding) story.strandedHalves += 1
    options.onKill(story.killsAtMs.length)
    if (kill?.dropsCheckpoints === true) await removeCheckpoints(disk, task.directory)
  }
  const { killsAtMs, withWorkPending, strandedHalves } = story
  const kills = { planned: plan.length, withWorkPending, strandedHalves }
  // The time of the starts belongs to a run with kills, and so do the orders of every life.
  const seconds = (clock.monotonicMs() - startedAtMs) / 1_000
  const work = { ...story.work, seconds, orders: story.ended.size - endedBefore.size }
  return { printed: story.printed, kills, killsAtMs, work }
}
