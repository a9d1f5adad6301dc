/** `sagalog topic` and `group` on a directory and on a running broker: what operators do. */
import { createProducer, ensureTopic, openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import * as t from 'io-ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStandalone, Sagalog, type Standalone, topic } from '../src/index.js'
import { sagalog } from './terminal.js'

const Orders = topic('orders', t.number, { queues: 2 })
let folder = ''
const data = () => join(folder, 'data')

/** A group that read two of three messages. */
async function someData(): Promise<void> {
  const open = await Sagalog.open({ dir: data() })
  await open.ensureTopic(Orders)
  const producer = open.producer({ group: 'shop' })
  const seen = new Promise<void>((resolve) => {
    const consumer = open.consumer({ group: 'shipping', instance: 'one' })
    let left = 2
    consumer.listen(Orders, async () => {
      left -= 1
      if (left === 0) resolve()
    })
    void consumer.start()
  })
  for (const body of [1, 2]) await producer.send(Orders, body, { shardingKey: 'k' })
  await seen
  await open.close()
  const again = await Sagalog.open({ dir: data() })
  await again.producer({ group: 'shop' }).send(Orders, 3, { shardingKey: 'k' })
  await again.close()
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sagalog-operators-'))
  await someData()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const connected = ({ brokerPort }: Standalone) =>
  openConnection({
    connect: connectTcp({ host: '127.0.0.1', port: brokerPort }),
    ports: { clock: nodeClock(), random: nodeRandom() },
  })

const json = (out: string): unknown => JSON.parse(out) as unknown
const ports = { host: '127.0.0.1', brokerPort: 0, nameServerPort: 0 }

describe('on a running broker', () => {
  let server: Standalone
  let at: string[] = []
  beforeAll(async () => {
    const retention = { maxAgeMs: 72 * 3_600_000 }
    server = await openStandalone({ dir: data(), ...ports, retention })
    at = ['--broker', `rocketmq://127.0.0.1:${server.nameServerPort}`]
  })
  afterAll(() => server.close())

  it('topic ls, show, create, delete', async () => {
    const listed = await sagalog(['topic', 'ls', ...at])
    expect([listed.code, listed.err]).toEqual([0, ''])
    expect(listed.out).toMatch(/^orders +message +2 +2 +read, write +3$/m)
    const shown = await sagalog(['topic', 'show', 'orders', ...at])
    expect(shown.out).toContain('orders holds 3 messages')
    expect(shown.out).toMatch(/^shipping +1 +none$/m)
    expect(json((await sagalog(['topic', 'show', 'orders', '--json', ...at])).out)).toMatchObject({
      topic: 'orders',
      groups: [{ group: 'shipping', lag: 1, isLive: false }],
    })
    const made = ['topic', 'create', 'extra', '--queues', '3', ...at]
    expect((await sagalog(made)).out).toBe('made extra\n')
    expect((await sagalog(made)).out).toBe('extra was there, and keeps its queues\n')
    expect((await sagalog(['topic', 'delete', 'extra', ...at])).out).toBe('deleted extra\n')
    const needed = await sagalog(['topic', 'delete', 'orders', ...at])
    expect(needed).toEqual({
      code: 1,
      out: '',
      err:
        'sagalog: orders is needed by shipping (1 message left)\n' +
        'Let the groups finish and what is on its way arrive, or do without with --force.\n',
    })
    const none = await sagalog(['topic', 'show', 'nowhere', ...at])
    expect([none.code, none.err]).toEqual([
      1,
      'sagalog: there is no topic nowhere\n' +
        'Look at sagalog topic ls, or make it with sagalog topic create.\n',
    ])
    const hostile = await sagalog(['topic', 'create', 'a\u001b[31m', ...at])
    expect([hostile.code, hostile.err]).toEqual([1, expect.stringContaining('letters, digits')])
    expect(hostile.err).not.toContain('\u001b')
  })

  it('message timers, and a topic that one goes to', async () => {
    const open = connected(server)
    await ensureTopic(open, 'later')
    const producer = createProducer(open, { group: 'p' })
    await producer.send(topic('later', t.number), 7, { delayMs: 3_600_000 })
    open.close()
    const listed = await sagalog(['message', 'timers', ...at])
    expect(listed.out).toMatch(/^\d{4}-.* later +\d+$/m)
    expect(listed.out).toContain('1 message\n')
    const found = json(
      (await sagalog(['message', 'timers', '--topic', 'later', '--json', ...at])).out,
    )
    expect(found).toMatchObject([{ topic: 'later' }])
    expect((await sagalog(['message', 'timers', '--topic', 'orders', ...at])).out).toContain(
      '0 mess',
    )
    const needed = await sagalog(['topic', 'delete', 'later', ...at])
    expect([needed.code, needed.err]).toEqual([
      1,
      expect.stringContaining('later is needed by 1 message on the way to it'),
    ])
    expect((await sagalog(['topic', 'delete', 'later', '--force', ...at])).code).toBe(0)
  })

  it('retention show', async () => {
    const shown = await sagalog(['retention', 'show', ...at])
    expect([shown.code, shown.err]).toEqual([0, ''])
    expect(shown.out).toMatch(/^messages that were read are let go after 72 hours$/m)
    expect(shown.out).toMatch(/^the log has \d+ bytes in 1 segment, from \d+ on$/m)
    const state = json((await sagalog(['retention', 'show', '--json', ...at])).out)
    expect(state).toMatchObject({ isOn: true, bounds: { maxAgeMs: 259_200_000 }, heldUp: [] })
  })

  it('group ls, show, reset', async () => {
    const listed = await sagalog(['group', 'ls', ...at])
    expect(listed.out).toMatch(/^shipping +leased +0 +1 +0$/m)
    const shown = await sagalog(['group', 'show', 'shipping', ...at])
    expect(shown.out).toContain('shipping (leased): 0 consumers, lag 1, 0 dead letters')
    expect(shown.out).toMatch(/^orders +\d +2 +3 +1 +\d+ s ago$/m)
    const group = json((await sagalog(['group', 'show', 'shipping', '--json', ...at])).out)
    const { queues } = group as { queues: { queueId: number; lag: number }[] }
    const queue = String(queues.find(({ lag }) => lag === 1)?.queueId)
    const reset = ['group', 'reset', 'shipping', '--topic', 'orders', ...at]
    expect((await sagalog([...reset, '--to', '0', '--queue', queue])).out).toBe(
      `shipping goes on at orders/${queue}@0\n`,
    )
    const future = json((await sagalog([...reset, '--to', '2199-01-01', '--json'])).out)
    expect(future).toContainEqual({ queueId: Number(queue), offset: 3 })
    await sagalog([...reset, '--to', '2', '--queue', queue])
    expect((await sagalog(['group', 'ls', ...at])).out).toMatch(/^shipping +leased +0 +1 +0$/m)
    const unclear = await sagalog([...reset, '--to', '5'])
    expect([unclear.code, unclear.err]).toEqual([2, expect.stringContaining('--queue')])
    const wrong = await sagalog([...reset, '--to', 'yesterday'])
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('2026-01-31T12:00:00Z')])
    const nobody = ['group', 'reset', 'nobody', '--topic', 'orders', '--to', 'first', ...at]
    const refused = await sagalog(nobody)
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('nobody does not')])
    const none = await sagalog(['group', 'show', 'nobody', ...at])
    expect([none.code, none.err]).toEqual([1, expect.stringContaining('there is no group nobody')])
  })
})

