/**
 * A process that sends delayed messages and tells what they hold in memory.
 * Arguments: directory, messages, milliseconds of the round. Prints JSON; run with --expose-gc.
 */
import { createProducer } from '@sagalog/client'
import { Bench, BODY_BYTES, bodyOf, openEmbedded } from './embedded-broker.js'

const [directory = '', ...numbers] = process.argv.slice(2)
const [messages = 0, durationMs = 0] = numbers.map(Number)
const CALLERS = 1_024
const HOUR_MS = 3_600_000
const MB = 1_000_000

/** What is held and what the system gave, once the garbage of the moment before is gone. */
async function memoryNow(): Promise<{ held: number; rss: number }> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => void setTimeout(resolve, 50))
  }
  const { arrayBuffers, heapUsed, rss } = process.memoryUsage()
  return { held: heapUsed + arrayBuffers, rss }
}

const { broker, close, connection } = await openEmbedded(directory, {
  durability: 'os',
  durationMs,
})
const producer = createProducer(connection, { group: 'bench' })
const body = bodyOf(BODY_BYTES)
/** Code is compiled and the log's cache is full before anything counts. */
const WARM = Math.min(50_000, messages)
let left = WARM
const send = async (delayMs: number): Promise<void> => {
  while (left > 0) {
    left -= 1
    await producer.send(Bench, body, delayMs === 0 ? {} : { delayMs: delayMs + left })
  }
}
await Promise.all(Array.from({ length: CALLERS }, () => send(0)))
const before = await memoryNow()
left = messages
const startMs = performance.now()
await Promise.all(Array.from({ length: CALLERS }, () => send(HOUR_MS)))
const elapsedMs = performance.now() - startMs
const after = await memoryNow()
const { earlyReplies, timersOpen } = broker.status()
await close()
process.stdout.write(
  JSON.stringify({
    elapsedMs,
    earlyReplies,
    timersOpen,
    heldMb: (after.held - before.held) / MB,
    rssMb: (after.rss - before.rss) / MB,
  }),
)
