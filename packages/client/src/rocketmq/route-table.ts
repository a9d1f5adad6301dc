/**
 * What is known of topics: which broker has which of their queues, and where the brokers are. Asked
 * of a name server when it is used and missing or old, or when somebody found it wrong.
 */
import type { Clock } from '@sagalog/kernel'
import {
  AUTO_CREATE_TOPIC_KEY_TOPIC,
  type BrokerRoute,
  ResponseCode,
  topicRoute,
  type TopicRouteResponse,
} from '@sagalog/protocol'
import { rejectedBy } from '../connection.js'
import { ClientError } from '../errors.js'
import { isAway } from './away.js'
import { ROUTE_MAX_AGE_MS, ROUTE_RETRY_MS } from './limits.js'
import type { NameServers } from './name-servers.js'
import { QueueNumbers } from './queue-numbers.js'

export interface ClusterRoute {
  readonly topic: string
  readonly numbers: QueueNumbers
  /**
   * The numbers of the queues that take messages, by broker name and id. A sharding key is mapped
   * to an index of this list, as any other client of the cluster does it.
   */
  readonly writable: readonly number[]
  /** The numbers of the queues that can be read. */
  readonly readable: readonly number[]
  /** The brokers that have queues of the topic, by name. */
  readonly brokers: readonly BrokerRoute[]
}

interface Known {
  readonly route: ClusterRoute
  readonly atMs: number
}

const PERM_READ = 4
const PERM_WRITE = 2

export class RouteTable {
  readonly #names: NameServers
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #known = new Map<string, Known>()
  readonly #numbers = new Map<string, QueueNumbers>()
  /** Questions under way; who asks meanwhile shares the answer. */
  readonly #asking = new Map<string, Promise<ClusterRoute | undefined>>()
  /** Broker name to `host:port`, of all that were ever seen: a name may move. */
  readonly #addresses = new Map<string, string>()

  constructor(names: NameServers, clock: Clock, timeoutMs: number) {
    this.#names = names
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** Undefined when there is no such topic. Rejects when no name server answers. */
  async of(topic: string): Promise<ClusterRoute | undefined> {
    const known = this.#known.get(topic)
    const isFresh = known !== undefined && this.#clock.monotonicMs() - known.atMs < ROUTE_MAX_AGE_MS
    return isFresh ? known.route : await this.refreshed(topic)
  }

  /** As `refresh`, but what is known serves on while no name server answers. */
  async refreshed(topic: string): Promise<ClusterRoute | undefined> {
    try {
      return await this.refresh(topic)
    } catch (thrown) {
      const known = this.#known.get(topic)
      if (known === undefined || !ClientError.is(thrown) || !isAway(thrown)) throw thrown
      const atMs = this.#clock.monotonicMs() - ROUTE_MAX_AGE_MS + ROUTE_RETRY_MS
      this.#known.set(topic, { ...known, atMs: Math.max(known.atMs, atMs) })
      return known.route
    }
  }

  /** The last answer, however old; undefined when there was none. */
  last(topic: string): ClusterRoute | undefined {
    return this.#known.get(topic)?.route
  }

  /** Asks a name server, whatever is known. */
  refresh(topic: string): Promise<ClusterRoute | undefined> {
    const asking = this.#asking.get(topic)
    if (asking !== undefined) return asking
    const answer = this.#ask(topic).finally(() => this.#asking.delete(topic))
    this.#asking.set(topic, answer)
    return answer
  }

  /** The brokers that make a topic at its first message; empty when none does. */
  async willingToCreate(): Promise<readonly BrokerRoute[]> {
    const route = await this.of(AUTO_CREATE_TOPIC_KEY_TOPIC)
    return route?.brokers.filter(({ perm }) => (perm & PERM_WRITE) !== 0) ?? []
  }

  /** Where a broker is, or was when it was last heard of. */
  addressOf(brokerName: string): string | undefined {
    return this.#addresses.get(brokerName)
  }

  /** Of all brokers that the present routes lead to. */
  get addresses(): ReadonlySet<string> {
    const routes = [...this.#known.values()].flatMap(({ route }) => route.brokers)
    return new Set(routes.map(({ brokerAddress }) => brokerAddress))
  }

  async #ask(topic: string): Promise<ClusterRoute | undefined> {
    const reply = await this.#names.request(topicRoute, { topic }, this.#timeoutMs)
    const { code, payload } = reply
    if (code === ResponseCode.TOPIC_NOT_EXIST) {
      this.#known.delete(topic)
      return undefined
    }
    if (code === ResponseCode.REQUEST_CODE_NOT_SUPPORTED) {
      const reason = 'who answers there is a broker; the address must be that of a name server'
      throw new ClientError('NO_ROUTE', { topic, reason })
    }
    if (payload === undefined) throw rejectedBy(topicRoute.name, reply)
    const route = this.#routeOf(topic, payload)
    this.#known.set(topic, { route, atMs: this.#clock.monotonicMs() })
    return route
  }

  #routeOf(topic: string, { others = [], ...first }: TopicRouteResponse): ClusterRoute {
    const brokers = [first, ...others].toSorted((one, other) =>
      one.brokerName < other.brokerName ? -1 : 1,
    )
    for (const { brokerAddress, brokerName } of brokers)
      this.#addresses.set(brokerName, brokerAddress)
    const numbers = this.#numbers.get(topic) ?? new QueueNumbers()
    this.#numbers.set(topic, numbers)
    const numbered = (bit: number, count: (broker: BrokerRoute) => number): number[] =>
      brokers.flatMap((broker) => {
        const ids = (broker.perm & bit) === 0 ? 0 : count(broker)
        const { brokerName } = broker
        return Array.from({ length: ids }, (_, queueId) => numbers.of({ brokerName, queueId }))
      })
    // Those that take messages first: then their numbers are the indices of the list.
    const writable = numbered(PERM_WRITE, ({ writeQueues }) => writeQueues)
    const readable = numbered(PERM_READ, ({ readQueues }) => readQueues)
    return { topic, numbers, writable, readable, brokers }
  }
}
