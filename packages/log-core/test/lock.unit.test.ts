/**
 * Who has a directory: what may be concluded from a claim, waiting for it, and real processes that
 * die, stop, or live in namespaces of their own.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeClock } from '@sagalog/kernel/node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LogError, openLog } from '../src/index.js'
import { decodeClaim, encodeClaim, judgeClaim, ownerText } from '../src/node/owner-claim.js'
import { claimDirectory } from '../src/node/owner-file-node.js'
import { nodeDisk } from '../src/node/index.js'
import { DIRECTORY, readAll, world } from './world.js'

const here = { pid: 7, started: '500', boot: 'b1', namespace: 'pid:[1]', host: 'one' }
const claim = { ...here, pid: 9, started: '400', token: '9-1-400-b1-1' }

describe('a claim', () => {
  it('reads back what was written, and nothing else is one', () => {
    expect(decodeClaim(encodeClaim(claim))).toEqual(claim)
    const foreign = ['', '123\n', '{}', 'null', '[]', encodeClaim({ ...claim, token: '../x' })]
    for (const text of foreign) expect(decodeClaim(text), text).toBeUndefined()
  })

  it('tells people who it is', () => {
    expect(ownerText(claim, here)).toBe('process 9')
    expect(ownerText({ ...claim, namespace: 'pid:[2]' }, here)).toBe(
      'process 9 of another container',
    )
    expect(ownerText({ ...claim, host: 'two' }, here)).toBe('process 9 on two')
    expect(ownerText(undefined, here)).toBe('another process')
  })

  const other = { ...claim, namespace: 'pid:[2]' }
  const rebooted = { ...claim, boot: 'b0' }
  const seen = { socket: 'missing', startedNow: undefined, isLocalDisk: true } as const
  it.each([
    ['its socket listens', claim, { ...seen, socket: 'listens' }, 'alive'],
    ['its socket listens in another container', other, { ...seen, socket: 'listens' }, 'alive'],
    ['nobody listens', claim, { ...seen, socket: 'refuses' }, 'dead'],
    ['nobody listens in another container', other, { ...seen, socket: 'refuses' }, 'dead'],
    ['no sockets, no such process', claim, seen, 'dead'],
    ['no sockets, the process is there', claim, { ...seen, startedNow: '400' }, 'alive'],
    ['no sockets, the pid was used again', claim, { ...seen, startedNow: '450' }, 'dead'],
    ['no sockets, the start is hidden', claim, { ...seen, startedNow: '' }, 'alive'],
    ['no sockets, another container', other, { ...seen, startedNow: '400' }, 'unknown'],
    ['the system was started again', rebooted, { ...seen, startedNow: '400' }, 'dead'],
    ['another machine, or a reboot', rebooted, { ...seen, isLocalDisk: false }, 'unknown'],
    [
      'a socket says nothing about another machine',
      rebooted,
      { ...seen, socket: 'refuses', isLocalDisk: false },
      'unknown',
    ],
  ] as const)('%s: %#', (_, found, evidence, verdict) => {
    expect(judgeClaim(found, here, evidence)).toBe(verdict)
  })
})

describe('waiting for a directory', () => {
  it('gets it once its owner closes, or is refused when the time is up', async () => {
    const { start, drive, pass } = world(5)
    const first = await drive(start().open())
    const second = start()
    const began = second.clock.monotonicMs()
    const refused = await drive(second.open({ lock: { waitMs: 700 } }).catch((error) => error))
    expect(refused).toMatchObject({ code: 'LOCKED', detail: { directory: DIRECTORY } })
    expect(second.clock.monotonicMs() - began).toBeGreaterThanOrEqual(700)
    const waiting = start().open({ lock: { waitMs: 60_000 } })
    await pass(2000)
    await drive(first.close())
    const log = await drive(waiting)
    await drive(log.close())
  })
})

const isLinux = process.platform === 'linux'

describe.runIf(isLinux)('a process of this machine', () => {
  let directory = ''
  let children: ChildProcess[] = []
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sagalog-owner-'))
    children = []
  })
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })

  const program = join(dirname(fileURLToPath(import.meta.url)), 'owner-process.mjs')
  const open = () => openLog({ disk: nodeDisk(), clock: nodeClock(), directory })
  const refusal = async (): Promise<string> => {
    const error: unknown = await open().then(
      (log) => log.close(),
      (thrown: unknown) => thrown,
    )
    return LogError.is(error) ? error.message : 'opened'
  }

  /** Starts a process that owns the directory; `lines` grows by what it prints. */
  async function owner(...before: string[]) {
    const [command, ...args] = [...before, process.execPath, program, directory]
    const child = spawn(command ?? process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    const lines: string[] = []
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`ended with ${code}: ${lines.join()}`)))
      child.stdout?.on('data', (bytes: Buffer) => {
        lines.push(...String(bytes).trimEnd().split('\n'))
        if (lines.length > 3) resolve()
      })
    })
    const kill = async (): Promise<void> => {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    }
    return { child, lines, kill }
  }

  it('killed, opened at once, again and again: all that it printed is there', async () => {
    for (let round = 0; round < 2; round += 1) {
      const { lines, kill } = await owner()
      expect(await refusal()).toMatch(/^LOCKED: .* is in use by process \d+$/)
      await kill()
      const log = await open()
      const printed = lines.filter((line) => /^\d+$/.test(line))
      expect(printed.length).toBeGreaterThan(2)
      expect(await readAll(log)).toEqual(expect.arrayContaining(printed))
      await log.close()
    }
    expect(readdirSync(directory).filter((name) => name.startsWith('owner'))).toEqual([])
  })

  const unshared = spawnSync('unshare', ['-n', '-p', '-f', '--mount-proc', 'true'])
  const hasNamespaces = unshared.status === 0
  if (!hasNamespaces) console.warn('namespaces can not be made here: containers are not tried')
  describe.runIf(hasNamespaces)('with a network of its own', () => {
    it('keeps us out, killed it does not', async () => {
      const { kill } = await owner('unshare', '-n')
      expect(await refusal()).toMatch(/is in use by process \d+$/)
      await kill()
      expect(await refusal()).toBe('opened')
    })

    it('and processes of its own: keeps us out, also while it is stopped', async () => {
      const before = ['unshare', '-n', '-p', '-f', '--mount-proc', '--kill-child']
      const { child, kill } = await owner(...before)
      expect(await refusal()).toMatch(/is in use by process \d+ of another container$/)
      const { pid = 0 } = child
      const [inside = 0] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .map(Number)
      process.kill(inside, 'SIGSTOP')
      expect(await refusal()).toContain('is in use by process')
      process.kill(inside, 'SIGCONT')
      await kill()
      // The one inside dies with its parent, a moment later.
      while (readFileSync(join(directory, 'owner'), 'utf8') !== '' && (await isThere(inside)));
      expect(await refusal()).toBe('opened')
    })
  })

  async function isThere(pid: number): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, 5))
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }

  it('of many that take over from a dead one at once, one has it', async () => {
    const dead = { ...claim, boot: 'an earlier one', token: 'dead' }
    for (let round = 0; round < 12; round += 1) {
      writeFileSync(join(directory, 'owner'), round % 3 === 0 ? '4321\n' : encodeClaim(dead))
      const results = await Promise.allSettled(
        Array.from({ length: 6 }, () => claimDirectory(directory)),
      )
      const won = results.filter(({ status }) => status === 'fulfilled')
      expect(won).toHaveLength(1)
      for (const result of results) {
        if (result.status === 'fulfilled') await result.value.remove()
        else expect(result.reason).toMatchObject({ code: 'IN_USE' })
      }
      expect(readdirSync(directory)).toEqual([])
    }
  })

  it('a foreign file of that name is not taken for a dead owner', async () => {
    writeFileSync(join(directory, 'owner'), 'the owner of this flat is Ms Smith')
    expect(await refusal()).toContain('LOCKED')
    expect(readFileSync(join(directory, 'owner'), 'utf8')).toContain('Ms Smith')
  })
})
