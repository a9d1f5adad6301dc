/** What the brokers of a cluster are told of one consumer: its group, and what it wants of it. */
import { type LeaseQueuesRequest, retryTopic } from '@sagalog/protocol'
import type { Subscription, TopicListener } from '@sagalog/protocol'
import type { Cluster } from './cluster.js'

export class Membership {
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  readonly #cluster: Cluster
  #listeners: readonly TopicListener[] = []
  #subscriptions: readonly Subscription[] = []
  #announced = ''
  #withdraw = async (): Promise<void> => undefined

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.startedAtMs = cluster.ports.clock.wallMs()
  }

  get subscriptions(): readonly Subscription[] {
    return this.#subscriptions
  }
  /** True when its caller asks for messages. */
  get isPolled(): boolean {
    return this.#listeners.length > 0 && this.#listeners.every(({ order }) => order === 'held')
  }

  isOrderly(topic: string): boolean {
    return this.#listeners.some((listener) => listener.topic === topic && isInOrder(listener))
  }

  /** `*`, or tags separated by `||`. */
  tagsOf(topic: string): string {
    return this.#listeners.find((listener) => listener.topic === topic)?.tags ?? '*'
  }

  /** Resolves once every one of the brokers that is reached knows the member and what it wants. */
  async announce(
    { group, listeners = [], mode, topics }: LeaseQueuesRequest,
    addresses: ReadonlySet<string>,
  ): Promise<void> {
    this.#listeners = listeners
    // The last heartbeat of a group counts for all: Java's list the retry topic, so ours do.
    const listed = mode === 'clustering' ? new Set([...topics, retryTopic(group)]) : topics
    this.#subscriptions = [...listed].map((topic) => ({
      topic,
      expression: this.tagsOf(topic),
      expressionType: 'TAG',
      version: this.startedAtMs,
    }))
    const { isPolled, subscriptions } = this
    const announced = JSON.stringify([mode, subscriptions, isPolled])
    if (announced === this.#announced) return
    this.#announced = announced
    const { brokers, presence } = this.#cluster
    this.#withdraw = presence.announceConsumer({
      ...{ group, mode, subscriptions },
      ...(isPolled ? { isPolled } : {}),
    })
    await Promise.all([...addresses].map((address) => presence.tell(brokers.at(address))))
  }

  /** The brokers forget it, and tell the others of its group. Resolves once they have. */
  withdraw(): Promise<void> {
    return this.#withdraw()
  }
}

const isInOrder = ({ order }: TopicListener): boolean => order === 'orderly'
