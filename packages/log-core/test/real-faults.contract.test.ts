/**
 * What a real system does to a log: a small file system that is full, one that is read-only, a
 * directory of somebody else, too few handles, a write that fails. As root on Linux; elsewhere what
 * is left out is said.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sleep } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { backupLog, type Log, LogError, openLog, verifyLog } from '../src/index.js'
import { asDiskError } from '../src/node/disk-error.js'
import { nodeDisk } from '../src/node/index.js'
import { draft, readAll } from './world.js'

const program = join(dirname(fileURLToPath(import.meta.url)), 'owner-process.mjs')
const ports = { disk: nodeDisk(), clock: nodeClock() }
const code = (error: unknown): string => (LogError.is(error) ? error.code : String(error))
const message = (error: unknown): string => (error instanceof Error ? error.message : '')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sagalog-faults-'))
})
afterEach(() => {
  spawnSync('umount', ['-l', directory])
  rmSync(directory, { recursive: true, force: true })
})

const open = (segmentBytes = 1 << 18, at = directory): Promise<Log> =>
  openLog({ ...ports, directory: at, segmentBytes })

/** Everything a program prints until it ends; `onLine` may look on. */
function printed(command: readonly string[], uid?: number): Promise<string[]> {
  const [name = '', ...args] = command
  const asUser = uid === undefined ? {} : { uid, gid: uid }
  const child: ChildProcess = spawn(name, args, { stdio: ['ignore', 'pipe', 'ignore'], ...asUser })
  let text = ''
  child.stdout?.on('data', (bytes: Buffer) => (text += String(bytes)))
  return new Promise((resolve) => child.once('close', () => resolve(text.trimEnd().split('\n'))))
}

function mounted(): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]).status === 0
}

const canMount = process.platform === 'linux' && process.getuid?.() === 0
if (!canMount) console.warn('not root on Linux: no small or read-only file system is mounted')

describe.runIf(canMount)('a file system of 4 MiB', () => {
  it('full: appends are refused and can be tried again, reads go on, and so do appends', async () => {
    expect(mounted()).toBe(true)
    const filler = join(directory, 'filler')
    writeFileSync(filler, Buffer.alloc(2 << 20))
    const log = await open(1 << 18, join(directory, 'log'))
    let count = 0
    const append = async (): Promise<boolean> => {
      const outcome = await log.write([draft('x'.repeat(4000))])
      if (typeof outcome !== 'string') count += 1
      return typeof outcome !== 'string'
    }
    // `wait` may come first; `full` stays.
    while (log.append([draft('probe'.repeat(800))]) !== 'full') {
      count += 1
      await sleep(ports.clock, 1)
      if (count > 2000) throw new Error('never full')
    }
    const before = await readAll(log)
    expect(log.failure).toBeUndefined()
    expect(await append()).toBe(false)
    const to = join(directory, 'backup')
    const copying = backupLog({ ...ports, directory: join(directory, 'log'), to, log })
    expect(await copying.catch(code)).toBe('DISK_FULL')
    expect(await readAll(log)).toEqual(before)
    rmSync(filler)
    while (!(await append())) await sleep(ports.clock, 20)
    for (let n = 0; n < 100; n += 1) while (!(await append())) await sleep(ports.clock, 5)
    const all = await readAll(log)
    await log.close()
    const again = await open(1 << 18, join(directory, 'log'))
    expect(await readAll(again)).toEqual(all)
    expect(all.length).toBe(before.length + 101)
    await again.close()
  })

  it('read-only: not opened, and says so; but verified', async () => {
    expect(mounted()).toBe(true)
    const log = await open()
    log.append([draft('before')])
    await log.close()
    expect(spawnSync('mount', ['-o', 'remount,ro', directory]).status).toBe(0)
    const refused = await open().catch(message)
    expect(refused).toMatch(/^DIRECTORY_UNUSABLE: .* its file system is mounted read-only$/)
    expect(await verifyLog({ ...ports, directory })).toMatchObject({ isWhole: true, records: 1 })
  })
})

const isPosix = process.platform !== 'win32'

