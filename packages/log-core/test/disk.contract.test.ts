/** Both disks pass the same suite; what only the real one can show follows. */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sleep } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { describe, expect, it } from 'vitest'
import { openLog } from '../src/index.js'
import { nodeDisk } from '../src/node/index.js'
import { diskContract } from './disk-contract.js'
import { draft, readAll, textOf, world } from './world.js'

diskContract('the simulated disk', async () => {
  const { start, drive } = world(1)
  const { disk } = start()
  await drive(disk.makeDirectory('/contract'))
  return { disk, directory: '/contract', drive, dispose: () => Promise.resolve() }
})

diskContract("the machine's disk", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sagalog-disk-'))
  return {
    disk: nodeDisk(),
    directory,
    drive: (promise) => promise,
    dispose: () => rm(directory, { recursive: true }),
  }
})

describe("a log on the machine's disk", () => {
  const open = (directory: string) =>
    openLog({ disk: nodeDisk(), clock: nodeClock(), directory, segmentBytes: 1 << 16 })

  it('survives a close and refuses a second opener, naming the first', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'sagalog-log-'))
    const directory = join(parent, 'deep', 'log')
    const log = await open(directory)
    const owner = await readFile(join(directory, 'owner'), 'utf8')
    expect(JSON.parse(owner)).toMatchObject({ pid: process.pid, host: hostname() })
    await expect(open(directory)).rejects.toMatchObject({
      code: 'LOCKED',
      detail: { owner: `process ${process.pid}` },
    })
    const texts = Array.from({ length: 2000 }, (_, n) => `record ${n} ${'x'.repeat(n % 200)}`)
    let last = log.start
    for (const [n, text] of texts.entries()) {
      let appended = log.append([draft(text)])
      while (typeof appended === 'string') {
        await sleep(nodeClock(), 1)
        appended = log.append([draft(text)])
      }
      last = appended.end
      if (n % 97 === 0) {
        await log.waitFor(last, 'sync')
        expect(log.isSafe(last, 'sync')).toBe(true)
      }
    }
    await log.close()
    const again = await open(directory)
    expect(again.report).toMatchObject({ ambiguousBytes: 0, end: last + 40 })
    expect(await readAll(again)).toEqual(texts)
    await again.close()
    await rm(parent, { recursive: true })
  })

  it('a killed process leaves the directory free', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sagalog-lock-'))
    const { dev, ino } = await promisify(execFile)(process.execPath, [
      '-p',
      `JSON.stringify(require('fs').statSync(${JSON.stringify(directory)}))`,
    ]).then(({ stdout }) => JSON.parse(stdout) as { dev: number; ino: number })
    // Another process that holds the same name as the lock does.
    const holder = spawn(process.execPath, [
      '-e',
      `const hash = require('crypto').createHash('sha256').update('${dev}:${ino}').digest('hex')
       require('net').createServer().listen({ path: '\\0sagalog-' + hash.slice(0, 32) },
         () => console.log('held'))`,
    ])
    if (process.platform === 'linux') {
      await new Promise((resolve) => holder.stdout.once('data', resolve))
      await expect(open(directory)).rejects.toMatchObject({ code: 'LOCKED' })
      holder.kill('SIGKILL')
      await new Promise((resolve) => holder.once('exit', resolve))
    }
    const log = await open(directory)
    const appended = log.append([draft('mine')])
    if (typeof appended === 'string') throw new Error(appended)
    expect(appended.records.map(textOf)).toEqual(['mine'])
    await log.close()
    holder.kill('SIGKILL')
    await rm(directory, { recursive: true })
  })
})
