/**
 * The properties of a message as one text: name U+0001 value U+0002, repeated; the last U+0002 may
 * be missing. A name holds neither sign, a value no U+0002; neither is empty. The reader skips
 * parts that break these rules, as Java does; the writer refuses them, so nothing is lost.
 *
 * The text is what travels and what is stored. One property is read from it without taking the rest
 * apart. When a name stands twice the last one counts, as in Java.
 */
import type { OutgoingMessage } from '@sagalog/kernel'
import { ProtocolError } from './errors.js'
import { MessageConst } from './message-const.js'

export const NAME_VALUE_SEPARATOR = '\u0001'
export const PROPERTY_SEPARATOR = '\u0002'

const NAME_END = 1
const PART_END = 2

/** The value of one property, or undefined when it is not there. */
export function propertyOf(text: string, name: string): string | undefined {
  let start = -1
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const valueAt = at + name.length + 1
    // The name itself may stand inside a value or another name.
    if (at !== 0 && text.charCodeAt(at - 1) !== PART_END) continue
    if (text.charCodeAt(valueAt - 1) !== NAME_END) continue
    if (valueAt === text.length || text.charCodeAt(valueAt) === PART_END) continue
    start = valueAt
  }
  if (start === -1 || name.length === 0) return undefined
  const end = text.indexOf(PROPERTY_SEPARATOR, start)
  return end === -1 ? text.slice(start) : text.slice(start, end)
}

/** True when the property is there with exactly this value. */
export function hasProperty(text: string, name: string, value: string): boolean {
  return propertyOf(text, name) === value
}

/** Calls `take` with each property, in the order they stand. */
function eachProperty(text: string, take: (name: string, value: string) => void): void {
  let at = 0
  while (at < text.length) {
    const found = text.indexOf(PROPERTY_SEPARATOR, at)
    const end = found === -1 ? text.length : found
    const nameEnd = text.indexOf(NAME_VALUE_SEPARATOR, at)
    if (nameEnd > at && nameEnd < end - 1)
      take(text.slice(at, nameEnd), text.slice(nameEnd + 1, end))
    at = end + 1
  }
}

/** All properties, in the order they stand. */
export function decodeProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  eachProperty(text, (name, value) => properties.set(name, value))
  return properties
}

/** All properties as a plain object. */
export function propertyRecord(text: string): Readonly<Record<string, string>> {
  const properties: Record<string, string> = {}
  eachProperty(text, (name, value) => {
    // Assigning to this name would set the prototype.
    if (name !== '__proto__') properties[name] = value
    else Object.defineProperty(properties, name, { value, ...OWN })
  })
  return properties
}

const OWN = { configurable: true, enumerable: true, writable: true } as const

/** `text` without a property, wherever and however often it stands; all else as it was. */
export function withoutProperty(text: string, name: string): string {
  let kept = ''
  let from = 0
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    // The name itself may stand inside a value or another name.
    if (at < from || (at !== 0 && text.charCodeAt(at - 1) !== PART_END)) continue
    if (text.charCodeAt(at + name.length) !== NAME_END) continue
    const end = text.indexOf(PROPERTY_SEPARATOR, at)
    kept += text.slice(from, at)
    from = end === -1 ? text.length : end + 1
  }
  return from === 0 ? text : kept + text.slice(from)
}

function refuse(name: string, reason: string): never {
  throw new ProtocolError('PROPERTY_INVALID', { name, reason })
}

/** `text` with one more property; PROPERTY_INVALID when it can not be written. */
export function withProperty(text: string, name: string, value: string): string {
  if (name.length === 0) refuse(name, 'the name is empty')
  if (value.length === 0) refuse(name, 'the value is empty')
  if (name.includes(NAME_VALUE_SEPARATOR) || name.includes(PROPERTY_SEPARATOR))
    refuse(name, 'U+0001 and U+0002 can not stand in a name')
  if (value.includes(PROPERTY_SEPARATOR)) refuse(name, 'U+0002 can not stand in a value')
  const before = text.length === 0 || text.endsWith(PROPERTY_SEPARATOR) ? text : `${text}\u0002`
  return before + name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR
}

/** The text of the given properties, in their order. */
export function encodeProperties(properties: Iterable<readonly [string, string]>): string {
  let text = ''
  for (const [name, value] of properties) text = withProperty(text, name, value)
  return text
}

/** Written from parts of the message itself, or by the transaction producer only. */
const RESERVED: ReadonlySet<string> = new Set([
  MessageConst.PROPERTY_KEYS,
  MessageConst.PROPERTY_TAGS,
  MessageConst.PROPERTY_SHARDING_KEY,
  MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX,
  MessageConst.PROPERTY_TRANSACTION_PREPARED,
  MessageConst.PROPERTY_PRODUCER_GROUP,
])

/** The text for a message to send: its own properties, then key, tags, keys and `uniqueKey`. */
export function outgoingProperties(message: OutgoingMessage, uniqueKey: string): string {
  const { properties, shardingKey, tags, keys } = message
  let text = ''
  if (properties !== undefined) {
    for (const [name, value] of Object.entries(properties)) {
      if (RESERVED.has(name)) refuse(name, 'the name is reserved')
      text = withProperty(text, name, value)
    }
  }
  if (shardingKey !== undefined)
    text = withProperty(text, MessageConst.PROPERTY_SHARDING_KEY, shardingKey)
  if (tags !== undefined) text = withProperty(text, MessageConst.PROPERTY_TAGS, tags)
  if (keys !== undefined && keys.length > 0) {
    for (const key of keys) {
      if (key.length === 0 || key.includes(' '))
        refuse(MessageConst.PROPERTY_KEYS, 'a key is not empty and holds no space')
    }
    text = withProperty(text, MessageConst.PROPERTY_KEYS, keys.join(' '))
  }
  // The name is ours and the key is made of digits: nothing in it can be wrong.
  return `${text}${UNIQUE_KEY_NAME}${uniqueKey}${PROPERTY_SEPARATOR}`
}

const UNIQUE_KEY_NAME = MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX + NAME_VALUE_SEPARATOR

/** The business keys of a message; empty when it has none. */
export function keysOf(text: string): string[] {
  const keys = propertyOf(text, MessageConst.PROPERTY_KEYS)
  return keys === undefined ? [] : keys.split(' ').filter((key) => key.length > 0)
}
