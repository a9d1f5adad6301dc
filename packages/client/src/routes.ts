/**
 * What is known of topics: how many queues each has. A cache of promises, so that all who wait for
 * one route go on in the order in which they asked, and sends of one caller keep their order.
 */
import { below, type OutgoingMessage } from '@sagalog/kernel'
import { queueForKey, ResponseCode, topicRoute } from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { ClientError } from './errors.js'
import { ROUTE_MAX_AGE_MS, ROUTES_CACHED_MAX } from './limits.js'

/** The queue id that leaves the choice to the broker. */
export const BROKER_CHOOSES = -1

interface CachedRoute {
  readonly atMs: number
  /** 0 when the broker does not know the topic. */
  readonly writeQueues: Promise<number>
  /** The same once it is there; undefined as long as somebody has to wait for it. */
  known: number | undefined
  /** Where the turn of unkeyed messages stands. */
  turn: number
}

export interface Routes {
  /** The queue for a message when that is known without waiting. */
  queueNow(message: OutgoingMessage): number | undefined
  /** The queue for a message: by its key, or the next in turn. Rejects with NO_ROUTE. */
  queueFor(message: OutgoingMessage): Promise<number>
  /** Asks again next time; for when the broker did not agree with what was cached. */
  forget(topic: string): void
}

export function createRoutes(connection: Connection): Routes {
  const { clock, random } = connection.ports
  const cached = new Map<string, CachedRoute>()

  async function fetchQueues(topic: string): Promise<number> {
    let reply
    try {
      reply = await connection.request(topicRoute, { topic })
    } catch (cause) {
      if (!ClientError.is(cause) || cause.code === 'CLOSED') throw cause
      throw new ClientError('NO_ROUTE', { topic, reason: cause.message }, { cause })
    }
    if (reply.code === ResponseCode.TOPIC_NOT_EXIST) return 0
    if (reply.code !== ResponseCode.SUCCESS) {
      const cause = rejectedBy(topicRoute.name, reply)
      throw new ClientError('NO_ROUTE', { topic, reason: cause.message }, { cause })
    }
    return reply.payload?.writeQueues ?? 0
  }

  function routeOf(topic: string): CachedRoute {
    const known = cached.get(topic)
    const nowMs = clock.monotonicMs()
    if (known !== undefined && nowMs - known.atMs < ROUTE_MAX_AGE_MS) return known
    const writeQueues = fetchQueues(topic)
    const turn = known?.turn ?? below(random, 0x1_0000)
    const route: CachedRoute = { atMs: nowMs, writeQueues, known: undefined, turn }
    cached.delete(topic)
    cached.set(topic, route)
    const forgetThis = (): void => {
      if (cached.get(topic) === route) cached.delete(topic)
    }
    writeQueues.then((queues) => {
      if (queues === 0) forgetThis()
      else route.known = queues
    }, forgetThis)
    const oldest = cached.keys().next().value
    if (cached.size > ROUTES_CACHED_MAX && oldest !== undefined) cached.delete(oldest)
    return route
  }

  return {
    queueNow(message) {
      const route = routeOf(message.topic)
      return route.known === undefined ? undefined : queueIn(route, message, route.known)
    },
    async queueFor(message) {
      const route = routeOf(message.topic)
      return queueIn(route, message, await route.writeQueues)
    },
    forget(topic) {
      cached.delete(topic)
    },
  }
}

function queueIn(route: CachedRoute, message: OutgoingMessage, queues: number): number {
  if (queues === 0) return BROKER_CHOOSES
  if (message.shardingKey !== undefined) return queueForKey(message.shardingKey, queues)
  route.turn = (route.turn + 1) % Number.MAX_SAFE_INTEGER
  return route.turn % queues
}
