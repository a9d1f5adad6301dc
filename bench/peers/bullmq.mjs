/** Three jobs as a flow of BullMQ, each a child of the next; `where` is a port of Redis. */
import { FlowProducer, QueueEvents, Worker } from 'bullmq'
import { askedLoad, load } from './load.mjs'

const { where, ...asked } = askedLoad()
const connection = { host: '127.0.0.1', port: Number(where), maxRetriesPerRequest: null }
const queueName = 'steps'
const worker = new Worker(queueName, async () => 1, { connection, concurrency: 64 })
const events = new QueueEvents(queueName, { connection })
const flows = new FlowProducer({ connection })
await Promise.all([worker.waitUntilReady(), events.waitUntilReady(), flows.waitUntilReady()])
const job = (name, children) => ({ name, queueName, data: { amount: 1 }, children })
await load(async () => {
  const root = await flows.add(job('c', [job('b', [job('a', [])])]))
  await root.job.waitUntilFinished(events)
}, asked)
process.exit(0)
