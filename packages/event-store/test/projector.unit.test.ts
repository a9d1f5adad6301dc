/**
 * Projections run over a store in memory: places, poison, new versions, and reading one's writes.
 */
import { sleep } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import * as O from 'fp-ts/lib/Option.js'
import { describe, expect, it } from 'vitest'
import { eventStoreOver } from '../src/event-store.js'
import { inMemoryEvents } from '../src/in-memory.js'
import { type InlineAppends, withInlineProjections } from '../src/inline-projection.js'
import { memoryRows } from '../src/memory-rows.js'
import { projectionRows, verifyProjection } from '../src/projection-rows.js'
import { type ProjectorOptions, runProjection } from '../src/projector.js'
import { releaseStream } from '../src/release-stream.js'
import { createRepository } from '../src/repository.js'
import type { RowChange } from '../src/row-changes.js'
import { streamRows } from '../src/stream-rows.js'
import { Account, Accounts } from './accounts.js'
import { balances, total } from './balances.js'

const { Deposited, Opened, Withdrawn } = Accounts.make
const ANY = { expected: 'any' } as const

async function world() {
  const time = simulatedTime(seededRandom(1))
  const clock = time.nodeClock()
  const store = eventStoreOver(inMemoryEvents(clock))
  await store.ensureCategory(Accounts, { queues: 3 })
  const deposit = async (stream: string, ...amounts: number[]) => {
    const events = amounts.map((cents) => Deposited({ cents }))
    const result = await store.append(Accounts, stream, events, { expected: 'any' })
    if (!('position' in result)) throw new Error('the append was taken')
    return result.position
  }
  async function run<A>(work: Promise<A>): Promise<A> {
    let isDone = false
    const ended = (): void => {
      isDone = true
    }
    work.then(ended, ended)
    await time.run({ untilMs: time.nowMs() + 600_000, isDone: () => isDone })
    return await work
  }
  const rows = memoryRows()
  const problems: string[] = []
  const options = (more: Partial<ProjectorOptions> = {}): ProjectorOptions => ({
    rows,
    clock,
    onProblem: (what) => problems.push(what),
    ...more,
  })
  return { clock, deposit, options, problems, rows, run, store }
}

describe('a projection', () => {
  it('holds what was appended before and after it began', async () => {
    const { deposit, options, rows, run, store } = await world()
    await store.append(Accounts, 'a', [Opened({ owner: 'ann' })], { expected: 'empty' })
    await deposit('a', 1, 2)
    const projector = runProjection(store, balances(), options())
    const position = await deposit('b', 5)
    await run(projector.whenProcessed(position))
    const found = projectionRows(rows, balances())
    expect(await found.get('a')).toEqual(O.some({ owner: 'ann', cents: 3, changes: 3 }))
    expect(await found.get('b')).toEqual(O.some({ owner: '', cents: 5, changes: 1 }))
    expect(await found.get('c')).toEqual(O.none)
    await store.append(Accounts, 'b', [Withdrawn({ cents: 666 })], { expected: 'any' })
    await run(projector.whenProcessed(await deposit('a', 1)))
    expect(await found.get('b')).toEqual(O.none)
    expect(projector.state).toBe('running')
    await run(projector.close())
    await expect(run(projector.whenProcessed(await deposit('a', 1)))).rejects.toThrow(
      'PROJECTION_ENDED',
    )
  })

  it('does not wait for events that it does not read', async () => {
    const { options, run, store } = await world()
    const projector = runProjection(store, balances(), options())
    const other = { ...Accounts, category: 'other' }
    await store.ensureCategory(other, { queues: 1 })
    const result = await store.append(other, 'x', [Deposited({ cents: 1 })], { expected: 'any' })
    if (!('position' in result)) throw new Error('the append was taken')
    await run(projector.whenProcessed(result.position))
    // Nothing comes after the end: waiting for more than what is there would never end.
    await run(projector.whenCaughtUp())
    await run(projector.close())
  })

  it('goes on from its checkpoint, and two runners count nothing twice', async () => {
    const { deposit, options, rows, run, store } = await world()
    for (let index = 0; index < 20; index += 1) await deposit(`s${index % 4}`, 1, 1)
    const both = [1, 2].map(() => runProjection(store, total, options({ pageEvents: 3 })))
    let position = await deposit('s1', 1)
    await Promise.all(both.map((projector) => run(projector.whenProcessed(position))))
    expect(await projectionRows(rows, total).get('all')).toEqual(O.some({ cents: 41 }))
    await run(both[0]?.close() ?? Promise.resolve())
    position = await deposit('s2', 9)
    await run(both[1]?.whenProcessed(position) ?? Promise.resolve())
    expect(await projectionRows(rows, total).get('all')).toEqual(O.some({ cents: 50 }))
    await run(both[1]?.close() ?? Promise.resolve())
    const again = runProjection(store, total, options())
    await run(again.whenProcessed(await deposit('s2', 50)))
    expect(await projectionRows(rows, total).get('all')).toEqual(O.some({ cents: 100 }))
    await run(again.close())
  })
})

