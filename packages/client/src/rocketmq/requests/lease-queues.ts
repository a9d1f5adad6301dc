/** A consumer's share of the queues: computed here, as RocketMQ's own clients do. */
import { sleep } from '@sagalog/kernel'
import type { LeaseQueuesRequest, LeaseQueuesResponse } from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import { ClientError } from '../../errors.js'
import type { Cluster } from '../cluster.js'
import { REBALANCE_SOON_MS } from '../limits.js'

export async function leaseQueues(
  { groups, ports }: Cluster,
  request: LeaseQueuesRequest,
  deadlineMs: number,
): Promise<Reply<LeaseQueuesResponse>> {
  try {
    return await groups.lease(request, deadlineMs)
  } catch (thrown) {
    // Nobody is reached: who asked asks again at once.
    const isPatient = ClientError.is(thrown) && thrown.code !== 'CLOSED' && !request.leaving
    if (isPatient) await sleep(ports.clock, REBALANCE_SOON_MS)
    throw thrown
  }
}
