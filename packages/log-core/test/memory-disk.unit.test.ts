/** The disk in memory is a Disk too; and what a log does on a disk that takes no time. */
import { describe, expect, it } from 'vitest'
import { openLog } from '../src/index.js'
import { diskContract } from './disk-contract.js'
import { hastyClock, memoryDisk } from './memory-disk.js'
import { DIRECTORY, draft, readAll } from './world.js'

diskContract('the disk in memory', async () => {
  const { disk } = memoryDisk(new Map())
  await disk.makeDirectory('/contract')
  return {
    disk,
    directory: '/contract',
    drive: (promise) => promise,
    dispose: () => Promise.resolve(),
  }
})

describe('a log on a disk that takes no time', () => {
  it('has the next segment prepared, also when a roll takes one the moment it is ready', async () => {
    const { disk } = memoryDisk(new Map())
    const options = { disk, clock: hastyClock(), directory: DIRECTORY, segmentBytes: 512 }
    const log = await openLog({ ...options, sealBytesPerSecond: 0 })
    const texts = Array.from({ length: 60 }, (_, n) => `${n}:`.padEnd(300, 'x'))
    let tries = 0
    for (const text of texts) {
      // Asks again after each step of a promise, so that no moment is passed over.
      while (typeof log.append([draft(text)]) === 'string') {
        tries += 1
        expect(tries, 'the next segment never comes').toBeLessThan(100_000)
        await Promise.resolve()
      }
    }
    expect(await readAll(log)).toEqual(texts)
    await log.close()
  })
})
