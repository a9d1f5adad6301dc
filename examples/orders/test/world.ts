/**
 * A run of the demo on a simulated disk and clock: the real broker, services, sagas and intake, and
 * processes that can be killed between two events of the simulation.
 */
import { readFileSync } from 'node:fs'
import { assert, type Disk } from '@sagalog/kernel'
import { type NodeClock, seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { simulatedDisk } from '@sagalog/log-core/testing'
import type { Evidence } from '../src/audit/evidence.js'
import { type DirectoryEvidence, readEvidence } from '../src/evidence-reader.js'
import type { WorkFigures } from '../src/figures.js'
import { type Order, parseOrders } from '../src/order-file.js'
import { samplePath } from '../src/order-file-node.js'
import { checkpointBytes, runWorkload, type WorkloadOptions } from '../src/workload.js'

const DIRECTORY = '/run'
const DAY_MS = 86_400_000
/** Small, so that the log rolls often. */
const SEGMENT_BYTES = 128 * 1024

export const sampleText = readFileSync(samplePath, 'latin1')

export function ordersOf(text: string, limit?: number): readonly Order[] {
  const parsed = parseOrders(text, limit)
  if (!parsed.ok) throw new Error(`line ${parsed.line}: ${parsed.reason}`)
  return parsed.orders
}

export class World {
  readonly printed: string[] = []
  readonly #random
  readonly #time
  readonly #disk
  readonly #orders: readonly Order[]
  #lives = 0
  #earlyReplies = 0

  constructor(seed: number, orders: readonly Order[]) {
    this.#random = seededRandom(seed)
    this.#time = simulatedTime(this.#random.fork('time'))
    this.#disk = simulatedDisk({ time: this.#time, random: this.#random.fork('disk') })
    this.#orders = orders
  }

  /**
   * Works to the end of the file, or until `isOver` says so: then the process dies as by SIGKILL,
   * or with the power when `isPowerLost`.
   */
  async live(
    extra: Pick<WorkloadOptions, 'beforeBookEntry'> = {},
    { isOver, isPowerLost = false }: { isOver?: () => boolean; isPowerLost?: boolean } = {},
  ): Promise<WorkFigures | undefined> {
    const clock = this.#time.nodeClock()
    let result: WorkFigures | undefined
    const work = runWorkload({
      ...this.#ports(clock),
      durability: 'sync',
      segmentBytes: SEGMENT_BYTES,
      checkpointEveryBytes: checkpointBytes(this.#orders.length),
      orders: this.#orders,
      onPlaced: (order) => void this.printed.push(`placed ${order}`),
      onEnded: (order, outcome) => void this.printed.push(`ended ${order} ${outcome}`),
      ...extra,
    }).then((figures) => {
      result = figures
      this.#earlyReplies += figures.earlyReplies
    })
    await this.#run(work, () => isOver?.() === true)
    if (result !== undefined) return result
    if (isPowerLost) this.#disk.crash()
    else this.#disk.killProcess(clock)
    clock.kill()
    return undefined
  }

  /** What the closed directory says, and what was printed. */
  async evidence(orders = this.#orders): Promise<Evidence> {
    const clock = this.#time.nodeClock()
    let found: DirectoryEvidence | undefined
    const read = readEvidence({ ...this.#ports(clock), orders }).then((evidence) => {
      found = evidence
    })
    await this.#run(read)
    assert(found !== undefined, 'a reader that ended has read')
    return { ...found, printed: this.printed, earlyReplies: this.#earlyReplies }
  }

  /** Lets the simulation go on until `work` has ended or `isOver`; rejects when `work` does. */
  async #run(work: Promise<void>, isOver: () => boolean = () => false): Promise<void> {
    let hasEnded = false
    const mark = (): void => {
      hasEnded = true
    }
    work.then(mark, mark)
    const untilMs = this.#time.nowMs() + DAY_MS / 2
    const end = await this.#time.run({ untilMs, isDone: () => hasEnded || isOver() })
    assert(end === 'done', `the simulation ended ${end}`)
    if (hasEnded) await work
  }

  #ports(clock: NodeClock): Pick<WorkloadOptions, 'disk' | 'clock' | 'random' | 'directory'> {
    this.#lives += 1
    const disk: Disk = this.#disk.attach(clock)
    return { disk, clock, random: this.#random.fork(`life ${this.#lives}`), directory: DIRECTORY }
  }
}