describe.runIf(isPosix)('what a user may not, and a process can not', () => {
  it('a directory of somebody else: named, with what may not be done', async () => {
    const log = await open()
    await log.close()
    chmodSync(directory, 0o555)
    const nobody = process.getuid?.() === 0 ? 65_534 : undefined
    const [first] = await printed([process.execPath, program, directory], nobody)
    expect(first).toMatch(/^DIRECTORY_UNUSABLE: .* may not be written$/)
    expect(first).toContain(directory)
  })

  it('too few handles: its own error, and nothing is harmed', async () => {
    const log = await open(512)
    for (let n = 0; n < 120; n += 1) await log.write([draft('y'.repeat(300))])
    await log.close()
    // Enough for the program to be loaded, and less than there are segments.
    const lines = await printed([
      ...['sh', '-c', 'ulimit -n 80; exec "$0" "$@"', process.execPath, program, directory],
    ])
    expect(lines[0]).toMatch(/^TOO_MANY_FILES: too many files are open: .*\.seg can not be opened$/)
    const again = await open(512)
    expect(await readAll(again)).toHaveLength(120)
    await again.close()
  })

  it('a directory with the name of a segment, and foreign files beside the log', async () => {
    writeFileSync(join(directory, 'notes.txt'), 'mine')
    writeFileSync(join(directory, '12.seg'), 'mine too')
    const log = await open()
    log.append([draft('one')])
    await log.close()
    mkdirSync(join(directory, '0000000000080000.seg'))
    expect(await open().catch(message)).toMatch(
      /^DIRECTORY_UNUSABLE: .*0{11}80000\.seg is a directory; a file is needed$/,
    )
    rmSync(join(directory, '0000000000080000.seg'), { recursive: true })
    const again = await open()
    expect(await readAll(again)).toEqual(['one'])
    await again.close()
  })
})

const hasStrace = spawnSync('strace', ['-V']).status === 0
if (!hasStrace) console.warn('strace is not here: no write of a real process is made to fail')

describe.runIf(hasStrace)('one write that fails in a real process', () => {
  it('is final: nothing is acknowledged after it, what is durable is read, a reopening decides', async () => {
    const inject = ['-e', 'trace=pwrite64', '-e', 'inject=pwrite64:error=EIO:when=24']
    const strace = ['strace', '-f', '-qq', '-o', '/dev/null', ...inject]
    const lines = await printed([...strace, process.execPath, program, directory])
    const [failure = '', readable = ''] = lines.slice(-2)
    const numbers = lines.slice(1, -2)
    expect(lines[0]).toBe('open')
    expect(numbers.length).toBeGreaterThan(3)
    expect(numbers).toEqual(numbers.map((_, n) => String(n)))
    expect(failure).toMatch(/^FLUSH_FAILED: writing to .*\.seg failed: .*EIO/)
    expect(readable).toBe(`readable ${numbers.length}`)
    const log = await open()
    expect((await readAll(log)).slice(0, numbers.length)).toEqual(numbers)
    await log.close()
  })
})

describe('the codes of the system', () => {
  it.each([
    ['ENOENT', 'NOT_FOUND'],
    ['EEXIST', 'EXISTS'],
    ['ENOTDIR', 'NOT_A_DIRECTORY'],
    ['EISDIR', 'NOT_A_FILE'],
    ['EACCES', 'NO_ACCESS'],
    ['EPERM', 'NO_ACCESS'],
    ['EROFS', 'READ_ONLY'],
    ['ENOSPC', 'FULL'],
    ['EDQUOT', 'FULL'],
    ['EFBIG', 'TOO_LARGE'],
    ['EMFILE', 'TOO_MANY_FILES'],
    ['ENFILE', 'TOO_MANY_FILES'],
    ['EIO', 'IO'],
    ['ESTALE', 'IO'],
  ])('%s is %s, with the path and the cause', (system, name) => {
    const cause = Object.assign(new Error(`${system}: why`), { code: system })
    const error = asDiskError(cause, 'opened', '/a/b')
    expect([error.code, error.cause]).toEqual([name, cause])
    expect(error.message).toContain('/a/b')
  })
})
