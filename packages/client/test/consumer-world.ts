/** One consumer of one queue, against a peer that answers by script. */
import * as t from 'io-ts'
import { createConsumer, type Handler, type Order, topic } from '../src/index.js'
import type { ConsumerOptions } from '../src/index.js'
import { scriptedQueue, storedMessage, world } from './scripted-peer.js'

export const Numbers = topic('numbers', t.number)

interface Setup {
  readonly handler: Handler<number>
  readonly order?: Order
  readonly options?: Partial<ConsumerOptions>
  readonly messages?: readonly unknown[]
  readonly requestTimeoutMs?: number
}

/** A consumer of one queue against a scripted peer, started. */
export async function start({ handler, messages = [], options, order, requestTimeoutMs }: Setup) {
  const scene = world(requestTimeoutMs === undefined ? {} : { requestTimeoutMs })
  const queue = scriptedQueue(scene.peer, Numbers.name)
  messages.forEach((body, at) => queue.messages.push(storedMessage(Numbers.name, at, body)))
  const problems: string[] = []
  const consumer = createConsumer(scene.connection, {
    group: 'g',
    instance: 'i',
    onProblem: ({ what }) => problems.push(what),
    ...options,
  })
  consumer.listen(Numbers, handler, order === undefined ? {} : { order })
  const started = consumer.start()
  await scene.pass(1)
  await started
  const ackedOffsets = (): number[] =>
    queue.commits.flatMap((commit) => commit.acks.map((ack) => ack.offset))
  return { ...scene, queue, consumer, problems, ackedOffsets }
}
