/**
 * A person who releases parked keys: now and then a few, and in the last phase, when no message is
 * poison any more, all of them until none is left.
 */
import { type Random, sleep } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import { ClientError, openConnection, type ParkedKeys, parkedKeysOf } from '@sagalog/client'
import type { BrokerMachine } from './broker-machine.js'
import type { Poison } from './poison.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'
import { REQUEST_TIMEOUT_MS } from './producer-node.js'
import type { Guest } from './world.js'

export interface ReleaserOptions {
  readonly name: string
  readonly group: string
  readonly time: SimulatedTime
  readonly random: Random
  readonly machine: BrokerMachine
  readonly poison: Poison
}

const LOOK_MS = 400
/** Looks in a row that find nothing, after the last of which nothing can be under way any more. */
const EMPTY_LOOKS = 3

export class ReleaserNode implements Guest {
  readonly #options: ReleaserOptions
  readonly faults = { 'keys listed as parked': 0, 'keys released': 0, 'messages set aside': 0 }
  #process: SimulatedProcess | undefined
  #keys: ParkedKeys | undefined
  #lives = 0
  #isWorking = false
  #isTroubled = true
  #emptyLooks = 0

  constructor(options: ReleaserOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }
  get process(): SimulatedProcess | undefined {
    return this.#process
  }
  get isIdle(): boolean {
    return this.#emptyLooks >= EMPTY_LOOKS
  }
  get isTroubled(): boolean {
    return this.#isTroubled
  }
  set isTroubled(isTroubled: boolean) {
    this.#isTroubled = isTroubled
    if (!isTroubled) this.#options.poison.isCured = true
  }

  start(): void {
    if (this.#process === undefined) {
      const { group, machine, name, random, time } = this.#options
      this.#lives += 1
      const process = simulatedProcess(time)
      this.#process = process
      const connection = openConnection({
        connect: () => machine.dial(process),
        ports: { clock: process.clock, random: random.fork(`${name} ${this.#lives}`) },
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
      })
      this.#keys = parkedKeysOf(connection, group)
    }
    if (!this.#isTroubled) this.#enter((keys, process) => this.#releaseAll(keys, process))
  }

  work(count: number): void {
    this.#enter((keys) => this.#release(keys, count))
  }

  crash(cut: (process: SimulatedProcess) => void): void {
    const process = this.#process
    if (process === undefined) return
    process.kill()
    cut(process)
    this.#process = undefined
    this.#isWorking = false
  }

  #enter(work: (keys: ParkedKeys, process: SimulatedProcess) => Promise<unknown>): void {
    const { keys, process } = { keys: this.#keys, process: this.#process }
    if (process === undefined || keys === undefined || this.#isWorking) return
    this.#isWorking = true
    process.enter(
      () =>
        void work(keys, process).finally(() => {
          if (process.isDead) return
          this.#isWorking = false
          if (!this.#isTroubled) this.start()
        }),
    )
  }

  async #releaseAll(keys: ParkedKeys, process: SimulatedProcess): Promise<void> {
    while (!process.isDead) {
      const left = await this.#release(keys, Number.MAX_SAFE_INTEGER)
      this.#emptyLooks = left === 0 ? this.#emptyLooks + 1 : 0
      await sleep(process.clock, LOOK_MS)
    }
  }

  /** Releases at most `count`; gives how many there were, or undefined when that got lost. */
  async #release(keys: ParkedKeys, count: number): Promise<number | undefined> {
    try {
      const parked = await keys.list()
      this.faults['keys listed as parked'] += parked.length
      for (const one of parked.slice(0, count)) {
        this.faults['messages set aside'] += one.messages - 1
        if (await keys.release(one)) this.faults['keys released'] += 1
      }
      return parked.length
    } catch (error) {
      if (!ClientError.is(error)) throw error
      return undefined
    }
  }
}
