/**
 * A seeded world: a broker on its machine, producers, instances of one group, and a network between
 * them. It runs a plan under faults, then turns all faults off and demands that everything drains
 * within a bounded time, then reads the log cold. The same plan gives the same run.
 */
import { createTopic, ResponseCode } from '@sagalog/protocol'
import { below, type Hops, type Random } from '@sagalog/kernel'
import { openConnection, type Order } from '@sagalog/client'
import { openBroker } from '@sagalog/broker'
import { seededRandom, settle, simulatedTime, type SimulatedTime } from '@sagalog/kernel/testing'
import { BrokerMachine, LOG_DIRECTORY, type MachineSettings } from './broker-machine.js'
import { ConsumerNode, type Echo, EFFECTS } from './consumer-node.js'
import { type Counters, countersOf } from './counters.js'
import type { Failing } from './failing.js'
import type { Guest } from './guest.js'
import { ECHO_TOPIC, type LogContents, Recorder } from './history.js'
import { readLogContents } from './log-contents.js'
import { type Latency, type Network, simulatedNetwork } from './network.js'
import { KEYS, type Plan, type Step } from './plan.js'
import type { Poison } from './poison.js'
import { type SimulatedProcess, simulatedProcess } from './process-clock.js'
import { bodyTopic, ProducerNode } from './producer-node.js'
import { NodeStopped, WorldFailure } from './world-failure.js'

export const TOPIC = 'orders'
export const GROUP = 'takers'

const LIVENESS_MS = 120_000
const RESTART_MS = 40
const WALL_ASTRAY_MS_MAX = 40_000
const CALM: Latency = { usualMs: [0.05, 1], slowOneIn: 0, slowMs: 0 }
const ROUGH: Latency = { usualMs: [0.05, 2], slowOneIn: 60, slowMs: 40 }

export interface Population {
  readonly producers: number
  readonly instances: number
  readonly mode: 'clustering' | 'broadcasting'
  readonly order: Order
  readonly echo: Echo
  /** Other nodes, beside producers and instances. */
  readonly guestsOf?: (world: World) => readonly Guest[]
  /** Messages that fail by what they are. */
  readonly failing?: Failing
  /** Made anew for each run: messages that park their keys until they are cured. */
  readonly poisonOf?: () => Poison
  /** Checks after which an undecided half is parked. */
  readonly checksMax?: number
}

export interface Outcome {
  readonly recorder: Recorder
  readonly contents: LogContents
  readonly counters: Counters
  /** The run did not drain. */
  readonly failure?: WorldFailure
}

/** A run that came to no end: only what was seen is left. */
export interface Ended {
  readonly recorder: Recorder
  readonly failure: WorldFailure
}

export type { Guest } from './guest.js'

export interface WorldParts {
  readonly plan: Plan
  readonly population: Population
  /** Listens at the hops of one node, by its name; `broker` is the broker's. */
  readonly hopsOf?: (node: string, world: World) => Hops
}

export class World {
  readonly time: SimulatedTime
  readonly random: Random
  readonly network: Network
  readonly machine: BrokerMachine
  readonly producers: ProducerNode[] = []
  readonly instances: ConsumerNode[] = []
  readonly guests: Guest[] = []
  readonly recorder: Recorder
  readonly settings: MachineSettings
  readonly poison: Poison | undefined
  readonly #population: Population
  readonly reachedCounts = new Map<string, number>()
  #failure: WorldFailure | undefined
  #stepsUntilAudit = 0
  #wallStartMs: number | undefined

  constructor({ plan, population, hopsOf }: WorldParts) {
    const hopsFor = (node: string): { hops?: Hops } =>
      hopsOf === undefined ? {} : { hops: hopsOf(node, this) }
    const random = seededRandom(plan.seed)
    this.random = random.fork('world')
    this.time = simulatedTime(random.fork('time'))
    const { time } = this
    this.settings = plan.settings
    this.#population = population
    this.recorder = new Recorder(() => time.nowMs())
    this.network = simulatedNetwork({ time, random, latency: ROUGH })
    this.machine = new BrokerMachine({
      time,
      random,
      network: this.network,
      recorder: this.recorder,
      settings: plan.settings,
      ...(population.checksMax === undefined ? {} : { checksMax: population.checksMax }),
      onFailure: (error) => this.fail('boot', error),
      ...hopsFor('broker'),
    })
    const { machine, recorder, settings } = this
    const topic = bodyTopic(TOPIC, settings.topicQueues)
    const failing = population.failing === undefined ? {} : { failing: population.failing }
    this.poison = population.poisonOf?.()
    const poison = this.poison === undefined ? {} : { poison: this.poison }
    const shared = { time, machine, recorder, topic, ...failing, ...poison }
    for (let index = 0; index < population.producers; index += 1) {
      const own = { name: `p${index}`, random: random.fork(`producer ${index}`) }
      const { paddingMax } = plan
      this.producers.push(new ProducerNode({ ...shared, ...own, paddingMax, ...hopsFor(own.name) }))
    }
    for (let index = 0; index < population.instances; index += 1) {
      const { echo, mode, order } = population
      const own = { instance: `i${index}`, random: random.fork(`instance ${index}`) }
      const { leaseMs } = settings
      this.instances.push(
        new ConsumerNode({
          ...shared,
          ...own,
          ...{ group: GROUP, mode, order, echo, leaseMs },
          ...hopsFor(own.instance),
        }),
      )
    }
    this.guests.push(...(population.guestsOf?.(this) ?? []))
  }

