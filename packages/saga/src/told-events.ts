/**
 * What the events of a category tell about its sagas, queue by queue, from where an earlier reading
 * ended. The order within one saga is that of its stream.
 */
import { type Connection, receivedMessage } from '@sagalog/client'
import { queueOffset } from '@sagalog/kernel'
import { decodeStoredMessage, pullMessage, ResponseCode, topicRoute } from '@sagalog/protocol'
import { SagaError } from './errors.js'

const PAGE_MESSAGES = 512
const PAGE_BYTES = 1024 * 1024

/** One event as an observer sees it. Its data is not decoded: no definition is at hand. */
export interface Told {
  readonly sagaId: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  /** Milliseconds since 1970. */
  readonly atMs: number
}

export interface Telling {
  readonly category: string
  /** The types of events that are wanted; the broker leaves out the others. */
  readonly types: readonly string[]
  /** Where to go on, by queue; kept up to date here. */
  readonly next: Map<number, number>
}

async function* toldIn(
  connection: Connection,
  { category, types, next }: Telling,
  queueId: number,
): AsyncGenerator<Told> {
  for (;;) {
    const from = next.get(queueId) ?? 0
    const pulled = await connection.request(pullMessage, {
      consumerGroup: 'saga-list',
      topic: category,
      queueId,
      queueOffset: queueOffset(from),
      maxMessages: PAGE_MESSAGES,
      maxBytes: PAGE_BYTES,
      suspendMs: 0,
      subscription: types.join('||'),
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
    if (nextBeginOffset <= from) return
    next.set(queueId, nextBeginOffset)
    if (nextBeginOffset >= maxOffset) return
  }
}

/**
 * What was told since; nothing as long as the category is not there. Rejects with UNREADABLE or a
 * ClientError; what was given by then counts as told.
 */
export async function* toldSince(connection: Connection, telling: Telling): AsyncGenerator<Told> {
  const route = await connection.request(topicRoute, { topic: telling.category })
  if (route.code === ResponseCode.TOPIC_NOT_EXIST || route.payload === undefined) return
  for (let queueId = 0; queueId < route.payload.readQueues; queueId += 1)
    yield* toldIn(connection, telling, queueId)
}
