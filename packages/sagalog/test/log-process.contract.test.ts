/** The command as a program: pipes that end, a process that is killed, the codes for scripts. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bytesDraft } from '@sagalog/kernel'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSmallLog } from './small-log.js'

const program = join(dirname(fileURLToPath(import.meta.url)), '..', 'bin', 'sagalog.js')
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sagalog-process-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const inside = (name: string): string => join(directory, name)

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

async function fill(records: number): Promise<void> {
  const log = await openSmallLog(inside('log'), 1 << 22)
  for (let n = 0; n < records; n += 1) {
    await log.write([bytesDraft('message', Buffer.alloc(1000, n))], { durability: 'memory' })
  }
  await log.close()
}

test('codes for scripts: fine, failed, misused; nothing but words', () => {
  const missing = run('log', 'verify', inside('missing'))
  expect(missing).toMatchObject({ code: 1, out: '' })
  expect(missing.err).toMatch(/^sagalog: there is no log in .*missing is not there\nCheck the path/)
  const wrong = run('log', 'verify', '--deep')
  expect(wrong).toMatchObject({ code: 2, out: '' })
  expect(wrong.err).toMatch(/^sagalog: unknown option '--deep' .*\nusage: sagalog log verify/)
  expect(run('--version')).toMatchObject({ code: 0, err: '' })
})

test('a reader that goes away ends a dump, quietly', async () => {
  await fill(12_000)
  const child = spawn(process.execPath, [program, 'log', 'dump', inside('log')])
  let err = ''
  child.stderr.on('data', (bytes: Buffer) => (err += String(bytes)))
  // As `head -1` does.
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect([code, err]).toEqual([0, ''])
})

test('a backup that is killed is none, and can be taken again', async () => {
  await fill(20_000)
  const child = spawn(process.execPath, [program, 'log', 'backup', inside('log'), inside('copy')])
  // The first copy is being written.
  while (!listed(inside('copy')).some((name) => name.endsWith('.copy'))) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    if (child.exitCode !== null) throw new Error('it ended before it could be killed')
  }
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
  if (!listed(inside('copy')).includes('backup.json')) {
    const none = run('log', 'restore', inside('copy'), inside('new'))
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining('no backup in') as unknown })
    expect(run('log', 'backup', inside('log'), inside('copy'))).toMatchObject({ code: 0, err: '' })
  }
  expect(run('log', 'restore', inside('copy'), inside('new'))).toMatchObject({ code: 0, err: '' })
  expect(run('log', 'verify', inside('new')).out).toContain('20000 records')
}, 60_000)

function listed(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
