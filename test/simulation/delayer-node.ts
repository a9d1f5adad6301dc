/**
 * A process that sends messages which are to come later: after a time or at one, by a send or by a
 * timer of a transaction, some of which it cancels. What it asked for is recorded before it asks.
 */
import { below, type Random, sleep } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import {
  ClientError,
  type Connection,
  createProducer,
  openConnection,
  openTx,
  type Producer,
  type Topic,
} from '@sagalog/client'
import type { BrokerMachine } from './broker-machine.js'
import type { Delay, Recorder } from './history.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'
import { type Body, REQUEST_TIMEOUT_MS } from './producer-node.js'
import type { Guest } from './world.js'

const DELAYS_MS = [20, 200, 1_500, 15_000]
/** The first of RocketMQ's levels. */
const LEVEL_MS = 1_000

export interface DelayerOptions {
  readonly name: string
  readonly time: SimulatedTime
  readonly random: Random
  readonly machine: BrokerMachine
  readonly recorder: Recorder
  readonly topic: Topic<Body>
}

interface Running {
  readonly process: SimulatedProcess
  readonly connection: Connection
  readonly producer: Producer
}

export class DelayerNode implements Guest {
  readonly #options: DelayerOptions
  readonly #random: Random
  readonly faults = {
    'guest operations': 0,
    'sends for a time': 0,
    'sends at a time': 0,
    'sends by a level': 0,
    'timers set': 0,
    'timers cancelled': 0,
  }
  #running: Running | undefined
  #isWorking = false
  #wanted = 0
  #next = 0
  #lives = 0
  isTroubled = true

  constructor(options: DelayerOptions) {
    this.#options = options
    this.#random = options.random.fork('delays')
  }

  get name(): string {
    return this.#options.name
  }
  get process(): SimulatedProcess | undefined {
    return this.#running?.process
  }
  get isIdle(): boolean {
    return this.#wanted === 0 && !this.#isWorking
  }

  start(): void {
    if (this.#running !== undefined) return
    const { machine, name, random, time } = this.#options
    this.#lives += 1
    const process = simulatedProcess(time)
    const connection = openConnection({
      connect: () => machine.dial(process),
      ports: { clock: process.clock, random: random.fork(`${name} ${this.#lives}`) },
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    })
    const producer = createProducer(connection, { group: 'delayers' })
    this.#running = { process, connection, producer }
    void this.#work(this.#running)
  }

  work(count: number): void {
    this.#wanted += count
    const running = this.#running
    if (running !== undefined) running.process.enter(() => void this.#work(running))
  }

  crash(cut: (process: SimulatedProcess) => void): void {
    const process = this.#running?.process
    if (process === undefined) return
    process.kill()
    cut(process)
    this.#running = undefined
    this.#isWorking = false
  }

  async #work(running: Running): Promise<void> {
    if (this.#isWorking) return
    this.#isWorking = true
    while (this.#wanted > 0 && !running.process.isDead) {
      this.#wanted -= 1
      const id = `${this.#options.name}/d/${this.#next}`
      this.#next += 1
      this.faults['guest operations'] += 1
      try {
        await this.#delay(running, id)
      } catch (error) {
        if (!ClientError.is(error)) throw error
      }
    }
    if (!running.process.isDead) this.#isWorking = false
  }

  async #delay(running: Running, id: string): Promise<void> {
    const { recorder, topic } = this.#options
    const { process, producer } = running
    const body: Body = { id, padding: '' }
    const forMs = DELAYS_MS[below(this.#random, DELAYS_MS.length)] ?? 0
    const asked = (delay: Delay): void => recorder.record({ kind: 'delaying', id, ...delay })
    switch (below(this.#random, 5)) {
      case 0:
        asked({ forMs })
        await producer.send(topic, body, { delayMs: forMs })
        this.faults['sends for a time'] += 1
        break
      case 1:
        asked({ forMs: LEVEL_MS })
        await producer.send(topic, body, { delayLevel: 1 })
        this.faults['sends by a level'] += 1
        break
      case 2: {
        const deliverAtMs = process.clock.wallMs() + forMs
        asked({ untilMs: deliverAtMs })
        await producer.send(topic, body, { deliverAtMs })
        this.faults['sends at a time'] += 1
        break
      }
      default:
        asked({ forMs })
        await this.#setTimer(running, body, forMs)
    }
    recorder.record({ kind: 'delay-acknowledged', id })
  }

  async #setTimer({ connection, process }: Running, body: Body, forMs: number): Promise<void> {
    const { id } = body
    const tx = openTx(connection, { key: `set ${id}` })
    tx.schedule(id, forMs, this.#options.topic, body)
    await tx.commit()
    this.faults['timers set'] += 1
    if (below(this.#random, 2) === 0) return
    // Now and then it comes too late.
    void sleep(process.clock, below(this.#random, forMs + 20)).then(() =>
      this.#cancel(connection, id),
    )
  }

  async #cancel(connection: Connection, id: string): Promise<void> {
    const { recorder } = this.#options
    recorder.record({ kind: 'cancelling', id })
    const tx = openTx(connection, { key: `cancel ${id}` })
    tx.cancel(id)
    try {
      const end = await tx.commit()
      if (end.kind !== 'committed' || end.committed?.position === undefined) return
      recorder.record({ kind: 'cancelled', id, position: end.committed.position })
      this.faults['timers cancelled'] += 1
    } catch (error) {
      if (!ClientError.is(error)) throw error
    }
  }
}
