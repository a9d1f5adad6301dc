/**
 * Our consumers with a cluster of Apache RocketMQ 5.3.3, a name server and two brokers: their
 * contract is the one that they keep with our own broker.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConsumer, createProducer, ensureTopic, resetOffsets, topic } from '@sagalog/client'
import { openCluster } from '@sagalog/client/rocketmq'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { clusterInfo, nothing } from '@sagalog/protocol'
import * as t from 'io-ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { consumingSuite, type ConsumingWorld } from '../../packages/client/test/consuming-suite.js'
import { placesInMemory } from '../../packages/client/test/places-in-memory.js'
import { compiledClassPath, JavaClients, whySkipped } from '../interop/java-clients.js'
import { RemotingCaller } from './remoting-caller.js'
import { type RocketmqCluster, startCluster } from './rocketmq-process.js'

const skipped = whySkipped()
const name = `a cluster of Apache RocketMQ${skipped === undefined ? '' : ` (not here: ${skipped})`}`
const PATIENCE_MS = 60_000

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.skipIf(skipped !== undefined)(name, { timeout: 90_000 }, () => {
  let home = ''
  let cluster: RocketmqCluster
  const opened: { close(): void }[] = []

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'sagalog-our-consumers-'))
    cluster = await startCluster(home, ['broker-a', 'broker-b'])
    const names = await RemotingCaller.connect(cluster.nameServer)
    const registered = async () => (await names.call(clusterInfo, nothing)).payload.brokers.length
    while ((await registered()) < 2) await later(100)
    names.close()
  }, 240_000)

  afterAll(() => {
    for (const connection of opened.splice(0)) connection.close()
    cluster?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  function world(): ConsumingWorld {
    const places = placesInMemory()
    return {
      connect() {
        const connection = openCluster({
          nameServers: [cluster.nameServer],
          connectTo(address) {
            const [host = '', port] = address.split(':')
            return connectTcp({ host, port: Number(port) })()
          },
          ports: { clock: nodeClock(), random: nodeRandom() },
          places,
        })
        opened.push(connection)
        return connection
      },
      wallMs: () => Date.now(),
      until: (promise) => promise,
      async untilTrue(isDone, what) {
        const endMs = performance.now() + PATIENCE_MS
        while (!isDone()) {
          if (performance.now() > endMs) throw new Error(`it never came to pass: ${what}`)
          await later(20)
        }
      },
      pass: later,
      async crash() {
        cluster.kill('broker-a')
        await later(500)
        await cluster.restart('broker-a')
      },
    }
  }

  it('tell an operator with mqadmin where they stand, and go where he sends them', async () => {
    const { connect, untilTrue } = world()
    const Numbers = topic('operated', t.number, { queues: 1 })
    const connection = connect()
    await ensureTopic(connection, Numbers)
    const producer = createProducer(connection, { group: 'p' })
    const seen: number[] = []
    const consumer = createConsumer(connection, { group: 'operated', instance: 'one' })
    consumer.listen(Numbers, async ({ body }) => void seen.push(body), { order: 'orderly' })
    await consumer.start()
    for (let n = 0; n < 6; n += 1) await producer.send(Numbers, n)
    await untilTrue(() => seen.length === 6, 'all were handled')

    const { clientId } = connection
    const running = await cluster.mqadmin('consumerStatus', '-g', 'operated', '-i', clientId)
    expect(running).toMatch(/PROP_CONSUME_ORDERLY +: true/)
    expect(running).toMatch(/Topic: operated .*SubExpression: \*/)
    expect(running).toMatch(/operated +broker-a +0 +3/)
    expect(running).toMatch(/operated +broker-b +0 +ProcessQueueInfo \[commitOffset=3.*locked=true/)
    const resetAtBrokers = (value: 'true' | 'false') => {
      const setting = ['-k', 'useServerSideResetOffset', '-v', value]
      return cluster.mqadmin('updateBrokerConfig', '-c', 'DefaultCluster', ...setting)
    }
    await resetAtBrokers('false')
    const reset = { group: 'operated', topic: 'operated', to: 'first' } as const
    await resetOffsets(connection, reset)
    await untilTrue(() => seen.length === 12, 'all came again')
    await resetAtBrokers('true')
    await consumer.close()
  })

  it("share a group with RocketMQ's own, each key in order at one of them", async () => {
    const { connect, untilTrue } = world()
    const Shared = topic('Shared', t.string, { queues: 2 })
    const connection = connect()
    await ensureTopic(connection, Shared)
    const producer = createProducer(connection, { group: 'p' })
    const ours: string[] = []
    const options = { group: 'G-shared', instance: 'ours', retry: { by: 'levels' } } as const
    const consumer = createConsumer(connection, options)
    consumer.listen(Shared, async ({ body }) => void ours.push(body), { order: 'orderly' })
    await consumer.start()
    expect(consumer.held).toHaveLength(4)
    const send = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1)
        for (const key of ['ann', 'bob', 'cid', 'dan', 'eve', 'fay'])
          await producer.send(Shared, `${key} ${n}`, { shardingKey: key })
    }
    const java = new JavaClients(compiledClassPath(), cluster.nameServer, home)
    try {
      await java.ready()
      const said = await java.run('share a group', async () => {
        await untilTrue(() => consumer.held.length === 2, 'each has its half')
        await send(0, 10)
        await later(1_500)
      })
      await untilTrue(() => consumer.held.length === 4, 'ours has all again')
      await send(10, 12)
      const theirs = said.flatMap(({ got }) =>
        got === undefined ? [] : [String(got).slice(1, -1)],
      )
      await untilTrue(() => ours.length + theirs.length >= 72, 'all were handled')
      await later(500)
      await consumer.close()
      expect(theirs.length).toBeGreaterThan(0)
      const all = [...theirs, ...ours]
      expect(new Set(all).size).toBe(72)
      expect(all).toHaveLength(72)
      for (const key of ['ann', 'bob', 'cid', 'dan', 'eve', 'fay']) {
        const numbers = all
          .filter((text) => text.startsWith(key))
          .map((text) => Number(text.slice(4)))
        expect(numbers).toEqual(Array.from({ length: 12 }, (_, n) => n))
      }
    } finally {
      java.stop()
    }
  })

  consumingSuite({
    name: "Apache's brokers",
    settlesAny: false,
    quietMs: 1_500,
    open: async () => world(),
  })
})
