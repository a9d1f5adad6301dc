/**
 * A process that consumes: one instance of a group in one life after another. Its handler appends
 * one event per message by the transaction and, when told to, sends the message on; now and then it
 * is slow, throws, or outlives its lease.
 */
import { below, type Hops, type Random, sleep } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import {
  type Connection,
  type Consumer,
  createConsumer,
  openConnection,
  type Order,
  type Received,
  type Topic,
  type Tx,
} from '@sagalog/client'
import type { BrokerMachine } from './broker-machine.js'
import type { Failing } from './failing.js'
import { ECHO_TOPIC, type Life, type Recorder } from './history.js'
import type { Poison } from './poison.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'
import { type Body, bodyTopic, REQUEST_TIMEOUT_MS } from './producer-node.js'
import { RUN, tappedChannel } from './wire-tap.js'

export const EFFECTS = 'effects'

export interface ConsumerNodeOptions {
  readonly group: string
  readonly instance: string
  readonly mode: 'clustering' | 'broadcasting'
  readonly order: Order
  readonly topic: Topic<Body>
  /**
   * Sends each message on, so that a commit has an append, a send or a timer, and an
   * acknowledgement.
   */
  readonly echo: Echo
  /** Messages that fail by what they are; without it, only now and then by chance. */
  readonly failing?: Failing
  /** Messages that park their keys. */
  readonly poison?: Poison
  readonly leaseMs: number
  readonly time: SimulatedTime
  readonly random: Random
  readonly machine: BrokerMachine
  readonly recorder: Recorder
  readonly hops?: Hops
}

/** Whether a handler sends its message on: not, in its commit, or by a timer. */
export type Echo = 'none' | 'send' | 'timer'

const ECHO_DELAY_MS = 30

export interface ConsumerFaults {
  joins: number
  leaves: number
  crashes: number
  pausesPastLease: number
  handlersThrew: number
  /** Threw because of the message. */
  handlersFailed: number
  handlersStalled: number
  commitsRefused: number
}

interface Running {
  readonly process: SimulatedProcess
  readonly connection: Connection
  readonly consumer: Consumer
}

class HandlerThrew extends Error {}

export class ConsumerNode {
  readonly #options: ConsumerNodeOptions
  readonly faults: ConsumerFaults = {
    joins: 0,
    leaves: 0,
    crashes: 0,
    pausesPastLease: 0,
    handlersThrew: 0,
    handlersFailed: 0,
    handlersStalled: 0,
    commitsRefused: 0,
  }
  readonly #random: Random
  #running: Running | undefined
  #isLeaving = false
  #life = 0
  #runs = 0
  #stallsNext = false
  /** Off in the last phase: handlers do their work at once. */
  isTroubled = true

  constructor(options: ConsumerNodeOptions) {
    this.#options = options
    this.#random = options.random.fork(`handler ${options.instance}`)
  }

  get name(): string {
    return this.#options.instance
  }
  get isRunning(): boolean {
    return this.#running !== undefined
  }
  get process(): SimulatedProcess | undefined {
    return this.#running?.process
  }

