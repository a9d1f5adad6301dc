/**
 * A process that sends transactional messages: a half, an entry in a book, a confirmation. The book
 * is the database that the transactors of a group share: it outlives their crashes, and decides
 * what the broker asks about afterwards. Troubled, it crashes between any two of its steps.
 */
import { below, type Hops, type Random } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import {
  ClientError,
  type Connection,
  createProducer,
  type Decision,
  type Half,
  openConnection,
  type Producer,
  type Topic,
} from '@sagalog/client'
import { endTransaction, ResponseCode } from '@sagalog/protocol'
import type { BrokerMachine } from './broker-machine.js'
import { type ConfirmationFaults, troubledConfirmations } from './confirmations.js'
import type { Counters } from './counters.js'
import type { Outcome, Recorder } from './history.js'
import { simulatedProcess, type SimulatedProcess } from './process-clock.js'
import { type Body, REQUEST_TIMEOUT_MS } from './producer-node.js'
import type { Guest } from './world.js'

export const TRANSACTORS = 'transactors'

/** The first word about a transaction stands, be it of its local step or of a check-back. */
export class Book {
  readonly #entries = new Map<string, Decision>()

  settle(id: string, wanted: Decision): Decision {
    const stands = this.#entries.get(id) ?? wanted
    this.#entries.set(id, stands)
    return stands
  }

  /** Messages that must be delivered; all others never. */
  get committed(): string[] {
    return [...this.#entries].filter(([, entry]) => entry === 'commit').map(([id]) => id)
  }
}

/** What the local step writes into the book, and whether it tells the broker. */
const MOODS = [
  { entry: 'commit', says: 'so' },
  { entry: 'commit', says: 'so' },
  { entry: 'rollback', says: 'so' },
  { entry: 'commit', says: 'unknown' },
  { entry: 'rollback', says: 'unknown' },
  { entry: 'commit', says: 'throws' },
  /** Nobody will ever know: it is parked. */
  { entry: 'unknown', says: 'unknown' },
] as const
type Mood = (typeof MOODS)[number]

/** Where it crashes. */
const CRASHES = ['half sent', 'before the book', 'after the book', 'confirmation sent'] as const
type CrashAt = (typeof CRASHES)[number] | 'check-back' | 'nowhere'

class LocalStepFailed extends Error {}

export interface TransactorOptions {
  readonly name: string
  readonly time: SimulatedTime
  readonly random: Random
  readonly machine: BrokerMachine
  readonly recorder: Recorder
  readonly topic: Topic<Body>
  readonly book: Book
  readonly hops?: Hops
  /** Ends this node as a crash does, and starts it again later. */
  readonly onCrash: (self: TransactorNode) => void
}

interface Running {
  readonly process: SimulatedProcess
  readonly connection: Connection
  readonly producer: Producer
}

export class TransactorNode implements Guest {
  readonly #options: TransactorOptions
  readonly #random: Random
  readonly #faults: ConfirmationFaults & Record<string, number> = {
    confirmationsLost: 0,
    confirmationsLate: 0,
    confirmationsTwice: 0,
  }
  #running: Running | undefined
  #isWorking = false
  #crashAt: CrashAt = 'nowhere'
  #wanted = 0
  #next = 0
  #lives = 0
  isTroubled = true

  constructor(options: TransactorOptions) {
    this.#options = options
    this.#random = options.random.fork('moods')
  }

  get name(): string {
    return this.#options.name
  }
  get process(): SimulatedProcess | undefined {
    return this.#running?.process
  }
  get faults(): Counters {
    return this.#faults
  }
  get isIdle(): boolean {
    return this.#wanted === 0 && !this.#isWorking
  }
  get committed(): string[] {
    return this.#options.book.committed.sort()
  }

  start(): void {
    if (this.#running !== undefined) return
    const { hops, machine, name, random, time } = this.#options
    this.#lives += 1
    const process = simulatedProcess(time)
    const own = random.fork(`${name} ${this.#lives}`)
    const troubles = {
      process,
      random: own.fork('confirmations'),
      faults: this.#faults,
      isTroubled: () => this.isTroubled,
      onConfirmation: () => this.#crashSoon('confirmation sent', process),
    }
    const connection = openConnection({
      connect: async () => troubledConfirmations(await machine.dial(process), troubles),
      ports: { clock: process.clock, random: own, ...(hops === undefined ? {} : { hops }) },
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    })
    const producer = createProducer(connection, {
      group: TRANSACTORS,
      checkBack: (_half, { body }) => this.#checkBack(process, JSON.parse(body.toString()) as Body),
    })
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
      const id = `${this.#options.name}/t/${this.#next}`
      this.#next += 1
      await this.#transact(running, id)
    }
    if (!running.process.isDead) this.#isWorking = false
  }

