/**
 * A process that opens the log in the directory of its first argument, appends numbered records and
 * prints each number once it is on the disk. Says why when it can not open.
 */
import { bytesDraft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'

const [, , directory, from = '0'] = process.argv
const print = (text) => process.stdout.write(`${text}\n`)
try {
  const options = { disk: nodeDisk(), clock: nodeClock(), directory, segmentBytes: 1 << 16 }
  const log = await openLog(options)
  print('open')
  for (let n = Number(from); ; n += 1) {
    const appended = log.append([bytesDraft('message', Buffer.from(String(n)))])
    if (typeof appended === 'string') throw new Error(`append said ${appended}`)
    await log.waitFor(appended.end, 'sync')
    print(n)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
} catch (error) {
  print(error.code ?? error.message)
  process.exitCode = 1
}