describe('a poison event', () => {
  it('stops the projection before it, visibly, and it goes on once mended', async () => {
    const { deposit, options, problems, rows, run, store } = await world()
    await deposit('a', 1, 13, 2)
    await deposit('b', 3)
    const told: string[] = []
    const effect = ({ event, key }: RowChange) => void told.push(`${key}@${event.version}`)
    const stopped = runProjection(store, balances(), options({ effect }))
    await run(
      stopped.whenProcessed(await deposit('a', 4)).catch((thrown: unknown) => {
        expect(String(thrown)).toContain('thirteen')
      }),
    )
    expect([stopped.state, String(stopped.problem)]).toEqual(['stopped', 'Error: thirteen'])
    expect(problems).toContain('balances has stopped')
    expect(await projectionRows(rows, balances()).get('a')).toMatchObject({ value: { cents: 1 } })
    expect(told).toEqual(['a@1'])
    const mended = balances()
    const patched = {
      ...mended,
      change: (row: unknown) => row ?? { owner: '', cents: 0, changes: 0 },
    }
    const again = runProjection(store, patched, options())
    await run(again.whenProcessed(await deposit('a', 8)))
    expect(again.state).toBe('running')
    await run(again.close())
  })

  it('parks its stream and leaves the others alone', async () => {
    const { deposit, options, rows, run, store } = await world()
    await deposit('a', 1)
    await deposit('b', 1)
    await deposit('a', 13)
    const raw = { type: 'Deposited', schema: 1, data: Buffer.from('{}') }
    const bad = { category: 'account', stream: 'c', expected: 'any' as const, events: [raw] }
    await store.port.append(bad)
    await deposit('a', 2)
    const projector = runProjection(store, balances(), options({ onPoison: 'park-key' }))
    await run(projector.whenProcessed(await deposit('b', 2)))
    const found = projectionRows(rows, balances())
    expect(await found.get('a')).toMatchObject({ value: { cents: 1 } })
    expect(await found.get('b')).toMatchObject({ value: { cents: 3 } })
    expect(Object.keys(projector.parked)).toEqual(['account/a', 'account/c'])
    expect(projector.parked['account/a']).toContain('version 2: Error: thirteen')
    expect(projector.parked['account/c']).toContain('UNDECODABLE')
    await run(projector.close())
    const again = runProjection(store, balances(), options({ onPoison: 'park-key' }))
    await run(again.whenProcessed(await deposit('a', 5)))
    expect(await found.get('a')).toMatchObject({ value: { cents: 1 } })
    expect(await verifyProjection(store, balances(), rows)).toMatchObject({
      same: 2,
      counts: { changed: 0, added: 0, removed: 0 },
    })
    await run(again.close())
  })
})

describe('a parked stream', () => {
  /** As `balances`, once somebody has thought about thirteen. */
  const mended = () => {
    const { change, ...rest } = balances()
    const mend = ({ event }: Parameters<typeof change>[1]) =>
      JSON.stringify(event.data) === '{"cents":13}' ? { ...event, data: { cents: 14 } } : event
    return {
      ...rest,
      change: (row: unknown, of: Parameters<typeof change>[1]) =>
        change(row, { ...of, event: mend(of) }),
    }
  }

  it.each(['memory', 'streams'] as const)(
    'is let back in beside a runner, with all that was left out; rows in %s',
    async (kind) => {
      const { deposit, options, run, store } = await world()
      const rows = kind === 'memory' ? memoryRows() : streamRows(store.port)
      await deposit('a', 1, 13, 5)
      await deposit('b', 2, 13, 1)
      const old = runProjection(store, balances(), options({ rows, onPoison: 'park-key' }))
      await run(old.whenProcessed(await deposit('a', 7)))
      const found = projectionRows(rows, balances())
      const release = (projection: ReturnType<typeof mended>, stream: string) =>
        run(releaseStream(store, projection, { rows, stream }))
      expect(await release(balances(), 'account/a')).toEqual({
        refused: 'poison',
        reason: 'account/a version 2: Error: thirteen',
      })
      expect(await found.get('a')).toMatchObject({ value: { cents: 1 } })
      expect(await release(mended(), 'account/c')).toMatchObject({ refused: 'not-parked' })
      expect(await release(mended(), 'account/a')).toEqual({ released: 4 })
      expect(await found.get('a')).toMatchObject({ value: { cents: 27, changes: 4 } })
      expect(await found.get('b')).toMatchObject({ value: { cents: 2 } })
      const sound = { counts: { changed: 0, added: 0, removed: 0 } }
      expect(await verifyProjection(store, mended(), rows)).toMatchObject(sound)

      // The runner beside it takes the new checkpoint for its own.
      await run(old.whenProcessed(await deposit('a', 100)))
      await run(old.whenProcessed(await deposit('b', 100)))
      expect(await found.get('a')).toMatchObject({ value: { cents: 127 } })
      expect(Object.keys(old.parked)).toEqual(['account/b'])
      expect(await verifyProjection(store, mended(), rows)).toMatchObject(sound)
      expect(await release(mended(), 'account/b')).toEqual({ released: 4 })
      expect(await found.get('b')).toMatchObject({ value: { cents: 117 } })
      await run(old.close())
    },
  )
})

