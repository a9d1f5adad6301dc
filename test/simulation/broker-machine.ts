/**
 * The machine that the broker runs on: one disk that outlives every process on it, and a supervisor
 * that starts the broker by its real boot code after it died, and when its log failed.
 */
import type { Broker } from '@sagalog/broker'
import { openBroker } from '@sagalog/broker'
import { type Hops, noHops, type Random } from '@sagalog/kernel'
import { LogError } from '@sagalog/log-core'
import { simulatedDisk, type SimulatedDisk } from '@sagalog/log-core/testing'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import { type Command, commandChannel } from '@sagalog/protocol'
import type { Channel } from '@sagalog/kernel'
import type { LiveBroker } from '../../packages/broker/src/broker.js'
import { Archive } from './archive.js'
import type { Recorder } from './history.js'
import type { Network } from './network.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'

export const LOG_DIRECTORY = '/data/log'

const STOP_LATEST_MS = 100
const RETENTION_EVERY_MS = 86_400_000
/** What opening says of a disk that fails or is full now and may not be next time. */
const DISK_CODES: ReadonlySet<string> = new Set(['IO', 'DISK_FULL', 'FLUSH_FAILED'])

export type Flavour = 'direct' | 'in-process' | 'bytes'

export interface MachineSettings {
  readonly segmentBytes: number
  readonly cacheBytes: number
  readonly leaseMs: number
  readonly topicQueues: number
  readonly checkpointEveryBytes: number
  /** Commands are handed over by calls, travel as they are, or travel as bytes in pieces. */
  readonly flavour: Flavour
}

export interface MachineFaults {
  starts: number
  logFailures: number
  checkpointsDeleted: number
  restatements: number
  checkpoints: number
  bootsRepeated: number
  messagesLetGo: number
  segmentsRetired: number
  segmentsRewritten: number
}

interface MachineOptions {
  readonly time: SimulatedTime
  readonly random: Random
  readonly network: Network
  readonly recorder: Recorder
  readonly settings: MachineSettings
  /** Checks after which an undecided half is parked; the broker's default unless told. */
  readonly checksMax?: number
  readonly hops?: Hops
  /** Told of what must never happen. */
  readonly onFailure: (error: unknown) => void
}

export class BrokerMachine {
  readonly disk: SimulatedDisk
  readonly faults: MachineFaults = {
    starts: 0,
    logFailures: 0,
    checkpointsDeleted: 0,
    restatements: 0,
    checkpoints: 0,
    bootsRepeated: 0,
    messagesLetGo: 0,
    segmentsRetired: 0,
    segmentsRewritten: 0,
  }
  readonly archive = new Archive()
  readonly #options: MachineOptions
  #process: SimulatedProcess | undefined
  #broker: Broker | undefined
  #mustDeleteCheckpoints = false
  #durableEnd = 0
  /** Numbers the planned stops: only the newest may fire. */
  #armed = 0
  /** Counts lives: what was planned for an earlier one comes too late. */
  #life = 0

  constructor(options: MachineOptions) {
    this.#options = options
    this.disk = simulatedDisk({ time: options.time, random: options.random })
  }

  get broker(): Broker | undefined {
    return this.#broker
  }
  get process(): SimulatedProcess | undefined {
    return this.#process
  }
  get isUp(): boolean {
    return this.#broker !== undefined
  }

