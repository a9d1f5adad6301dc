/**
 * The broker: the only place that builds its parts and joins them. It opens its log, computes its
 * state from it, serves channels, and closes in order. User code never runs in here.
 */
import type { Cancel, Channel, Fold } from '@sagalog/kernel'
import {
  type Folds,
  type Log,
  type LogOptions,
  openFolds,
  openLog,
  type RecoveryReport,
  type RetentionReport,
} from '@sagalog/log-core'
import { type BrokerStatusResponse, type Command, uniqueIds } from '@sagalog/protocol'
import { AssignedGroups } from './assigned-groups.js'
import { CheckBack } from './check-back.js'
import type { Core, State } from './core.js'
import { BrokerError } from './errors.js'
import { CommitKeysFold } from './folds/commit-keys.js'
import { HalvesFold } from './folds/halves.js'
import { LeasesFold } from './folds/leases.js'
import { PlacesFold } from './folds/places.js'
import { ProducersFold } from './folds/producers.js'
import { QueuesFold } from './folds/queues.js'
import { ResetsFold } from './folds/resets.js'
import { StreamStatesFold } from './folds/stream-states.js'
import { StreamsFold } from './folds/streams.js'
import { TimersFold } from './folds/timers.js'
import { TopicsFold } from './folds/topics.js'
import { HeldPulls } from './held-pulls.js'
import { HeldReads } from './held-reads.js'
import { Members, placeOwner } from './members.js'
import { type BrokerMetrics, metricsOf } from './metrics.js'
import { Notices } from './notices.js'
import { type BrokerOptions, type Settings, settingsOf } from './options.js'
import { Outbox } from './outbox.js'
import { QueueLocks } from './queue-locks.js'
import { serve } from './receive.js'
import { Retention } from './retention.js'
import { RetentionAccount } from './retention-account.js'
import { statusOf } from './requests/broker-status.js'
import { farewell } from './requests/heartbeat.js'
import { notify } from './requests/lease-queues.js'
import { Sequencer } from './sequence.js'
import { Tally } from './tally.js'
import { type OnServed, timedChannel } from './timed-channel.js'
import { TimerLoop } from './timer-loop.js'

export interface Broker {
  /** Serves the other end of a channel until it closes. */
  accept(channel: Channel<Command>): void
  status(): BrokerStatusResponse
  /** What it counts and what stands right now; rejects when the log can't be read. */
  metrics(): Promise<BrokerMetrics>
  /** Writes the live facts to the tail of the log. */
  restate(): Promise<void>
  /** Saves the folds, so that the next start reads less. */
  checkpoint(): Promise<void>
  /**
   * Lets go what may go by the options, and rewrites segments of which little is needed; undefined
   * when there was nothing. It also runs by itself where `retention` is an option.
   */
  retain(): Promise<RetentionReport | undefined>
  /** Set when the log failed: nothing is acknowledged any more. */
  readonly failure: Error | undefined
  /** `listener` is called when the log fails, at once when it has. */
  onFailure(listener: (failure: Error) => void): void
  /** `listener` is told what an operator should know of, though the broker goes on. */
  onNotice(listener: (notice: Error) => void): void
  /** What recovery found in the log. */
  readonly report: RecoveryReport
  /** Stops serving, writes what is in hand, and gives the directory back. */
  close(): Promise<void>
}

/**
 * Opens the broker in a directory and computes its state from the log there.
 * @throws LogError when the directory is in use, unwritable or damaged; BrokerError for bad
 * options.
 */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const settings = settingsOf(options)
  const notices = new Notices()
  const log = await openLog(logOptions(options, settings, notices))
  try {
    const state = newState()
    const folds = await openFolds({
      log,
      disk: options.disk,
      clock: options.clock,
      directory: options.directory,
      folds: Object.values(state) as Fold[],
    })
    state.queues.assertWhole()
    return new LiveBroker(options, settings, { log, folds, state, notices })
  } catch (error) {
    await log.close()
    throw error
  }
}

function logOptions(options: BrokerOptions, settings: Settings, notices: Notices): LogOptions {
  const { cacheBytes, clock, directory, disk, lock, scrub, segmentBytes } = options
  return {
    disk,
    clock,
    directory,
    durability: settings.durability,
    hops: settings.hops,
    ...(lock === undefined ? {} : { lock }),
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
    ...(scrub === undefined
      ? {}
      : { scrub: { ...scrub, onReport: (report) => notices.scrubbed(report) } }),
  }
}

/** Folds that know of nothing yet. */
export function newState(): State {
  return {
    topics: new TopicsFold(),
    queues: new QueuesFold(),
    places: new PlacesFold(),
    leases: new LeasesFold(),
    halves: new HalvesFold(),
    timers: new TimersFold(),
    streams: new StreamsFold(),
    streamStates: new StreamStatesFold(),
    commitKeys: new CommitKeysFold(),
    producers: new ProducersFold(),
    resets: new ResetsFold(),
  }
}

export class LiveBroker implements Broker {
  readonly core: Core
  private readonly checkBack: CheckBack
  readonly timers: TimerLoop
  private readonly retention: Retention
  private readonly channels = new Set<Channel<Command>>()
  private readonly failureListeners: ((failure: Error) => void)[] = []
  private readonly notices: Notices
  private readonly onServed: OnServed | undefined
  private savedAt: number
  private saving: Promise<void> | undefined
  private restating: Promise<void> | undefined
  private cancelExpiry: Cancel = () => undefined
  private isClosed = false
  private turns = 0

