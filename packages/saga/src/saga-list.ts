/**
 * The sagas of a definition, as the log has them: which there are, and how each of them stands. It
 * reads the category's queues from their beginning and keeps only what tells the states apart.
 */
import { type Connection, receivedMessage } from '@sagalog/client'
import { queueOffset } from '@sagalog/kernel'
import { decodeStoredMessage, pullMessage, ResponseCode, topicRoute } from '@sagalog/protocol'
import { SagaError } from './errors.js'

/** How a saga stands, in a list of many. */
export interface SagaSummary {
  readonly sagaId: string
  readonly state: 'running' | 'undoing' | 'parked' | 'completed' | 'compensated'
  readonly version: number
  readonly fingerprint: string
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  readonly changedAtMs: number
  /** Why it waits for a person. */
  readonly reason: string | undefined
}

const BACK = ['StepRefused', 'StepTimedOut', 'StepExhausted', 'Cancelled', 'Revoked']
/** Events that change how a saga stands; queues are read for these only. */
const TELLING = ['Started', 'Migrated', 'Completed', 'Compensated', 'Parked', 'Resumed', ...BACK]

const PAGE_MESSAGES = 512
const PAGE_BYTES = 1024 * 1024

interface Told {
  readonly sagaId: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  readonly atMs: number
}

function after(before: SagaSummary | undefined, told: Told): SagaSummary {
  const { sagaId, type, data, atMs } = told
  const fresh = { sagaId, version: 0, fingerprint: '', startedAtMs: atMs, reason: undefined }
  const known: SagaSummary = before ?? { ...fresh, state: 'running', changedAtMs: atMs }
  const changed = { ...known, changedAtMs: atMs }
  const shape = { version: Number(data['version']), fingerprint: String(data['fingerprint']) }
  if (type === 'Started') return { ...changed, ...shape, startedAtMs: atMs }
  if (type === 'Migrated') return { ...changed, ...shape }
  if (type === 'Completed') return { ...changed, state: 'completed' }
  if (type === 'Compensated') return { ...changed, state: 'compensated' }
  if (type === 'Parked') return { ...changed, state: 'parked', reason: String(data['reason']) }
  if (type === 'Resumed') return { ...changed, state: 'running', reason: undefined }
  return BACK.includes(type) ? { ...changed, state: 'undoing' } : changed
}

async function* toldIn(
  connection: Connection,
  category: string,
  queueId: number,
): AsyncGenerator<Told> {
  for (let next = 0; ;) {
    const pulled = await connection.request(pullMessage, {
      consumerGroup: 'saga-list',
      topic: category,
      queueId,
      queueOffset: queueOffset(next),
      maxMessages: PAGE_MESSAGES,
      maxBytes: PAGE_BYTES,
      suspendMs: 0,
      subscription: TELLING.join('||'),
    })
    const { payload } = pulled
    if (payload === undefined)
      throw new SagaError('UNREADABLE', { category, reason: pulled.remark ?? '' })
    for (const bytes of payload.messages) {
      const { body, properties, storedAtMs } = receivedMessage(decodeStoredMessage(bytes))
      const { 'sagalog.stream': sagaId = '', 'sagalog.type': type = '' } = properties
      const data: unknown = JSON.parse(body.toString())
      yield { sagaId, type, data: (data ?? {}) as Told['data'], atMs: storedAtMs }
    }
    const { nextBeginOffset, maxOffset } = payload
    if (nextBeginOffset >= maxOffset || nextBeginOffset <= next) return
    next = nextBeginOffset
  }
}

/**
 * All sagas of a category, in the order of their start. None when nothing was ever started there.
 * Rejects with UNREADABLE or a ClientError.
 */
export async function listSagas(
  connection: Connection,
  { events: { category } }: { readonly events: { readonly category: string } },
): Promise<readonly SagaSummary[]> {
  const route = await connection.request(topicRoute, { topic: category })
  if (route.code === ResponseCode.TOPIC_NOT_EXIST || route.payload === undefined) return []
  const sagas = new Map<string, SagaSummary>()
  for (let queueId = 0; queueId < route.payload.readQueues; queueId += 1)
    for await (const told of toldIn(connection, category, queueId))
      sagas.set(told.sagaId, after(sagas.get(told.sagaId), told))
  return [...sagas.values()].toSorted((one, other) => one.startedAtMs - other.startedAtMs)
}
