/**
 * A gate whose keeper changes and changes back: what the one in between decided counts, so a slot
 * that was given back is free and one that was taken is taken.
 */
import { createConsumer, createProducer, ensureTopic, topic } from '@sagalog/client'
import { createEventStore } from '@sagalog/event-store'
import { InboxMessage } from '@sagalog/saga'
import { expect, it } from 'vitest'
import { createGateKeeper } from '../src/gate-keeper.js'
import { gateMessage, Gates } from '../src/gate-messages.js'
import { placeOrder } from './orders.js'
import { World } from './world.js'

const Asker = topic('asker', InboxMessage, { queues: 1 })
/** Enough for some of them to go to the second keeper and come back. */
const GATES = Array.from({ length: 16 }, (_, index) => `limit/${index}`)
/** Longer than the lease of 2 seconds. */
const LONG_MS = 5_000

it('a keeper that gets a gate back reads what another one decided in between', async () => {
  const world = new World({ wire: 'memory', seed: 1, saga: placeOrder, behaviour: () => 'done' })
  const pause = (): Promise<void> => new Promise((done) => world.time.plan(LONG_MS, done))
  const granted: string[] = []
  const problems: string[] = []

  async function keeperOf(instance: string) {
    const connection = world.connect(world.time.nodeClock(), instance)
    const keeper = createGateKeeper(connection, {
      store: createEventStore(connection),
      instance,
      retryMs: 20,
      onProblem: ({ what }) => void problems.push(what),
    })
    await keeper.start()
    return keeper
  }

  await world.until(world.openBroker())
  const play = async (): Promise<void> => {
    const connection = world.connect(world.time.nodeClock(), 'asker')
    const producer = createProducer(connection, { group: 'asker' })
    await ensureTopic(connection, Asker)
    const consumer = createConsumer(connection, { group: 'asker', instance: 'asker' })
    consumer.listen(Asker, async ({ body }) => {
      if (body.kind === 'granted') granted.push(`${body.step} to ${body.sagaId}`)
    })
    await consumer.start()

    const acquire = async (sagaId: string): Promise<void> => {
      for (const gate of GATES) {
        const asking = { sagaId, step: gate, attempt: 1, replyTo: 'asker', shardingKey: gate }
        const limit = { slots: 1, perSecond: undefined }
        const message = gateMessage({ gate, holder: sagaId }, { ...asking, ...limit })
        await producer.send(Gates, message, { shardingKey: gate })
      }
      await pause()
    }
    const release = async (holder: string): Promise<void> => {
      for (const gate of GATES) {
        const message = gateMessage({ gate, holder }, undefined)
        await producer.send(Gates, message, { shardingKey: gate })
      }
      await pause()
    }
    const grantsOf = (sagaId: string) => GATES.map((gate) => `${gate} to ${sagaId}`)

    await keeperOf('one')
    await acquire('x')
    const two = await keeperOf('two')
    await pause()
    await release('x')
    await acquire('y')
    await two.close()
    await pause()
    await release('y')
    await acquire('z')
    const all = ['x', 'y', 'z'].flatMap(grantsOf)
    expect(granted.toSorted()).toEqual(all.toSorted())
    expect(problems).toEqual([])
  }
  await world.until(play())
  await world.close()
})
