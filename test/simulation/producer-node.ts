/**
 * A process that sends. For each key it has a lane: a few sends at a time, in an order that the log
 * must show of those that are acknowledged. The producer repeats what gets lost by itself; this
 * node never does, so each send may be stored once.
 */
import { type Hops, type Random, sleep } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import { ClientError, createProducer, openConnection, type Producer, topic } from '@sagalog/client'
import type { Topic } from '@sagalog/client'
import * as t from 'io-ts'
import type { BrokerMachine } from './broker-machine.js'
import type { Failing } from './failing.js'
import { messageIdOf, type Recorder } from './history.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'

export const REQUEST_TIMEOUT_MS = 400
/** Long enough to outlive most restarts of the broker. */
const SEND_TIMEOUT_MS = 1_500
/** Sends of one key under way at once. */
const IN_FLIGHT_MAX = 3

const Body = t.type({ id: t.string, padding: t.string })
export type Body = t.TypeOf<typeof Body>

/** What lacks a part that whoever reads bodies asks for. */
const Unreadable = t.type({ id: t.string })

export const bodyTopic = (name: string, queues: number): Topic<Body> =>
  topic(name, Body, { queues })

export interface ProducerOptions {
  readonly name: string
  readonly time: SimulatedTime
  readonly random: Random
  readonly machine: BrokerMachine
  readonly recorder: Recorder
  readonly topic: Topic<Body>
  /** Most bytes of padding of a body. */
  readonly paddingMax: number
  /** Messages that fail by what they are, some because nobody can read them. */
  readonly failing?: Failing
  readonly hops?: Hops
}

interface Lane {
  /** Sends still to be made. */
  wanted: number
  /** The number of the next send; never used twice, not even after a crash. */
  next: number
  isWorking: boolean
}

export class ProducerNode {
  readonly #options: ProducerOptions
  readonly #lanes = new Map<string, Lane>()
  #process: SimulatedProcess | undefined
  #producer: Producer | undefined
  #lives = 0
  unknown = 0
  acknowledged = 0

  constructor(options: ProducerOptions) {
    this.#options = options
    this.start()
  }

  get name(): string {
    return this.#options.name
  }
  get process(): SimulatedProcess | undefined {
    return this.#process
  }

  /** True when nothing is left to send. */
  get isIdle(): boolean {
    return [...this.#lanes.values()].every((lane) => lane.wanted === 0 && !lane.isWorking)
  }

  start(): void {
    if (this.#process !== undefined) return
    const { machine, name, random, time } = this.#options
    this.#lives += 1
    const process = simulatedProcess(time)
    this.#process = process
    const { hops } = this.#options
    const connection = openConnection({
      connect: () => machine.dial(process),
      ports: {
        clock: process.clock,
        random: random.fork(`${name} ${this.#lives}`),
        ...(hops === undefined ? {} : { hops }),
      },
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    })
    this.#producer = createProducer(connection, {
      group: 'producers',
      sendTimeoutMs: SEND_TIMEOUT_MS,
    })
    for (const key of this.#lanes.keys()) this.#wake(key)
  }

  /** The process dies; what it was doing is unknown to everybody. */
  crash(cut: (process: SimulatedProcess) => void): void {
    const process = this.#process
    if (process === undefined) return
    process.kill()
    cut(process)
    this.#process = undefined
    this.#producer = undefined
    for (const lane of this.#lanes.values()) lane.isWorking = false
  }

  /** Sends `count` more messages to `key`, after those that are wanted already. */
  send(key: string, count: number): void {
    const lane = this.#lanes.get(key) ?? { wanted: 0, next: 0, isWorking: false }
    this.#lanes.set(key, lane)
    lane.wanted += count
    this.#wake(key)
  }

  #wake(key: string): void {
    const lane = this.#lanes.get(key)
    const { process, producer } = { process: this.#process, producer: this.#producer }
    if (lane === undefined || lane.isWorking || lane.wanted === 0) return
    if (process === undefined || producer === undefined) return
    lane.isWorking = true
    process.enter(() => void this.#work({ key, lane, process, producer }))
  }

  async #work(at: {
    key: string
    lane: Lane
    process: SimulatedProcess
    producer: Producer
  }): Promise<void> {
    const { key, lane, process, producer } = at
    const { random } = this.#options
    while (lane.wanted > 0 && !process.isDead) {
      const count = Math.min(lane.wanted, 1 + (random.uint32() % IN_FLIGHT_MAX))
      lane.wanted -= count
      const sends = Array.from({ length: count }, () => this.#sendOne(producer, key, lane))
      const areStored = await Promise.all(sends)
      if (areStored.includes(false)) await sleep(process.clock, 5)
    }
    lane.isWorking = false
  }

  async #sendOne(producer: Producer, key: string, lane: Lane): Promise<boolean> {
    const { failing, name, paddingMax, random, recorder } = this.#options
    const sent = { producer: name, key, n: lane.next }
    lane.next += 1
    recorder.record({ kind: 'send', ...sent })
    const padding = 'x'.repeat(random.uint32() % (paddingMax + 1))
    const id = messageIdOf(sent)
    const isReadable = failing?.isReadable(id) ?? true
    const { topic: own } = this.#options
    try {
      const options = { shardingKey: key }
      const result = await (isReadable
        ? producer.send(own, { id, padding }, options)
        : producer.send(topic(own.name, Unreadable), { id }, options))
      this.acknowledged += 1
      const { queueId, queueOffset: offset } = result
      recorder.record({
        kind: 'acknowledged',
        ...sent,
        topic: this.#options.topic.name,
        queueId,
        offset,
      })
      return true
    } catch (error) {
      if (!ClientError.is(error)) throw error
      this.unknown += 1
      const state = ClientError.table[error.code].state === 'unchanged' ? 'unchanged' : 'unknown'
      recorder.record({ kind: 'send-failed', ...sent, state })
      return false
    }
  }
}