  fail(promise: string, cause: unknown): void {
    const message = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    this.#failure ??= new WorldFailure(promise, message, { cause })
  }

  /** Counts a fault class that was really reached. */
  reached(what: string): void {
    this.reachedCounts.set(what, (this.reachedCounts.get(what) ?? 0) + 1)
  }

  /** Runs until `untilMs` or `isDone`; throws what went wrong meanwhile. */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    const { machine, time } = this
    let isOver = false
    const look = (): boolean => {
      machine.supervise()
      this.#stepsUntilAudit -= 1
      if (this.#stepsUntilAudit <= 0) {
        this.#stepsUntilAudit = 50
        machine.audit()
      }
      isOver = this.#failure !== undefined || isDone()
      return isOver
    }
    while (!(await this.#runOn(time.run({ untilMs, isDone: look })))) continue
    if (this.#failure !== undefined) throw this.#failure
    return isOver
  }

  /** False when a node was stopped in the middle of its work, and the world goes on without it. */
  async #runOn(running: Promise<unknown>): Promise<boolean> {
    try {
      await running
      return true
    } catch (error) {
      if (error instanceof NodeStopped) return false
      throw error
    }
  }

  /** Ends a node as a power loss does, from inside its own work; it starts again by itself. */
  stopNode(node: string): never {
    this.reached('stopped at a hop')
    if (node === 'broker') this.machine.stop('power', RESTART_MS)
    const producer = this.producers.find(({ name }) => name === node)
    producer?.crash((process) => this.cutOff(process))
    const instance = this.instances.find(({ name }) => name === node)
    instance?.crash((process) => this.cutOff(process))
    const guest = this.guests.find(({ name }) => name === node)
    guest?.crash((process) => this.cutOff(process))
    this.time.plan(RESTART_MS, () => {
      producer?.start()
      instance?.join()
      guest?.start()
    })
    throw new NodeStopped(node)
  }

  /** Moves simulated time forward by `ms`, also when nothing happens. */
  async pass(ms: number): Promise<void> {
    const { time } = this
    const untilMs = time.nowMs() + ms
    let isThere = false
    time.plan(ms, () => {
      isThere = true
    })
    await this.run(untilMs, () => isThere)
  }

  /** Starts the broker and makes the topics, before anything goes wrong. */
  async begin(): Promise<void> {
    this.jumpWall(0)
    this.machine.start()
    const process = simulatedProcess(this.time)
    const connection = openConnection({
      connect: () => this.machine.dial(process),
      ports: { clock: process.clock, random: this.random.fork('admin') },
      requestTimeoutMs: 5_000,
    })
    const queues = this.settings.topicQueues
    let made = 0
    const make = (topic: string, kind: 'message' | 'event', count: number): void => {
      const shape = { topic, readQueues: count, writeQueues: count, perm: 6, kind }
      connection.request(createTopic, shape).then(
        ({ code }) => {
          made += code === ResponseCode.SUCCESS ? 1 : 0
        },
        (error: unknown) => this.fail('begin', error),
      )
    }
    make(TOPIC, 'message', queues)
    make(ECHO_TOPIC, 'message', 1)
    make(EFFECTS, 'event', 2)
    if (!(await this.run(60_000, () => made === 3)))
      throw new WorldFailure('liveness', 'the topics were not made within a minute')
    connection.close()
    process.kill()
  }

  /** The plan under faults, then the end without faults; gives what did not drain. */
  async live(plan: Plan): Promise<WorldFailure | undefined> {
    await this.begin()
    for (const instance of this.instances.slice(0, 2)) instance.join()
    for (const [index, producer] of this.producers.entries())
      for (const key of [0, 1]) producer.send(`k${(index + key) % KEYS}`, plan.opening)
    for (const guest of this.guests) {
      guest.start()
      guest.work(plan.opening)
    }
    for (const { step, gapMs } of plan.steps) {
      this.apply(step)
      await this.pass(step.kind === 'wait' ? step.ms : gapMs)
    }
    return this.drain()
  }

  /** Moves the wall clocks of all machines; they never go too far astray. */
  jumpWall(byMs: number): void {
    const { recorder, time } = this
    const clock = time.nodeClock()
    const aheadMs = (): number => clock.wallMs() - Math.floor(time.nowMs())
    this.#wallStartMs ??= aheadMs()
    if (Math.abs(aheadMs() + byMs - this.#wallStartMs) > WALL_ASTRAY_MS_MAX) return
    time.jumpWall(byMs)
    if (byMs !== 0) this.reached(byMs > 0 ? 'wall clock moved on' : 'wall clock set back')
    recorder.record({ kind: 'wall', aheadMs: aheadMs() })
  }

  /** Ends a guest as a crash does; it starts again after `downMs`. */
  crashGuest(guest: Guest | undefined, downMs = RESTART_MS): void {
    guest?.crash((process) => this.cutOff(process))
    this.time.plan(downMs, () => guest?.start())
  }

  cutOff(process: SimulatedProcess): void {
    for (const link of this.network.linksOf(process)) link.cut('the peer died')
  }

  apply(step: Step): void {
    const { guests, instances, machine, producers, time } = this
    if (step.kind !== 'nothing' && step.kind !== 'wait') this.reached(step.kind)
    switch (step.kind) {
      case 'nothing':
      case 'wait':
        return
      case 'send':
        producers[step.producer % producers.length]?.send(`k${step.key}`, step.count)
        return
      case 'power-loss':
        return this.#stopBroker('power', step)
      case 'broker-kill':
        return this.#stopBroker('kill', step)
      case 'cut':
        for (const link of this.#linksOfNode(step.node)) link.cut('the network was cut')
        return
      case 'half-open':
        for (const link of this.#linksOfNode(step.node)) link.swallow(step.direction)
        return
      case 'restate':
        return machine.restate()
      case 'retain':
        // Until its group stands everywhere, nobody keeps the messages that it is to get.
        return this.#isTaken() ? machine.retain() : undefined
      case 'checkpoint':
        return machine.checkpoint()
      case 'delete-checkpoints':
        return machine.deleteCheckpointsAtRestart()
      case 'fail-sync':
        return machine.disk.failNextSync()
      case 'disk-full':
        machine.disk.setCapacity(0)
        return time.plan(step.forMs, () => machine.disk.setCapacity(undefined))
      case 'slow-disk':
        machine.disk.setSlow(3, 30)
        return time.plan(step.forMs, () => machine.disk.setSlow(0, 0))
      case 'producer-crash': {
        const producer = producers[step.node % producers.length]
        producer?.crash((process) => this.cutOff(process))
        return time.plan(step.downMs, () => producer?.start())
      }
      case 'instance-join':
        return instances[step.node % instances.length]?.join()
      case 'instance-leave':
        return instances[step.node % instances.length]?.leave()
      case 'instance-crash': {
        const instance = instances[step.node % instances.length]
        instance?.crash((process) => this.cutOff(process))
        return time.plan(step.downMs, () => instance?.join())
      }
      case 'instance-pause': {
        const forMs = step.leases * this.settings.leaseMs
        return instances[step.node % instances.length]?.pause(forMs)
      }
      case 'instance-stall':
        return instances[step.node % instances.length]?.stallNextHandler()
      case 'wall-jump':
        return this.jumpWall(step.byMs)
      case 'guest-work':
        return guests[step.node % guests.length]?.work(step.count)
      case 'guest-crash':
        return this.crashGuest(guests[step.node % guests.length], step.downMs)
    }
  }

  #stopBroker(how: 'kill' | 'power', step: { downMs: number; calls: number }): void {
    if (step.calls === 0) this.machine.stop(how, step.downMs)
    else this.machine.stopAtCall(how, step)
  }

  #linksOfNode(node: number): ReturnType<Network['linksOf']> {
    const nodes = [...this.producers, ...this.instances, ...this.guests]
    const process = nodes[node % nodes.length]?.process
    return process === undefined ? [] : this.network.linksOf(process)
  }

  /** No fault from here on; what is broken is mended as an operator would. */
  heal(): void {
    const { disk } = this.machine
    this.machine.disarm()
    disk.setCapacity(undefined)
    disk.setSlow(0, 0)
    this.network.setLatency(CALM)
    this.machine.start()
    for (const producer of this.producers) producer.start()
    for (const guest of this.guests) {
      guest.isTroubled = false
      guest.start()
    }
    for (const instance of this.instances) {
      instance.isTroubled = false
      instance.process?.resume()
      instance.join()
      const { process } = instance
      if (process === undefined || below(this.random, 2) === 0) continue
      // A half-open connection is found out by its silence, or by a reset.
      for (const link of this.network.linksOf(process)) link.cut('reset')
    }
  }

  /** True when every send ended and every queue is settled to its end by all who take it. */
  isDrained(): boolean {
    const { broker } = this.machine
    const senders = [...this.producers, ...this.guests]
    if (broker === undefined || !senders.every(({ isIdle }) => isIdle)) return false
    const status = broker.status()
    if (status.halvesOpen > 0 || status.timersOpen > 0) return false
    return this.#placesWanted().every((group) => {
      const places = status.queues.filter((queue) => queue.group === group)
      const ofTopic = places.filter(({ topic }) => topic === TOPIC)
      if (ofTopic.length < this.settings.topicQueues) return false
      return places.every((place) => place.watermark === place.maxOffset)
    })
  }

  /** True when everybody who is to get all messages has a place in every queue. */
  #isTaken(): boolean {
    const queues = this.machine.broker?.status().queues ?? []
    return this.#placesWanted().every((group) => {
      const places = queues.filter((place) => place.group === group && place.topic === TOPIC)
      return places.length === this.settings.topicQueues
    })
  }

  #placesWanted(): string[] {
    const { instances, mode } = this.#population
    if (instances === 0) return []
    if (mode === 'clustering') return [GROUP]
    return this.instances.map((_, index) => `${GROUP}\u0001i${index}`)
  }

  /** Everything must drain now that nothing goes wrong any more; gives what did not. */
  async drain(): Promise<WorldFailure | undefined> {
    this.heal()
    // A sync that is still to fail does so now, and not while the run is being read.
    this.machine.checkpoint()
    await this.pass(200)
    const untilMs = this.time.nowMs() + LIVENESS_MS
    while (this.time.nowMs() < untilMs) {
      for (const instance of this.instances) instance.join()
      await this.pass(50)
      if (this.isDrained()) return undefined
    }
    const status = this.machine.broker?.status()
    const isIdle = this.producers.map((producer) => producer.isIdle)
    const text = JSON.stringify({ isUp: this.machine.isUp, isIdle, status })
    return new WorldFailure(
      'liveness',
      `not drained after ${LIVENESS_MS} ms without faults: ${text}`,
    )
  }

  /** Closes, opens cold without checkpoints, compares, and reads the log. */
  async autopsy(isDrained: boolean): Promise<LogContents> {
    const { machine, time } = this
    machine.audit()
    const lived = JSON.stringify(sorted(machine.broker?.status().queues ?? []))
    const {
      machine: { process: own },
    } = this
    await this.#finish(machine.close())
    for (const path of machine.disk.paths())
      if (path.endsWith('.ckpt')) machine.disk.removeFile(path)
    own?.kill()
    const cold = simulatedProcess(time)
    const ports = { disk: machine.disk.attach(cold.nodeClock), clock: cold.clock }
    const { segmentBytes, cacheBytes } = this.settings
    const options = { ...ports, directory: LOG_DIRECTORY, segmentBytes, cacheBytes }
    const broker = await this.#finish(openBroker({ ...options, random: this.random.fork('cold') }))
    const rebuilt = JSON.stringify(sorted(broker.status().queues))
    if (isDrained && lived !== rebuilt)
      throw new WorldFailure('rebuild', `lived ${lived}\nbut a rebuild gives ${rebuilt}`)
    await this.#finish(broker.close())
    const { archive } = machine
    const contents = await this.#finish(readLogContents({ ...options, archive }))
    cold.kill()
    return contents
  }

  /** Runs the world until a promise of the test itself has settled. */
  async #finish<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const seen = promise.finally(() => {
      isSettled = true
    })
    seen.catch(() => undefined)
    if (!(await this.run(this.time.nowMs() + 60_000, () => isSettled)))
      throw new WorldFailure('liveness', 'closing or opening did not end within a minute')
    return seen
  }
}

function sorted<Queue extends { group: string; topic: string; queueId: number }>(
  queues: readonly Queue[],
): Queue[] {
  const nameOf = (queue: Queue): string => `${queue.group} ${queue.topic} ${queue.queueId}`
  return [...queues].sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1))
}

/**
 * Runs a plan from its start to the reading of its log. A run that did not drain is read as well:
 * its failure may be the echo of another broken promise.
 */
export async function runPlan(parts: WorldParts): Promise<Outcome | Ended> {
  const world = new World(parts)
  const { recorder } = world
  try {
    const failure = await world.live(parts.plan)
    const contents = await world.autopsy(failure === undefined)
    await settle()
    const outcome = { recorder, contents, counters: countersOf(world, contents) }
    return failure === undefined ? outcome : { ...outcome, failure }
  } catch (error) {
    if (!(error instanceof WorldFailure)) throw error
    return { recorder, failure: error }
  }
}
