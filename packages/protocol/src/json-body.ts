/**
 * JSON bodies: parsed here and nowhere else, and taken apart by readers that check each value. What
 * Java adds and we do not know is ignored. Standard JSON, but where Java writes maps that are none.
 */
import { ProtocolError } from './errors.js'
import { standardJson } from './fastjson.js'
import { fieldInvalid } from './fields.js'
import { LIST_ITEMS_MAX } from './limits.js'

export type JsonObject = Readonly<Record<string, unknown>>

export const jsonBody = (value: unknown): Buffer => Buffer.from(JSON.stringify(value), 'utf8')

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const wrong = (field: string, value: unknown): ProtocolError =>
  value === undefined
    ? new ProtocolError('FIELD_MISSING', { field })
    : fieldInvalid(field, typeof value === 'string' ? value : typeof value)

/** Parses a body that holds one JSON object. */
export function jsonObjectOf(body: Buffer): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new ProtocolError('BODY_MALFORMED', { what: 'no JSON', at: 0 }, { cause })
  }
  if (!isObject(value)) throw new ProtocolError('BODY_MALFORMED', { what: 'no object', at: 0 })
  return value
}

/** The same of a body by fastjson, whose maps may have numbers and objects for keys. */
export const looseJsonObjectOf = (body: Buffer): JsonObject =>
  jsonObjectOf(Buffer.from(standardJson(body.toString('utf8'))))

const own = (object: JsonObject, field: string): unknown =>
  Object.hasOwn(object, field) ? object[field] : undefined

export function jsonText(object: JsonObject, field: string): string {
  const value = own(object, field)
  if (typeof value !== 'string') throw wrong(field, value)
  return value
}

/** A whole number from 0 up. */
export function jsonCount(object: JsonObject, field: string): number {
  return countOf(own(object, field), field)
}

/** A whole number from 0 up that an int32 holds. */
export function jsonCount32(object: JsonObject, field: string): number {
  const value = jsonCount(object, field)
  if (value !== (value | 0)) throw fieldInvalid(field, String(value))
  return value
}

/** A whole number of either sign. */
export function jsonLong(object: JsonObject, field: string): number {
  const value = own(object, field)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw typeof value === 'number' ? fieldInvalid(field, String(value)) : wrong(field, value)
}

function countOf(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw typeof value === 'number' ? fieldInvalid(field, String(value)) : wrong(field, value)
}

export function jsonFlag(object: JsonObject, field: string): boolean {
  const value = own(object, field)
  if (typeof value !== 'boolean') throw wrong(field, value)
  return value
}

export function jsonObject(object: JsonObject, field: string): JsonObject {
  const value = own(object, field)
  if (!isObject(value)) throw wrong(field, value)
  return value
}

function listOf(object: JsonObject, field: string): readonly unknown[] {
  const value: unknown = own(object, field)
  if (!Array.isArray(value)) throw wrong(field, value)
  if (value.length > LIST_ITEMS_MAX)
    throw new ProtocolError('TOO_LARGE', {
      what: `list ${field}`,
      bytes: value.length,
      max: LIST_ITEMS_MAX,
    })
  return value
}

export function jsonObjects(object: JsonObject, field: string): readonly JsonObject[] {
  return listOf(object, field).map((item) => {
    if (!isObject(item)) throw wrong(field, item)
    return item
  })
}

export function jsonTexts(object: JsonObject, field: string): readonly string[] {
  return listOf(object, field).map((item) => {
    if (typeof item !== 'string') throw wrong(field, item)
    return item
  })
}

export function jsonCounts(object: JsonObject, field: string): readonly number[] {
  return listOf(object, field).map((item) => countOf(item, field))
}