  constructor(
    options: BrokerOptions,
    settings: Settings,
    parts: { log: Log; folds: Folds; state: State; notices: Notices },
  ) {
    const { folds, log, state } = parts
    this.notices = parts.notices
    this.onServed = options.onServed
    const { clock, random } = options
    const { durability: level, hops } = settings
    this.core = {
      settings,
      clock,
      random,
      log,
      folds,
      state,
      sequencer: new Sequencer({ log, hops, level }),
      outbox: new Outbox(log, { level, hops }),
      members: new Members(),
      assigned: new AssignedGroups(),
      locks: new QueueLocks(),
      heldPulls: new HeldPulls({ clock, hops }),
      heldReads: new HeldReads(clock),
      tally: new Tally(),
      retention: new RetentionAccount(),
      uniqueId: uniqueIds(clock, random),
      turn: () => this.nextTurn(),
    }
    this.checkBack = new CheckBack(this.core)
    this.timers = new TimerLoop(this.core)
    this.retention = new Retention({
      core: this.core,
      restate: () => this.restate(),
      checkpoint: () => this.checkpoint(),
      onNotice: (notice) => this.notices.tell(notice),
    })
    this.savedAt = folds.savedAt
    this.join()
  }

  get failure(): Error | undefined {
    return this.core.log.failure
  }

  onFailure(listener: (failure: Error) => void): void {
    const { failure } = this.core.log
    if (failure === undefined) this.failureListeners.push(listener)
    else listener(failure)
  }

  onNotice(listener: (notice: Error) => void): void {
    this.notices.listen(listener)
  }

  get report(): RecoveryReport {
    return this.core.log.report
  }

  accept(channel: Channel<Command>): void {
    if (this.isClosed) {
      channel.close('the broker is closed')
      return
    }
    this.channels.add(channel)
    const { clock } = this.core
    const { onServed } = this
    const served = onServed === undefined ? channel : timedChannel(channel, clock, onServed)
    serve(this.core, served, () => this.channels.delete(channel))
  }

  status(): BrokerStatusResponse {
    return statusOf(this.core)
  }

  metrics(): Promise<BrokerMetrics> {
    return metricsOf(this.core, this.channels.size)
  }

  /** Whoever asks while one is under way gets the same one: it holds all that is not behind it. */
  restate(): Promise<void> {
    this.restating ??= this.restateOnce().finally(() => {
      this.restating = undefined
    })
    return this.restating
  }

  private async restateOnce(): Promise<void> {
    this.requireOpen()
    await this.core.folds.restate()
  }

  async checkpoint(): Promise<void> {
    this.requireOpen()
    await this.core.folds.checkpoint()
  }

  async retain(): Promise<RetentionReport | undefined> {
    this.requireOpen()
    return await this.retention.run({ rewrites: true })
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    this.checkBack.stop()
    this.timers.stop()
    this.retention.stop()
    this.cancelExpiry()
    this.core.heldPulls.clear()
    this.core.heldReads.clear()
    const { folds, log } = this.core
    if (log.failure === undefined) {
      await log.waitFor(log.watermark('memory'), 'os').catch(() => undefined)
      await this.saving
      await folds.checkpoint().catch(() => undefined)
    }
    for (const channel of this.channels) channel.close('the broker closes')
    await log.close()
  }

  /** Joins the parts: what a moved watermark, a new record and the passing of time set going. */
  private join(): void {
    const { heldPulls, heldReads, log, outbox, sequencer, state, tally } = this.core
    state.queues.onAppend = (queue) => heldPulls.grow(queue)
    state.streams.onAppend = (category) => heldReads.grow(category)
    state.places.onSettled = (place, topic, count) =>
      tally.acknowledged(placeOwner(place).group, topic, count)
    state.halves.onOpen = (half) => this.checkBack.plan(half, this.core.settings.checkAfterMs)
    state.timers.onOpen = (timer) => this.timers.plan(timer)
    log.onAdvance(() => this.advanced())
    // In memory durability nothing moves a watermark later, so an append is its own advance; it is
    // put off to the end of the turn, when the whole decision has been applied.
    let isPlanned = false
    sequencer.onAppended = () => {
      if (isPlanned) return
      isPlanned = true
      this.core.clock.defer(() => {
        isPlanned = false
        outbox.drain()
        heldPulls.wake()
        heldReads.wake()
      })
    }
    this.checkBack.start()
    this.timers.start()
    this.retention.start()
    this.expireLater()
  }

  private advanced(): void {
    const { heldPulls, heldReads, log, outbox, settings } = this.core
    outbox.drain()
    if (log.failure !== undefined) {
      for (const channel of this.channels) channel.close(`the log failed: ${log.failure.message}`)
      for (const listener of this.failureListeners.splice(0)) listener(log.failure)
      return
    }
    heldPulls.wake()
    heldReads.wake()
    const every = settings.checkpointEveryBytes
    if (every > 0 && log.watermark('sync') - this.savedAt >= every) this.saveLater()
  }

  private saveLater(): void {
    if (this.saving !== undefined || this.isClosed) return
    this.savedAt = this.core.log.watermark('memory')
    // A checkpoint is a cache: when it can't be written, the next start reads more.
    this.saving = this.core.folds
      .checkpoint()
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        this.saving = undefined
      })
  }

  private expireLater(): void {
    const { assigned, clock, members, settings } = this.core
    this.cancelExpiry = clock.after(settings.leaseMs / 4, () => {
      for (const group of members.expire(clock.monotonicMs())) notify(this.core, group, undefined)
      farewell(this.core, assigned.expire(clock.monotonicMs()))
      this.expireLater()
    })
  }

  private nextTurn(): number {
    this.turns = (this.turns + 1) % 0x4000_0000
    return this.turns
  }

  private requireOpen(): void {
    if (this.isClosed) throw new BrokerError('CLOSED')
    const { failure } = this.core.log
    if (failure === undefined) return
    throw new BrokerError('LOG_FAILED', { reason: failure.message }, { cause: failure })
  }
}
