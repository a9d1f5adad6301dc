/** What a broker can be told, with its defaults, checked before anything is opened. */
import { type Clock, type Disk, type Hops, noHops, type Random } from '@sagalog/kernel'
import type { Durability } from '@sagalog/log-core'
import { hostBytes } from '@sagalog/protocol'
import { BrokerError } from './errors.js'
import {
  CHECKPOINT_EVERY_BYTES,
  GROUPS_MAX,
  PRODUCERS_KEPT,
  QUEUES_MAX,
  RETENTION_EVERY_MS,
  REWRITE_EVERY_MS,
  TOPICS_MAX,
} from './limits.js'
import type { OnServed } from './timed-channel.js'

export interface TransactionOptions {
  /** Age of a half message at its first check-back, milliseconds. Default 6,000. */
  readonly checkAfterMs?: number
  /** Time between two checks of a half, milliseconds. Default 30,000. */
  readonly checkEveryMs?: number
  /** Checks after which an undecided half is parked. Default 15. */
  readonly checksMax?: number
}

/** What is let go, and when. A message is in a segment of the log; whole segments grow old. */
export interface RetentionOptions {
  /** Messages go so long after their segment was closed, milliseconds. Default: never by age. */
  readonly maxAgeMs?: number
  /** The oldest messages go while the log has more bytes than this. Default: no bound. */
  readonly maxBytes?: number
  /**
   * What a group that stands in the topic has not settled: `keep` (default) keeps it, up to
   * `capBytes`; `expire` lets it go by the bounds above, as RocketMQ does.
   */
  readonly unread?: 'keep' | 'expire'
  /**
   * While the log has more bytes than this, the oldest messages go though a group has not settled
   * them: the group is moved on, counted and told of. Default: no cap.
   */
  readonly capBytes?: number
  /** Time from one look to the next, milliseconds. Default 60,000. */
  readonly everyMs?: number
  /**
   * Time between two rounds that rewrite segments of which little is needed, milliseconds. A round
   * reads up to half of the log. Default six hours.
   */
  readonly rewriteEveryMs?: number
  /** How fast segments are read and written at most, bytes a second. Default 64 MiB. */
  readonly bytesPerSecond?: number
}

/** Reads the closed segments again and again, so that damage is found before it is needed. */
export interface ScrubSettings {
  /** From the end of one round to the begin of the next, milliseconds. */
  readonly everyMs: number
  /** How fast at most, bytes a second. Default 64 MiB. */
  readonly bytesPerSecond?: number
}

export interface BrokerOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly directory: string
  /** How long to wait for a directory that another process has. Default: not at all. */
  readonly lock?: { readonly waitMs: number }
  /** What an acknowledgement promises: synced (default), handed to the OS, or in memory. */
  readonly durability?: Durability
  /** Bytes of one log segment. */
  readonly segmentBytes?: number
  /** Bytes of recent log kept in memory. */
  readonly cacheBytes?: number
  readonly hops?: Hops
  readonly transactions?: TransactionOptions
  /** How long a lease lasts without renewal, milliseconds. Default 10,000. */
  readonly leaseMs?: number
  /** Makes a topic at its first send. Default true. */
  readonly autoCreateTopics?: boolean
  /** Queues of a topic that is made so. Default 4. */
  readonly topicQueues?: number
  /**
   * Producers whose sends are known again when they are repeated: those that sent last. Default
   * 10,000.
   */
  readonly producersKept?: number
  /** Log bytes after which the folds are saved. Default 16 MiB; 0 saves at close only. */
  readonly checkpointEveryBytes?: number
  /** Told how long requests took, from their arrival to their replies; see `exportMetrics`. */
  readonly onServed?: OnServed
  /** Default: nothing is ever let go. */
  readonly retention?: RetentionOptions
  /** Default: nothing is read but what is asked for. */
  readonly scrub?: ScrubSettings
  /** Topics at most, with those that groups have for retries and dead letters. Default 100,000. */
  readonly topicsMax?: number
  /** Consumer groups at most; each instance of a broadcasting one counts. Default 100,000. */
  readonly groupsMax?: number
  /** The name and address that routes and message ids carry. */
  readonly name?: string
  readonly address?: { readonly host: string; readonly port: number }
}

