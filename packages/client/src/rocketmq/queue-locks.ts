/**
 * The locks of queues that are read in order: their broker gives one to one client at a time, for
 * 60 s from the last time it was asked. A client counts on half of that.
 */
import { lockQueues, type QueueName, type QueuesOfClient, unlockQueues } from '@sagalog/protocol'
import { ClientError } from '../errors.js'
import { askBroker, type Cluster } from './cluster.js'
import { queueKey, type WantedQueue } from './session-queue.js'

/** 'unknown': the broker did not say. */
export type LockState = 'locked' | 'refused' | 'unknown'

/** Asks for the locks of queues, or for more time with them. */
export async function askForLocks(
  cluster: Cluster,
  consumerGroup: string,
  { deadlineMs, queues }: { readonly queues: readonly WantedQueue[]; readonly deadlineMs: number },
): Promise<ReadonlyMap<string, LockState>> {
  const states = new Map<string, LockState>()
  const perBroker = [...byBroker(cluster, consumerGroup, queues)].map(
    async ([address, { payload, wanted }]) => {
      const locked = await lockedOf(cluster, address, { payload, deadlineMs })
      for (const queue of wanted) {
        const isLocked = locked?.some(({ queueId, topic }) => {
          return queueId === queue.at.queueId && topic === queue.topic
        })
        const state = isLocked === undefined ? 'unknown' : isLocked ? 'locked' : 'refused'
        states.set(queueKey(queue), state)
      }
    },
  )
  await Promise.all(perBroker)
  return states
}

/** Gives locks back; what does not arrive ends by itself. */
export async function giveLocksBack(
  cluster: Cluster,
  consumerGroup: string,
  { deadlineMs, queues }: { readonly queues: readonly WantedQueue[]; readonly deadlineMs: number },
): Promise<void> {
  const perBroker = [...byBroker(cluster, consumerGroup, queues)].map(([address, { payload }]) =>
    askBroker(cluster, address, { codec: unlockQueues, payload, deadlineMs }).catch(unlessAway),
  )
  await Promise.all(perBroker)
}

interface OfBroker {
  readonly payload: QueuesOfClient
  readonly wanted: readonly WantedQueue[]
}

function byBroker(
  { clientId, routes }: Cluster,
  consumerGroup: string,
  queues: readonly WantedQueue[],
): Map<string, OfBroker> {
  const found = new Map<string, OfBroker>()
  for (const brokerName of new Set(queues.map(({ at }) => at.brokerName))) {
    const wanted = queues.filter(({ at }) => at.brokerName === brokerName)
    const names = wanted.map(({ at, topic }) => ({ topic, ...at }))
    const address = routes.addressOf(brokerName)
    if (address === undefined) continue
    found.set(address, { wanted, payload: { clientId, consumerGroup, queues: names } })
  }
  return found
}

async function lockedOf(
  cluster: Cluster,
  address: string,
  { deadlineMs, payload }: { readonly payload: QueuesOfClient; readonly deadlineMs: number },
): Promise<readonly QueueName[] | undefined> {
  try {
    const reply = await askBroker(cluster, address, { codec: lockQueues, payload, deadlineMs })
    return reply.payload?.locked
  } catch (thrown) {
    unlessAway(thrown)
    return undefined
  }
}

function unlessAway(thrown: unknown): void {
  if (!ClientError.is(thrown)) throw thrown
}
