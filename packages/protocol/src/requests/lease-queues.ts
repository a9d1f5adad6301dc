/**
 * SAGALOG_LEASE_QUEUES (20001): ask for queues to read, and keep those held. One request serves to
 * join, to renew and to leave; the answer is everything the instance holds from now on.
 *
 *   request   group, instance, mode, from, leaving, allocation? (AVG when absent)
 *             body: {"topics":["…"],"held":[{"topic":"…","queueId":0,"epoch":1}],
 *             "rooms"?:["…"],"queues"?:[{"topic":"…","queueId":0,"brokerName"?:"…"}]}
 *   response  body: {"leaseMs":0,"grants":[{"topic":"…","queueId":0,"epoch":1,"watermark":0,
 *             "settled":[2]}],"revoked":[{"topic":"…","queueId":0}]}
 */
import { leaseEpoch, queueOffset } from '@sagalog/kernel'
import type { LeaseEpoch, QueueOffset } from '@sagalog/kernel'
import type { Allocation, AllocationStrategy } from '../allocation.js'
import { fieldInvalid, flagField, textField } from '../fields.js'
import { jsonBody, jsonCount, jsonCount32, jsonCounts, type JsonObject } from '../json-body.js'
import { jsonObjectOf, jsonObjects, jsonText, jsonTexts } from '../json-body.js'
import { type Fields, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

/** Broadcasting: every instance reads all queues and has places of its own. */
export type ConsumeMode = 'clustering' | 'broadcasting'
/**
 * Where a group that has no place in a queue yet begins: at its first message, behind its last, or
 * at the first that was stored at a time of the broker's wall clock or later.
 */
export type ConsumeFrom = 'first' | 'last' | { readonly storedAtMs: number }

export interface HeldQueue {
  readonly topic: string
  readonly queueId: number
  readonly epoch: LeaseEpoch
}

/** How an instance listens to a topic. */
export interface TopicListener {
  readonly topic: string
  readonly order: 'orderly' | 'concurrent' | 'held'
  /** `*`, or tags separated by `||`. */
  readonly tags: string
}

export interface LeaseQueuesRequest {
  readonly group: string
  readonly instance: string
  readonly mode: ConsumeMode
  readonly topics: readonly string[]
  /** The grants the instance still works under. */
  readonly held: readonly HeldQueue[]
  readonly from: ConsumeFrom
  /** True when the instance wants no queues any more. */
  readonly leaving: boolean
  /** How the group shares its queues, all instances alike; AVG when absent. */
  readonly allocation?: Allocation
  /** Not written: for whoever takes the place of a leasing broker in the client's process. */
  readonly listeners?: readonly TopicListener[]
}

export interface QueueGrant extends HeldQueue {
  /** Everything below is settled. */
  readonly watermark: QueueOffset
  /** Settled offsets above the watermark, ascending. */
  readonly settled: readonly QueueOffset[]
}

export interface RevokedQueue {
  readonly topic: string
  readonly queueId: number
}

export interface LeaseQueuesResponse {
  /** The grants end so many milliseconds after the request was sent, unless renewed. */
  readonly leaseMs: number
  /** Everything the instance holds now. */
  readonly grants: readonly QueueGrant[]
  /** Finish what is in hand of these, then ask again without them in `held`. */
  readonly revoked: readonly RevokedQueue[]
}

function modeField(fields: Fields): ConsumeMode {
  const text = textField(fields, 'mode')
  if (text === 'clustering' || text === 'broadcasting') return text
  throw fieldInvalid('mode', text)
}

function fromField(fields: Fields): ConsumeFrom {
  const text = textField(fields, 'from')
  if (text === 'first' || text === 'last') return text
  if (/^\d{1,15}$/.test(text)) return { storedAtMs: Number(text) }
  throw fieldInvalid('from', text)
}

function writtenAllocation(allocation: Allocation): JsonObject {
  if (allocation.strategy === 'MACHINE_ROOM') return { rooms: allocation.rooms }
  return allocation.strategy === 'CONFIG' ? { queues: allocation.queues } : {}
}

function allocationOf(fields: Fields, lists: JsonObject): { allocation?: Allocation } {
  const text = fields.get('allocation')
  if (text === undefined) return {}
  const strategy = text as AllocationStrategy
  switch (strategy) {
    case 'AVG':
    case 'AVG_BY_CIRCLE':
    case 'CONSISTENT_HASH':
      return { allocation: { strategy } }
    case 'MACHINE_ROOM':
      return { allocation: { strategy, rooms: jsonTexts(lists, 'rooms') } }
    case 'CONFIG': {
      const queues = jsonObjects(lists, 'queues').map((row) => ({
        topic: jsonText(row, 'topic'),
        queueId: jsonCount32(row, 'queueId'),
        ...(row['brokerName'] === undefined ? {} : { brokerName: jsonText(row, 'brokerName') }),
      }))
      return { allocation: { strategy, queues } }
    }
    default:
      throw fieldInvalid('allocation', strategy satisfies never)
  }
}

export const leaseQueues: RequestCodec<LeaseQueuesRequest, LeaseQueuesResponse> = {
  code: RequestCode.SAGALOG_LEASE_QUEUES,
  name: 'leaseQueues',
  encodeRequest({ allocation, from, group, held, instance, leaving, mode, topics }) {
    const fields = new Map([
      ['group', group],
      ['instance', instance],
      ['mode', mode],
      ['from', typeof from === 'string' ? from : String(from.storedAtMs)],
      ['leaving', String(leaving)],
    ])
    if (allocation === undefined) return { fields, body: jsonBody({ topics, held }) }
    fields.set('allocation', allocation.strategy)
    return { fields, body: jsonBody({ topics, held, ...writtenAllocation(allocation) }) }
  },
  decodeRequest({ fields, body }): LeaseQueuesRequest {
    const lists = jsonObjectOf(body)
    return {
      group: textField(fields, 'group'),
      instance: textField(fields, 'instance'),
      mode: modeField(fields),
      topics: jsonTexts(lists, 'topics'),
      held: jsonObjects(lists, 'held').map((row) => ({
        topic: jsonText(row, 'topic'),
        queueId: jsonCount(row, 'queueId'),
        epoch: leaseEpoch(jsonCount(row, 'epoch')),
      })),
      from: fromField(fields),
      leaving: flagField(fields, 'leaving'),
      ...allocationOf(fields, lists),
    }
  },
  encodeResponse: ({ leaseMs, grants, revoked }) => ({
    fields: noFields,
    body: jsonBody({ leaseMs, grants, revoked }),
  }),
  decodeResponse({ body }): LeaseQueuesResponse {
    const answer = jsonObjectOf(body)
    return {
      leaseMs: jsonCount(answer, 'leaseMs'),
      grants: jsonObjects(answer, 'grants').map((row) => ({
        topic: jsonText(row, 'topic'),
        queueId: jsonCount(row, 'queueId'),
        epoch: leaseEpoch(jsonCount(row, 'epoch')),
        watermark: queueOffset(jsonCount(row, 'watermark')),
        settled: jsonCounts(row, 'settled').map(queueOffset),
      })),
      revoked: jsonObjects(answer, 'revoked').map((row) => ({
        topic: jsonText(row, 'topic'),
        queueId: jsonCount(row, 'queueId'),
      })),
    }
  },
}
