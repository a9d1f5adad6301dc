/**
 * Decides a half message at the broker that has it. Apache's broker stores a second message when it
 * is told twice to commit, so a decision whose reply got lost is not repeated: its outcome is
 * unknown, and the check-back finds out.
 */
import {
  endTransaction as endTransactionRequest,
  type EndTransactionRequest,
  type EndTransactionResponse,
  ResponseCode,
  type TransactionDecision,
} from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import { ClientError } from '../../errors.js'
import { isAway } from '../away.js'
import { askBroker, type Cluster } from '../cluster.js'

const outcomeOf = (outcome: TransactionDecision): Reply<EndTransactionResponse> => ({
  code: ResponseCode.SUCCESS,
  payload: { outcome },
})

export async function endTransaction(
  cluster: Cluster,
  request: EndTransactionRequest,
  deadlineMs: number,
): Promise<Reply<EndTransactionResponse>> {
  const { brokers, halves } = cluster
  const { decision, transactionId } = request
  const address = halves.of(transactionId)
  if (address === undefined) return outcomeOf('unknown')
  if (decision === 'unknown') {
    // It does not answer this one.
    brokers.at(address).oneWay(endTransactionRequest, request)
    return outcomeOf('unknown')
  }
  try {
    const question = { codec: endTransactionRequest, payload: request, deadlineMs }
    const reply = await askBroker(cluster, address, question)
    if (reply.code !== ResponseCode.SUCCESS) return reply
    halves.forget(transactionId)
    return outcomeOf(decision)
  } catch (thrown) {
    if (!ClientError.is(thrown) || !isAway(thrown)) throw thrown
    return outcomeOf('unknown')
  }
}
