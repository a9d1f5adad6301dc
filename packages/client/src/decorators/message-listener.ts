/**
 * `@MessageListener`: a class is the listener of a topic, as with RocketMQ's Spring annotation. The
 * decorator only writes down what it was given; `listenWith` makes a consumer of an instance. It
 * works as a standard decorator and as a legacy one (`experimentalDecorators`): both call it with
 * the class first.
 */
import { assert } from '@sagalog/kernel'
import type { Connection } from '../connection.js'
import { type Consumer, type ConsumerOptions, createConsumer } from '../consumer.js'
import type { Handler, Order, Readable } from '../listener.js'

/** What a class decorated with `@MessageListener` has: the handler of its topic. */
export interface Listens<A> {
  /** As a handler function: what it puts into `tx` happens with the acknowledgement. */
  onMessage: Handler<A>
}

export interface MessageListenerOptions<A> {
  readonly topic: Readable<A>
  readonly consumerGroup: string
  /** 'CLUSTERING' unless told. */
  readonly messageModel?: 'CLUSTERING' | 'BROADCASTING'
  /** 'CONCURRENTLY' unless told. */
  readonly consumeMode?: 'CONCURRENTLY' | 'ORDERLY'
  /** `*`, or tags separated by `||`. */
  readonly selector?: string
}

/** A class whose instances listen. */
type ListenerClass<A> = abstract new (...args: never[]) => Listens<A>

const written = new WeakMap<object, MessageListenerOptions<never>>()

/** Marks a class; the compiler checks that its `onMessage` takes what the topic holds. */
export function MessageListener<A>(options: MessageListenerOptions<A>) {
  return (target: ListenerClass<A>, _context?: unknown): void => {
    written.set(target, options as unknown as MessageListenerOptions<never>)
  }
}

/** What the consumer of a decorated instance needs besides; see `ConsumerOptions`. */
export type ListenWithOptions = Omit<ConsumerOptions, 'group' | 'mode'>

const ORDERS: Readonly<Record<'CONCURRENTLY' | 'ORDERLY', Order>> = {
  CONCURRENTLY: 'concurrent',
  ORDERLY: 'orderly',
}

/**
 * A consumer whose handler is the instance's `onMessage`; start it as any other. An instance of a
 * subclass listens as the class that was decorated.
 */
export function listenWith<A>(
  connection: Connection,
  instance: Listens<A>,
  options: ListenWithOptions,
): Consumer {
  const found = optionsOf<A>(instance)
  assert(found !== undefined, `${instance.constructor.name} is decorated with @MessageListener`)
  const { consumeMode, consumerGroup, messageModel, selector, topic } = found
  const consumer = createConsumer(connection, {
    ...options,
    group: consumerGroup,
    mode: messageModel === 'BROADCASTING' ? 'broadcasting' : 'clustering',
  })
  consumer.listen(topic, (message, tx, context) => instance.onMessage(message, tx, context), {
    order: ORDERS[consumeMode ?? 'CONCURRENTLY'],
    tags: selector ?? '*',
  })
  return consumer
}

function optionsOf<A>(instance: object): MessageListenerOptions<A> | undefined {
  for (
    let target: unknown = instance.constructor;
    typeof target === 'function';
    target = Object.getPrototypeOf(target)
  ) {
    const found = written.get(target)
    if (found !== undefined) return found
  }
  return undefined
}
