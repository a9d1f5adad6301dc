/** The demo as a person starts it: a process, a directory, an exit code. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as t from 'io-ts'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { sampleText } from './world.js'

const folder = fileURLToPath(new URL('..', import.meta.url))
const program = join(folder, 'dist', 'main.js')
const work = mkdtempSync(join(tmpdir(), 'sagalog-demo-test-'))
const pathOf = (name: string): string => join(work, name)

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()))
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, out, err }))
  })
  return { child, ended }
}

const demo = (...args: readonly string[]): Promise<Ended> => start(args).ended

const Json = t.type({
  passed: t.boolean,
  report: t.string,
  kills: t.number,
  seed: t.number,
  figures: t.type({ orders: t.number, sagasPerSecond: t.number, earlyReplies: t.number }),
  checks: t.array(
    t.type({
      name: t.string,
      relation: t.union([t.literal('equal'), t.literal('at-least')]),
      expected: t.number,
      found: t.number,
    }),
  ),
})

function jsonOf(out: string): t.TypeOf<typeof Json> {
  const decoded = Json.decode(JSON.parse(out))
  if (decoded._tag === 'Left') throw new Error(`not the JSON of a verdict: ${out}`)
  return decoded.right
}

beforeAll(async () => {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
  const tsc = join(dirname(typescript), 'bin', 'tsc')
  await new Promise<void>((resolve, reject) => {
    execFile(process.execPath, [tsc, '-b', folder], (error, out) => {
      if (error === null) resolve()
      else reject(new Error(out))
    })
  })
}, 120_000)

afterAll(() => rmSync(work, { recursive: true, force: true }))

describe('a run', () => {
  test('passes, writes its report, and can be audited again', async () => {
    const dir = pathOf('plain')
    const first = await demo('--orders', '150', '--dir', dir)
    expect(first.err).not.toContain('demo:')
    expect(first.code).toBe(0)
    expect(first.out).toContain('PASSED')
    expect(first.out).toMatch(/unplanned timeouts\s+0\s+0/)
    expect(readFileSync(join(dir, 'report.html'), 'utf8')).toContain('uPlot')
    const again = await demo('--dir', dir, '--json')
    expect(again.code).toBe(0)
    expect(jsonOf(again.out)).toMatchObject({ passed: true, figures: { orders: 150 } })
  }, 60_000)

  test('takes another file with the same columns', async () => {
    const file = pathOf('orders.txt')
    writeFileSync(file, '1 1 19990101 1 1.00\n2 2 19990101 11 1.00\n1 1 19990102 1 99.99\n')
    const { code, out } = await demo('--file', file, '--dir', pathOf('own'), '--json')
    const checks = new Map(jsonOf(out).checks.map((check) => [check.name, check.found]))
    expect(code).toBe(0)
    expect(checks.get('orders timed-out')).toBe(1)
    expect(checks.get('orders out-of-stock')).toBe(1)
  }, 60_000)

  test.each(['os', 'memory'])(
    'passes with durability %s',
    async (level) => {
      const { code, out } = await demo(
        ...['--orders', '100', '--durability', level, '--dir', pathOf(level), '--json'],
      )
      expect(code).toBe(0)
      expect(jsonOf(out).passed).toBe(true)
    },
    60_000,
  )
})

describe('a run with kills', () => {
  test('passes the same audit, every kill with work pending', async () => {
    const args = ['--orders', '200', '--kills', '4', '--seed', '5', '--dir', pathOf('kills')]
    const { code, out, err } = await demo(...args, '--json')
    expect(err).toBe('')
    const { passed, checks } = jsonOf(out)
    const found = new Map(checks.map((check) => [check.name, check.found]))
    expect([passed, code]).toEqual([true, 0])
    expect(found.get('kills with work pending')).toBe(4)
    expect(found.get('stranded halves rolled back')).toBeGreaterThan(0)
    expect(found.get('checkpoints deleted')).toBeGreaterThan(0)
  }, 120_000)

  test('a finished one is what it was: other kills are refused, its title stays', async () => {
    const dir = pathOf('kills')
    const again = await demo('--dir', dir, '--json')
    expect(jsonOf(again.out)).toMatchObject({ passed: true, kills: 4, seed: 5 })
    expect(again.out).toContain('4 kills (seed 5)')
    const other = await demo('--kills', '9', '--dir', dir)
    expect(other.code).toBe(2)
    expect(other.err).toContain('holds a finished run with --kills 4, not 9')
    const seed = await demo('--kills', '4', '--seed', '6', '--dir', dir)
    expect(seed.err).toContain('with --seed 5, not 6')
  }, 60_000)

  test('goes on after its parent was killed, however late', async () => {
    const dir = pathOf('late')
    const args = ['--orders', '300', '--kills', '2', '--dir', dir, '--json']
    const { child, ended } = start(args)
    const endedLines = (): number => {
      const path = join(dir, 'printed.txt')
      return existsSync(path) ? readFileSync(path, 'utf8').split('\nended ').length - 1 : 0
    }
    while (endedLines() < 285) {
      await new Promise((resolve) => {
        setTimeout(resolve, 5)
      })
    }
    child.kill('SIGKILL')
    await ended
    const { code, out, err } = await demo(...args)
    expect([code, err]).toEqual([0, ''])
    expect(jsonOf(out)).toMatchObject({ passed: true, kills: 2 })
  }, 120_000)

  test('a directory that was left half-done is resumed, with the same options only', async () => {
    const dir = pathOf('resumed')
    const args = ['--orders', '900', '--dir', dir]
    const { child, ended } = start(args)
    // Well under way, however slow the machine.
    await vi.waitFor(() => expect(existsSync(join(dir, 'run.json'))).toBe(true), 60_000)
    await new Promise((resolve) => {
      setTimeout(resolve, 250)
    })
    child.kill('SIGKILL')
    expect((await ended).code).toBe(null)
    const other = await demo('--orders', '800', '--dir', dir)
    expect(other.code).toBe(2)
    expect(other.err).toContain('half-done run with --orders 900, not 800')
    const level = await demo('--durability', 'os', '--dir', dir)
    expect(level.err).toContain('--durability sync, not os')
    const file = pathOf('other.txt')
    writeFileSync(file, `${sampleText}1 1 19970101 1 1.00\r\n`)
    expect((await demo('--file', file, '--dir', dir)).err).toContain('file hash')
    writeFileSync(file, 'no orders at all\n')
    expect((await demo('--file', file, '--dir', dir)).err).toContain('file hash')
    const memory = await demo('--durability', 'memory', '--dir', dir)
    expect(memory.code).toBe(2)
    const resumed = await demo('--dir', dir)
    expect(resumed.err).toContain('Resuming a half-done run.')
    expect(resumed.code).toBe(0)
    expect(resumed.out).toContain('PASSED')
  }, 120_000)
})

describe('a mistake', () => {
  test.each([
    [['--orders', '7000'], /--orders 7000: .* has 6919 orders/],
    [['--file', pathOf('absent.txt')], /absent\.txt cannot be read/],
    [['--durability', 'memory', '--kills', '1'], /excludes --kills/],
    [['--nonsense'], /unknown option/],
  ])('%j ends with exit code 2 and a sentence', async (args, sentence) => {
    const { code, out, err } = await demo(...args, '--dir', pathOf('mistake'))
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(sentence)
    expect(err).not.toMatch(/^\s+at /m)
  })

  test('a malformed line is named by its number', async () => {
    const file = pathOf('bad.txt')
    writeFileSync(file, '1 1 19990101 1 1.00\n1 1 19990101 one 1.00\n')
    const { code, err } = await demo('--file', file, '--dir', pathOf('bad'))
    expect(code).toBe(2)
    expect(err).toContain('line 2 of')
    expect(err).toContain('"one"')
  })

  test('a directory that holds something else is left alone', async () => {
    const { code, err } = await demo('--dir', folder)
    expect(code).toBe(2)
    expect(err).toContain('holds files, but no run of this demo')
  })

  test('a directory in use is refused', async () => {
    const dir = pathOf('busy')
    const { child, ended } = start(['--orders', '1500', '--dir', dir])
    await new Promise((resolve) => {
      setTimeout(resolve, 1_000)
    })
    const { code, err } = await demo('--orders', '10', '--dir', dir)
    child.kill('SIGKILL')
    await ended
    expect(code).toBe(2)
    expect(err).toContain('is in use')
  }, 60_000)

  test('help is no mistake', async () => {
    const { code, out } = await demo('--help')
    expect(code).toBe(0)
    expect(out).toContain('--kills <N>')
  })
})
