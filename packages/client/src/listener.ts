/** What a user gives for a topic: a handler, and the order in which it wants its messages. */
import { MessageConst, propertyOf, type StoredMessage, tagsOf } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import type { Delivery } from './delivery.js'
import type { Received, ReceivedMessage } from './received.js'
import { finish, type HandlerResult } from './task-either.js'
import type { Tx } from './tx.js'

/**
 * 'orderly': one message of a queue at a time, the next only when it is settled. 'concurrent': many
 * of a queue in hand. 'held': as concurrent, but a delivery stays in hand when its handler returns,
 * until some transaction acknowledges it.
 */
export type Order = 'orderly' | 'concurrent' | 'held'

export interface HandlerContext {
  /** Aborts when the queue's lease ends: what the handler still does is not committed. */
  readonly signal: AbortSignal
  /** 1 for the first try of this message at this instance. */
  readonly attempt: number
}

/**
 * Handles one message. What it puts into `tx` happens together with the acknowledgement when it
 * returns; when it throws, nothing does, and the message comes again.
 */
export type Handler<A> = (message: Received<A>, tx: Tx, context: HandlerContext) => HandlerResult

/** What a consumer needs of a topic; `Topic` is one. */
export interface Readable<A> {
  readonly name: string
  /** The value, or a readable report; the properties tell which codec, where there are several. */
  decode(bytes: Buffer, properties: Readonly<Record<string, string>>): E.Either<string, A>
}

/** Runs the handler on one decoded message, to its end. May throw as well as reject. */
export type Run = (delivery: Delivery, tx: Tx, context: HandlerContext) => Promise<void>

/** A topic with its handler, the body's type closed in. */
export interface Listener {
  readonly topic: string
  readonly order: Order
  /** `*`, or tags separated by `||`. */
  readonly tags: string
  /** False for a message that is settled unseen. */
  takes(message: StoredMessage): boolean
  /** Left: what is wrong with the message's body. */
  prepare(message: ReceivedMessage): E.Either<string, Run>
}

export interface Subscription {
  readonly order: Order
  /** `*`, or tags separated by `||`. */
  readonly tags: string
}

export function newListener<A>(
  topic: Readable<A>,
  handler: Handler<A>,
  { order, tags }: Subscription,
): Listener {
  return {
    topic: topic.name,
    order,
    tags,
    takes: takesTags(tags),
    prepare(message) {
      const decoded = decode(topic, message)
      if (E.isLeft(decoded)) return decoded
      const body = decoded.right
      return E.right((delivery, tx, context) =>
        finish(handler(received(message, body, delivery), tx, context)),
      )
    },
  }
}

/** Field by field: spreading a message costs more than decoding it. */
function received<A>(message: ReceivedMessage, body: A, delivery: Delivery): Received<A> {
  const { key, tags } = message
  const given: Writable<Received<A>> = {
    id: message.id,
    topic: message.topic,
    queueId: message.queueId,
    offset: message.offset,
    position: message.position,
    keys: message.keys,
    properties: message.properties,
    bornAtMs: message.bornAtMs,
    storedAtMs: message.storedAtMs,
    body,
    delivery,
  }
  if (key !== undefined) given.key = key
  if (tags !== undefined) given.tags = tags
  return given
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

function takesTags(expression: string): Listener['takes'] {
  const tags = new Set(tagsOf(expression))
  if (tags.size === 0) return () => true
  return ({ properties }) => {
    const tag = propertyOf(properties, MessageConst.PROPERTY_TAGS)
    return tag !== undefined && tags.has(tag)
  }
}

/** A codec is user code: what it throws says that the message can't be read, no more. */
function decode<A>(topic: Readable<A>, message: ReceivedMessage): E.Either<string, A> {
  if (message.unpackable !== undefined) return E.left(message.unpackable)
  try {
    return topic.decode(message.body, message.properties)
  } catch (thrown) {
    return E.left(`its codec threw: ${String(thrown)}`)
  }
}
