/**
 * A broker's numbers as metrics of prom-client, read when they are scraped. What the broker counts
 * since it was opened or ever is a counter, what stands right now a gauge, how long syncs, requests
 * and handlers take a histogram. Names of topics and groups are labels; prom-client escapes them.
 */
import type { Broker, BrokerMetrics, OnServed } from '@sagalog/broker'
import type { OnHandled } from '@sagalog/client'
import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { OnSync } from './measured-disk.js'

export type MetricsSource = Pick<Broker, 'metrics'>

/** What is used of the module `prom-client`. */
interface Library {
  readonly Counter: typeof Counter
  readonly Gauge: typeof Gauge
  readonly Histogram: typeof Histogram
}
type Labels = Readonly<Record<string, string | number>>
type Row = readonly [labels: Labels, value: number]

interface Family {
  readonly kind: 'Counter' | 'Gauge'
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  rows(metrics: BrokerMetrics): readonly Row[]
}

interface Settable {
  reset(): void
  inc(labels: Record<string, string | number>, value: number): void
}

const alone = (value: number): readonly Row[] => [[{}, value]]
const GROUP_QUEUE = ['group', 'topic', 'queue'] as const
const GROUP_TOPIC = ['group', 'topic'] as const
const SECONDS = 1_000

const lagRows = (
  { lags }: BrokerMetrics,
  read: (row: BrokerMetrics['lags'][number]) => number,
): readonly Row[] =>
  lags.map((row) => [{ group: row.group, topic: row.topic, queue: row.queueId }, read(row)])

const trafficRows = (
  { traffic }: BrokerMetrics,
  read: (row: BrokerMetrics['traffic'][number]) => number,
): readonly Row[] => traffic.map((row) => [{ group: row.group, topic: row.topic }, read(row)])

const groupRows = (
  { groups }: BrokerMetrics,
  read: (row: BrokerMetrics['groups'][number]) => number,
): readonly Row[] => groups.map((row) => [{ group: row.group }, read(row)])

function heldUpRows(heldUp: BrokerMetrics['retention']['heldUp']): readonly Row[] {
  const counts = new Map<string, number>()
  for (const { group } of heldUp) counts.set(group, (counts.get(group) ?? 0) + 1)
  return [...counts].map(([group, count]) => [{ group }, count])
}

const FAMILIES: readonly Family[] = [
  {
    kind: 'Counter',
    name: 'sagalog_messages_stored_total',
    help: 'Messages that got a place in a queue, since the queue exists.',
    labels: ['topic', 'queue'],
    rows: ({ queues }) =>
      queues.map(({ messages, queueId, topic }) => [{ topic, queue: queueId }, messages]),
  },
  {
    kind: 'Counter',
    name: 'sagalog_messages_delivered_total',
    help: 'Messages handed to consumers since the start; those handed out again count again.',
    labels: GROUP_TOPIC,
    rows: (metrics) => trafficRows(metrics, ({ delivered }) => delivered),
  },
  {
    kind: 'Counter',
    name: 'sagalog_messages_delivered_bytes_total',
    help: 'Bytes of those messages, as they are stored.',
    labels: GROUP_TOPIC,
    rows: (metrics) => trafficRows(metrics, ({ deliveredBytes }) => deliveredBytes),
  },
  {
    kind: 'Counter',
    name: 'sagalog_messages_acknowledged_total',
    help: 'Messages settled since the start, or passed over by a reset.',
    labels: GROUP_TOPIC,
    rows: (metrics) => trafficRows(metrics, ({ acknowledged }) => acknowledged),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_group_lag_messages',
    help: 'Messages of a queue that a group has not settled.',
    labels: GROUP_QUEUE,
    rows: (metrics) => lagRows(metrics, ({ lag }) => lag),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_group_oldest_seconds',
    help: 'Age of the oldest message of a queue that a group has not settled; 0 without lag.',
    labels: GROUP_QUEUE,
    rows: (metrics) => lagRows(metrics, ({ oldestAgeMs }) => oldestAgeMs / SECONDS),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_group_members',
    help: 'Consumers of a group that are connected.',
    labels: ['group'],
    rows: (metrics) => groupRows(metrics, ({ members }) => members),
  },
  {
    kind: 'Counter',
    name: 'sagalog_group_retries_total',
    help: 'Messages that came to a group again through its retry topic, ever.',
    labels: ['group'],
    rows: (metrics) => groupRows(metrics, ({ retries }) => retries),
  },
  {
    kind: 'Counter',
    name: 'sagalog_group_dead_letters_total',
    help: 'Dead letters of a group, ever.',
    labels: ['group'],
    rows: (metrics) => groupRows(metrics, ({ deadLetters }) => deadLetters),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_group_dead_letters_waiting',
    help: 'Dead letters of a group that were neither sent again nor discarded.',
    labels: ['group'],
    rows: (metrics) => groupRows(metrics, ({ deadLettersWaiting }) => deadLettersWaiting),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_halves',
    help: 'Half messages that are not decided: asked for, or parked for a person.',
    labels: ['state'],
    rows: ({ halvesOpen, halvesParked }) => [
      [{ state: 'open' }, halvesOpen],
      [{ state: 'parked' }, halvesParked],
    ],
  },
  {
    kind: 'Gauge',
    name: 'sagalog_timers',
    help: 'Messages that wait for their time, retries among them.',
    labels: [],
    rows: ({ timersOpen }) => alone(timersOpen),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_queue_messages',
    help: 'Messages that a queue has now.',
    labels: ['topic', 'queue'],
    rows: ({ queues }) =>
      queues.map(({ kept, queueId, topic }) => [{ topic, queue: queueId }, kept]),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_topic_timers',
    help: 'Messages that wait for their time and go to the topic then.',
    labels: ['topic'],
    rows: ({ topics }) => topics.map(({ timers, topic }) => [{ topic }, timers]),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_topic_halves',
    help: 'Half messages without a decision that go to the topic when they are committed.',
    labels: ['topic'],
    rows: ({ topics }) => topics.map(({ halves, topic }) => [{ topic }, halves]),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_log_file_bytes',
    help: 'Bytes of the files of the log.',
    labels: [],
    rows: ({ retention }) => alone(retention.logBytes),
  },
  {
    kind: 'Counter',
    name: 'sagalog_messages_let_go_total',
    help: 'Messages that queues let go since the start.',
    labels: [],
    rows: ({ retention }) => alone(retention.messagesLetGo),
  },
  {
    kind: 'Counter',
    name: 'sagalog_group_passed_over_total',
    help: 'Messages let go since the start that the group had not settled.',
    labels: ['group'],
    rows: ({ retention }) =>
      retention.passedOver.map(({ group, messages }) => [{ group }, messages]),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_group_held_up_queues',
    help: 'Queues in which the group kept old messages at the last look, of a hundred at most.',
    labels: ['group'],
    rows: ({ retention }) => heldUpRows(retention.heldUp),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_connections',
    help: 'Connections that the broker serves.',
    labels: [],
    rows: ({ connections }) => alone(connections),
  },
  {
    kind: 'Counter',
    name: 'sagalog_early_replies_total',
    help: 'Replies that left before what they promise was durable. Never more than 0.',
    labels: [],
    rows: ({ earlyReplies }) => alone(earlyReplies),
  },
  {
    kind: 'Gauge',
    name: 'sagalog_log_undurable_bytes',
    help: 'Bytes that have their place in the log and are not durable yet.',
    labels: [],
    rows: ({ log }) => alone(log.sequenced - log.durable),
  },
  {
    kind: 'Counter',
    name: 'sagalog_log_bytes_total',
    help: 'Bytes written to the log since the start.',
    labels: [],
    rows: ({ log }) => alone(log.bytes),
  },
  {
    kind: 'Counter',
    name: 'sagalog_log_records_total',
    help: 'Records written to the log since the start.',
    labels: [],
    rows: ({ log }) => alone(log.records),
  },
]

