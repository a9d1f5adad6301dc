/**
 * One of the three processes.
 *
 * usage: node dist/main.js stock|payment|orchestrator [BROKER_PORT] [ORDERS]
 */
import { openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { orchestrator, placeOrders } from './orchestrator.js'
import { paymentService, stockService } from './services.js'

const [role = '', port = '10911', count = '10'] = process.argv.slice(2)
const connection = openConnection({
  connect: connectTcp({ host: '127.0.0.1', port: Number(port) }),
  ports: { clock: nodeClock(), random: nodeRandom() },
})

/** What is in hand ends, then the leases go back: whoever comes next need not wait for them. */
function closeOnSignal(running: { close(): Promise<void> }): void {
  const close = async (): Promise<void> => {
    await running.close()
    connection.close()
  }
  process.once('SIGTERM', () => void close())
  process.once('SIGINT', () => void close())
}

if (role === 'stock' || role === 'payment') {
  const service = await (role === 'stock' ? stockService(connection) : paymentService(connection))
  await service.start()
  closeOnSignal(service)
  console.log(`${role} is ready`)
} else if (role === 'orchestrator') {
  const runtime = await orchestrator(connection)
  closeOnSignal(runtime)
  console.log('orchestrator is ready')
  await placeOrders(runtime, Number(count))
  console.log('all orders have ended')
} else {
  console.error('usage: node dist/main.js stock|payment|orchestrator [BROKER_PORT] [ORDERS]')
  process.exitCode = 2
  connection.close()
}
