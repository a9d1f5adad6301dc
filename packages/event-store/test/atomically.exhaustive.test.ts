/**
 * One small transaction of everything: two streams, a message, a timer, an acknowledgement and the
 * end of a stream. The world ends before every single call of the disk, by a power loss and by a
 * kill; afterwards all of it is there or nothing, and what was reported is there.
 */
import { createConsumer, createProducer, type Delivery, ensureTopic, topic } from '@sagalog/client'
import { sleep, streamVersion } from '@sagalog/kernel'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { Accounts } from './accounts.js'
import { brokerWorld, type Wire } from './broker-world.js'

const wires: Wire[] = ['memory', 'bytes', 'tcp']
const Work = topic('work', t.string, { queues: 1 })
const Mail = topic('mail', t.string, { queues: 1 })
const opened = Accounts.make.Opened({ owner: 'ann' })
/** The tenth of a second around the commit; a later crash finds it long done. */
const AFTER_MS = 100

interface Ending {
  readonly how: 'power' | 'kill'
  /** Before which call of the disk, counted from the commit on. */
  readonly call: number
}

/** Plays the transaction until the ending, starts again, and counts each part of it. */
async function play(wire: Wire, isKeyed: boolean, ending?: Ending) {
  const { connect, crash, disk, run, status, time } = await brokerWorld(wire, { seed: 5 })
  const clock = time.nodeClock()
  const connection = connect()
  const store = createEventStore(connection)
  await run(store.ensureCategory(Accounts, { queues: 2 }))
  for (const each of [Work, Mail]) await run(ensureTopic(connection, each))
  await run(store.append(Accounts, 'old', [opened], { expected: 'empty' }))
  await run(createProducer(connection, { group: 'p' }).send(Work, 'do it', { shardingKey: 'k' }))
  const consumer = createConsumer(connection, { group: 'g', instance: 'i' })
  const deliveries: Delivery[] = []
  consumer.listen(
    Work,
    async (message) => {
      deliveries.push(message.delivery)
    },
    { order: 'held' },
  )
  await run(consumer.start())
  while (deliveries.length === 0) await run(sleep(clock, 10))
  const [held] = deliveries
  if (held === undefined) throw new Error('a message was delivered')

  const first = disk.calls
  const writes = status().log.writes
  let restarted: Promise<void> | undefined
  if (ending !== undefined)
    disk.onCall((call) => {
      if (call !== first + ending.call) return
      disk.onCall(undefined)
      restarted = crash(ending.how)
    })
  const working = store.te.atomically(
    (tx) => {
      tx.append(Accounts, 'a', [opened], { expected: 'empty' })
      tx.append(Accounts, 'b', [opened, opened], { expected: 'empty' })
      tx.close(Accounts, 'old', { state: 'archived', reason: 'moved' })
      tx.send(Mail, 'done', { shardingKey: 'k' })
      tx.schedule('remind', 1_000_000, Mail, 'again')
      tx.ack(held)
    },
    isKeyed ? { idempotencyKey: 'once' } : {},
  )()
  const result = await run(working)
  const written = status().log.writes - writes
  const calls = disk.calls - first
  await run(sleep(clock, AFTER_MS))
  disk.onCall(undefined)
  await run(restarted ?? Promise.resolve())

  const read = async (stream: string) => await run(store.read(Accounts, stream))
  const place = status().queues.find(({ group }) => group === 'g')
  const page = { category: 'account', stream: 'old', fromVersion: streamVersion(1), maxEvents: 1 }
  const [{ version: a }, { version: b }, old] = [
    await read('a'),
    await read('b'),
    await run(store.port.readPage(page)),
  ]
  const mails: string[] = []
  const reader = createConsumer(connect(), { group: 'reader', instance: 'r' })
  reader.listen(Mail, async ({ body }) => {
    mails.push(body)
  })
  await run(reader.start())
  await run(sleep(clock, 500))
  await run(reader.close())
  await run(consumer.close())
  const found = [
    a,
    b / 2,
    old.closed === undefined ? 0 : 1,
    mails.length,
    status().timersOpen,
    place?.watermark ?? 0,
  ]
  return { found, result, written, calls }
}

describe.each(wires)('one transaction over %s', (wire) => {
  it('is one write', async () => {
    const { found, result, written } = await play(wire, false)
    expect(found).toEqual([1, 1, 1, 1, 1, 1])
    expect(result).toMatchObject({ right: { committed: { versions: [1, 2] } } })
    expect(written).toBe(1)
  })

  it.each([
    ['power', false],
    ['power', true],
    ['kill', false],
    ['kill', true],
  ] as const)(
    'happens whole or not at all when ended by %s; with a key: %s',
    async (how, isKeyed) => {
      const { calls } = await play(wire, isKeyed)
      expect(calls).toBeGreaterThan(0)
      const outcomes = new Set<string>()
      for (let call = 1; call <= calls + 3; call += 1) {
        const { found, result } = await play(wire, isKeyed, { how, call })
        const [count = -1] = found
        expect(found, `call ${call}`).toEqual(found.map(() => count))
        const isReported = result._tag === 'Right' && 'committed' in result.right
        if (isReported) expect(count, `reported, call ${call}`).toBe(1)
        outcomes.add(`${count}`)
      }
      expect([...outcomes]).toContain('1')
    },
  )
})
