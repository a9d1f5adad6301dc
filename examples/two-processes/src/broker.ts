/**
 * The first process: opens the broker on a directory, listens on loopback, and sends ten orders
 * through its own channel. It serves until it gets Ctrl-C.
 *
 * usage: node dist/broker.js [DIRECTORY] [PORT]
 */
import { openBroker } from '@sagalog/broker'
import { listenTcp } from '@sagalog/broker/tcp'
import { createProducer, ensureTopic, openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { isSagalogError } from '@sagalog/kernel'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { HOST, Orders } from './orders.js'

const [directory = './data', port = '9876'] = process.argv.slice(2)
const ports = { clock: nodeClock(), random: nodeRandom() }

/** Says what went wrong and what to do, and ends. */
function fail(thrown: unknown): never {
  if (!isSagalogError(thrown)) throw thrown
  console.error(`${thrown.message}\n${thrown.advice}`)
  process.exit(1)
}

const broker = await openBroker({ ...ports, disk: nodeDisk(), directory }).catch(fail)
const listener = await listenTcp(broker, { host: HOST, port: Number(port) }).catch(fail)
console.log(`listening on ${HOST}:${listener.port}`)

const connect = connectTcp({ host: HOST, port: listener.port })
const connection = openConnection({ connect, ports })
await ensureTopic(connection, Orders, { queues: 4 })
const producer = createProducer(connection, { group: 'shop' })
for (let order = 1; order <= 10; order += 1) {
  const customer = order % 2 === 0 ? 'ada' : 'grace'
  // One customer's orders share a queue, so they arrive in the order they were sent.
  const { messageId } = await producer.send(Orders, { order, customer }, { shardingKey: customer })
  console.log(`sent order ${order} of ${customer} as ${messageId}`)
}

async function stop(): Promise<void> {
  connection.close()
  await listener.close()
  await broker.close()
}
process.once('SIGINT', () => void stop())
process.once('SIGTERM', () => void stop())