  async #transact({ connection, process, producer }: Running, id: string): Promise<void> {
    const { recorder, topic } = this.#options
    const mood = this.#draw(MOODS) ?? MOODS[0]
    this.#crashAt = this.#chance(3) ? (this.#draw(CRASHES) ?? 'nowhere') : 'nowhere'
    recorder.record({ kind: 'transaction', id })
    this.#count('guest operations')
    try {
      const options = { shardingKey: 't' }
      const sent = producer.sendInTransaction(topic, { id, padding: '' }, options, () =>
        this.#local(process, id, mood),
      )
      this.#crashSoon('half sent', process)
      const { half, outcome } = await sent
      this.#count(`outcome ${outcome}`)
      if (outcome === 'unknown') return
      recorder.record({ kind: 'confirmed', id, told: outcome })
      if (this.#chance(3)) await this.#contradict(connection, id, { half, outcome })
    } catch (error) {
      if (!ClientError.is(error)) throw error
      this.#count(`transaction ${error.code}`)
    }
  }

  async #local(process: SimulatedProcess, id: string, mood: Mood): Promise<Decision> {
    if (this.#crashes('before the book', process)) return never()
    const entry = this.#options.book.settle(id, this.isTroubled ? mood.entry : 'commit')
    if (this.#crashes('after the book', process)) return never()
    if (!this.isTroubled || mood.says === 'so') return this.#say(id, entry)
    if (mood.says === 'throws') throw new LocalStepFailed('the local step failed on purpose')
    return 'unknown'
  }

  async #checkBack(process: SimulatedProcess, { id }: Body): Promise<Decision> {
    this.#count('check-backs')
    if (this.isTroubled && this.#chance(8)) this.#crashAt = 'check-back'
    if (this.#crashes('check-back', process)) return never()
    // A half without an entry is one whose local step was never made: it never will be.
    return this.#say(id, this.#options.book.settle(id, 'rollback'))
  }

  #say(id: string, decision: Decision): Decision {
    if (decision !== 'unknown')
      this.#options.recorder.record({ kind: 'decision-asked', id, decision })
    return decision
  }

  /** Confirms what is decided once more, the other way round as well: it must not matter. */
  async #contradict(
    connection: Connection,
    id: string,
    { half, outcome }: { half: Half; outcome: Outcome },
  ): Promise<void> {
    const decision = this.#chance(3) ? outcome : outcome === 'commit' ? 'rollback' : 'commit'
    this.#count(decision === outcome ? 'confirmations repeated' : 'confirmations contrary')
    const { code, payload, remark } = await connection.request(endTransaction, {
      topic: this.#options.topic.name,
      producerGroup: TRANSACTORS,
      tranStateTableOffset: half.position,
      commitLogOffset: half.position,
      decision,
      fromTransactionCheck: false,
      msgId: half.transactionId,
      transactionId: half.transactionId,
    })
    const told = payload?.outcome
    const isTold = code === ResponseCode.SUCCESS || code === ResponseCode.ALREADY_DECIDED
    const { recorder } = this.#options
    if (isTold && told !== undefined && told !== 'unknown')
      recorder.record({ kind: 'confirmed', id, told })
    else if (remark?.startsWith('Find prepared') === true)
      recorder.record({ kind: 'confirmed', id, told: 'forgotten' })
  }

  /** True when it crashes here; what called is not to go on. */
  #crashes(at: CrashAt, process: SimulatedProcess): boolean {
    if (this.#crashAt !== at || !this.isTroubled || process.isDead) return false
    this.#crashAt = 'nowhere'
    this.#count(`crashed at: ${at}`)
    this.#options.onCrash(this)
    return true
  }

  /** Crashes while that is under way: before it arrives, after it, or after its answer. */
  #crashSoon(at: CrashAt, process: SimulatedProcess): void {
    if (this.#crashAt !== at) return
    this.#options.time.plan(below(this.#random, 50) / 10, () => this.#crashes(at, process))
  }

  #chance(oneIn: number): boolean {
    return below(this.#random, oneIn) === 0
  }

  #draw<A>(from: readonly A[]): A | undefined {
    return from[below(this.#random, from.length)]
  }

  #count(what: string): void {
    this.#faults[what] = (this.#faults[what] ?? 0) + 1
  }
}

/** A step of a process that is gone. */
const never = <A>(): Promise<A> => new Promise(() => undefined)