describe('a new version', () => {
  it('is built beside the old one, silent, compared, and swapped in', async () => {
    const { deposit, options, rows, run, store } = await world()
    await deposit('a', 10, 20)
    const effects: string[] = []
    const effect = (version: number) => (change: RowChange) =>
      void effects.push(`v${version} ${change.key} ${change.event.version}`)
    const old = runProjection(store, balances(1), options({ effect: effect(1) }))
    await run(old.whenProcessed(await deposit('b', 5)))
    const differences: unknown[] = []
    const young = runProjection(
      store,
      balances(2, { fee: 1 }),
      options({
        effect: effect(2),
        swap(difference) {
          differences.push(difference.counts)
          return true
        },
      }),
    )
    expect(young.state).toBe('building')
    await run(young.whenProcessed(await deposit('a', 7)))
    await run(old.whenProcessed(await deposit('a', 1)).catch(() => undefined))
    await run(young.whenProcessed(await deposit('c', 3)))
    expect([old.state, young.state]).toEqual(['retired', 'running'])
    expect(differences).toEqual([{ changed: 2, added: 0, removed: 0 }])
    const found = projectionRows(rows, balances(2))
    expect(await found.get('a')).toMatchObject({ value: { cents: 34 } })
    expect(effects.slice(0, 3)).toEqual(['v1 a 1', 'v1 a 2', 'v1 b 1'])
    expect(effects.filter((text) => text.startsWith('v2 a'))).not.toContain('v2 a 1')
    expect(effects).toContain('v2 c 1')
    await run(Promise.all([old.close(), young.close()]))
  })

  it('stays beside the old one when its rows are not wanted', async () => {
    const { deposit, options, rows, run, store } = await world()
    const old = runProjection(store, balances(1), options())
    await run(old.whenProcessed(await deposit('a', 5)))
    const young = runProjection(store, balances(2, { fee: 1 }), options({ swap: () => false }))
    await run(young.whenProcessed(await deposit('a', 5)))
    await run(young.whenProcessed(await deposit('a', 5)))
    expect([old.state, young.state]).toEqual(['running', 'built'])
    expect(await projectionRows(rows, balances(1)).get('a')).toMatchObject({ value: { cents: 15 } })
    await run(Promise.all([old.close(), young.close()]))
  })
})

