/** What a repository reads and does not read, and what several transactions see of each other. */
import { openTx, type OpenTx } from '@sagalog/client'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { createRepository, handle } from '../src/repository.js'
import { Account, Accounts, AccountState, deposit, open, withdraw } from './accounts.js'
import { scriptedBroker } from './scripted-broker.js'

const { Opened, Deposited, Withdrawn } = Accounts.make
const five = Deposited({ cents: 5 })

async function world(cacheEntries = 10) {
  const broker = scriptedBroker()
  const { connection, counts, run } = broker
  const store = createEventStore(connection)
  await run(store.ensureCategory(Accounts, { queues: 1 }))
  const accounts = createRepository(store, Account, { cacheEntries })
  const tx = (): OpenTx => openTx(connection)
  const seed = (stream: string, ...events: Parameters<typeof store.append<typeof five>>[2]) =>
    run(store.append(Accounts, stream, [Opened({ owner: 'ann' }), ...events], { expected: 'any' }))
  /** How many pages `work` reads. */
  async function reads(work: Promise<unknown>): Promise<number> {
    const before = counts.reads
    await run(work)
    return counts.reads - before
  }
  return { ...broker, store, accounts, tx, seed, reads }
}

describe('loading', () => {
  it('reads a stream once and then its tail', async () => {
    const { accounts, asked, run, seed } = await world()
    await seed('a', five)
    expect(await run(accounts.load('a'))).toEqual({
      state: { owner: 'ann', cents: 5 },
      version: 2,
    })
    await seed('a', five)
    expect((await run(accounts.load('a'))).state.cents).toBe(10)
    expect((await run(accounts.load('a'))).version).toBe(4)
    expect(asked).toEqual([1, 3, 5])
  })

  it('gives the initial state of an empty stream', async () => {
    const { accounts, run } = await world()
    const empty = { state: { owner: undefined, cents: 0 }, version: 0 }
    expect(await run(accounts.load('nobody'))).toEqual(empty)
    expect(await run(accounts.te.load('nobody')())).toEqual(E.right(empty))
  })

  it('keeps no more states than it may', async () => {
    const { accounts, reads, seed } = await world(2)
    for (const name of ['a', 'b', 'c']) await seed(name, five)
    for (const name of ['a', 'b', 'a', 'c']) await reads(accounts.load(name))
    const { tx } = await world()
    const change = (name: string) => reads(accounts.changeIn(tx(), name, () => [five]))
    expect([await change('a'), await change('c'), await change('b')]).toEqual([0, 0, 1])
  })
})

describe('changing in a transaction', () => {
  it('decides on the cache, and knows the state after the commit', async () => {
    const { accounts, reads, run, tx } = await world()
    const first = tx()
    expect(await run(accounts.decideIn(first, 'a', open))).toEqual(
      E.right([Opened({ owner: 'ann' })]),
    )
    expect((await run(first.commit())).kind).toBe('committed')
    for (let count = 1; count <= 3; count += 1) {
      const next = tx()
      expect(await reads(accounts.decideIn(next, 'a', deposit(2)))).toBe(0)
      expect((await run(next.commit())).kind).toBe('committed')
    }
    expect((await run(accounts.load('a'))).state.cents).toBe(6)
  })

  it('forgets what a refused commit was decided on', async () => {
    const { accounts, run, seed, tx } = await world()
    await seed('a')
    await run(accounts.load('a'))
    await seed('a', five)
    const late = tx()
    await run(accounts.changeIn(late, 'a', ({ cents }) => [Deposited({ cents: cents + 1 })]))
    expect(await run(late.commit())).toMatchObject({
      kind: 'refused',
      refusal: { reason: 'version-conflict', actual: 3 },
    })
    const again = tx()
    await run(accounts.changeIn(again, 'a', ({ cents }) => [Deposited({ cents: cents + 1 })]))
    expect((await run(again.commit())).kind).toBe('committed')
    expect((await run(accounts.load('a'))).state.cents).toBe(11)
  })

  it('never turns a command down because of an old state', async () => {
    const { accounts, run, seed, tx } = await world()
    await seed('a')
    await run(accounts.load('a'))
    await seed('a', five)
    expect(await run(accounts.decideIn(tx(), 'a', withdraw(5)))).toEqual(
      E.right([Withdrawn({ cents: 5 })]),
    )
    expect(await run(accounts.decideIn(tx(), 'b', withdraw(5)))).toEqual(
      E.left({ _tag: 'TooLittle', missing: 5 }),
    )
  })

  it('sees its own changes, and others see them after the commit', async () => {
    const { accounts, run, seed, tx } = await world()
    await seed('a')
    const mine = tx()
    await run(accounts.changeIn(mine, 'a', () => [five]))
    expect(await run(accounts.changeIn(mine, 'a', ({ cents }) => [Deposited({ cents })]))).toEqual([
      five,
    ])
    expect((await run(accounts.loadIn(mine, 'a'))).state.cents).toBe(10)
    expect((await run(accounts.load('a'))).state.cents).toBe(0)
    expect((await run(mine.commit())).kind).toBe('committed')
    expect(await run(accounts.load('a'))).toEqual({
      state: { owner: 'ann', cents: 10 },
      version: 3,
    })
  })

  it('keeps changes apart that one transaction makes at once', async () => {
    const { accounts, run, seed, tx } = await world()
    await seed('a')
    const mine = tx()
    const changes = [1, 2, 3].map(() => accounts.changeIn(mine, 'a', () => [five]))
    await run(Promise.all(changes))
    expect((await run(mine.commit())).kind).toBe('committed')
    expect((await run(accounts.load('a'))).state.cents).toBe(15)
  })

  it('adds nothing without events', async () => {
    const { accounts, run, seed, tx } = await world()
    await seed('a')
    const mine = tx()
    expect(await run(accounts.decideIn(mine, 'a', deposit(0)))).toEqual(E.right([]))
    expect(mine.isEmpty).toBe(true)
  })

  it('works without commands too, and carries metadata', async () => {
    const { run, seed, store, tx } = await world()
    await seed('a')
    const states = createRepository(store, AccountState)
    const mine = tx()
    await run(states.changeIn(mine, 'a', () => [five], { metadata: { cause: 'test' } }))
    await run(mine.commit())
    const { records } = await run(store.read(Accounts, 'a', { from: 2 }))
    expect(records).toMatchObject([{ event: five, version: 2, metadata: { cause: 'test' } }])
  })
})

