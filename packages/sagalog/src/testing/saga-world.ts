/**
 * A world for sagas: the real broker on a simulated disk, two runtimes and the services as
 * processes that come and go, joined to it by bytes that are cut up anew, and a way for commands on
 * which they are doubled, delayed and lost. One seed and one list of faults give one run.
 */
import { type Broker, openBroker } from '@sagalog/broker'
import { type Connection, createConsumer, createProducer, ensureTopic } from '@sagalog/client'
import { openConnection, type Producer, type Received, type Topic, type Tx } from '@sagalog/client'
import { createEventStore } from '@sagalog/event-store'
import { below, type HopName, type Random } from '@sagalog/kernel'
import { type NodeClock, seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { simulatedDisk } from '@sagalog/log-core/testing'
import { commandChannel } from '@sagalog/protocol'
import { byteChannelPair } from '@sagalog/protocol/testing'
import { createSagaRuntime, forwardedProperties, type InboxMessage } from '@sagalog/saga'
import { type SagaDefinition, SagaProperty } from '@sagalog/saga'
import { commandOf, refusable, Refuse, type SagaRuntime, serveCommands } from '@sagalog/saga'
import { type Fault, type FaultClass, faultText } from './faults.js'
import { Ledger, type LedgerRules } from './ledger.js'
import {
  numberOf,
  type Simulated,
  simulatedSaga,
  type Site,
  type Stage,
  wireName,
} from './simulated-saga.js'

const SEGMENT_BYTES = 16 * 1024
const LEASE_MS = 3_000
/** What comes late comes after all that anybody waits for. */
const LATE_MS = 3_000
const RETRY_MS = 20
/** A world that takes longer hangs, milliseconds of its own time. */
const WORLD_MS_MAX = 60 * 60_000
/** How far the wall clock jumps ahead. */
const AHEAD_MS = 60 * 60_000
/**
 * How far it is set back: longer than leases, timeouts and retries last here. A broker that opens
 * again takes up its delays from that clock, as documented, so that they last so much longer, and a
 * world waits that out: no further, therefore, than it has to be.
 */
const BACK_MS = 2 * 60_000

export interface SagaWorldOptions {
  readonly seed: number
  readonly definition: SagaDefinition
  readonly services: Readonly<Record<string, Simulated>>
  readonly faults: readonly Fault[]
  readonly rules: LedgerRules
}

interface Process {
  readonly name: string
  readonly clock: NodeClock
  readonly connection: Connection
  readonly start: () => Promise<void>
}

/** The topics that services take commands from, children's included. */
function commandTopics(definition: SagaDefinition): readonly Topic<unknown>[] {
  const topics = new Map<string, Topic<unknown>>()
  for (const { action } of definition.steps) {
    if (action.kind === 'remote') topics.set(action.to.name, action.to)
    if (action.kind === 'child')
      for (const to of commandTopics(action.child)) topics.set(to.name, to)
  }
  return [...topics.values()]
}

function withChildren(definition: SagaDefinition): readonly SagaDefinition[] {
  const children = definition.steps.flatMap(({ action }) =>
    action.kind === 'child' ? withChildren(action.child) : [],
  )
  return [definition, ...children]
}

export class SagaWorld implements Stage {
  readonly ledger: Ledger
  /** What happened, in words, with the number of the saga that it concerns. */
  readonly story: { readonly saga: number; readonly text: string; readonly isFault: boolean }[] = []
  readonly reached = new Map<FaultClass, number>()
  readonly definition: SagaDefinition
  commits = 0
  readonly #options: SagaWorldOptions
  readonly #random: Random
  readonly #time
  readonly #disk
  readonly #brokers: Broker[] = []
  readonly #processes = new Map<string, Process>()
  readonly #channels: { close(reason: string): void }[] = []
  readonly #left: Fault[]
  #broker: { readonly broker: Broker; readonly clock: NodeClock } | undefined
  #kills = 0
  #links = 0
  /** How far the wall clock was set back in all: delays may last so much longer. */
  #setBackMs = 0

  constructor(options: SagaWorldOptions) {
    this.#options = options
    this.#left = [...options.faults]
    this.ledger = new Ledger(options.rules)
    this.#random = seededRandom(options.seed)
    this.#time = simulatedTime(this.#random.fork('time'))
    this.#disk = simulatedDisk({ time: this.#time, random: this.#random.fork('disk') })
    this.definition = simulatedSaga(options.definition, options.services, this)
  }

  // --- The stage: what happens when a step acts.

  #tell(saga: number, text: string, isFault = false): void {
    this.story.push({ saga, text, isFault })
  }

  isPlanned(kind: FaultClass, { saga, step, action }: Site): boolean {
    return this.#options.faults.some(
      (fault) =>
        fault.kind === kind &&
        fault.saga === saga &&
        fault.step === step &&
        fault.action === action,
    )
  }

  strikes(kind: FaultClass, { saga, step, action }: Site): boolean {
    const at = this.#left.findIndex(
      (fault) =>
        fault.kind === kind &&
        fault.saga === saga &&
        fault.step === step &&
        fault.action === action,
    )
    const fault = this.#left[at]
    if (fault === undefined) return false
    this.#left.splice(at, 1)
    this.reached.set(kind, (this.reached.get(kind) ?? 0) + 1)
    this.#tell(saga, faultText(fault), true)
    return true
  }

  async happen(site: Site): Promise<void> {
    this.#crashAt(site, false)
    this.#jumpAt(site)
    this.ledger.happen(site.key)
    this.#tell(site.saga, `${site.step} happens`)
    if (this.isPlanned('ambiguous', site)) this.strikes('ambiguous', site)
    this.#crashAt(site, true)
    await this.#pause(below(this.#random, 5))
  }

  async takeBack(site: Site): Promise<void> {
    this.#crashAt(site, false)
    this.#jumpAt(site)
    this.ledger.takeBack(site.key)
    this.#tell(site.saga, `${site.step} is taken back`)
    this.#crashAt(site, true)
    await this.#pause(below(this.#random, 5))
  }

  happenLate(site: Site): void {
    this.#time.plan(LATE_MS, () => {
      this.#tell(site.saga, `${site.step} happens, late`)
      this.ledger.happen(site.key)
    })
  }

  #jumpAt(site: Site): void {
    if (!this.strikes('clock-jump', site)) return
    const isAhead = below(this.#random, 2) === 0
    if (!isAhead) this.#setBackMs += BACK_MS
    this.#time.jumpWall(isAhead ? AHEAD_MS : -BACK_MS)
  }

  #crashAt(site: Site, isAfter: boolean): void {
    const fault = this.#left.find(
      (one) =>
        one.kind === 'crash' &&
        one.isAfter === isAfter &&
        one.saga === site.saga &&
        one.step === site.step &&
        one.action === site.action,
    )
    if (fault === undefined || !this.strikes('crash', site)) return
    if (fault.who === 'broker') return this.#crashBroker()
    if (fault.who === 'services') return this.#restart('services')
    this.#restart(below(this.#random, 2) === 0 ? 'runtime-1' : 'runtime-2')
  }

  // --- Processes.

  #crashBroker(): void {
    if (this.#broker === undefined) return
    this.#kills += 1
    this.#disk.crash()
    this.#broker.clock.kill()
    this.#broker = undefined
    for (const channel of this.#channels.splice(0)) channel.close('the power is gone')
    this.#time.plan(1 + below(this.#random, 200), () => this.#background(this.#openBroker()))
  }

  #restart(name: string): void {
    const process = this.#processes.get(name)
    if (process === undefined) return
    this.#kills += 1
    this.#processes.delete(name)
    process.clock.kill()
    process.connection.close()
    this.#time.plan(1 + below(this.#random, 200), () => this.#background(process.start()))
  }

  #background(work: Promise<unknown>): void {
    // A process whose power went while it started is started again by whoever took the power.
    work.catch(() => undefined)
  }

  async #openBroker(): Promise<void> {
    const clock = this.#time.nodeClock()
    const broker = await openBroker({
      disk: this.#disk.attach(clock),
      clock,
      random: this.#random.fork(`broker ${this.#kills}`),
      directory: '/data',
      segmentBytes: SEGMENT_BYTES,
      leaseMs: LEASE_MS,
      hops: {
        reach: (hop: HopName) => {
          if (hop === 'broker.commit') this.commits += 1
        },
      },
    })
    this.#brokers.push(broker)
    if (!clock.isDead) this.#broker = { broker, clock }
  }

  connect(name: string, clock: NodeClock = this.#time.nodeClock()): Connection {
    return openConnection({
      connect: async () => {
        const broker = this.#broker
        if (broker === undefined) throw new Error('nobody listens')
        this.#links += 1
        const [left, right] = byteChannelPair(this.#random.fork(`link ${this.#links}`))
        const [ours, theirs] = [commandChannel(left), commandChannel(right)]
        this.#channels.push(ours)
        broker.broker.accept(theirs)
        return ours
      },
      ports: { clock, random: this.#random.fork(`${name} ${this.#kills}`) },
    })
  }

  #process(name: string, start: () => Promise<void>): Connection {
    const clock = this.#time.nodeClock()
    const connection = this.connect(name, clock)
    this.#processes.set(name, { name, clock, connection, start })
    return connection
  }

  async #startRuntime(name: string): Promise<void> {
    const connection = this.#process(name, () => this.#startRuntime(name))
    const runtime: SagaRuntime = createSagaRuntime(connection, {
      sagas: withChildren(this.definition),
      instance: name,
      queues: 2,
      retryMs: RETRY_MS,
    })
    await runtime.start()
  }

  /** The services: what they do is in the ledger, and what they answered in their inbox. */
  async #startServices(): Promise<void> {
    const connection = this.#process('services', () => this.#startServices())
    for (const to of commandTopics(this.#options.definition)) {
      await serveCommands(connection, to, {
        group: `${to.name}-service`,
        instance: 'services',
        queues: 2,
        retryMs: RETRY_MS,
        run: (command, meta) =>
          refusable(async () => {
            const site: Site = { ...meta, saga: numberOf(meta.sagaId) }
            const { result, refusal = 'refused' } = this.#options.services[stepName(meta.step)] ?? {
              result: () => null,
            }
            if (this.strikes('refuse', site)) throw new Refuse(refusal)
            await this.happen(site)
            return result({ input: command, command })
          }),
        undo: async (_command, _done, meta) =>
          this.takeBack({ ...meta, saga: numberOf(meta.sagaId) }),
      }).start()
    }
  }

  /** The way that commands take. It is no process of the user's, and does not crash. */
  async #startWire(): Promise<void> {
    const connection = this.connect('wire')
    const consumer = createConsumer(connection, {
      group: 'wire',
      instance: 'wire',
      retryMs: RETRY_MS,
      attemptsMax: Number.MAX_SAFE_INTEGER,
    })
    const topics = commandTopics(this.#options.definition)
    for (const to of topics) {
      const wire = { ...to, name: wireName(to.name) }
      await ensureTopic(connection, wire, { queues: 2 })
      consumer.listen(wire, async (message, tx) => this.#passCommand(to, message, tx))
    }
    for (const { inbox } of topics.length === 0 ? [] : withChildren(this.definition)) {
      const wire = { ...inbox, name: wireName(inbox.name) }
      await ensureTopic(connection, wire, { queues: 2 })
      consumer.listen(wire, async (message, tx) => this.#passReply(inbox, message, tx))
    }
    if (topics.length > 0) await consumer.start()
    else connection.close()
  }

  #passCommand(to: Topic<unknown>, message: Received<unknown>, tx: Tx): void {
    const command = commandOf(message)
    const site: Site = { ...command, saga: numberOf(command.sagaId) }
    const properties = {
      ...forwardedProperties(message),
      [SagaProperty.replyTo]: wireName(command.replyTo),
    }
    const options = { shardingKey: command.laneKey, properties }
    const isLate = this.strikes('late', site)
    const delayMs = isLate ? LATE_MS : this.strikes('reorder', site) ? 30 : 0
    if (this.strikes('duplicate', site)) tx.send(to, message.body, options)
    if (delayMs === 0) return tx.send(to, message.body, options)
    const id = `${command.key}/${command.action}/${message.offset}`
    tx.schedule(id, delayMs, to, message.body, options)
  }

  /** Replies are lost, doubled and delayed too. */
  #passReply(inbox: Topic<InboxMessage>, message: Received<InboxMessage>, tx: Tx): void {
    const { body, key = '' } = message
    const { sagaId } = body
    const step = 'step' in body ? (body.step ?? '') : ''
    const action = body.kind === 'undone' ? 'undo' : 'run'
    const site: Site = { saga: numberOf(sagaId), sagaId, step, action, key: `${sagaId}/${step}` }
    if (body.kind === 'done' && this.isPlanned('ambiguous', site)) return
    const options = { shardingKey: key }
    if (this.strikes('duplicate', site)) tx.send(inbox, body, options)
    if (!this.strikes('reorder', site)) return tx.send(inbox, body, options)
    tx.schedule(`reply ${message.offset} ${message.queueId}`, 30, inbox, body, options)
  }

  async #startAll(): Promise<void> {
    await this.#openBroker()
    await this.#startServices()
    await this.#startWire()
    await this.#startRuntime('runtime-1')
    await this.#startRuntime('runtime-2')
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#time.plan(delayMs, resolve)
    })
  }

  /** Sends a start until it is known to be stored, as a caller that retries would. */
  async #keepStarting(producer: Producer, id: string, input: unknown): Promise<void> {
    const { inbox, input: codec } = this.definition
    const lane = this.definition.laneOf(input)
    const start = { kind: 'start' as const, sagaId: id, input: codec.encode(input) }
    for (;;) {
      try {
        const body = { ...start, lane, parent: undefined }
        await producer.send(inbox, body, { shardingKey: lane?.key ?? id })
        return
      } catch {
        await this.#pause(30)
      }
    }
  }

  /**
   * Starts the sagas, sends each its signals, and looks until all of them have ended or wait, or
   * until `withinMs`, and as long again as the wall clock was set back. Gives what `look` last saw.
   */
  async run<A>(
    inputs: ReadonlyMap<string, unknown>,
    {
      look,
      signals,
      withinMs,
    }: {
      readonly look: (connection: Connection) => Promise<{ isOver: boolean; seen: A }>
      readonly signals: Readonly<Record<string, unknown>>
      readonly withinMs: number
    },
  ): Promise<A> {
    await this.#until(this.#startAll())
    const connection = this.connect('audit')
    const producer = createProducer(connection, { group: 'starts' })
    const startedMs = this.#time.nowMs()
    const work = async (): Promise<A> => {
      for (const [id, input] of inputs) {
        await this.#keepStarting(producer, id, input)
        for (const [signal, value] of Object.entries(signals))
          await producer.send(
            this.definition.inbox,
            { kind: 'signal', sagaId: id, signal, value },
            { shardingKey: id },
          )
      }
      for (let pauseMs = 50; ; pauseMs = Math.min(5_000, pauseMs * 1.3)) {
        await this.#pause(pauseMs)
        const { isOver, seen } = await look(connection).catch(() => ({
          isOver: false,
          seen: undefined,
        }))
        const isLate = this.#time.nowMs() > startedMs + withinMs + this.#setBackMs
        if (seen !== undefined && (isOver || isLate)) {
          // Whatever is late may still come.
          if (this.reached.has('late')) await this.#pause(2 * LATE_MS)
          return seen
        }
      }
    }
    return this.#until(work())
  }

  store(connection: Connection) {
    return createEventStore(connection)
  }

  async #until<A>(work: Promise<A>): Promise<A> {
    let result: { readonly value: A } | { readonly cause: unknown } | undefined
    work.then(
      (value) => {
        result = { value }
      },
      (cause: unknown) => {
        result = { cause }
      },
    )
    const untilMs = this.#time.nowMs() + WORLD_MS_MAX
    const how = await this.#time.run({ untilMs, isDone: () => result !== undefined })
    if (result === undefined) throw new Error(`the simulated world is ${how}`)
    if ('cause' in result) throw result.cause
    return result.value
  }

  /** Replies that left before what they say was safe; there must be none. */
  get earlyReplies(): number {
    return this.#brokers.reduce((sum, broker) => sum + broker.status().earlyReplies, 0)
  }

  close(): void {
    for (const { connection, clock } of this.#processes.values()) {
      clock.kill()
      connection.close()
    }
    this.#broker?.clock.kill()
  }
}

const stepName = (name: string): string => name.split('#', 1)[0] ?? name
