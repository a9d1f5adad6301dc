/**
 * A process that fills a log and ends: by a kill in the midst of its writes, so that the next start
 * finds what a crash leaves, or by a close. It can also tell how its memory grew meanwhile.
 *
 * Arguments: directory, records, bytes of a body, records of a frame, bytes of a segment, then
 * `kill`, `close` or `memory`, which closes and prints the growth as JSON.
 */
import { bytesDraft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { type Log, openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'

const [directory = '', ...rest] = process.argv.slice(2)
const [records = 0, bodyBytes = 0, frameRecords = 1, segmentBytes = 0] = rest.map(Number)
const end = rest[4]
const MIB = 1 << 20

/** What is held, without the garbage of the moment before: it is freed a little later. */
async function memoryNow(): Promise<{ rss: number; held: number }> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.()
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, held: heapUsed + external }
}

/** Several frames are on their way at any time. */
async function fill(log: Log): Promise<void> {
  const body = Buffer.alloc(bodyBytes, 0x61)
  const drafts = Array.from({ length: frameRecords }, () => bytesDraft('message', body))
  let left = Math.ceil(records / frameRecords)
  const write = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await log.write(drafts)
    }
  }
  await Promise.all(Array.from({ length: 16 }, write))
}

const log = await openLog({
  disk: nodeDisk(),
  clock: nodeClock(),
  directory,
  durability: 'os',
  segmentBytes,
})
const before = await memoryNow()
const startMs = performance.now()
await fill(log)
const elapsedMs = performance.now() - startMs
if (end === 'kill') {
  // In the midst of a write, and with the last frames nowhere but in memory.
  void fill(log)
  setImmediate(() => process.kill(process.pid, 'SIGKILL'))
} else {
  const after = await memoryNow()
  await log.close()
  process.stdout.write(
    JSON.stringify({
      elapsedMs,
      rssGrowthMib: (after.rss - before.rss) / MIB,
      heldGrowthMib: (after.held - before.held) / MIB,
      peakMib: process.resourceUsage().maxRSS / 1024,
    }),
  )
}
