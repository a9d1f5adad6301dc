/**
 * Our client with a cluster of Apache RocketMQ 5.3.3: a name server and two brokers. The contract
 * of sending is the one that it keeps with our own broker; what only a cluster shows stands here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createProducer, ensureTopic, type SendResult } from '@sagalog/client'
import { hostInOffsetId, listStreams } from '@sagalog/protocol'
import * as t from 'io-ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freshTopic } from '../../packages/client/test/contract-world.js'
import { sendingSuite } from '../../packages/client/test/sending-suite.js'
import { whySkipped } from '../interop/java-clients.js'
import { clusterConnection, clusterWorld } from './cluster-world.js'
import { type RocketmqCluster, startCluster } from './rocketmq-process.js'

const skipped = whySkipped()
const name = `a cluster of Apache RocketMQ${skipped === undefined ? '' : ` (not here: ${skipped})`}`

/** So that halves are asked about within the patience of a test. */
const SETTINGS = { transactionCheckInterval: 1_000, transactionTimeOut: 1_000 }

describe.skipIf(skipped !== undefined)(name, { timeout: 90_000 }, () => {
  let home = ''
  let cluster: RocketmqCluster
  const opened: { close(): void }[] = []

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'sagalog-our-client-'))
    cluster = await startCluster(home, ['broker-a', 'broker-b'], SETTINGS)
  }, 240_000)

  afterAll(() => {
    for (const connection of opened.splice(0)) connection.close()
    cluster?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  sendingSuite({
    name: "Apache's brokers",
    // Its timer counts in seconds, and fires a second early when a time is exact.
    delays: { earlyMs: 1_100, lateMs: 3_000 },
    async open() {
      const world = clusterWorld(cluster)
      opened.push(world.connection)
      return world
    },
  })

  async function opening(topic: string, nameServers = [cluster.nameServer]) {
    const connection = clusterConnection(nameServers)
    opened.push(connection)
    const Numbers = freshTopic(topic, t.number)
    return { connection, Numbers, producer: createProducer(connection, { group: 'p' }) }
  }

  it('is found through a list of name servers whose first is dead', async () => {
    const list = ['127.0.0.1:1', cluster.nameServer]
    const { connection, Numbers, producer } = await opening('dead-name-server', list)
    await ensureTopic(connection, Numbers)
    expect((await producer.send(Numbers, 1)).queueOffset).toBe(0)
  })

  it('makes a topic at its first message, where its brokers are allowed to', async () => {
    const { Numbers, producer } = await opening('never-made')
    for (let n = 0; n < 4; n += 1) await producer.send(Numbers, n)
    const sent = await producer.send(Numbers, 4)
    expect(sent.queueId).toBeGreaterThanOrEqual(0)
  })

  it('refuses what only our own broker can do, and says so', async () => {
    const { connection } = await opening('refused')
    const events = ensureTopic(connection, 'facts', { kind: 'event' })
    await expect(events).rejects.toMatchObject({ code: 'UNSUPPORTED', state: 'unchanged' })
    const streams = connection.request(listStreams, { category: 'facts', after: 0, maxStreams: 1 })
    await expect(streams).rejects.toThrow('it needs a Sagalog broker')
  })

  it('takes every message without a key while one of its two brokers is away', async () => {
    const { connection, Numbers, producer } = await opening('failover')
    await ensureTopic(connection, Numbers)
    const before = []
    for (let n = 0; n < 8; n += 1) before.push(await producer.send(Numbers, n))
    const hostsOf = (results: readonly SendResult[]) =>
      new Set(results.map(({ offsetMessageId }) => hostInOffsetId(offsetMessageId)))
    expect(hostsOf(before)).toEqual(new Set(cluster.brokers.values()))
    const sending = Array.from({ length: 200 }, (_, n) => producer.send(Numbers, n))
    cluster.kill('broker-a')
    const after = []
    for (let n = 0; n < 40; n += 1) after.push(await producer.send(Numbers, n))
    await Promise.all(sending)
    expect(hostsOf(after.slice(-30))).toEqual(new Set([cluster.brokers.get('broker-b')]))
  })
})
