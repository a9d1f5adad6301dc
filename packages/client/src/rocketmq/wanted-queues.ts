/**
 * Which queues of a topic an instance should have. RocketMQ's brokers only tell who is alive; every
 * instance computes the same shares from the same members and queues.
 */
import {
  AVERAGE,
  groupMembers,
  leaseQueues,
  type LeaseQueuesRequest,
  ownersOf,
  ResponseCode,
  responseCodeName,
} from '@sagalog/protocol'
import { ClientError } from '../errors.js'
import { askBroker, type Cluster } from './cluster.js'
import { MEMBERS_TIMEOUT_MS } from './limits.js'
import type { ClusterRoute } from './route-table.js'
import type { WantedQueue } from './session-queue.js'

/**
 * The live instances of a group as any of some brokers knows them: one that came back a moment ago
 * knows few. Each broker is asked once.
 */
export class GroupMembers {
  readonly #cluster: Cluster
  readonly #group: string
  readonly #answers = new Map<string, Promise<readonly string[]>>()
  #isAnswered = false
  #failure: ClientError | undefined

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster
    this.#group = group
  }

  async at(addresses: readonly string[]): Promise<readonly string[]> {
    const answers = await Promise.all(addresses.map((address) => this.#ask(address)))
    return [...new Set(answers.flat())]
  }

  /** Why this instance is not among them. */
  get whyAbsent(): ClientError | undefined {
    if (!this.#isAnswered) return this.#failure
    const code = responseCodeName(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
    const remark = `the brokers do not take this consumer into the group[${this.#group}]; it may have to be made there first`
    return new ClientError('REJECTED', { request: leaseQueues.name, code, remark })
  }

  #ask(address: string): Promise<readonly string[]> {
    const known = this.#answers.get(address)
    if (known !== undefined) return known
    const deadlineMs = this.#cluster.ports.clock.monotonicMs() + MEMBERS_TIMEOUT_MS
    const payload = { consumerGroup: this.#group }
    const answer = askBroker(this.#cluster, address, { codec: groupMembers, payload, deadlineMs })
      .then((reply) => {
        this.#isAnswered = true
        return reply.payload?.clientIds ?? []
      })
      .catch((thrown: unknown) => {
        if (!ClientError.is(thrown)) throw thrown
        this.#failure = thrown
        return []
      })
    this.#answers.set(address, answer)
    return answer
  }
}

/** Undefined when no broker knows this instance at the moment: then nothing changes hands. */
export async function wantedQueues(
  { clientId }: Cluster,
  { brokers, numbers, readable, topic }: ClusterRoute,
  { members, request }: { readonly members: GroupMembers; readonly request: LeaseQueuesRequest },
): Promise<readonly WantedQueue[] | undefined> {
  const queues = readable.map((queueId) => ({ topic, queueId, at: numbers.place(queueId) }))
  if (request.mode === 'broadcasting') return queues
  const names = await members.at(brokers.map(({ brokerAddress }) => brokerAddress))
  if (!names.includes(clientId)) return undefined
  const { allocation = AVERAGE } = request
  // Each instance knows its own list only.
  const sharing = allocation.strategy === 'CONFIG' ? [clientId] : names
  const owners = ownersOf(
    queues.map(({ at }) => ({ topic, ...at })),
    sharing.map((name) => ({ name, allocation })),
  )
  return queues.filter((_, at) => owners[at] === clientId)
}
