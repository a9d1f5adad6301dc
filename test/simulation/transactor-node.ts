/**
 * A process that sends transactional messages: a half, an entry in its own book, a confirmation.
 * The book outlives its crashes, and decides what the broker asks about afterwards.
 */
import type { Hops, Random } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import { createProducer, openConnection, type Topic } from '@sagalog/client'
import { ClientError } from '@sagalog/client'
import type { BrokerMachine } from './broker-machine.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'
import { type Body, REQUEST_TIMEOUT_MS } from './producer-node.js'
import type { Guest } from './world.js'

export interface TransactorOptions {
  readonly name: string
  readonly time: SimulatedTime
  readonly random: Random
  readonly machine: BrokerMachine
  readonly topic: Topic<Body>
  readonly hops?: Hops
  /** Transactions to run, one after the other; each is tried once. */
  readonly count: number
}

export class TransactorNode implements Guest {
  readonly #options: TransactorOptions
  /** Messages whose local step was done: these must be delivered, all others never. */
  readonly book = new Set<string>()
  #process: SimulatedProcess | undefined
  #next = 0
  #lives = 0

  constructor(options: TransactorOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }
  get isIdle(): boolean {
    return this.#next >= this.#options.count
  }

  start(): void {
    if (this.#process !== undefined) return
    const { hops, machine, name, random, time } = this.#options
    this.#lives += 1
    const process = simulatedProcess(time)
    this.#process = process
    const connection = openConnection({
      connect: () => machine.dial(process),
      ports: {
        clock: process.clock,
        random: random.fork(`${name} ${this.#lives}`),
        ...(hops === undefined ? {} : { hops }),
      },
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    })
    const producer = createProducer(connection, {
      group: 'transactors',
      checkBack: (_half, message) => {
        const { id } = JSON.parse(message.body.toString()) as Body
        return Promise.resolve(this.book.has(id) ? 'commit' : 'rollback')
      },
    })
    void this.#work(process, producer)
  }

  async #work(
    process: SimulatedProcess,
    producer: ReturnType<typeof createProducer>,
  ): Promise<void> {
    while (!this.isIdle && !process.isDead) {
      const id = `${this.#options.name}/t/${this.#next}`
      this.#next += 1
      const body: Body = { id, padding: '' }
      try {
        await producer.sendInTransaction(this.#options.topic, body, { shardingKey: 't' }, () => {
          this.book.add(id)
          return Promise.resolve('commit')
        })
      } catch (error) {
        if (!ClientError.is(error)) throw error
      }
    }
  }

  crash(cut: (process: SimulatedProcess) => void): void {
    const process = this.#process
    if (process === undefined) return
    process.kill()
    cut(process)
    this.#process = undefined
  }
}
