/**
 * The law of the folds: what a rebuild computes equals what lived, whatever was done, wherever a
 * restatement or a checkpoint fell, and with every checkpoint deleted.
 */
import {
  type Commit,
  emptyCommit,
  type Fold,
  leaseEpoch,
  type Position,
  position,
  queueOffset,
  type StreamState,
} from '@sagalog/kernel'
import type { Log } from '@sagalog/log-core'
import * as protocol from '@sagalog/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type LiveBroker, newState } from '../src/broker.js'
import type { State } from '../src/core.js'
import { FactFold } from '../src/folds/fact-fold.js'
import type { PositionList } from '../src/folds/position-list.js'
import type { Broker } from '../src/index.js'
import { type Caller, expectNoEarlyReplies, openWorld, uniqueKey } from './world.js'
import { wires, within, type World } from './world.js'

type Step =
  | { readonly kind: 'send'; readonly queueId: number }
  | { readonly kind: 'half' }
  | {
      readonly kind: 'numbered'
      readonly producer: number
      readonly how: 'plain' | 'half' | 'delayed'
      /** So many numbers back: 0 is a new send. */
      readonly back: number
    }
  | { readonly kind: 'decide'; readonly pick: number; readonly decision: 'commit' | 'rollback' }
  | { readonly kind: 'lease'; readonly instance: string }
  | { readonly kind: 'ack'; readonly pick: number }
  | { readonly kind: 'append'; readonly stream: string; readonly key: string | undefined }
  | { readonly kind: 'close'; readonly stream: string; readonly state: StreamState }
  | { readonly kind: 'timer'; readonly id: string; readonly delayMs: number }
  | { readonly kind: 'cancel'; readonly id: string }
  | { readonly kind: 'delayed'; readonly level: number }
  | { readonly kind: 'place'; readonly queueId: number; readonly offset: number }
  | { readonly kind: 'back'; readonly pick: number; readonly level: number }
  | { readonly kind: 'topic'; readonly isDeleted: boolean }
  | { readonly kind: 'restate' | 'checkpoint' | 'retain' | 'wait' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('send' as const), queueId: fc.nat({ max: 1 }) }),
  fc.record({ kind: fc.constant('half' as const) }),
  fc.record({
    kind: fc.constant('numbered' as const),
    producer: fc.integer({ min: 1, max: 3 }),
    how: fc.constantFrom('plain' as const, 'half' as const, 'delayed' as const),
    back: fc.constantFrom(0, 0, 0, 1, 3, 12),
  }),
  fc.record({
    kind: fc.constant('decide' as const),
    pick: fc.nat({ max: 20 }),
    decision: fc.constantFrom('commit' as const, 'rollback' as const),
  }),
  fc.record({ kind: fc.constant('lease' as const), instance: fc.constantFrom('a', 'b') }),
  fc.record({ kind: fc.constant('ack' as const), pick: fc.nat({ max: 20 }) }),
  fc.record({
    kind: fc.constant('append' as const),
    stream: fc.constantFrom('s1', 's2', 's3'),
    key: fc.constantFrom(undefined, undefined, 'k1', 'k2'),
  }),
  fc.record({
    kind: fc.constant('close' as const),
    stream: fc.constantFrom('s1', 's2', 's3'),
    state: fc.constantFrom('archived' as const, 'open' as const, 'open' as const),
  }),
  fc.record({
    kind: fc.constant('timer' as const),
    id: fc.constantFrom('t1', 't2', 't3'),
    delayMs: fc.constantFrom(5, 50, 100_000),
  }),
  fc.record({ kind: fc.constant('cancel' as const), id: fc.constantFrom('t1', 't2', 't3') }),
  fc.record({ kind: fc.constant('delayed' as const), level: fc.constantFrom(1, 5) }),
  fc.record({
    kind: fc.constant('place' as const),
    queueId: fc.nat({ max: 1 }),
    offset: fc.nat({ max: 9 }),
  }),
  fc.record({
    kind: fc.constant('back' as const),
    pick: fc.nat({ max: 20 }),
    level: fc.constantFrom(-1, 0, 1),
  }),
  fc.record({ kind: fc.constant('topic' as const), isDeleted: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('restate' as const, 'checkpoint' as const, 'wait' as const) }),
  fc.record({ kind: fc.constantFrom('retain' as const) }),
)

