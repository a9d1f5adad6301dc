/**
 * Writers that share streams, some through a repository, some behind its back, with commits refused
 * and given up: each deposit that was committed counts once, and a repository ends where the stream
 * ends. The run prints its seed when it fails.
 */
import { openTx } from '@sagalog/client'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { createRepository } from '../src/repository.js'
import { Account, Accounts } from './accounts.js'
import { scriptedBroker } from './scripted-broker.js'

const streams = fc.constantFrom('a', 'b', 'c')
const writer = fc.oneof(
  fc.record({
    how: fc.constantFrom('tx' as const, 'given-up' as const),
    streams: fc.uniqueArray(streams, { minLength: 1, maxLength: 3 }),
    cents: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    how: fc.constantFrom('handle' as const, 'append' as const),
    streams: fc.uniqueArray(streams, { minLength: 1, maxLength: 1 }),
    cents: fc.integer({ min: 1, max: 9 }),
  }),
)

it('loses no change and makes none twice', async () => {
  const reached = { committed: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(writer, { minLength: 2, maxLength: 14 }),
      fc.integer({ min: 0, max: 2 }),
      fc.integer(),
      async (writers, cacheEntries, seed) => {
        const { connection, run } = scriptedBroker(seed)
        const store = createEventStore(connection)
        await run(store.ensureCategory(Accounts, { queues: 1 }))
        const accounts = createRepository(store, Account, { cacheEntries })
        const expected = new Map<string, number>()
        const paid = (stream: string, cents: number) =>
          expected.set(stream, (expected.get(stream) ?? 0) + cents)
        const seen = (cents: number) => Accounts.make.Deposited({ cents })

        async function inTx(names: readonly string[], cents: number, isKept: boolean) {
          for (;;) {
            const tx = openTx(connection)
            for (const name of names) await accounts.changeIn(tx, name, () => [seen(cents)])
            if (!isKept) return tx.discard('handler-failed')
            const end = await tx.commit()
            if (end.kind === 'committed') break
            reached.refused += 1
          }
          reached.committed += 1
          for (const name of names) paid(name, cents)
        }

        const work = writers.map(async ({ how, streams: names, cents }) => {
          const [name = 'a'] = names
          if (how === 'append') {
            await store.append(Accounts, name, [seen(cents)], { expected: 'any' })
            paid(name, cents)
          } else if (how === 'handle') {
            const options = { retryConflicts: 50 }
            await accounts.handle(name, { type: 'Open', data: { owner: 'ann' } }, options)
            await accounts.handle(name, { type: 'Deposit', data: { cents } }, options)
            paid(name, cents)
          } else await inTx(names, cents, how === 'tx')
        })
        await run(Promise.all(work))

        for (const name of ['a', 'b', 'c']) {
          const { events, version } = await run(store.read(Accounts, name))
          const stood = events.flatMap((event) => (event.type === 'Deposited' ? [event.data] : []))
          const sum = stood.reduce((total, { cents }) => total + cents, 0)
          expect(sum).toBe(expected.get(name) ?? 0)
          const loaded = await run(accounts.load(name))
          expect([loaded.state.cents, loaded.version]).toEqual([sum, version])
        }
        connection.close()
      },
    ),
    { numRuns: 80 },
  )
  expect(reached.committed).toBeGreaterThan(50)
  expect(reached.refused).toBeGreaterThan(5)
})
