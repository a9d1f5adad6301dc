/**
 * A process that is meant to be killed: it opens the log in a directory and appends records until
 * it dies, several callers at a time. Each line that it prints is a promise: `C N` says that record
 * N of caller C was acknowledged at the level. When the log fails it says so, and how many records
 * can still be read.
 *
 *   node killed-writer.mjs DIRECTORY CALLER_PREFIX sync|os
 */
import { bytesDraft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'

const CALLERS = 6
const [, , directory, prefix, durability] = process.argv
const print = (text) => process.stdout.write(`${text}\n`)
let log

async function call(caller) {
  for (let n = 0; ; n += 1) {
    const text = `${caller} ${n} `.padEnd(20 + ((n * 37) % 900), 'x')
    for (;;) {
      const outcome = await log.write([bytesDraft('message', Buffer.from(text))], { durability })
      if (typeof outcome === 'object') break
    }
    print(`${caller} ${n}`)
  }
}

try {
  log = await openLog({
    disk: nodeDisk(),
    clock: nodeClock(),
    directory,
    durability,
    segmentBytes: 1 << 16,
  })
  await Promise.all(Array.from({ length: CALLERS }, (_, n) => call(`${prefix}${n}`)))
} catch (error) {
  print(`failed ${error.code}`)
  let readable = 0
  if (log !== undefined) for await (const records of log.scan(log.start)) readable += records.length
  print(`readable ${readable}`)
  process.exit(1)
}