/** The texts of each fold, independent of the order in which its entries came. */
function digest(state: State): Record<string, string[]> {
  const texts: Record<string, string[]> = {
    queues: [...state.queues.all()].map(
      ({ topic, queueId, positions }) => `${topic} ${queueId}: ${listed(positions)}`,
    ),
    streams: [...state.streams.everyStream()].map(
      ({ category, positions }) => `${category} ${positions.stream}: ${listed(positions)}`,
    ),
  }
  for (const fold of Object.values(state) as Fold[]) {
    if (!(fold instanceof FactFold)) continue
    texts[fold.name] = [...fold.restate()].map((draft) => {
      const body = Buffer.alloc(draft.bytes)
      draft.encodeAt(body, 0, position(0))
      return `${draft.kind} ${body.toString('hex')}`
    })
  }
  for (const list of Object.values(texts)) list.sort()
  return texts
}

const listed = (positions: PositionList): string =>
  Array.from({ length: positions.length }, (_, index) =>
    index < positions.start ? '-' : positions.at(index),
  ).join(' ')

const stateOf = (broker: Broker): State => (broker as LiveBroker).core.state

/** A save that is asked for its chunks while the broker works, as a checkpoint does. */
class SlowSave {
  private readonly log: Log
  private readonly end: Position
  private readonly saves: { fold: Fold; chunks: Iterator<Buffer> }[]
  private readonly loaded = newState()

  constructor(broker: Broker) {
    const { log, state } = (broker as LiveBroker).core
    this.log = log
    this.end = log.watermark('memory')
    this.saves = Object.values(state).map((fold: Fold) => ({ fold, chunks: fold.save(this.end) }))
  }

  /** Takes one chunk; false when there is none left. */
  advance(): boolean {
    const [first] = this.saves
    if (first === undefined) return false
    const chunk = first.chunks.next()
    if (chunk.done === true) this.saves.shift()
    else foldLike(this.loaded, first.fold).load(chunk.value)
    return true
  }

  /** What a start from this save and the tail of the log would know. */
  async restart(): Promise<Record<string, string[]> | undefined> {
    while (this.advance());
    // No start takes a checkpoint from before a rewriting.
    if (this.log.wholeFrom > this.end) return undefined
    for await (const records of this.log.scan(this.end)) {
      for (const record of records)
        for (const fold of Object.values(this.loaded) as Fold[])
          if (fold.kinds.includes(record.kind)) fold.evolve(record)
    }
    return digest(this.loaded)
  }
}

function foldLike(state: State, { name }: Fold): Fold {
  const found = (Object.values(state) as Fold[]).find((fold) => fold.name === name)
  if (found === undefined) throw new Error(`no fold ${name}`)
  return found
}

class Driver {
  private readonly world: World
  private readonly caller: Caller
  private readonly halves: number[] = []
  private readonly epochs = new Map<string, number>()
  private readonly numbers = new Map<number, number>()
  private sent = 0

  constructor(world: World) {
    this.world = world
    this.caller = world.caller()
  }

  async start(): Promise<void> {
    for (const [topic, kind] of [
      ['T', 'message'],
      ['E', 'event'],
    ] as const) {
      const request = { topic, readQueues: 2, writeQueues: 2, perm: 6, kind }
      await this.caller.call(protocol.createTopic, request)
    }
  }