  /** Starts the broker; harmless when a process is there. */
  start(): void {
    if (this.#process !== undefined) return
    const { checksMax, random, settings, time } = this.#options
    const process = simulatedProcess(time)
    this.#process = process
    this.#options.recorder.record({ kind: 'broker', what: 'starts' })
    this.#life += 1
    if (this.#mustDeleteCheckpoints) this.#deleteCheckpoints()
    openBroker({
      disk: this.disk.attach(process.nodeClock),
      clock: process.clock,
      random: random.fork(`broker ${this.#life}`),
      directory: LOG_DIRECTORY,
      segmentBytes: settings.segmentBytes,
      cacheBytes: settings.cacheBytes,
      leaseMs: settings.leaseMs,
      topicQueues: settings.topicQueues,
      checkpointEveryBytes: settings.checkpointEveryBytes,
      // All that is in closed segments is old; only the plan says when it is looked for.
      retention: { maxBytes: 0, everyMs: RETENTION_EVERY_MS },
      transactions: {
        checkAfterMs: 200,
        checkEveryMs: 200,
        ...(checksMax === undefined ? {} : { checksMax }),
      },
      hops: this.#options.hops ?? noHops,
    }).then(
      (broker) => this.#opened(process, broker),
      (error: unknown) => this.#refused(process, error),
    )
  }

  #opened(process: SimulatedProcess, broker: Broker): void {
    if (process.isDead) return
    this.archive.follow(broker)
    this.#broker = broker
    this.faults.starts += 1
    this.#options.recorder.record({ kind: 'broker', what: 'serves' })
  }

  /** A disk that is full or fails is a reason to try again; anything else is a broken promise. */
  #refused(process: SimulatedProcess, error: unknown): void {
    if (process.isDead) return
    if (!LogError.is(error) || !DISK_CODES.has(error.code)) {
      this.#options.onFailure(error)
      return
    }
    this.faults.bootsRepeated += 1
    this.#end('kill')
    this.#startAfter(200)
  }

