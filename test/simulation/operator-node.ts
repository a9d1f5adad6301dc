/**
 * A person with a connection who decides half messages that were parked, each always in the same
 * way. An answer that got lost is not looked for: the half is listed again, or is decided.
 */
import type { Random } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import { ClientError, openConnection, type UndecidedHalves, undecidedHalves } from '@sagalog/client'
import type { BrokerMachine } from './broker-machine.js'
import type { Outcome, Recorder } from './history.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'
import { type Body, REQUEST_TIMEOUT_MS } from './producer-node.js'
import type { Guest } from './world.js'

export interface OperatorOptions {
  readonly name: string
  readonly time: SimulatedTime
  readonly random: Random
  readonly machine: BrokerMachine
  readonly recorder: Recorder
}

export class OperatorNode implements Guest {
  readonly #options: OperatorOptions
  readonly faults = { 'halves listed as parked': 0, 'halves decided by a person': 0 }
  #process: SimulatedProcess | undefined
  #halves: UndecidedHalves | undefined
  #lives = 0
  #isWorking = false
  isTroubled = true

  constructor(options: OperatorOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }
  get process(): SimulatedProcess | undefined {
    return this.#process
  }
  get isIdle(): boolean {
    return !this.#isWorking
  }

  start(): void {
    if (this.#process !== undefined) return
    const { machine, name, random, time } = this.#options
    this.#lives += 1
    const process = simulatedProcess(time)
    this.#process = process
    const connection = openConnection({
      connect: () => machine.dial(process),
      ports: { clock: process.clock, random: random.fork(`${name} ${this.#lives}`) },
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    })
    this.#halves = undecidedHalves(connection)
  }

  /** Decides at most `count` of those that are parked now. */
  work(count: number): void {
    const { process, halves } = { process: this.#process, halves: this.#halves }
    if (process === undefined || halves === undefined || this.#isWorking) return
    this.#isWorking = true
    process.enter(
      () =>
        void this.#decide(halves, count).finally(() => {
          if (!process.isDead) this.#isWorking = false
        }),
    )
  }

  crash(cut: (process: SimulatedProcess) => void): void {
    const process = this.#process
    if (process === undefined) return
    process.kill()
    cut(process)
    this.#process = undefined
    this.#isWorking = false
  }

  async #decide(halves: UndecidedHalves, count: number): Promise<void> {
    const { recorder } = this.#options
    try {
      const parked = await halves.list()
      this.faults['halves listed as parked'] += parked.length
      for (const half of parked.slice(0, count)) {
        const { id } = JSON.parse(half.message.body.toString()) as Body
        const decision: Outcome = half.position % 2 === 0 ? 'commit' : 'rollback'
        recorder.record({ kind: 'decision-asked', id, decision })
        const told = await halves.resolve(half, decision)
        recorder.record({ kind: 'confirmed', id, told })
        this.faults['halves decided by a person'] += 1
      }
    } catch (error) {
      if (!ClientError.is(error)) throw error
    }
  }
}
