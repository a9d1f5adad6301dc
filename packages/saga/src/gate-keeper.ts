/**
 * Keeps the gates of all sagas: one consumer over all instances, so that one instance at a time
 * decides for a gate. What it decides, the grants it sends and the message it answers are one
 * commit. A gate is read from its last whole
 * state on, which is written again and again.
 */
import { type Connection, type Consumer, createConsumer, ensureTopic } from '@sagalog/client'
import { type Problem, type Topic, topic } from '@sagalog/client'
import { appendIn, type EventStore } from '@sagalog/event-store'
import { streamVersion } from '@sagalog/kernel'
import {
  acquire,
  counted,
  evolveGate,
  type GateDecision,
  GateEvents,
  gateInitial,
  type GateState,
  release,
  tick,
} from './gate.js'
import { type Asking, type GateMessage, Gates } from './gate-messages.js'
import { InboxMessage } from './inbox.js'
import { createTenures } from './tenures.js'

/** After so many events the whole state is written once more. */
const SNAPSHOT_EVENTS = 256
const QUEUES = 8

interface Gate {
  readonly state: GateState
  readonly version: number
}

interface Kept extends Gate {
  readonly tenure: number
}

/** Beyond the newest version of any gate. */
const BEYOND = 2 ** 40

/** Reads no further back than the last whole state. */
async function readGate(store: EventStore, gate: string): Promise<Gate> {
  const head = await store.read(GateEvents, gate, { from: BEYOND })
  const from = Math.max(1, head.version - 2 * SNAPSHOT_EVENTS)
  const { events, version } = await store.read(GateEvents, gate, { from })
  const last = events.findLastIndex(({ type }) => type === 'Counted')
  const since =
    last < 0 && from > 1
      ? (await store.read(GateEvents, gate)).events
      : events.slice(Math.max(0, last))
  return { state: since.reduce(evolveGate, gateInitial), version }
}

function decide(state: GateState, message: GateMessage, nowMs: number): GateDecision {
  if (message.kind === 'probe') return { events: [], granted: [], waitMs: undefined }
  if (message.kind === 'acquire') return acquire(state, message, nowMs)
  if (message.kind === 'release') return release(state, message.holder, nowMs)
  return tick(state, nowMs)
}

/** What those who hold the gate are asked, for one who waits at it and keeps others waiting. */
function probesOf(
  { holders, waiting }: GateState,
  message: GateMessage,
): readonly (readonly [to: Asking, body: InboxMessage])[] {
  const { gate, kind, holder } = message
  if (kind !== 'acquire' && kind !== 'probe') return []
  if (kind === 'acquire' && message.asking.keepsOthers !== true) return []
  // It may have come in since, or gone.
  if (!waiting.some((one) => one.holder === holder)) return []
  const { asked, ring } = kind === 'probe' ? message.probe : { asked: message.asking, ring: [] }
  return [...holders].map(([other, to]) => {
    const probe = { asked, ring: [...ring, `${holder} waits for ${gate}, which ${other} has`] }
    return [to, { kind: 'blocking', sagaId: to.sagaId, probe }]
  })
}

export interface GateKeeperOptions {
  readonly instance: string
  readonly store: EventStore
  readonly retryMs?: number
  readonly onProblem?: (problem: Problem) => void
}

export interface GateKeeper {
  start(): Promise<void>
  close(): Promise<void>
}

/** The keeper of this instance. */
export function createGateKeeper(
  connection: Connection,
  { store, ...options }: GateKeeperOptions,
): GateKeeper {
  const consumer: Consumer = createConsumer(connection, {
    group: Gates.name,
    attemptsMax: Number.MAX_SAFE_INTEGER,
    ...options,
  })
  const kept = new Map<string, Kept>()
  const tenures = createTenures()
  const inboxes = new Map<string, Topic<InboxMessage>>()
  const { clock } = connection.ports

  function inboxOf(name: string): Topic<InboxMessage> {
    const inbox = inboxes.get(name) ?? topic(name, InboxMessage)
    inboxes.set(name, inbox)
    return inbox
  }

  consumer.listen(
    Gates,
    async ({ body }, tx, { signal }) => {
      const { gate } = body
      const tenure = tenures.of(signal)
      const known = kept.get(gate)
      // Under an earlier lease's state a release can look like one of a stranger: it would change
      // nothing, so that no version is compared, and the slot would stay taken for ever.
      const before = known?.tenure === tenure ? known : await readGate(store, gate)
      // Until the commit is known, nothing is.
      kept.delete(gate)
      const { events, granted, waitMs } = decide(before.state, body, clock.wallMs())
      const state = events.reduce(evolveGate, before.state)
      const version = before.version + events.length
      const isDue =
        Math.floor(version / SNAPSHOT_EVENTS) > Math.floor(before.version / SNAPSHOT_EVENTS)
      const all = isDue ? [...events, counted(state)] : events
      appendIn(tx, GateEvents, gate, all, { expected: streamVersion(before.version) })
      for (const asking of granted) tx.send(inboxOf(asking.replyTo), grant(asking), asking)
      for (const [to, probe] of probesOf(state, body)) tx.send(inboxOf(to.replyTo), probe, to)
      if (waitMs !== undefined) {
        const again: GateMessage = { kind: 'tick', gate, holder: '' }
        tx.schedule(`${Gates.name}/${gate}`, waitMs, Gates, again, { shardingKey: gate })
      }
      tx.onCommitted(() => kept.set(gate, { state, version: before.version + all.length, tenure }))
    },
    { order: 'orderly' },
  )

  return {
    async start() {
      await ensureTopic(connection, Gates, { queues: QUEUES })
      await store.ensureCategory(GateEvents, { queues: QUEUES })
      await consumer.start()
    },
    close: () => consumer.close(),
  }
}

function grant({ sagaId, step, attempt }: Asking): InboxMessage {
  return { kind: 'granted', sagaId, step, attempt }
}
