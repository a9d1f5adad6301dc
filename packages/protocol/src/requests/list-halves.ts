/**
 * SAGALOG_LIST_HALVES (20012): the half messages that are not decided, oldest first, for whoever
 * has to decide those that wait for a person.
 *
 *   request   after (the position of the last one seen; 0 at first), parkedOnly, maxHalves
 *   response  body: halves list of: position u64, group text, transactionId text, storedAtMs u64,
 *             checks u64, parked u64 (0 or 1), message bytes (stored layout); more u64 (0 or 1)
 */
import type { Position } from '@sagalog/kernel'
import { position } from '@sagalog/kernel'
import { ByteReader } from '../byte-reader.js'
import { ByteWriter } from '../byte-writer.js'
import { count32Field, countField, flagField } from '../fields.js'
import { type Encoded, noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface ListHalvesRequest {
  /** Only those that stand behind it; 0 for all. */
  readonly after: Position
  /** Only those that were checked as often as allowed. */
  readonly parkedOnly: boolean
  readonly maxHalves: number
}

export interface HalfSummary {
  readonly position: Position
  /** The producers' group. */
  readonly group: string
  readonly transactionId: string
  readonly storedAtMs: number
  /** How often it was asked for. */
  readonly checks: number
  /** It is not asked for any more. */
  readonly isParked: boolean
  /** As it is stored. */
  readonly message: Buffer
}

export interface ListHalvesResponse {
  readonly halves: readonly HalfSummary[]
  /** True when there are more behind the last one. */
  readonly hasMore: boolean
}

function encodeResponse({ halves, hasMore }: ListHalvesResponse): Encoded {
  const writer = new ByteWriter()
  writer.count(halves.length, 'halves')
  for (const half of halves) {
    writer.u64(half.position)
    writer.text(half.group, 'group')
    writer.text(half.transactionId, 'transactionId')
    writer.u64(half.storedAtMs)
    writer.u64(half.checks)
    writer.u64(half.isParked ? 1 : 0)
    writer.bytes(half.message, 'message')
  }
  writer.u64(hasMore ? 1 : 0)
  return { fields: noFields, body: writer.finish() }
}

function readHalf(reader: ByteReader): HalfSummary {
  return {
    position: position(reader.u64('position')),
    group: reader.text('group'),
    transactionId: reader.text('transactionId'),
    storedAtMs: reader.u64('storedAtMs'),
    checks: reader.u64('checks'),
    isParked: reader.u64('parked') === 1,
    message: reader.bytes('message'),
  }
}

function decodeResponse({ body }: Encoded): ListHalvesResponse {
  const reader = new ByteReader(body)
  const halves = reader.list('halves', () => readHalf(reader))
  const hasMore = reader.u64('more') === 1
  reader.finish()
  return { halves, hasMore }
}

export const listHalves: RequestCodec<ListHalvesRequest, ListHalvesResponse> = {
  code: RequestCode.SAGALOG_LIST_HALVES,
  name: 'listHalves',
  encodeRequest({ after, maxHalves, parkedOnly }) {
    const fields = new Map([
      ['after', String(after)],
      ['parkedOnly', String(parkedOnly)],
      ['maxHalves', String(maxHalves)],
    ])
    return { fields, body: noBody }
  },
  decodeRequest({ fields }) {
    return {
      after: position(countField(fields, 'after')),
      parkedOnly: flagField(fields, 'parkedOnly'),
      maxHalves: count32Field(fields, 'maxHalves'),
    }
  },
  encodeResponse,
  decodeResponse,
}
