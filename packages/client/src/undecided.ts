/**
 * Half messages that nobody decided, for whoever operates the broker: those that were checked as
 * often as allowed wait here. A decision of a person is a confirmation like any other: the first
 * one stands, whoever makes it.
 */
import { type Position, position, queueOffset } from '@sagalog/kernel'
import {
  decodeStoredMessage,
  endTransaction,
  listHalves,
  ResponseCode,
  RMQ_SYS_TRANS_HALF_TOPIC,
} from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { type ReceivedMessage, receivedMessage } from './received.js'

export interface UndecidedHalf {
  /** Where it stands in the broker's log: it is known by this. */
  readonly position: Position
  /** The group of its producers. */
  readonly group: string
  readonly transactionId: string
  /** How often its producers were asked. */
  readonly checks: number
  /** They are not asked any more: it waits for a person. */
  readonly isParked: boolean
  /** The message as it will be seen when it is committed. */
  readonly message: ReceivedMessage
}

export interface UndecidedHalves {
  /** Oldest first, all that there are; those that wait for a person only, unless `all`. */
  list(options?: { readonly all?: boolean }): Promise<readonly UndecidedHalf[]>
  /**
   * Commits it or rolls it back; resolves with the decision that stands, which may be an earlier
   * one. Rejects with ClientError; REJECTED for one that was decided too long ago to be known.
   */
  resolve(half: UndecidedHalf, decision: 'commit' | 'rollback'): Promise<'commit' | 'rollback'>
}

const HALVES_AT_ONCE = 64

/** @throws Nothing; both calls reject with the ClientErrors of any request. */
export function undecidedHalves(connection: Connection): UndecidedHalves {
  return {
    async list({ all = false } = {}) {
      const found: UndecidedHalf[] = []
      let after = position(0)
      for (;;) {
        const request = { after, parkedOnly: !all, maxHalves: HALVES_AT_ONCE }
        const { halves, hasMore } = await connection.call(listHalves, request)
        for (const { storedAtMs: _, ...half } of halves) {
          after = half.position
          const message = receivedMessage(decodeStoredMessage(half.message, 0))
          found.push({ ...half, message })
        }
        if (!hasMore || halves.length === 0) return found
      }
    },
    async resolve(half, decision) {
      const { code, payload, ...reply } = await connection.request(endTransaction, {
        topic: RMQ_SYS_TRANS_HALF_TOPIC,
        producerGroup: half.group,
        tranStateTableOffset: queueOffset(half.position),
        commitLogOffset: half.position,
        decision,
        fromTransactionCheck: false,
        msgId: half.transactionId,
        transactionId: half.transactionId,
      })
      const isDecided = code === ResponseCode.SUCCESS || code === ResponseCode.ALREADY_DECIDED
      const outcome = isDecided ? payload?.outcome : undefined
      if (outcome === 'commit' || outcome === 'rollback') return outcome
      throw rejectedBy(endTransaction.name, { ...reply, code, payload })
    },
  }
}
