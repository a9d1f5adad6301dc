/** Appends whose answer is lost: the stream itself says what became of them. */
import { streamVersion } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { EventStoreError } from '../src/errors.js'
import { createEventStore } from '../src/atomically.js'
import { eventStoreContract } from '../src/testing/event-store-contract.js'
import { brokerEvents } from '../src/broker-events.js'
import { Accounts } from './accounts.js'
import { type Fate, scriptedBroker } from './scripted-broker.js'

const deposited = Accounts.make.Deposited({ cents: 1 })

async function world(...fates: Fate[]) {
  const broker = scriptedBroker()
  const store = createEventStore(broker.connection)
  await broker.run(store.ensureCategory(Accounts, { queues: 2 }))
  broker.fates.push(...fates)
  const append = (expected: 'any' | 'empty' | 'exists' | number) =>
    broker.run(
      store.append(Accounts, 'a', [deposited, deposited], {
        expected: typeof expected === 'number' ? streamVersion(expected) : expected,
      }),
    )
  const read = () => broker.run(store.read(Accounts, 'a'))
  return { ...broker, store, append, read }
}

async function failureOf(work: Promise<unknown>): Promise<[string, string]> {
  const cause: unknown = await work.then(
    () => 'fulfilled',
    (thrown: unknown) => thrown,
  )
  return EventStoreError.is(cause) ? [cause.code, cause.state] : [String(cause), '']
}

describe('a broker over a connection', () => {
  eventStoreContract({
    test(name, body) {
      it(`scripted: ${name}`, async () => {
        const { connection, run } = scriptedBroker()
        await expect(run(body(brokerEvents(connection)))).resolves.toBeUndefined()
      })
    },
  })
})

describe('an append whose answer is lost', () => {
  const losses: Fate[] = ['lost-before', 'lost-after', 'silent-after', 'failed', 'late']
  it.each(losses)('is found out when its expected version is known: %s', async (fate) => {
    const { append, read, run, time } = await world(fate)
    expect(await append('empty')).toMatchObject({ appended: 2 })
    // What is late may still arrive; its expected version keeps it out.
    await run(new Promise<void>((resolve) => time.plan(20_000, resolve)))
    const { events, records, version } = await read()
    expect([events.length, version]).toEqual([2, 2])
    expect(records.map(({ metadata }) => metadata)).toEqual([{}, {}])
  })

  it('is found out over several losses in a row', async () => {
    const { append, read, counts } = await world('lost-before', 'lost-before', 'silent-after')
    expect(await append(0)).toMatchObject({ appended: 2 })
    expect((await read()).version).toBe(2)
    expect(counts.commits).toBe(3)
  })

  it('is not taken for a conflict with itself', async () => {
    const { append, read } = await world('lost-before', 'overtaken')
    expect(await append('empty')).toMatchObject({ appended: 2 })
    expect((await read()).version).toBe(2)
  })

  it('is told from an equal append of somebody else', async () => {
    const { append, fates, read } = await world()
    expect(await append('empty')).toMatchObject({ appended: 2 })
    fates.push('lost-before')
    expect(await append('empty')).toEqual({ conflict: 2 })
    fates.push('lost-after')
    expect(await append(0)).toEqual({ conflict: 2 })
    expect((await read()).version).toBe(2)
  })

  it('stays in doubt when any version was fine', async () => {
    const { append, fates } = await world('lost-after')
    expect(await failureOf(append('any'))).toEqual(['IN_DOUBT', 'unknown'])
    fates.push('silent-after')
    expect(await failureOf(append('exists'))).toEqual(['IN_DOUBT', 'unknown'])
  })

  it('is given up as in doubt after a number of attempts', async () => {
    const { append, counts } = await world(...Array<Fate>(9).fill('lost-before'))
    expect(await failureOf(append('empty'))).toEqual(['IN_DOUBT', 'unknown'])
    expect(counts.commits).toBe(5)
  })
})

describe('a store that cannot be used', () => {
  it('says so, and that nothing was changed', async () => {
    const { append, connection, read } = await world('busy')
    expect(await failureOf(append('empty'))).toEqual(['UNAVAILABLE', 'unchanged'])
    connection.close()
    expect(await failureOf(append('empty'))).toEqual(['CLOSED', 'unchanged'])
    expect(await failureOf(read())).toEqual(['CLOSED', 'unchanged'])
  })

  it('gives the same as a left of the twin', async () => {
    const { connection, run, store } = await world()
    const taken = store.te.append(Accounts, 'a', [deposited], { expected: 'empty' })
    expect(await run(taken())).toMatchObject({ _tag: 'Right', right: { appended: 1 } })
    connection.close()
    expect(await run(store.te.read(Accounts, 'a')())).toMatchObject({
      _tag: 'Left',
      left: { code: 'CLOSED' },
    })
  })

  it('rejects a read with what it cannot decode', async () => {
    const { events, run, store } = await world()
    const data = Buffer.from('{"cents":"many"}')
    const wrong = { type: 'Deposited', schema: 1, data }
    await events.append({ category: 'account', stream: 'a', expected: 'any', events: [wrong] })
    const left = await run(store.te.read(Accounts, 'a')())
    expect(left).toMatchObject({ left: { code: 'UNDECODABLE', detail: { version: 1 } } })
    expect(String(E.isLeft(left) && left.left)).toContain('cents: expected number')
  })
})
