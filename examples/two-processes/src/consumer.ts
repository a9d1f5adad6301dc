/**
 * The second process: a consumer over TCP. It takes the ten orders, each customer's in order, and
 * ends. Start two of them, with two names, and they share the queues of the topic.
 *
 * usage: node dist/consumer.js [PORT] [INSTANCE] [COUNT]
 */
import { createConsumer, type Handler, openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { HOST, type OrderBody, Orders } from './orders.js'

const [port = '9876', instance = 'one', count = '10'] = process.argv.slice(2)
const ports = { clock: nodeClock(), random: nodeRandom() }

const connect = connectTcp({ host: HOST, port: Number(port) })
const connection = openConnection({ connect, ports })
const consumer = createConsumer(connection, { group: 'packing', instance, from: 'first' })

let left = Number(count)
const allHere = new Promise<void>((resolve) => {
  const pack: Handler<OrderBody> = async ({ body, queueId, offset }, tx) => {
    // Counted once the acknowledgement is durable: a repeated attempt must not count twice.
    tx.onCommitted(() => {
      console.log(`packed order ${body.order} of ${body.customer} (queue ${queueId}, ${offset})`)
      left -= 1
      if (left === 0) resolve()
    })
  }
  consumer.listen(Orders, pack, { order: 'orderly' })
})
console.log(`waiting for ${left} orders from the broker on ${HOST}:${port} (Ctrl-C ends)`)
await consumer.start()
await allHere
await consumer.close()
connection.close()
console.log('all orders packed')
