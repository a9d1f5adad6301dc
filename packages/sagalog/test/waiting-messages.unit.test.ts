/** `sagalog dlq`, `tx` and `message` on a running broker: what waits for a person. */
import * as t from 'io-ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createConsumer, createProducer, ensureTopic, openConnection } from '@sagalog/client'
import type { Connection, SendResult } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { openStandalone, type Standalone, topic } from '../src/index.js'
import { sagalog } from './terminal.js'

const Jobs = topic('jobs', t.string, { queues: 1 })
const transactions = { checkAfterMs: 1, checkEveryMs: 1, checksMax: 1 }
let folder = ''
let server: Standalone
let connection: Connection
let at: string[] = []
const sent: SendResult[] = []

/** Consumes until `count` messages were seen; every one fails, and is a dead letter at once. */
async function consume(count: number, isFailing: boolean): Promise<readonly string[]> {
  const seen: string[] = []
  const retry = { by: 'backoff', minMs: 1, maxMs: 1 } as const
  const options = { group: 'workers', instance: 'w', attemptsMax: 1, retry }
  const consumer = createConsumer(connection, options)
  await new Promise<void>((resolve) => {
    consumer.listen(Jobs, async ({ body }) => {
      seen.push(body)
      if (seen.length === count) resolve()
      if (isFailing) throw new Error(`no \u001b[31mpaint for ${body}`)
    })
    void consumer.start()
  })
  await consumer.close()
  return seen.toSorted()
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sagalog-waiting-'))
  const ports = { host: '127.0.0.1', brokerPort: 0, nameServerPort: 0 }
  server = await openStandalone({ dir: folder, ...ports, transactions })
  const address = { host: '127.0.0.1', port: server.brokerPort }
  const machine = { clock: nodeClock(), random: nodeRandom() }
  connection = openConnection({ connect: connectTcp(address), ports: machine })
  at = ['--broker', `127.0.0.1:${server.brokerPort}`]
  await ensureTopic(connection, Jobs)
  const producer = createProducer(connection, { group: 'p' })
  for (const body of ['a', 'b', 'c']) sent.push(await producer.send(Jobs, body, { keys: [body] }))
  expect(await consume(3, true)).toEqual(['a', 'b', 'c'])
})
afterAll(async () => {
  connection.close()
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

const json = (out: string): unknown => JSON.parse(out) as unknown

it('dead letters are listed, shown, sent again singly and in bulk, discarded', async () => {
  const listed = await sagalog(['dlq', 'ls', 'workers', ...at])
  expect([listed.code, listed.err]).toEqual([0, ''])
  expect(listed.out).toMatch(/^0@0 +jobs .* 1 .*no .*paint for [abc]$/m)
  expect(listed.out).not.toContain('\u001b')
  expect(listed.out).toContain('3 dead letters\n')
  expect((await sagalog(['group', 'ls', ...at])).out).toMatch(/^workers +leased +0 +0 +3$/m)
  const letters = json((await sagalog(['dlq', 'ls', 'workers', '--json', ...at])).out)
  const [first] = letters as { id: string; message: { utf8: string } }[]
  expect(sent.map(({ messageId }) => messageId)).toContain(first?.id)
  const shown = await sagalog(['dlq', 'show', 'workers', '0@0', ...at])
  expect(shown.out).toContain(`died after 1 attempt of jobs ${first?.id}`)
  expect(shown.out).toContain(first?.message.utf8)
  const one = ['dlq', 'redrive', 'workers', '0@0', ...at]
  expect((await sagalog(one)).out).toBe('sent 0@0 again\n')
  expect(await sagalog(one)).toMatchObject({ code: 1, out: '' })
  expect((await sagalog(one)).err).toContain('workers has no dead letter 0@0 that waits')
  expect((await sagalog(['dlq', 'discard', 'workers', '0@1', ...at])).out).toBe('discarded 0@1\n')
  const elsewhere = ['dlq', 'redrive', 'workers', '--all', '--topic', 'other', ...at]
  expect((await sagalog(elsewhere)).out).toBe('sent 0 dead letters again\n')
  const rest = ['dlq', 'redrive', 'workers', '--all', '--to', 'topic', '--json', ...at]
  expect(json((await sagalog(rest)).out)).toEqual({ redriven: 1 })
  expect(await consume(2, false)).toHaveLength(2)
  expect((await sagalog(['dlq', 'ls', 'workers', ...at])).out).toContain('0 dead letters\n')
  for (const wrong of [['workers'], ['workers', '0@0', '--all'], ['workers', 'x']]) {
    const misused = await sagalog(['dlq', 'redrive', ...wrong, ...at])
    expect([misused.code, misused.out]).toEqual([2, ''])
  }
})

it('half messages are listed, shown, and decided once', async () => {
  const producer = createProducer(connection, { group: 'payers', checkBack: async () => 'unknown' })
  const halves: number[] = []
  for (const body of ['x', 'y'])
    await producer.sendInTransaction(Jobs, body, { keys: [body] }, async () => 'unknown')
  for (;;) {
    const { out } = await sagalog(['tx', 'ls', '--json', ...at])
    const parked = json(out) as { position: number }[]
    if (parked.length < 2) continue
    halves.push(...parked.map(({ position }) => position))
    break
  }
  const [first, second] = halves.map(String) as [string, string]
  const { out } = await sagalog(['tx', 'ls', ...at])
  expect(out).toMatch(new RegExp(`^ *${first} +waits for a person +payers +1 +jobs `, 'm'))
  const shown = await sagalog(['tx', 'show', first, ...at])
  expect(shown.out).toContain('of the group payers, checked 1 time, waits for a person')
  expect(shown.out).toContain('"x"')
  expect((await sagalog(['tx', 'commit', first, ...at])).out).toBe(`committed ${first}\n`)
  const rolled = await sagalog(['tx', 'rollback', second, '--json', ...at])
  expect(json(rolled.out)).toEqual({ half: Number(second), outcome: 'rollback' })
  const again = await sagalog(['tx', 'commit', second, ...at])
  expect([again.code, again.out]).toEqual([1, ''])
  expect(again.err).toContain(`no half message at ${second} waits for a decision`)
  expect(await consume(1, false)).toEqual(['x'])
})

it('a message is shown by its ids, its place and its position', async () => {
  const [{ messageId, offsetMessageId, queueOffset }] = sent as [SendResult]
  const show = async (...args: readonly string[]) =>
    await sagalog(['message', 'show', ...args, ...at])
  const shown = await show(messageId, '--topic', 'jobs')
  expect(shown.out).toContain(`jobs/0@${queueOffset}`)
  expect(shown.out).toMatch(/^keys +a$/m)
  const message = json((await show(offsetMessageId, '--json')).out)
  expect(message).toMatchObject({ id: messageId, topic: 'jobs', utf8: '"a"', bytes: 3 })
  const { position } = message as { position: number }
  const places = [
    ['--topic', 'jobs', '--queue', '0', '--offset', String(queueOffset)],
    ['--position', String(position)],
  ]
  for (const place of places) expect((await show(...place)).out).toBe(shown.out)
  const none = await show(messageId)
  expect([none.code, none.err]).toEqual([1, expect.stringContaining('add --topic')])
  for (const wrong of [[], ['--topic', 'jobs'], ['x', '--position', '1']])
    expect((await show(...wrong)).code).toBe(2)
})

it('parked keys are listed, looked into, released and discarded', async () => {
  const Orders = topic('parked-orders', t.string, { queues: 1 })
  await ensureTopic(connection, Orders)
  const seen: string[] = []
  const options = { group: 'cooks', instance: 'c', attemptsMax: 1, onPoison: 'park-key' } as const
  const consumer = createConsumer(connection, options)
  consumer.listen(
    Orders,
    async ({ body }) => {
      if (body.startsWith('bad')) throw new Error(`no ${body}`)
      seen.push(body)
    },
    { order: 'orderly' },
  )
  await consumer.start()
  const producer = createProducer(connection, { group: 'p' })
  for (const [key, body] of [
    ['ann', 'bad 1'],
    ['ann', 'good 2'],
    ['bob', 'bad 3'],
    ['bob', 'bad 4'],
    ['eve', 'good 5'],
  ] as const)
    await producer.send(Orders, body, { shardingKey: key })
  await expect.poll(() => seen).toEqual(['good 5'])

  const listed = await sagalog(['group', 'parked', 'cooks', ...at])
  expect([listed.code, listed.err]).toEqual([0, ''])
  expect(listed.out).toMatch(/^parked-orders +0 +ann +parked +2 +1 .*Error: no bad 1$/m)
  expect(listed.out).toContain('2 parked keys\n')
  const keys = json((await sagalog(['group', 'parked', 'cooks', '--json', ...at])).out)
  expect(keys).toMatchObject([
    { key: 'ann', messages: 2 },
    { key: 'bob', messages: 2 },
  ])
  const of = (key: string): string[] => [
    'cooks',
    '--topic',
    'parked-orders',
    '--queue',
    '0',
    '--key',
    key,
    ...at,
  ]
  const inside = await sagalog(['group', 'parked-messages', ...of('ann'), '--json'])
  expect(json(inside.out)).toMatchObject([{ offset: 0 }, { offset: 1 }])

  const released = await sagalog(['group', 'release', ...of('ann'), '--skip-first'])
  expect(released.out).toContain('released key ann of parked-orders/0')
  await expect.poll(() => seen, { timeout: 5_000 }).toEqual(['good 5', 'good 2'])
  const discarded = await sagalog(['group', 'discard', ...of('bob'), '--json'])
  expect(json(discarded.out)).toMatchObject({ key: 'bob', discarded: 2 })
  expect(await sagalog(['group', 'release', ...of('bob')])).toMatchObject({ code: 1, out: '' })
  expect((await sagalog(['group', 'parked', 'cooks', ...at])).out).toContain('0 parked keys\n')
  await consumer.close()
})