describe('on a directory', () => {
  it('the same is seen, and changes stay', async () => {
    const at = ['--dir', data()]
    // Each command opens and closes the log, which takes longer than what it asks.
    const remove = ['topic', 'delete', 'orders', ...at]
    expect((await sagalog(remove)).err).toContain('shipping (1 message left)')
    expect((await sagalog([...remove, '--force'])).out).toBe('deleted orders\n')
    expect((await sagalog(['topic', 'ls', ...at])).out).toMatch(/^0 topics$/m)
  })
})

describe('where there is no broker', () => {
  it('a directory that is in use, and one that is no log, are named', async () => {
    const open = await Sagalog.open({ dir: data() })
    const used = await sagalog(['topic', 'ls', '--dir', data()])
    await open.close()
    expect([used.code, used.out]).toEqual([1, ''])
    expect(used.err).toContain(data())
    expect(used.err).toMatch(/in use|another process|open/)
    const missing = join(folder, 'no-such')
    const none = await sagalog(['group', 'ls', '--dir', missing])
    expect([none.code, none.err]).toEqual([1, expect.stringContaining(`no log in ${missing}`)])
  })

  it('an address where nobody answers is named, one that is none is refused', async () => {
    const server = await openStandalone({ dir: join(folder, 'other'), ...ports })
    await server.close()
    const silent = `127.0.0.1:${server.brokerPort}`
    const ended = await sagalog(['topic', 'ls', '--broker', silent])
    expect([ended.code, ended.out]).toEqual([1, ''])
    expect(ended.err).toContain(`nobody answers at ${silent}`)
    expect(ended.err).toContain('Check the address')
    for (const wrong of ['host', 'host:0', 'host:99999', 'a:1;b', 'http://a:1', '']) {
      const misused = await sagalog(['topic', 'ls', '--broker', wrong])
      expect([misused.code, misused.err]).toEqual([2, expect.stringContaining('HOST:PORT')])
    }
    const list = await sagalog(['topic', 'ls', '--broker', `rocketmq://${silent};127.0.0.1:1`])
    expect(list.err).toContain(`nobody answers at ${silent}, 127.0.0.1:1`)
  })
})
