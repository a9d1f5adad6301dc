/** A user's program with decorated listeners; it is compiled in both forms and run on its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBroker } from '@sagalog/broker'
import { type Connection, createProducer, ensureTopic } from '@sagalog/client'
import { openConnection, type Received, topic, type Tx } from '@sagalog/client'
import { listenWith, MessageListener } from '@sagalog/client/decorators'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { channelPair, type Command } from '@sagalog/protocol'
import * as t from 'io-ts'

const Orders = topic('orders', t.string, { queues: 1 })
const Shipped = topic('shipped', t.string, { queues: 1 })

@MessageListener({
  topic: Orders,
  consumerGroup: 'shipping',
  consumeMode: 'ORDERLY',
  selector: 'paid',
})
class OrderListener {
  private readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  async onMessage(order: Received<string>, tx: Tx): Promise<void> {
    tx.send(Shipped, `${this.prefix} ${order.body}`)
  }
}

class Subclass extends OrderListener {}

@MessageListener({ topic: Shipped, consumerGroup: 'audit', messageModel: 'BROADCASTING' })
class Audit {
  readonly seen: string[] = []

  async onMessage({ body }: Received<string>): Promise<void> {
    this.seen.push(body)
  }
}

async function run(connection: Connection): Promise<string> {
  for (const one of [Orders, Shipped]) await ensureTopic(connection, one)
  const audit = new Audit()
  const consumers = [
    listenWith(connection, new Subclass('shipped'), { instance: 'one' }),
    listenWith(connection, audit, { instance: 'two' }),
  ]
  for (const consumer of consumers) await consumer.start()
  const producer = createProducer(connection, { group: 'p' })
  for (const [body, tags] of [
    ['a', 'paid'],
    ['b', 'open'],
    ['c', 'paid'],
  ] as const)
    await producer.send(Orders, body, { tags })
  while (audit.seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  for (const consumer of consumers) await consumer.close()
  return audit.seen.join(', ')
}

const directory = mkdtempSync(join(tmpdir(), 'sagalog-decorated-'))
const ports = { clock: nodeClock(), random: nodeRandom() }
const broker = await openBroker({ ...ports, disk: nodeDisk(), directory, segmentBytes: 1 << 20 })
const connection = openConnection({
  ports,
  connect() {
    const [ours, theirs] = channelPair<Command>()
    broker.accept(theirs)
    return Promise.resolve(ours)
  },
})
console.log(await run(connection))
connection.close()
await broker.close()
rmSync(directory, { recursive: true })