  /** Starts a step; steps overlap, as requests of many clients do. */
  begin(step: Step): void {
    const commit = (change: Partial<Commit>): void =>
      void this.caller.ask(protocol.commit, { ...emptyCommit, ...change })
    if (step.kind === 'send') this.send(step.queueId)
    else if (step.kind === 'half') this.half()
    else if (step.kind === 'numbered') this.numbered(step)
    else if (step.kind === 'decide') this.decide(step.pick, step.decision)
    else if (step.kind === 'lease') this.lease(step.instance)
    else if (step.kind === 'ack') this.ack(step.pick)
    else if (step.kind === 'delayed') this.delayed(step.level)
    else if (step.kind === 'place') this.place(step.queueId, step.offset)
    else if (step.kind === 'topic') this.topic(step.isDeleted)
    else if (step.kind === 'back') this.back(step.pick, step.level)
    else if (step.kind === 'append') {
      const event = { type: 'E', schema: 1, data: Buffer.from('{}') }
      const { key, stream } = step
      const appends = [{ category: 'E', stream, expected: 'any' as const, events: [event] }]
      commit(key === undefined ? { appends } : { appends, key })
    } else if (step.kind === 'close') {
      const { state, stream } = step
      const closing = { category: 'E', stream, expected: 'any' as const, state, reason: 'why' }
      commit({ closings: [closing] })
    } else if (step.kind === 'timer') {
      const message = { topic: 'T', body: Buffer.from(step.id) }
      commit({ timers: [{ id: step.id, delayMs: step.delayMs, message }] })
    } else if (step.kind === 'cancel') commit({ cancels: [step.id] })
    else if (step.kind === 'restate') void this.world.broker.restate().catch(() => undefined)
    else if (step.kind === 'retain') void this.world.broker.retain().catch(() => undefined)
    else if (step.kind === 'checkpoint') void this.world.broker.checkpoint().catch(() => undefined)
  }

  private request(queueId: number): protocol.SendMessageRequest {
    this.sent += 1
    return {
      producerGroup: 'P',
      topic: 'T',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId,
      sysFlag: 0,
      bornTimestampMs: 1,
      flag: 0,
      properties: '',
      reconsumeTimes: 0,
      body: Buffer.from(`m${this.sent}`),
    }
  }

  private send(queueId: number): void {
    void this.caller.ask(protocol.sendMessage, this.request(queueId))
  }

  private numbered({ back, how, producer }: Extract<Step, { kind: 'numbered' }>): void {
    const next = this.numbers.get(producer) ?? 0
    if (back === 0) this.numbers.set(producer, next + 1)
    const number = Math.max(0, back === 0 ? next : next - back)
    // Sends of which up to ten are under way.
    const span = Math.min(number, number % 11)
    const key = uniqueKey({ producer, number, span })
    const prefix =
      how === 'half'
        ? 'TRAN_MSG\u0001true\u0002PGROUP\u0001P\u0002'
        : how === 'delayed'
          ? 'DELAY\u00015\u0002'
          : ''
    const sysFlag = protocol.MessageSysFlag.SEQUENCED | (how === 'half' ? 4 : 0)
    const properties = `${prefix}UNIQ_KEY\u0001${key}\u0002`
    void this.caller.ask(protocol.sendMessage, { ...this.request(0), sysFlag, properties })
  }

  private delayed(level: number): void {
    const request = { ...this.request(0), properties: `DELAY\u0001${level}\u0002` }
    void this.caller.ask(protocol.sendMessage, request)
  }

  /** A topic comes and goes. */
  private topic(isDeleted: boolean): void {
    const request = { topic: 'D', readQueues: 2, writeQueues: 2, perm: 6, kind: 'message' } as const
    if (isDeleted) void this.caller.ask(protocol.deleteTopic, { topic: 'D', isForced: false })
    else void this.caller.ask(protocol.createTopic, request)
  }

  /** A group of RocketMQ's clients says where it stands. */
  private place(queueId: number, offset: number): void {
    const queue = { consumerGroup: 'R', topic: 'T', queueId }
    const request = { ...queue, commitOffset: queueOffset(offset) }
    void this.caller.ask(protocol.updateConsumerOffset, request)
  }

  /** One of them could not handle a message. */
  private back(pick: number, delayLevel: number): void {
    const { queues } = stateOf(this.world.broker)
    const positions = queues.find('T', 0)?.positions
    if (positions === undefined || positions.length === positions.start) return
    const at = positions.at(positions.start + (pick % (positions.length - positions.start)))
    const request = { position: at, group: 'R', delayLevel, maxReconsumeTimes: 2 }
    void this.caller.ask(protocol.sendBack, request)
  }

  private half(): void {
    const properties = `TRAN_MSG\u0001true\u0002PGROUP\u0001P\u0002UNIQ_KEY\u0001u${this.sent}\u0002`
    const request = { ...this.request(0), sysFlag: 4, properties }
    void this.caller.ask(protocol.sendMessage, request).then(({ payload }) => {
      if (payload !== undefined) this.halves.push(payload.queueOffset)
    })
  }