  /** Ends the process, or the power of the whole machine; starts again after `downMs`. */
  stop(how: 'kill' | 'power', downMs: number): void {
    if (this.#process === undefined) return
    this.audit()
    this.#options.recorder.record({ kind: 'broker', what: how })
    this.#end(how)
    this.#startAfter(downMs)
  }

  /** The same, shortly after the disk was called so often: most likely while it is writing. */
  stopAtCall(how: 'kill' | 'power', options: { downMs: number; calls: number }): void {
    const { random, time } = this.#options
    const delayMs = (random.uint32() % 300) / 1_000
    let left = options.calls
    this.#armed += 1
    const mine = this.#armed
    const fire = (): void => {
      if (this.#armed !== mine) return
      this.disarm()
      this.stop(how, options.downMs)
    }
    this.disk.onCall(() => {
      left -= 1
      if (left === 0) time.plan(delayMs, fire)
    })
    // When the disk has nothing to do, it ends all the same.
    time.plan(STOP_LATEST_MS, fire)
  }

  /** Forgets a stop that was planned and has not come. */
  disarm(): void {
    this.#armed += 1
    this.disk.onCall(undefined)
  }

  #end(how: 'kill' | 'power'): void {
    const process = this.#process
    if (process === undefined) return
    const { network } = this.#options
    this.#process = undefined
    this.#broker = undefined
    this.#life += 1
    process.kill()
    if (how === 'power') this.disk.crash()
    else this.disk.killProcess(process.nodeClock)
    for (const link of network.linksOf(process)) {
      // A machine without power says nothing: the other end waits for somebody who is gone.
      if (how === 'power' && link.isLive) link.swallow('both')
      else link.cut('the process ended')
    }
  }

  #startAfter(downMs: number): void {
    const life = this.#life
    const { time } = this.#options
    time.plan(downMs, () => {
      if (this.#life === life) this.start()
    })
  }

  /** Ends for good, in good order; for reading what is left. */
  async close(): Promise<void> {
    const broker = this.#broker
    this.#broker = undefined
    await broker?.close()
    this.#process?.kill()
    this.#process = undefined
    this.#life += 1
  }

  /** To be called after each step: a failed log stops acknowledging, and is started anew. */
  supervise(): void {
    if (this.#broker?.failure === undefined) return
    this.audit()
    this.faults.logFailures += 1
    this.#options.recorder.record({ kind: 'broker', what: 'its log failed' })
    this.#end('kill')
    this.#startAfter(50)
  }

  /** The end of what was durable at any time: no crash can take it back. */
  get durableEnd(): number {
    const durable = this.#broker?.status().log.durable ?? 0
    this.#durableEnd = Math.max(this.#durableEnd, durable)
    return this.#durableEnd
  }

  audit(): void {
    const broker = this.#broker
    if (broker === undefined) return
    const { earlyReplies, log } = broker.status()
    this.#durableEnd = Math.max(this.#durableEnd, log.durable)
    if (earlyReplies > 0) this.#options.recorder.record({ kind: 'audit', earlyReplies })
  }

  restate(): void {
    const broker = this.#broker
    if (broker === undefined) return
    broker.restate().then(
      () => {
        this.faults.restatements += 1
      },
      (error: unknown) => this.#expectFault(broker, error),
    )
  }

  /** Lets go what is settled and in closed segments. */
  retain(): void {
    const broker = this.#broker
    if (broker === undefined) return
    const { retention: account } = (broker as unknown as LiveBroker).core
    const before = account.messagesLetGo
    broker.retain().then(
      (report) => {
        this.faults.messagesLetGo += account.messagesLetGo - before
        this.faults.segmentsRetired += report?.retired.length ?? 0
        this.faults.segmentsRewritten += report?.rewritten.length ?? 0
      },
      (error: unknown) => this.#expectFault(broker, error),
    )
  }

  checkpoint(): void {
    const broker = this.#broker
    if (broker === undefined) return
    broker.checkpoint().then(
      () => {
        this.faults.checkpoints += 1
      },
      (error: unknown) => this.#expectFault(broker, error),
    )
  }

  /** A checkpoint may fail with the disk; what else goes wrong is a bug. */
  #expectFault(broker: Broker, error: unknown): void {
    const isDisk =
      error instanceof Error && /DISK_FULL|IO|FULL|FLUSH_FAILED|CLOSED/.test(error.message)
    if (!isDisk && broker.failure === undefined) this.#options.onFailure(error)
  }

  /** Removes the checkpoints before the next start. */
  deleteCheckpointsAtRestart(): void {
    this.#mustDeleteCheckpoints = true
  }

  #deleteCheckpoints(): void {
    this.#mustDeleteCheckpoints = false
    for (const path of this.disk.paths()) {
      if (!path.endsWith('.ckpt')) continue
      this.disk.removeFile(path)
      this.faults.checkpointsDeleted += 1
    }
  }

  /** A client dials: resolves with its end of the channel, rejects, or hears nothing. */
  dial(caller: SimulatedProcess): Promise<Channel<Command>> {
    const { network, time } = this.#options
    return new Promise((resolve, reject) => {
      time.plan(network.delayMs(), () => {
        const process = this.#process
        const broker = this.#broker
        if (process === undefined || broker === undefined) {
          time.plan(network.delayMs(), () =>
            caller.enter(() => reject(new Error('nobody answers'))),
          )
          return
        }
        const { answerer, dialled } = this.#join(caller, process)
        process.enter(() => broker.accept(answerer))
        time.plan(network.delayMs(), () => caller.enter(() => resolve(dialled)))
      })
    })
  }

  #join(
    caller: SimulatedProcess,
    process: SimulatedProcess,
  ): { dialled: Channel<Command>; answerer: Channel<Command> } {
    const { network, settings } = this.#options
    if (settings.flavour === 'in-process') {
      const joined = network.connectWhole<Command>(caller, process)
      return { dialled: joined.caller, answerer: joined.answerer }
    }
    if (settings.flavour === 'direct') {
      const joined = network.connectDirect<Command>(caller, process)
      return { dialled: joined.caller, answerer: joined.answerer }
    }
    const joined = network.connectBytes(caller, process)
    return {
      dialled: commandChannel(joined.caller),
      answerer: commandChannel(joined.answerer),
    }
  }
}
