/** RocketMQ's official Java clients, unchanged, against `sagalog start`; they are the judges. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compiledClassPath, JavaClients, type Said, whySkipped } from './java-clients.js'
import { StandaloneProcess } from './standalone-process.js'

const skipped = whySkipped()
const MINUTE = 60_000
const ports = ['--port', '0', '--name-server-port', '0']
const checks = ['--check-after', '1500', '--check-every', '1500']

const valuesOf = (said: readonly Said[], name: string) =>
  said.map((line) => line[name]).filter((value) => value !== undefined)
const got = (said: readonly Said[]) => said.filter((line) => line['got'] !== undefined)
const bodies = (said: readonly Said[]) => valuesOf(said, 'got').map(String)
const sorted = (values: readonly string[]) => values.toSorted()
/** The lines behind the one that says this phase, up to the next phase. */
function phase(said: readonly Said[], name: string): Said[] {
  const from = said.findIndex((line) => line['phase'] === name) + 1
  const rest = said.slice(from)
  const next = rest.findIndex((line) => line['phase'] !== undefined)
  return next < 0 ? rest : rest.slice(0, next)
}

describe.skipIf(skipped !== undefined)(
  `the official Java clients${skipped === undefined ? '' : ` (not here: ${skipped})`}`,
  { timeout: 2 * MINUTE },
  () => {
    const home = mkdtempSync(join(tmpdir(), 'sagalog-interop-'))
    const data = join(home, 'data')
    let server: StandaloneProcess
    let clients: JavaClients

    beforeAll(async () => {
      const classPath = compiledClassPath()
      server = new StandaloneProcess(data, [...ports, ...checks])
      clients = new JavaClients(classPath, (await server.ready).nameServer, home)
      await clients.ready()
    }, 4 * MINUTE)

    afterAll(async () => {
      clients.stop()
      // Clients that are gone must not keep it from ending in good order.
      expect(await server.stop()).toBe(0)
      rmSync(home, { recursive: true, force: true })
    }, MINUTE)

    describe('sending', () => {
      test('sync: each message is stored once, spread over the queues', async () => {
        const said = await clients.run('send sync')
        expect(valuesOf(said, 'status')).toEqual(Array(8).fill('SEND_OK'))
        expect(new Set(valuesOf(said, 'queue'))).toEqual(new Set([0, 1, 2, 3]))
        expect(sorted(valuesOf(said, 'offset').map(String))).toEqual([
          '0',
          '0',
          '0',
          '0',
          '1',
          '1',
          '1',
          '1',
        ])
        for (const id of valuesOf(said, 'offsetMsgId')) expect(id).toMatch(/^7F000001[0-9A-F]{24}$/)
        expect(new Set(valuesOf(said, 'msgId')).size).toBe(8)
      })

      test('async: every callback comes', async () => {
        const said = await clients.run('send async')
        expect(valuesOf(said, 'status')).toEqual(Array(20).fill('SEND_OK'))
        expect(valuesOf(said, 'failed')).toEqual([])
      })

      test('one-way: they are there', async () => {
        expect(valuesOf(await clients.run('send one-way'), 'stored')).toEqual([11])
      })

      test('batch: one queue, one place behind the other', async () => {
        const said = await clients.run('send batch')
        expect(said).toMatchObject([
          { status: 'SEND_OK', offset: 0 },
          { min: 0, max: 12 },
          { end: 'send batch' },
        ])
        expect(String(said[0]?.['msgId']).split(',').length).toBe(12)
        expect(String(said[0]?.['offsetMsgId']).split(',').length).toBe(12)
      })

      test('by selector: one key, one queue', async () => {
        const said = await clients.run('send orderly')
        const queues = new Map<unknown, Set<unknown>>()
        for (const { key, queue } of said.slice(0, -1))
          queues.set(key, (queues.get(key) ?? new Set()).add(queue))
        expect([...queues.values()].map((set) => set.size)).toEqual([1, 1, 1, 1])
      })

      test('delayed: by level, by duration, by time, none too early', async () => {
        const said = await clients.run('send delayed')
        const due = new Map(
          said.filter((line) => 'sent' in line).map((line) => [line['sent'], Number(line['due'])]),
        )
        expect(sorted(bodies(said))).toEqual(['at', 'level', 'ms', 'none'])
        for (const { got: body, at } of got(said))
          expect(Number(at)).toBeGreaterThanOrEqual(due.get(body ?? '') ?? Infinity)
      })

      test('compressed: what is large arrives whole', async () => {
        expect(bodies(await clients.run('send large'))).toEqual(['800000 characters of sagalog '])
      })

      test('too large: refused with both sizes, and the connection lives', async () => {
        const said = await clients.run('send refused')
        expect(said[0]?.['refused']).toContain('CODE: 13  DESC: the message is illegal')
        expect(said[0]?.['refused']).toContain('4194305B')
        expect(said[1]).toMatchObject({ status: 'SEND_OK' })
      })
    })

    describe('transactions', () => {
      test('commit, rollback, unknown and its checks', async () => {
        const said = await clients.run('transactions')
        expect(valuesOf(said, 'state')).toEqual([
          'COMMIT_MESSAGE',
          'ROLLBACK_MESSAGE',
          'UNKNOW',
          'UNKNOW',
        ])
        expect(sorted(bodies(said))).toEqual(['commit', 'unknown commit'])
        const checked = said.filter((line) => 'checked' in line)
        expect(
          checked.map(({ checked: body, times, topic }) => [body, times, topic].join()).toSorted(),
        ).toEqual(
          [1, 2]
            .flatMap((times) => [`unknown commit,${times},Tx`, `unknown rollback,${times},Tx`])
            .toSorted(),
        )
        const ids = new Map(
          said
            .filter((line) => 'sent' in line)
            .map((line) => [line['sent'], line['transactionId']]),
        )
        for (const line of checked)
          expect(line['transactionId']).toBe(ids.get(line['checked'] ?? ''))
      })

      test('an undecided half is asked for after the broker died', async () => {
        const { broker, nameServer } = await server.ready
        const port = (address: string): string => address.slice(address.lastIndexOf(':') + 1)
        const said = await clients.run('transaction across a restart', async () => {
          await server.kill()
          const same = ['--port', port(broker), '--name-server-port', port(nameServer)]
          server = new StandaloneProcess(data, [...same, ...checks])
          await server.ready
        })
        expect(bodies(said)).toEqual(['unknown commit'])
        expect(valuesOf(said, 'times')).toContain(2)
      })
    })

    describe('consuming', () => {
      test('concurrent: two share the queues, a new start goes on', async () => {
        const said = await clients.run('consume concurrently')
        const old = said.slice(
          0,
          said.findIndex((line) => 'phase' in line),
        )
        const numbers = (word: string, count: number) =>
          sorted(Array.from({ length: count }, (_, n) => `${word} ${n}`))
        // At least once while the queues change hands; every message in any case.
        expect(sorted([...new Set(bodies(old))])).toEqual(numbers('old', 40))
        const shared = phase(said, 'shared')
        expect(sorted(bodies(shared))).toEqual(numbers('shared', 40))
        const byQueue = new Map<unknown, Set<unknown>>()
        for (const { by, queue } of got(shared))
          byQueue.set(queue, (byQueue.get(queue) ?? new Set()).add(by))
        expect([...byQueue.values()].map((set) => set.size)).toEqual([1, 1, 1, 1])
        expect(new Set(valuesOf(shared, 'by'))).toEqual(new Set(['conc-0', 'conc-1']))
        expect(sorted(bodies(phase(said, 'again')))).toEqual(['new 0', 'new 1'])
      })

      test('orderly: each key in its order, also behind a suspension', async () => {
        const said = await clients.run('consume orderly')
        for (let key = 0; key < 5; key += 1) {
          const own = bodies(said).filter((body) => body.startsWith(`key${key} `))
          expect(own).toEqual(Array.from({ length: 8 }, (_, n) => `key${key} ${n}`))
          expect(valuesOf(said, 'suspended')).toContain(`key${key} 2`)
        }
        const again = got(said).filter((line) => Number(line['tries']) > 0)
        expect(again.length).toBe(5)
      })

      test('broadcasting: each instance gets all, once, in order', async () => {
        const said = await clients.run('consume broadcasting')
        for (const instance of ['broad-0', 'broad-1']) {
          const own = got(said).filter((line) => line['by'] === instance)
          expect(sorted(bodies(own))).toEqual(Array.from({ length: 10 }, (_, n) => `all ${n}`))
        }
      })

      test('tags: by their text', async () => {
        const said = await clients.run('consume by tags')
        expect(sorted(bodies(said))).toEqual(['A 0', 'A 3', 'BB 6', 'C 2', 'C 8'])
      })

      test('retries: counted, then a dead letter', async () => {
        const said = await clients.run('retries to dead letters')
        const dead = phase(said, 'dead')
        const poison = got(said.slice(0, -dead.length)).filter(
          ({ got: body }) => body === 'poison 1',
        )
        expect(valuesOf(poison, 'tries')).toEqual([0, 1, 2])
        expect(new Set(valuesOf(poison, 'topic'))).toEqual(new Set(['Retry']))
        expect(got(dead)).toMatchObject([{ got: 'poison 1', tag: 'poison', tries: 3 }])
      })

      test('orderly retries: in place, then a dead letter', async () => {
        const said = await clients.run('orderly to dead letters')
        const dead = phase(said, 'dead')
        expect(valuesOf(got(said.slice(0, -dead.length)), 'tries')).toEqual([0, 1])
        expect(got(dead)).toMatchObject([{ got: 'poison 0', tag: 'poison' }])
      })

      test('lite pull: polls, commits, seeks, and goes on where it was', async () => {
        const said = await clients.run('lite pull')
        const all = Array.from({ length: 6 }, (_, n) => `a ${n}`)
        const first = said.slice(
          0,
          said.findIndex((line) => 'phase' in line),
        )
        expect(sorted(bodies(first))).toEqual(all)
        expect(valuesOf(first, 'committed').reduce<number>((sum, n) => sum + Number(n), 0)).toBe(6)
        expect(sorted(bodies(phase(said, 'seek')))).toEqual(all)
        expect(bodies(phase(said, 'again'))).toEqual(['b 6'])
      })

      test('offset reset: online and offline', async () => {
        const said = await clients.run('offset reset')
        expect(sorted(bodies(phase(said, 'reset online')))).toEqual(['r 4', 'r 5'])
        expect(sorted(bodies(phase(said, 'reset offline')))).toEqual(
          Array.from({ length: 6 }, (_, n) => `r ${n}`),
        )
      })
    })

    test('offsets by their ends and by time, a message by its id', async () => {
      expect(await clients.run('offsets and messages by id')).toMatchObject([
        { min: 0, max: 1, byTime: 0, later: 1 },
        { seen: 'look at me', queueOffset: 0 },
        {},
      ])
    })

    test('a topic that is not there and may not be made', async () => {
      const strict = new StandaloneProcess(join(home, 'strict'), [...ports, '--no-auto-create'])
      clients.use((await strict.ready).nameServer)
      const said = await clients.run('no route')
      expect(said[0]?.['refused']).toContain('No route info of this topic: NoRoute')
      clients.use((await server.ready).nameServer)
      expect(await strict.stop()).toBe(0)
    })
  },
)
