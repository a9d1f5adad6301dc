/**
 * A process that opens the log in the directory of its first argument, appends numbered records and
 * prints each number once it is on the disk. Says why when it can not open or can not go on, and
 * then how many records it can still read.
 */
import { bytesDraft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'

const [, , directory] = process.argv
const print = (text) => process.stdout.write(`${text}\n`)
let log
try {
  const options = { disk: nodeDisk(), clock: nodeClock(), directory, segmentBytes: 1 << 16 }
  log = await openLog(options)
  print('open')
  for (let n = 0; ; n += 1) {
    const appended = log.append([bytesDraft('message', Buffer.from(String(n)))])
    if (typeof appended === 'string') throw new Error(`append said ${appended}`)
    await log.waitFor(appended.end, 'sync')
    print(n)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
} catch (error) {
  process.exitCode = 1
  print(error.message)
  let readable = 0
  if (log !== undefined) for await (const records of log.scan(log.start)) readable += records.length
  print(`readable ${readable}`)
  await log?.close().catch(() => undefined)
}
