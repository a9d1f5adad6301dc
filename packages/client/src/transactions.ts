/**
 * Transactional messages at the producer's end: a half message first, then the local step, then the
 * confirmation; and the answers to the broker's check-backs.
 *
 * Invariant: from before a half leaves until its confirmation has ended, a check-back of it is
 * answered 'unknown' without asking anybody, so the two can not decide against each other. The id
 * by which it is known is made here, so the reply to the half may come after its check-back.
 */
import type { OutgoingMessage, Position } from '@sagalog/kernel'
import { assert, sleep } from '@sagalog/kernel'
import {
  checkTransaction,
  type CheckTransactionRequest,
  decodeStoredMessage,
  endTransaction,
  type EndTransactionRequest,
  MessageConst,
  positionInOffsetId,
  ResponseCode,
  type TransactionDecision,
} from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { ClientError } from './errors.js'
import { BUSY_RETRY_MS } from './limits.js'
import type { Problem, SendResult, StoreMessage } from './producer.js'
import { type ReceivedMessage, receivedMessage } from './received.js'

/** What becomes of a half message. 'unknown': to be asked about again. */
export type Decision = TransactionDecision

/** A half message that is durable at the broker and seen by nobody. */
export interface Half {
  /**
   * The id that names its place in the broker's log; the same in a check-back, but for Apache's
   * brokers, which move a half at each check.
   */
  readonly id: string
  readonly position: Position
  readonly transactionId: string
}

export interface TransactionResult {
  readonly half: Half
  /** How and where the half is stored. */
  readonly sent: SendResult
  readonly outcome: Decision
}

/** Asked about a half message without a known decision. A rejection counts as 'unknown'. */
export type CheckBack = (half: Half, message: ReceivedMessage) => Promise<Decision>

export interface TransactionOptions {
  readonly group: string
  readonly checkBack?: CheckBack
  readonly onProblem?: (problem: Problem) => void
  readonly store: StoreMessage
}

export interface Transactions {
  run(
    message: OutgoingMessage,
    local: (half: Half) => Promise<Decision>,
  ): Promise<TransactionResult>
  close(): void
}

export function createTransactions(
  connection: Connection,
  options: TransactionOptions,
): Transactions {
  const { group, checkBack, onProblem, store } = options
  /** Transaction ids whose half, local step or confirmation is under way. */
  const running = new Set<string>()
  const checking = new Set<string>()

  async function run(
    message: OutgoingMessage,
    local: (half: Half) => Promise<Decision>,
  ): Promise<TransactionResult> {
    if (checkBack === undefined) {
      const reason = 'its producer has no checkBack to decide a lost confirmation'
      throw new ClientError('INVALID_MESSAGE', { what: `a half for ${message.topic}`, reason })
    }
    const names: string[] = []
    const onNamed = (uniqueId: string): void => {
      names.push(uniqueId)
      running.add(uniqueId)
    }
    try {
      const stored = await store(message, { isHalf: true, onNamed })
      const position = positionInOffsetId(stored.offsetMessageId)
      assert(position !== undefined, 'a stored half has an offset id')
      const { offsetMessageId: id, transactionId } = stored
      const half: Half = { id, position, transactionId }
      const decision = await runLocal(local, half).catch((cause: unknown) => {
        const detail = { id: half.id, reason: String(cause) }
        throw new ClientError('HANDLER_FAILED', detail, { cause })
      })
      if (decision === 'unknown') return { half, sent: stored, outcome: 'unknown' }
      const outcome = await confirm(connection, {
        topic: message.topic,
        producerGroup: group,
        tranStateTableOffset: stored.queueOffset,
        commitLogOffset: half.position,
        decision,
        fromTransactionCheck: false,
        msgId: stored.messageId,
        transactionId: half.transactionId,
      })
      return { half, sent: stored, outcome }
    } finally {
      for (const uniqueId of names) running.delete(uniqueId)
    }
  }

  async function decide(check: CheckTransactionRequest): Promise<Decision | undefined> {
    const message = receivedMessage(decodeStoredMessage(check.message, 0))
    const owner = message.properties[MessageConst.PROPERTY_PRODUCER_GROUP]
    // Several producers may share the connection; the half's own group answers.
    if (owner !== undefined && owner !== group) return undefined
    if (checkBack === undefined || running.has(check.transactionId)) return 'unknown'
    const half = {
      id: check.offsetMsgId,
      position: check.commitLogOffset,
      transactionId: check.transactionId,
    }
    return checkBack(half, message)
  }

  async function answer(check: CheckTransactionRequest): Promise<void> {
    if (checking.has(check.transactionId)) return
    checking.add(check.transactionId)
    try {
      const decision = await decide(check)
      if (decision === undefined) return
      await connection.request(endTransaction, {
        topic: check.topic,
        producerGroup: group,
        tranStateTableOffset: check.tranStateTableOffset,
        commitLogOffset: check.commitLogOffset,
        decision,
        fromTransactionCheck: true,
        msgId: check.msgId,
        transactionId: check.transactionId,
      })
    } catch (cause) {
      // No answer is the same as 'unknown': the broker asks again.
      onProblem?.({ what: `the check-back of ${check.offsetMsgId} got no answer`, cause })
    } finally {
      checking.delete(check.transactionId)
    }
  }

  if (checkBack === undefined) return { run, close() {} }
  const stopAnswering = connection.onRequest(checkTransaction, (check) => void answer(check))
  const stopAnnouncing = connection.announce(group)
  return {
    run,
    close() {
      stopAnswering()
      stopAnnouncing()
    },
  }
}

/** Async, so that a step which throws before its first promise rejects like any other. */
async function runLocal(local: (half: Half) => Promise<Decision>, half: Half): Promise<Decision> {
  return local(half)
}

/** Repeats the confirmation until its outcome is known; 'unknown' when the connection is gone. */
async function confirm(connection: Connection, request: EndTransactionRequest): Promise<Decision> {
  for (;;) {
    try {
      const reply = await connection.request(endTransaction, request)
      const { code, payload } = reply
      const isDecided = code === ResponseCode.SUCCESS || code === ResponseCode.ALREADY_DECIDED
      if (isDecided && payload?.outcome !== undefined) return payload.outcome
      if (code !== ResponseCode.SYSTEM_BUSY) throw rejectedBy(endTransaction.name, reply)
      await sleep(connection.ports.clock, BUSY_RETRY_MS)
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
      if (thrown.code === 'DISCONNECTED' || thrown.code === 'CLOSED') return 'unknown'
      if (thrown.code !== 'TIMEOUT') throw thrown
      if (!connection.isUp) return 'unknown'
    }
  }
}