  private decide(pick: number, decision: 'commit' | 'rollback'): void {
    const half = this.halves[pick % Math.max(1, this.halves.length)]
    if (half === undefined) return
    void this.caller.ask(protocol.endTransaction, {
      topic: 'T',
      producerGroup: 'P',
      tranStateTableOffset: half,
      commitLogOffset: position(half),
      decision,
      fromTransactionCheck: false,
      msgId: '',
      transactionId: '',
    })
  }

  private lease(instance: string): void {
    const request: protocol.LeaseQueuesRequest = {
      group: 'G',
      instance,
      mode: 'clustering',
      topics: ['T'],
      held: [],
      from: 'first',
      leaving: false,
    }
    void this.caller.ask(protocol.leaseQueues, request).then(({ payload }) => {
      for (const { epoch, queueId } of payload?.grants ?? []) this.epochs.set(`${queueId}`, epoch)
    })
  }

  private ack(pick: number): void {
    const queueId = pick % 2
    const epoch = leaseEpoch(this.epochs.get(`${queueId}`) ?? 0)
    const queue = { group: 'G', topic: 'T', queueId }
    const ack = { ...queue, offset: queueOffset(pick >> 1) }
    void this.caller.ask(protocol.commit, {
      ...emptyCommit,
      leases: [{ ...queue, epoch }],
      acks: [ack],
    })
  }
}

/** What the runs came by, over both wires. */
const seen = {
  rolls: 0,
  restated: 0,
  checkpointed: 0,
  halves: 0,
  timers: 0,
  settled: 0,
  letGo: 0,
  freed: 0,
  producers: 0,
}

test.each(wires)('rebuilt equals lived, with callers over %s', async (wire) => {
  // What the bytes do to requests is soon seen; the folds are what needs many runs.
  const numRuns = wire === 'memory' ? 100 : 30
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 30, maxLength: 120 }),
      fc.nat(),
      fc.boolean(),
      fc.nat(),
      fc.boolean(),
      fc.constantFrom({ maxBytes: 0 }, { maxBytes: 3_000, capBytes: 6_000 }, {}),
      async (steps, seed, deletes, saveAt, savesSlowly, retention) => {
        const options = {
          wire,
          segmentBytes: 1_536,
          checkpointEveryBytes: 0,
          producersKept: 2,
          retention,
        }
        const world = await openWorld(seed, options)
        const driver = new Driver(world)
        await driver.start()
        let save: SlowSave | undefined
        for (const [index, next] of steps.entries()) {
          // There is one save at a time: the broker's own, or the slow one.
          if (savesSlowly && (next.kind === 'checkpoint' || next.kind === 'retain')) continue
          driver.begin(next)
          if (savesSlowly && index >= saveAt % steps.length) save ??= new SlowSave(world.broker)
          if (index % 3 === 0) save?.advance()
          if (next.kind === 'restate') seen.restated += 1
          if (next.kind === 'checkpoint') seen.checkpointed += 1
          if (next.kind === 'wait' || index % 7 === 0) await world.run(3)
        }
        await world.run(20)
        const lived = digest(stateOf(world.broker))
        const restarted = save === undefined ? undefined : await within(world.time, save.restart())
        if (restarted !== undefined) expect(restarted).toEqual(lived)
        const { retention: account } = (world.broker as LiveBroker).core
        seen.letGo += account.messagesLetGo
        seen.freed += account.segmentsRetired + account.segmentsRewritten
        seen.halves += lived['halves']?.length ?? 0
        seen.producers += lived['producers']?.length ?? 0
        seen.timers += lived['timers']?.length ?? 0
        seen.settled += world.broker.status().queues.filter((queue) => queue.watermark > 0).length
        const { sequenced } = world.broker.status().log
        seen.rolls += Math.floor(sequenced / options.segmentBytes)
        world.kill()
        if (deletes)
          for (const path of world.disk.paths())
            if (path.includes('checkpoint')) world.disk.removeFile(path)
        await world.reopen()
        expect(digest(stateOf(world.broker))).toEqual(lived)
        expectNoEarlyReplies()
      },
    ),
    { numRuns: Number(process.env['RUNS'] ?? numRuns) },
  )
})

test('the runs came by all that changes what is kept', () => {
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0)
})