  join(): void {
    if (this.#running !== undefined) return
    const { failing, group, hops, instance, machine, mode, poison } = this.#options
    const { order, random, recorder, time } = this.#options
    this.#life += 1
    this.faults.joins += 1
    const life: Life = { group, instance, life: this.#life }
    recorder.record({ kind: 'joined', ...life })
    const process = simulatedProcess(time)
    const connection = openConnection({
      connect: async () => tappedChannel(await machine.dial(process), life, recorder),
      ports: {
        clock: process.clock,
        random: random.fork(`${instance} ${this.#life}`),
        ...(hops === undefined ? {} : { hops }),
      },
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    })
    const consumer = createConsumer(connection, {
      group,
      instance,
      mode,
      retryMs: 10,
      attemptsMax: failing?.attemptsMax ?? poison?.attemptsMax ?? 1_000_000,
      ...(poison === undefined ? {} : { onPoison: 'park-key' as const }),
      ...(failing === undefined ? {} : { retry: failing.retry }),
    })
    consumer.listen(
      this.#options.topic,
      (message, tx, { attempt }) => this.#handle({ life, process, message, tx, attempt }),
      { order },
    )
    this.#running = { process, connection, consumer }
    // It waits while the broker is away; a life that ends before it joined has nothing to report.
    consumer.start().catch(() => undefined)
  }

  /** Leaves in good order, then ends. */
  leave(): void {
    const running = this.#running
    if (running === undefined || this.#isLeaving || running.process.isPaused) return
    this.#isLeaving = true
    this.faults.leaves += 1
    void running.consumer.close().then(() => {
      if (this.#running !== running) return
      running.connection.close()
      running.process.kill()
      this.#running = undefined
      this.#isLeaving = false
    })
  }

  crash(cut: (process: SimulatedProcess) => void): void {
    const running = this.#running
    if (running === undefined) return
    running.process.kill()
    cut(running.process)
    this.faults.crashes += 1
    this.#running = undefined
    this.#isLeaving = false
  }

  /** Stops the process for a while, as a suspended machine does. */
  pause(forMs: number): void {
    const running = this.#running
    if (running === undefined || running.process.isPaused) return
    if (forMs > this.#options.leaseMs) this.faults.pausesPastLease += 1
    running.process.pause()
    this.#options.time.plan(forMs, () => running.process.resume())
  }

  /**
   * The next handler takes longer than the lease can be renewed for, and does not look at its
   * signal.
   */
  stallNextHandler(): void {
    this.#stallsNext = true
  }

  async #handle(at: {
    life: Life
    process: SimulatedProcess
    message: Received<Body>
    tx: Tx
    attempt: number
  }): Promise<void> {
    const { attempt, life, message, process, tx } = at
    const { machine, recorder } = this.#options
    const { offset, queueId, topic } = message.delivery
    const isSafe = message.position < machine.durableEnd
    this.#runs += 1
    const run = `${life.instance}#${life.life}:${this.#runs}`
    const place = { ...life, run, topic, queueId, offset }
    const { id } = message.body
    recorder.record({ kind: 'handling', message: id, attempt, isSafe, ...place })
    tx.onCommitted(() => recorder.record({ kind: 'handled', outcome: 'committed', ...place }))
    tx.onRefused(({ reason }) => {
      this.faults.commitsRefused += 1
      recorder.record({ kind: 'handled', outcome: reason, ...place })
    })
    await this.#trouble(process)
    if (attempt < (this.#options.failing?.triesNeeded(id) ?? 1)) {
      this.faults.handlersFailed += 1
      throw new HandlerThrew(`try ${attempt} of ${id} is not enough`)
    }
    if (this.#options.poison?.isPoison(id) === true) {
      this.faults.handlersFailed += 1
      throw new HandlerThrew(`${id} is poison`)
    }
    const { mode } = this.#options
    const stream = mode === 'broadcasting' ? life.instance : (message.key ?? 'none')
    const data = Buffer.from(message.body.id)
    const events = [{ type: 'Taken', schema: 1, data, metadata: { [RUN]: run } }]
    tx.append({ category: EFFECTS, stream, expected: 'any', events })
    this.#echo(message, tx)
  }

  #echo({ body: { id }, key }: Received<Body>, tx: Tx): void {
    const { echo } = this.#options
    const body: Body = { id, padding: '' }
    const topic = bodyTopic(ECHO_TOPIC, 1)
    if (echo === 'send') tx.send(topic, body, { shardingKey: key })
    if (echo === 'timer')
      tx.schedule(`echo ${id}`, ECHO_DELAY_MS, topic, body, { shardingKey: key })
  }

  async #trouble(process: SimulatedProcess): Promise<void> {
    if (!this.isTroubled) return
    if (this.#stallsNext) {
      this.#stallsNext = false
      this.faults.handlersStalled += 1
      await sleep(process.clock, this.#options.leaseMs * 2)
      return
    }
    const chance = below(this.#random, 20)
    if (chance < 5) await sleep(process.clock, 1 + below(this.#random, 20))
    else if (chance === 5) {
      this.faults.handlersThrew += 1
      throw new HandlerThrew('the handler failed on purpose')
    }
  }
}
