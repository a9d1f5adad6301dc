/**
 * Real processes on the machine's disk: killed at any moment, and with a write or a sync that fails
 * in the operating system. A kill leaves the page cache, so it can not show a missing sync (the
 * simulated power losses do); it shows that nothing else depends on a process that ends well.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeClock } from '@sagalog/kernel/node'
import { below } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLog } from '../src/index.js'
import { nodeDisk } from '../src/node/index.js'
import { Campaign } from './campaign.js'
import { readAll } from './world.js'

const writer = fileURLToPath(new URL('killed-writer.mjs', import.meta.url))

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sagalog-killed-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Starts a writer below the command `before`; what it printed, whole lines, grows. */
function startWriter(prefix: string, durability: string, before: readonly string[] = []) {
  const [command, ...args] = [...before, process.execPath, writer]
  const child = spawn(command ?? '', [...args, directory, prefix, durability], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Its calls are seen by strace one by one.
    env: { ...process.env, UV_USE_IO_URING: '0' },
  })
  const lines: string[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  return { child, lines }
}

function closed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('close', () => resolve()))
}

const isPromise = (line: string): boolean => /^\w+ \d+$/.test(line) && !line.startsWith('readable')

/** Opens what is left: promises are kept, and each caller's records are there from the first. */
async function verify(promises: readonly string[]) {
  const log = await openLog({ disk: nodeDisk(), clock: nodeClock(), directory })
  const found = (await readAll(log)).map((text) => text.split(' ').slice(0, 2).join(' '))
  const there = new Set(found)
  expect(promises.filter((promise) => !there.has(promise))).toEqual([])
  expect(there.size).toBe(found.length)
  const next = new Map<string, number>()
  for (const name of found) {
    const [caller = '', n] = name.split(' ')
    if (Number(n) !== (next.get(caller) ?? 0)) throw new Error(`${name} stands at a wrong place`)
    next.set(caller, Number(n) + 1)
  }
  const { report } = log
  await log.close()
  return { found: found.length, report }
}

describe('a process that is killed', () => {
  const campaign = new Campaign({
    file: 'packages/log-core/test/killed.crash.test.ts',
    of: 'kills',
    quick: 3,
    full: 50,
    fullS: 40,
    mustReach: ['acknowledged', 'segments'],
  })

  it(
    'SIGKILL at any moment: every acknowledged record is there afterwards',
    async () => {
      const promises: string[] = []
      for (const seed of campaign.seeds()) {
        const random = seededRandom(seed)
        const durability = below(random, 2) === 0 ? 'sync' : 'os'
        const { child, lines } = startWriter(`k${seed}c`, durability)
        const ending = closed(child)
        // By count, so that a slow machine kills it in the middle of its work, too.
        const enough = 1 + below(random, 600)
        while (lines.length < enough && child.exitCode === null) {
          await new Promise((resolve) => child.stdout?.once('data', resolve))
        }
        child.kill('SIGKILL')
        await ending
        expect(lines.filter((line) => !isPromise(line))).toEqual([])
        expect(lines.length).toBeGreaterThanOrEqual(enough)
        promises.push(...lines)
        campaign.count('acknowledged', lines.length)
        // Some lives begin where a kill left off, without an opening between them.
        if (below(random, 3) === 0) continue
        const { found, report } = await verify(promises)
        campaign.count('found', found)
        campaign.count('cuts', report.cut === undefined ? 0 : 1)
        campaign.count('segments', report.segments)
      }
      const { report } = await verify(promises)
      campaign.count('segments', report.segments)
      campaign.end()
    },
    campaign.timeoutMs,
  )
})

describe('a disk that fails below a process', () => {
  const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

  // O_DSYNC: a write that fails has failed to sync. Each comes at another moment of the writer.
  it.for([
    ['pwrite64', 'sync', 30],
    ['fdatasync', 'os', 3],
    ['fsync', 'sync', 8],
  ] as const)(
    '%s of a log of level %s fails the %i. time: nothing more is acknowledged, nothing is lost',
    { timeout: 120_000 },
    async ([call, durability, when], { skip }) => {
      if (!canTrace) skip('strace is not there, or may not trace: apt-get install strace')
      const inject = ['-e', `inject=${call}:error=EIO:when=${when}`]
      const before = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, ...inject]
      const { child, lines } = startWriter('s', durability, before)
      await closed(child)
      const promises = lines.filter(isPromise)
      const [failed, readable, ...more] = lines.slice(promises.length)
      expect([failed, more]).toEqual(['failed FLUSH_FAILED', []])
      // What is durable stays readable in the process that failed.
      if (durability === 'sync') {
        expect(Number(readable?.split(' ')[1])).toBeGreaterThanOrEqual(promises.length)
      }
      await verify(promises)
    },
  )
})
