/**
 * The machine's own disk, stalled: every thread that works for it hangs in a system call until the
 * test lets go. The event loop goes on, appends are bounded, and nothing is acknowledged meanwhile.
 */
import { nodeClock } from '@sagalog/kernel/node'
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AppendOutcome, openLog } from '../src/index.js'
import { nodeDisk } from '../src/node/index.js'
import { draft, readAll } from './world.js'

let directory = ''
beforeAll(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'sagalog-stalled-'))
})
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)

/** Opening a pipe for reading hangs until somebody opens it for writing. */
function stallDisk(): () => void {
  const pipes = Array.from({ length: THREADS }, (_, n) => join(directory, `pipe-${n}`))
  execFileSync('mkfifo', pipes)
  for (const pipe of pipes) fs.open(pipe, 'r', (_error, fd) => fs.closeSync(fd))
  return () => {
    for (const pipe of pipes) {
      fs.closeSync(fs.openSync(pipe, 'w'))
      fs.rmSync(pipe)
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

// Windows has no pipes in the file system.
describe.skipIf(process.platform === 'win32')('a stalled disk', () => {
  it('leaves the event loop alone, bounds what is appended, and acknowledges nothing', async () => {
    const log = await openLog({
      disk: nodeDisk(),
      clock: nodeClock(),
      directory: join(directory, 'log'),
      segmentBytes: 1 << 20,
      inFlightBytesMax: 64 << 10,
    })
    await log.write([draft('before')])
    const durable = log.watermark('sync')
    const release = stallDisk()
    const outcomes: AppendOutcome[] = []
    const writes: Promise<unknown>[] = []
    for (let n = 0; n < 500; n += 1) {
      const write = log.write([draft('x'.repeat(1000))])
      writes.push(write.then((outcome) => outcomes.push(outcome)))
      // Each turn of the loop comes, though no call to the disk does.
      await turn()
    }
    expect(log.watermark('sync')).toBe(durable)
    expect(outcomes.length).toBeGreaterThan(350)
    expect(new Set(outcomes)).toEqual(new Set(['wait']))
    expect(log.watermark('memory') - durable).toBeLessThanOrEqual(64 << 10)
    // Memory is read without the disk.
    expect(await readAll(log)).toContain('before')
    release()
    await Promise.all(writes)
    const written = outcomes.filter((outcome) => typeof outcome === 'object')
    expect(written.length).toBeGreaterThan(50)
    expect(log.watermark('sync')).toBe(log.watermark('memory'))
    await log.close()
  })
})