describe('several transactions of one process', () => {
  const ends = [
    ['commits', (tx: OpenTx) => tx.commit()],
    ['is refused', (tx: OpenTx) => tx.commit()],
    ['is given up', async (tx: OpenTx) => tx.discard('handler-failed')],
  ] as const
  it.each(ends)('wait for the one that changes the stream until it %s', async (how, end) => {
    const { accounts, run, seed, tx } = await world()
    await seed('a')
    const [first, second] = [tx(), tx()]
    await run(accounts.changeIn(first, 'a', () => [five]))
    if (how === 'is refused') await seed('a')
    const order: string[] = []
    const waiting = accounts
      .changeIn(second, 'a', ({ cents }) => [Deposited({ cents: cents + 1 })])
      .then(() => order.push('second'))
    await run(Promise.resolve())
    order.push('first')
    await run<unknown>(end(first))
    await run(waiting)
    expect(order).toEqual(['first', 'second'])
    expect((await run(second.commit())).kind).toBe('committed')
    expect((await run(accounts.load('a'))).state.cents).toBe(how === 'commits' ? 11 : 1)
  })

  it('do not wait for a rejected command or a failed read', async () => {
    const { accounts, connection, run, seed, tx } = await world()
    await seed('a')
    await run(accounts.decideIn(tx(), 'a', withdraw(1)))
    const failing = accounts.changeIn(tx(), 'a', () => {
      throw new Error('a wrong program')
    })
    await expect(run(failing)).rejects.toThrow('a wrong program')
    await run(accounts.changeIn(tx(), 'a', () => [five]))
    connection.close()
  })

  it('never wait in a circle', async () => {
    const { accounts, run, seed, store, tx } = await world()
    const others = createRepository(store, Account)
    for (const name of ['a', 'b']) await seed(name)
    const [left, right] = [tx(), tx()]
    await run(accounts.changeIn(left, 'a', () => [five]))
    await run(others.changeIn(right, 'b', () => [five]))
    const leftWaits = others.changeIn(left, 'b', () => [five])
    await run(Promise.resolve())
    await run(accounts.changeIn(right, 'a', () => [five]))
    const results = [await run(right.commit()), await run(leftWaits).then(() => run(left.commit()))]
    expect(results.map(({ kind }) => kind)).toEqual(['committed', 'refused'])
  })
})

describe('handling a command', () => {
  it('decides, appends and keeps the state', async () => {
    const { accounts, reads, run } = await world()
    expect(await run(accounts.handle('a', open))).toEqual(
      E.right({
        events: [Opened({ owner: 'ann' })],
        isRepeat: false,
        state: { owner: 'ann', cents: 0 },
        version: 1,
      }),
    )
    expect(await reads(accounts.handle('a', deposit(5)))).toBe(0)
    expect(await run(accounts.handle('a', withdraw(6)))).toEqual(
      E.left({ _tag: 'TooLittle', missing: 1 }),
    )
    expect(await run(accounts.handle('a', deposit(0)))).toMatchObject({ right: { version: 2 } })
  })

  it('decides again after a conflict, so many times', async () => {
    const { accounts, events, hooks, run, seed, store } = await world()
    await seed('a')
    await run(accounts.load('a'))
    let rivals = 0
    hooks.beforeCommit = async () => {
      if (rivals === 0) return
      rivals -= 1
      const draft = Accounts.encode(five)
      await events.append({ category: 'account', stream: 'a', expected: 'any', events: [draft] })
    }
    rivals = 3
    const command = { stream: 'a', command: deposit(5) }
    expect(await run(accounts.handle('a', deposit(5)))).toMatchObject({
      right: { state: { cents: 20 }, version: 5 },
    })
    rivals = 2
    await expect(
      run(handle(store, Account, { ...command, retryConflicts: 1 })),
    ).rejects.toMatchObject({ code: 'CONTENDED', detail: { attempts: 2 } })
    expect(await run(handle(store, Account, command))).toMatchObject({
      right: { state: { cents: 35 } },
    })
    rivals = 1
    const twin = accounts.te.handle('a', deposit(5), { retryConflicts: 0 })
    expect(await run(twin())).toMatchObject({ _tag: 'Left', left: { code: 'CONTENDED' } })
  })
})
