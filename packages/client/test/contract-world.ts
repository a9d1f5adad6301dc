/**
 * What a contract suite needs of the world it runs in: a client, time that passes, and a look at
 * what was stored. The simulated broker and a real cluster of Apache's brokers both have it.
 */
import type * as t from 'io-ts'
import { type Connection, type Received, topic, type Topic } from '../src/index.js'

/** A message as `read` finds it. */
export type Found<A> = Omit<Received<A>, 'delivery'>

export interface ContractWorld {
  readonly connection: Connection
  /** Milliseconds of the clock that passes here. */
  nowMs(): number
  wallMs(): number
  /** Runs the world until a promise ends. */
  until<A>(promise: Promise<A>): Promise<A>
  /** Runs the world until something holds. */
  untilTrue(isDone: () => boolean, what: string): Promise<void>
  pass(ms: number): Promise<void>
  /** Everything in the topic once `count` messages are there: each queue in its order. */
  read<A>(topic: Topic<A>, count: number): Promise<readonly Found<A>[]>
  /** Takes the power from the broker for a moment, where that can be done. */
  readonly crash?: (downMs: number) => Promise<void>
}

export interface ContractPlace {
  readonly name: string
  /** Milliseconds that a delayed message may come earlier or later than it should. */
  readonly delays: { readonly earlyMs: number; readonly lateMs: number }
  open(): Promise<ContractWorld>
}

let topics = 0

/** A topic for one test: worlds may share what the tests before left behind. */
export function freshTopic<A>(name: string, codec: t.Type<A, unknown>, queues = 4): Topic<A> {
  topics += 1
  return topic(`${name}-${topics}`, codec, { queues })
}
