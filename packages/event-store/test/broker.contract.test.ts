/** The real broker passes the suite of the port, and keeps its word over crashes. */
import { openTx } from '@sagalog/client'
import { below, sleep } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import * as E from 'fp-ts/lib/Either.js'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appendIn } from '../src/append-in.js'
import { brokerEvents } from '../src/broker-events.js'
import { EventStoreError } from '../src/errors.js'
import { createEventStore } from '../src/atomically.js'
import { createRepository } from '../src/repository.js'
import { eventStoreContract } from '../src/testing/event-store-contract.js'
import { Account, Accounts } from './accounts.js'
import { brokerWorld, expectNoEarlyReplies, type Wire } from './broker-world.js'

const wires: Wire[] = ['memory', 'bytes', 'tcp']
/** Those whose every byte a seed replays. */
const replayed: Wire[] = ['memory', 'bytes']

describe.each(wires)('the broker over %s', (wire) => {
  eventStoreContract({
    test(name, body) {
      it(`broker: ${name}`, async () => {
        // A commit lies in one segment, so these two need larger ones; they fill those as well.
        const segmentBytes = /long|large/.test(name) ? 1024 * 1024 : 4 * 1024
        const { connect, run } = await brokerWorld(wire, { segmentBytes })
        await expect(run(body(brokerEvents(connect())))).resolves.toBeUndefined()
      })
    },
  })

  it('sees several appends of one transaction to one stream', async () => {
    const { connect, run } = await brokerWorld(wire)
    const connection = connect()
    const store = createEventStore(connection)
    await run(store.ensureCategory(Accounts, { queues: 2 }))
    const accounts = createRepository(store, Account)
    const tx = openTx(connection)
    await run(accounts.decideIn(tx, 'a', { type: 'Open', data: { owner: 'ann' } }))
    await run(accounts.decideIn(tx, 'a', { type: 'Deposit', data: { cents: 3 } }))
    await run(accounts.decideIn(tx, 'b', { type: 'Open', data: { owner: 'bo' } }))
    expect(await run(tx.commit())).toMatchObject({ committed: { versions: [1, 2, 1] } })
    expect(await run(accounts.load('a'))).toEqual({ state: { owner: 'ann', cents: 3 }, version: 2 })
  })

  it('keeps what was appended when the power goes', async () => {
    const { connect, crash, run } = await brokerWorld(wire)
    const store = createEventStore(connect())
    await run(store.ensureCategory(Accounts, { queues: 2 }))
    const events = [1, 2, 3].map((cents) => Accounts.make.Deposited({ cents }))
    await run(store.append(Accounts, 'a', events, { expected: 'empty' }))
    await run(crash())
    expect((await run(store.read(Accounts, 'a'))).events).toEqual(events)
    const more = store.append(Accounts, 'a', events, { expected: 'empty' })
    expect(await run(more)).toEqual({ conflict: 3 })
  })
})

describe('stream names', () => {
  it.each(['', 'a\u0001b', 'a\u0002b', 'a\nb', '\ud800', 'x'.repeat(1_025)])(
    'that no stream can have are refused: %#',
    async (name) => {
      const { connect, run } = await brokerWorld('memory')
      const connection = connect()
      const store = createEventStore(connection)
      await run(store.ensureCategory(Accounts, { queues: 2 }))
      const event = Accounts.make.Deposited({ cents: 1 })
      const refused = { _tag: 'Left', left: { code: 'REFUSED', state: 'unchanged' } }
      const appended = store.te.append(Accounts, name, [event], { expected: 'any' })
      expect(await run(appended())).toMatchObject(refused)
      expect(await run(store.te.read(Accounts, name)())).toMatchObject(refused)
      const tx = openTx(connection)
      const options = { expected: 'any' } as const
      expect(() => appendIn(tx, Accounts, name, [event], options)).toThrow('REFUSED')
    },
  )

  it('as long as they may be are fine', async () => {
    const { connect, run } = await brokerWorld('bytes')
    const store = createEventStore(connect())
    await run(store.ensureCategory(Accounts, { queues: 2 }))
    const event = Accounts.make.Deposited({ cents: 1 })
    for (const name of ['x'.repeat(1_024), '😀'.repeat(256)]) {
      const appended = store.append(Accounts, name, [event], { expected: 'empty' })
      expect(await run(appended)).toMatchObject({ appended: 1 })
      expect((await run(store.read(Accounts, name))).events).toEqual([event])
    }
  })
})

describe('an append with an expected version', () => {
  it('happens once, whatever gets lost on the way', async () => {
    const reached = { known: 0, inDoubt: 0, cuts: 0, crashes: 0 }
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.constantFrom(...replayed), async (seed, wire) => {
        const { connect, crash, cut, run, time } = await brokerWorld(wire, { seed })
        const random = seededRandom(seed).fork('faults')
        const clock = time.nodeClock()
        const connections = [connect(), connect()]
        const stores = connections.map((connection) => createEventStore(connection))
        const [first] = stores
        if (first === undefined) throw new Error('there are two stores')
        await run(first.ensureCategory(Accounts, { queues: 2 }))
        const work = { isOver: false }
        const [sure, doubtful] = [new Set<number>(), new Set<number>()]

        const writers = stores.map(async (store, writer) => {
          const accounts = createRepository(store, Account)
          await accounts
            .handle('a', { type: 'Open', data: { owner: 'ann' } }, { retryConflicts: 99 })
            .catch(() => undefined)
          for (let n = 1; n <= 12; n += 1) {
            const cents = writer * 100 + n
            try {
              const command = { type: 'Deposit', data: { cents } } as const
              const result = await accounts.handle('a', command, { retryConflicts: 99 })
              if (E.isRight(result)) sure.add(cents)
            } catch (thrown) {
              if (!EventStoreError.is(thrown)) throw thrown
              if (thrown.state !== 'unchanged') doubtful.add(cents)
            }
          }
        })
        const faults = async (): Promise<void> => {
          while (!work.isOver) {
            await sleep(clock, 1 + below(random, 12))
            if (below(random, 8) === 0) {
              reached.crashes += 1
              await crash()
            } else {
              reached.cuts += 1
              cut()
            }
          }
        }
        const faulty = faults()
        await run(Promise.all(writers))
        work.isOver = true
        await run(faulty)

        const { events } = await run(first.read(Accounts, 'a'))
        const found = events.flatMap((event) =>
          event.type === 'Deposited' ? [event.data.cents] : [],
        )
        expect(new Set(found).size).toBe(found.length)
        const missing = [...sure].filter((cents) => !found.includes(cents))
        const strange = found.filter((cents) => !sure.has(cents) && !doubtful.has(cents))
        expect({ missing, strange }).toEqual({ missing: [], strange: [] })
        reached.known += sure.size
        reached.inDoubt += doubtful.size
        for (const connection of connections) connection.close()
        expectNoEarlyReplies()
      }),
      { numRuns: 25 },
    )
    expect(reached.known).toBeGreaterThan(100)
    expect(reached.cuts).toBeGreaterThan(50)
    expect(reached.crashes).toBeGreaterThan(5)
  })
})
