/**
 * The producer under the names that users of RocketMQ's Spring template know. It adds no behaviour:
 * each method is one of the producer's.
 */
import type { ClientError } from './errors.js'
import type { SendOptions } from './outgoing-message.js'
import type { BatchMessage, BatchOptions, LocalStep, Producer, SendResult } from './producer.js'
import type { Topic } from './topic.js'
import type { TransactionResult } from './transactions.js'

/** Told once how an asynchronous send ended. */
export interface SendCallback {
  onSuccess(result: SendResult): void
  /** `error.state` says whether the message may be stored. */
  onError(error: ClientError): void
}

export class MessageTemplate {
  private readonly producer: Producer

  constructor(producer: Producer) {
    this.producer = producer
  }

  /** Resolves once the message is stored. Rejects with ClientError. */
  syncSend<A>(topic: Topic<A>, body: A, options?: SendOptions): Promise<SendResult> {
    return this.producer.send(topic, body, options)
  }

  /** All of them in one queue, in order, or none. Rejects with ClientError. */
  syncSendBatch<A>(
    topic: Topic<A>,
    messages: readonly BatchMessage<A>[],
    options?: BatchOptions,
  ): Promise<readonly SendResult[]> {
    return this.producer.sendBatch(topic, messages, options)
  }

  /** Returns at once; what the callback throws is nobody's to catch. */
  asyncSend<A>(topic: Topic<A>, body: A, callback: SendCallback, options?: SendOptions): void {
    this.producer.send(topic, body, options).then(
      (result) => callback.onSuccess(result),
      (error: unknown) => callback.onError(error as ClientError),
    )
  }

  /** Asks for no reply: what gets lost is lost. Throws INVALID_MESSAGE only. */
  sendOneWay<A>(topic: Topic<A>, body: A, options?: SendOptions): void {
    this.producer.sendOneWay(topic, body, options)
  }

  /** Messages of one key are stored in the order of the calls. */
  syncSendOrderly<A>(
    topic: Topic<A>,
    body: A,
    shardingKey: string,
    options?: SendOptions,
  ): Promise<SendResult> {
    return this.producer.send(topic, body, { ...options, shardingKey })
  }

  /** As `asyncSend`, to the key's queue; sends that are called in order are stored in order. */
  asyncSendOrderly<A>(
    topic: Topic<A>,
    body: A,
    shardingKey: string,
    callback: SendCallback & { readonly options?: SendOptions },
  ): void {
    this.asyncSend(topic, body, callback, { ...callback.options, shardingKey })
  }

  /** As the producer's `sendInTransaction`. */
  sendMessageInTransaction<A>(
    topic: Topic<A>,
    body: A,
    local: LocalStep,
    options: SendOptions = {},
  ): Promise<TransactionResult> {
    return this.producer.sendInTransaction(topic, body, options, local)
  }

  /** Encodes with the topic's codec and sends, for who needs no result. */
  async convertAndSend<A>(topic: Topic<A>, body: A, options?: SendOptions): Promise<void> {
    await this.producer.send(topic, body, options)
  }
}
