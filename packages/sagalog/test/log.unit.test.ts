/** `sagalog log` on logs of this machine: what it prints and how it ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesDraft, type Disk, DiskError, type RecordKind } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bodyText } from '../src/cli/body-text.js'
import { flipByte, openSmallLog } from './small-log.js'
import { sagalog } from './terminal.js'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sagalog-cli-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const written: readonly (readonly [RecordKind, string])[] = [
  ['message', 'hello'],
  ['event', '\u001b[31mred\u202e'],
  ['message', 'x'.repeat(3000)],
  ['place', '\u0000\u0001'],
  ['message', 'bye'],
]

async function fill(): Promise<void> {
  const log = await openSmallLog(directory)
  for (const [kind, text] of written) {
    const appended = log.append([bytesDraft(kind, Buffer.from(text))])
    if (typeof appended === 'string') throw new Error(appended)
    await log.waitFor(appended.end, 'sync')
  }
  await log.close()
}

describe('ls', () => {
  test('a row for each segment, and what they are together', async () => {
    await fill()
    const { code, out, err } = await sagalog(['log', 'ls', directory])
    expect([code, err]).toEqual([0, ''])
    const lines = out.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^file +state +generation +bytes +first +end$/)
    expect(lines[1]).toMatch(/^0{16}\.seg +active +1 +\d+ +64 +\d+$/)
    expect(lines.at(-1)).toMatch(/^\d segments?, .* [KM]iB; the log ends at \d+$/)
  })

  test('--json is one value that programs can read', async () => {
    await fill()
    const { out } = await sagalog(['log', 'ls', directory, '--json'])
    const [first] = JSON.parse(out) as Record<string, unknown>[]
    expect(first).toMatchObject({ state: 'active', base: 0, generation: 1, start: 64 })
  })
})

describe('dump', () => {
  test('a line for each record; nothing of a body reaches the terminal as a control', async () => {
    await fill()
    const { code, out } = await sagalog(['log', 'dump', directory])
    expect(code).toBe(0)
    const [heading, ...lines] = out.trimEnd().split('\n')
    expect(heading).toMatch(/position +kind +v +bytes +body/)
    expect(lines).toHaveLength(written.length)
    expect(lines[0]).toMatch(/^ +\d+ {2}message +1 +5 {2}hello$/)
    expect(lines[1]).toMatch(/ event +1 +11 {2}0x1b5b33316d726564e280ae$/)
    expect(lines[2]).toContain(`3000  ${'x'.repeat(64)}…`)
    expect(lines[3]).toMatch(/ place +1 +2 {2}0x0001$/)
  })

  test('--json, --kind, --from, --to, --limit and --bytes', async () => {
    await fill()
    const dump = async (...options: string[]) => {
      const { out } = await sagalog(['log', 'dump', directory, '--json', ...options])
      const lines = out === '' ? [] : out.trimEnd().split('\n')
      return lines.map((line) => JSON.parse(line) as { position: number; [key: string]: unknown })
    }
    const all = await dump('--bytes', '4000')
    expect(all.map(({ kind, utf8, hex }) => [kind, utf8 ?? hex])).toEqual([
      ['message', 'hello'],
      ['event', '1b5b33316d726564e280ae'],
      ['message', 'x'.repeat(3000)],
      ['place', '0001'],
      ['message', 'bye'],
    ])
    expect((await dump('--kind', 'event,place')).map(({ kind }) => kind)).toEqual([
      'event',
      'place',
    ])
    expect(await dump('--kind', 'event', '--kind', 'place')).toHaveLength(2)
    expect(await dump('--limit', '2')).toHaveLength(2)
    expect(await dump('--limit', '0')).toEqual([])
    const [, second, third] = all
    const between = await dump('--from', `${second?.position}`, '--to', `${third?.position}`)
    expect(between.map(({ kind }) => kind)).toEqual(['event'])
    expect((await dump('--bytes', '1'))[0]).toMatchObject({ bytes: 5, utf8: 'h' })
  })

  test('ends when nobody reads any more', async () => {
    const log = await openSmallLog(directory, 1 << 22)
    for (let n = 0; n < 300; n += 1) log.append([bytesDraft('message', Buffer.alloc(8000))])
    await log.close()
    const { code, out } = await sagalog(['log', 'dump', directory], { linesWanted: 10 })
    expect(code).toBe(0)
    expect(out.split('\n').length).toBeLessThan(200)
  })

  test('damage is told on the error stream, with code 1, and the rest is printed', async () => {
    await fill()
    flipByte(directory, 160)
    const { code, out, err } = await sagalog(['log', 'dump', directory, '--json'])
    expect(code).toBe(1)
    expect(out.trimEnd().split('\n')).toHaveLength(written.length - 1)
    expect(err).toMatch(/seg is damaged at position 104: a record checksum is wrong/)
  })

  test('a kind that is none is named, with those that are', async () => {
    const { code, err } = await sagalog(['log', 'dump', directory, '--kind', 'massage'])
    expect(code).toBe(2)
    expect(err).toContain("'massage' is invalid. Kinds are")
  })
})

describe('verify', () => {
  test('whole: one line, code 0, also while the log is in use', async () => {
    await fill()
    const log = await openLog({ disk: nodeDisk(), clock: nodeClock(), directory })
    const { code, out, err } = await sagalog(['log', 'verify', directory])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^whole: .*: 5 records in 8 frames, 1 segment, .*, positions 64 to \d+\n$/)
    await log.close()
  })

  test('damaged: the file, the position, the reason, a verdict, code 1', async () => {
    await fill()
    flipByte(directory, 160)
    const { code, out } = await sagalog(['log', 'verify', directory])
    expect(code).toBe(1)
    const [where, verdict] = out.trimEnd().split('\n')
    expect(where).toMatch(/0{16}\.seg: position 104: a record checksum is wrong/)
    expect(verdict).toMatch(/^DAMAGED: .*: 1 damaged place in 1 file; readable: 4 records/)
    const json = await sagalog(['log', 'verify', directory, '--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toMatchObject({ isWhole: false, damages: [{ position: 104 }] })
  })

  test('what is no log is told by name', async () => {
    const file = join(directory, 'file')
    writeFileSync(file, 'not a log')
    const missing = join(directory, 'missing')
    for (const path of [missing, file, directory]) {
      const { code, out, err } = await sagalog(['log', 'verify', path])
      expect([code, out]).toEqual([1, ''])
      expect(err).toContain(`sagalog: there is no log in ${path}: `)
      expect(err).not.toContain('  at ')
    }
  })
})

describe('backup and restore', () => {
  const inside = (name: string): string => join(directory, name)

  test('a log in use, to a directory that verify knows, and back', async () => {
    await fill()
    const log = await openLog({ disk: nodeDisk(), clock: nodeClock(), directory })
    const taken = await sagalog(['log', 'backup', directory, inside('copy')])
    expect(taken.code).toBe(0)
    expect(taken.out).toMatch(
      /^backed up .*, verified: 5 records, 1 segment, .*, up to position \d+\n$/,
    )
    await log.close()
    const verified = await sagalog(['log', 'verify', inside('copy')])
    expect([verified.code, verified.out]).toEqual([0, expect.stringMatching(/^whole backup: /)])
    const restored = await sagalog(['log', 'restore', inside('copy'), inside('new'), '--json'])
    expect(JSON.parse(restored.out)).toMatchObject({ records: 5 })
    const dumps = await Promise.all(
      [directory, inside('new')].map((one) => sagalog(['log', 'dump', one])),
    )
    expect(dumps[0]?.out).toBe(dumps[1]?.out)
    expect((await sagalog(['log', 'verify', inside('new')])).out).toMatch(/^whole: /)
  })

  test('says what is in the way, and what is damaged', async () => {
    await fill()
    expect((await sagalog(['log', 'backup', directory])).code).toBe(2)
    await sagalog(['log', 'backup', directory, inside('copy')])
    const again = await sagalog(['log', 'backup', directory, inside('copy')])
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('copy is not empty')])
    writeFileSync(inside('copy/0000000000000000.seg.copy'), 'nonsense')
    for (const args of [['verify'], ['restore']]) {
      const target = args[0] === 'restore' ? [inside('new')] : []
      const { code, err } = await sagalog(['log', ...args, inside('copy'), ...target])
      expect(code).toBe(1)
      expect(err).toMatch(/seg.copy is not what was backed up: it has 8 bytes/)
    }
    writeFileSync(inside('copy/backup.json'), '{}')
    const { code, err } = await sagalog(['log', 'verify', inside('copy')])
    expect([code, err]).toEqual([1, expect.stringContaining('its manifest is damaged')])
    const none = await sagalog(['log', 'restore', directory, inside('new')])
    expect(none.err).toMatch(/there is no backup in .*: it has no backup.json/)
  })
})

test('a disk that fails is told as such, with the file, and what to do', async () => {
  await fill()
  const real = nodeDisk()
  const disk: Disk = {
    ...real,
    async open(path, options) {
      const read = (): Promise<never> =>
        Promise.reject(new DiskError('IO', { path, operation: 'read', reason: 'EIO: i/o error' }))
      return { ...(await real.open(path, options)), ...(path.endsWith('.seg') ? { read } : {}) }
    },
  }
  for (const command of ['ls', 'dump', 'verify']) {
    const { code, err } = await sagalog(['log', command, directory], { disk })
    expect(code).toBe(1)
    expect(err).toMatch(
      /^sagalog: the disk failed in .*: .*\.seg could not be read: EIO: i\/o error\nLook at the disk/,
    )
  }
})

test('bodies are cut between characters', () => {
  const text = Buffer.from('aä€😀')
  const shown = [0, 1, 2, 3, 4, 5, 6, 9, 10, 11].map((bytes) => bodyText(text, bytes).text)
  expect(shown).toEqual(['…', 'a…', 'a…', 'aä…', 'aä…', 'aä…', 'aä€…', 'aä€…', 'aä€😀', 'aä€😀'])
  expect(bodyText(Buffer.from('one\ntwo\u2028\u202e'), 64).text).toBe('one\\x0atwo\\u2028\\u202e')
  expect(bodyText(Buffer.from([0xff, 0xfe]), 1).text).toBe('0xff…')
})