/** Upper bounds in seconds, from a fast NVMe to a disk that is in trouble. */
const SYNC_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2]

/** Upper bounds in seconds, from a call in the process to a client that gave up. */
const REQUEST_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5]
/** Upper bounds in seconds, from a handler that only counts to one that calls others. */
const HANDLER_BUCKETS = [0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120]

/** What to hand to those who measure. */
export interface Observers {
  /** For `measuredDisk`. */
  readonly onSync: OnSync
  /** For the option of a broker of this name. */
  readonly onServed: OnServed
  /** For the option of a consumer of this name. */
  readonly onHandled: OnHandled
}

/**
 * Registers the metrics of a broker. Each scrape reads the broker once, whatever the number of
 * metrics. Gives what to hand out for the latencies, which are 0 without. Throws, as prom-client
 * does, when the registry has a metric of such a name.
 */
export function exportMetrics(
  library: Library,
  registry: Registry,
  source: () => MetricsSource | undefined,
): Observers {
  let reading: Promise<BrokerMetrics | undefined> | undefined
  // All metrics of one scrape are collected in one turn.
  const read = (): Promise<BrokerMetrics | undefined> => {
    reading ??= Promise.resolve(source()?.metrics()).finally(() => {
      reading = undefined
    })
    return reading
  }
  for (const { help, kind, labels, name, rows } of FAMILIES) {
    const options = {
      name,
      help,
      labelNames: [...labels],
      registers: [],
      async collect(this: Settable) {
        const metrics = await read()
        // What is gone since, a topic or a group, has no row any more.
        this.reset()
        for (const [own, value] of metrics === undefined ? [] : rows(metrics))
          this.inc({ ...own }, value)
      },
    }
    const isCounter = kind === 'Counter'
    registry.registerMetric(isCounter ? new library.Counter(options) : new library.Gauge(options))
  }
  return observersOf(library, [registry])
}

function observersOf(library: Library, registers: Registry[]): Observers {
  const syncs = new library.Histogram({
    name: 'sagalog_sync_seconds',
    help: 'How long durable writes and syncs of the log took.',
    buckets: SYNC_BUCKETS,
    registers,
  })
  const requests = new library.Histogram({
    name: 'sagalog_request_seconds',
    help: 'From the arrival of a request at the broker to the leaving of its reply.',
    labelNames: ['request'],
    buckets: REQUEST_BUCKETS,
    registers,
  })
  const handlers = new library.Histogram({
    name: 'sagalog_handler_seconds',
    help: 'How long handlers of consumers of this process ran, without their commits.',
    labelNames: ['group', 'topic', 'outcome'],
    buckets: HANDLER_BUCKETS,
    registers,
  })
  return {
    onSync: (ms) => syncs.observe(ms / SECONDS),
    onServed: (request, ms) => requests.observe({ request }, ms / SECONDS),
    onHandled: ({ group, ms, outcome, topic }) =>
      handlers.observe({ group, topic, outcome }, ms / SECONDS),
  }
}
