/**
 * A topic with a type: an io-ts codec on one side, JSON bytes on the other. It owns the only place
 * of the client where bodies are parsed, and it never throws for what came from outside.
 */
import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { PathReporter } from 'io-ts/lib/PathReporter.js'
import {
  BODY_BYTES_MAX,
  createTopic,
  ResponseCode,
  type TopicKind,
  topicRoute,
} from '@sagalog/protocol'
import type { Connection } from './connection.js'
import { ClientError } from './errors.js'

export type { TopicKind } from '@sagalog/protocol'

export interface TopicOptions {
  /** Queues when it is created; the degree of parallelism. 8 unless told. */
  readonly queues?: number
  readonly kind?: 'message'
}

export interface Topic<A> {
  readonly name: string
  readonly queues: number
  readonly kind: TopicKind
  /** The body's bytes. Throws INVALID_MESSAGE when the value is not of the codec's type. */
  encode(body: A): Buffer
  /** The value, or a readable report of what is wrong with the bytes. */
  decode(bytes: Buffer): E.Either<string, A>
}

const TOPIC_QUEUES = 8
/** RocketMQ's permission bits: 4 read, 2 write. */
const PERM_READ_WRITE = 6

/** A topic whose bodies are JSON of an io-ts codec. */
export function topic<A, O>(
  name: string,
  codec: t.Type<A, O>,
  options: TopicOptions = {},
): Topic<A> {
  return {
    name,
    queues: options.queues ?? TOPIC_QUEUES,
    kind: options.kind ?? 'message',
    encode(body) {
      if (!codec.is(body)) {
        const reason = `the value is not a ${codec.name}`
        throw new ClientError('INVALID_MESSAGE', { what: `a body for ${name}`, reason })
      }
      return jsonBytes(name, codec.encode(body))
    },
    decode: (bytes) => decodeJson(codec, bytes),
  }
}

function jsonBytes(name: string, value: unknown): Buffer {
  const text: string | undefined = JSON.stringify(value)
  // A void payload has no JSON; null stands for it.
  const bytes = Buffer.from(text ?? 'null')
  if (bytes.length > BODY_BYTES_MAX) {
    const reason = `its body has ${bytes.length} bytes, at most ${BODY_BYTES_MAX} are taken`
    throw new ClientError('INVALID_MESSAGE', { what: `a body for ${name}`, reason })
  }
  return bytes
}

function decodeJson<A, O>(codec: t.Type<A, O>, bytes: Buffer): E.Either<string, A> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    return E.left(`the body is not JSON: ${String(cause)}`)
  }
  const decoded = codec.decode(value)
  if (E.isRight(decoded)) return decoded
  return E.left(PathReporter.report(decoded).slice(0, 5).join('; '))
}

export interface EnsureTopicOptions {
  readonly queues?: number
  readonly kind?: TopicKind
}

/**
 * Creates the topic unless it is there; safe to call at every start and from many processes. One
 * that is there keeps its queues, because another number would tear the keys apart. Rejects with
 * REJECTED when the broker refuses the name or the topic is of another kind.
 */
export async function ensureTopic(
  connection: Connection,
  target: string | TopicShape,
  options: EnsureTopicOptions = {},
): Promise<void> {
  const shape: TopicShape = typeof target === 'string' ? { name: target } : target
  const wanted = options.queues ?? shape.queues ?? TOPIC_QUEUES
  const found = await connection.request(topicRoute, { topic: shape.name })
  const route = found.code === ResponseCode.SUCCESS ? found.payload : undefined
  // Also sent when it is there: the broker says whether the kind is the same.
  await connection.call(createTopic, {
    topic: shape.name,
    readQueues: route?.readQueues ?? wanted,
    writeQueues: route?.writeQueues ?? wanted,
    perm: route?.perm ?? PERM_READ_WRITE,
    kind: options.kind ?? shape.kind ?? 'message',
  })
}

/** What `ensureTopic` reads of a topic. */
export interface TopicShape {
  readonly name: string
  readonly queues?: number
  readonly kind?: TopicKind
}