export interface RetentionSettings {
  /** False when nothing was said of it: then it runs only when it is asked to. */
  readonly isOn: boolean
  readonly maxAgeMs: number | undefined
  readonly maxBytes: number | undefined
  readonly unread: 'keep' | 'expire'
  readonly capBytes: number | undefined
  readonly everyMs: number
  readonly rewriteEveryMs: number
  readonly bytesPerSecond: number | undefined
}

export interface Settings {
  readonly retention: RetentionSettings
  readonly durability: Durability
  readonly hops: Hops
  readonly checkAfterMs: number
  readonly checkEveryMs: number
  readonly checksMax: number
  readonly leaseMs: number
  readonly autoCreateTopics: boolean
  readonly topicQueues: number
  readonly producersKept: number
  readonly topicsMax: number
  readonly groupsMax: number
  readonly checkpointEveryBytes: number
  readonly name: string
  readonly host: string
  readonly port: number
  /** Host and port in the layout of stored messages. */
  readonly address: Buffer
}

function within(name: string, value: number, range: { low: number; high: number }): number {
  if (!Number.isFinite(value) || value < range.low || value > range.high) {
    const must = `a number from ${range.low} to ${range.high}`
    throw new BrokerError('OPTION_INVALID', { name, must, value })
  }
  return value
}

const DAY_MS = 86_400_000
const WHOLE = { low: 0, high: Number.MAX_SAFE_INTEGER }

function retentionOf(options: RetentionOptions | undefined): RetentionSettings {
  const given = options ?? {}
  const bound = (name: keyof RetentionOptions, low = 0): number | undefined => {
    const value = given[name]
    if (value === undefined) return undefined
    return within(`retention.${name}`, Number(value), { ...WHOLE, low })
  }
  const unread = given.unread ?? 'keep'
  if (unread !== 'keep' && unread !== 'expire') {
    const must = 'keep or expire'
    throw new BrokerError('OPTION_INVALID', { name: 'retention.unread', must, value: unread })
  }
  return {
    isOn: options !== undefined,
    maxAgeMs: bound('maxAgeMs'),
    maxBytes: bound('maxBytes'),
    unread,
    capBytes: bound('capBytes'),
    everyMs: bound('everyMs', 1) ?? RETENTION_EVERY_MS,
    rewriteEveryMs: bound('rewriteEveryMs', 1) ?? REWRITE_EVERY_MS,
    bytesPerSecond: bound('bytesPerSecond', 1),
  }
}

export function settingsOf(options: BrokerOptions): Settings {
  const transactions = options.transactions ?? {}
  const ms = { low: 1, high: DAY_MS }
  if (options.scrub !== undefined)
    within('scrub.everyMs', options.scrub.everyMs, { ...WHOLE, low: 1 })
  const queues = { low: 1, high: QUEUES_MAX }
  const host = options.address?.host ?? '127.0.0.1'
  const port = options.address?.port ?? 10_911
  return {
    retention: retentionOf(options.retention),
    durability: options.durability ?? 'sync',
    hops: options.hops ?? noHops,
    checkAfterMs: within('transactions.checkAfterMs', transactions.checkAfterMs ?? 6_000, ms),
    checkEveryMs: within('transactions.checkEveryMs', transactions.checkEveryMs ?? 30_000, ms),
    checksMax: within('transactions.checksMax', transactions.checksMax ?? 15, {
      low: 1,
      high: 1_000_000,
    }),
    leaseMs: within('leaseMs', options.leaseMs ?? 10_000, ms),
    autoCreateTopics: options.autoCreateTopics ?? true,
    topicQueues: within('topicQueues', options.topicQueues ?? 4, queues),
    producersKept: within('producersKept', options.producersKept ?? PRODUCERS_KEPT, {
      low: 1,
      high: 1_000_000,
    }),
    topicsMax: within('topicsMax', options.topicsMax ?? TOPICS_MAX, { ...WHOLE, low: 1 }),
    groupsMax: within('groupsMax', options.groupsMax ?? GROUPS_MAX, { ...WHOLE, low: 1 }),
    checkpointEveryBytes: within(
      'checkpointEveryBytes',
      options.checkpointEveryBytes ?? CHECKPOINT_EVERY_BYTES,
      { low: 0, high: Number.MAX_SAFE_INTEGER },
    ),
    name: options.name ?? 'sagalog',
    host,
    port,
    address: hostBytes(`${host}:${port}`),
  }
}
