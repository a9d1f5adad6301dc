/**
 * A projection shared by two instances: each event counts once, and a dead one's share moves on.
 */
import { sleep } from '@sagalog/kernel'
import * as O from 'fp-ts/lib/Option.js'
import { describe, expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { memoryRows } from '../src/memory-rows.js'
import { runPartedProjection } from '../src/parted-projection.js'
import { projectionRows, verifyProjection } from '../src/projection-rows.js'
import { runProjection } from '../src/projector.js'
import { releaseStream } from '../src/release-stream.js'
import { streamRows } from '../src/stream-rows.js'
import { Accounts } from './accounts.js'
import { balances } from './balances.js'
import { brokerWorld, type Wire } from './broker-world.js'

const wires: Wire[] = ['memory', 'bytes']
const QUEUES = 4
const STREAMS = 12

describe.each(wires)('two instances over %s', (wire) => {
  it('share the parts, and one takes over those of the other', async () => {
    const { connect, run, time } = await brokerWorld(wire, { segmentBytes: 16 * 1024 })
    const clock = time.nodeClock()
    const store = createEventStore(connect())
    await run(store.ensureCategory(Accounts, { queues: QUEUES }))
    const rows = memoryRows()
    const begin = (instance: string) => {
      const connection = connect()
      const options = { connection, instance, rows, clock, waitMs: 200 }
      const mine = createEventStore(connection)
      return run(runPartedProjection(mine, balances(), options)).then((projector) => ({
        connection,
        projector,
      }))
    }
    const deposit = async () => {
      for (let index = 0; index < STREAMS; index += 1)
        await run(
          store.append(Accounts, `s${index}`, [Accounts.make.Deposited({ cents: 1 })], {
            expected: 'any',
          }),
        )
    }
    const cents = async () => {
      const found: number[] = []
      for await (const [, row] of projectionRows(rows, balances()).all()) found.push(row.cents)
      return found.toSorted((left, right) => left - right)
    }
    const settled = async (each: number) => {
      for (let tries = 0; tries < 300; tries += 1) {
        if ((await cents()).every((sum) => sum === each) && (await cents()).length === STREAMS)
          return
        await run(sleep(clock, 100))
      }
    }
    await deposit()
    const first = await begin('one')
    const second = await begin('two')
    await settled(1)
    const shares = () => [first.projector.parts.length, second.projector.parts.length]
    for (let tries = 0; tries < 300 && shares().some((held) => held !== QUEUES / 2); tries += 1)
      await run(sleep(clock, 100))
    expect(shares()).toEqual([QUEUES / 2, QUEUES / 2])
    await deposit()
    await settled(2)
    // It dies without a word; its leases end.
    first.connection.close()
    await deposit()
    await settled(3)
    expect(await cents()).toEqual(Array.from({ length: STREAMS }, () => 3))
    expect(second.projector.parts).toHaveLength(QUEUES)
    await run(second.projector.close())
    expect(second.projector.parts).toEqual([])
  })

  it('go on where one runner has built a new version, count nothing twice, and release', async () => {
    const { connect, run, time } = await brokerWorld(wire, { segmentBytes: 16 * 1024 })
    const clock = time.nodeClock()
    const connection = connect()
    const store = createEventStore(connection)
    await run(store.ensureCategory(Accounts, { queues: QUEUES }))
    const rows = streamRows(store.port)
    const deposit = (stream: string, cents: number) =>
      run(store.append(Accounts, stream, [Accounts.make.Deposited({ cents })], { expected: 'any' }))
    const names = Array.from({ length: STREAMS }, (_, index) => `s${index}`)
    const begin = (projection: ReturnType<typeof balances>, instance: string) => {
      const how = { connection, instance, rows, clock, waitMs: 100, onPoison: 'park-key' } as const
      return run(runPartedProjection(store, projection, how))
    }
    const until = async (isSo: () => Promise<boolean>) => {
      for (let tries = 0; tries < 300; tries += 1) {
        if (await run(isSo())) return
        await run(sleep(clock, 100))
      }
      throw new Error('it was not so in time')
    }
    const cents = async (stream: string): Promise<number | undefined> => {
      const row = await projectionRows(rows, balances()).get(stream)
      return O.isSome(row) ? row.value.cents : undefined
    }
    const young = balances(2, { fee: 1 })
    const isSound = async (projection: typeof young) => {
      const { counts } = await run(verifyProjection(store, projection, rows))
      expect(counts).toEqual({ changed: 0, added: 0, removed: 0 })
    }

    for (const name of names) await deposit(name, 10)
    const old = await begin(balances(), 'old')
    await until(async () => (await cents('s0')) === 10 && (await cents('s11')) === 10)
    // The young instances are there already, and wait for their rows.
    const waiting = await begin(young, 'young')
    await run(sleep(clock, 2_000))
    await isSound(balances())
    const builder = runProjection(store, young, { rows, clock, waitMs: 100 })
    await until(async () => (await cents('s0')) === 9)
    for (const name of names) await deposit(name, 5)
    await until(async () => (await cents('s0')) === 13 && (await cents('s11')) === 13)
    // The parts take over what was built; whoever built it finds out with the next event.
    await run(sleep(clock, 1_000))
    for (const name of names) await deposit(name, 1)
    await until(async () => builder.state === 'stopped')
    expect(builder.problem).toMatchObject({ code: 'PROJECTION_SHARED' })
    await isSound(young)

    await deposit('s3', 13)
    await deposit('s3', 2)
    await deposit('s4', 2)
    await until(async () => (await cents('s4')) === 14)
    await isSound(young)
    const released = (projection: typeof young) =>
      run(releaseStream(store, projection, { rows, stream: 'account/s3' }))
    expect(await released(young)).toMatchObject({ refused: 'poison' })
    const mended = {
      ...young,
      change: (row: unknown, event: Parameters<typeof young.change>[1]) =>
        event.stream === 's3' && event.version === 4 ? row : young.change(row, event),
    }
    expect(await released(mended)).toEqual({ released: 5 })
    expect(await cents('s3')).toBe(14)
    await deposit('s3', 6)
    await until(async () => (await cents('s3')) === 19)
    await isSound(mended)
    await run(Promise.all([old.close(), waiting.close(), builder.close()]))
  })
})
