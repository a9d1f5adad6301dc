/**
 * Keeps the schedules of one saga definition: one consumer over all instances, so that one of them
 * decides for a time. The start, the next time and the acknowledgement are one commit. The call
 * for the next time waits in the broker: it comes after a restart of everything, too.
 */
import { type Connection, createConsumer, createProducer, ensureTopic } from '@sagalog/client'
import { type Problem, topic, type Tx } from '@sagalog/client'
import { appendIn, type EventStore } from '@sagalog/event-store'
import { type Cancel, streamVersion } from '@sagalog/kernel'
import * as t from 'io-ts'
import {
  decideSchedule,
  evolveSchedule,
  type SagaSchedule,
  scheduleEvents,
  scheduleInitial,
} from './schedule.js'

const ScheduleMessage = t.type({
  schedule: t.string,
  /** The planned time that has come; undefined when an instance looks. */
  dueAtMs: t.union([t.number, t.undefined]),
})
type ScheduleMessage = t.TypeOf<typeof ScheduleMessage>

/** A time that came to an instance without the schedule is taken up by the next look. */
const LOOK_MS = 300_000
/** A decision needs no more of its stream than what was planned last and what came of it. */
const EVENTS_BACK = 4
/** Beyond the newest version of any schedule. */
const BEYOND = 2 ** 40

export interface ScheduleKeeperOptions {
  readonly store: EventStore
  /** Of one saga, each name once. */
  readonly schedules: readonly SagaSchedule[]
  readonly saga: string
  readonly instance: string
  readonly retryMs?: number
  readonly onProblem?: (problem: Problem) => void
}

export interface ScheduleKeeper {
  start(): Promise<void>
  close(): Promise<void>
}

/** The keeper of this instance. */
export function createScheduleKeeper(
  connection: Connection,
  { store, schedules, saga, ...options }: ScheduleKeeperOptions,
): ScheduleKeeper {
  const calls = topic(`saga-${saga}-schedules`, ScheduleMessage)
  const set = scheduleEvents(saga)
  const known = new Map(schedules.map((schedule) => [schedule.name, schedule]))
  const { clock } = connection.ports
  const producer = createProducer(connection, { group: calls.name })
  const consumer = createConsumer(connection, {
    group: calls.name,
    attemptsMax: Number.MAX_SAFE_INTEGER,
    ...options,
  })
  let cancelLook: Cancel = () => undefined

  async function handle(message: ScheduleMessage, tx: Tx): Promise<void> {
    const name = message.schedule
    const head = await store.read(set, name, { from: BEYOND })
    const from = Math.max(1, head.version - EVENTS_BACK + 1)
    const { events, version } = await store.read(set, name, { from })
    const state = events.reduce(evolveSchedule, scheduleInitial)
    const schedule = known.get(name)
    const decision = decideSchedule(schedule, state, message, clock.wallMs())
    if (decision.events.length === 0) return
    appendIn(tx, set, name, decision.events, { expected: streamVersion(version) })
    if (schedule !== undefined && decision.startFor !== undefined) {
      const { topic: inbox, body, shardingKey } = schedule.start(decision.startFor)
      tx.send(inbox, body, { shardingKey })
    }
    const { nextAtMs } = decision
    if (nextAtMs === undefined) return
    const call = { schedule: name, dueAtMs: nextAtMs }
    tx.send(calls, call, { shardingKey: name, deliverAtMs: nextAtMs })
  }
  consumer.listen(calls, async ({ body }, tx) => handle(body, tx), { order: 'orderly' })

  async function look(): Promise<void> {
    for (const { name } of schedules) {
      const call = { schedule: name, dueAtMs: undefined }
      await producer.send(calls, call, { shardingKey: name })
    }
  }
  function lookLater(): void {
    cancelLook = clock.after(LOOK_MS, () => {
      look().catch((cause: unknown) => options.onProblem?.({ what: 'look at schedules', cause }))
      lookLater()
    })
  }

  return {
    async start() {
      await ensureTopic(connection, calls, { queues: 1 })
      await store.ensureCategory(set, { queues: 1 })
      await consumer.start()
      await look()
      lookLater()
    },
    async close() {
      cancelLook()
      await consumer.close()
      producer.close()
    },
  }
}
