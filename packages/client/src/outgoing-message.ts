/**
 * Builds messages to send: checks what a user gave before anything leaves the process, and writes
 * the properties in RocketMQ's text form.
 */
import type { OutgoingMessage } from '@sagalog/kernel'
import {
  DELAY_LEVELS_MS,
  MessageConst,
  outgoingProperties,
  PROPERTIES_BYTES_MAX,
  ProtocolError,
} from '@sagalog/protocol'
import { ClientError } from './errors.js'
import type { Topic } from './topic.js'

export interface SendOptions {
  /** The same key goes to the same queue, and so keeps its order. */
  readonly shardingKey?: string | undefined
  /** One tag, by which consumers can filter. */
  readonly tags?: string | undefined
  /** Business keys, found again by a query; no spaces inside a key. */
  readonly keys?: readonly string[] | undefined
  readonly properties?: Readonly<Record<string, string>> | undefined
  /** Kept back for this time, milliseconds; at most one of the three. */
  readonly delayMs?: number | undefined
  /** Kept back for RocketMQ's level: 1 is a second, 18 two hours. */
  readonly delayLevel?: number | undefined
  /** Kept back until the broker's wall clock reads this, milliseconds since 1970. */
  readonly deliverAtMs?: number | undefined
}

/** Encodes and checks a message. Throws INVALID_MESSAGE; nothing has left the process then. */
export function outgoingMessage<A>(
  topic: Topic<A>,
  body: A,
  options: SendOptions = {},
): OutgoingMessage {
  const message = encodedMessage(topic, body, options)
  // Encoding is the check of names and values, the same that the broker will make.
  propertiesText(message, ROOM_FOR_UNIQUE_KEY)
  return message
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** The same without the check of the properties, for a caller who writes their text at once. */
export function encodedMessage<A>(
  topic: Topic<A>,
  body: A,
  options: SendOptions | undefined,
): OutgoingMessage {
  const message: Writable<OutgoingMessage> = { topic: topic.name, body: topic.encode(body) }
  if (options === undefined) return message
  const { shardingKey, tags, keys } = options
  const delay = delayProperties(topic.name, options)
  const properties = delay === undefined ? options.properties : { ...options.properties, ...delay }
  if (shardingKey === '') throw invalid(topic.name, 'the sharding key is empty')
  if (tags !== undefined && (tags.trim() === '' || tags.includes('|'))) {
    throw invalid(topic.name, `tag "${tags}" is empty or holds a |`)
  }
  // What is absent stays absent: an empty text is not the same as none.
  if (shardingKey !== undefined) message.shardingKey = shardingKey
  if (tags !== undefined) message.tags = tags
  if (keys !== undefined && keys.length > 0) message.keys = keys
  if (properties !== undefined) message.properties = properties
  return message
}

/** What says how long the message is kept back, in RocketMQ's names. */
function delayProperties(
  topic: string,
  { delayLevel, delayMs, deliverAtMs }: SendOptions,
): Record<string, string> | undefined {
  if (delayLevel === undefined && delayMs === undefined && deliverAtMs === undefined)
    return undefined
  const asked = Object.entries({ delayLevel, delayMs, deliverAtMs }).filter(
    (entry): entry is [keyof typeof DELAY_NAMES, number] => entry[1] !== undefined,
  )
  const [first, second] = asked
  if (first === undefined) return undefined
  const [name, value] = first
  if (second !== undefined) throw invalid(topic, `it has both ${name} and ${second[0]}`)
  const max = name === 'delayLevel' ? DELAY_LEVELS_MS.length : Number.MAX_SAFE_INTEGER
  const whole = Math.ceil(value)
  if (!(whole >= 0 && whole <= max)) throw invalid(topic, `${name} is 0 to ${max}, not ${value}`)
  return whole === 0 ? undefined : { [DELAY_NAMES[name]]: String(whole) }
}

const DELAY_NAMES = {
  delayLevel: MessageConst.PROPERTY_DELAY_TIME_LEVEL,
  delayMs: MessageConst.PROPERTY_TIMER_DELAY_MS,
  deliverAtMs: MessageConst.PROPERTY_TIMER_DELIVER_MS,
} as const

const ROOM_FOR_UNIQUE_KEY = '0'.repeat(32)

const invalid = (topic: string, reason: string, cause?: unknown): ClientError =>
  new ClientError('INVALID_MESSAGE', { what: `a message for ${topic}`, reason }, { cause })

/** The properties as they travel in a send request. Throws INVALID_MESSAGE. */
export function propertiesText(message: OutgoingMessage, uniqueKey: string): string {
  let text: string
  try {
    text = outgoingProperties(message, uniqueKey)
  } catch (thrown) {
    if (!ProtocolError.is(thrown)) throw thrown
    throw invalid(message.topic, thrown.message, thrown)
  }
  const bytesMax = PROPERTIES_BYTES_MAX - MARKS_BYTES_MAX
  // No text of so few units is too long, whatever it holds.
  if (text.length * UTF8_BYTES_OF_UNIT_MAX <= bytesMax) return text
  const bytes = Buffer.byteLength(text)
  if (bytes > bytesMax) {
    throw invalid(message.topic, `its properties have ${bytes} bytes of ${PROPERTIES_BYTES_MAX}`)
  }
  return text
}

const UTF8_BYTES_OF_UNIT_MAX = 3

/** What the producer and the broker may add: transaction marks, timer and origin. */
const MARKS_BYTES_MAX = 1_024

const systemProperties: ReadonlySet<string> = new Set(Object.values(MessageConst))

/** True for properties that RocketMQ or Sagalog write themselves. */
export const isSystemProperty = (name: string): boolean => systemProperties.has(name)
