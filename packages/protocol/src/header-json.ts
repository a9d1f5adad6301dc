/**
 * Header kind 0: one JSON object in UTF-8.
 *
 *   {"code":105,"extFields":{"topic":"T"},"flag":0,"language":"OTHER","opaque":0,
 *    "remark":"…","serializeTypeCurrentRPC":"JSON","version":479}
 *
 * `extFields` and `remark` are absent when there are none. Java coerces numbers and booleans among
 * the fields to text, and so do we.
 */
import { ProtocolError } from './errors.js'
import { type Header, LANGUAGE } from './header.js'
import { HEADER_FIELDS_MAX } from './limits.js'

const LANGUAGES: readonly string[] = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
]

export function encodeJsonHeader(header: Header): Buffer {
  const { code, fields, flag, language, opaque, remark, version } = header
  const text = JSON.stringify({
    code,
    extFields: fields.size === 0 ? undefined : Object.fromEntries(fields),
    flag,
    language: LANGUAGES[language] ?? 'OTHER',
    opaque,
    remark: remark === '' ? undefined : remark,
    serializeTypeCurrentRPC: 'JSON',
    version,
  })
  return Buffer.from(text, 'utf8')
}

/** The header in `source[start, end)`; FRAME_MALFORMED names the byte counted from `origin`. */
export function decodeJsonHeader(
  source: Buffer,
  { start, end, origin }: { start: number; end: number; origin: number },
): Header {
  const malformed = (what: string, cause?: unknown): ProtocolError =>
    new ProtocolError('FRAME_MALFORMED', { what, at: start - origin }, { cause })
  let parsed: unknown
  try {
    parsed = JSON.parse(source.toString('utf8', start, end))
  } catch (cause) {
    throw malformed('a header that is not JSON', cause)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw malformed('a header that is no object')
  const object = parsed as Readonly<Record<string, unknown>>
  const int32 = (name: string, absent?: number): number => {
    const value = object[name] ?? absent
    if (typeof value === 'number' && value === (value | 0)) return value
    throw malformed(`a header whose ${name} is no int32`)
  }
  const { remark } = object as { readonly remark?: unknown }
  const language = object['language']
  const known = typeof language === 'string' ? LANGUAGES.indexOf(language) : 0
  return {
    code: int32('code'),
    language: known === -1 ? LANGUAGE : known,
    version: int32('version', 0),
    opaque: int32('opaque'),
    flag: int32('flag', 0),
    ...(typeof remark === 'string' && remark !== '' ? { remark } : {}),
    fields: fieldsOf(object['extFields'], malformed),
  }
}

function fieldsOf(
  value: unknown,
  malformed: (what: string) => ProtocolError,
): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  if (value === undefined || value === null) return fields
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed('extFields of no object')
  for (const [name, text] of Object.entries(value)) {
    if (text === null) continue
    if (typeof text !== 'string' && typeof text !== 'number' && typeof text !== 'boolean')
      throw malformed('a field that is no text')
    if (fields.size === HEADER_FIELDS_MAX) throw malformed('too many fields')
    fields.set(name, String(text))
  }
  return fields
}