describe('inline projections', () => {
  it('change with their events, also when many writers share a row', async () => {
    const { run, store } = await world()
    const inline = withInlineProjections(store, [balances(), total], { attemptsMax: 99 })
    const writers = Array.from({ length: 12 }, (_, index) =>
      inline.append(Accounts, `s${index % 3}`, [Deposited({ cents: index })], { expected: 'any' }),
    )
    const results = await run(Promise.all(writers))
    expect(results.every((result) => 'appended' in result)).toBe(true)
    const rows = streamRows(store.port)
    expect(await projectionRows(rows, total).get('all')).toEqual(O.some({ cents: 66 }))
    for (const projection of [balances(), total])
      expect(await verifyProjection(store, projection, rows)).toMatchObject({
        counts: { changed: 0, added: 0, removed: 0 },
      })
  })

  it('refuse the append when the versions conflict or the function throws; keys work', async () => {
    const { store } = await world()
    const inline = withInlineProjections(store, [balances()])
    const deposit = (
      cents: number,
      expected: 'empty' | 'any' | 'exists',
      idempotencyKey?: string,
    ) =>
      inline.append(Accounts, 'a', [Deposited({ cents })], {
        expected,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      })
    expect(await deposit(1, 'exists')).toEqual({ conflict: 0 })
    expect(await deposit(1, 'empty', 'k')).toMatchObject({ appended: 1, isRepeat: false })
    expect(await deposit(1, 'empty')).toEqual({ conflict: 1 })
    expect(await deposit(1, 'empty', 'k')).toMatchObject({ appended: 1, isRepeat: true })
    await expect(deposit(13, 'any')).rejects.toThrow('thirteen')
    const rows = streamRows(store.port)
    expect(await projectionRows(rows, balances()).get('a')).toMatchObject({ value: { cents: 1 } })
    await store.append(Accounts, 'a', [Deposited({ cents: 4 })], { expected: 'any' })
    expect(await verifyProjection(store, balances(), rows)).toMatchObject({ changed: ['a'] })
  })

  it('answer a repeat as the first was, whatever it would do to the rows now', async () => {
    const { store } = await world()
    const inline = withInlineProjections(store, [balances(), total])
    const once = { expected: 'any', idempotencyKey: 'k' } as const
    const deposit = (cents: number) => [Deposited({ cents })]
    const first = await inline.append(Accounts, 'a', deposit(1), once)
    expect(await inline.append(Accounts, 'a', deposit(13), once)).toEqual({
      ...first,
      isRepeat: true,
    })
    // After the next deployment there is one more projection, and the client tries again.
    const fewer = withInlineProjections(store, [total])
    expect(await fewer.append(Accounts, 'a', deposit(1), once)).toMatchObject({ isRepeat: true })
    // Commands go through the same appends.
    const accounts = createRepository({ ...store, ...inline }, Account)
    const open = { type: 'Open', data: { owner: 'ann' } } as const
    const handled = () => accounts.handle('b', open, { idempotencyKey: 'k' })
    expect(await handled()).toMatchObject({ right: { isRepeat: false, version: 1 } })
    expect(await handled()).toMatchObject({ right: { isRepeat: true, version: 1 } })
    const rows = streamRows(store.port)
    expect(await projectionRows(rows, total).get('all')).toEqual(O.some({ cents: 1 }))
  })

  it('of a changed definition are refused until they are built, and fence off the old one', async () => {
    const { clock, run, store } = await world()
    const rows = streamRows(store.port)
    const append = (inline: InlineAppends, cents: number, stream = 'a') =>
      run(inline.append(Accounts, stream, [Deposited({ cents })], { expected: 'any' }))
    const notBuilt = (reason: string) => ({ code: 'PROJECTION_NOT_BUILT', detail: { reason } })
    const old = withInlineProjections(store, [balances()])
    await append(old, 10)
    await append(old, 20, 'b')
    const young = withInlineProjections(store, [balances(2, { fee: 1 })])
    await expect(append(young, 5)).rejects.toMatchObject(notBuilt('readers get version 1'))

    // Nobody runs what is kept by those who append: events would count twice.
    const wrong = runProjection(store, balances(), { rows, clock })
    await run(sleep(clock, 100))
    expect(wrong).toMatchObject({ state: 'stopped', problem: { code: 'PROJECTION_INLINE' } })
    await run(wrong.close())

    const builder = runProjection(store, balances(2, { fee: 1 }), { rows, clock, waitMs: 50 })
    await run(builder.whenCaughtUp())
    expect(builder.state).toBe('running')
    await expect(append(old, 7)).rejects.toMatchObject(notBuilt('readers get version 2'))
    await append(young, 5)
    await append(young, 6, 'c')
    await run(sleep(clock, 2_000))
    expect(builder).toMatchObject({ state: 'stopped', problem: { code: 'PROJECTION_INLINE' } })
    await run(builder.close())
    const read = projectionRows(rows, balances(2))
    expect(await read.get('a')).toMatchObject({ value: { cents: 13, changes: 2 } })
    expect(await read.get('c')).toMatchObject({ value: { cents: 5 } })
    const difference = await verifyProjection(store, balances(2, { fee: 1 }), rows)
    expect(difference).toMatchObject({ same: 3, counts: { changed: 0, added: 0, removed: 0 } })
  })

  it('are refused on events that their rows lack', async () => {
    const { clock, deposit, run, store } = await world()
    const position = await deposit('a', 10)
    const rows = streamRows(store.port)
    const late = withInlineProjections(store, [balances()])
    const append = () => run(late.append(Accounts, 'a', [Deposited({ cents: 5 })], ANY))
    const lacking = {
      code: 'PROJECTION_NOT_BUILT',
      detail: { reason: expect.any(String) as string },
    }
    await expect(append()).rejects.toMatchObject(lacking)
    const builder = runProjection(store, balances(), { rows, clock })
    await run(builder.whenProcessed(position))
    await run(builder.close())
    await deposit('b', 13)
    await expect(append()).rejects.toMatchObject(lacking)
    const parking = runProjection(store, balances(), { rows, clock, onPoison: 'park-key' })
    await run(parking.whenCaughtUp())
    await run(parking.close())
    await expect(append()).rejects.toMatchObject({
      detail: { reason: 'its rows leave out account/b' },
    })
  })
})
